//! Rules in the form in which the policy's JSON has them.

use serde_json::{Map, Value, json};

use super::{Api, Binding, Message, Operation, Ports, Rule};

/// The rules as the `rules` of a policy's `network` part. Reading them gives the same rules, except that
/// JSON has one version of the language only.
#[must_use]
pub fn to_json(rules: &[Rule]) -> Value {
    Value::Array(rules.iter().map(rule).collect())
}

fn rule(rule: &Rule) -> Value {
    let mut out = Map::new();
    let mut add = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    add("app", rule.app.name.clone().into());
    if rule.app.version != 1 {
        add("app_version", rule.app.version.into());
    }
    add("name", rule.name.to_string().into());
    let local = rule.bindings.iter().any(|binding| binding.operation.is_local());
    if local {
        add("kind", "bind".into());
        for binding in &rule.bindings {
            let side = if binding.operation == Operation::BindClient { "client" } else { "server" };
            let mut object = Map::new();
            object.insert("address".to_owned(), binding.address.to_string().into());
            ports(binding.ports, &mut object);
            add(side, Value::Object(object));
        }
    } else if let Some(Binding { operation, ports: range, .. }) = rule.bindings.first() {
        add("kind", operation.name().into());
        let addresses: Vec<Value> =
            rule.bindings.iter().map(|binding| binding.address.to_string().into()).collect();
        add("address", if let [only] = addresses.as_slice() { only.clone() } else { json!(addresses) });
        let mut object = Map::new();
        ports(*range, &mut object);
        object.into_iter().for_each(|(key, value)| add(&key, value));
    }
    add("action", rule.action.name().into());
    match &rule.api {
        None => {}
        Some(Api::Any) => add("api", "any".into()),
        Some(Api::Paths(paths)) => {
            add("api", paths.iter().map(ToString::to_string).collect::<Vec<_>>().into());
        }
    }
    match &rule.message {
        Message::Silent => add("disable_logging", true.into()),
        Message::Default => add("message", "".into()),
        Message::Text(text) => add("message", text.to_string().into()),
    }
    add("severity", rule.severity.name().into());
    if rule.connection_detail {
        add("connection_detail", true.into());
    }
    if let Some(risk) = rule.risk {
        add("risk", risk.risk.into());
        add("classification", risk.classification.name().into());
        if let Some(state) = risk.state {
            add("state", state.name().into());
        }
    }
    if !rule.app.log.is_empty() {
        let log: Map<String, Value> =
            rule.app.log.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
        add("log", Value::Object(log));
    }
    Value::Object(out)
}

fn ports(ports: Ports, out: &mut Map<String, Value>) {
    out.insert("start_port".to_owned(), ports.first().into());
    if ports.width() > 1 && ports != Ports::ANY {
        out.insert("end_port".to_owned(), ports.last().into());
    }
}
