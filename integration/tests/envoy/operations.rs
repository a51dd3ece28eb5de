//! What an operator relies on: refused configurations, counters, pages, log lines, the shipped files.

use std::process::Command;

use portcullis_integration::{
    Bootstrap, Enforcement, Envoy, EnvoyOptions, Module, Prerequisites, Request, Scenario, TEMPLATE,
    parse_yaml,
};
use serde_json::{Value, json};

use crate::support::{assert_refused, policy, rule, start};

pub(crate) async fn a_bad_policy_is_refused_at_start_with_all_its_errors() {
    let policy = policy(&[
        rule(801, 1, "deny", "NO_SUCH_VARIABLE", "strEq", "x"),
        rule(802, 1, "deny", "ARGS", "noSuchOperator", "x"),
        rule(803, 1, "deny", "ARGS", "strRegex", "(unclosed"),
    ]);
    let log = Scenario::new(policy).refused().await.unwrap();
    for expected in ["error[E", "NO_SUCH_VARIABLE", "noSuchOperator", "rule 803"] {
        assert!(log.contains(expected), "no `{expected}` in:\n{log}");
    }
}

pub(crate) async fn a_policy_that_is_no_json_is_refused() {
    let log = Scenario::new(Value::String("{ \"rule_sets\": [".to_owned())).refused().await.unwrap();
    assert!(log.contains("error[E0101]"), "{log}");
}

pub(crate) async fn counters_tell_outcome_and_phase() {
    let policy = policy(&[
        rule(811, 1, "deny", "REQUEST_URI", "strEq", "/deny"),
        rule(812, 2, "deny", "ARGS:q", "strEq", "deny"),
        rule(813, 1, "drop", "REQUEST_URI", "strEq", "/drop"),
        crate::support::with(
            rule(814, 2, "redirect", "ARGS:q", "strEq", "redirect"),
            json!({ "redirect_url": "https://example.com/" }),
        ),
        rule(815, 1, "allow", "REQUEST_URI", "strEq", "/allow"),
        rule(816, 3, "deny", "RESPONSE_HEADERS:x-debug-token", "strRegex", "."),
        rule(817, 4, "deny", "RESPONSE_BODY", "strContains", "NullPointerException"),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    let targets =
        ["/", "/", "/deny", "/deny", "/?q=deny", "/drop", "/?q=redirect", "/allow", "/debug", "/report"];
    for target in targets {
        gateway.send1(Request::get(target)).await.unwrap();
    }
    let expected = [
        ("requests.pass", 2),
        ("requests.deny.phase_1", 2),
        ("requests.deny.phase_2", 1),
        ("requests.deny.phase_3", 1),
        ("requests.deny.phase_4", 1),
        ("requests.drop.phase_1", 1),
        ("requests.redirect.phase_2", 1),
        ("requests.allow.phase_1", 1),
        ("requests.failed", 0),
        ("rule_matches", 8),
    ];
    let stats = gateway.envoy().admin().stats("wasmcustom.portcullis.").await.unwrap();
    for (name, count) in expected {
        let name = format!("wasmcustom.portcullis.{name}");
        assert_eq!(stats.get(&name).copied().unwrap_or(0), count, "{name} in {stats:#?}");
    }
    let requests: u64 =
        stats.iter().filter(|(name, _)| name.contains(".requests.")).map(|(_, count)| count).sum();
    assert_eq!(requests, targets.len() as u64);
    for (name, count) in stats.iter().filter(|(name, _)| name.contains("host_errors")) {
        assert_eq!(*count, 0, "{name}");
    }
}

pub(crate) async fn the_page_fits_the_accept_header_and_names_the_request() {
    let gateway =
        start(&policy(&[rule(821, 1, "deny", "REQUEST_URI", "strEq", "/bad")]), Enforcement::Strict).await;
    let cases = [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html", "<!doctype html>"),
        ("application/json", "application/problem+json", "{"),
        ("*/*", "text/plain", "403 Forbidden"),
    ];
    for (accept, media_type, start) in cases {
        let exchange = gateway.send1(Request::get("/bad").header("accept", accept)).await.unwrap();
        assert_refused(&exchange, 403, 821, 0);
        let content_type = exchange.reply.header("content-type").unwrap_or_default();
        assert!(content_type.starts_with(media_type), "{accept}: {content_type}");
        assert!(exchange.reply.text().starts_with(start), "{}", exchange.reply.text());
        assert_eq!(exchange.reply.header("cache-control").as_deref(), Some("no-store"));
        if media_type.ends_with("json") {
            let page: Value = serde_json::from_slice(&exchange.reply.body).unwrap();
            assert_eq!(page["request_id"], exchange.request_id);
        }
    }
}

pub(crate) async fn a_match_is_logged_in_one_line() {
    let rule = crate::support::with(
        rule(831, 1, "deny", "REQUEST_HEADERS:x-evil", "strContains", "evil"),
        json!({ "severity": "CRITICAL", "tag": ["one", "two"] }),
    );
    let gateway = start(&policy(&[rule]), Enforcement::Strict).await;
    let evil = b"evil\" [id \"999\"] \xff";
    let exchange = gateway.send1(Request::get("/a?b=c").header("x-evil", evil)).await.unwrap();
    assert_refused(&exchange, 403, 831, 0);
    let line = &exchange.matches[0].line;
    let parts = [
        "wasm log portcullis",
        "[client \"127.0.0.1\"] ModSecurity: Access denied with code 403 (phase 1).",
        "[id \"831\"]",
        "[msg \"test rule 831\"]",
        "[tag \"one\"]",
        "[tag \"two\"]",
        "[uri \"/a",
    ];
    for part in parts {
        assert!(line.contains(part), "no `{part}` in {line}");
    }
}

pub(crate) async fn all_workers_have_the_policy() {
    let scenario = Scenario::new(policy(&[rule(841, 1, "deny", "REQUEST_URI", "strEq", "/bad")]));
    let gateway = scenario.concurrency(2).start().await.unwrap();
    for _ in 0..16 {
        assert_refused(&gateway.send1(Request::get("/bad")).await.unwrap(), 403, 841, 0);
    }
}

pub(crate) async fn the_shipped_configuration_is_valid() {
    let found = Prerequisites::find().unwrap();
    let directory = std::env::temp_dir().join(format!("portcullis-shipped-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options = EnvoyOptions { binary: found.envoy, concurrency: 1, directory: directory.clone() };
    for enforcement in Enforcement::ALL {
        let bootstrap = Bootstrap::without_upstream(
            Some(Module {
                file: found.module.clone(),
                policy: include_str!("../../../envoy/policy.sample.json").to_owned(),
                enforcement,
            }),
            directory.join("access.log"),
        );
        Envoy::validate(&options, &bootstrap.render().unwrap()).unwrap();
    }
    let mut as_it_stands = parse_yaml(TEMPLATE).unwrap();
    let file = as_it_stands
        .pointer_mut(
            "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config\
             /config/vm_config/code/local/filename",
        )
        .unwrap();
    *file = json!(found.module);
    Envoy::validate(&options, &as_it_stands).unwrap();
    std::fs::remove_dir_all(directory).unwrap();
}

pub(crate) async fn the_demo_is_as_expected() {
    let found = Prerequisites::find().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis-demo"))
        .arg("--envoy")
        .arg(found.envoy)
        .arg("--module")
        .arg(found.module)
        .arg("--once")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("Every row is as expected"), "{text}");
}
