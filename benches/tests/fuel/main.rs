//! What the module costs in Wasm fuel with the Core Rule Set: about one unit per instruction, the same in every
//! run, so that a change of a few percent shows. `cargo xtask bench --fuel` calls it, and so does every test run.
//!
//! Costs are compared with `benches/fuel.json`. A rise of more than 3 % fails; so does a fall, because a baseline
//! that is too high would hide the next rise. `UPDATE_FUEL=1` writes the file anew.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod baseline;
mod module;
mod risk;
mod scale;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let found = match module::find() {
        Ok(found) => found,
        Err(missing) => {
            println!("SKIPPED fuel: {missing}");
            let skipped = Trial::test("fuel", || Ok(())).with_ignored_flag(true);
            return libtest_mimic::run(&arguments, vec![skipped]).exit_code();
        }
    };
    let (bodies, rules) = (found.clone(), found.clone());
    let (requests, connections) = (found.clone(), found.clone());
    let trials = vec![
        Trial::test("fuel::a_rise_and_a_fall_are_told", || baseline::compares().map_err(Into::into)),
        Trial::test("fuel::no_kind_of_request_costs_more_than_it_did", move || {
            baseline::check(&found).map_err(Into::into)
        }),
        Trial::test("risk::what_a_risk_part_costs", move || risk::requests(&requests).map_err(Into::into)),
        Trial::test("risk::what_looking_a_client_up_costs", move || {
            risk::connections(&connections).map_err(Into::into)
        }),
        Trial::test("scale::cost_grows_with_the_body_at_most", move || {
            scale::bodies(&bodies).map_err(Into::into)
        }),
        Trial::test("scale::ten_times_the_rules_cost_less_than_three_times", move || {
            scale::rules(&rules).map_err(Into::into)
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}
