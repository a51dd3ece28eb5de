//! Clients over time: each file of `tests/clients` is a policy and steps on one store. See `run`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a scenario that can't be read is a failed test"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use portcullis_rules::collections::{MemoryValues, Store};
use portcullis_rules::eval::{Disruption, Outcome, Peers, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::net::{Clients as _, End, NetworkPlan, Operation};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use serde::Deserialize;
use serde_json::{Value, json};

/// 2026-03-01T12:00:00Z.
const START: u64 = 1_772_366_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    policy: Value,
    /// Policies that take the first one's place in a step that names them: a reload.
    #[serde(default)]
    reloads: Vec<Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Seconds after the start.
    at: f64,
    /// How often it happens, one directly after the other.
    #[serde(default = "once")]
    times: u32,
    /// The place in `reloads` of a policy that holds from here on.
    reload: Option<usize>,
    /// Address of the client.
    #[serde(default = "client")]
    from: String,
    #[serde(default = "path")]
    uri: String,
    method: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: Option<String>,
    /// Status of the upstream's response.
    status: Option<u16>,
    #[serde(default)]
    response_headers: Vec<(String, String)>,
    interrogation: Option<String>,
    /// It is a connection only: the client of the network filter, judged by the policy's accept rules.
    #[serde(default)]
    connection: bool,
    #[serde(default)]
    expect: Expect,
}

/// What the last repetition must come to. What is not given is not checked.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// `pass`, `deny`, or the name of what refuses the client.
    action: Option<String>,
    rule_id: Option<u64>,
    /// Least and most.
    risk: Option<(f32, f32)>,
    status: Option<String>,
    /// Of the client; after a connection, those that began with it.
    blocks: Option<u8>,
    /// Milliseconds.
    delay: Option<u32>,
    /// Ids that matched, in order.
    matched: Option<Vec<u64>>,
    /// Some fields of the last MatchEvent.
    match_event: Option<Value>,
    /// Some fields of the last BlockEvent; `false` when there must be none.
    block_event: Option<Value>,
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

fn main() {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("tests/clients")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || run(&file).map_err(Into::into))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// A policy's plans for requests and connections.
struct Plans {
    http: Arc<Plan>,
    network: NetworkPlan,
}

fn plans(policy: &Value) -> Result<Plans, String> {
    let text = serde_json::to_vec_pretty(policy).unwrap();
    let loaded = policy::load(&text, "policy.json");
    let lines: Vec<String> = loaded.diagnostics.iter().map(|d| d.one_line(&loaded.sources)).collect();
    let policy = loaded.policy.ok_or_else(|| lines.join("\n"))?;
    let http = Plan::new(&policy).map(Arc::new).map_err(|problems| format!("{problems:?}"))?;
    Ok(Plans { http, network: NetworkPlan::new(policy.network) })
}

fn run(file: &Path) -> Result<(), String> {
    let text = std::fs::read(file).expect("a readable scenario");
    let scenario: Scenario = serde_json::from_slice(&text).map_err(|problem| problem.to_string())?;
    let mut current = plans(&scenario.policy)?;
    let store = current.http.store_settings().ok_or("the policy keeps nothing")?;
    let store = Arc::new(Store::new(Arc::new(MemoryValues::default()), &store));
    for (number, step) in scenario.steps.iter().enumerate() {
        if let Some(place) = step.reload {
            current = plans(&scenario.reloads[place])?;
        }
        let mut found = Value::Null;
        for _ in 0..step.times {
            found = match step.connection {
                true => connection(step, &current, &store),
                false => exchange(step, &current.http, &store)?,
            };
        }
        compare(&step.expect, &found)
            .map_err(|what| format!("step {} (at {}): {what}", number + 1, step.at))?;
    }
    Ok(())
}

fn time(step: &Step) -> UnixNanos {
    UnixNanos(START * 1_000_000_000 + (step.at * 1e9) as u64)
}

/// What the network filter does: refuses clients that risk refuses, then applies the accept rule that governs.
fn connection(step: &Step, plans: &Plans, store: &Arc<Store>) -> Value {
    let (client, now) = (step.from.parse().expect("an address"), time(step));
    let peers = Peers::new(&plans.http, Arc::clone(store)).expect("a risk part");
    let parsed = |line: &[u8]| -> Value { serde_json::from_slice(line).expect("JSON") };
    if plans.network.policy().refuse_blocked_clients
        && let Some((refusal, record)) = peers.refusal(client, now)
    {
        return json!({ "action": refusal.name(), "rule_id": 0, "block_event": parsed(&record) });
    }
    let end = End { address: Some(client), port: 40_000, names: &[] };
    let judgement = plans.network.connection(Operation::Accept, &end);
    let added = judgement
        .applied()
        .and_then(|selected| peers.rule_applied(client, selected.rule, Operation::Accept, now));
    let blocks = added.as_ref().map(|added| added.counts.blocked + added.counts.blocked_for_good);
    json!({
        "action": if judgement.refuses() { "deny" } else { "pass" },
        "rule_id": 0,
        "blocks": blocks,
        "match_event": added.map(|added| parsed(&added.record)),
    })
}

fn exchange(step: &Step, plan: &Arc<Plan>, store: &Arc<Store>) -> Result<Value, String> {
    let mut headers = vec![("Host".to_owned(), "example.com".to_owned())];
    headers.extend(step.headers.clone());
    let method = step.method.as_deref().unwrap_or(if step.body.is_some() { "POST" } else { "GET" });
    let value = json!({
        "id": "1",
        "client": { "address": step.from, "port": 40000 },
        "interrogation": step.interrogation,
        "request": { "method": method, "uri": step.uri, "headers": headers, "body": step.body.clone().unwrap_or_default() },
        "response": { "status": step.status.unwrap_or(200), "headers": step.response_headers },
    });
    let exchange: Exchange = serde_json::from_value(value).map_err(|problem| problem.to_string())?;
    let now = time(step);
    let mut transaction =
        Transaction::new(Arc::clone(plan), &exchange.connection(), b"id", now).with_store(Arc::clone(store));
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, now);
    let delay = transaction.slow_down(now).map(|tarpit| tarpit.delay);
    let (action, rule) = match outcome {
        Outcome::Pass => ("pass", 0),
        Outcome::Allow { rule_id, .. } => ("allow", rule_id),
        Outcome::Interrupted(end) => match end.disruption {
            Disruption::Client(refusal) => (refusal.name(), end.rule_id),
            _ => ("deny", end.rule_id),
        },
    };
    let matched: Vec<u64> = transaction.take_matches().iter().map(|one| one.rule_id).collect();
    let client = transaction.client();
    let events: Vec<Value> = transaction
        .take_client_lines()
        .iter()
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect();
    let last = |kind: &str| events.iter().rfind(|event| event["msg_type"] == kind).cloned();
    Ok(json!({
        "action": action,
        "rule_id": rule,
        "risk": client.as_ref().map(|client| client.risk),
        "status": client.as_ref().map(|client| client.standing.name()),
        "blocks": client.as_ref().map(|client| client.blocks),
        "delay": delay,
        "matched": matched,
        "match_event": last("MatchEvent"),
        "block_event": last("BlockEvent"),
    }))
}

fn compare(expect: &Expect, found: &Value) -> Result<(), String> {
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
