//! `portcullis network`: says which network rule governs connections.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use portcullis_rules::eval::UnixNanos;
use portcullis_rules::exchange::fields::{Fields, Unreadable, integer, text};
use portcullis_rules::net::{
    Device, End, Event, Judgement, Level, NetworkPlan, Operation, RequestFacts, RequestPath, Selected,
};
use serde_json::{Value, json};

use crate::{import_armr, lines};

/// Say which network rule governs connections, and what happens to them
///
/// Reads connections from the standard input, one JSON object per line, and prints one decision per line.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  portcullis network --policy policy.json < connections.jsonl
  echo '{"kind":"accept","address":"192.0.2.7","port":41000}' | portcullis network --policy policy.json
  echo '{"kind":"connect","address":"10.0.0.5","port":443,"host":"db.example.com"}' \
    | portcullis network --armr rules.armr | jq -r .rule.name

A connection: {"id", "kind": "accept|connect|bind_client|bind_server", "address", "port", "host": "…" or ["…", …],
  "path", "method"}
  address  the client's (accept), the service's (connect) or the local one (bind); may be missing
  port     its port, 0 or missing when it is unknown
  host     names of the other end, the most trusted first: cluster, SNI, :authority
  path     makes it a request: rules with an API restriction apply if they cover the path

A decision: {"id", "outcome": "proceed|refuse",
  "rule": {"app", "name", "action", "severity", "number"} or null,
  "matched": {"level": "address|host|network|any", "address", "ports"} or null,
  "applied": whether the rule applies (an API restriction may stand against it),
  "event": the event as JSON, null when nothing is logged, "cef": the same as a CEF line}

Exit status:
  0  every line was judged
  1  the policy or a line can't be used
  2  wrong usage, or a file can't be read"#)]
pub(crate) struct Arguments {
    /// The policy (JSON)
    #[arg(long, value_name = "FILE", required_unless_present = "armr")]
    policy: Option<PathBuf>,

    /// ARMR text in place of a policy
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    armr: Option<PathBuf>,
}

/// A line of the input.
struct Connection {
    id: Value,
    kind: String,
    address: Option<String>,
    port: u16,
    host: Vec<String>,
    path: Option<String>,
    method: Option<String>,
}

impl Connection {
    fn read(line: &Value) -> Result<Self, Unreadable> {
        let known = ["id", "kind", "address", "port", "host", "path", "method"];
        let fields = Fields::new(line, "a connection", &known)?;
        Ok(Self {
            id: fields.get("id").cloned().unwrap_or_default(),
            kind: fields.required("kind", text)?,
            address: fields.optional("address", text)?,
            port: fields.optional("port", integer)?.unwrap_or_default(),
            host: fields.optional("host", names)?.unwrap_or_default(),
            path: fields.optional("path", text)?,
            method: fields.optional("method", text)?,
        })
    }
}

/// One name or several.
fn names(value: &Value) -> Result<Vec<String>, Unreadable> {
    match value {
        Value::String(name) => Ok(vec![name.clone()]),
        Value::Array(names) => names.iter().map(text).collect(),
        _ => Err(Unreadable::expected("a name, or an array of names", value)),
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (path, armr) = match (&arguments.policy, &arguments.armr) {
        (Some(path), _) => (path, false),
        (None, Some(path)) => (path, true),
        (None, None) => bail!("there is nothing to judge by; give --policy or --armr"),
    };
    let (name, text) = crate::check::read(path)?;
    let loaded =
        if armr { import_armr::load(&text, &name) } else { portcullis_rules::policy::load(&text, &name) };
    crate::policy::report(&loaded.diagnostics, &loaded.sources);
    let Some(policy) = loaded.policy else { return Ok(ExitCode::FAILURE) };
    let plan = NetworkPlan::new(policy.network);
    lines::judge_all(|line| Ok(Some(judge(&plan, line)?.to_string().into())))
}

fn judge(plan: &NetworkPlan, line: &Value) -> anyhow::Result<Value> {
    let connection = Connection::read(line)?;
    let kinds = Operation::ALL.map(Operation::name);
    let operation = Operation::ALL.into_iter().find(|operation| operation.name() == connection.kind);
    let operation = operation
        .with_context(|| format!("`{}` is no kind; use one of {}", connection.kind, kinds.join(", ")))?;
    let address = match &connection.address {
        Some(text) => Some(text.parse::<IpAddr>().with_context(|| format!("`{text}` is no IP address"))?),
        None => None,
    };
    ensure!(connection.path.is_some() || connection.method.is_none(), "a request has a path");
    let names: Vec<&[u8]> = connection.host.iter().map(String::as_bytes).collect();
    let end = End { address, port: connection.port, names: &names };
    let judgement = match &connection.path {
        Some(path) => plan.request(operation, &end, &RequestPath::new(path.as_bytes())),
        None => plan.connection(operation, &end),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = UnixNanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let method = connection.method.as_deref().unwrap_or("GET");
    let request =
        connection.path.as_ref().map(|path| RequestFacts { method: method.as_bytes(), uri: path.as_bytes() });
    Ok(decision(&connection.id, operation, &judgement, end, request, now))
}

fn decision(
    id: &Value,
    operation: Operation,
    judgement: &Judgement<'_>,
    end: End<'_>,
    request: Option<RequestFacts<'_>>,
    now: UnixNanos,
) -> Value {
    let rule = |selected: Selected<'_>| {
        json!({
            "app": selected.rule.app.name,
            "name": selected.rule.name,
            "action": selected.rule.action.name(),
            "severity": selected.rule.severity.name(),
            "number": selected.number,
        })
    };
    let matched = |selected: Selected<'_>| {
        let level = match selected.level {
            Level::Address => "address",
            Level::Host => "host",
            Level::Network => "network",
            Level::Any => "any",
        };
        let binding = selected.binding;
        json!({ "level": level, "address": binding.address.to_string(), "ports": binding.ports.to_string() })
    };
    let event = judgement
        .applied()
        .map(|selected| Event {
            rule: selected.rule,
            operation,
            end,
            host: selected.host(),
            request,
            detail: &[],
            now,
        })
        .filter(Event::is_logged);
    let written = |format| event.map(|event| event.render(format, &Device::default()));
    let json_event: Option<Value> =
        written(portcullis_rules::net::EventFormat::Json).and_then(|line| serde_json::from_slice(&line).ok());
    let cef = written(portcullis_rules::net::EventFormat::Cef);
    json!({
        "id": id,
        "outcome": if judgement.refuses() { "refuse" } else { "proceed" },
        "rule": judgement.selected.map(rule),
        "matched": judgement.selected.map(matched),
        "applied": judgement.applies,
        "event": json_event,
        "cef": cef.map(|line| String::from_utf8_lossy(&line).into_owned()),
    })
}
