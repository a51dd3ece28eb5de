//! `import-armr` and `network` as a user runs them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use support::run;

const ARMR: &str = r#"app("a"):
  requires(version: ARMR/2.10)
  socket("strangers"):
    accept("0.0.0.0:0")
    protect(message: "", severity: High)
  endsocket
  socket("ours"):
    accept("10.0.0.0/8:0")
    allow()
  endsocket
endapp
"#;
const BROKEN: &str = "app(\"b\"):\n  requires(version: ARMR/2.10)\n  socket(\"r\"):\n    accept(\"10.0.0.1\")\n    \
                      protect()\n  endsocket\nendapp\n";

fn file(name: &str, text: &str) -> String {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn armr_becomes_a_policy_that_decides_the_same() {
    let armr = file("good.armr", ARMR);
    let (code, policy, err) = run(&["import-armr", &armr], "");
    assert_eq!((code, err.as_str()), (0, ""));
    let policy_file = file("imported.json", &policy);
    assert_eq!(run(&["check", &policy_file, &armr], "").0, 0);
    let connections = "{\"id\":1,\"kind\":\"accept\",\"address\":\"10.1.2.3\",\"port\":9}\n\
                       {\"id\":2,\"kind\":\"accept\",\"address\":\"11.1.2.3\"}\n\n\
                       {\"id\":3,\"kind\":\"connect\",\"address\":\"11.1.2.3\",\"host\":[\"a\",\"b\"],\"path\":\"/x\"}\n";
    let (_, of_policy, _) = run(&["network", "--policy", &policy_file], connections);
    let (code, of_text, _) = run(&["network", "--armr", &armr], connections);
    assert_eq!(code, 0);
    let read = |out: &str| -> Vec<Value> {
        let lines = out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|mut one| {
                one["cef"] = Value::Null;
                one["event"] = Value::Null;
                one
            })
            .collect()
    };
    assert_eq!(read(&of_policy), read(&of_text));
    let decisions = read(&of_text);
    assert_eq!(decisions[0]["outcome"], "proceed");
    assert_eq!(
        decisions[0]["rule"],
        json!({ "app": "a", "name": "ours", "action": "allow", "severity": "unknown", "number": 1 })
    );
    assert_eq!(decisions[0]["matched"], json!({ "level": "network", "address": "10.0.0.0/8", "ports": "0" }));
    assert_eq!((&decisions[1]["outcome"], &decisions[1]["applied"]), (&json!("refuse"), &json!(true)));
    assert_eq!((&decisions[2]["rule"], &decisions[2]["outcome"]), (&Value::Null, &json!("proceed")));
    assert!(
        of_text.contains("act=protect") && of_text.contains("\"remoteIpAddress\":\"11.1.2.3\""),
        "{of_text}"
    );
}

#[test]
fn an_invalid_app_is_reported_and_others_are_printed() {
    let both = file("both.armr", &format!("{ARMR}{BROKEN}"));
    let (code, out, err) = run(&["import-armr", &both], "");
    assert_eq!(code, 1);
    assert!(out.contains("strangers") && !out.contains("\"r\""), "{out}");
    assert!(err.contains("E0508") && err.contains("both.armr:15:12"), "{err}");
    let (code, out, err) = run(&["import-armr", "-", "--format", "json"], BROKEN);
    assert_eq!((code, err.as_str()), (1, ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["diagnostics"][0]["code"], "E0508");
    assert_eq!(
        (&report["diagnostics"][0]["line"], &report["policy"]["network"]["rules"]),
        (&json!(4), &json!([]))
    );
    assert_eq!(run(&["check", &both], "").0, 1);
    let (code, out, _) =
        run(&["check", "-"], &json!({ "network": { "armr": format!("{ARMR}{BROKEN}") } }).to_string());
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("W0601") && out.contains("2 network rules"), "{out}");
}

#[test]
fn what_is_no_armr_is_called_by_its_name() {
    for (name, text, expected) in [
        ("armr-policy.json", "{\"network\": {}}", "this is JSON, not ARMR"),
        ("armr-rules.txt", "SecRuleEngine On\n", "this is SecLang, not ARMR"),
        ("armr.yaml", "rule_sets: []\n", "this is YAML, not ARMR"),
    ] {
        let (code, out, err) = run(&["import-armr", &file(name, text)], "");
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
        assert!(
            err.contains(expected) && err.contains("help: ") && err.matches("error[").count() == 1,
            "{err}"
        );
    }
}

#[test]
fn lines_that_are_no_connections_are_said() {
    let armr = file("lines.armr", ARMR);
    for (line, expected) in [
        ("{", "the JSON ends too early"),
        ("{\"kind\":\"listen\"}", "use one of accept, connect"),
        ("{\"kind\":\"accept\",\"address\":\"x\"}", "`x` is no IP address"),
        ("{\"kind\":\"accept\",\"prot\":1}", "a connection has no field `prot`; did you mean `port`?"),
        ("{\"kind\":\"accept\",\"port\":70000}", "`port`: expected an integer from 0 to 65535, found 70000"),
        ("{\"kind\":\"accept\",\"host\":1}", "`host`: expected a name, or an array of names, found a number"),
        ("{\"kind\":\"accept\",\"method\":\"GET\"}", "a request has a path"),
    ] {
        let (code, out, err) = run(&["network", "--armr", &armr], line);
        assert_eq!((code, out.as_str()), (1, ""), "{line}");
        assert!(err.starts_with("line 1: ") && err.contains(expected), "{err}");
    }
    assert_eq!(run(&["network"], "").0, 2);
}
