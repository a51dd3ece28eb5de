//! `portcullis eval`: judges recorded exchanges.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_rules::audit::{AuditRecord, MatchRecord};
use portcullis_rules::collections::{MemoryValues, Store};
use portcullis_rules::diagnostic::Sources;
use portcullis_rules::eval::{ClientView, Disruption, Outcome, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;
use portcullis_rules::risk::{Standing, Tarpit};
use serde_json::{Map, Value, json};

use crate::lines;
use crate::policy::Rules;

/// Judge recorded exchanges, and print one verdict per line
///
/// Reads exchanges from the standard input, one JSON object per line.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  portcullis eval --policy policy.json < exchanges.jsonl
  portcullis eval --seclang crs-setup.conf --seclang 'rules/*.conf' < exchanges.jsonl
  portcullis eval --policy policy.json --audit < exchanges.jsonl
  echo '{"id":"1","request":{"method":"GET","uri":"/?q=1","headers":{"Host":"a"}}}' \
    | portcullis eval --policy policy.json | jq .outcome
  echo '{"request":{"method":"POST","uri":"/","headers":{"Content-Type":"application/json"},"body":"{\"a\":1}"}}' \
    | portcullis eval --policy policy.json --all | jq -c '.matched[] | [.rule_id, .message]'

An exchange: {"id", "time", "interrogation", "client": {"address", "port"}, "server": {"address", "port"},
  "request": {"method", "uri", "protocol", "headers", "body" | "body_base64"},
  "response": {"status", "protocol", "headers", "body" | "body_base64"}}
Only the request with its method and uri has to be there. Headers are {"name": "value" or ["value", …], …} or
[["name", "value"], …]. A body gets a Content-Length, unless there is one or a Transfer-Encoding. A value that isn't
UTF-8 is given as {"base64": "…"}. The time is seconds since 1970, or RFC 3339: clients are known from one line to
the next, so that hours can be played.

A verdict: {"id", "outcome": {"action": "pass|allow|deny|redirect|drop", "status", "location", "phase",
  "rule_id"}, "gaps": ["limit.arguments", …] (what was not inspected), "matched": [{"rule_id", "phase", "message",
  "data", "severity", "tags", "variables"}], "tx": {…}}
  `matched` has the matches that are logged; with --all those of rules with `nolog`, too
  and, when the policy has a risk part, "client": {"key", "risk", "status", "action", "blocks", "blocked_until",
  "delay_ms"} and "events" (its MatchEvent and BlockEvent records)

Exit status:
  0  every line was judged
  1  the rules or a line can't be used
  2  wrong usage, or a file can't be read"#)]
pub(crate) struct Arguments {
    #[command(flatten)]
    rules: Rules,

    /// Print audit records instead of verdicts: of the exchanges that the policy's audit log wants, in its format
    #[arg(long)]
    audit: bool,

    /// A variable of `ENV`, as Envoy's `environment_variables` give them; may be given more than once
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// List the matches of all rules, also of those that don't log, such as rules that only set variables
    #[arg(long, conflicts_with = "audit")]
    all: bool,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let rules = &arguments.rules;
    anyhow::ensure!(
        rules.policy.is_some() || !rules.seclang.is_empty(),
        "there is nothing to judge by; give --policy or --seclang"
    );
    let Some(policy) = rules.load()? else { return Ok(ExitCode::FAILURE) };
    let mut plan = match Plan::new(&policy) {
        Ok(plan) => plan,
        Err(problems) => {
            crate::policy::report(&problems, &Sources::default());
            return Ok(ExitCode::FAILURE);
        }
    };
    let variables = arguments.env.iter().map(|given| {
        let (name, value) =
            given.split_once('=').with_context(|| format!("--env {given} is no NAME=VALUE"))?;
        Ok((name.as_bytes().to_vec(), value.as_bytes().to_vec()))
    });
    let left_out = plan.set_environment(variables.collect::<anyhow::Result<Vec<_>>>()?);
    anyhow::ensure!(left_out == 0, "there is no room for {left_out} of the variables of --env");
    let plan = Arc::new(plan);
    // What is known of clients, and persistent collections, from one exchange to the next.
    let store = plan
        .store_settings()
        .map(|settings| Arc::new(Store::new(Arc::new(MemoryValues::default()), &settings)));
    lines::judge_all(|line| {
        let (verdict, record) = judge(&plan, store.as_ref(), line, arguments.all)?;
        Ok(if arguments.audit {
            record.map(|record| record.render())
        } else {
            Some(verdict.to_string().into())
        })
    })
}

fn judge(
    plan: &Arc<Plan>,
    store: Option<&Arc<Store>>,
    line: &Value,
    all: bool,
) -> anyhow::Result<(Value, Option<AuditRecord>)> {
    let mut exchange = Exchange::read(line)?;
    exchange.request.add_content_length();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = exchange.time(UnixNanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)));
    let mut transaction =
        Transaction::new(Arc::clone(plan), &exchange.connection(), exchange.unique_id().as_bytes(), now);
    if let Some(store) = store {
        transaction = transaction.with_store(Arc::clone(store));
    }
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, now);
    let slowed = transaction.slow_down(now);
    let matches = transaction.take_matches();
    let shown = matches.iter().filter(|record| all || record.log_line.is_some());
    let matched: Vec<Value> = shown.map(matched).collect();
    let tx: Map<String, Value> = transaction
        .tx()
        .into_iter()
        .map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), text(&value)))
        .collect();
    let gaps: Vec<&str> = transaction.take_gaps().iter().map(|event| event.gap.name()).collect();
    let mut verdict = json!({
        "id": exchange.id, "outcome": outcome_json(&outcome), "gaps": gaps, "matched": matched, "tx": tx
    });
    if let (Some(client), Some(object)) = (transaction.client(), verdict.as_object_mut()) {
        object.insert("client".to_owned(), client_json(&client, slowed));
        let events = transaction.take_client_lines();
        let events = events.iter().filter_map(|line| serde_json::from_slice(line).ok());
        object.insert("events".to_owned(), events.collect::<Vec<Value>>().into());
    }
    let record = transaction.take_audit_record();
    transaction.recycle();
    Ok((verdict, record))
}

