//! The binary as a user runs it: output and exit status.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

mod support;

use std::path::{Path, PathBuf};

use support::{portcullis, run};

const GOOD: &str =
    r#"{"rule_sets": [{"name": "basic", "rules": [{"rule_id": 1}, {"mark": "END"}, {"rule_id": 2}]}]}"#;
const WARNED: &str = "{\"rule_sets\": [\n  {\"name\": \"basic\", \"disable_rules\": [7]}\n]}";
const BAD: &str = "{\n  \"rule_sets\": [\n    {\"name\": \"é\", \"rules\": [\n      {\"rule_id\": 5, \"resolution\": \"denyy\"},\n      {\"rule_id\": 5}\n    ]}\n  ]\n}\n";

/// A file in the tests' own folder.
fn file(name: &str, text: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn valid_policies() {
    let good = file("good.json", GOOD.as_bytes());
    let (code, out, err) = run(&["check", good.to_str().unwrap(), "-"], "{}");
    assert_eq!((code, err.as_str()), (0, ""));
    assert_eq!(
        out,
        format!(
            "{}: valid, 1 rule set with 2 rules\n<stdin>: valid, 0 rule sets with 0 rules\n",
            good.display()
        )
    );
}

#[test]
fn warnings_are_shown_and_pass() {
    let (code, out, err) = run(&["check", "-"], WARNED);
    assert_eq!((code, err.as_str()), (0, ""));
    let expected = r#"warning[W0213]: this rule set has no rule 7
 --> <stdin>:2:39
  |
2 |   {"name": "basic", "disable_rules": [7]}
  |                                       ^
  |
  = at: rule_sets[0].disable_rules[0]
  = help: take the id out

<stdin>: valid, 1 rule set with 0 rules, 1 warning
"#;
    assert_eq!(
        out.lines().map(str::trim_end).collect::<Vec<_>>(),
        expected.lines().collect::<Vec<_>>(),
        "{out}"
    );
}

#[test]
fn errors_for_people() {
    let good = file("other.json", GOOD.as_bytes());
    let bad = file("bad.json", BAD.as_bytes());
    let (code, out, err) = run(&["check", good.to_str().unwrap(), bad.to_str().unwrap()], "");
    assert_eq!((code, err.as_str()), (1, ""));
    for expected in [
        "error[E0105]: not a name for a rule set",
        "error[E0105]: `denyy` is not a choice here",
        "{\"rule_id\": 5, \"resolution\": \"denyy\"},",
        "= at: rule_sets[0].rules[0].resolution, rule 5",
        "= help: did you mean `deny`?",
        "error[E0201]: two rules have the id 5",
        "- first here",
        &format!("--> {}:4:36", bad.display()),
        &format!("{}: valid, 1 rule set with 2 rules\n", good.display()),
        &format!("{}: refused, 3 errors\n", bad.display()),
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    assert!(!out.contains('\x1b'), "{out}");
}

#[test]
fn colours_on_demand() {
    let (code, out, _) = run(&["check", "--color", "always", "-"], BAD);
    assert_eq!(code, 1);
    assert!(out.contains('\x1b'), "{out}");
}

#[test]
fn errors_for_programs() {
    let bad = file("bad2.json", BAD.as_bytes());
    let (code, out, err) = run(&["check", "--format", "json", bad.to_str().unwrap(), "-"], WARNED);
    assert_eq!((code, err.as_str()), (1, ""));
    let reports: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(reports.as_array().unwrap().len(), 4, "{out}");
    assert_eq!(
        reports[2],
        serde_json::json!({
            "file": bad.to_str().unwrap(),
            "code": "E0201",
            "level": "error",
            "message": "two rules have the id 5",
            "path": "rule_sets[0].rules[1].rule_id",
            "rule": 5,
            "line": 5,
            "column": 19,
            "help": "rule ids are unique over all rule sets; give this rule another",
            "left_out": 0,
            "labels": [
                {"file": bad.to_str().unwrap(), "line": 5, "column": 19, "end_line": 5, "end_column": 20, "text": ""},
                {"file": bad.to_str().unwrap(), "line": 4, "column": 19, "end_line": 4, "end_column": 20, "text": "first here"},
            ],
        })
    );
    assert_eq!((&reports[3]["file"], &reports[3]["level"]), (&"<stdin>".into(), &"warning".into()));

    let (code, out, _) = run(&["check", "--format", "json", "-"], GOOD);
    assert_eq!((code, out.as_str()), (0, "[]\n"));
}

/// Whatever the bytes are, there is a report and nothing worse.
#[test]
fn unreadable_texts() {
    for text in
        [&b""[..], b"\xff\xfe", b"{\"rule_sets\": \"\xc3", b"{\"\xe9\": 1}", b"\0", b"[[[[", b"{\r\n\r\n,}"]
    {
        let output = portcullis(&["check", "-"], text);
        let out = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}");
        assert!(out.contains("error[E0101]") && out.ends_with("<stdin>: refused, 1 error\n"), "{out}");
    }
}

/// Whether a line begins a report.
fn is_title(line: &str) -> bool {
    ["error[", "warning[", "note["].iter().any(|level| line.starts_with(level))
}

/// What can't work in rules is said of SecLang files as well, also by `bundle`.
#[test]
fn what_cannot_work_is_told() {
    let text = "SecRequestBodyAccess On\nSecRule REQUEST_BODY \"@contains x\" \"id:1,phase:1,deny\"\n\
                SecAction \"id:2,phase:1,pass,nolog,ctl:ruleRemoveById=7\"\n";
    let conf = file("cannot-work.conf", text.as_bytes());
    let (code, out, err) = run(&["check", conf.to_str().unwrap()], "");
    assert_eq!((code, err.as_str()), (0, ""));
    for expected in [
        "warning[W0222]: `REQUEST_BODY` is not there yet",
        "warning[W0411]: there is no rule 7",
        "2 warnings\n",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    let bundle = conf.with_extension("json");
    let arguments = ["bundle", "--seclang", conf.to_str().unwrap(), "-o", bundle.to_str().unwrap()];
    let (code, _, err) = run(&arguments, "");
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning[W0222]") && err.contains("warning[W0411]"), "{err}");

    // The exclusion is behind a rule of the policy that the files are added to.
    let base = file(
        "cannot-work-base.json",
        br#"{"rule_sets": [{"name": "base", "rules": [{"rule_id": 7, "phase": 1}]}]}"#,
    );
    let arguments = [
        "bundle",
        "--policy",
        base.to_str().unwrap(),
        "--seclang",
        conf.to_str().unwrap(),
        "-o",
        bundle.to_str().unwrap(),
    ];
    let (code, _, err) = run(&arguments, "");
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("warning[W0412]") && !err.contains("warning[W0411]"), "{err}");
}

#[test]
fn scripts_take_another_module() {
    let policy = r#"{"files": {"a.lua": {"text": "function main() end"}},
        "rule_sets": [{"name": "x", "rules": [{"rule_id": 1, "execute": "a.lua"}]}]}"#;
    let (code, out, _) = run(&["check", "-"], policy);
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("warning[W0214]: rule 1 runs a script") && out.contains("portcullis-lua.wasm"),
        "{out}"
    );
}

