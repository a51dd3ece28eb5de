//! Clients over time: a policy and steps on one store. Every file of `rules/tests/clients` is one. The engine's own
//! tests run them, and `filter/tests/module` runs them through the module.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// 2026-03-01T12:00:00Z.
pub(crate) const START: u64 = 1_772_366_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The file's name without extension.
    #[serde(skip)]
    pub(crate) name: String,
    pub(crate) policy: Value,
    /// Policies that take the first one's place in a step that names them: a reload.
    #[serde(default)]
    pub(crate) reloads: Vec<Value>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Seconds after the start.
    pub(crate) at: f64,
    /// How often it happens, one directly after the other.
    #[serde(default = "once")]
    pub(crate) times: u32,
    /// The place in `reloads` of a policy that holds from here on.
    pub(crate) reload: Option<usize>,
    /// Address of the client.
    #[serde(default = "client")]
    pub(crate) from: String,
    #[serde(default = "path")]
    pub(crate) uri: String,
    /// The request's `Host`.
    #[serde(default = "host")]
    pub(crate) host: String,
    pub(crate) method: Option<String>,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// Status of the upstream's response.
    pub(crate) status: Option<u16>,
    #[serde(default)]
    pub(crate) response_headers: Vec<(String, String)>,
    pub(crate) interrogation: Option<String>,
    /// It is a connection only: the client of the network filter, judged by the policy's accept rules.
    #[serde(default)]
    pub(crate) connection: bool,
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// What the last repetition must come to. What is not given is not checked.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// `pass`, `deny`, or the name of what refuses the client.
    pub(crate) action: Option<String>,
    pub(crate) rule_id: Option<u64>,
    /// Least and most.
    pub(crate) risk: Option<(f32, f32)>,
    pub(crate) status: Option<String>,
    /// Of the client; after a connection, those that began with it.
    pub(crate) blocks: Option<u8>,
    /// Milliseconds.
    pub(crate) delay: Option<u32>,
    /// Ids that matched, in order.
    pub(crate) matched: Option<Vec<u64>>,
    /// Some fields of the last MatchEvent.
    pub(crate) match_event: Option<Value>,
    /// Some fields of the last BlockEvent; `false` when there must be none.
    pub(crate) block_event: Option<Value>,
}

fn once() -> u32 {
    1
}

fn client() -> String {
    "192.0.2.1".to_owned()
}

fn path() -> String {
    "/".to_owned()
}

fn host() -> String {
    "example.com".to_owned()
}

/// Reads all files, by name.
pub(crate) fn load() -> Vec<Scenario> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/clients");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/clients")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> Scenario {
    let text = std::fs::read(file).expect("a readable scenario");
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match serde_json::from_slice(&text) {
        Ok(scenario) => Scenario { name, ..scenario },
        Err(problem) => panic!("{}: {problem}", file.display()),
    }
}

impl Step {
    /// The exchange, as recorded ones are written.
    pub(crate) fn exchange(&self) -> Value {
        let mut headers = vec![("Host".to_owned(), self.host.clone())];
        headers.extend(self.headers.clone());
        let method = self.method.as_deref().unwrap_or(if self.body.is_some() { "POST" } else { "GET" });
        let body = self.body.clone().unwrap_or_default();
        serde_json::json!({
            "id": "1",
            "client": { "address": self.from, "port": 40000 },
            "interrogation": self.interrogation,
            "request": { "method": method, "uri": self.uri, "headers": headers, "body": body },
            "response": { "status": self.status.unwrap_or(200), "headers": self.response_headers },
        })
    }

    /// Nanoseconds since 1970.
    pub(crate) fn time(&self) -> u64 {
        START * 1_000_000_000 + (self.at * 1e9) as u64
    }
}

/// Compares what is expected with what was found, field by field.
pub(crate) fn compare(expect: &Expect, found: &Value) -> Result<(), String> {
    let same = |what: &str, expected: Option<Value>| match expected {
        Some(expected) if expected != found[what] => {
            Err(format!("{what}: expected {expected}, found {}\n{found:#}", found[what]))
        }
        _ => Ok(()),
    };
    same("action", expect.action.clone().map(Value::from))?;
    same("rule_id", expect.rule_id.map(Value::from))?;
    same("status", expect.status.clone().map(Value::from))?;
    same("blocks", expect.blocks.map(Value::from))?;
    same("delay", expect.delay.map(|delay| if delay == 0 { Value::Null } else { delay.into() }))?;
    same("matched", expect.matched.clone().map(Value::from))?;
    if let Some((least, most)) = expect.risk {
        let risk = found["risk"].as_f64().unwrap_or(-1.0) as f32;
        if !(least..=most).contains(&risk) {
            return Err(format!("risk: expected {least} to {most}, found {risk}"));
        }
    }
    for (name, expected) in [("match_event", &expect.match_event), ("block_event", &expect.block_event)] {
        match expected {
            None => {}
            Some(Value::Bool(false)) if found[name].is_object() => {
                return Err(format!("{name}: expected none, found {:#}", found[name]));
            }
            Some(Value::Bool(false)) => {}
            Some(expected) => holds(expected, &found[name]).map_err(|what| format!("{name}{what}"))?,
        }
    }
    Ok(())
}

/// Whether all that `expected` says stands in `found`.
fn holds(expected: &Value, found: &Value) -> Result<(), String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(_)) => expected
            .iter()
            .try_for_each(|(key, value)| holds(value, &found[key]).map_err(|what| format!(".{key}{what}"))),
        (Value::Array(expected), Value::Array(all)) if expected.len() == all.len() => {
            expected.iter().zip(all).enumerate().try_for_each(|(n, (expected, found))| {
                holds(expected, found).map_err(|what| format!("[{n}]{what}"))
            })
        }
        _ if expected == found => Ok(()),
        _ => Err(format!(": expected {expected}, found {found}")),
    }
}
