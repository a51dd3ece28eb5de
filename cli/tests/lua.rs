//! The example of `docs/lua.md` does what is said of it, and scripts get into bundles.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use portcullis_rules::eval::{Connection, Disruption, Outcome, RequestHead, Transaction, UnixNanos, Verdict};
use portcullis_rules::lua::ScriptEvent;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;

fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).expect("a block");
    rest.split_once("```").expect("its end").0
}

fn run(policy: &[u8], cookie: &str) -> (Outcome, Vec<String>) {
    let loaded = policy::load(policy, "policy.json");
    let lines: Vec<String> = loaded.diagnostics.iter().map(|d| d.one_line(&loaded.sources)).collect();
    assert!(loaded.policy.is_some(), "{lines:#?}");
    let policy = loaded.policy.unwrap();
    let plan = Arc::new(Plan::new(&policy).unwrap());
    let connection = Connection { client_address: b"192.0.2.1", ..Connection::default() };
    let mut transaction = Transaction::new(plan, &connection, b"id", UnixNanos(0));
    let headers: [(&[u8], &[u8]); 2] = [(b"Host", b"example.com"), (b"Cookie", cookie.as_bytes())];
    let head = RequestHead { method: b"GET", target: b"/", protocol: b"HTTP/1.1", headers: &headers };
    if transaction.request_headers(&head, UnixNanos(0)) == Verdict::Continue {
        transaction.request_complete(UnixNanos(0));
    }
    transaction.finish(UnixNanos(0));
    let mut lines: Vec<Vec<u8>> = transaction.take_script_events().iter().map(ScriptEvent::line).collect();
    lines.extend(transaction.take_matches().into_iter().filter_map(|found| found.log_line));
    (transaction.outcome(), lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

#[test]
fn the_example_of_the_documentation() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/lua.md");
    let text = std::fs::read_to_string(file).unwrap();
    let policy = block(&text, "json");
    let value: serde_json::Value = serde_json::from_str(policy).unwrap();
    assert_eq!(value["files"]["session.lua"]["text"].as_str().unwrap(), block(&text, "lua"));

    let (outcome, lines) = run(policy.as_bytes(), "session=nope");
    assert!(
        matches!(&outcome, Outcome::Interrupted(end) if end.disruption == Disruption::Deny { status: 400 }),
        "{outcome:?}"
    );
    assert!(lines.iter().any(|line| line.contains("[msg \"malformed session id\"]")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("(rule 3001): session id of 4 bytes")), "{lines:#?}");
    let (outcome, lines) = run(policy.as_bytes(), "session=0123456789abcdef0123456789abcdef");
    assert_eq!((outcome, lines.len()), (Outcome::Pass, 0));
}

#[test]
fn scripts_get_into_bundles() {
    let folder = std::env::temp_dir().join(format!("portcullis-lua-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("scripts")).unwrap();
    let script = "function main(value) if value == 'bad' then return 'found' end end\n";
    for name in ["a.lua", "b.lua", "c.lua"] {
        std::fs::write(folder.join("scripts").join(name), script).unwrap();
    }
    let rules = "SecRuleScript scripts/a.lua \"id:1,phase:1,pass\"\n\
                 SecRule REQUEST_COOKIES:session \"@inspectFile scripts/b.lua\" \"id:2,phase:1,deny,exec:scripts/c.lua\"\n";
    std::fs::write(folder.join("main.conf"), rules).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["bundle", "--seclang"])
        .arg(folder.join("main.conf"))
        .args(["-o", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policy: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let files: Vec<&String> = policy["files"].as_object().unwrap().keys().collect();
    assert_eq!(files.iter().filter(|name| name.ends_with(".lua")).count(), 3, "{files:?}");
    let (outcome, _) = run(&output.stdout, "session=bad");
    assert!(matches!(outcome, Outcome::Interrupted(end) if end.rule_id == 2));
    std::fs::remove_dir_all(folder).unwrap();
}