/// Of many equal mistakes in one long line some are shown, each without its line.
#[test]
fn many_mistakes_in_a_long_line() {
    let rules = vec![r#"{"rule_id": 1, "resolution": "denyy"}"#; 4_000].join(",");
    let policy = format!(r#"{{"rule_sets": [{{"name": "x", "rules": [{rules}]}}]}}"#);
    let (code, out, err) = run(&["check", "-"], &policy);
    assert_eq!((code, err.as_str()), (1, ""));
    assert!(out.len() < 200_000, "{} bytes", out.len());
    for expected in [
        "3900 more reports of this kind (value not allowed)",
        "<stdin>:1:",
        "<stdin>: refused, 7999 errors\n",
    ] {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
    let (_, out, _) = run(&["check", "--format", "json", "-"], &policy);
    let reports: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
    assert_eq!(reports.len(), 202);
    assert_eq!(reports.iter().map(|report| report["left_out"].as_u64().unwrap()).sum::<u64>(), 7_799);
}

/// What is no regular file may never end, or wait for somebody.
#[test]
#[cfg(unix)]
fn devices_and_pipes_are_not_read() {
    let pipe = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pipe");
    // That of an earlier run.
    let _ = std::fs::remove_file(&pipe);
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    for name in ["/dev/zero", pipe, env!("CARGO_TARGET_TMPDIR")] {
        let (code, out, err) = run(&["check", name], "");
        assert_eq!((code, out.as_str()), (2, ""));
        assert!(err.contains("no regular file"), "{err}");
        let text = format!("Include {name}\nSecRule ARGS \"@pmFromFile {name}\" \"id:1,phase:2,deny\"\n");
        let conf = file("includes-a-device.conf", text.as_bytes());
        let (code, out, _) = run(&["check", conf.to_str().unwrap()], "");
        assert_eq!(code, 1, "{out}");
        assert_eq!(out.matches("no regular file").count(), 2, "{out}");
    }
}

/// Every golden policy is rendered, for people and for programs.
#[test]
fn golden_policies_are_rendered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/diagnostics/policy");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let expected = std::fs::read_to_string(path.with_extension("out")).unwrap();
            let number = expected.lines().filter(|line| is_title(line)).count();
            let (_, human, err) = run(&["check", path.to_str().unwrap()], "");
            assert_eq!(err, "");
            let titles = human.lines().filter(|line| is_title(line));
            assert_eq!(titles.count(), number, "{human}");
            let (_, json, _) = run(&["check", "--format", "json", path.to_str().unwrap()], "");
            let reports: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
            assert_eq!(reports.len(), number, "{json}");
            count += 1;
        }
    }
    assert!(count >= 40);
}