/// What is known of the client after the exchange.
fn client_json(client: &ClientView, slowed: Option<Tarpit>) -> Value {
    let until =
        client.blocked_until.map(|until| if until == u32::MAX { json!("never") } else { json!(until) });
    let action = if matches!(client.standing, Standing::AllowListed) {
        "none"
    } else if client.standing != Standing::Watched {
        "block"
    } else if client.challenged {
        "interrogate"
    } else if slowed.is_some() {
        "tarpit"
    } else {
        "track"
    };
    json!({
        "key": client.key,
        "risk": (f64::from(client.risk) * 10.0).round() / 10.0,
        "status": client.standing.name(),
        "action": action,
        "blocks": client.blocks,
        "blocked_until": until,
        "delay_ms": slowed.map(|tarpit| tarpit.delay),
    })
}

fn matched(record: &MatchRecord) -> Value {
    json!({
        "rule_id": record.rule_id,
        "phase": record.phase.number(),
        "message": text(&record.message),
        "data": text(&record.data),
        "severity": record.severity.map(portcullis_rules::model::Severity::name),
        "tags": record.tags.iter().map(|tag| text(tag)).collect::<Vec<_>>(),
        "variables": record.variables.iter().map(|name| text(name)).collect::<Vec<_>>(),
    })
}

fn outcome_json(outcome: &Outcome) -> Value {
    let (action, status, location, phase, rule_id) = match outcome {
        Outcome::Pass => ("pass", None, None, None, None),
        Outcome::Allow { rule_id, phase } => ("allow", None, None, Some(phase.number()), Some(*rule_id)),
        Outcome::Interrupted(interruption) => {
            let (action, status, location) = match &interruption.disruption {
                Disruption::Deny { status } => ("deny", Some(*status), None),
                Disruption::Redirect { status, location } => {
                    ("redirect", Some(*status), Some(text(location)))
                }
                Disruption::Drop => ("drop", None, None),
                Disruption::Client(refusal) => (refusal.name(), Some(403), None),
            };
            (action, status, location, Some(interruption.phase.number()), Some(interruption.rule_id))
        }
    };
    json!({ "action": action, "status": status, "location": location, "phase": phase, "rule_id": rule_id })
}

/// Bytes as JSON: a string, or `{"base64": "…"}` when they aren't UTF-8.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}
