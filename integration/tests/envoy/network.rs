//! Network rules on real connections: `tcp_proxy` behind the network filter.

use std::process::Command;

use portcullis_integration::{Envoy, EnvoyOptions, Prerequisites, StartError};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use crate::network_support::{Echo, Fate, Net, Setup, client_hello, connect_from, ping, rule, rules};

/// Where connections of these tests seem to go when it doesn't matter.
const ELSEWHERE: &str = "198.51.100.1:443";
const ELSEWHERE6: &str = "[2001:db8:ffff::1]:443";

/// One rule for each form of address and each action, for a kind.
fn each_form(kind: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for (number, action) in (1..).zip(["detect", "protect", "allow"]) {
        texts.push(format!("{kind} 10.1.1.{number} 0 {action}"));
        texts.push(format!("{kind} 10.1.2.{number} 1000-2000 {action}"));
        if !kind.starts_with("bind") {
            texts.push(format!("{kind} 10.1.1{number}.0/24 0 {action}"));
            texts.push(format!("{kind} 2001:db8:{number}::/48 0 {action}"));
        }
        texts.push(format!("{kind} 2001:db8:f::{number} 0 {action}"));
        texts.push(format!("{kind} any 500{number} {action}"));
        texts.push(format!("{kind} 0.0.0.0 600{number} {action}"));
        texts.push(format!("{kind} :: 600{number} {action}"));
    }
    texts
}

/// Ends with the rule of `each_form` that governs them, by its place in the list of an action.
fn each_end(kind: &str, number: usize) -> Vec<(String, Option<String>)> {
    let action = ["detect", "protect", "allow"][number - 1];
    let mut ends = vec![
        (format!("10.1.1.{number}:77"), Some(format!("{kind} 10.1.1.{number} 0 {action}"))),
        (format!("10.1.2.{number}:1000"), Some(format!("{kind} 10.1.2.{number} 1000-2000 {action}"))),
        (format!("10.1.2.{number}:2000"), Some(format!("{kind} 10.1.2.{number} 1000-2000 {action}"))),
        (format!("10.1.2.{number}:2001"), None),
        (format!("10.1.2.{number}:999"), None),
        (format!("[2001:db8:f::{number}]:77"), Some(format!("{kind} 2001:db8:f::{number} 0 {action}"))),
        (format!("10.9.9.9:500{number}"), Some(format!("{kind} any 500{number} {action}"))),
        (format!("[2001:db8:99::1]:500{number}"), Some(format!("{kind} any 500{number} {action}"))),
        (format!("10.9.9.9:600{number}"), Some(format!("{kind} 0.0.0.0 600{number} {action}"))),
        (format!("[2001:db8:99::1]:600{number}"), Some(format!("{kind} :: 600{number} {action}"))),
    ];
    if !kind.starts_with("bind") {
        ends.extend([
            (format!("10.1.1{number}.200:77"), Some(format!("{kind} 10.1.1{number}.0/24 0 {action}"))),
            (format!("[2001:db8:{number}::9]:77"), Some(format!("{kind} 2001:db8:{number}::/48 0 {action}"))),
        ]);
    }
    ends
}

/// Plays each form and action of a kind; the end is the client's or the destination.
async fn each_form_and_action(kind: &str, setup: fn(Value) -> Setup, end_is_client: bool) {
    let texts = each_form(kind);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let net = setup(rules(&texts)).start().await;
    let mut reached = 0;
    let mut applied = 0;
    for number in 1..=3 {
        for (end, rule) in each_end(kind, number) {
            let other = if end.starts_with('[') { ELSEWHERE6 } else { ELSEWHERE };
            let fate = match end_is_client {
                true => net.fate(&end, other).await,
                false => net.fate(other, &end).await,
            };
            let refused = rule.as_ref().is_some_and(|rule| rule.ends_with("protect"));
            assert_eq!(fate, if refused { Fate::Closed } else { Fate::Echoed }, "{kind} {end} {rule:?}");
            reached += usize::from(!refused);
            // Nothing of what is refused reaches the upstream, not even a connection.
            assert_eq!(net.echo.connections(), reached, "{kind} {end}");
            applied += usize::from(rule.is_some());
            if let Some(rule) = rule {
                let line = net.logged(&format!("|{rule}|Execute Rule|High|"), 1).await.pop().unwrap();
                let act = rule.rsplit(' ').next().unwrap();
                assert!(line.contains(&format!(" act={act} ")), "{line}");
            }
        }
    }
    let lines = net.logged("Execute Rule", applied).await;
    assert_eq!(lines.len(), applied);
    let counters = net.counters().await;
    let each = u64::try_from(applied / 3).unwrap();
    for action in ["detect", "protect", "allow"] {
        assert_eq!(counters.get(&format!("network.{kind}.{action}")), Some(&each), "{counters:?}");
    }
    assert!(!counters.keys().any(|name| name.contains("error") || name.contains("failed")), "{counters:?}");
}

