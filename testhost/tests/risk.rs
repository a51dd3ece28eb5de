//! Risk per client in the test host: shared data, ticks, held answers.
//! Without a built module every test counts as ignored, and the way to build it is printed.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says what it leaves out")]

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use portcullis_testhost::{
    Callback, Exchange, Host, Module, ModuleFile, Observed, Options, portcullis_module,
};

type Test = fn(&mut Host);

const TESTS: &[(&str, Test)] = &[
    ("a_client_is_known_from_one_stream_to_the_next", known),
    ("an_answer_is_held_and_arrives_whole", held),
    ("the_store_keeps_its_keys", keys),
    ("a_client_that_may_be_a_proxy_is_warned_of_once", proxies),
];

const POLICY: &str = r#"{"enforcement": "ENFORCEMENT", "risk": {
    "switches": {"risk_blocks": true, "rule_blocks": true, "lists": true},
    "tarpit": {"delay": 700, "growth": 2, "seconds": 60},
    "store": {"mebibytes": 1},
    "rules": [
        {"id": 1, "risk": 95, "condition": {"attribute": "header", "field": "x-attack", "value": "high"}},
        {"id": 2, "risk": 20, "action": "tarpit", "condition": {"attribute": "uri", "value": "/slow"}}
    ]}}"#;

fn main() {
    let arguments = Arguments::from_args();
    let module = match portcullis_module() {
        ModuleFile::Found(path) => Some(Arc::new(Module::from_file(&path).expect("the module compiles"))),
        ModuleFile::Missing(help) => {
            eprintln!("\n{help}\nall {} tests are ignored\n", TESTS.len() * 2);
            None
        }
    };
    let mut trials = Vec::new();
    for &(name, test) in TESTS {
        for enforcement in ["strict", "streaming"] {
            let found = module.clone();
            let ignored = found.is_none();
            let run = move || {
                let Some(module) = found else { return Ok(()) };
                let options = Options {
                    allow_on_headers_stop_iteration: enforcement == "strict",
                    ..Options::default()
                };
                let policy = POLICY.replace("ENFORCEMENT", enforcement);
                test(&mut Host::start(&module, policy.as_bytes(), options).expect("the policy is accepted"));
                Ok(())
            };
            trials.push(Trial::test(format!("{name}/{enforcement}"), run).with_ignored_flag(ignored));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn from(client: &str, target: &str) -> Exchange {
    let mut exchange = Exchange::get(target);
    exchange.client = format!("{client}:40000").parse().expect("an address");
    exchange
}

fn ticks(seen: &Observed) -> usize {
    seen.callbacks.iter().filter(|(callback, _)| *callback == Callback::Tick).count()
}

fn known(host: &mut Host) {
    let first = host.exchange(&from("192.0.2.1", "/").header("x-attack", b"high"));
    assert_eq!(first.status(), Some(403), "{first:?}");
    assert!(first.logged("\"reason\":\"risk_block\""), "{:?}", first.log);
    assert!(first.upstream.headers.is_none());
    let again = host.exchange(&from("192.0.2.1", "/"));
    assert_eq!(again.status(), Some(403));
    assert_eq!(again.metrics.get("portcullis.risk.post_block"), Some(&1));
    assert_eq!(host.exchange(&from("192.0.2.2", "/")).status(), Some(200));
    host.advance(1_801 * 1_000_000_000);
    assert_eq!(host.exchange(&from("192.0.2.1", "/")).status(), Some(200));
}

fn held(host: &mut Host) {
    for (target, expected) in [("/slow", 14), ("/", 28)] {
        let exchange = from("192.0.2.1", target).answered_by(200, &[b"one ", b"two ", b"three"]);
        let seen = host.exchange(&exchange);
        assert_eq!(seen.status(), Some(200), "{seen:?}");
        assert_eq!(seen.downstream.body, b"one two three");
        assert!(seen.downstream.complete);
        let ticks = ticks(&seen);
        assert!((expected..=expected + 2).contains(&ticks), "{ticks}");
    }
    let other = host.exchange(&from("192.0.2.2", "/").answered_by(200, &[b"at once"]));
    assert_eq!((ticks(&other), other.downstream.body.as_slice()), (0, &b"at once"[..]));
    assert_eq!(host.metric("portcullis.risk.tarpit.held"), Some(2));
    assert_eq!(host.metric("portcullis.risk.tarpit.resumed"), Some(2));
    assert_eq!(host.metric("portcullis.host_errors.context"), Some(0));
}

fn keys(host: &mut Host) {
    for n in 0..600_u32 {
        let client = format!("10.0.{}.{}", n / 250, n % 250);
        host.exchange(&from(&client, "/slower").header("x-attack", b"high"));
    }
    let shared = host.shared_data();
    let (buckets, others): (Vec<_>, Vec<_>) = shared.iter().partition(|(key, _)| {
        key.strip_prefix(b"portcullis.").is_some_and(|rest| rest.iter().all(u8::is_ascii_digit))
    });
    assert!((100..=256).contains(&buckets.len()), "{}", buckets.len());
    assert!(buckets.iter().all(|(_, bucket)| bucket.len() <= 4_096));
    let others: Vec<_> =
        others.iter().map(|(key, value)| (key.escape_ascii().to_string(), value.len())).collect();
    assert_eq!(others, [("portcullis.store.seed".to_owned(), 16)]);
    assert_eq!(host.metric("portcullis.risk.clients"), Some(600));
}

fn proxies(host: &mut Host) {
    let warnings = |host: &mut Host, client: &str| {
        let seen = host.exchange(&from(client, "/"));
        seen.log.iter().filter(|line| line.text.contains("is no trusted hop")).count()
    };
    assert_eq!(warnings(host, "192.0.2.1"), 0, "a public address");
    assert_eq!(warnings(host, "10.0.0.7"), 1, "a private one");
    assert_eq!(warnings(host, "10.0.0.8"), 0, "said once");
    assert_eq!(warnings(host, "127.0.0.1"), 0, "said once");
}
