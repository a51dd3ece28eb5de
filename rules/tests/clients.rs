//! Clients over time: each file of `tests/clients` is a policy and steps on one store. See `run`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a scenario that can't be read is a failed test"
)]

#[path = "support/clients.rs"]
mod scenarios;

use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use portcullis_rules::collections::{MemoryValues, Store};
use portcullis_rules::eval::{Disruption, Outcome, Peers, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::net::{Clients as _, End, NetworkPlan, Operation};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use scenarios::{Scenario, Step, compare};
use serde_json::{Value, json};

fn main() {
    let arguments = Arguments::from_args();
    let trials = scenarios::load()
        .into_iter()
        .map(|scenario| Trial::test(scenario.name.clone(), move || run(&scenario).map_err(Into::into)));
    let recipes = Trial::test("the documented recipes are those that are tested", || Ok(recipes()?));
    libtest_mimic::run(&arguments, trials.chain([recipes]).collect()).exit();
}

/// The rules of `docs/risk.md`, "Recipes", in order, are those of the scenarios that play them.
fn recipes() -> Result<(), String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(folder.join("../docs/risk.md")).expect("docs/risk.md");
    let (_, rest) = text.split_once("\n## Recipes\n").ok_or("no recipes")?;
    let (section, _) = rest.split_once("\n## ").ok_or("no end")?;
    let blocks = section.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let documented: Vec<Value> = blocks
        .map(|block| serde_json::from_str(block).expect("JSON"))
        .map(|block: Value| if block.is_array() { block } else { json!([block]) })
        .collect();
    let tested: Vec<Value> = ["recipe-admin", "recipe-login", "recipe-virtual-patch"]
        .into_iter()
        .filter_map(|name| scenarios::load().into_iter().find(|scenario| scenario.name == name))
        .map(|scenario| scenario.policy["risk"]["rules"].clone())
        .collect();
    if documented == tested { Ok(()) } else { Err(format!("{documented:#?}\n{tested:#?}")) }
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

fn run(scenario: &Scenario) -> Result<(), String> {
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
    UnixNanos(step.time())
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
    let exchange: Exchange =
        serde_json::from_value(step.exchange()).map_err(|problem| problem.to_string())?;
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
    transaction.recycle();
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
