//! What plans settle beforehand changes nothing: random programs of rules over a few keys of `TX` match the same and
//! leave the same, whether they are run as they stand or as the plan has them.
#![allow(clippy::expect_used, reason = "what can't be set up is a failed test")]

#[path = "support/judged.rs"]
mod judged;

use std::sync::Arc;

use portcullis_rules::eval::Transaction;
use portcullis_rules::exchange::Exchange;
use portcullis_rules::host::NoFiles;
use portcullis_rules::model::{Policy, RuleSet};
use portcullis_rules::plan::Plan;
use portcullis_rules::seclang::{self, Document, Options};
use proptest::prelude::*;

use judged::judge;

/// A policy of one rule set for each text.
fn policy(texts: &[String]) -> Policy {
    let sets = texts.iter().enumerate().map(|(number, text)| {
        let documents = [Document { name: "rules.conf", text: text.as_bytes() }];
        let parsed = seclang::parse(&documents, &NoFiles, &mut Default::default(), Options::default());
        RuleSet { name: number.to_string(), ..parsed.rule_set }
    });
    Policy { rule_sets: sets.collect(), ..Policy::default() }
}

fn exchange(query: &str) -> Exchange {
    let text = serde_json::json!({
        "client": { "address": "192.0.2.7", "port": 4711 },
        "request": { "method": "GET", "uri": format!("/?{query}"), "headers": [["Host", "a"]] },
        "response": { "status": 200, "headers": [["Content-Type", "text/html"]], "body": "" }
    });
    serde_json::from_value(text).expect("an exchange")
}

fn any_of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

fn key() -> impl Strategy<Value = &'static str> {
    any_of(&["a", "b", "C", "ab", "1"])
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any_of(&["0", "1", "2", "x", ""]).prop_map(str::to_owned),
        key().prop_map(|key| format!("%{{tx.{key}}}")),
        Just("%{args.q}".to_owned()),
        Just("%{request_method}".to_owned()),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    let operator = any_of(&[
        "@eq 0",
        "!@eq 1",
        "@lt 2",
        "@ge 1",
        "@streq x",
        "!@streq %{tx.b}",
        "@gt %{tx.ab}",
        "@eq %{tx.a}",
        "!@eq %{tx.b}",
        "@rx ^(.)",
    ]);
    let target = prop_oneof![
        4 => key().prop_map(|key| format!("TX:{key}")),
        2 => key().prop_map(|key| format!("&TX:{key}")),
        1 => Just("ARGS:p".to_owned()),
        1 => Just("ARGS".to_owned()),
        1 => Just("&ARGS:q".to_owned()),
        1 => Just("TX:a|TX:b".to_owned()),
        1 => Just("TX:/a/".to_owned()),
        1 => any_of(&["TX:/^z_/", "&TX:/^z_/"]).prop_map(str::to_owned),
        1 => Just("REQUEST_LINE".to_owned()),
    ];
    (target, operator).prop_map(|(target, operator)| format!("{target} \"{operator}\""))
}

fn action() -> impl Strategy<Value = String> {
    let set = (key(), any_of(&["=", "=+", "=-"]), value())
        .prop_map(|(key, change, value)| format!("setvar:'tx.{key}{change}{value}'"));
    prop_oneof![
        6 => set,
        1 => key().prop_map(|key| format!("setvar:!tx.{key}")),
        1 => value().prop_map(|value| format!("setvar:'tx.a{value}=1'")),
        1 => value().prop_map(|value| format!("setvar:'tx.z_{value}=%{{args.q}}'")),
        1 => any_of(&["p", "q"]).prop_map(|tag| format!("ctl:ruleRemoveByTag={tag}")),
        1 => (1..12u32).prop_map(|id| format!("ctl:ruleRemoveById={id}-{}", id + 3)),
        1 => any_of(&["a", "b"]).prop_map(|key| format!("ctl:ruleRemoveTargetByTag=p;TX:{key}")),
        1 => any_of(&["ctl:ruleEngine=Off", "ctl:ruleEngine=DetectionOnly", "ctl:ruleEngine=On", "capture"])
            .prop_map(str::to_owned),
    ]
}

