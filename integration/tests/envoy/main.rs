//! Portcullis in a real Envoy, by theme. Each test starts its own Envoy.
//!
//! Where Envoy or the module is missing the tests are counted as ignored, and it is said why.
//! `cargo xtask test` provides both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod harness;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use portcullis_integration::{Prerequisites, find_envoy};

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Envoy alone: tests of the harness itself.
    Envoy,
    /// Envoy and the module.
    Module,
}

type Test = (&'static str, Needs, fn() -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! tests {
    ($( $needs:ident $theme:ident { $($name:ident,)+ } )+) => {
        &[ $($( (
            concat!(stringify!($theme), "::", stringify!($name)),
            Needs::$needs,
            || Box::pin($theme::$name()),
        ), )+)+ ]
    };
}

const TESTS: &[Test] = tests! {
    Envoy harness {
        requests_pass_over_both_protocols,
        bodies_in_pieces_arrive_whole,
        bytes_beyond_ascii_pass,
        trailers_pass_both_ways,
        an_answer_can_be_described,
        an_event_stream_flows,
        a_websocket_echoes,
        grpc_passes,
        a_refused_configuration_is_reported,
        the_shipped_configuration_is_valid_without_the_filter,
    }
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let envoy = find_envoy().err();
    let module = Prerequisites::find().err();
    let mut skipped = 0;
    let mut trials = Vec::new();
    for (name, needs, test) in TESTS {
        let missing = if *needs == Needs::Envoy { envoy } else { module };
        skipped += usize::from(missing.is_some());
        let run = move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test());
            Ok(())
        };
        trials.push(Trial::test(*name, run).with_ignored_flag(missing.is_some()));
    }
    if let Some(missing) = envoy.or(module).filter(|_| skipped > 0) {
        eprintln!("\nSKIPPED: {skipped} of {} Envoy tests do not run: {missing}", trials.len());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
