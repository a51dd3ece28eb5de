//! ARMR texts and their verdicts.

use portcullis_rules::diagnostic::{Level, Sources};
use portcullis_rules::net::{armr, to_json};
use portcullis_rules::policy;
use proptest::prelude::*;
use serde_json::{Value, json};

const TEXTS: &str = include_str!("armr.txt");

struct Case {
    name: &'static str,
    verdict: &'static str,
    codes: Vec<&'static str>,
    text: &'static str,
}

fn cases() -> Vec<Case> {
    let cases = TEXTS.split("\n== ").skip(1).map(|case| {
        let (head, text) = case.split_once('\n').unwrap_or((case, ""));
        let [name, verdict, codes] = head.split('|').collect::<Vec<_>>()[..] else { panic!("{head}") };
        Case { name: name.trim(), verdict: verdict.trim(), codes: codes.split_whitespace().collect(), text }
    });
    cases.collect()
}

#[test]
fn verdicts() {
    let cases = cases();
    assert!(cases.len() >= 100, "{}", cases.len());
    for case in cases {
        let mut sources = Sources::default();
        let source = sources.add("rules.armr", case.text.as_bytes());
        let document = armr::parse(case.text, source);
        let lines: Vec<String> =
            document.diagnostics.iter().map(|diagnostic| diagnostic.one_line(&sources)).collect();
        let errors = document.diagnostics.iter().any(|diagnostic| diagnostic.code.level() == Level::Error);
        let verdict = match (errors, document.apps.is_empty()) {
            (false, _) => "valid",
            (true, false) => "mixed",
            (true, true) => "invalid",
        };
        assert_eq!(verdict, case.verdict, "{}: {lines:#?}", case.name);
        // W0605 is about the whole policy.
        let expected: Vec<&str> = case.codes.iter().copied().filter(|code| *code != "W0605").collect();
        let codes: Vec<String> =
            document.diagnostics.iter().map(|diagnostic| diagnostic.code.to_string()).collect();
        assert_eq!(codes, expected, "{}: {lines:#?}", case.name);
        for diagnostic in &document.diagnostics {
            assert!(!diagnostic.labels.is_empty(), "{}: {lines:#?}", case.name);
        }
        // As part of a policy.
        let loaded =
            policy::load(json!({ "network": { "armr": case.text } }).to_string().as_bytes(), "policy");
        assert_eq!(
            loaded.policy.is_some(),
            case.verdict != "invalid",
            "{}: {:#?}",
            case.name,
            loaded.diagnostics
        );
        let strict = json!({ "network": { "armr": case.text, "invalid_apps": "refuse" } });
        let loaded = policy::load(strict.to_string().as_bytes(), "policy");
        assert_eq!(
            loaded.policy.is_some(),
            case.verdict == "valid",
            "{}: {:#?}",
            case.name,
            loaded.diagnostics
        );
        let warned = loaded.diagnostics.iter().any(|diagnostic| diagnostic.code.to_string() == "W0605");
        assert!(warned || !case.codes.contains(&"W0605"), "{}", case.name);
    }
}

