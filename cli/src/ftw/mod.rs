//! `portcullis ftw`: runs tests in go-ftw's format against the engine, or through an Envoy.

mod backend;
mod check;
mod native;
mod remote;
mod report;
mod request;
mod rules;
mod session;
mod template;
mod yaml;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_rules::diagnostic::Sources;
use portcullis_rules::model::Policy;
use regex::Regex;

use crate::output::Output as Stdout;
use crate::policy::Rules;
use check::Evidence;
use native::Native;
use remote::Remote;
use report::{Progress, Report, StageReport, TestReport, Verdict};
use request::Parsed;
use session::Session;
use yaml::{Output, Stage, Test};

/// Run tests in go-ftw's format, such as those of the Core Rule Set
///
/// Without --target the tests run in this process, in seconds: requests are judged by the engine, and
/// answered as albedo, the backend of the Core Rule Set's tests, would. With --target they are sent to a
/// running Envoy byte by byte, and its log is searched for what they left there. Nothing of go-ftw is needed.
///
/// Without --policy and --seclang the rules are the Core Rule Set in $PORTCULLIS_SHARED/crs (or
/// ../shared/crs), set up as its tests want it: reporting only, at paranoia level 4.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  portcullis ftw --tests ../shared/crs/tests
  portcullis ftw --tests tests/942100.yaml --filter '^942100-1$'
  portcullis ftw --seclang my-rules.conf --tests my-tests --format json | jq '.tests[] | select(.result == \"failed\")'
  portcullis ftw --tests tests --blocking
  portcullis ftw --tests tests --target http://127.0.0.1:8080 --log envoy.log

What only a socket can express (a malformed request line, for example) is skipped without --target, with
the reason. An Envoy needs a single worker (--concurrency 1), and a policy with a rule that logs the value of the
header X-CRS-Test.

Exit status:
  0  no test failed
  1  a test failed, or the rules can't be used
  2  wrong usage, a file can't be read, or the target can't be used")]
pub(crate) struct Arguments {
    #[command(flatten)]
    rules: Rules,

    /// The test files: a folder with all below it, or one file
    #[arg(long, value_name = "DIR")]
    tests: PathBuf,

    /// Send the tests to this Envoy: `http://HOST` or `http://HOST:PORT`
    #[arg(long, value_name = "URL", requires = "log")]
    target: Option<String>,

    /// The target's log
    #[arg(long, value_name = "FILE", requires = "target")]
    log: Option<PathBuf>,

    /// Only tests whose id, such as 942100-3, fits this regular expression
    #[arg(long, value_name = "REGEX")]
    filter: Option<Regex>,

    /// The Core Rule Set refuses what its score says: each such request has to get status 403
    #[arg(long, conflicts_with_all = ["policy", "seclang"])]
    blocking: bool,