#[test]
fn wrong_usage() {
    for arguments in [
        &[][..],
        &["check"],
        &["chekc"],
        &["check", "--format", "xml", "-"],
        &["check", "/nonexistent/policy.json"],
    ] {
        let (code, out, err) = run(arguments, "");
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}");
        assert!(!err.is_empty(), "{arguments:?}");
    }
    let (_, _, err) = run(&["check", "/nonexistent/policy.json"], "");
    assert!(err.starts_with("portcullis: can't read /nonexistent/policy.json: "), "{err}");
}

/// Every command that the help names, and those below it.
#[test]
fn help_has_examples() {
    let (code, out, _) = run(&["--help"], "");
    assert_eq!(code, 0);
    assert!(out.contains("Examples:") && out.contains("Usage: portcullis"), "{out}");
    let commands = out.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.contains(&"bundle") && commands.contains(&"ftw") && commands.len() >= 8, "{out}");
    for command in commands {
        let path = if command == "risk" { vec!["risk", "simulate"] } else { vec![command] };
        let (code, out, _) = run(&[&path[..], &["--help"]].concat(), "");
        assert_eq!(code, 0);
        assert!(out.contains("Examples:"), "{out}");
        assert!(out.contains(&format!("portcullis {}", path.join(" "))), "{out}");
        assert!(command == "schema" || out.contains("Exit status:"), "{out}");
    }
}

#[test]
fn the_version_is_that_of_portcullis() {
    let (code, out, _) = run(&["--version"], "");
    assert_eq!((code, out), (0, format!("portcullis {}\n", env!("CARGO_PKG_VERSION"))));
}

