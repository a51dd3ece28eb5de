//! The JSON Schema of policies agrees with the reader, field by field.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]
#![cfg(feature = "schema")]

use std::collections::BTreeSet;

use portcullis_rules::diagnostic::Code;
use portcullis_rules::policy;
use serde_json::{Map, Value, json};

/// Each object of the schema: its name in `$defs` (empty for the top), a policy that holds one, and where.
fn places() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("", json!({}), ""),
        ("ClientAddress", json!({"client_address": {}}), "/client_address"),
        ("File", json!({"files": {"f": {}}}), "/files/f"),
        ("RuleSet", json!({"rule_sets": [{}]}), "/rule_sets/0"),
        ("Rule", json!({"rule_sets": [{"rules": [{}]}]}), "/rule_sets/0/rules/0"),
        ("Marker", json!({"rule_sets": [{"rules": [{"mark": "m"}]}]}), "/rule_sets/0/rules/0"),
        ("Match", json!({"rule_sets": [{"rules": [{"matches": [{}]}]}]}), "/rule_sets/0/rules/0/matches/0"),
        ("Risk", json!({"risk": {}}), "/risk"),
        ("Entity", json!({"risk": {"entity": {}}}), "/risk/entity"),
        ("Score", json!({"risk": {"score": {}}}), "/risk/score"),
        ("Weights", json!({"risk": {"score": {"state_weights": {}}}}), "/risk/score/state_weights"),
        ("Block", json!({"risk": {"block": {}}}), "/risk/block"),
        ("Switches", json!({"risk": {"switches": {}}}), "/risk/switches"),
        ("Lists", json!({"risk": {"lists": {}}}), "/risk/lists"),
        ("ListEntry", json!({"risk": {"lists": {"allow": [{}]}}}), "/risk/lists/allow/0"),
        ("Reset", json!({"risk": {"lists": {"reset": [{}]}}}), "/risk/lists/reset/0"),
        ("Tarpit", json!({"risk": {"tarpit": {}}}), "/risk/tarpit"),
        ("Interrogate", json!({"risk": {"interrogate": {}}}), "/risk/interrogate"),
        ("Country", json!({"risk": {"country": {}}}), "/risk/country"),
        ("Store", json!({"risk": {"store": {}}}), "/risk/store"),
        ("RiskRule", json!({"risk": {"rules": [{}]}}), "/risk/rules/0"),
        ("Rate", json!({"risk": {"rules": [{"rate": {}}]}}), "/risk/rules/0/rate"),
        (
            "Criterion",
            json!({"risk": {"rules": [{"condition": {"attribute": "uri"}}]}}),
            "/risk/rules/0/condition",
        ),
        ("Network", json!({"network": {}}), "/network"),
        ("EventFlow", json!({"network": {"event_flow": {}}}), "/network/event_flow"),
        ("NetworkRule", json!({"network": {"rules": [{}]}}), "/network/rules/0"),
        ("BindSide", json!({"network": {"rules": [{"server": {}}]}}), "/network/rules/0/server"),
        ("ArmrFile", json!({"network": {"armr": [{}]}}), "/network/armr/0"),
        ("SecLangFile", json!({"rule_sets": [{"seclang": [{}]}]}), "/rule_sets/0/seclang/0"),
        ("Raw", json!({"rule_sets": [{"rules": [{"raw": ""}]}]}), "/rule_sets/0/rules/0"),
        ("Memory", json!({"memory": {}}), "/memory"),
    ]
}

fn object(name: &str) -> Map<String, Value> {
    let schema = policy::schema();
    let object = if name.is_empty() { &schema } else { &schema["$defs"][name] };
    object.as_object().unwrap().clone()
}

fn properties(name: &str) -> BTreeSet<String> {
    object(name)["properties"].as_object().unwrap().keys().cloned().collect()
}

/// The policy with `field` of the object at `pointer` set to `value`.
fn with(policy: &Value, pointer: &str, field: &str, value: Value) -> Value {
    let mut policy = policy.clone();
    policy.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert(field.to_owned(), value);
    policy
}

/// Codes and places (as JSON pointers) of what is said about a policy.
fn reports(policy: &Value) -> Vec<(Code, String, String, String)> {
    let loaded = policy::load(policy.to_string().as_bytes(), "policy.json");
    let pointer = |path: &str| path.replace('[', ".").replace(']', "").replace('.', "/");
    loaded
        .diagnostics
        .into_iter()
        .map(|d| {
            let path = d.path.unwrap_or_default();
            (d.code, format!("/{}", pointer(&path)), d.message, d.help.unwrap_or_default())
        })
        .collect()
}