    /// How to print results
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people: failures with what was seen, and a summary
    Human,
    /// One JSON object with a list of tests, and the counts
    Json,
    /// Nothing is run: the exchanges of the tests, one JSON object per line, for `portcullis eval`. What only a
    /// socket can express is left out
    Exchanges,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut tests = yaml::load(&arguments.tests)?;
    if let Some(filter) = &arguments.filter {
        tests.retain(|test| filter.is_match(&test.id));
    }
    if arguments.format == Format::Exchanges {
        return exchanges(&tests);
    }
    let Some(mut runner) = Runner::new(arguments)? else { return Ok(ExitCode::FAILURE) };
    let mut report = Report::new(arguments.blocking);
    let mut progress = Progress::new(tests.len());
    for (number, test) in (1..).zip(&tests) {
        progress.step(number, &test.id);
        report.add(runner.test(test).with_context(|| format!("test {}", test.id))?);
    }
    progress.end();
    let mut out = Stdout::new();
    match arguments.format {
        Format::Human => report.human(&mut out)?,
        Format::Json => report.json(&mut out)?,
        Format::Exchanges => {}
    }
    Ok(if report.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the requests of the tests with the answers of their backend.
fn exchanges(tests: &[Test]) -> anyhow::Result<ExitCode> {
    let mut out = Stdout::new();
    for test in tests {
        for (number, stage) in (1..).zip(&test.stages) {
            let context = || format!("test {}", test.id);
            let input = Session::default().follow(&stage.input).with_context(context)?;
            let request = Parsed::read(&request::build(&input, &[]).with_context(context)?);
            let id = if number == 1 { test.id.clone() } else { format!("{}-{number}", test.id) };
            if request.refusal.is_none() {
                writeln!(out, "{}", native::recorded(&id, &request))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs tests one after the other.
struct Runner {
    /// Judges the tests, or, before an Envoy, says what rules make of them when nothing is refused.
    reporting: Option<Native>,
    /// As `reporting`, refusing.
    blocking: Option<Native>,
    remote: Option<Remote>,
}

/// What came of a stage.
enum Seen {
    Evidence(Evidence),
    /// It can't be run, and why.
    Skipped(String),
}

impl Runner {
    /// `None` when the rules can't be used; what is wrong with them has been printed.
    fn new(arguments: &Arguments) -> anyhow::Result<Option<Self>> {
        let remote = match (&arguments.target, &arguments.log) {
            (Some(target), Some(log)) => Some(Remote::new(target, log)?),
            _ => None,
        };
        let named = arguments.rules.policy.is_some() || !arguments.rules.seclang.is_empty();
        let mut runner = Self { reporting: None, blocking: None, remote };
        if runner.remote.is_none() || arguments.blocking {
            let policy = if named { arguments.rules.load()? } else { rules::load(false)? };
            runner.reporting = policy.as_ref().and_then(engine);
            if runner.reporting.is_none() {
                return Ok(None);
            }
        }
        if arguments.blocking {
            runner.blocking = rules::load(true)?.as_ref().and_then(engine);
            if runner.blocking.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(runner))
    }

    fn test(&mut self, test: &Test) -> anyhow::Result<TestReport> {
        let mut session = Session::default();
        let mut report =
            TestReport { id: test.id.clone(), result: Verdict::Passed, reason: None, stages: Vec::new() };
        for stage in &test.stages {
            let input = session.follow(&stage.input)?;
            let bytes = request::build(&input, session.cookies())?;
            let request = Parsed::read(&bytes);
            let mut seen = self.send(&test.id, stage, &request, &bytes)?;
            let mut judged = self.judge(stage, &request, &seen);
            if stage.output.retry_once && judged.as_ref().is_some_and(|(_, problems)| !problems.is_empty()) {
                seen = self.send(&test.id, stage, &request, &bytes)?;
                judged = self.judge(stage, &request, &seen);
            }
            match (seen, judged) {
                (Seen::Evidence(seen), Some((blocked, problems))) => {
                    session.take(&input, seen.reply.as_ref());
                    if !problems.is_empty() {
                        report.result = Verdict::Failed;
                    }
                    report.stages.push(StageReport::new(&bytes, &seen, blocked, problems));
                }
                (Seen::Skipped(reason), _) => {
                    return Ok(TestReport { result: Verdict::Skipped, reason: Some(reason), ..report });
                }
                (Seen::Evidence(_), None) => {}
            }
        }
        Ok(report)
    }

    fn send(&mut self, id: &str, stage: &Stage, request: &Parsed, bytes: &[u8]) -> anyhow::Result<Seen> {
        if let Some(remote) = &mut self.remote {
            let host = request.values("host").next().filter(|_| stage.input.virtual_host_mode);
            let host = host.map_or("localhost".into(), String::from_utf8_lossy);
            return remote.run(id, &host, bytes).map(Seen::Evidence);
        }
        if let Some(reason) = &request.refusal
            && only_a_server_answers(&stage.output)
        {
            return Ok(Seen::Skipped(format!(
                "{reason}: a server refuses that before any rule; use --target"
            )));
        }
        let engine = self.blocking.as_ref().or(self.reporting.as_ref()).context("no engine")?;
        Ok(Seen::Evidence(engine.run(request)))
    }

    /// Whether a rule refused the exchange, and what differs from what is expected.
    fn judge(&self, stage: &Stage, request: &Parsed, seen: &Seen) -> Option<(bool, Vec<String>)> {
        let Seen::Evidence(seen) = seen else { return None };
        let status = seen.reply.as_ref().map(|reply| reply.status);
        let by_score = |seen: &Evidence| seen.ids().iter().any(|id| rules::BLOCKING_RULES.contains(id));
        let blocked = status == Some(403) && by_score(seen);
        if self.blocking.is_none() || (request.refusal.is_some() && only_a_server_answers(&stage.output)) {
            return Some((blocked, check::check(&stage.output, seen)));
        }
        let reported = self.reporting.as_ref().map(|engine| engine.run(request)).unwrap_or_default();
        let problems = match (by_score(&reported), blocked) {
            (true, true) => Vec::new(),
            (true, false) => vec![format!(
                "expected a refusal with status 403, got {}",
                status.map_or("no answer".to_owned(), |status| format!("status {status}"))
            )],
            (false, true) => vec!["expected no refusal".to_owned()],
            (false, false) => check::check(&stage.output, seen),
        };
        Some((blocked, problems))
    }
}

/// Whether a test expects what only a server says that refuses a request before any rule sees it.
fn only_a_server_answers(expected: &Output) -> bool {
    expected.expect_error || (expected.status == [400] && expected.log.expect_ids.is_empty())
}

/// The engine with a policy; problems are printed.
fn engine(policy: &Policy) -> Option<Native> {
    Native::new(policy).map_err(|problems| crate::policy::report(&problems, &Sources::default())).ok()
}
