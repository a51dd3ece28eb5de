//! Network rules on HTTP listeners: the HTTP filter, with and without the network filter in front of it.

use portcullis_integration::{Http1, Request, Upstream};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Duration, sleep};

use crate::network_support::{Echo, Net, Setup, connect_from, rule, rules};

/// Envoy with an HTTP upstream.
struct Web {
    net: Net,
    upstream: Upstream,
}

/// The same policy for both filters.
async fn web(policy: Value, adjust: impl FnOnce(&mut Setup)) -> Web {
    let upstream = Upstream::start().await.unwrap();
    let mut setup = Setup::with(policy.clone()).plain();
    setup.http = Some(policy);
    adjust(&mut setup);
    // The echo is not asked here.
    let net = setup.start_with(Echo::start("127.0.0.1:0").await, upstream.address()).await;
    Web { net, upstream }
}

async fn http_only(policy: Value) -> Web {
    web(policy, |setup| setup.network_filter = false).await
}

impl Web {
    /// The status of a request, and whether the upstream saw it.
    async fn get(&self, request: Request) -> (Option<u16>, bool) {
        let before = self.upstream.hits();
        let mut client = Http1::connect(self.net.envoy.listener()).await.unwrap();
        let reply = client.exchange(&request).await;
        (reply.status, self.upstream.hits() > before)
    }
}

fn network(rules: Value) -> Value {
    json!({ "network": { "rules": rules } })
}

fn with_api(text: &str, api: Value) -> Value {
    let mut rule = rule(text);
    rule["api"] = api;
    rule
}

pub(crate) async fn restricted_rules_act_on_their_requests() {
    let rules = json!([
        with_api("accept 127.0.0.1 0 protect", json!(["/admin/*", "*/secret", "*/cars*"])),
        // Less specific: never in the place of the first.
        rule("accept any 0 protect"),
    ]);
    let web = web(network(rules), |_| ()).await;
    for (path, status) in [
        ("/admin/users", 403),
        ("/%61dmin/users", 403),
        ("/x/../admin/users", 403),
        ("/deep/secret", 403),
        ("/deep/secret?x=1", 403),
        ("/api/cars/7", 403),
        ("/bytes/10", 200),
        ("/bytes/10?next=/admin/", 200),
    ] {
        let (got, reached) = web.get(Request::get(path)).await;
        assert_eq!((got, reached), (Some(status), status == 200), "{path}");
    }
    let line = web.net.logged("httpRequestUri=/deep/secret httpRequestMethod=GET", 1).await.remove(0);
    assert!(line.contains("securityFeature=socket accept act=protect"), "{line}");
    let counters = web.net.counters().await;
    assert_eq!(
        (counters["network.accept.protect"], counters["requests.deny.network"]),
        (6, 6),
        "{counters:?}"
    );
    assert_eq!(counters["requests.pass"], 2, "{counters:?}");

    let detecting = http_only(network(json!([with_api("accept 127.0.0.1 0 detect", json!("any"))]))).await;
    assert_eq!(detecting.get(Request::get("/bytes/1")).await, (Some(200), true));
    assert_eq!(detecting.net.logged("act=detect", 1).await.len(), 1);
}

pub(crate) async fn unrestricted_rules_hold_for_requests_too() {
    let protecting = http_only(network(rules(&["accept 127.0.0.0/8 0 protect"]))).await;
    assert_eq!(protecting.get(Request::get("/bytes/1")).await, (Some(403), false));
    let bound = http_only(network(rules(&["bind_server 127.0.0.1 0 protect"]))).await;
    assert_eq!(bound.get(Request::get("/bytes/1")).await, (Some(403), false));
    let mut policy = network(rules(&["accept 127.0.0.0/8 0 protect"]));
    policy["network"]["http_requests"] = json!("api_only");
    let restricted = http_only(policy.clone()).await;
    assert_eq!(restricted.get(Request::get("/bytes/1")).await, (Some(200), true));
    // With the network filter in front the connection is closed.
    let both = web(policy, |_| ()).await;
    assert_eq!(both.get(Request::get("/bytes/1")).await, (None, false));
}

