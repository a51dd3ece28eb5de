//! The built module in the test host, judged by the test data of the engine: every vector and every scenario
//! that `rules/tests` runs natively, libinjection's cases, the exchanges of the Core Rule Set's tests, and databases
//! that are broken. Nothing here asks the engine in place of the module; where it is asked, it is to have something to
//! compare with.
//!
//! Without a built module one ignored test stands for them all, and the way to build it is printed.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

#[path = "../../../rules/tests/support/clients.rs"]
mod client_scenarios;
mod client_tests;
mod core_rule_set;
mod databases;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../rules/tests/support/folder.rs"]
mod folder;
mod libinjection;
mod memory;
#[path = "../../../rules/tests/support/mmdb.rs"]
mod mmdb;
mod scenario_tests;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../rules/tests/support/scenarios.rs"]
mod scenarios;
mod vector_tests;
#[allow(dead_code, reason = "the engine's own tests use the rest")]
#[path = "../../../rules/tests/support/vectors.rs"]
mod vectors;

use libtest_mimic::{Arguments, Trial};
use portcullis_testhost::{Module, ModuleFile, portcullis_module};

fn main() {
    let arguments = Arguments::from_args();
    let trials = match portcullis_module() {
        ModuleFile::Found(path) => {
            let module = Module::from_file(&path).expect("the module compiles");
            let mut trials = vector_tests::trials(&module);
            trials.extend(scenario_tests::trials(&module));
            trials.extend(scenario_tests::refusals(&module));
            trials.extend(client_tests::trials(&module));
            trials.extend(libinjection::trials(&module));
            trials.extend(core_rule_set::trials(&module));
            trials.extend(databases::trials(&module));
            trials.extend(memory::trials(&module));
            trials.extend(lua_trials());
            trials
        }
        ModuleFile::Missing(help) => vec![missing(&help)],
    };
    libtest_mimic::run(&arguments, trials).exit();
}

/// The scenarios with scripts, in the module that has Lua in it: `$PORTCULLIS_LUA_WASM`.
#[expect(clippy::print_stderr, reason = "what is not run is to be seen")]
fn lua_trials() -> Vec<Trial> {
    let file = std::env::var_os("PORTCULLIS_LUA_WASM").map(std::path::PathBuf::from);
    if let Some(file) = file.filter(|file| file.is_file()) {
        return scenario_tests::lua_trials(&Module::from_file(&file).expect("the module compiles"));
    }
    eprintln!(
        "\n$PORTCULLIS_LUA_WASM names no module: no script runs in one. `cargo xtask dist` builds it\n"
    );
    let trial = Trial::test("NO_LUA_MODULE_so_no_scripts_in_it", || Err("there is no module".into()));
    vec![trial.with_ignored_flag(true)]
}

#[expect(clippy::print_stderr, reason = "what is not run is to be seen")]
fn missing(help: &str) -> Trial {
    eprintln!("\n{help}\nno vector and no scenario runs through the module\n");
    Trial::test("NO_MODULE_so_no_vectors_and_no_scenarios_in_it", || Err("there is no module".into()))
        .with_ignored_flag(true)
}
