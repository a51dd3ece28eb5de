//! What events look like.

use portcullis_rules::eval::UnixNanos;
use portcullis_rules::net::{
    Device, End, Event, EventFlow, EventFormat, NetworkPlan, Operation, RequestFacts,
};
use serde_json::{Value, json};

use crate::selection::plan_of;

const NOW: UnixNanos = UnixNanos(1_616_411_022_101_900_000);

fn plan(more: Value) -> NetworkPlan {
    let mut rule = json!({ "name": "no strangers", "kind": "accept", "address": "any", "start_port": 0,
        "action": "protect", "severity": "high", "app": "shop" });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    plan_of(&json!({ "rules": [rule] }))
}

fn device() -> Device {
    Device { host: b"gateway-1".to_vec(), process: b"7".to_vec() }
}

fn event<'a>(plan: &'a NetworkPlan, operation: Operation, end: End<'a>) -> Event<'a> {
    let rule = &plan.policy().rules[0];
    Event { rule, operation, end, host: None, request: None, detail: &[], now: NOW }
}

fn end(address: &str) -> End<'static> {
    End { address: address.parse().ok(), port: 41000, names: &[] }
}

fn cef(event: &Event<'_>) -> String {
    String::from_utf8(event.render(EventFormat::Cef, &device())).unwrap()
}

#[test]
fn the_line_of_an_accept_rule() {
    let plan = plan(json!({}));
    assert_eq!(
        cef(&event(&plan, Operation::Accept, end("192.0.2.7"))),
        "<10>1 2021-03-22T11:03:42.101Z gateway-1 portcullis 7 - - CEF:0|ARMR:shop|shop|2.10|no strangers|\
         Execute Rule|High|rt=Mar 22 2021 11:03:42.1019 +0000 dvchost=gateway-1 procid=7 appVersion=1 \
         ruleType=socket securityFeature=socket accept act=protect \
         msg=connection from 192.0.2.7:41000 refused by rule no strangers \
         remoteIpAddress=192.0.2.7 remotePort=41000"
    );
}

#[test]
fn each_operation_has_its_keys() {
    let plan = plan(json!({ "message": "m", "log": { "cve": "CVE-2026-1" } }));
    for (operation, keys) in [
        (
            Operation::Accept,
            "securityFeature=socket accept act=protect msg=m remoteIpAddress=2001:db8::1 remotePort=41000",
        ),
        (
            Operation::Connect,
            "securityFeature=socket connect act=protect msg=m remoteIpAddress=2001:db8::1 remotePort=41000",
        ),
        (
            Operation::BindClient,
            "securityFeature=socket bind act=protect msg=m localIpAddress=2001:db8::1 localPort=41000",
        ),
        (
            Operation::BindServer,
            "securityFeature=socket serverbind act=protect msg=m localIpAddress=2001:db8::1 localPort=41000",
        ),
    ] {
        let line = cef(&event(&plan, operation, end("2001:db8::1")));
        assert!(line.ends_with(&format!("{keys} cve=CVE-2026-1")), "{line}");
    }
}

#[test]
fn a_rule_for_a_host_names_the_host() {
    let plan = plan(json!({ "kind": "connect", "address": "Db.Example.com" }));
    let names: [&[u8]; 3] = [b"outbound-cluster", b"db.example.com.", b"other.example.com"];
    let end = End { names: &names, ..end("10.0.0.1") };
    let selected = plan.select(Operation::Connect, &end).unwrap();
    let event = Event { host: selected.host(), ..event(&plan, Operation::Connect, end) };
    let line = cef(&event);
    assert!(line.contains("msg=connection to db.example.com:41000 refused by rule no strangers "), "{line}");
    assert!(line.ends_with("remoteIpAddress=10.0.0.1 remotePort=41000 hostname=db.example.com"), "{line}");
}

