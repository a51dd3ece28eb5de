//! What a large database of countries costs: memory of each worker, and the time until Envoy takes traffic.

use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_integration::{Gateway, Request, Scenario};
use serde_json::{Value, json};

use crate::mmdb::{Value as Place, country, database};
use crate::support::with;

/// A database of about 8 MB: as many networks as GeoLite2 Country has.
fn large() -> Vec<u8> {
    let networks: Vec<(String, Place)> = (0..180_000u32)
        .map(|n| {
            // Spread over all addresses, each /24 once: an odd factor is a bijection.
            let network = (n.wrapping_mul(0x9e3b) & 0x00ff_ffff) << 8;
            let code = [b'A' + (n % 26) as u8, b'A' + (n / 26 % 26) as u8]
                .map(char::from)
                .iter()
                .collect::<String>();
            (format!("{}/24", std::net::Ipv4Addr::from_bits(network)), country(&code, "A country", "EU"))
        })
        .collect();
    let networks: Vec<(&str, Place)> =
        networks.iter().map(|(network, place)| (network.as_str(), place.clone())).collect();
    database(24, &networks)
}

/// Kibibytes that a process has in memory: now, and at most so far.
fn resident(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    (of("VmRSS:"), of("VmHWM:"))
}

async fn start(policy: Value, workers: u32) -> (Gateway, u64, u64, u128) {
    let started = Instant::now();
    let gateway = Scenario::new(policy).concurrency(workers).start().await.unwrap();
    let took = started.elapsed().as_millis();
    let (now, most) = resident(gateway.envoy().id());
    (gateway, now, most, took)
}

pub(crate) async fn a_large_database_takes_its_size_a_few_times() {
    let database = large();
    let policy = |country: Value| {
        json!({
            "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] },
            "risk": {
                "country": country, "switches": { "rule_blocks": true },
                "rules": [{ "id": 1, "action": "block", "condition": { "attribute": "countries", "value": "BA" } }],
            },
        })
    };
    let files = json!({ "countries.mmdb": { "base64": STANDARD.encode(&database) } });
    let with_database = || with(policy(json!({ "database": "countries.mmdb" })), json!({ "files": files }));
    let without = || policy(json!({ "header": "x-country" }));
    let mut cost = Vec::new();
    for workers in [1, 3] {
        let (_, plain, plain_most, plain_took) = start(without(), workers).await;
        let (gateway, loaded, loaded_most, took) = start(with_database(), workers).await;
        eprintln!(
            "{workers} workers: {plain} KiB (at most {plain_most}) in {plain_took} ms without a database; with one of \
             {} bytes {loaded} KiB (at most {loaded_most}) in {took} ms",
            database.len()
        );
        cost.push((loaded - plain, loaded_most - plain_most));
        // The network of n = 1.
        let there = gateway.send1(Request::get("/").header("x-real-ip", "0.158.59.7")).await.unwrap();
        assert_eq!(there.reply.status, Some(403));
        let elsewhere = gateway.send1(Request::get("/").header("x-real-ip", "0.158.60.7")).await.unwrap();
        assert_eq!(elsewhere.reply.status, Some(200));
    }
    let worker = |one: u64, three: u64| three.saturating_sub(one) / 2;
    let (now, most) = (worker(cost[0].0, cost[1].0), worker(cost[0].1, cost[1].1));
    eprintln!(
        "each worker: {now} KiB now, {most} KiB at most, for {} KiB of database",
        database.len() / 1_024
    );
    assert!(now * 1_024 < 4 * database.len() as u64, "{now} KiB");
}
