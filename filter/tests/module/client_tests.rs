//! Clients over time through the module: the steps of `rules/tests/clients` on one VM, with its clock moved on, its
//! shared data as the store, and a VM of its own with the same shared data after each reload.
//!
//! # What can be seen from outside
//! The action and the rule: from the counters, the lines about clients, and what the access log is told with an
//! answer. The score: from the line about a match. How long an answer was held. Which rules matched: from the log,
//! for which SecLang's `nolog` is taken out of the policy; so of rules of rule sets alone.
//!
//! # What can't
//! How a client stands, and how often it was blocked, as long as nothing is refused.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use libtest_mimic::Trial;
use portcullis_rules::exchange::Exchange;
use portcullis_testhost::{
    Callback, Connection, ConnectionFate, Host, LogLine, Module, Observed, Options, Verdict,
};
use serde_json::{Value, json};

use crate::client_scenarios::{self, Expect, START, Scenario, Step, compare};
use crate::scenario_tests::{as_envoy_shows_it, for_host};

/// Scenarios that the module can't be put to, with the reason.
const NATIVE_ONLY: [(&str, &str); 4] = [
    ("entity-interrogation-cookie", "a cookie has to be earned: testhost/tests/challenge.rs"),
    ("interrogate", "the same"),
    ("score-slows-and-challenges", "the same"),
    ("network-rules-add-risk", "the HTTP role applies accept rules to requests as well, so they count twice"),
];

/// Milliseconds between two ticks.
const TICK: u64 = 50;

/// A test for each scenario and enforcement.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let mut trials = Vec::new();
    for enforcement in ["strict", "streaming"] {
        for scenario in client_scenarios::load() {
            if NATIVE_ONLY.iter().any(|(name, _)| *name == scenario.name) {
                continue;
            }
            let module = module.clone();
            let name = format!("module/clients/{}/{enforcement}", scenario.name);
            trials.push(Trial::test(name, move || run(&module, &scenario, enforcement).map_err(Into::into)));
        }
    }
    trials
}

fn run(module: &Module, scenario: &Scenario, enforcement: &str) -> Result<(), String> {
    let start = |policy: &Value, now: u64, shared_data: BTreeMap<Vec<u8>, Vec<u8>>| {
        let mut policy = policy.clone();
        policy["enforcement"] = enforcement.into();
        let text = policy.to_string().replace("nolog", "log");
        let allow = enforcement == "strict";
        let options =
            Options { allow_on_headers_stop_iteration: allow, now, shared_data, ..Options::default() };
        Host::start(module, text.as_bytes(), options).map_err(|error| error.to_string())
    };
    let mut host = start(&scenario.policy, START * 1_000_000_000, BTreeMap::new())?;
    for (number, step) in scenario.steps.iter().enumerate() {
        if let Some(place) = step.reload {
            host = start(&scenario.reloads[place], host.now(), host.shared_data())?;
        }
        host.advance(step.time().saturating_sub(host.now()));
        let mut found = Value::Null;
        for _ in 0..step.times {
            found = if step.connection { connection(&mut host, step)? } else { exchange(&mut host, step)? };
        }
        compare(&visible(&step.expect, &found), &found)
            .map_err(|what| format!("step {} (at {}): {what}\n{found:#}", number + 1, step.at))?;
    }
    Ok(())
}

/// What of an expectation can be seen from outside.
fn visible(expect: &Expect, found: &Value) -> Expect {
    let mut expect = expect.clone();
    expect.status = None;
    if found["blocks"].is_null() {
        expect.blocks = None;
    }
    // Lines round to a tenth.
    expect.risk =
        expect.risk.filter(|_| !found["risk"].is_null()).map(|(least, most)| (least - 0.06, most + 0.06));
    if found["rule_id"].is_null() {
        expect.rule_id = None;
    }
    if found["matched"].is_null() {
        expect.matched = None;
    }
    // A tick late at most.
    if let (Some(delay), Some(held)) = (expect.delay, found["delay"].as_u64())
        && (u64::from(delay)..=u64::from(delay) + 2 * TICK).contains(&held)
    {
        expect.delay = u32::try_from(held).ok();
    }
    expect
}

