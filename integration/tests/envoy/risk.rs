//! Risk per client over several workers: the ladder, lists, switches, what makes a client.

use std::time::Duration;

use portcullis_integration::{Gateway, Http1, Request, Scenario};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::with;

const ON: &[&str] = &["rule_blocks", "risk_blocks", "lists"];

/// Switches that are on.
fn switches(on: &[&str]) -> Value {
    on.iter().map(|name| ((*name).to_owned(), Value::Bool(true))).collect::<serde_json::Map<_, _>>().into()
}

/// A rule that matches a value of `x-attack`.
pub(crate) fn rule(id: u64, risk: u8, value: &str, action: &str) -> Value {
    json!({
        "id": id, "description": format!("attack {value}"), "risk": risk, "action": action,
        "classification": "KnownVulnerability", "state": "Exploitation",
        "condition": { "attribute": "header", "field": "x-attack", "value": value },
    })
}

/// A policy in which 127.0.0.1 is a trusted hop, so that a test can be any client.
pub(crate) fn policy(risk: Value) -> Value {
    let rules = json!([
        rule(1, 50, "medium", "track"),
        rule(2, 95, "high", "track"),
        rule(3, 20, "stop", "block"),
        rule(4, 20, "slow", "tarpit"),
        rule(5, 20, "bot", "interrogate"),
    ]);
    json!({
        "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] },
        "risk": with(json!({ "switches": switches(ON), "rules": rules }), risk),
    })
}

pub(crate) fn from(client: &str, attack: &str) -> Request {
    let request = Request::get("/echo").header("x-real-ip", client);
    if attack.is_empty() { request } else { request.header("x-attack", attack) }
}

/// The status that a request gets over a connection of its own, so by any worker.
async fn status(gateway: &Gateway, request: Request) -> u16 {
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    client.exchange(&request).await.status.unwrap()
}

/// The same request over many connections.
async fn statuses(gateway: &Gateway, request: &Request) -> Vec<u16> {
    let mut all = Vec::new();
    for _ in 0..12 {
        all.push(status(gateway, request.clone()).await);
    }
    all
}

async fn stat(gateway: &Gateway, name: &str) -> u64 {
    gateway.envoy().admin().stat(&format!("wasmcustom.portcullis.{name}")).await.unwrap_or(0)
}

async fn start(risk: Value) -> Gateway {
    Scenario::new(policy(risk)).concurrency(4).start().await.unwrap()
}

pub(crate) async fn the_ladder_goes_up_over_all_workers() {
    let gateway = start(json!({ "block": { "seconds": 3 }, "score": { "half_life": 2 } })).await;
    for block in 1..=2 {
        assert_eq!(status(&gateway, from("192.0.2.1", "high")).await, 403, "block {block}");
        assert_eq!(statuses(&gateway, &from("192.0.2.1", "")).await, [403; 12]);
        assert_eq!(statuses(&gateway, &from("192.0.2.2", "")).await, [200; 12], "another client");
        sleep(Duration::from_millis(4_000)).await;
        assert_eq!(statuses(&gateway, &from("192.0.2.1", "")).await, [200; 12]);
    }
    assert_eq!(status(&gateway, from("192.0.2.1", "high")).await, 403);
    sleep(Duration::from_millis(4_000)).await;
    assert_eq!(statuses(&gateway, &from("192.0.2.1", "")).await, [403; 12], "the third is for good");
    assert_eq!(statuses(&gateway, &from("192.0.2.2", "")).await, [200; 12]);
    assert_eq!(stat(&gateway, "risk.blocks.timed").await, 2);
    assert_eq!(stat(&gateway, "risk.blocks.permanent").await, 1);
    assert_eq!(stat(&gateway, "risk.post_block").await, 36);
    assert_eq!(stat(&gateway, "risk.refused").await, 39);
    assert_eq!(stat(&gateway, "risk.clients").await, 1);
    assert_eq!(stat(&gateway, "risk.blocked").await, 1);
    let log = gateway.envoy().log();
    // One where each block begins, and one for the requests of its first minute.
    assert_eq!(log.matches("\"msg_type\":\"BlockEvent\"").count(), 6);
    assert!(log.contains("\"number\":3,\"permanent\":true"), "{log}");
    assert!(log.contains("\"reason\":\"permanent_block\"") && log.contains("\"postblock_event\":true"));
}

