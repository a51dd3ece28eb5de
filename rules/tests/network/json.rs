//! The network part of policies: what is valid, and each thing that is not.

use portcullis_rules::net::to_json;
use portcullis_rules::policy;
use serde_json::{Value, json};

fn base() -> Value {
    json!({ "name": "r", "kind": "accept", "address": "10.0.0.1", "start_port": 80, "action": "protect",
            "severity": "high" })
}

/// The rule with other fields; null takes a field out.
fn with(more: Value) -> Value {
    let mut rule = base();
    for (key, value) in more.as_object().unwrap() {
        let fields = rule.as_object_mut().unwrap();
        if value.is_null() {
            fields.remove(key);
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
    rule
}

fn codes(network: &Value) -> Vec<String> {
    let loaded = policy::load(json!({ "network": network }).to_string().as_bytes(), "policy");
    let codes: Vec<String> =
        loaded.diagnostics.iter().map(|diagnostic| diagnostic.code.to_string()).collect();
    assert_eq!(loaded.policy.is_some(), !codes.iter().any(|code| code.starts_with('E')), "{codes:?}");
    for diagnostic in &loaded.diagnostics {
        let placed = diagnostic.path.as_deref().is_some_and(|path| path.starts_with("network"));
        assert!(placed || diagnostic.code.to_string() == "W0605", "{diagnostic:?}");
    }
    codes
}

#[test]
fn valid_rules() {
    let bind = json!({ "kind": "bind", "address": null, "start_port": null });
    let side = json!({ "address": "0.0.0.0", "start_port": 8443 });
    let with_bind = |more: Value| {
        let mut fields = bind.clone();
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(fields)
    };
    for rule in [
        base(),
        with(json!({ "kind": "connect", "address": "db.example.com", "action": "allow" })),
        with(json!({ "address": ["10.0.0.0/8", "2001:db8::/32", "any"], "start_port": 0 })),
        with(json!({ "start_port": null, "end_port": 80 })),
        with(json!({ "start_port": 80, "end_port": 90 })),
        with(json!({ "start_port": 0, "end_port": 0 })),
        with(json!({ "api": "none", "action": "allow" })),
        with(json!({ "api": "any" })),
        with(json!({ "api": ["/v2/*", "*/login", "*x*"] })),
        with(json!({ "message": "text", "connection_detail": true, "action": "detect" })),
        with(json!({ "disable_logging": true })),
        with(json!({ "severity": "Very-High" })),
        with(json!({ "severity": "unknown" })),
        with(json!({ "app": "a", "app_version": 3, "log": { "cve": "CVE-2026-1" } })),
        with_bind(json!({ "server": side, "action": "detect" })),
        with_bind(json!({ "client": { "address": "10.0.0.1", "start_port": 0 } })),
        with_bind(
            json!({ "client": { "address": "10.0.0.1", "end_port": 9 }, "server": { "address": "any", "start_port": 0 } }),
        ),
    ] {
        assert_eq!(codes(&json!({ "rules": [rule] })), Vec::<String>::new(), "{rule}");
    }
    for network in [
        json!({}),
        json!({ "direction": "outbound", "http_requests": "api_only", "event_format": "json" }),
        json!({ "event_flow": { "max_events_per_rule": 10, "pause_seconds": 60 } }),
        json!({ "refuse_blocked_clients": false }),
    ] {
        assert_eq!(codes(&network), Vec::<String>::new(), "{network}");
    }
}

#[test]
fn each_mistake_has_its_number() {
    let bind = json!({ "kind": "bind", "address": null, "start_port": null });
    let with_bind = |more: Value| {
        let mut fields = bind.clone();
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with(fields)
    };
    for (rule, expected) in [
        (with(json!({ "name": null })), "E0104"),
        (with(json!({ "kind": null })), "E0104"),
        (with(json!({ "action": null })), "E0104"),
        (with(json!({ "severity": null })), "E0104"),
        (with(json!({ "address": null })), "E0104"),
        (with(json!({ "name": " " })), "E0105"),
        (with(json!({ "kind": "listen" })), "E0105"),
        (with(json!({ "action": "deny" })), "E0105"),
        (with(json!({ "severity": "dreadful" })), "E0512"),
        (with(json!({ "severity": 5 })), "E0102"),
        (with(json!({ "adress": "10.0.0.1" })), "E0103"),
        (with(json!({ "address": [] })), "E0508"),
        (with(json!({ "address": "10.0.0.256" })), "E0508"),
        (with(json!({ "address": "10.0.0.0/33" })), "E0508"),
        (with(json!({ "address": "2001:db8:::1" })), "E0508"),
        (with(json!({ "address": "a b" })), "E0508"),
        (with(json!({ "address": 5 })), "E0102"),
        (with(json!({ "start_port": null })), "E0509"),
        (with(json!({ "start_port": 65536 })), "E0509"),
        (with(json!({ "start_port": -1 })), "E0509"),
        (with(json!({ "start_port": 1.5 })), "E0509"),
        (with(json!({ "start_port": "80" })), "E0102"),
        (with(json!({ "start_port": 90, "end_port": 80 })), "E0509"),
        (with(json!({ "start_port": 0, "end_port": 80 })), "E0509"),
        (with(json!({ "start_port": 80, "end_port": 0 })), "E0509"),
        (with(json!({ "api": "some" })), "E0510"),
        (with(json!({ "api": [] })), "E0510"),
        (with(json!({ "api": [""] })), "E0510"),
        (with(json!({ "api": ["/a/*/b"] })), "E0510"),
        (with(json!({ "api": [5] })), "E0102"),
        (with(json!({ "api": ["any", "/a"] })), "W0606"),
        (with(json!({ "api": ["a"] })), "W0602"),
        (with(json!({ "api": "any", "action": "allow" })), "E0510"),
        (with(json!({ "api": ["/a"], "action": "allow" })), "E0510"),
        (with(json!({ "action": "detect", "disable_logging": true })), "E0513"),
        (with(json!({ "message": "text", "disable_logging": true })), "W0108"),
        (with(json!({ "log": { "dvchost": "x" } })), "E0517"),
        (with(json!({ "log": { "a b": "x" } })), "E0517"),
        (with(json!({ "server": { "address": "any", "start_port": 0 } })), "E0107"),
        (with(json!({ "address": "client.example.com" })), "W0602"),
        (with(json!({ "address": "0.0.0.0" })), "W0605"),
        (with_bind(json!({ "client": { "address": "::1", "end_port": 9 } })), "W0608"),
        (with_bind(json!({})), "E0508"),
        (with_bind(json!({ "server": {} })), "E0104"),
        (with_bind(json!({ "server": { "address": "10.0.0.0/8", "start_port": 0 } })), "E0508"),
        (with_bind(json!({ "server": { "address": "localhost", "start_port": 0 } })), "E0508"),
        (with(json!({ "kind": "bind", "server": { "address": "any", "start_port": 0 } })), "E0107 E0107"),
        (with(json!({ "risk": 50 })), "W0611"),
        (with(json!({ "state": "Scanning" })), "W0611"),
        (with(json!({ "risk": 101, "classification": "Xs", "state": "Scaning" })), "E0701 E0702 E0703"),
    ] {
        let mut found = codes(&json!({ "rules": [rule] }));
        let mut expected: Vec<&str> = expected.split(' ').collect();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{rule}");
    }
    for (network, expected) in [
        (json!({ "rules": [base(), base()] }), "E0514"),
        (
            json!({ "rules": [with(json!({ "risk": 1 })), with(json!({ "name": "s", "address": "10.0.0.2", "risk": 1 }))] }),
            "W0611",
        ),
        (json!({ "refuse_blocked_clients": true }), "W0610"),
        (json!({ "direction": "up" }), "E0105"),
        (json!({ "event_flow": { "max_events_per_rule": 10 } }), "E0104"),
        (json!({ "event_flow": { "max_events_per_rule": 0, "pause_seconds": 1 } }), "E0105"),
    ] {
        assert_eq!(codes(&network), [expected], "{network}");
    }
}

#[test]
fn everything_is_reported_at_once() {
    let rule = with(
        json!({ "address": "10.0.0.256", "start_port": 0, "end_port": 5, "api": [""], "severity": "x" }),
    );
    assert_eq!(codes(&json!({ "rules": [rule] })).len(), 4);
}

#[test]
fn rules_with_risk_are_written_as_they_are_read() {
    let read = |rules: Value| {
        let policy = json!({ "network": { "rules": rules }, "risk": {} });
        let loaded = policy::load(policy.to_string().as_bytes(), "policy");
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        loaded.policy.unwrap().network.rules
    };
    let full = with(json!({ "risk": 50, "classification": "XSS", "state": "Exploitation" }));
    let rules = read(json!([
        full,
        with(json!({ "name": "s", "address": "10.0.0.2", "risk": 1 })),
        with(json!({ "name": "t", "address": "10.0.0.3" }))
    ]));
    let written = to_json(&rules);
    assert_eq!(written[0]["risk"], 50);
    assert_eq!((&written[1]["classification"], &written[1]["state"]), (&json!("CustomerRule"), &Value::Null));
    assert_eq!(read(written), rules);
}
