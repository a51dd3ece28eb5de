//! Runs the tests of the Core Rule Set through a real Envoy: starts it with the module and the rules, has
//! `portcullis ftw` send the tests, and explains what differs. `cargo xtask ftw` calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod deviations;
mod judgement;
mod policy;
mod results;

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use portcullis_integration::{Gateway, Scenario};

use deviations::observe;
use judgement::{Judgement, Natively};
use results::Results;

/// Runs tests in go-ftw's format through Envoy with Portcullis and the Core Rule Set
///
/// Each test has to pass, or to be on integration/ftw/deviations.yaml because of what Envoy does to its request before
/// any filter sees it. That is proved by sending the same request to an Envoy without Portcullis. A listed test that
/// passes fails the run. With --blocking the rules refuse: a test whose rules reach the threshold has to get status
/// 403, and the upstream must not have been asked.
///
/// With --tests, tests that are not on the list may deviate too: when the engine passes them in this process and
/// Envoy without Portcullis is seen to refuse or to change the request. They are printed.
#[derive(Parser)]
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
    let bytes = policy.to_string().len();
    let envoy = Scenario::new(policy)
        .strict()
        .lenient()
        .start_with(arguments.envoy.clone(), Some(arguments.module.clone()))
        .await?;
    println!(
        "Envoy is up with the Core Rule Set, a policy of {} KB, after {:.1} s.",
        bytes / 1024,
        started.elapsed().as_secs_f64()
    );
    let started = Instant::now();
    let target = Target::Envoy(&envoy);
    let results = tokio::task::block_in_place(|| send(&arguments, &target, arguments.filter.as_deref()))?;
    let took = started.elapsed().as_secs_f64();
    println!("{} tests were sent in {took:.1} s.", results.tests.len());
    let bare = Scenario::without_module().lenient().start_with(arguments.envoy.clone(), None).await?;
    let natively = natively(&arguments, &results, &list)?;
    let mut outcome = Outcome::default();
    for test in &results.tests {
        let deviation = list.get(&test.id).filter(|deviation| arguments.blocking || !deviation.blocking_only);
        let observed =
            if test.failed() { Some(observe(&bare, &test.failed_request()?).await?) } else { None };
        let judgement = judgement::judge(
            observed.as_ref(),
            deviation,
            natively.get(&test.id).copied(),
            // What another rule refuses is refused all the same, so when blocking a listed test may pass.
            arguments.blocking,
        );
        match &judgement {
            Judgement::Passed => outcome.passed += 1,
            Judgement::Deviates => outcome.deviating += 1,
            Judgement::DeviatesUnlisted(why) => {
                println!("host {}: it is not on the list; {why}", test.id);
                outcome.deviating += 1;
            }
            Judgement::Failed(why) if test.failed() => {
                println!("FAILED {test}\n  {why}\n");
                outcome.failed += 1;
            }
            Judgement::Failed(why) => {
                println!("FAILED {}: {why}\n", test.id);
                outcome.failed += 1;
            }
        }
    }
    if arguments.blocking {
        outcome.failed += blocked(&results);
    }
    println!(
        "{} deviate because of Envoy itself (kind host), each proved without the filter; they count as skipped.",
        outcome.deviating
    );
    println!("{} passed, {} failed, {} skipped", outcome.passed, outcome.failed, outcome.deviating);
    Ok(outcome.failed == 0)
}

#[derive(Debug, Default)]
struct Outcome {
    passed: usize,
    failed: usize,
    deviating: usize,
}

/// What the engine makes, in process, of the tests that fail in Envoy and are not listed: of other tests than
/// the project's, for which the list was not written.
fn natively(
    arguments: &Arguments,
    results: &Results,
    list: &std::collections::BTreeMap<String, deviations::Deviation>,
) -> Result<std::collections::BTreeMap<String, Natively>> {
    let failed = results.tests.iter().filter(|test| test.failed() && !list.contains_key(&test.id));
    let ids: Vec<String> = failed.map(|test| test.id.replace('.', "\\.")).collect();
    if arguments.tests.is_none() || ids.is_empty() {
        return Ok(std::collections::BTreeMap::new());
    }
    let filter = format!("^(?:{})$", ids.join("|"));
    let results = tokio::task::block_in_place(|| send(arguments, &Target::Engine, Some(&filter)))?;
    Ok(results.tests.iter().map(|test| (test.id.clone(), test.natively())).collect())
}

/// Where tests are sent.
enum Target<'a> {
    Envoy(&'a Gateway),
    /// The engine in the command line's process.
    Engine,
}

/// Has the command line send the tests.
fn send(arguments: &Arguments, target: &Target<'_>, filter: Option<&str>) -> Result<Results> {
    let tests = arguments.tests.clone().unwrap_or_else(|| arguments.shared.join("crs/tests"));
    let mut command = Command::new(&arguments.cli);
    command
        .args(["ftw", "--format", "json", "--tests"])
        .arg(tests)
        .env("PORTCULLIS_SHARED", &arguments.shared)
        .stderr(Stdio::inherit());
    if let Target::Envoy(envoy) = target {
        command.arg("--target").arg(format!("http://{}", envoy.envoy().listener()));
        command.arg("--log").arg(envoy.directory().join("envoy.log"));
    }
    if let Some(filter) = filter {
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
        "{} requests were refused with status 403, {} of them before a response: {reached} of these reached the \
         upstream.",
        stages().count(),
        early().count()
    );
    reached
}
