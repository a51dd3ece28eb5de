//! `portcullis eval`: judges recorded exchanges.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use portcullis_rules::audit::MatchRecord;
use portcullis_rules::eval::{Disruption, Outcome, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;
use serde_json::{Map, Value, json};


/// Judges recorded exchanges, one JSON object per line of standard input, and prints one verdict per line.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Command {
    /// The policy (JSON).
    #[arg(long, required_unless_present = "seclang")]
    policy: Option<PathBuf>,
    /// A SecLang file to judge by, after the policy's rule sets; may be given more than once.
    #[arg(long)]
    seclang: Vec<PathBuf>,
}

const EXAMPLES: &str = r#"Examples:
  portcullis eval --policy policy.json < exchanges.jsonl
  echo '{"id":"1","request":{"method":"GET","uri":"/?q=1","headers":[["Host","a"]]}}' \
    | portcullis eval --policy policy.json

An exchange: {"id", "client": {"address", "port"}, "server": {"address", "port"},
  "request": {"method", "uri", "protocol", "headers": [[name, value], …], "body" | "body_base64"},
  "response": {"status", "protocol", "headers", "body" | "body_base64"}}
The response is optional. A value that isn't UTF-8 is given as {"base64": "…"}.

Exit status: 0 when every line was judged, 1 when the policy or a line can't be used."#;

impl Command {
    pub(crate) fn run(&self) -> anyhow::Result<bool> {
        let Some(policy) = crate::policy::load(self.policy.as_deref(), &self.seclang)? else { return Ok(false) };
        let plan = match Plan::new(&policy) {
            Ok(plan) => Arc::new(plan),
            Err(problems) => {
                for problem in problems {
                    eprintln!("error[{}]: {}", problem.code, problem.message);
                }
                return Ok(false);
            }
        };
        let (stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
        let mut complete = true;
        for (number, line) in stdin.lines().enumerate() {
            let line = line.with_context(|| format!("line {} of standard input", number + 1))?;
            if line.trim().is_empty() {
                continue;
            }
            match judge(&plan, &line) {
                Ok(verdict) => writeln!(stdout, "{verdict}")?,
                Err(problem) => {
                    eprintln!("line {}: {problem:#}", number + 1);
                    complete = false;
                }
            }
        }
        Ok(complete)
    }
}

fn judge(plan: &Arc<Plan>, line: &str) -> anyhow::Result<Value> {
    let exchange: Exchange = serde_json::from_str(line).context("not an exchange")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixNanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let mut transaction =
        Transaction::new(Arc::clone(plan), &exchange.connection(), exchange.unique_id().as_bytes(), now);
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, now);
    let matched: Vec<Value> = transaction.take_matches().iter().map(matched).collect();
    let tx: Map<String, Value> = transaction
        .tx()
        .into_iter()
        .map(|(name, value)| (String::from_utf8_lossy(&name).into_owned(), text(&value)))
        .collect();
    Ok(json!({ "id": exchange.id, "outcome": outcome_json(&outcome), "matched": matched, "tx": tx }))
}

fn matched(record: &MatchRecord) -> Value {
    json!({
        "rule_id": record.rule_id,
        "phase": record.phase.number(),
        "message": text(&record.message),
        "data": text(&record.data),
        "severity": record.severity.map(|severity| severity.name()),
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
                Disruption::Redirect { status, location } => ("redirect", Some(*status), Some(text(location))),
                Disruption::Drop => ("drop", None, None),
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
