//! Chains that hand on to themselves what they find match the same, and leave the same, whether they are run as they
//! stand or as the plan has them: whoever else makes, names or finds their keys.
#![allow(clippy::expect_used, reason = "what can't be set up is a failed test")]

#[path = "support/judged.rs"]
mod judged;

use std::sync::Arc;

use portcullis_rules::eval::Outcome;
use portcullis_rules::eval::Transaction;
use portcullis_rules::exchange::Exchange;
use portcullis_rules::host::NoFiles;
use portcullis_rules::model::Policy;
use portcullis_rules::plan::Plan;
use portcullis_rules::seclang::{self, Document, Options};
use proptest::prelude::*;

use judged::judge;

fn policy(text: &str) -> Policy {
    let documents = [Document { name: "rules.conf", text: text.as_bytes() }];
    let parsed = seclang::parse(&documents, &NoFiles, &mut Default::default(), Options::default());
    assert!(parsed.diagnostics.is_empty(), "{:?} in {text}", parsed.diagnostics);
    Policy { rule_sets: vec![parsed.rule_set], ..Policy::default() }
}

fn exchange(names: &[&str]) -> Exchange {
    let headers: Vec<[&str; 2]> = names.iter().map(|name| [*name, "v"]).collect();
    let text = serde_json::json!({
        "client": { "address": "192.0.2.7", "port": 4711 },
        "request": { "method": "GET", "uri": "/", "headers": headers },
    });
    serde_json::from_value(text).expect("an exchange")
}

fn any_of(choices: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(choices)
}

/// A chain that may be a relay, with the key's beginning, what is behind it, and what its second link looks at.
fn chain() -> impl Strategy<Value = String> {
    let pattern = any_of(&["^.*$", "^(x)-(.)", "-(.*)$", "^x", "(?i)^X-(A|B)?"]);
    let key = any_of(&["k_%{tx.0}", "K_%{tx.1}", "k_%{tx.0}_%{tx.2}", "kk%{tx.0}", "%{tx.0}k_"]);
    let text = any_of(&["/%{tx.0}/", "%{tx.1}", "%{tx.2}-%{tx.1}", "x", "%{tx.list}"]);
    let second = any_of(&["TX:/^k_/", "TX:/^k/", "TX:/^K_x/", "TX:/k_/", "TX", "&TX:/^k_/"]);
    let operator = any_of(&["@within %{tx.list}", "!@within %{tx.list}", "@rx b", "@streq /x-a/", "!@rx ^/"]);
    let first = any_of(&["", "!"]);
    let targets =
        any_of(&["REQUEST_HEADERS_NAMES", "REQUEST_HEADERS_NAMES|TX:list", "REQUEST_HEADERS_NAMES|TX:/^k_/"]);
    let lower = || any_of(&["t:none,t:lowercase", "t:none"]);
    (pattern, key, text, (first, targets), (second, operator), (lower(), lower())).prop_map(
        |(pattern, key, text, (not, targets), (second, operator), (lower, then))| {
            format!(
                "SecRule {targets} \"{not}@rx {pattern}\" \"id:1,phase:1,block,capture,{lower},log,noauditlog,\
                 msg:'%{{matched_var}}',setvar:'tx.{key}={text}',chain\"\n\
                 SecRule {second} \"{operator}\" \"{then},setvar:'tx.score=+1'\"\n"
            )
        },
    )
}

