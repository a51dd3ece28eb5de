//! What plans do to be fast changes nothing but the time: with the prefilter, with what is settled beforehand and with
//! what is remembered of earlier exchanges, and without, every exchange matches the same rules with the same texts and leaves the same `TX`. Tried on the
//! Core Rule Set, in setups that settle nothing, much or some of it, with the payloads of its tests and with random
//! mixtures of them.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "what can't be set up is a failed test")]

#[path = "support/core_rule_set.rs"]
mod core_rule_set;
#[path = "support/judged.rs"]
mod judged;

use std::path::Path;
use std::sync::Arc;

use portcullis_rules::eval::Transaction;
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;

use core_rule_set::{core_rule_set, files, shared};
use judged::Judged;

const COMMON: &str = r#"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:900002,phase:1,nolog,pass,ctl:requestBodyProcessor=JSON"
"#;

/// What stands before the Core Rule Set, and how many of its rules can run, at least and at most, in percent.
const SETUPS: &[(&str, &str, [usize; 2])] = &[
    (
        "the highest level",
        r#"
        SecRuleEngine DetectionOnly
        SecAction "id:900001,phase:1,nolog,pass,setvar:tx.blocking_paranoia_level=4,setvar:tx.detection_paranoia_level=4"
        "#,
        [60, 80],
    ),
    ("the lowest level", "SecRuleEngine On", [40, 60]),
    (
        "a level that requests choose",
        r#"
        SecRuleEngine DetectionOnly
        SecRule ARGS|REQUEST_BODY "@rx [a-m]" "id:900001,phase:1,nolog,pass,setvar:tx.detection_paranoia_level=3"
        SecRule REQUEST_HEADERS:User-Agent "@rx [n-z]" \
            "id:900003,phase:1,nolog,pass,setvar:tx.blocking_paranoia_level=2,setvar:tx.early_blocking=1"
        "#,
        [80, 100],
    ),
    (
        "rules taken away by requests",
        r#"
        SecRuleEngine On
        SecRule REQUEST_URI "@contains =a" "id:900001,phase:1,nolog,pass,ctl:ruleRemoveByTag=attack-sqli"
        SecRule REQUEST_URI "@contains e" "id:900003,phase:1,nolog,pass,ctl:ruleRemoveById=942013,skip:1"
        SecRule REQUEST_URI "@contains id" "id:900004,phase:1,nolog,pass,ctl:ruleEngine=Off"
        SecRule REQUEST_URI "@contains script" "id:900005,phase:1,nolog,allow:phase"
        SecRule REQUEST_URI "@contains select" "id:900006,phase:2,nolog,pass,skipAfter:END-REQUEST-941-APPLICATION-ATTACK-XSS"
        SecAction "id:900007,phase:2,nolog,pass,setvar:tx.%{tx.chosen}=9,setvar:tx.crs_%{tx.none}=1"
        "#,
        [40, 90],
    ),
];

/// Lines of the tests that hold a request's target, data or a header: crude, but payloads all the same.
fn payloads(shared: &Path) -> Vec<String> {
    let mut payloads = Vec::new();
    for file in files(&shared.join("crs/tests"), "yaml") {
        let text = std::fs::read_to_string(file).expect("a test file");
        for line in text.lines().map(str::trim) {
            let value = ["uri: ", "data: ", "User-Agent: ", "Referer: ", "Cookie: "]
                .iter()
                .find_map(|key| line.strip_prefix(key));
            if let Some(value) = value {
                payloads.push(value.trim_matches(['"', '\'']).to_owned());
            }
        }
    }
    payloads.sort();
    payloads.dedup();
    payloads
}

fn exchange(target: &str, header: &str, content_type: &str, body: &str) -> Exchange {
    let text = serde_json::json!({
        "client": { "address": "192.0.2.7", "port": 4711 },
        "request": {
            "method": "POST",
            "uri": target,
            "headers": [
                ["Host", "www.example.com"], ["User-Agent", header], ["Cookie", format!("a={header}; b=1")],
                ["Content-Type", content_type], ["Accept", "*/*"], ["X-Up", header.to_uppercase()]
            ],
            "body": body
        },
        "response": { "status": 200, "headers": [["Content-Type", "text/html"]], "body": format!("<p>{body}</p>") }
    });
    serde_json::from_value(text).expect("an exchange")
}