pub(crate) async fn services_by_cluster_and_authority() {
    let web = http_only(network(rules(&[
        "connect second 0 protect",
        "connect bad.example.com 0 protect",
        "connect odd.example.com 0 detect",
    ])))
    .await;
    let host = |path: &str, host: &str| Request::get(path).header("host", host);
    assert_eq!(web.get(host("/bytes/1", "a.example.com")).await, (Some(200), true));
    assert_eq!(web.get(host("/second/bytes/1", "a.example.com")).await, (Some(403), false));
    // What a client says about the host doesn't outweigh the cluster.
    assert_eq!(web.get(host("/second/bytes/1", "odd.example.com")).await, (Some(403), false));
    assert_eq!(web.get(host("/bytes/1", "BAD.example.com:8080")).await, (Some(403), false));
    assert_eq!(web.get(host("/bytes/1", "odd.example.com")).await, (Some(200), true));
    let line = web.net.logged("|connect odd.example.com 0 detect|", 1).await.remove(0);
    assert!(line.contains("securityFeature=socket connect act=detect"), "{line}");
    assert!(line.contains(" remoteIpAddress=127.0.0.1 "), "{line}");

    // Everything but one cluster.
    let web = http_only(network(rules(&["connect any 0 protect", "connect second 0 allow"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(403), false));
    assert!(web.get(Request::get("/second/x")).await.1);
    // A listener of the inbound side doesn't judge services.
    let mut policy = network(rules(&["connect any 0 protect"]));
    policy["network"]["direction"] = json!("inbound");
    assert_eq!(http_only(policy).await.get(Request::get("/bytes/1")).await, (Some(200), true));
}

pub(crate) async fn services_by_their_address() {
    // The address is known with the response: the client gets 403, the upstream has seen the request.
    let web = http_only(network(rules(&["connect 127.0.0.1 0 protect"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(403), true));
    let web = http_only(network(rules(&["connect any 0 protect", "connect 127.0.0.0/8 0 allow"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(200), true));
    // Everything is refused, whatever the address.
    let web = http_only(network(rules(&["connect any 0 protect", "connect 10.0.0.1 0 protect"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(403), false));
    // On an outbound listener the destination is known.
    let mut policy = network(rules(&["connect 127.0.0.1 0 protect"]));
    policy["network"]["direction"] = json!("outbound");
    assert_eq!(http_only(policy).await.get(Request::get("/bytes/1")).await, (Some(403), false));
}

pub(crate) async fn local_addresses_of_upstream_connections() {
    let web = http_only(network(rules(&["bind_client 127.0.0.1 0 protect"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(403), true));
    let web = http_only(network(rules(&["bind_client 127.0.0.9 0 protect"]))).await;
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(200), true));
}

pub(crate) async fn refused_requests_never_reach_the_rules_or_the_upstream() {
    let mut policy = network(json!([with_api("accept any 0 protect", json!(["/admin/*"]))]));
    policy["rule_sets"] = json!([{ "name": "s", "default_action": "deny", "rules": [{
        "rule_id": 7, "phase": 1, "status": 418,
        "matches": [{ "variables": "REQUEST_URI", "operator": "strContains", "operating": "attack" }],
    }]}]);
    let web = web(policy, |_| ()).await;
    assert_eq!(web.get(Request::get("/admin/attack")).await, (Some(403), false));
    assert_eq!(web.get(Request::get("/attack")).await, (Some(418), false));
    assert_eq!(web.get(Request::get("/bytes/1")).await, (Some(200), true));
    let mut post = Request::post("/admin/x", "text/plain", "hello");
    post = post.in_pieces_of(2);
    assert_eq!(web.get(post).await, (Some(403), false));
    let counters = web.net.counters().await;
    assert_eq!(
        (counters["requests.deny.network"], counters["requests.deny.phase_1"]),
        (2, 1),
        "{counters:?}"
    );
}

/// A policy with risk for both filters; a client is blocked for 3 seconds.
fn with_risk(network: Value) -> Value {
    json!({
        "network": network,
        "risk": {
            "switches": { "risk_blocks": true }, "block": { "seconds": 3 }, "score": { "half_life": 1 },
            "rules": [{ "id": 1, "risk": 95, "condition":
                { "attribute": "header", "field": "x-attack", "value": "yes" } }],
        },
    })
}

/// The status of a request from a loopback address over a connection of its own; `None` when it is closed.
async fn get_from(web: &Web, local: &str, path: &str, attack: &str) -> Option<u16> {
    let mut stream = connect_from(local, web.net.envoy.listener()).await;
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-attack: {attack}\r\nconnection: close\r\n\r\n");
    let mut reply = Vec::new();
    // Either fails when the connection is closed.
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = stream.read_to_end(&mut reply).await;
    std::str::from_utf8(reply.get(9..12)?).unwrap().parse().ok()
}

pub(crate) async fn blocked_clients_are_refused_when_they_connect() {
    let web = web(with_risk(json!({})), |setup| setup.concurrency = 2).await;
    let established = &mut Http1::connect(web.net.envoy.listener()).await.unwrap();
    assert_eq!(established.exchange(&Request::get("/bytes/1")).await.status, Some(200));
    assert_eq!(get_from(&web, "127.0.0.1", "/bytes/1", "yes").await, Some(403));
    let before = web.upstream.hits();
    for _ in 0..6 {
        assert_eq!(get_from(&web, "127.0.0.1", "/bytes/1", "").await, None);
        assert_eq!(get_from(&web, "127.0.0.2", "/bytes/1", "").await, Some(200));
    }
    assert_eq!(web.upstream.hits(), before + 6);
    // A connection from before the block stays; its requests are answered.
    assert_eq!(established.exchange(&Request::get("/bytes/1")).await.status, Some(403));
    let counters = web.net.counters().await;
    assert_eq!((counters["connections.blocked_client"], counters["risk.refused"]), (6, 2), "{counters:?}");
    let lines = web.net.logged("\"uri\":\"\",", 6).await;
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("\"reason\":\"risk_block\"")), "{lines:?}");
    sleep(Duration::from_millis(4_000)).await;
    for _ in 0..4 {
        assert_eq!(get_from(&web, "127.0.0.1", "/bytes/1", "").await, Some(200));
    }
}

pub(crate) async fn what_network_rules_see_adds_to_risk() {
    let mut scanners = rule("accept 127.0.0.3 0 detect");
    scanners["risk"] = json!(95);
    let mut secret = with_api("accept 127.0.0.4 0 protect", json!(["/admin/*"]));
    secret["risk"] = json!(95);
    let network = json!({ "rules": [scanners, secret], "http_requests": "api_only" });
    let web = web(with_risk(network), |setup| setup.concurrency = 2).await;
    // The connection that the rule watched goes on; its request is refused, and then its connections are.
    assert_eq!(get_from(&web, "127.0.0.3", "/bytes/1", "").await, Some(403));
    assert_eq!(get_from(&web, "127.0.0.3", "/bytes/1", "").await, None);
    assert_eq!(get_from(&web, "127.0.0.4", "/bytes/1", "").await, Some(200));
    assert_eq!(get_from(&web, "127.0.0.4", "/admin/x", "").await, Some(403));
    assert_eq!(get_from(&web, "127.0.0.4", "/bytes/1", "").await, None);
    assert_eq!(get_from(&web, "127.0.0.2", "/bytes/1", "").await, Some(200));
    let counters = web.net.counters().await;
    assert_eq!(
        (counters["connections.blocked_client"], counters["risk.blocks.timed"]),
        (2, 2),
        "{counters:?}"
    );
    assert_eq!(web.net.logged("\"description\":\"accept 127.0.0.3 0 detect\"", 1).await.len(), 1);
}

pub(crate) async fn the_shipped_configuration_is_valid() {
    use portcullis_integration::{Envoy, EnvoyOptions, Prerequisites, parse_yaml};
    let found = Prerequisites::find().unwrap();
    let directory = std::env::temp_dir().join(format!("portcullis-net-valid-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let text = include_str!("../../../envoy/network.yaml")
        .replace("/etc/envoy/portcullis.wasm", found.module.to_str().unwrap());
    let options = EnvoyOptions { binary: found.envoy, concurrency: 1, directory: directory.clone() };
    if let Err(error) = Envoy::validate(&options, &parse_yaml(&text).unwrap()) {
        panic!("{error}");
    }
    std::fs::remove_dir_all(directory).unwrap();
}