pub(crate) async fn accept_by_each_form_and_action() {
    each_form_and_action("accept", Setup::new, true).await;
}

pub(crate) async fn connect_by_each_form_and_action() {
    each_form_and_action("connect", |rules| Setup::new(rules).outbound(), false).await;
}

pub(crate) async fn bind_server_by_each_form_and_action() {
    each_form_and_action("bind_server", Setup::new, false).await;
}

pub(crate) async fn bind_client_by_the_address_that_is_used() {
    let texts = [
        "bind_client 127.0.2.1 0 protect",
        "bind_client 127.0.2.2 0 detect",
        "bind_client 127.0.2.4 1-2 protect",
    ];
    let mut setup = Setup::new(rules(&texts));
    setup.sources = vec!["127.0.2.1", "127.0.2.2", "127.0.2.3", "127.0.2.4"];
    let net = setup.start().await;
    for (source, fate) in [
        ("127.0.2.1", Fate::Closed),
        ("127.0.2.2", Fate::Echoed),
        ("127.0.2.3", Fate::Echoed),
        ("127.0.2.4", Fate::Echoed),
    ] {
        let listener = net.envoy.admin().listener(&format!("from {source}")).await.unwrap();
        assert_eq!(net.fate_at(listener, "10.0.0.1:1", ELSEWHERE, b"ping").await, fate, "{source}");
    }
    let line = net.logged("securityFeature=socket bind ", 1).await.remove(0);
    assert!(line.contains("act=protect") && line.contains("localIpAddress=127.0.2.1 localPort="), "{line}");
    let counters = net.counters().await;
    assert_eq!((counters["network.bind_client.protect"], counters["network.bind_client.detect"]), (1, 1));
}

pub(crate) async fn bind_client_over_ipv6_and_any() {
    let Ok(probe) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("SKIPPED: no IPv6 loopback");
        return;
    };
    drop(probe);
    for (text, fate) in [
        ("bind_client ::1 0 protect", Fate::Closed),
        ("bind_client any 0 protect", Fate::Closed),
        ("bind_client :: 0 detect", Fate::Echoed),
        ("bind_client 0.0.0.0 0 protect", Fate::Echoed),
    ] {
        let echo = Echo::start("[::1]:0").await;
        let upstream = echo.address;
        let net = Setup::new(rules(&[text])).start_with(echo, upstream).await;
        assert_eq!(net.fate("10.0.0.1:1", ELSEWHERE).await, fate, "{text}");
    }
}

pub(crate) async fn a_whitelist_of_clients_and_of_services() {
    let net = Setup::new(rules(&["accept any 0 protect", "accept 10.0.0.5 0 allow"])).start().await;
    assert_eq!(net.fate("10.0.0.5:4000", ELSEWHERE).await, Fate::Echoed);
    assert_eq!(net.fate("10.0.0.6:4000", ELSEWHERE).await, Fate::Closed);
    assert_eq!(net.fate("[2001:db8::1]:4000", ELSEWHERE6).await, Fate::Closed);
    assert_eq!(net.echo.connections(), 1);
    let net =
        Setup::new(rules(&["connect any 0 protect", "connect 10.0.0.5 443 allow"])).outbound().start().await;
    assert_eq!(net.fate("10.9.9.9:1", "10.0.0.5:443").await, Fate::Echoed);
    assert_eq!(net.fate("10.9.9.9:1", "10.0.0.5:444").await, Fate::Closed);
    assert_eq!(net.fate("10.9.9.9:1", "10.0.0.6:443").await, Fate::Closed);
    assert_eq!(net.echo.connections(), 1);
}