#[test]
fn what_is_imported_is_what_was_written() {
    let mut compared = 0;
    for case in cases() {
        let document = armr::parse(case.text, Sources::default().add("x", *b""));
        let rules: Vec<_> =
            document.apps.into_iter().flat_map(|app| app.rules).map(|(rule, _)| rule).collect();
        let imported = to_json(&rules);
        let loaded =
            policy::load(json!({ "network": { "rules": imported } }).to_string().as_bytes(), "policy");
        let Some(policy) = loaded.policy else { panic!("{}: {:#?}", case.name, loaded.diagnostics) };
        let normal = |rules: Vec<portcullis_rules::net::Rule>| -> Vec<_> {
            let latest = portcullis_rules::net::LanguageVersion::LATEST;
            rules
                .into_iter()
                .map(|mut rule| {
                    let app = portcullis_rules::net::App { language: latest, ..(*rule.app).clone() };
                    rule.app = app.into();
                    rule
                })
                .collect()
        };
        compared += rules.len();
        assert_eq!(normal(policy.network.rules), normal(rules), "{}", case.name);
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn places_are_those_in_the_text() {
    let text = "app(\"a\"):\n  requires(version: ARMR/2.10)\n  socket(\"r\"):\n    accept(\"10.0.0.1:99999\")\n    protect()\n  endsocket\nendapp\n";
    let mut sources = Sources::default();
    let source = sources.add("rules.armr", text.as_bytes());
    let document = armr::parse(text, source);
    assert_eq!(
        document.diagnostics[0].one_line(&sources),
        "error[E0509] rules.armr:4:12: app \"a\": rule \"r\": invalid start port `99999`; a port is a number from 0 to \
         65535, a range is written `80-90`; 0 stands for any"
    );
    let loaded = policy::load(
        json!({ "network": { "armr": { "file": "x.armr", "text": text } } }).to_string().as_bytes(),
        "p",
    );
    assert!(loaded.diagnostics[0].one_line(&loaded.sources).starts_with("error[E0509] x.armr:4:12"));
}

#[test]
fn a_rule_of_the_json_is_not_overwritten() {
    let policy_text: Value = json!({ "network": {
        "rules": [{ "app": "a", "name": "r", "kind": "accept", "address": "any", "start_port": 0, "action": "protect",
                    "severity": "low" }],
        "armr": "app(\"a\"):\n requires(version: ARMR/2.10)\n socket(\"r\"):\n accept(\"10.0.0.1:1\")\n protect()\n endsocket\nendapp",
    }});
    let loaded = policy::load(policy_text.to_string().as_bytes(), "policy");
    assert_eq!(loaded.diagnostics[0].code.to_string(), "E0514");
}

#[test]
fn a_hundred_thousand_rules_are_read_in_linear_time() {
    let mut text = "app(\"a\"):\n requires(version: ARMR/2.10)\n".to_owned();
    for n in 0..100_000 {
        let address = format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
        text += &format!("socket(\"r{n}\"):\n accept(\"{address}:0\")\n protect()\n endsocket\n");
    }
    text += "endapp\n";
    let started = std::time::Instant::now();
    let document = armr::parse(&text, Sources::default().add("x", *b""));
    assert_eq!(document.apps[0].rules.len(), 100_000);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

#[test]
fn no_text_is_too_deep_or_endless() {
    let deep = "app(\"a\"):\n".repeat(10_000);
    assert_eq!(armr::parse(&deep, Sources::default().add("x", *b"")).apps.len(), 0);
    let lists = format!("app({}", "[".repeat(100_000));
    assert_eq!(armr::parse(&lists, Sources::default().add("x", *b"")).apps.len(), 0);
    for text in ["\"", "/*", "\\", "app", "app(", "app(\"a\"", "endapp", "\u{e4}", "app(\"a\"):code():"] {
        assert_eq!(armr::parse(text, Sources::default().add("x", *b"")).apps.len(), 0, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fail(pieces in prop::collection::vec(prop::sample::select(vec![
        "app(\"a\"):", "requires(version: ARMR/2.10)", "socket(\"r\"):", "socket(\"s\", os: [linux]):",
        "accept(\"10.0.0.1:80\")", "connect(", "bind(client: \"0.0.0.0:0\")", "api(any)", "api(\"/a*\")", "protect()",
        "detect(message: \"\")", "allow(severity: 11)", "endsocket", "endapp", "endcode", "code(x):", "metadata(log: {a: 1})",
        "(", ")", "[", "]", "{", "}", ":", ",", "\"", "/*", "*/", "//", "#", "\n", " ", "\u{e4}", "\\", "x", "-1", "::",
    ]), 0..40)) {
        let text = pieces.concat();
        let mut sources = Sources::default();
        let source = sources.add("x", text.as_bytes());
        let document = armr::parse(&text, source);
        // Every report has its place within the text.
        for diagnostic in &document.diagnostics {
            for label in &diagnostic.labels {
                prop_assert!(label.span.start <= label.span.end && label.span.end <= text.len(), "{text:?} {diagnostic:?}");
            }
        }
        prop_assert!(!document.apps.is_empty() || !document.diagnostics.is_empty(), "{text:?}");
        let policy = json!({ "network": { "armr": text } }).to_string();
        let loaded = policy::load(policy.as_bytes(), "policy");
        prop_assert_ne!(loaded.policy.is_some(), document.apps.is_empty());
    }
}
