//! What is wrong many times, or too large, is told in time that grows with the text, and in reports that can be read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

use std::time::{Duration, Instant};

use portcullis_rules::diagnostic::{Code, Diagnostic, Sources};
use portcullis_rules::host::NoFiles;
use portcullis_rules::limits::{CONDITION_TARGETS, DIAGNOSTICS, POLICY_BYTES, POLICY_VALUES};
use portcullis_rules::lint;
use portcullis_rules::model::Policy;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use portcullis_rules::seclang::{Document, Options, Parsed, parse};

fn seclang(text: &str) -> Parsed {
    let documents = [Document { name: "main.conf", text: text.as_bytes() }];
    parse(&documents, &NoFiles, &mut Sources::default(), Options::default())
}

/// How often each code is reported, and for how many more the last report of it stands.
fn counted(diagnostics: &[Diagnostic], code: Code) -> (usize, usize) {
    let of_code = || diagnostics.iter().filter(|one| one.code == code);
    (of_code().filter(|one| one.left_out == 0).count(), of_code().map(|one| one.left_out as usize).sum())
}

fn policy_of(rules: &[String]) -> String {
    format!(r#"{{"rule_sets": [{{"name": "x", "rules": [{}]}}]}}"#, rules.join(","))
}

#[test]
fn equal_mistakes_are_counted() {
    let many = DIAGNOSTICS + 23;
    let line = |n: usize| format!("SecRule ARGZ \"@rx x\" \"id:{n},phase:2,deny\"\n");
    let text: String = (1..=many).map(line).collect();
    let parsed = seclang(&text);
    assert_eq!(counted(&parsed.diagnostics, Code::E0202), (DIAGNOSTICS, 23));

    // In a policy those of several texts count together.
    let texts = format!("{}SecRule ARGS nowhere", text.escape_default());
    let set =
        |name: &str| format!(r#"{{"name": "{name}", "process_request_body": true, "seclang": "{texts}"}}"#);
    let loaded = policy::load(format!(r#"{{"rule_sets": [{}, {}]}}"#, set("a"), set("b")).as_bytes(), "p");
    assert!(loaded.policy.is_none());
    assert_eq!(counted(&loaded.diagnostics, Code::E0202), (DIAGNOSTICS, 23 + many));
    let last = loaded.diagnostics.iter().find(|one| one.left_out > 0 && one.code == Code::E0202).unwrap();
    assert_eq!(
        last.message,
        format!("{} more reports of this kind (unknown variable) are left out", 23 + many)
    );
    // Other mistakes are told nevertheless.
    assert_eq!(counted(&loaded.diagnostics, Code::E0212), (2, 0));

    let rules: Vec<String> =
        (1..=many).map(|n| format!(r#"{{"rule_id": {n}, "matches": [{{}}]}}"#)).collect();
    let loaded = policy::load(policy_of(&rules).as_bytes(), "p");
    assert_eq!(counted(&loaded.diagnostics, Code::E0104), (DIAGNOSTICS, 23));

    // After very many no more rules are read.
    let loaded = policy::load(policy_of(&vec!["{}".to_owned(); 300 * DIAGNOSTICS]).as_bytes(), "p");
    assert_eq!(counted(&loaded.diagnostics, Code::E0104), (DIAGNOSTICS, 99 * DIAGNOSTICS + 1));
    let last = loaded.diagnostics.last().unwrap();
    assert_eq!(last.message, "9901 or still more reports of this kind (missing field) are left out");

    // Warnings about what is valid as well.
    let early = |n: usize| format!("SecRule REQUEST_BODY \"@rx x\" \"id:{n},phase:1,deny\"\\n");
    let texts: String = (1..=many).map(early).collect();
    let loaded = policy::load(
        format!(
            r#"{{"rule_sets": [{{"name": "a", "process_request_body": true, "seclang": "{}"}}]}}"#,
            texts.replace('"', "\\\"")
        )
        .as_bytes(),
        "p",
    );
    assert!(loaded.policy.is_some());
    assert_eq!(counted(&loaded.diagnostics, Code::W0222), (DIAGNOSTICS, 23));
}

#[test]
fn variables_of_a_condition() {
    let list = |count: usize| (0..count).map(|n| format!("ARGS:a{n}")).collect::<Vec<_>>().join("|");
    let rule = |count| format!("SecRule {} \"@rx x\" \"id:1,phase:2,deny\"", list(count));
    assert_eq!(seclang(&rule(CONDITION_TARGETS)).diagnostics, []);
    assert_eq!(counted(&seclang(&rule(CONDITION_TARGETS + 2)).diagnostics, Code::E0225), (1, 0));
    let form = |lists: &[String]| {
        let variables: Vec<String> = lists.iter().map(|list| format!("\"{list}\"")).collect();
        let rule = format!(
            r#"{{"rule_id": 1, "matches": [{{"variables": [{}], "operating": "x"}}]}}"#,
            variables.join(",")
        );
        policy::load(policy_of(&[rule]).as_bytes(), "p").diagnostics
    };
    let half = list(CONDITION_TARGETS / 2);
    assert_eq!(form(&[half.clone(), half.clone()]), []);
    let third = form(&[half.clone(), half.clone(), "ARGS:x".to_owned(), "ARGS:y".to_owned()]);
    assert_eq!(counted(&third, Code::E0225), (1, 0));
}

#[test]
fn values_and_bytes_of_a_policy() {
    let text = format!(r#"{{"rule_sets": [{}]}}"#, "{},".repeat(POLICY_VALUES).trim_end_matches(','));
    let loaded = policy::load(text.as_bytes(), "p");
    assert!(loaded.policy.is_none());
    assert_eq!(loaded.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::E0109]);

    let text = " ".repeat(POLICY_BYTES + 1);
    let loaded = policy::load(text.as_bytes(), "p");
    assert_eq!(loaded.diagnostics.iter().map(|one| one.code).collect::<Vec<_>>(), [Code::E0109]);
}

/// The time that something takes: the least of three.
fn time(run: impl Fn()) -> Duration {
    let once = || {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..2).map(|_| once()).min().unwrap()
}

/// Between the 8 times that eight times the text takes and the 64 of what is quadratic.
const LEAST_QUADRATIC: f64 = 40.0;

/// Eight times the text takes about eight times as long: far less than the 64 times of what is quadratic. Other programs
/// may have taken the processor: one of a few tries is enough.
fn is_linear(what: &str, small: usize, run: impl Fn(usize)) {
    let tries = (0..4).map(|_| {
        let (short, long) = (time(|| run(small)), time(|| run(8 * small)));
        long.as_secs_f64() / short.as_secs_f64().max(0.000_5)
    });
    let factors: Vec<f64> = tries
        .scan(false, |good, factor| (!std::mem::replace(good, factor < LEAST_QUADRATIC)).then_some(factor))
        .collect();
    assert!(
        factors.iter().any(|factor| *factor < LEAST_QUADRATIC),
        "{what}: {factors:.1?} times as long for 8 times as much"
    );
}

#[test]
fn time_grows_with_the_text() {
    is_linear("unknown variables in rules", 100, |count| {
        let line = |n: usize| format!("SecRule ARGZ \"@rx x\" \"id:{n},phase:2,deny\"\n");
        seclang(&(1..=count).map(line).collect::<String>());
    });
    is_linear("unknown variables in a rule", 5_000, |count| {
        seclang(&format!("SecRule {} \"@rx x\" \"id:1,phase:2,deny\"", "ARGZ|".repeat(count)));
    });
    is_linear("variables in a condition, with exclusions", CONDITION_TARGETS / 16, |count| {
        let list: String = (0..count / 2).map(|n| format!("ARGS:a{n}|!ARGS:b{n}|")).collect();
        let text = format!("SecRule {list}ARGS \"@rx x\" \"id:1,phase:2,deny\"");
        let policy = Policy { rule_sets: vec![seclang(&text).rule_set], ..Policy::default() };
        assert_eq!(lint::check(&policy, 0).len(), 0);
        Plan::new(&policy).unwrap();
    });
    is_linear("empty rules", 2_000, |count| {
        let _ = policy::load(policy_of(&vec!["{}".to_owned(); count]).as_bytes(), "p");
    });
    is_linear("exclusions", 100, |count| {
        let lines = |n: usize| {
            format!(
                "SecAction \"id:{n},phase:1,pass,nolog,ctl:ruleRemoveTargetByTag=t;ARGS:q,ctl:ruleRemoveById={}\"\n\
                 SecRule ARGS \"@contains x\" \"id:{},phase:2,deny,tag:t\"\n",
                1_000_000 + n,
                1_000_000 + n
            )
        };
        let policy = Policy {
            rule_sets: vec![seclang(&(1..=count).map(lines).collect::<String>()).rule_set],
            ..Policy::default()
        };
        assert_eq!(lint::check(&policy, 0).len(), 0);
    });
    is_linear("network rules of one address", 250, |count| {
        let rule = |n: usize| {
            format!(
                r#"{{"name": "{n}", "kind": "accept", "address": "192.0.2.1", "start_port": {}, "action": "protect", "severity": "high"}}"#,
                1 + n % 1_000
            )
        };
        let rules: Vec<String> = (0..count).map(rule).collect();
        let _ = policy::load(format!(r#"{{"network": {{"rules": [{}]}}}}"#, rules.join(",")).as_bytes(), "p");
    });
}
