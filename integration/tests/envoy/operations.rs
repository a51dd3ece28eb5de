//! What an operator relies on: refused configurations, counters, pages, log lines, the shipped files.

use std::process::Command;

use portcullis_integration::{
    Bootstrap, Enforcement, Envoy, EnvoyOptions, Http1, Module, Prerequisites, Request, Scenario, StartError,
    TEMPLATE, parse_yaml,
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

/// Starts Envoy with a bootstrap that `change` has changed.
async fn start_changed(
    name: &str,
    policy: &Value,
    concurrency: u32,
    change: impl FnOnce(&mut Value),
) -> (std::path::PathBuf, Result<Envoy, StartError>) {
    let found = Prerequisites::find().unwrap();
    let directory = std::env::temp_dir().join(format!("portcullis-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options = EnvoyOptions { binary: found.envoy, concurrency, directory: directory.clone() };
    let enforcement = Enforcement::Streaming;
    let module = Module { file: found.module, policy: policy.to_string(), enforcement };
    let mut bootstrap =
        Bootstrap::without_upstream(Some(module), directory.join("access.log")).render().unwrap();
    change(&mut bootstrap);
    let envoy = Envoy::start(&options, &bootstrap).await;
    (directory, envoy)
}

const PLUGIN: &str =
    "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";

/// Envoy hands the policy over as it is only when it is a `StringValue`.
pub(crate) async fn other_forms_of_a_configuration_are_called_by_their_names() {
    let policy = json!({ "enforcement": "streaming", "rule_sets": [] });
    let types = "type.googleapis.com/";
    for (name, configuration, expected) in [
        (
            "struct",
            json!({ "@type": format!("{types}google.protobuf.Struct"), "value": policy }),
            "this is a `google.protobuf.Struct`, not a policy in JSON",
        ),
        (
            "typed-struct",
            json!({ "@type": format!("{types}xds.type.v3.TypedStruct"), "type_url": format!("{types}a.B"), "value": policy }),
            "this is a `google.protobuf.Struct`, not a policy in JSON",
        ),
        (
            "yaml",
            json!({ "@type": format!("{types}google.protobuf.StringValue"), "value": "rule_sets: []\n" }),
            "this is a policy in YAML, not in JSON",
        ),
        (
            "seclang",
            json!({ "@type": format!("{types}google.protobuf.StringValue"), "value": "SecRuleEngine On\n" }),
            "this is SecLang, not a policy in JSON",
        ),
    ] {
        let (directory, started) = start_changed(name, &policy, 1, |root| {
            root.pointer_mut(PLUGIN).unwrap()["configuration"] = configuration;
        })
        .await;
        let Err(StartError::Exited { log, .. }) = started.map(drop) else { panic!("{name} was accepted") };
        assert!(log.contains(expected), "{name}: {log}");
        std::fs::remove_dir_all(directory).unwrap();
    }
}

/// Each worker loads the policy; one says what is to be said of it.
pub(crate) async fn warnings_and_notes_are_logged_once_per_load() {
    let seclang = "SecDebugLog /tmp/x\nSecDefaultAction \"pass\"\n";
    let policy = |id: u64| {
        let seclang = format!("{seclang}SecAction \"id:{id},phase:1,pass,nolog\"\n");
        json!({ "rule_sets": [{ "name": "noted", "seclang": seclang }] })
    };
    let mut gateway = Scenario::new(policy(1)).concurrency(3).reloadable().start().await.unwrap();
    let count = |log: &str, code: &str| log.matches(code).count();
    let log = gateway.envoy().log();
    assert_eq!((count(&log, "note[N0501]"), count(&log, "warning[W0410]")), (1, 1), "{log}");
    gateway.reload(policy(2)).await.unwrap();
    let log = gateway.envoy().log();
    assert_eq!((count(&log, "note[N0501]"), count(&log, "warning[W0410]")), (2, 2), "{log}");
}

/// Envoy gives the module's counters a prefix in its own statistics, and none for Prometheus.
pub(crate) async fn counters_have_no_prefix_for_prometheus() {
    let gateway =
        start(&policy(&[rule(851, 1, "deny", "REQUEST_URI", "strEq", "/bad")]), Enforcement::Strict).await;
    assert_refused(&gateway.send1(Request::get("/bad")).await.unwrap(), 403, 851, 0);
    let admin = gateway.envoy().admin();
    assert_eq!(admin.stat("wasmcustom.portcullis.requests.deny.phase_1").await.unwrap(), 1);
    let prometheus = admin.get("/stats/prometheus").await.unwrap();
    assert!(prometheus.contains("\nportcullis_requests_deny_phase_1{} 1\n"), "{prometheus}");
    assert!(!prometheus.contains("wasmcustom"), "{prometheus}");
}

/// What `docs/configuration.md` says of `REQUEST_HEADERS`.
pub(crate) async fn rules_see_the_headers_that_envoy_adds() {
    let names = ["x-forwarded-for", "x-forwarded-proto", "x-request-id"];
    let each: Vec<Value> = names
        .iter()
        .zip(861..)
        .map(|(name, id)| rule(id, 1, "pass", &format!("REQUEST_HEADERS:{name}"), "strRegex", "."))
        .collect();
    let gateway = start(&policy(&each), Enforcement::Strict).await;
    // Over a connection of its own: the harness gives each request an id otherwise.
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    let reply = client.exchange(&Request::get("/")).await;
    assert_eq!(reply.status, Some(200));
    let log = gateway.envoy().log();
    let documented = include_str!("../../../docs/configuration.md");
    for (name, id) in names.iter().zip(861..) {
        assert!(log.contains(&format!("[id \"{id}\"]")), "{name}: {log}");
        assert!(documented.contains(&format!("`{name}`")), "{name}");
    }
}

/// The part of Envoy's configuration in `docs/configuration.md` makes each line of its log a JSON object.
pub(crate) async fn the_documented_format_makes_envoys_log_json() {
    let documented = include_str!("../../../docs/configuration.md");
    let blocks = documented.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let found: Vec<&str> = blocks.filter(|block| block.contains("application_log_config")).collect();
    let [block] = found.as_slice() else { panic!("{} blocks", found.len()) };
    let format = parse_yaml(block).unwrap();
    let policy = policy(&[rule(871, 1, "deny", "ARGS:q", "strContains", "evil")]);
    let (directory, started) = start_changed("json-log", &policy, 1, |root| {
        root["application_log_config"] = format["application_log_config"].clone();
    })
    .await;
    let envoy = started.unwrap();
    let mut client = Http1::connect(envoy.listener()).await.unwrap();
    let reply = client.exchange(&Request::get("/?q=%22evil%5c%22%0a")).await;
    assert_eq!(reply.status, Some(403));
    let log = envoy.log();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ours: Vec<&Value> = lines
        .iter()
        .filter(|line| {
            line["message"].as_str().is_some_and(|text| text.contains("ModSecurity: Access denied"))
        })
        .collect();
    let [line] = ours.as_slice() else { panic!("{log}") };
    assert!(line["message"].as_str().unwrap().contains("[id \"871\"]"), "{line}");
    assert_eq!((&line["level"], &line["logger"]), (&json!("warning"), &json!("wasm")), "{line}");
    drop(envoy);
    std::fs::remove_dir_all(directory).unwrap();
}
