//! What makes a condition apply.

use portcullis_integration::{Enforcement, Gateway, Request};
use serde_json::{Value, json};

use crate::support::{policy, start};

/// A rule of phase 2 that denies, with these conditions.
fn deny(id: u64, matches: Value) -> Value {
    json!({ "rule_id": id, "phase": 2, "resolution": "deny", "matches": matches })
}

/// Asserts that a request is denied by these rules, or passes when there are none.
async fn meets(gateway: &Gateway, request: Request, rules: &[u64]) {
    let exchange = gateway.send1(request).await.unwrap();
    assert_eq!(exchange.rules(), rules, "{exchange:#?}");
    assert_eq!(exchange.reply.status, Some(if rules.is_empty() { 200 } else { 403 }), "{exchange:#?}");
}

pub(crate) async fn multi_match_tests_each_stage() {
    // "Secret" is there after base64Decode, and gone again after lowercase.
    let stages = |variable: &str, multi_match: bool| {
        json!([{
            "variables": [variable],
            "transformations": ["base64Decode", "lowercase"],
            "multi_match": multi_match,
            "operator": "strEq",
            "operating": "Secret",
        }])
    };
    let policy = policy(&[
        deny(501, stages("REQUEST_HEADERS:x-once", false)),
        deny(502, stages("REQUEST_HEADERS:x-each", true)),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    meets(&gateway, Request::get("/").header("x-once", "U2VjcmV0"), &[]).await;
    meets(&gateway, Request::get("/").header("x-each", "U2VjcmV0"), &[502]).await;
    meets(&gateway, Request::get("/").header("x-each", "Secret"), &[502]).await;
    meets(&gateway, Request::get("/").header("x-each", "secret"), &[]).await;
}

pub(crate) async fn a_count_tells_absence() {
    let count = |variable: &str, operator: &str, number: &str| json!([{ "variables": [variable], "operator": operator, "operating": number }]);
    let policy = policy(&[
        deny(511, count("&REQUEST_HEADERS:x-needed", "intEQ", "0")),
        deny(512, count("&ARGS", "intGT", "2")),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    let needed = |target: &str| Request::get(target).header("x-needed", "");
    meets(&gateway, Request::get("/"), &[511]).await;
    meets(&gateway, needed("/?a=1&b=2"), &[]).await;
    meets(&gateway, needed("/?a=1&b=2&a=3"), &[512]).await;
}

pub(crate) async fn negation_is_per_value() {
    let policy = policy(&[deny(
        521,
        json!([{ "variables": ["ARGS"], "operator": "strContains", "operating": "x", "not_match": true }]),
    )]);
    let gateway = start(&policy, Enforcement::Strict).await;
    meets(&gateway, Request::get("/?a=x&b=xy"), &[]).await;
    meets(&gateway, Request::get("/?a=x&b=y"), &[521]).await;
    // What isn't there has no value that could lack anything.
    meets(&gateway, Request::get("/"), &[]).await;
}

pub(crate) async fn all_conditions_of_a_rule_must_apply() {
    let policy = policy(&[deny(
        531,
        json!([
            { "variables": ["REQUEST_METHOD"], "operator": "strEq", "operating": "POST" },
            { "variables": ["ARGS:a", "ARGS:b"], "operator": "strRegex", "operating": "^\\d+$" },
        ]),
    )]);
    let gateway = start(&policy, Enforcement::Strict).await;
    meets(&gateway, Request::get("/?a=1"), &[]).await;
    meets(&gateway, Request::form("/", "a=one"), &[]).await;
    meets(&gateway, Request::form("/", "a=one&b=2"), &[531]).await;
}

pub(crate) async fn values_are_transformed_in_order() {
    let decoded = |transformations: [&str; 3]| {
        json!([{
            "variables": ["REQUEST_HEADERS:x-code"],
            "transformations": transformations,
            "operator": "strEq",
            "operating": "<script>",
        }])
    };
    // Hexadecimal of "%3CScript%3E".
    let request = Request::get("/").header("x-code", "253343536372697074253345");
    let in_order = policy(&[deny(541, decoded(["hexDecode", "urlDecode", "lowercase"]))]);
    meets(&start(&in_order, Enforcement::Strict).await, request.clone(), &[541]).await;
    let out_of_order = policy(&[deny(542, decoded(["urlDecode", "hexDecode", "lowercase"]))]);
    meets(&start(&out_of_order, Enforcement::Strict).await, request, &[]).await;
}
