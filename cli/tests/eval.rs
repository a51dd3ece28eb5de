//! `eval` as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::run;

/// One rule that logs, one that only counts, one that tells a body without length, one that refuses without a word.
const RULES: &str = "SecRequestBodyAccess On\n\
    SecAction \"id:1,phase:1,pass,nolog,setvar:tx.seen=1\"\n\
    SecRule REQUEST_METHOD \"@streq POST\" \"id:2,phase:1,pass,log,msg:'No length',chain\"\n\
    SecRule &REQUEST_HEADERS:Content-Length \"@eq 0\" \"chain\"\n\
    SecRule &REQUEST_HEADERS:Transfer-Encoding \"@eq 0\"\n\
    SecRule ARGS \"@contains evil\" \"id:3,phase:2,pass,log,msg:'Evil'\"\n\
    SecRule ARGS \"@contains quiet\" \"id:4,phase:2,deny,nolog\"\n";

fn rules(name: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, RULES).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The verdict about one exchange.
fn verdict(rules: &str, more: &[&str], exchange: &Value) -> Value {
    let (code, out, err) = run(&[&["eval", "--seclang", rules], more].concat(), &exchange.to_string());
    assert_eq!((code, err.as_str()), (0, ""), "{exchange}");
    serde_json::from_str(&out).unwrap()
}

fn matched(verdict: &Value) -> Vec<u64> {
    verdict["matched"].as_array().unwrap().iter().map(|found| found["rule_id"].as_u64().unwrap()).collect()
}

fn form(body: &str, headers: &Value) -> Value {
    json!({ "request": { "method": "POST", "uri": "/", "headers": headers, "body": body } })
}

#[test]
fn a_body_has_a_length() {
    let rules = rules("eval-length.conf");
    assert_eq!(matched(&verdict(&rules, &[], &form("a=1", &json!({ "Host": "a" })))), [0; 0]);
    for headers in [json!({ "transfer-encoding": "chunked" }), json!([["Content-Length", "3"]])] {
        assert_eq!(matched(&verdict(&rules, &[], &form("a=1", &headers))), [0; 0]);
    }
    // Without a body there is nothing to give a length to.
    let bare = json!({ "request": { "method": "POST", "uri": "/" } });
    assert_eq!(matched(&verdict(&rules, &[], &bare)), [2]);
}

#[test]
fn matches_that_are_logged_and_all() {
    let rules = rules("eval-all.conf");
    let exchange = json!({ "request": { "method": "GET", "uri": "/?a=evil&b=quiet" } });
    let logged = verdict(&rules, &[], &exchange);
    assert_eq!(matched(&logged), [3]);
    assert_eq!((&logged["outcome"]["action"], &logged["outcome"]["rule_id"]), (&json!("deny"), &json!(4)));
    assert_eq!(logged["tx"]["seen"], "1");
    assert_eq!(matched(&verdict(&rules, &["--all"], &exchange)), [1, 3, 4]);
    assert_eq!(run(&["eval", "--seclang", &rules, "--all", "--audit"], "").0, 2);
}

#[test]
fn headers_are_an_object_or_pairs() {
    let rules = rules("eval-headers.conf");
    let form_type = "application/x-www-form-urlencoded";
    for headers in [json!({ "content-type": form_type }), json!([["Content-Type", form_type]])] {
        assert_eq!(matched(&verdict(&rules, &[], &form("a=evil", &headers))), [3]);
    }
}

/// A line that can't be used is said with its number, its place and what to do; the others are judged.
#[test]
fn lines_that_cannot_be_used() {
    let rules = rules("eval-errors.conf");
    let good = json!({ "id": "good", "request": { "method": "GET", "uri": "/" } }).to_string();
    for (bad, expected) in [
        ("x", "line 2: not JSON at column 1"),
        ("{\"request\":", "line 2: the JSON ends too early, at column 11; each line holds a whole object"),
        ("[]", "line 2: expected an exchange, which is an object, found an array"),
        ("{\"request\":{\"method\":\"GET\"}}", "line 2: `request`: the field `uri` is missing"),
        (
            "{\"request\":{\"method\":\"GET\",\"uri\":\"/\",\"headers\":[[\"Host\"]]}}",
            "line 2: `request.headers[0]`: no header; headers are `[[\"name\", \"value\"], …]` or",
        ),
        (
            "{\"request\":{\"method\":\"GET\",\"uri\":\"/\",\"header\":{}}}",
            "line 2: `request`: a request has no field `header`; did you mean `headers`?",
        ),
    ] {
        let (code, out, err) = run(&["eval", "--seclang", &rules], &format!("{good}\n{bad}\n\n{good}\n"));
        assert_eq!(code, 1, "{bad}");
        assert_eq!(out.lines().count(), 2, "{out}");
        assert!(err.starts_with(expected) && err.lines().count() == 1, "{bad}: {err}");
        for raw in ["variant", "untagged", "invalid type", "at line", "tuple"] {
            assert!(!err.contains(raw), "{bad}: {err}");
        }
    }
    let output = support::portcullis(&["eval", "--seclang", &rules], b"\xff\xfe\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("line 1: not UTF-8"));
}
