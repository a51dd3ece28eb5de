//! Scenarios: a policy, exchanges, and what must come of them. Every file of `rules/tests/scenarios` is one.
//! The engine's own tests run them, and `filter/tests/module` runs them through the module.
//!
//! A file holds `{"lua"?, "environment"?, "policy": …, "cases": [{"name", "request", "response"?, "expect"}]}`, or an array of such
//! objects, each with a `name`. Of an expectation
//! only what is given is checked: `action`, `status`, `location`, `phase`, `rule_id`, `matched` (ids in
//! order), `logged` (ids in order), `tx` (some of its keys), `log` (texts that some log line holds), `scripts`
//! (what scripts say: texts that the lines hold, in order), `gaps` (the names of what was not inspected, in order).
//! `head_as_sent` names those of `matched` that need the request's head exactly as it is written, which no
//! filter in Envoy gets to see: there names are in lower case, and there is a request id. `audit` holds texts of
//! the audit record; `null` in their place says that there is none. `audit_without` holds texts that are nowhere in it,
//! and `log_without` such that no log line holds, those of gaps among them.
//! `deny` also fits a client that is refused for what is known of it.
//!
//! The shared cases (`cases/faults.json` of the shared data folder) are scenarios as well. There `seclang` may hold the
//! lines of a policy of one rule set, `{"repeat", "times"}` within an array of texts is spelt out (`#` being the
//! count), and `check` says how many warnings the policy has, at least.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use portcullis_rules::eval::{Disruption, Outcome, UnixNanos};
use portcullis_rules::exchange::Exchange;
use serde::Deserialize;
use serde_json::{Value, json};

/// A file of scenarios.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The file's name without extension, and its own in a file with several.
    #[serde(default)]
    pub(crate) name: String,
    /// Whether its policy has scripts: builds without Lua leave it out, and say so.
    #[serde(default)]
    pub(crate) lua: bool,
    /// The host's environment, as `ENV` shows it.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) policy: Value,
    /// Lines of SecLang, in place of a policy.
    #[serde(default)]
    seclang: Vec<String>,
    pub(crate) cases: Vec<Case>,
    pub(crate) check: Option<Check>,
}

/// What is said of a policy when it is loaded.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// How many warnings there are, at least.
    pub(crate) warnings: usize,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) expect: Expectation,
    #[serde(flatten)]
    exchange: Value,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    pub(crate) action: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) location: Option<String>,
    pub(crate) phase: Option<u8>,
    pub(crate) rule_id: Option<u64>,
    pub(crate) matched: Option<Vec<u64>>,
    #[serde(default)]
    pub(crate) head_as_sent: Vec<u64>,
    pub(crate) logged: Option<Vec<u64>>,
    pub(crate) tx: Option<BTreeMap<String, Option<String>>>,
    pub(crate) log: Option<Vec<String>>,
    pub(crate) scripts: Option<Vec<String>>,
    pub(crate) gaps: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    pub(crate) audit: Option<Option<Vec<String>>>,
    #[serde(default)]
    audit_without: Vec<String>,
    #[serde(default)]
    log_without: Vec<String>,
}

/// A value that is there, if only as `null`.
fn given<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    One(Scenario),
    Several(Vec<Scenario>),
}

/// 2024-02-29T13:14:15.5Z, a Thursday.
pub(crate) const NOW: UnixNanos = UnixNanos(1_709_212_455_500_000_000);

/// Reads all files, by name, and the shared cases if they are there.
#[expect(clippy::print_stderr, reason = "what is not run is to be seen")]
pub(crate) fn load() -> Vec<Scenario> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = project.join("rules/tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/scenarios")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let shared =
        std::env::var_os("PORTCULLIS_SHARED").map_or_else(|| project.join("../shared"), PathBuf::from);
    let faults = shared.join("cases/faults.json");
    if faults.is_file() {
        files.push(faults);
    } else {
        eprintln!("\n{} is not there, so its cases are not run\n", faults.display());
    }
    files.iter().flat_map(|file| read(file)).collect()
}

fn read(file: &Path) -> Vec<Scenario> {
    let text = std::fs::read(file).expect("a readable scenario");
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match serde_json::from_slice(&text) {
        Ok(Contents::One(scenario)) => vec![Scenario { name: stem, ..scenario }.with_policy()],
        Ok(Contents::Several(scenarios)) => {
            let named = |one: Scenario| Scenario { name: format!("{stem}/{}", one.name), ..one };
            scenarios.into_iter().map(|one| named(one).with_policy()).collect()
        }
        Err(problem) => panic!("{}: {problem}", file.display()),
    }
}

impl Scenario {
    /// Makes a policy of lines of SecLang.
    fn with_policy(mut self) -> Self {
        if !self.seclang.is_empty() {
            let seclang = self.seclang.join("\n");
            self.policy = json!({ "rule_sets": [{ "name": "seclang", "seclang": seclang }] });
        }
        self
    }
}

/// Puts the parts of a text together: texts, and `{"repeat", "times"}`.
fn spell_out(text: &mut Value) {
    let Value::Array(parts) = text else { return };
    let mut whole = String::new();
    for part in parts {
        match (part.as_str(), part["repeat"].as_str(), part["times"].as_u64()) {
            (Some(text), ..) => whole.push_str(text),
            (None, Some(repeat), Some(times)) => {
                (0..times).for_each(|count| whole.push_str(&repeat.replace('#', &count.to_string())));
            }
            _ => panic!("{part} is neither a text nor one that is repeated"),
        }
    }
    *text = Value::String(whole);
}

