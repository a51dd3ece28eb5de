//! `cargo xtask ftw`: the tests of the Core Rule Set through a real Envoy.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};

use crate::report::Outcome;
use crate::{envoy, module, process, workspace};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The test files in go-ftw's format: a folder with all below it, or one file
    #[arg(long, value_name = "DIR")]
    tests: Option<PathBuf>,
    /// Only tests whose id, such as 942100-3, fits this regular expression
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
    /// The rules refuse what their score says, before the upstream sees it
    #[arg(long)]
    blocking: bool,
}

/// Builds and fetches what is needed, and runs the tests.
pub(crate) fn ftw(arguments: &Arguments) -> Result<ExitCode> {
    let shared = workspace::shared();
    ensure!(
        has_rules(&shared),
        "there is no Core Rule Set in {}; set PORTCULLIS_SHARED to the folder that has crs/rules",
        shared.display()
    );
    let module = module::build()?;
    let envoy = envoy::provide()?;
    let mut command = runner(&module, &envoy, &shared)?;
    if let Some(tests) = &arguments.tests {
        let tests = tests.canonicalize().with_context(|| format!("--tests {}", tests.display()))?;
        command.arg("--tests").arg(tests);
    }
    if let Some(filter) = &arguments.filter {
        command.args(["--filter", filter]);
    }
    if arguments.blocking {
        command.arg("--blocking");
    }
    let status = command.status().context("the runner can't be run")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The whole of the tests as a step of `cargo xtask test`.
pub(crate) fn step(module: Option<&Path>, envoy: Option<&Path>, blocking: bool) -> Result<Outcome> {
    let shared = workspace::shared();
    if !has_rules(&shared) {
        return Ok(Outcome::Skipped(format!("no Core Rule Set in {}", shared.display())));
    }
    let (Some(module), Some(envoy)) = (module, envoy) else {
        return Ok(Outcome::Skipped("there is no module, or no Envoy".to_owned()));
    };
    let mut command = runner(module, envoy, &shared)?;
    if blocking {
        command.arg("--blocking");
    }
    let (counts, succeeded) = process::run_tests(&mut command)?;
    Ok(Outcome::Tests(counts, succeeded))
}

fn has_rules(shared: &Path) -> bool {
    shared.join("crs/rules").is_dir()
}

/// The runner with the command line that it sends the tests with; both are built.
fn runner(module: &Path, envoy: &Path, shared: &Path) -> Result<Command> {
    process::run(&mut workspace::cargo([
        "build",
        "--locked",
        "--package",
        "portcullis-cli",
        "--package",
        "portcullis-integration",
        "--bins",
    ]))?;
    let built = workspace::target().join("debug");
    let mut command = Command::new(built.join("portcullis-ftw"));
    command.arg("--module").arg(module).arg("--envoy").arg(envoy);
    command.arg("--cli").arg(built.join("portcullis")).arg("--shared").arg(shared);
    Ok(command)
}