/// The lines about clients among those of the log.
fn events(log: &[LogLine]) -> Vec<Value> {
    let parsed = log.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
    parsed.filter(|line| line["msg_type"].is_string()).collect()
}

fn last(events: &[Value], kind: &str) -> Value {
    events.iter().rfind(|event| event["msg_type"] == kind).cloned().unwrap_or_default()
}

fn exchange(host: &mut Host, step: &Step) -> Result<Value, String> {
    let exchange: Exchange = serde_json::from_value(step.exchange()).map_err(|error| error.to_string())?;
    let observed = host.exchange(&for_host(&as_envoy_shows_it(exchange, "id"))?);
    let events = events(&observed.log);
    let (matched, refused) = (last(&events, "MatchEvent"), last(&events, "BlockEvent"));
    let (action, rule) = action(&observed)?;
    let ticks = observed.callbacks.iter().filter(|(callback, _)| *callback == Callback::Tick).count() as u64;
    let logged = |line: &LogLine| line.text.split_once("[id \"")?.1.split_once('"')?.0.parse().ok();
    let ids: Vec<u64> = observed.log.iter().filter_map(logged).collect();
    // Rules of the risk part match without a line of their own.
    let has_risk_rules = matched["matches"]
        .as_array()
        .is_some_and(|all| all.iter().filter_map(|one| one["id"].as_u64()).any(|id| !ids.contains(&id)));
    let risk = if matched.is_null() { &refused["risk"] } else { &matched["risk"] };
    Ok(json!({
        "action": action,
        "rule_id": rule,
        "risk": risk,
        "delay": if ticks == 0 { Value::Null } else { (ticks * TICK).into() },
        "matched": if has_risk_rules || ids.is_empty() { Value::Null } else { ids.into() },
        "match_event": matched,
        "block_event": refused,
    }))
}

/// What was done, and by which rule as far as that is known.
fn action(observed: &Observed) -> Result<(String, Option<u64>), String> {
    let details = match &observed.verdict {
        Verdict::Continued => return Ok(("pass".to_owned(), None)),
        Verdict::LocalReply { details, .. } => details,
        // With streaming enforcement, what has begun is cut off: the counters and lines tell why.
        Verdict::Closed { .. } => {
            let refused = last(&events(&observed.log), "BlockEvent");
            let reason = refused["reason"].as_str().unwrap_or("rule");
            let action = if reason == "rule" { "deny" } else { reason };
            return Ok((action.to_owned(), refused["rule_id"].as_u64()));
        }
        other => return Err(format!("{other:?}")),
    };
    let (kind, what) = details.split_once('[').ok_or_else(|| format!("details: {details}"))?;
    let what = what.trim_end_matches(']');
    let number = |text: &str| text.split('_').next().and_then(|digits| digits.parse().ok());
    if kind == "portcullis_client" {
        let (reason, rule) = what.split_once("_rule_").unwrap_or((what, ""));
        return Ok((reason.to_owned(), Some(number(rule).unwrap_or(0))));
    }
    Ok(("deny".to_owned(), what.strip_prefix("rule_").and_then(number)))
}

fn connection(host: &mut Host, step: &Step) -> Result<Value, String> {
    let client: IpAddr = step.from.parse().map_err(|_| format!("no address: {}", step.from))?;
    let server = SocketAddr::from(([198, 51, 100, 1], 80));
    let observed = host.connection(&Connection::new(SocketAddr::new(client, 40_000), server));
    let events = events(&observed.log);
    let (matched, refused) = (last(&events, "MatchEvent"), last(&events, "BlockEvent"));
    let action = match (&observed.fate, refused["reason"].as_str()) {
        (ConnectionFate::Proxied, None) => "pass",
        (ConnectionFate::Closed(_), Some(reason)) => reason,
        (ConnectionFate::Closed(_), None) => "deny",
        other => return Err(format!("{other:?}")),
    };
    let counted = |name: &str| observed.metrics.get(name).copied().unwrap_or(0);
    let blocks = counted("portcullis.risk.blocks.timed") + counted("portcullis.risk.blocks.permanent");
    Ok(json!({
        "action": action,
        "rule_id": 0,
        "blocks": (!matched.is_null()).then_some(blocks),
        "match_event": matched,
        "block_event": refused,
    }))
}