impl Case {
    pub(crate) fn exchange(&self) -> Result<Exchange, String> {
        let mut exchange = self.exchange.clone();
        for (part, text) in [("request", "uri"), ("request", "body"), ("response", "body")] {
            exchange.get_mut(part).and_then(|part| part.get_mut(text)).map(spell_out);
        }
        serde_json::from_value(exchange).map_err(|problem| problem.to_string())
    }
}

/// The environment for an engine.
pub(crate) fn environment(variables: &BTreeMap<String, String>) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    variables.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes()))
}

/// What came of an exchange, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) action: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) location: Option<String>,
    pub(crate) phase: Option<u8>,
    pub(crate) rule_id: Option<u64>,
    /// Ids of the rules that logged, in order.
    pub(crate) logged: Vec<u64>,
    /// What they logged.
    pub(crate) lines: Vec<String>,
    /// The audit record.
    pub(crate) audit: Option<String>,
    /// What scripts said, and that they were stopped.
    pub(crate) scripts: Vec<String>,
    /// Names of what was not inspected, in order.
    pub(crate) gaps: Vec<String>,
    /// Their lines, natively.
    pub(crate) gap_lines: Vec<String>,
}

impl Found {
    /// An outcome; nothing is logged yet.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self { action: "pass", ..Self::default() },
            Outcome::Allow { rule_id, phase } => Self {
                action: "allow",
                phase: Some(phase.number()),
                rule_id: Some(*rule_id),
                ..Self::default()
            },
            Outcome::Interrupted(end) => {
                let (action, status, location) = match &end.disruption {
                    Disruption::Deny { status } => ("deny", Some(*status), None),
                    Disruption::Redirect { status, location } => {
                        ("redirect", Some(*status), Some(String::from_utf8_lossy(location).into_owned()))
                    }
                    Disruption::Drop => ("drop", None, None),
                    Disruption::Client(refusal) => (refusal.name(), None, None),
                };
                Self {
                    action,
                    status,
                    location,
                    phase: Some(end.phase.number()),
                    rule_id: Some(end.rule_id),
                    ..Self::default()
                }
            }
        }
    }
}

/// What refuses clients, which may be expected as `deny` as well.
pub(crate) const REFUSALS: [&str; 6] =
    ["rule_block", "risk_block", "permanent_block", "rate_block", "block_list", "deny_list"];

/// What differs from what is expected.
#[derive(Default)]
pub(crate) struct Differences(Vec<String>);

impl Differences {
    /// Compares what is given of action, status, location, phase, rule, logged rules and texts.
    pub(crate) fn check(&mut self, expect: &Expectation, found: &Found) {
        let refused = REFUSALS.contains(&found.action);
        let action = if refused && expect.action.as_deref() == Some("deny") { "deny" } else { found.action };
        self.compare("action", expect.action.as_deref(), Some(action));
        self.compare("status", expect.status.as_ref(), found.status.as_ref());
        self.compare("location", expect.location.as_ref(), found.location.as_ref());
        self.compare("phase", expect.phase.as_ref(), found.phase.as_ref());
        self.compare("rule_id", expect.rule_id.as_ref(), found.rule_id.as_ref());
        self.compare("logged", expect.logged.as_ref(), Some(&found.logged));
        self.compare("gaps", expect.gaps.as_ref(), Some(&found.gaps));
        self.check_audit(expect, found.audit.as_deref());
        if let Some(texts) = &expect.scripts
            && !(texts.len() == found.scripts.len()
                && texts.iter().zip(&found.scripts).all(|(text, line)| line.contains(text)))
        {
            self.say(format!("scripts: {texts:?} is expected, found {:#?}", found.scripts));
        }
        for text in &expect.log_without {
            if found.lines.iter().chain(&found.gap_lines).any(|line| line.contains(text)) {
                self.say(format!("a log line holds {text:?}:\n{}", found.lines.join("\n")));
            }
        }
        for text in expect.log.iter().flatten() {
            if !found.lines.iter().any(|line| line.contains(text)) {
                self.say(format!("no log line holds {text:?}:\n{}", found.lines.join("\n")));
            }
        }
    }

    /// Compares what is found with what is expected, if anything is.
    pub(crate) fn compare<T: PartialEq + Debug + ?Sized>(
        &mut self,
        what: &str,
        expected: Option<&T>,
        found: Option<&T>,
    ) {
        if expected.is_some() && expected != found {
            self.say(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    pub(crate) fn say(&mut self, difference: String) {
        self.0.push(difference);
    }

    /// Compares what is said of the audit record with the one that there is.
    fn check_audit(&mut self, expect: &Expectation, record: Option<&str>) {
        if record.is_none() && !expect.audit_without.is_empty() {
            self.say("there is no audit record".to_owned());
        }
        for text in expect.audit_without.iter().filter(|text| record.is_some_and(|it| it.contains(*text))) {
            self.say(format!("the audit record holds {text:?}:\n{}", record.unwrap_or_default()));
        }
        match (&expect.audit, record) {
            (None, _) | (Some(None), None) => {}
            (Some(None), Some(record)) => self.say(format!("there is an audit record: {record}")),
            (Some(Some(_)), None) => self.say("there is no audit record".to_owned()),
            (Some(Some(texts)), Some(record)) => {
                for text in texts.iter().filter(|text| !record.contains(*text)) {
                    self.say(format!("the audit record does not hold {text:?}:\n{record}"));
                }
            }
        }
    }

    pub(crate) fn finish(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0.join("\n")) }
    }
}