#[test]
fn every_object_is_covered() {
    let schema = policy::schema();
    let definitions = schema["$defs"].as_object().unwrap();
    // What a group's fields are decides what it is; what else stands there is reported in its own way.
    let objects =
        definitions.iter().filter(|(name, schema)| *name != "Group" && schema.get("properties").is_some());
    let named: BTreeSet<&str> = objects.map(|(name, _)| name.as_str()).collect();
    let covered: BTreeSet<&str> =
        places().iter().map(|(name, ..)| *name).filter(|name| !name.is_empty()).collect();
    assert_eq!(named, covered);
}

#[test]
fn the_reader_knows_exactly_the_properties_of_the_schema() {
    for (name, policy, pointer) in places() {
        assert_eq!(object(name)["additionalProperties"], false, "{name}");
        for property in properties(name) {
            // No field takes null, so that each one the reader knows is reported for its type.
            let reports = reports(&with(&policy, pointer, &property, Value::Null));
            let place = format!("{pointer}/{property}");
            assert!(
                reports.iter().any(|(code, at, ..)| (*code, at) == (Code::E0102, &place)),
                "{place}: {reports:?}"
            );
            assert!(reports.iter().all(|(code, ..)| *code != Code::E0103), "{place}: {reports:?}");
        }
        // The help for an unknown field lists all that the reader knows.
        let reports = reports(&with(&policy, pointer, "zzzzzzzzzzzz", Value::Null));
        let (.., help) = reports.iter().find(|(code, ..)| *code == Code::E0103).unwrap();
        let known: BTreeSet<String> = help.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(known, properties(name), "{name}");
    }
}

#[test]
fn the_same_fields_are_required() {
    for (name, mut policy, pointer) in places() {
        if let Some((_, only)) = [("Marker", "mark"), ("Raw", "raw")].into_iter().find(|it| it.0 == name) {
            // Without its only field it is a rule.
            assert_eq!(object(name)["required"], json!([only]));
            continue;
        }
        policy.pointer_mut(pointer).unwrap().as_object_mut().unwrap().clear();
        let missing: BTreeSet<String> = reports(&policy)
            .into_iter()
            .filter(|(code, at, message, _)| {
                *code == Code::E0104 && at.trim_end_matches('/') == pointer && message.contains('`')
            })
            .map(|(_, _, message, _)| message.split('`').nth(1).unwrap().to_owned())
            .collect();
        let required = object(name).get("required").cloned().unwrap_or_else(|| json!([]));
        let required: BTreeSet<String> = serde_json::from_value(required).unwrap();
        assert_eq!(missing, required, "{name}");
    }
}

/// A field that is absent counts as its default.
#[test]
fn defaults_are_those_of_the_reader() {
    let filled = json!({
        "rule_sets": [{"name": "n", "rules": [{"rule_id": 1, "matches": [{"variables": "ARGS"}]}]}],
        "client_address": {"trusted_hops": ["192.0.2.2"]},
        "memory": {},
        "network": {
            "event_flow": {"max_events_per_rule": 1, "pause_seconds": 1},
            "rules": [{
                "name": "n", "kind": "accept", "address": "192.0.2.1", "start_port": 0,
                "action": "detect", "severity": "low",
            }],
        },
        "risk": {
            "entity": {}, "score": {"state_weights": {}}, "block": {}, "switches": {}, "tarpit": {},
            "interrogate": {}, "country": {"header": "x-country"}, "store": {},
            "lists": {
                "allow": [{"address": "192.0.2.1", "reason": "r"}],
                "reset": [{"address": "192.0.2.1", "before": "2026-03-01T12:00:00Z"}],
            },
            "rules": [{
                "id": 2, "rate": {"count": 1, "seconds": 1}, "condition": {"attribute": "uri", "value": "/"},
            }],
        },
    });
    let model = |policy: &Value| {
        let loaded = policy::load(policy.to_string().as_bytes(), "policy.json");
        format!("{:?}", loaded.policy.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics)))
    };
    let expected = model(&filled);
    let mut defaults = 0;
    for (name, _, pointer) in places() {
        for (property, schema) in object(name)["properties"].as_object().unwrap() {
            let Some(default) = schema.get("default") else { continue };
            if filled.pointer(&format!("{pointer}/{property}")).is_none() {
                assert_eq!(
                    model(&with(&filled, pointer, property, default.clone())),
                    expected,
                    "{name}.{property}"
                );
                defaults += 1;
            }
        }
    }
    assert!(defaults >= 20, "{defaults}");
}

#[test]
fn every_field_is_documented() {
    for (name, ..) in places() {
        for (property, schema) in object(name)["properties"].as_object().unwrap() {
            let text = schema["description"].as_str().unwrap_or_default();
            assert!(text.len() > 10 && text.ends_with('.'), "{name}.{property}: {text}");
        }
    }
}