#[test]
fn severities_and_priorities() {
    for (severity, priority, word) in [
        ("critical", 9, "Very-High"),
        ("high", 10, "High"),
        ("medium", 12, "Medium"),
        ("low", 13, "Low"),
        ("unknown", 14, "Unknown"),
    ] {
        let plan = plan(json!({ "severity": severity }));
        let line = cef(&event(&plan, Operation::Accept, end("192.0.2.7")));
        assert!(line.starts_with(&format!("<{priority}>1 ")), "{line}");
        assert!(line.contains(&format!("|Execute Rule|{word}|")), "{line}");
    }
}

#[test]
fn what_others_wrote_can_not_forge_a_line() {
    let plan = plan(json!({ "name": "a|b\\c", "app": "x|y", "message": "k=v \\ \n<10>1 forged" }));
    let mut event = event(&plan, Operation::Accept, end("192.0.2.7"));
    event.request = Some(RequestFacts { method: b"GET", uri: b"/a=b\r\n\x00\xff act=allow\xe4\xb8\xad" });
    let line = cef(&event);
    assert!(!line.contains(['\n', '\r', '\0']), "{line}");
    assert!(line.contains("|x\\|y|2.10|a\\|b\\\\c|Execute Rule|"), "{line}");
    assert!(line.contains("msg=k\\=v \\\\ \\n<10>1 forged "), "{line}");
    assert!(
        line.contains("httpRequestUri=/a\\=b\\r\\n\\\\x00\\\\xff act\\=allow\u{4e2d} httpRequestMethod=GET"),
        "{line}"
    );
    let device = Device { host: b"a b\n".to_vec(), process: Vec::new() };
    let line = String::from_utf8(event.render(EventFormat::Cef, &device)).unwrap();
    assert!(line.contains("Z a_b_ portcullis - - - CEF:0|"), "{line}");
}

#[test]
fn the_way_a_connection_took() {
    let plan = plan(json!({ "connection_detail": true, "message": "m" }));
    let detail = [("listener", b"ingress".to_vec()), ("cluster", Vec::new()), ("sni", b"a=b".to_vec())];
    let mut event = event(&plan, Operation::Accept, end("192.0.2.7"));
    event.detail = &detail;
    assert!(cef(&event).contains(" msg=m stacktrace=listener: ingress\\nsni: a\\=b remoteIpAddress="));
}

#[test]
fn json_has_the_same_fields() {
    let plan = plan(json!({ "message": "m", "log": { "cve": "1" } }));
    let mut event = event(&plan, Operation::Connect, End { names: &[b"db"], ..end("192.0.2.7") });
    event.request = Some(RequestFacts { method: b"GET", uri: b"/\xff" });
    let line = event.render(EventFormat::Json, &device());
    let value: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(
        value,
        json!({
            "time": "2021-03-22T11:03:42.101Z", "host": "gateway-1", "vendor": "ARMR:shop", "product": "shop",
            "version": "2.10", "rule": "no strangers", "event": "Execute Rule", "severity": "High",
            "rt": "Mar 22 2021 11:03:42.1019 +0000", "dvchost": "gateway-1", "procid": "7", "appVersion": 1,
            "ruleType": "socket", "securityFeature": "socket connect", "act": "protect", "msg": "m",
            "remoteIpAddress": "192.0.2.7", "remotePort": 41000, "hostname": "db",
            "httpRequestUri": "/\\xff", "httpRequestMethod": "GET", "cve": "1",
        })
    );
}

#[test]
fn a_notice_says_what_follows() {
    let plan = plan(json!({}));
    let event = event(&plan, Operation::Accept, end("192.0.2.7"));
    let line = event.render_notice(EventFormat::Cef, &device(), EventFlow { most: 3, pause_seconds: 60 });
    let line = String::from_utf8(line).unwrap();
    assert!(
        line.contains("|Execute Rule|") && line.contains("threshold of 3") && line.contains("60 seconds"),
        "{line}"
    );
}

#[test]
fn silent_rules_are_silent() {
    for (rule, logged) in [
        (json!({}), true),
        (json!({ "message": "" }), true),
        (json!({ "disable_logging": true }), false),
        (json!({ "action": "allow", "disable_logging": true }), false),
    ] {
        let plan = plan(rule.clone());
        assert_eq!(event(&plan, Operation::Accept, end("192.0.2.7")).is_logged(), logged, "{rule}");
    }
}
