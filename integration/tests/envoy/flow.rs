//! Skip and skip after.

use portcullis_integration::{Enforcement, Request};
use serde_json::{Value, json};

use crate::support::{assert_passed, policy, rule, start, with};

/// A rule that logs whenever a request comes.
fn note(id: u64, phase: u8) -> Value {
    rule(id, phase, "pass", "REQUEST_URI", "strBegins", "/")
}

/// A rule that matches `x-skip: yes` and skips somewhere.
fn skipper(id: u64, phase: u8, how: Value) -> Value {
    with(rule(id, phase, "pass", "REQUEST_HEADERS:x-skip", "strEq", "yes"), how)
}

async fn logged(rules: &[Value]) -> [Vec<u64>; 2] {
    let gateway = start(&policy(rules), Enforcement::Strict).await;
    let mut logged = Vec::new();
    for value in ["yes", "no"] {
        let exchange = gateway.send1(Request::get("/").header("x-skip", value)).await.unwrap();
        assert_passed(&exchange, &exchange.rules());
        logged.push(exchange.rules());
    }
    logged.try_into().unwrap()
}

pub(crate) async fn skip_leaves_rules_of_the_phase_out() {
    // The rule of phase 2 and the marker in between don't count.
    let rules = [
        skipper(401, 1, json!({ "skip": 2 })),
        note(402, 1),
        note(403, 2),
        json!({ "mark": "HERE" }),
        note(404, 1),
        note(405, 1),
    ];
    assert_eq!(logged(&rules).await, [vec![401, 405, 403], vec![402, 404, 405, 403]]);
}

pub(crate) async fn skip_after_jumps_to_a_mark() {
    let rules = [
        skipper(411, 2, json!({ "skip_after": "END" })),
        note(412, 2),
        json!({ "mark": "OTHER" }),
        note(413, 2),
        json!({ "mark": "END" }),
        note(414, 2),
    ];
    assert_eq!(logged(&rules).await, [vec![411, 414], vec![412, 413, 414]]);
}

pub(crate) async fn skip_after_jumps_to_a_rule() {
    // Evaluation goes on at the rule itself.
    let rules = [skipper(421, 1, json!({ "skip_after": "423" })), note(422, 1), note(423, 1), note(424, 1)];
    assert_eq!(logged(&rules).await, [vec![421, 423, 424], vec![422, 423, 424]]);
}