/// What else a policy may have: most of it can't tell a relay from the chain that it is.
fn company() -> impl Strategy<Value = String> {
    any_of(&[
        "",
        "SecRule TX:/x-b/ \"@rx .\" \"id:2,phase:1,pass,log,noauditlog\"\n",
        "SecRule TX:/^k_x-a/ \"@rx .\" \"id:2,phase:2,pass,log,noauditlog\"\n",
        "SecRule TX:/^other_/ \"@rx .\" \"id:2,phase:2,pass,log,noauditlog\"\n",
        "SecRule &TX \"@gt 3\" \"id:2,phase:2,pass,log,noauditlog\"\n",
        "SecRule TX:k_x-a \"@rx .\" \"id:2,phase:2,pass,log,noauditlog\"\n",
        "SecAction \"id:2,phase:2,pass,log,noauditlog,logdata:'%{tx.k_x-a} %{tx.0} %{tx.1}'\"\n",
        "SecAction \"id:2,phase:2,pass,log,noauditlog,logdata:'%{tx}'\"\n",
        "SecAction \"id:2,phase:2,pass,log,noauditlog,logdata:'%{matched_var}'\"\n",
        "SecRule REQUEST_HEADERS_NAMES \"@rx ^(.)\" \
         \"id:2,phase:1,pass,nolog,noauditlog,capture,setvar:'tx.k_%{tx.1}=/x-a/'\"\n",
        "SecAction \"id:2,phase:1,pass,nolog,noauditlog,ctl:ruleRemoveTargetById=1;TX:k_x-a\"\n",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn results_are_the_same(
        chain in chain(),
        company in company(),
        company_first in any::<bool>(),
        list in prop::option::of(any_of(&["/x-a/ /b/", "/host/", ""])),
        exchanges in prop::collection::vec(
            prop::collection::vec(any_of(&["Host", "X-A", "x-a", "x-b", "X-Multi_x-b", "b", "y-"]), 0..5),
            1..5,
        ),
        all in any::<bool>(),
    ) {
        let list = list.map(|list| format!("SecAction \"id:9,phase:1,pass,nolog,setvar:'tx.list={list}'\"\n"));
        let parts = if company_first { [company, chain] } else { [chain, company] };
        let text = format!(
            "SecRuleEngine On\nSecDefaultAction \"phase:1,log,noauditlog,pass\"\n{}{}",
            list.unwrap_or_default(),
            parts.concat(),
        );
        let policy = policy(&text);
        let literally = Arc::new(Plan::literally(&policy).expect("a plan"));
        let plan = Arc::new(Plan::new(&policy).expect("a plan"));
        for names in &exchanges {
            let exchange = exchange(names);
            let expected = judge(&literally, &exchange, all, Transaction::rest);
            // Values come to stay with the second time.
            for _ in 0..3 {
                let mut found = judge(&plan, &exchange, all, Transaction::rest_now);
                if !all {
                    let left_out = |entry: &&(Vec<u8>, Vec<u8>)| !found.tx.contains(entry);
                    let left_out: Vec<_> = expected.tx.iter().filter(left_out).cloned().collect();
                    prop_assert!(left_out.iter().all(|(key, _)| key.to_ascii_lowercase().starts_with(b"k")));
                    found.tx.extend(left_out);
                    let mut tx = expected.tx.clone();
                    tx.sort();
                    found.tx.sort();
                    prop_assert_eq!(&found.tx, &tx, "{}{:?}", text, names);
                    found.tx = expected.tx.clone();
                }
                prop_assert_eq!(&found, &expected, "{}{:?}", text, names);
            }
        }
    }
}

/// The property above says nothing if no chain is taken for a relay.
#[test]
fn the_chain_of_the_core_rule_set_leaves_no_keys() {
    let chain = "SecRuleEngine On\n\
        SecAction \"id:9,phase:1,pass,nolog,setvar:'tx.list=/x-a/ /x-b/'\"\n\
        SecRule REQUEST_HEADERS_NAMES \"@rx ^.*$\" \"id:1,phase:1,deny,capture,t:none,t:lowercase,log,\
        setvar:'tx.k_%{tx.0}=/%{tx.0}/',chain\"\n\
        SecRule TX:/^k_/ \"@within %{tx.list}\" \"setvar:'tx.score=+1'\"\n";
    let plan = Arc::new(Plan::new(&policy(chain)).expect("a plan"));
    for _ in 0..3 {
        let passed = judge(&plan, &exchange(&["Host", "Accept"]), false, Transaction::rest);
        assert_eq!(passed.outcome, Outcome::Pass);
        let keys: Vec<Vec<u8>> = passed.tx.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [b"list".as_slice(), b"0"]);
        let refused = judge(&plan, &exchange(&["Host", "X-B"]), false, Transaction::rest);
        assert!(matches!(refused.outcome, Outcome::Interrupted(_)));
        assert_eq!(refused.matches.len(), 1);
        assert!(refused.tx.contains(&(b"k_x-b".to_vec(), b"/x-b/".to_vec())), "{:?}", refused.tx);
    }
}
