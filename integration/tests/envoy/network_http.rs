//! Network rules on HTTP listeners: the HTTP filter, with and without the network filter in front of it.

use portcullis_integration::{Http1, Request, Upstream};
use serde_json::{Value, json};

use crate::network_support::{Echo, Net, Setup, rule, rules};

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