pub(crate) async fn directions_choose_the_rules() {
    let texts = ["accept 10.0.0.1 0 protect", "connect 10.0.0.2 0 protect", "bind_server 10.0.0.3 0 protect"];
    let fates = |direction: Option<&'static str>, setting: Option<&'static str>| async move {
        let mut network = json!({ "rules": rules(&texts) });
        if let Some(setting) = setting {
            network["direction"] = json!(setting);
        }
        let mut setup = Setup::with(json!({ "network": network }));
        setup.direction = direction;
        let net = setup.start().await;
        let mut closed = String::new();
        for (kind, source, destination) in [
            ("accept ", "10.0.0.1:1", ELSEWHERE),
            ("connect ", "10.9.9.9:1", "10.0.0.2:1"),
            ("bind ", "10.9.9.9:1", "10.0.0.3:1"),
        ] {
            if net.fate(source, destination).await == Fate::Closed {
                closed.push_str(kind);
            }
        }
        closed
    };
    assert_eq!(fates(None, None).await, "accept bind ");
    assert_eq!(fates(Some("INBOUND"), None).await, "accept bind ");
    assert_eq!(fates(Some("OUTBOUND"), None).await, "connect ");
    assert_eq!(fates(None, Some("outbound")).await, "connect ");
    assert_eq!(fates(Some("OUTBOUND"), Some("both")).await, "accept connect bind ");
    assert_eq!(fates(Some("OUTBOUND"), Some("inbound")).await, "accept bind ");
}

pub(crate) async fn services_by_their_name() {
    let texts = [
        "connect bad.example.com 0 protect",
        "connect odd.example.com 443 detect",
        "connect 10.0.0.7 0 allow",
    ];
    let net = Setup::new(rules(&texts)).outbound().start().await;
    let listener = net.envoy.listener();
    for (name, destination, fate) in [
        ("bad.example.com", "10.0.0.1:443", Fate::Closed),
        ("BAD.example.com", "10.0.0.1:443", Fate::Closed),
        ("good.example.com", "10.0.0.1:443", Fate::Echoed),
        ("odd.example.com", "10.0.0.1:443", Fate::Echoed),
        // The address comes before the name.
        ("bad.example.com", "10.0.0.7:443", Fate::Echoed),
    ] {
        let hello = client_hello(name);
        assert_eq!(
            net.fate_at(listener, "10.9.9.9:1", destination, &hello).await,
            fate,
            "{name} {destination}"
        );
    }
    let line = net.logged("|connect odd.example.com 443 detect|", 1).await.remove(0);
    assert!(line.contains("remoteIpAddress=10.0.0.1 remotePort=443 hostname=odd.example.com"), "{line}");
}

pub(crate) async fn addresses_of_real_sockets() {
    let net =
        Setup::new(rules(&["accept 127.0.3.1 0 protect", "accept 127.0.3.2 0 detect"])).plain().start().await;
    for (source, fate) in
        [("127.0.3.1", Fate::Closed), ("127.0.3.2", Fate::Echoed), ("127.0.3.3", Fate::Echoed)]
    {
        let mut stream = connect_from(source, net.envoy.listener()).await;
        assert_eq!(ping(&mut stream, b"ping").await, fate, "{source}");
    }
    assert_eq!(net.echo.connections(), 2);
}

/// Runs `ip`; whether it worked.
fn ip(arguments: &str) -> bool {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    output.is_ok_and(|output| output.status.success())
}

/// A network namespace with a link to this one; both go when dropped.
struct Namespace {
    name: String,
    link: String,
}

impl Namespace {
    fn create(ours: &str, theirs: &str) -> Option<Self> {
        let number = std::process::id();
        let made = Self { name: format!("portcullis-{number}"), link: format!("pc{number}") };
        let (name, link) = (&made.name, &made.link);
        let ready = ip(&format!("netns add {name}"))
            && ip(&format!("link add {link} type veth peer name inner netns {name}"))
            && ip(&format!("addr add {ours}/24 dev {link}"))
            && ip(&format!("link set {link} up"))
            && ip(&format!("-n {name} addr add {theirs}/24 dev inner"))
            && ip(&format!("-n {name} link set inner up"));
        ready.then_some(made)
    }

