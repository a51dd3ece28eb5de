//! Policies in few words.

use portcullis_integration::{Enforcement, Exchange, Gateway, Scenario};
use serde_json::{Value, json};

/// A rule with one condition.
pub(crate) fn rule(
    id: u64,
    phase: u8,
    resolution: &str,
    variable: &str,
    operator: &str,
    operand: &str,
) -> Value {
    json!({
        "rule_id": id,
        "description": format!("test rule {id}"),
        "phase": phase,
        "resolution": resolution,
        "matches": [{ "variables": [variable], "operator": operator, "operating": operand }],
    })
}

/// The same object with more fields.
pub(crate) fn with(mut object: Value, more: Value) -> Value {
    let (Value::Object(fields), Value::Object(more)) = (&mut object, more) else { panic!("not objects") };
    fields.extend(more);
    object
}

/// A rule set that inspects both bodies.
pub(crate) fn rule_set(name: &str, rules: &[Value]) -> Value {
    json!({ "name": name, "process_request_body": true, "process_response_body": true, "rules": rules })
}

/// A policy of one rule set that inspects both bodies.
pub(crate) fn policy(rules: &[Value]) -> Value {
    json!({ "rule_sets": [rule_set("test", rules)] })
}

/// A policy of one rule set with further settings.
pub(crate) fn policy_with(settings: Value, rules: &[Value]) -> Value {
    json!({ "rule_sets": [with(rule_set("test", rules), settings)] })
}

pub(crate) async fn start(policy: &Value, enforcement: Enforcement) -> Gateway {
    Scenario::new(policy.clone()).enforcement(enforcement).start().await.unwrap()
}

/// Asserts that Portcullis answered with a complete page of its own, and how often the upstream was reached.
#[track_caller]
pub(crate) fn assert_refused(exchange: &Exchange, status: u16, rule: u64, hits: usize) {
    let reply = &exchange.reply;
    assert_eq!(reply.status, Some(status), "{exchange:#?}");
    assert_eq!(reply.end, portcullis_integration::End::Complete, "{exchange:#?}");
    assert_eq!(reply.header("x-upstream"), None, "{exchange:#?}");
    assert_eq!(reply.header("x-request-id").as_ref(), Some(&exchange.request_id), "{exchange:#?}");
    assert!(reply.text().contains(&exchange.request_id), "{exchange:#?}");
    assert_eq!(exchange.rules(), [rule], "{exchange:#?}");
    assert_eq!(exchange.reached.len(), hits, "{exchange:#?}");
}

/// Asserts that the upstream's own answer came through, after these rules were logged.
#[track_caller]
pub(crate) fn assert_passed(exchange: &Exchange, rules: &[u64]) {
    let reply = &exchange.reply;
    assert_eq!(
        (reply.status, reply.end),
        (Some(200), portcullis_integration::End::Complete),
        "{exchange:#?}"
    );
    assert_eq!(reply.header("x-upstream").as_deref(), Some("1"), "{exchange:#?}");
    assert_eq!(exchange.rules(), rules, "{exchange:#?}");
    assert_eq!(exchange.reached.len(), 1, "{exchange:#?}");
    assert!(exchange.reached[0].complete, "{exchange:#?}");
}
