//! Runs the tests of the Core Rule Set through a real Envoy: starts it with the module and the rules, has
//! `portcullis ftw` send the tests, and explains what differs. `cargo xtask ftw` calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod deviations;
mod policy;
mod results;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use portcullis_integration::{Gateway, Scenario};

use deviations::observe;
use results::Results;

#[derive(Parser)]
#[command(about = "Runs the tests of the Core Rule Set through Envoy with Portcullis")]
struct Arguments {
    /// Envoy's binary, 1.35 or later
    #[arg(long)]
    envoy: PathBuf,
    /// The module, portcullis.wasm
    #[arg(long)]
    module: PathBuf,
    /// The command line, portcullis
    #[arg(long)]
    cli: PathBuf,
    /// The folder that holds `crs`
    #[arg(long)]
    shared: PathBuf,
    /// The tests; `crs/tests` of the shared folder unless given
    #[arg(long)]
    tests: Option<PathBuf>,
    /// Only tests whose id fits this regular expression
    #[arg(long, value_name = "REGEX")]
    filter: Option<String>,
    /// The rules refuse what their score says
    #[arg(long)]
    blocking: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all tests came out as they should.
async fn run(arguments: Arguments) -> Result<bool> {
    let started = Instant::now();
    let list = deviations::list()?;
    let policy = policy::of(&arguments.shared.join("crs"), arguments.blocking)?;
    let envoy = Scenario::new(policy)
        .strict()
        .lenient()
        .start_with(arguments.envoy.clone(), Some(arguments.module.clone()))
        .await?;
    println!("Envoy is up with the Core Rule Set after {:.1} s.", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let results = tokio::task::block_in_place(|| send(&arguments, &envoy))?;
    let took = started.elapsed().as_secs_f64();
    let bare = Scenario::without_module().lenient().start_with(arguments.envoy, None).await?;
    let mut outcome = Outcome::default();
    for test in &results.tests {
        let deviation = list.get(&test.id).filter(|deviation| arguments.blocking || !deviation.blocking_only);
        if !test.failed() {
            // What another rule refuses is refused all the same, so when blocking a listed test may pass.
            match deviation.filter(|_| !arguments.blocking) {
                None => outcome.passed += 1,
                Some(_) => {
                    println!("FAILED {}: it passes; take it off integration/ftw/deviations.yaml\n", test.id);
                    outcome.failed += 1;
                }
            }
            continue;
        }
        let observed = observe(&bare, &test.failed_request()?).await?;
        match deviation {
            Some(deviation) if deviation.doing.is_proved_by(&observed) => outcome.deviating += 1,
            Some(deviation) => {
                println!("FAILED {test}\n  the list says: {}", deviation.reason);
                println!("  but Envoy without the filter {observed}\n");
                outcome.failed += 1;
            }
            None => {
                println!("FAILED {test}\n  Envoy without the filter {observed}\n");
                outcome.failed += 1;
            }
        }
    }
    if arguments.blocking {
        outcome.failed += blocked(&results);
    }
    println!(
        "{} passed, {} failed, {} deviate because of Envoy itself (proved without the filter); {took:.1} s",
        outcome.passed, outcome.failed, outcome.deviating
    );
    Ok(outcome.failed == 0)
}

#[derive(Debug, Default)]
struct Outcome {
    passed: usize,
    failed: usize,
    deviating: usize,
}

/// Has the command line send the tests.
fn send(arguments: &Arguments, envoy: &Gateway) -> Result<Results> {
    let tests = arguments.tests.clone().unwrap_or_else(|| arguments.shared.join("crs/tests"));
    let mut command = Command::new(&arguments.cli);
    command
        .args(["ftw", "--format", "json", "--tests"])
        .arg(tests)
        .arg("--target")
        .arg(format!("http://{}", envoy.envoy().listener()))
        .arg("--log")
        .arg(envoy.directory().join("envoy.log"))
        .env("PORTCULLIS_SHARED", &arguments.shared)
        .stderr(Stdio::inherit());
    if let Some(filter) = &arguments.filter {
        command.args(["--filter", filter]);
    }
    if arguments.blocking {
        command.arg("--blocking");
    }
    let output = command.output().context("the command line can't be run")?;
    // 1 says that tests failed.
    ensure!(matches!(output.status.code(), Some(0 | 1)), "portcullis ftw failed ({})", output.status);
    serde_json::from_slice::<Results>(&output.stdout).context("what portcullis ftw printed")
}

/// Says how many requests were refused, and how many of those refused before they were forwarded reached the
/// upstream nevertheless: the number of failures.
fn blocked(results: &Results) -> usize {
    let stages = || results.tests.iter().flat_map(|test| &test.stages).filter(|stage| stage.blocked);
    let early = || stages().filter(|stage| stage.refused_as_request());
    let reached = early().filter(|stage| stage.upstream_hits != Some(0)).count();
    println!(
        "{} requests were refused, {} of them before a response: {reached} of these reached the upstream.",
        stages().count(),
        early().count()
    );
    reached
}
