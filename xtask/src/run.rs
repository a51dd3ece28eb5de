//! `cargo xtask run`: module, Envoy, demo.

use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::{envoy, module, process, workspace};

/// What to run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// End after the table; fail if a row differs from what is expected
    #[arg(long)]
    once: bool,
    /// Listen on this port instead of a free one
    #[arg(long, value_name = "N")]
    port: Option<u16>,
}

/// Builds and fetches what the demo needs, then becomes the demo.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let started = Instant::now();
    let progress = |what: &str| println!("[{:5.1} s] {what}", started.elapsed().as_secs_f64());
    progress("building the module");
    let module = module::build()?;
    progress("looking for Envoy");
    let envoy = envoy::provide()?;
    progress("building the demo");
    let package = "portcullis-integration";
    let demo = "portcullis-demo";
    process::run(&mut workspace::cargo(["build", "--locked", "--package", package, "--bin", demo]))?;
    progress("starting");
    let mut command = Command::new(workspace::target().join("debug").join(demo));
    command.arg("--envoy").arg(envoy).arg("--module").arg(module);
    if arguments.once {
        command.arg("--once");
    }
    if let Some(port) = arguments.port {
        command.args(["--port", &port.to_string()]);
    }
    become_it(command).context("the demo can't be run")
}

/// Ctrl-C and the exit status are then the demo's own business.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec().into())
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<ExitCode> {
    Ok(if command.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
