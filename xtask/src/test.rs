//! `cargo xtask test`: every check and every test of the project.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::report::{Outcome, Report};
use crate::{dist, envoy, ftw, module, node, process, toolchain, workspace};

/// What to test.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only tests with this in their names, and none of the other checks
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Go on without an Envoy: tests that need one are skipped and counted
    #[arg(long)]
    without_envoy: bool,
}

/// Runs the steps one after the other. A step that fails does not keep the others from running.
pub(crate) fn test(arguments: &Arguments) -> Result<ExitCode> {
    let mut report = Report::default();
    report.step("toolchain", || {
        toolchain::provide_components()?;
        toolchain::provide_targets(&[toolchain::MODULE, toolchain::ENGINE])?;
        Ok(Outcome::Passed)
    });
    if arguments.filter.is_none() {
        checks(&mut report);
    }
    tests(&mut report, arguments);
    if arguments.filter.is_none() {
        // This compiles the engine for its target; where it can't run, that much is checked all the same.
        if !report.step("vectors under node", node::vectors) {
            report.step("engine on wasm32-unknown-unknown", || {
                let target = "wasm32-unknown-unknown";
                passes(["check", "--locked", "--package", "portcullis-rules", "--target", target])
            });
        }
        report.step("documentation", documentation);
    }
    Ok(if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn passes<const N: usize>(arguments: [&str; N]) -> Result<Outcome> {
    process::run(&mut workspace::cargo(arguments))?;
    Ok(Outcome::Passed)
}

fn checks(report: &mut Report) {
    report.step("format", || passes(["fmt", "--all", "--check"]));
    report.step("lints", || {
        passes(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    report.step("lints, filter on wasm32-wasip1", || {
        let package = "portcullis-filter";
        let target = "wasm32-wasip1";
        passes(["clippy", "--locked", "--package", package, "--target", target, "--", "-D", "warnings"])
    });
}

fn tests(report: &mut Report, arguments: &Arguments) {
    let mut built = None;
    report.step("module", || {
        let file = module::build()?;
        dist::check(&file)?;
        built = Some(file);
        Ok(Outcome::Passed)
    });
    let mut built_with_lua = None;
    report.step("module with Lua", || {
        let file = module::build_with_lua()?;
        dist::check_with_lua(&file)?;
        built_with_lua = Some(file);
        Ok(Outcome::Passed)
    });
    let mut found = None;
    report.step("Envoy", || {
        if arguments.without_envoy {
            return Ok(Outcome::Skipped("--without-envoy: tests that need Envoy do not run".to_owned()));
        }
        found = Some(envoy::provide()?);
        Ok(Outcome::Passed)
    });
    report.step("tests", || {
        let mut command = workspace::cargo(["test", "--locked", "--workspace", "--no-fail-fast"]);
        provide(&mut command, "PORTCULLIS_WASM", built.clone());
        provide(&mut command, "PORTCULLIS_LUA_WASM", built_with_lua);
        provide(&mut command, "ENVOY", found.clone());
        if let Some(filter) = &arguments.filter {
            command.args(["--", filter]);
        }
        let (counts, succeeded) = process::run_tests(&mut command)?;
        Ok(Outcome::Tests(counts, succeeded))
    });
    if arguments.filter.is_none() {
        for (name, blocking) in [("rules in Envoy", false), ("rules in Envoy, blocking", true)] {
            report.step(name, || ftw::step(built.as_deref(), found.as_deref(), blocking));
        }
    }
}

/// Tells the tests where a file is, or that there is none: nothing from an earlier run may stand in.
fn provide(command: &mut Command, variable: &str, file: Option<PathBuf>) {
    match file {
        Some(file) => command.env(variable, file),
        None => command.env(variable, ""),
    };
}

fn documentation() -> Result<Outcome> {
    let mut command =
        workspace::cargo(["doc", "--locked", "--workspace", "--no-deps", "--document-private-items"]);
    process::run(command.env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}