/// Whoever reads may go: nothing is said of it, and the status is the true one.
#[test]
fn nobody_has_to_read_on() {
    let bad = file("unread.json", BAD.as_bytes());
    let good = file("unread-good.json", GOOD.as_bytes());
    let rules = file("unread.conf", b"SecAction \"id:1,phase:1,pass,log,msg:'x'\"\nSecDebugLog x\n");
    let armr = file(
        "unread.armr",
        b"app(\"a\"):\n  requires(version: ARMR/2.10)\n  socket(\"s\"):\n    \
        accept(\"10.0.0.1:0\")\n    allow()\n  endsocket\nendapp\n",
    );
    let tests = file("unread.yaml", b"---\nmeta:\n  author: a\nrule_id: 1\ntests:\n  - test_id: 1\n    stages:\n      \
        - input:\n          uri: /\n          headers:\n            Host: a\n        output:\n          log:\n            \
        expect_ids: [1]\n");
    let name = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (bad, good, rules, armr, tests) = (name(&bad), name(&good), name(&rules), name(&armr), name(&tests));
    let exchange = "{\"request\":{\"method\":\"GET\",\"uri\":\"/\"}}\n".repeat(3);
    let connection = "{\"kind\":\"accept\",\"address\":\"10.0.0.1\"}\n".repeat(3);
    for (arguments, input, code) in [
        (&["check", &good][..], "", 0),
        (&["check", &bad], "", 1),
        (&["check", "--format", "json", &bad], "", 1),
        (&["check", "--format", "modsecurity", &rules], "", 0),
        (&["bundle", "--seclang", &rules, "-o", "-"], "", 0),
        (&["eval", "--seclang", &rules], exchange.as_str(), 0),
        (&["eval", "--seclang", "/dev/null"], "nonsense\n", 1),
        (&["network", "--armr", &armr], connection.as_str(), 0),
        (&["import-armr", &armr], "", 0),
        (&["import-armr", "--format", "json", &armr], "", 0),
        (&["risk", "simulate"], "{\"time\":0,\"risk\":50}\n", 0),
        (&["schema"], "", 0),
        (&["schema", "--format", "markdown"], "", 0),
        (&["schema", "--format", "seclang"], "", 0),
        (&["ftw", "--seclang", &rules, "--tests", &tests], "", 0),
        (&["ftw", "--seclang", &rules, "--tests", &tests, "--format", "json"], "", 0),
        (&["ftw", "--tests", &tests, "--format", "exchanges"], "", 0),
        (&["--help"], "", 0),
        (&["eval", "--help"], "", 0),
    ] {
        let (found, error) = support::unread(arguments, input.as_bytes(), false);
        assert_eq!(found, code, "{arguments:?}: {error}");
        assert!(!error.contains("pipe") && !error.contains("panicked"), "{arguments:?}: {error}");
        let (found, _) = support::unread(arguments, input.as_bytes(), true);
        assert_eq!(found, code, "{arguments:?}, with nobody to read the errors either");
    }
}

