//! Scenarios: a policy, exchanges, and what must come of them. Every file of `tests/scenarios` is one; the
//! test host and Envoy run the same files through the module.
//!
//! A file holds `{"policy": …, "cases": [{"name", "request", "response"?, "expect"}]}`. Of an expectation
//! only what is given is checked: `action`, `status`, `location`, `phase`, `rule_id`, `matched` (ids in
//! order), `logged` (ids in order), `tx` (some of its keys), `log` (texts that some log line holds).

#![allow(clippy::expect_used, clippy::panic, reason = "a scenario that can't be read is a failed test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_rules::audit::MatchRecord;
use portcullis_rules::eval::{Disruption, Outcome, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    policy: Value,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    expect: Expectation,
    #[serde(flatten)]
    exchange: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    action: Option<String>,
    status: Option<u16>,
    location: Option<String>,
    phase: Option<u8>,
    rule_id: Option<u64>,
    matched: Option<Vec<u64>>,
    logged: Option<Vec<u64>>,
    tx: Option<std::collections::BTreeMap<String, Option<String>>>,
    log: Option<Vec<String>>,
}

/// 2024-02-29T13:14:15.5Z, a Thursday.
const NOW: UnixNanos = UnixNanos(1_709_212_455_500_000_000);

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/scenarios")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let trials = files.iter().flat_map(|file| trials(file)).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn trials(file: &Path) -> Vec<libtest_mimic::Trial> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read(file).expect("a readable scenario");
    let scenario: Scenario = match serde_json::from_slice(&text) {
        Ok(scenario) => scenario,
        Err(problem) => panic!("{}: {problem}", file.display()),
    };
    let policy = serde_json::to_vec_pretty(&scenario.policy).expect("JSON again");
    let loaded = policy::load(&policy, &stem);
    let Some(policy) = loaded.policy else {
        let lines: Vec<String> = loaded.diagnostics.iter().map(|d| d.one_line(&loaded.sources)).collect();
        panic!("{}: the policy is refused:\n{}", file.display(), lines.join("\n"));
    };
    let plan = Arc::new(Plan::new(&policy).expect("a plan"));
    let cases = scenario.cases.into_iter().map(|case| {
        let plan = Arc::clone(&plan);
        libtest_mimic::Trial::test(format!("{stem}/{}", case.name), move || {
            check(&plan, &case).map_err(Into::into)
        })
    });
    cases.collect()
}

fn check(plan: &Arc<Plan>, case: &Case) -> Result<(), String> {
    let exchange: Exchange = serde_json::from_value(case.exchange.clone()).map_err(|e| e.to_string())?;
    let mut transaction =
        Transaction::new(Arc::clone(plan), &exchange.connection(), case.name.as_bytes(), NOW);
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, NOW);
    let matches = transaction.take_matches();
    let tx = transaction.tx();
    let mut wrong = Vec::new();
    let expect = &case.expect;
    let (action, status, location, phase, rule_id) = describe(&outcome);
    compare(&mut wrong, "action", expect.action.as_ref(), Some(&action.to_owned()));
    compare(&mut wrong, "status", expect.status.as_ref(), status.as_ref());
    compare(&mut wrong, "location", expect.location.as_ref(), location.as_ref());
    compare(&mut wrong, "phase", expect.phase.as_ref(), phase.as_ref());
    compare(&mut wrong, "rule_id", expect.rule_id.as_ref(), rule_id.as_ref());
    compare(&mut wrong, "matched", expect.matched.as_ref(), Some(&ids(matches.iter())));
    let logged = ids(matches.iter().filter(|record| record.log_line.is_some()));
    compare(&mut wrong, "logged", expect.logged.as_ref(), Some(&logged));
    for (key, value) in expect.tx.iter().flatten() {
        let found = tx.iter().find(|(name, _)| name.eq_ignore_ascii_case(key.as_bytes()));
        let found = found.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        if found != *value {
            wrong.push(format!("tx.{key}: expected {value:?}, found {found:?}"));
        }
    }
    for text in expect.log.iter().flatten() {
        let line = |record: &MatchRecord| {
            record.log_line.as_deref().map(|l| String::from_utf8_lossy(l).into_owned())
        };
        let lines: Vec<String> = matches.iter().filter_map(line).collect();
        if !lines.iter().any(|line| line.contains(text)) {
            wrong.push(format!("no log line holds {text:?}:\n{}", lines.join("\n")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

fn ids<'a>(records: impl Iterator<Item = &'a MatchRecord>) -> Vec<u64> {
    records.map(|record| record.rule_id).collect()
}

fn compare<T: PartialEq + std::fmt::Debug>(
    wrong: &mut Vec<String>,
    what: &str,
    expected: Option<&T>,
    found: Option<&T>,
) {
    if expected.is_some() && expected != found {
        wrong.push(format!("{what}: expected {expected:?}, found {found:?}"));
    }
}

type Description = (&'static str, Option<u16>, Option<String>, Option<u8>, Option<u64>);

fn describe(outcome: &Outcome) -> Description {
    match outcome {
        Outcome::Pass => ("pass", None, None, None, None),
        Outcome::Allow { rule_id, phase } => ("allow", None, None, Some(phase.number()), Some(*rule_id)),
        Outcome::Interrupted(end) => {
            let (action, status, location) = match &end.disruption {
                Disruption::Deny { status } => ("deny", Some(*status), None),
                Disruption::Redirect { status, location } => {
                    ("redirect", Some(*status), Some(String::from_utf8_lossy(location).into_owned()))
                }
                Disruption::Drop => ("drop", None, None),
            };
            (action, status, location, Some(end.phase.number()), Some(end.rule_id))
        }
    }
}
