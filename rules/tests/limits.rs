//! Limits and gaps that no scenario reaches: bodies larger than what Envoy holds, and bodies that end early.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::sync::Arc;

use portcullis_rules::eval::{
    Connection, Disruption, Field, Gap, RequestHead, Transaction, UnixNanos, Verdict,
};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;

const NOW: UnixNanos = UnixNanos(1_709_212_455_500_000_000);

/// A transaction that has seen a request's head and this much of its body.
fn request(policy: &str, content_type: &str, body: &[u8]) -> Transaction {
    let plan = Plan::new(&policy::load(policy.as_bytes(), "policy").policy.unwrap()).unwrap();
    let mut transaction = Transaction::new(Arc::new(plan), &Connection::default(), b"id", NOW);
    let headers: [Field<'_>; 2] = [(b"host", b"a.example"), (b"content-type", content_type.as_bytes())];
    let head = RequestHead { method: b"POST", target: b"/", protocol: b"HTTP/1.1", headers: &headers };
    assert_eq!(transaction.request_headers(&head, NOW), Verdict::Continue);
    let _ = transaction.request_body(body);
    transaction
}

/// The status with which the request is refused once its body is complete, and what was not inspected.
fn judged(mut transaction: Transaction) -> (Option<u16>, Vec<Gap>) {
    let status = match transaction.request_complete(NOW) {
        Verdict::Continue => None,
        Verdict::Interrupt(end) => match end.disruption {
            Disruption::Deny { status } => Some(status),
            other => panic!("{other:?}"),
        },
    };
    (status, transaction.take_gaps().iter().map(|event| event.gap).collect())
}

#[test]
fn xml_with_more_nodes_than_envoy_has_room_for() {
    let policy = r#"{"rule_sets": [{"name": "x", "request_body_limit": 4000000, "seclang":
        "SecRule REQUEST_HEADERS:Content-Type xml \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\""}]}"#;
    let body = |nodes: usize| format!("<r>{}</r>", "<a/>".repeat(nodes));
    assert_eq!(judged(request(policy, "text/xml", body(499_999).as_bytes())), (None, Vec::new()));
    assert_eq!(
        judged(request(policy, "text/xml", body(500_000).as_bytes())),
        (Some(400), vec![Gap::XmlSize])
    );
}

#[test]
fn a_body_that_ends_early_is_not_in_error() {
    let policy = r#"{"rule_sets": [{"name": "x"}]}"#;
    let half = || request(policy, "application/json", br#"{"a": "b"#);
    assert_eq!(judged(half()), (Some(400), vec![Gap::Unparsable]));
    let mut cut = half();
    cut.request_cut();
    assert_eq!(judged(cut), (None, Vec::new()));
}