/// A rule without its id.
fn rule() -> impl Strategy<Value = (u8, Option<String>, Option<String>, Vec<String>)> {
    let flow = prop_oneof![
        8 => Just("pass".to_owned()),
        2 => (1..4u8).prop_map(|skip| format!("pass,skip:{skip}")),
        2 => any_of(&["M1", "M2", "11"]).prop_map(|mark| format!("pass,skipAfter:{mark}")),
        1 => any_of(&["deny", "allow", "allow:phase", "allow:request", "drop"]).prop_map(str::to_owned),
    ];
    let rest = (any_of(&["nolog", "nolog", "nolog", "log"]), any_of(&["p", "q", "r"]), flow);
    let actions = prop::collection::vec(action(), 0..3);
    let phase = prop_oneof![4 => Just(1u8), 3 => Just(2), 1 => Just(3), 1 => Just(5)];
    let chained = prop::option::weighted(0.2, condition());
    (phase, prop::option::weighted(0.8, condition()), chained, rest, actions).prop_map(
        |(phase, condition, chained, (log, tag, flow), mut actions)| {
            let (flow, phase_actions) = (flow, format!("{log},noauditlog,tag:'{tag}'"));
            actions.insert(0, format!("{flow},{phase_actions}"));
            (phase, condition, chained, actions)
        },
    )
}

/// Rules with ids from `first` on.
fn program(first: u32, engine: impl Strategy<Value = &'static str>) -> impl Strategy<Value = String> {
    (engine, prop::collection::vec(rule(), 1..14), prop::bool::weighted(0.1)).prop_map(
        move |(engine, rules, looks_back)| {
            let mut text = format!("SecRuleEngine {engine}\nSecRequestBodyAccess Off\n");
            for (place, (phase, condition, chained, actions)) in (1..).zip(rules) {
                let (number, actions) = (first + place - 1, actions.join(","));
                let chained = chained.filter(|_| condition.is_some());
                let chain = if chained.is_some() { ",chain" } else { "" };
                let head =
                    condition.map_or("SecAction".to_owned(), |condition| format!("SecRule {condition}"));
                text += &format!("{head} \"id:{number},phase:{phase},{actions}{chain}\"\n");
                if let Some(chained) = chained {
                    text += &format!("SecRule {chained} \"setvar:tx.ab=3\"\n");
                }
                if place == 3 && looks_back {
                    text += &format!(
                        "SecAction \"id:{},phase:2,pass,nolog,setvar:tx.b=%{{matched_var}}\"\n",
                        first + 90
                    );
                }
                if place == 5 {
                    text += "SecMarker M1\n";
                }
            }
            let end = format!(
                "SecAction \"id:{},phase:5,pass,log,noauditlog,setvar:tx.end=%{{tx.a}}\"\n",
                first + 95
            );
            text + "SecMarker M2\n" + &end
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn results_are_the_same(
        program in program(1, Just("On")),
        more in prop::option::of(program(101, any_of(&["On", "Off", "DetectionOnly"]))),
        query in any_of(&["", "p=x", "p=1&q=2", "q=a", "p=0&q=1", "p=0&q=1&p=2&p=1"]),
        all in any::<bool>(),
    ) {
        let texts: Vec<String> = [program].into_iter().chain(more).collect();
        let policy = policy(&texts);
        let exchange = exchange(query);
        let literally = judge(&Arc::new(Plan::literally(&policy).expect("a plan")), &exchange, all, Transaction::rest);
        let found = judge(&Arc::new(Plan::new(&policy).expect("a plan")), &exchange, all, Transaction::rest_now);
        prop_assert_eq!(found, literally, "{}", texts.join("---\n"));
    }
}
