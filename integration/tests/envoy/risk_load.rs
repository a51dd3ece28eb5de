//! Risk per client under load: increments in competition, many sources, many held answers.

use std::time::{Duration, Instant};

use portcullis_integration::{Gateway, Http1, Request, Scenario};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::risk::{from, policy};

async fn stat(gateway: &Gateway, name: &str) -> u64 {
    gateway.envoy().admin().stat(&format!("wasmcustom.portcullis.{name}")).await.unwrap_or(0)
}

pub(crate) async fn increments_of_all_workers_are_counted() {
    let seclang = "SecRuleEngine On\n\
        SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR}\"\n\
        SecRule REQUEST_HEADERS:x-probe \"@streq 1\" \"id:2,phase:1,nolog,redirect:/%{ip.n}\"\n\
        SecAction \"id:3,phase:1,nolog,pass,setvar:ip.n=+1\"";
    let policy = json!({ "rule_sets": [{ "name": "count", "seclang": seclang }] });
    let gateway = Scenario::new(policy).concurrency(4).start().await.unwrap();
    let address = gateway.envoy().listener();
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        clients.spawn(async move {
            let mut client = Http1::connect(address).await.unwrap();
            for _ in 0..2_000 {
                assert_eq!(client.exchange(&Request::get("/status/204")).await.status, Some(204));
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    let probe = gateway.send1(Request::get("/").header("x-probe", "1")).await.unwrap();
    let count: u64 = probe.reply.header("location").unwrap().trim_start_matches('/').parse().unwrap();
    sleep(Duration::from_millis(200)).await;
    let (losses, contention) =
        (stat(&gateway, "store.losses").await, stat(&gateway, "store.contention").await);
    eprintln!(
        "{count} of 16000 increments in {:?}; {contention} tries again, {losses} lost",
        started.elapsed()
    );
    assert_eq!(count + losses, 16_000);
    assert!(losses <= 16, "{losses}");
}

pub(crate) async fn many_sources_fit_and_a_blocked_one_stays() {
    const SOURCES: u32 = 100_000;
    let gateway =
        Scenario::new(policy(json!({ "store": { "mebibytes": 2 } }))).concurrency(4).start().await.unwrap();
    let address = gateway.envoy().listener();
    let blocked = gateway.send1(from("192.0.2.1", "high")).await.unwrap();
    assert_eq!(blocked.reply.status, Some(403));
    let memory = || gateway.envoy().admin();
    let before = memory().stat("server.memory_allocated").await.unwrap_or(0);
    let started = Instant::now();
    let mut clients = JoinSet::new();
    for part in 0..8u32 {
        clients.spawn(async move {
            let mut client = Http1::connect(address).await.unwrap();
            for n in (part..SOURCES).step_by(8) {
                let source = format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff);
                let request = Request::new("HEAD", "/status/204").header("x-real-ip", source);
                let reply = client.exchange(&request.header("x-attack", "medium")).await;
                assert_eq!(reply.status, Some(204));
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    let took = started.elapsed();
    let here = gateway.send1(from("192.0.2.1", "")).await.unwrap();
    assert_eq!(here.reply.status, Some(403), "the blocked one is still known");
    let after = memory().stat("server.memory_allocated").await.unwrap_or(0);
    let (clients, evictions) =
        (stat(&gateway, "risk.clients").await, stat(&gateway, "store.evictions").await);
    eprintln!(
        "{SOURCES} sources in {took:?}: {clients} kept, {evictions} evicted; Envoy's memory {before} -> {after}"
    );
    assert!(evictions > 50_000 && clients < 40_000, "{clients} {evictions}");
    assert_eq!(stat(&gateway, "store.losses").await, 0);
}

/// Milliseconds in which requests of a client that is not slowed are answered, in order.
async fn latencies(gateway: &Gateway, count: usize) -> Vec<f64> {
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let started = Instant::now();
        assert_eq!(client.exchange(&from("198.51.100.1", "")).await.status, Some(200));
        all.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    all.sort_by(f64::total_cmp);
    all
}

/// Of several runs the one with the lowest p99: what else goes on on the machine is not of interest.
async fn quietest(gateway: &Gateway) -> Vec<f64> {
    let mut best = latencies(gateway, 500).await;
    for _ in 0..7 {
        let next = latencies(gateway, 500).await;
        if at(&next, 0.99) < at(&best, 0.99) {
            best = next;
        }
    }
    best
}

fn at(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn slow(seconds: u32, delay: u32, more: Value) -> Value {
    let tarpit =
        json!({ "delay": delay, "growth": 1, "longest": delay, "seconds": seconds, "streams": 2_000 });
    policy(json!({ "tarpit": crate::support::with(tarpit, more) }))
}

/// What is measured in milliseconds needs a machine that is not busy with something else: a busy one gets more tries.
pub(crate) async fn a_thousand_answers_are_held_and_others_pass() {
    for _ in 0..2 {
        match hold_a_thousand_answers().await {
            Ok(()) => return,
            Err(problem) => eprintln!("once more: {problem}"),
        }
    }
    hold_a_thousand_answers().await.unwrap();
}

async fn hold_a_thousand_answers() -> Result<(), String> {
    const STREAMS: usize = 1_000;
    const DELAY: u32 = 8_000;
    let gateway = Scenario::new(slow(60, DELAY, json!({}))).concurrency(2).start().await.unwrap();
    let address = gateway.envoy().listener();
    latencies(&gateway, 500).await;
    let calm = quietest(&gateway).await;
    let mut held = JoinSet::new();
    for n in 0..STREAMS {
        held.spawn(async move {
            // One after the other, so that what is measured is Envoy and not this process.
            sleep(Duration::from_millis(3 * n as u64)).await;
            let mut client = Http1::connect(address).await.unwrap();
            let source = format!("10.0.{}.{}", n / 250, n % 250 + 1);
            let started = Instant::now();
            let reply = client.exchange(&from(&source, "slow")).await;
            assert_eq!(reply.status, Some(200));
            started.elapsed().as_secs_f64() * 1_000.0
        });
    }
    let waiting = Instant::now();
    while stat(&gateway, "risk.tarpit.held").await < STREAMS as u64
        && waiting.elapsed() < Duration::from_secs(20)
    {
        sleep(Duration::from_millis(20)).await;
    }
    let parked = waiting.elapsed();
    let busy = quietest(&gateway).await;
    let resumed_meanwhile = stat(&gateway, "risk.tarpit.resumed").await;
    let mut times = Vec::new();
    while let Some(time) = held.join_next().await {
        times.push(time.unwrap());
    }
    times.sort_by(f64::total_cmp);
    eprintln!(
        "{STREAMS} held (all after {parked:?}, {resumed_meanwhile} gone on while others were measured); they took \
         {:.0} / {:.0} / {:.0} ms (least, median, most); others p50 {:.2} -> {:.2} ms, p99 {:.2} -> {:.2} ms",
        times[0],
        at(&times, 0.5),
        at(&times, 1.0),
        at(&calm, 0.5),
        at(&busy, 0.5),
        at(&calm, 0.99),
        at(&busy, 0.99),
    );
    assert_eq!(stat(&gateway, "risk.tarpit.held").await, STREAMS as u64);
    assert_eq!(stat(&gateway, "risk.tarpit.resumed").await, STREAMS as u64);
    assert!(times[0] >= f64::from(DELAY), "none is early");
    // Two ticks, and a little for this process.
    let most = f64::from(DELAY) + 100.0 + 50.0;
    if at(&times, 0.99) > most {
        return Err(format!("an answer took {:.0} ms", at(&times, 0.99)));
    }
    // 20 %, and what the clock of a shared machine is worth.
    if at(&busy, 0.99) > at(&calm, 0.99) * 1.2 + 0.5 {
        return Err(format!("others took {:.2} ms instead of {:.2}", at(&busy, 0.99), at(&calm, 0.99)));
    }
    Ok(())
}

pub(crate) async fn who_hangs_up_leaves_nothing_behind() {
    let gateway = Scenario::new(slow(60, 2_000, json!({}))).concurrency(2).start().await.unwrap();
    let mut clients = Vec::new();
    for n in 0..100 {
        let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
        client.send(&from(&format!("192.0.2.{n}"), "slow")).await.unwrap();
        clients.push(client);
    }
    let waiting = Instant::now();
    while stat(&gateway, "risk.tarpit.held").await < 100 && waiting.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(20)).await;
    }
    let stay = clients.split_off(60);
    drop(clients);
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(stat(&gateway, "risk.tarpit.held").await, 100);
    assert_eq!(stat(&gateway, "risk.tarpit.abandoned").await, 60);
    assert_eq!(stat(&gateway, "risk.tarpit.resumed").await, 40);
    for mut client in stay {
        assert_eq!(client.receive_head().await.status, Some(200));
    }
    assert_eq!(stat(&gateway, "host_errors.context").await, 0);
    assert_eq!(stat(&gateway, "host_errors.continue_stream").await, 0);
}

pub(crate) async fn past_the_cap_the_fallback_holds() {
    for (fallback, expected) in [("pass", 200), ("block", 403)] {
        let more = json!({ "streams": 5, "fallback": fallback });
        let gateway = Scenario::new(slow(60, 3_000, more)).concurrency(1).start().await.unwrap();
        let address = gateway.envoy().listener();
        let mut held = JoinSet::new();
        for _ in 0..5 {
            held.spawn(async move {
                let mut client = Http1::connect(address).await.unwrap();
                client.exchange(&from("192.0.2.1", "slow")).await.status
            });
        }
        let waiting = Instant::now();
        while stat(&gateway, "risk.tarpit.held").await < 5 && waiting.elapsed() < Duration::from_secs(2) {
            sleep(Duration::from_millis(20)).await;
        }
        let started = Instant::now();
        let mut client = Http1::connect(address).await.unwrap();
        assert_eq!(client.exchange(&from("192.0.2.1", "")).await.status, Some(expected), "{fallback}");
        assert!(started.elapsed() < Duration::from_millis(1_000));
        while let Some(status) = held.join_next().await {
            assert_eq!(status.unwrap(), Some(200));
        }
    }
}