/// What is given in place of a policy, or of SecLang, is called by its name, with what to do about it.
#[test]
fn other_texts_are_called_by_their_names() {
    let seclang = "# rules\nSecRuleEngine On\n";
    let manifest = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\n";
    let armr = "app(\"a\"):\nendapp\n";
    for (name, text, expected) in [
        ("mistaken.txt", seclang, &["this is SecLang", ":2:1", "--seclang"][..]),
        ("mistaken.yaml", manifest, &["a manifest of Kubernetes in YAML", ":1:1", ".spec.pluginConfig"]),
        (
            "mistaken2.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}",
            &["a manifest of Kubernetes"],
        ),
        (
            "envoy.yaml",
            "static_resources:\n  listeners: []\n",
            &["a configuration of Envoy", "configuration.value"],
        ),
        ("policy.yaml", "enforcement: strict\n", &["a policy in YAML", "yq -o json"]),
        ("mistaken.rules", armr, &["this is ARMR", "`.armr`"]),
        ("struct.bin", "\n\x0f\n\trule_sets\x12\x022\0", &["google.protobuf.Struct", "StringValue"]),
    ] {
        let path = file(name, text.as_bytes());
        let (code, out, _) = run(&["check", path.to_str().unwrap()], "");
        assert_eq!(code, 1, "{out}");
        for words in expected {
            assert!(out.contains(words), "{name}: {words}\n{out}");
        }
        assert!(out.ends_with("refused, 1 error\n"), "{out}");
    }
    for (name, text, expected) in [
        ("policy-as-rules.json", GOOD, "this is JSON, not SecLang"),
        ("manifest-as-rules.yaml", manifest, "this is YAML, not SecLang"),
        ("armr-as-rules.conf", armr, "this is ARMR, not SecLang"),
    ] {
        let path = file(name, text.as_bytes());
        let (code, out, _) = run(&["check", "--seclang", path.to_str().unwrap()], "");
        assert_eq!(code, 1, "{out}");
        assert!(out.contains(expected) && out.contains("help: ") && out.ends_with("1 error\n"), "{out}");
    }
}

/// `docs/policy.schema.json` is what the command prints; `UPDATE_GOLDEN=1` writes it anew.
#[test]
fn committed_schema_is_current() {
    let (code, out, _) = run(&["schema"], "");
    assert_eq!(code, 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/policy.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &out).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == out, "run the test with UPDATE_GOLDEN=1");
}

/// What follows the marker in a document is what the command prints in `format`; `UPDATE_GOLDEN=1` writes it anew.
fn generated_part_is_current(format: &str, document: &str) {
    let (code, out, _) = run(&["schema", "--format", format], "");
    assert_eq!(code, 0);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let (by_hand, rest) = text.split_once("<!-- Generated").unwrap();
    let (marker, generated) = rest.split_once('\n').unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{by_hand}<!-- Generated{marker}\n{out}")).unwrap();
        return;
    }
    assert!(generated == out, "run the test with UPDATE_GOLDEN=1");
}

#[test]
fn committed_reference_is_current() {
    generated_part_is_current("markdown", "configuration.md");
}

#[test]
fn committed_coverage_is_current() {
    generated_part_is_current("seclang", "seclang.md");
}

/// What SKUDONET's tools look for in the words of libmodsecurity.
#[test]
fn errors_in_the_words_of_libmodsecurity() {
    let rules = "SecRule ARGS \"@rx a\" \"id:1,foo\"\nSecRule NOPE \"@rx a\" \"id:2\"\nInclude missing.conf\nSecTmpDir /tmp\n";
    let path = file("words.conf", rules.as_bytes());
    let (code, out, err) = run(&["check", "--format", "modsecurity", path.to_str().unwrap()], "");
    assert_eq!((code, err.as_str()), (1, ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    let begin = format!("Rules error. File: {}. Line: ", path.display());
    for (line, words) in lines.iter().zip([
        "1. Column: 28. Expecting an action, got: foo",
        "2. Column: 9. Expecting a variable, got: : NOPE",
        "3. Column: 9. Failed to open file: ",
    ]) {
        assert!(line.starts_with(&format!("{begin}{words}")), "{line}");
    }
}

/// Every whole policy in the documentation is one that the module takes.
#[test]
fn policies_in_the_documentation_are_valid() {
    for file in ["README.md", "docs/configuration.md", "docs/network.md", "docs/risk.md"] {
        let text =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)).unwrap();
        let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        let policies: Vec<&str> =
            blocks.filter(|block| block.contains("\"rule_sets\"") || block.contains("\"risk\": {")).collect();
        assert!(!policies.is_empty(), "{file}");
        for policy in policies {
            let (code, out, err) = run(&["check", "-"], policy);
            assert_eq!(code, 0, "{file}: {out}{err}");
        }
    }
}