/// What stands for blanks in some payloads.
const BLANKS: &[&str] = &[" ", "\t", "  ", "\n \u{b}", "\r\n", "+"];

fn judge(plan: &Arc<Plan>, exchange: &Exchange, all: bool, wait: fn(&mut Transaction)) -> Judged {
    let mut judged = judged::judge(plan, exchange, all, wait);
    // The keys that rules 920450 and 920451 write for themselves are there for who records all matches.
    judged.tx.retain(|(name, _)| all || !name.starts_with(b"header_name_92045"));
    judged
}

fn main() {
    let shared = shared();
    if shared.is_none() {
        eprintln!("SKIPPED: there is no shared data folder; set PORTCULLIS_SHARED to it");
    }
    let absent = shared.is_none();
    let trials = SETUPS.iter().map(|(name, setup, running)| {
        let shared = shared.clone();
        let trial = libtest_mimic::Trial::test(name.replace(' ', "_"), move || {
            shared.as_deref().map_or(Ok(()), |shared| compare(shared, setup, *running))
        });
        trial.with_ignored_flag(absent)
    });
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials.collect()).exit();
}

fn compare(shared: &Path, setup: &str, [least, most]: [usize; 2]) -> Result<(), libtest_mimic::Failed> {
    let policy = core_rule_set(shared, &[COMMON, setup].concat());
    let with = Arc::new(Plan::new(&policy).expect("a plan"));
    let without = Arc::new(Plan::literally(&policy).expect("a plan"));
    assert_eq!(without.running_rule_count(), without.rule_count());
    let running = with.running_rule_count() * 100 / with.rule_count();
    assert!((least..=most).contains(&running), "{running} % of the rules can run");
    let payloads = payloads(shared);
    assert!(payloads.len() > 100, "the tests hold payloads");
    let mut seed = 0x9E37_79B9_7F4A_7C15u64;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap_or(0)
    };
    let mut matched = 0;
    for round in 0..600 {
        let mut pick = || payloads.get(random(payloads.len())).map_or("", String::as_str);
        let (first, second, third) = (pick(), pick(), pick());
        // Patterns allow for white space of any kind.
        let blank = BLANKS.get(round % BLANKS.len()).copied().unwrap_or(" ");
        let cut = |text: &str, at: usize| text.chars().skip(at % 7).collect::<String>().replace(' ', blank);
        let target = if first.starts_with('/') { first.to_owned() } else { format!("/?q={first}") };
        let json = serde_json::json!({ "a": [third, { "b": cut(second, round) }] }).to_string();
        let (content_type, body) = match round % 4 {
            // Without a body phase 2 sees what phase 1 saw.
            3 => ("text/plain", String::new()),
            0 => ("application/x-www-form-urlencoded", format!("x={third}&y={}", cut(second, round))),
            1 => ("application/json", json),
            _ => ("text/plain", third.to_owned()),
        };
        let exchange = exchange(&target, second, content_type, &body);
        let all = round % 3 == 0;
        let expected = judge(&without, &exchange, all, |_| ());
        matched += expected.matches.len();
        // What comes twice is remembered, what more can be known of it then is found out, and used from then on. What a
        // transaction gives away while it waits, and what it finds afterwards, can't be told either.
        for time in 1..=4 {
            let wait = if time % 2 == 0 { Transaction::rest_now } else { Transaction::rest };
            let found = judge(&with, &exchange, all, wait);
            if found != expected {
                return Err(format!(
                    "{exchange:?}
without: {expected:?}
with, time {time}: {found:?}"
                )
                .into());
            }
        }
    }
    assert!(matched > 1_000, "the payloads match rules");
    Ok(())
}
