//! Ordinary traffic in large amounts, on the Core Rule Set: what waits holds little, so that innocent requests go on being
//! answered and the workers' memory goes back down. `docs/reliability.md` has the figures of larger runs.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use portcullis_integration::{Enforcement, Gateway, Http1, Request, Scenario};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::bundle::bundle_behind;

/// Bytes that the workers may have more in use afterwards than before.
const LEFT_OVER: u64 = 24 * 1024 * 1024;

const LIMITS: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 786432\n\
                      SecResponseBodyAccess On\nSecResponseBodyLimit 4194304\n";

fn policy() -> Option<Value> {
    match bundle_behind(LIMITS) {
        Ok(policy) => Some(policy),
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            None
        }
    }
}

fn browser(request: Request) -> Request {
    request.header("user-agent", "Mozilla/5.0").header("accept", "*/*")
}

/// Harmless JSON of about 680 KB.
fn json(seed: usize) -> String {
    const WORDS: [&str; 8] = ["Hello", "World", "Garden é", "Table", "Window", "River", "Market", "Coffee"];
    let mut text = String::from("{");
    for key in 0..900 {
        write!(text, "\"k{key}\":\"").unwrap();
        let end = text.len() + 740;
        while text.len() < end {
            let number = text.len().wrapping_mul(2_654_435_761).wrapping_add(seed);
            write!(text, "{} {number}  ", WORDS[number >> 7 & 7]).unwrap();
        }
        text.push_str(if key < 899 { "\"," } else { "\"}" });
    }
    text
}

async fn memory(gateway: &Gateway) -> u64 {
    gateway.envoy().admin().stat("wasmcustom.portcullis.memory.bytes").await.unwrap()
}

/// Sends all requests at once, and small ones in between: each is answered with 200, and memory goes back down.
async fn all_are_answered(gateway: Gateway, requests: Vec<Request>) {
    let listener = gateway.envoy().listener();
    let get = async || {
        let mut client = Http1::connect(listener).await.unwrap();
        client.exchange(&browser(Request::get("/"))).await.status
    };
    assert_eq!(get().await, Some(200));
    let before = memory(&gateway).await;
    let mut waiting = JoinSet::new();
    for request in requests {
        waiting.spawn(async move {
            let mut client = Http1::connect(listener).await.unwrap();
            client.exchange(&browser(request)).await.status
        });
    }
    let mut most = before;
    while !waiting.is_empty() {
        assert_eq!(get().await, Some(200), "a small request in between");
        most = most.max(memory(&gateway).await);
        while let Some(answer) = waiting.try_join_next() {
            assert_eq!(answer.unwrap(), Some(200));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let patience = Instant::now() + Duration::from_secs(10);
    let mut after = memory(&gateway).await;
    while after > before + LEFT_OVER && Instant::now() < patience {
        assert_eq!(get().await, Some(200));
        tokio::time::sleep(Duration::from_millis(100)).await;
        after = memory(&gateway).await;
    }
    eprintln!("bytes in use: {before} before, {most} at most, {after} afterwards");
    assert!(after <= before + LEFT_OVER, "{before} bytes before, {after} afterwards");
    let admin = gateway.envoy().admin();
    assert_eq!(admin.stat("wasmcustom.portcullis.limit.memory").await.unwrap(), 0);
    let log = gateway.envoy().log();
    assert!(!log.contains("Uncaught") && !log.contains("wasm_fail_stream"), "{log}");
}

async fn start(policy: Value) -> Gateway {
    Scenario::new(policy).enforcement(Enforcement::Strict).start().await.unwrap()
}

pub(crate) async fn large_uploads_wait_for_a_slow_upstream() {
    let Some(policy) = policy() else { return };
    let upload = |seed| Request::post("/slow-chunks?count=3&pause=1000", "application/json", json(seed));
    all_are_answered(start(policy).await, (0..40).map(upload).collect()).await;
}

pub(crate) async fn forms_wait_for_a_slow_upstream() {
    let Some(policy) = policy() else { return };
    let form = |seed: usize| {
        let pairs: Vec<String> = (0..160)
            .map(|key| format!("k{key}={}", "Blue+shoes+".repeat(60) + &(seed + key).to_string()))
            .collect();
        Request::form("/slow-chunks?count=3&pause=1000", pairs.join("&"))
    };
    all_are_answered(start(policy).await, (0..100).map(form).collect()).await;
}

/// Clients that read a large answer slowly.
pub(crate) async fn large_answers_wait_for_slow_readers() {
    let Some(policy) = policy() else { return };
    let gateway = Scenario::new(policy)
        .enforcement(Enforcement::Strict)
        .buffer_limit(8 * 1024 * 1024)
        .start()
        .await
        .unwrap();
    let before = memory(&gateway).await;
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
        client.send(&browser(Request::get("/bytes/3000000"))).await.unwrap();
        assert_eq!(client.receive_head().await.status, Some(200));
        clients.push(client);
    }
    let waiting = memory(&gateway).await;
    eprintln!("bytes in use: {before} before, {waiting} while 30 answers of 3 MB wait");
    assert!(waiting <= before + LEFT_OVER, "{before} bytes before, {waiting} while they wait");
    drop(clients);
    all_are_answered(gateway, vec![Request::get("/bytes/3000000")]).await;
}
