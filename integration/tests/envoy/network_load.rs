//! Many rules, and many connections in a short time.

use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portcullis_integration::Http1;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::network_support::{Fate, Net, Setup, connect_from, ping, rule};

/// 100,000 rules, those for loopback addresses among them.
fn many_rules() -> Value {
    let mut rules: Vec<Value> = (0..99_998_u32)
        .map(|n| {
            let mut rule = rule(&format!("accept 10.{}.{}.{} 0 protect", n >> 16, n >> 8 & 255, n & 255));
            rule["name"] = json!(format!("r{n}"));
            rule["disable_logging"] = json!(true);
            rule
        })
        .collect();
    for text in ["accept 127.0.0.0/9 0 protect", "accept 127.8.0.0/16 0 allow"] {
        let mut rule = rule(text);
        rule["disable_logging"] = json!(true);
        rules.push(rule);
    }
    rules.into()
}

/// Bytes of memory that Envoy has in use.
fn resident(net: &Net) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", net.envoy.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Opens so many connections that are refused, from threads of their own that do nothing else. How many per
/// second.
fn storm(listener: SocketAddr, count: u32) -> f64 {
    const THREADS: u32 = 8;
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(move || {
                for _ in 0..count / THREADS {
                    let mut stream = std::net::TcpStream::connect(listener).unwrap();
                    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
                    // The end comes without a byte before it.
                    match stream.read(&mut [0; 8]) {
                        Ok(count) => assert_eq!(count, 0),
                        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
                    }
                }
            });
        }
    });
    f64::from(count) / started.elapsed().as_secs_f64()
}

/// Opens so many connections from a block of loopback addresses, many at a time. How many per second.
async fn connections(net: &Arc<Net>, count: u32, block: u8, expected: Fate) -> f64 {
    let started = Instant::now();
    let places = Arc::new(Semaphore::new(64));
    let mut tasks = Vec::new();
    for number in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let net = Arc::clone(net);
        tasks.push(tokio::spawn(async move {
            let local = format!("127.{block}.{}.{}", number / 250 % 250, number % 250 + 1);
            let mut stream: TcpStream = connect_from(&local, net.envoy.listener()).await;
            let fate = ping(&mut stream, b"ping").await;
            // No TIME_WAIT: so many sockets would use up the ports.
            let _ = stream.set_zero_linger();
            drop(place);
            assert_eq!(fate, expected);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}

pub(crate) async fn a_hundred_thousand_rules_and_many_connections() {
    let started = Instant::now();
    let plain = Arc::new(Setup::new(json!([])).plain().start().await);
    let plain_start = started.elapsed();
    let plain_memory = resident(&plain);
    let baseline = connections(&plain, 5_000, 9, Fate::Echoed).await;
    drop(plain);

    let started = Instant::now();
    let net = Arc::new(Setup::new(many_rules()).plain().start().await);
    let start = started.elapsed();
    let memory = resident(&net);
    // Warm up, then count what stays.
    connections(&net, 2_000, 7, Fate::Closed).await;
    connections(&net, 2_000, 8, Fate::Echoed).await;
    let before = resident(&net);
    let listener = net.envoy.listener();
    let refused = tokio::task::spawn_blocking(move || storm(listener, 12_000)).await.unwrap();
    let proxied = connections(&net, 8_000, 8, Fate::Echoed).await;
    let after = resident(&net);

    let counters = net.counters().await;
    assert_eq!(counters["network.accept.protect"], 14_000, "{counters:?}");
    assert_eq!(counters["network.accept.allow"], 10_000, "{counters:?}");
    assert_eq!(net.echo.connections(), 10_000);
    assert!(Http1::connect(net.envoy.listener()).await.is_ok());
    let grown = after.saturating_sub(before) / 1024;
    assert!(grown < 32 * 1024, "memory has grown by {grown} KiB over 20,000 connections");
    let deadline = Instant::now() + Duration::from_secs(10);
    while net.envoy.admin().stat("listener_manager.workers_started").await.is_err() {
        assert!(Instant::now() < deadline);
    }
    let mib = |bytes: u64| bytes / 1024 / 1024;
    eprintln!(
        "100,000 rules: start {start:.1?} (without rules {plain_start:.1?}), memory {} MiB (without {}), grown by \
         {grown} KiB over 20,000 connections; {refused:.0} refused/s, {proxied:.0} proxied/s (without rules \
         {baseline:.0} proxied/s)",
        mib(memory),
        mib(plain_memory),
    );
}