/// Time frees nobody who is blocked for good, and neither does a new policy. `lists.reset` does, once.
pub(crate) async fn a_permanent_block_ends_when_it_is_removed() {
    let risk = json!({ "block": { "seconds": 1 }, "score": { "half_life": 1 }, "store": { "mebibytes": 1 } });
    let scenario = Scenario::new(policy(risk.clone())).concurrency(2).reloadable();
    let mut gateway = scenario.start().await.unwrap();
    let (first, second) = ("192.0.2.1", "192.0.2.2");
    for client in [first, second] {
        for block in 1..=3 {
            assert_eq!(status(&gateway, from(client, "high")).await, 403, "{client}, block {block}");
            sleep(Duration::from_millis(2_100)).await;
        }
        assert_eq!(statuses(&gateway, &from(client, "")).await, [403; 12], "{client}: the third is for good");
    }
    gateway.reload(policy(with(risk.clone(), json!({ "block": { "seconds": 2 } })))).await.unwrap();
    assert_eq!(statuses(&gateway, &from(first, "")).await, [403; 12], "a new policy alone frees nobody");
    assert_eq!(stat(&gateway, "risk.blocked").await, 2);

    let removed = json!({ "reset": [{ "address": first, "before": now(), "reason": "it was a test" }] });
    gateway.reload(policy(with(risk.clone(), json!({ "lists": removed })))).await.unwrap();
    assert_eq!(statuses(&gateway, &from(first, "")).await, [200; 12], "removed");
    assert_eq!(statuses(&gateway, &from(second, "")).await, [403; 12], "another one is not");
    assert_eq!(stat(&gateway, "risk.blocked").await, 1);
    assert_eq!(stat(&gateway, "risk.clients").await, 1);

    // What it did is forgotten: its next block is the first again, and the removal is about the past.
    assert_eq!(status(&gateway, from(first, "high")).await, 403);
    assert_eq!(statuses(&gateway, &from(first, "")).await, [403; 12]);
    sleep(Duration::from_millis(2_100)).await;
    assert_eq!(statuses(&gateway, &from(first, "")).await, [200; 12]);
    // The removal can be taken off the list again.
    gateway.reload(policy(risk)).await.unwrap();
    assert_eq!(statuses(&gateway, &from(first, "")).await, [200; 12]);
    assert_eq!(statuses(&gateway, &from(second, "")).await, [403; 12]);
    assert_eq!(stat(&gateway, "risk.blocks.permanent").await, 2);
}

/// The time as a policy writes it.
fn now() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Each of the numbers that tell how clients stand, over several workers, and as time passes.
pub(crate) async fn numbers_tell_how_clients_stand() {
    let gateway = start(json!({
        "block": { "seconds": 2 }, "store": { "mebibytes": 1 }, "score": { "half_life": 2, "live_window": 5 },
        "tarpit": { "delay": 1_500, "growth": 1, "seconds": 60 },
    }))
    .await;
    assert_eq!(status(&gateway, from("192.0.2.9", "")).await, 200, "who never matched is not tracked");
    for n in 1..=20 {
        assert_eq!(status(&gateway, from(&format!("192.0.2.{n}"), "high")).await, 403);
    }
    for n in 31..=50 {
        assert_eq!(status(&gateway, from(&format!("192.0.2.{n}"), "medium")).await, 200);
    }
    assert_eq!(status(&gateway, from("192.0.2.60", "bot")).await, 401);
    assert_eq!(stat(&gateway, "risk.clients").await, 41);
    assert_eq!(stat(&gateway, "risk.blocked").await, 20);
    let slow = status(&gateway, from("192.0.2.61", "slow"));
    let held = async {
        sleep(Duration::from_millis(700)).await;
        stat(&gateway, "risk.tarpit.streams").await
    };
    assert_eq!(tokio::join!(slow, held), (200, 1));
    assert_eq!(stat(&gateway, "risk.tarpit.streams").await, 0);
    for (name, expected) in [
        ("risk.matches", 42),
        ("risk.blocks.timed", 20),
        ("risk.refused", 20),
        ("risk.challenged", 1),
        ("risk.tarpit.held", 1),
        ("risk.tarpit.resumed", 1),
        ("risk.tarpit.abandoned", 0),
        ("store.evictions", 0),
        ("store.losses", 0),
    ] {
        assert_eq!(stat(&gateway, name).await, expected, "{name}");
    }

    // Nobody asks for anything, and the blocks end: two seconds, and one for the gauge.
    sleep(Duration::from_millis(4_000)).await;
    assert_eq!(stat(&gateway, "risk.blocked").await, 0);
    // Those who were not blocked have faded, those who were are known for a day.
    sleep(Duration::from_millis(12_000)).await;
    assert_eq!(stat(&gateway, "risk.clients").await, 22);
    assert_eq!(stat(&gateway, "risk.blocked").await, 0);

    // One score for each change.
    let histogram = gateway.envoy().admin().get("/stats?histogram_buckets=cumulative").await.unwrap();
    let scores = histogram.lines().find(|line| line.contains("portcullis.risk.score")).unwrap();
    let (_, above) = scores.rsplit_once(" B").unwrap();
    assert!(scores.contains("B50(") && above.contains(",42)"), "{scores}");
}

pub(crate) async fn a_client_that_behaves_recovers() {
    let gateway = start(json!({ "score": { "half_life": 1 } })).await;
    for _ in 0..3 {
        for _ in 0..2 {
            assert_eq!(status(&gateway, from("192.0.2.1", "medium")).await, 200);
        }
        sleep(Duration::from_millis(4_000)).await;
    }
    for expected in [200, 200, 403] {
        assert_eq!(status(&gateway, from("192.0.2.1", "medium")).await, expected);
    }
}