    /// What a client in the namespace gets back from an echo.
    fn echo(&self, port: u16) -> String {
        let script = format!("exec 3<>/dev/tcp/10.213.7.1/{port}; echo ping >&3; timeout 5 head -n 1 <&3");
        let output =
            Command::new("ip").args(["netns", "exec", &self.name, "bash", "-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&format!("link del {}", self.link));
        ip(&format!("netns del {}", self.name));
    }
}

pub(crate) async fn a_client_in_another_network_namespace() {
    let Some(namespace) = Namespace::create("10.213.7.1", "10.213.7.2") else {
        eprintln!("SKIPPED: network namespaces are not allowed here");
        return;
    };
    let namespace = std::sync::Arc::new(namespace);
    for (text, answer) in [
        ("accept 10.213.7.2 0 protect", ""),
        ("accept 10.213.7.0/24 0 detect", "ping\n"),
        ("bind_server 10.213.7.1 0 protect", ""),
        ("accept 10.213.7.3 0 protect", "ping\n"),
    ] {
        let mut setup = Setup::new(rules(&[text])).plain();
        setup.listen = "0.0.0.0";
        let net = setup.start().await;
        let port = net.envoy.listener().port();
        let inside = std::sync::Arc::clone(&namespace);
        let got = tokio::task::spawn_blocking(move || inside.echo(port)).await.unwrap();
        assert_eq!(got, answer, "{text}");
        assert_eq!(net.echo.connections(), usize::from(!answer.is_empty()), "{text}");
    }
}

pub(crate) async fn events_have_every_key() {
    let mut detailed = rule("accept 10.0.0.1 0 protect");
    detailed["connection_detail"] = json!(true);
    detailed["app"] = json!("shop");
    detailed["log"] = json!({ "cve": "CVE-2026-1" });
    let net = Setup::new(json!([detailed])).start().await;
    assert_eq!(net.fate("10.0.0.1:4711", ELSEWHERE).await, Fate::Closed);
    let line = net.logged("Execute Rule", 1).await.remove(0);
    for part in [
        "<10>1 20",
        " gateway-1 portcullis - - - CEF:0|ARMR:shop|shop|2.10|accept 10.0.0.1 0 protect|Execute Rule|High|rt=",
        " dvchost=gateway-1 procid=- appVersion=1 ruleType=socket securityFeature=socket accept act=protect msg=connection from 10.0.0.1:4711 refused",
        " stacktrace=plugin: portcullis\\nfilter chain: the chain\\nconnection: ",
        " remoteIpAddress=10.0.0.1 remotePort=4711 cve=CVE-2026-1",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let json = Setup::with(
        json!({ "network": { "event_format": "json", "rules": rules(&["accept any 0 detect"]) } }),
    );
    let net = json.start().await;
    net.fate("10.0.0.1:4711", ELSEWHERE).await;
    let line = net.logged("Execute Rule", 1).await.remove(0);
    let object: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
    assert_eq!((&object["remoteIpAddress"], &object["remotePort"]), (&json!("10.0.0.1"), &json!(4711)));
}

pub(crate) async fn events_are_capped_and_counters_go_on() {
    let policy = json!({ "network": {
        "rules": rules(&["accept any 0 protect"]),
        "event_flow": { "max_events_per_rule": 3, "pause_seconds": 600 },
    }});
    let net = Setup::with(policy).start().await;
    for _ in 0..8 {
        assert_eq!(net.fate("10.0.0.1:1", ELSEWHERE).await, Fate::Closed);
    }
    let lines = net.logged("Execute Rule", 4).await;
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[3].contains("threshold of 3"), "{lines:#?}");
    let counters = net.counters().await;
    assert_eq!(counters["network.rule.portcullis.accept_any_0_protect.protect"], 8, "{counters:?}");
}

pub(crate) async fn armr_text_works_as_json_does() {
    let armr = "app(\"from text\"):\n requires(version: ARMR/2.10)\n socket(\"strangers\"):\n accept(\"10.0.0.0/8:0\")\n \
                protect(message: \"no\", severity: Very-High)\n endsocket\nendapp";
    let net = Setup::with(json!({ "network": { "armr": armr } })).start().await;
    assert_eq!(net.fate("10.3.3.3:1", ELSEWHERE).await, Fate::Closed);
    assert_eq!(net.fate("11.3.3.3:1", ELSEWHERE).await, Fate::Echoed);
    let line = net.logged("|strangers|Execute Rule|Very-High|", 1).await.remove(0);
    assert!(line.contains("<9>1 ") && line.contains("ARMR:from text|"), "{line}");
}

pub(crate) async fn bad_rules_are_refused_at_start() {
    let found = Prerequisites::find().unwrap();
    let directory = std::env::temp_dir().join(format!("portcullis-net-bad-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options = EnvoyOptions { binary: found.envoy, concurrency: 1, directory: directory.clone() };
    let mut bad = rule("accept 10.0.0.1 0 allow");
    bad["api"] = json!("any");
    let bootstrap =
        Setup::new(json!([bad])).bootstrap(([127, 0, 0, 1], 9).into(), found.module.to_str().unwrap());
    match Envoy::start(&options, &bootstrap).await {
        Err(StartError::Exited { log, .. }) => assert!(log.contains("error[E0510] policy:1:"), "{log}"),
        other => panic!("{other:?}"),
    }
    std::fs::remove_dir_all(directory).unwrap();
}

/// Envoy's listeners in a file that it watches.
fn write_listeners(net: &std::path::Path, listener: &Value) {
    let mut listener = listener.clone();
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    let text = json!({ "resources": [listener] }).to_string();
    std::fs::write(net.join("lds.new"), text).unwrap();
    std::fs::rename(net.join("lds.new"), net.join("lds.json")).unwrap();
}

pub(crate) async fn a_new_policy_leaves_established_connections_alone() {
    let found = Prerequisites::find().unwrap();
    let module = found.module.to_str().unwrap().to_owned();
    let echo = Echo::start("127.0.0.1:0").await;
    let directory = std::env::temp_dir().join(format!("portcullis-net-lds-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let old = Setup::new(rules(&["accept 10.0.0.1 0 detect"]));
    write_listeners(&directory, &old.listener("ingress", "upstream", port, &module));
    let mut bootstrap = old.bootstrap(echo.address, &module);
    bootstrap["static_resources"].as_object_mut().unwrap().remove("listeners");
    bootstrap["dynamic_resources"] = json!({ "lds_config": {
        "path_config_source": { "path": directory.join("lds.json"), "watched_directory": { "path": directory } },
        "resource_api_version": "V3",
    }});
    let options = EnvoyOptions { binary: found.envoy, concurrency: 1, directory: directory.clone() };
    let envoy = match Envoy::start(&options, &bootstrap).await {
        Ok(envoy) => envoy,
        Err(error) => panic!("{error}"),
    };
    let net = Net::of(envoy, echo, directory.clone());
    let mut established = net.open(net.envoy.listener(), "10.0.0.1:1", ELSEWHERE).await;
    assert_eq!(ping(&mut established, b"before").await, Fate::Echoed);

    let new = Setup::new(rules(&["accept 10.0.0.1 0 protect"]));
    write_listeners(&directory, &new.listener("ingress", "upstream", port, &module));
    let started = Instant::now();
    while net.fate("10.0.0.1:2", ELSEWHERE).await == Fate::Echoed {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "the new policy never came\n{}",
            net.envoy.log()
        );
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(ping(&mut established, b"after").await, Fate::Echoed);

    // What is refused changes nothing.
    let mut bad = rule("accept 10.0.0.1 0 allow");
    bad["start_port"] = json!(70_000);
    write_listeners(&directory, &Setup::new(json!([bad])).listener("ingress", "upstream", port, &module));
    assert!(!net.logged("E0509", 1).await.is_empty(), "{}", net.envoy.log());
    assert_eq!(net.fate("10.0.0.1:3", ELSEWHERE).await, Fate::Closed);
    assert_eq!(net.fate("10.0.0.2:3", ELSEWHERE).await, Fate::Echoed);
    assert_eq!(ping(&mut established, b"still").await, Fate::Echoed);
}