pub(crate) async fn lists_hold_in_their_order() {
    let entry = |address: &str| json!({ "address": address, "reason": "test" });
    let lists = json!({
        "allow": [entry("10.0.0.1"), entry("2001:db8:1::/48")],
        "deny": [entry("10.0.0.0/8"), entry("2001:db8::/32")],
        "block": [entry("203.0.113.0/24")],
    });
    let gateway = start(json!({ "lists": lists })).await;
    for (client, attack, expected) in [
        ("10.0.0.1", "", 200),
        ("10.0.0.1", "high", 200),
        ("10.0.0.1", "stop", 200),
        ("10.0.0.1", "", 200),
        ("10.0.0.2", "", 403),
        ("2001:db8:1::1", "high", 200),
        ("2001:db8:2::1", "", 403),
        ("203.0.113.9", "", 403),
        ("192.0.2.1", "", 200),
    ] {
        assert_eq!(status(&gateway, from(client, attack)).await, expected, "{client} {attack}");
    }
}

pub(crate) async fn each_switch_is_its_own() {
    let lists = json!({ "deny": [{ "address": "10.0.0.0/8", "reason": "test" }] });
    for on in [&[][..], &["rule_blocks"], &["risk_blocks"], &["lists"]] {
        let gateway = start(json!({ "lists": lists, "switches": switches(on) })).await;
        let expected = |name: &str| if on.contains(&name) { 403 } else { 200 };
        assert_eq!(status(&gateway, from("192.0.2.1", "stop")).await, expected("rule_blocks"), "{on:?}");
        assert_eq!(status(&gateway, from("192.0.2.2", "high")).await, expected("risk_blocks"), "{on:?}");
        assert_eq!(status(&gateway, from("10.0.0.1", "")).await, expected("lists"), "{on:?}");
    }
}

pub(crate) async fn a_client_is_what_the_policy_says() {
    let gateway = start(json!({ "entity": { "address": false, "header": "x-api-key" } })).await;
    let keyed = |request: Request, key: &str| request.header("x-api-key", key);
    assert_eq!(status(&gateway, keyed(from("192.0.2.1", "high"), "one")).await, 403);
    assert_eq!(statuses(&gateway, &keyed(from("192.0.2.9", ""), "one")).await, [403; 12]);
    assert_eq!(statuses(&gateway, &keyed(from("192.0.2.1", ""), "two")).await, [200; 12]);

    let gateway = start(json!({ "entity": { "cookie": "sid" } })).await;
    let named = |request: Request, sid: &str| request.header("cookie", format!("a=b; sid={sid}"));
    assert_eq!(status(&gateway, named(from("192.0.2.1", "high"), "one")).await, 403);
    assert_eq!(statuses(&gateway, &named(from("192.0.2.1", ""), "one")).await, [403; 12]);
    assert_eq!(statuses(&gateway, &named(from("192.0.2.1", ""), "two")).await, [200; 12]);
    assert_eq!(statuses(&gateway, &named(from("192.0.2.2", ""), "one")).await, [200; 12]);
}

pub(crate) async fn rules_block_tarpit_and_interrogate() {
    let gateway = start(json!({ "tarpit": { "delay": 700, "growth": 1, "seconds": 60 } })).await;
    let stop = gateway.send1(from("192.0.2.1", "stop")).await.unwrap();
    assert_eq!(stop.reply.status, Some(403));
    assert!(stop.reached.is_empty());
    assert_eq!(stop.access.details, "portcullis_client[rule_block_rule_3]");
    assert_eq!(status(&gateway, from("192.0.2.1", "")).await, 200, "only that request");

    for attack in ["slow", "", ""] {
        let started = std::time::Instant::now();
        let slow = gateway.send1(from("192.0.2.2", attack)).await.unwrap();
        assert_eq!(slow.reply.status, Some(200));
        let took = started.elapsed();
        assert!((700..1_200).contains(&took.as_millis()), "{took:?}");
    }
    let page = gateway.send1(Request::get("/bytes/300000?end=STOP").header("x-real-ip", "192.0.2.2"));
    assert!(page.await.unwrap().reply.body.ends_with(b"STOP"));

    let bot = gateway.send1(from("192.0.2.3", "bot")).await.unwrap();
    assert_eq!(bot.reply.status, Some(401));
    assert_eq!(bot.reply.header("content-type").as_deref(), Some("application/problem+json"));
    assert!(bot.reached.is_empty());
    assert_eq!(status(&gateway, from("192.0.2.3", "")).await, 401);
    assert_eq!(status(&gateway, from("192.0.2.4", "")).await, 200);
    assert_eq!(stat(&gateway, "risk.challenged").await, 2);
}
