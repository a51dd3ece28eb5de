//! How answers are slowed down: growth and cap of the delay, and the pace of bodies, to within two ticks of the timer.

use std::time::{Duration, Instant};

use portcullis_integration::{End, Enforcement, Gateway, Http1, Request, Scenario};
use serde_json::{Value, json};

use crate::risk::{from, policy};
use crate::support::with;

/// Two ticks of 50 ms, and what this process and a busy machine take.
const LATE: Duration = Duration::from_millis(100 + 60);

async fn start(tarpit: Value, enforcement: Enforcement) -> Gateway {
    let tarpit = with(json!({ "growth": 1, "seconds": 600 }), tarpit);
    Scenario::new(policy(json!({ "tarpit": tarpit }))).enforcement(enforcement).start().await.unwrap()
}

/// An answer: when it was over, and the bytes of its body.
#[derive(Debug)]
struct Timed {
    over: Duration,
    bytes: usize,
}

async fn timed(gateway: &Gateway, request: Request) -> Timed {
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    let started = Instant::now();
    let reply = client.exchange(&request).await;
    assert_eq!((reply.status, reply.end), (Some(200), End::Complete));
    Timed { over: started.elapsed(), bytes: reply.body.len() }
}

#[track_caller]
fn assert_took(what: &str, took: Duration, milliseconds: u64) {
    let expected = Duration::from_millis(milliseconds);
    assert!((expected..=expected + LATE).contains(&took), "{what} took {took:?}, not {expected:?}");
}

fn slowed(target: &str) -> Request {
    Request::get(target).header("x-real-ip", "192.0.2.1").header("x-attack", "slow")
}

pub(crate) async fn delays_grow_up_to_the_longest() {
    for enforcement in Enforcement::ALL {
        let tarpit = json!({ "delay": 200, "growth": 2, "longest": 700 });
        let gateway = start(tarpit, enforcement).await;
        for expected in [200, 400, 700, 700] {
            let answer = timed(&gateway, slowed("/status/200")).await;
            assert_took("the answer", answer.over, expected);
            let other = timed(&gateway, from("192.0.2.2", "")).await;
            assert!(other.over < Duration::from_millis(150), "another client: {other:?}");
        }
    }
}

/// The last byte comes when the body's length at the rate says, whatever the pieces in which it came.
pub(crate) async fn bodies_take_their_length_at_the_rate() {
    for enforcement in Enforcement::ALL {
        let gateway = start(json!({ "delay": 300, "bytes_per_second": 20_000 }), enforcement).await;
        for bytes in [1_000, 30_000] {
            let answer = timed(&gateway, slowed(&format!("/bytes/{bytes}"))).await;
            assert_eq!(answer.bytes, bytes, "{enforcement:?}");
            let expected = 300 + 1_000 * bytes as u64 / 20_000;
            assert_took(&format!("{bytes} bytes, {enforcement:?},"), answer.over, expected);
        }
        let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
        let started = Instant::now();
        client.send(&slowed("/bytes/30000")).await.unwrap();
        assert_eq!(client.receive_head().await.status, Some(200));
        assert!(started.elapsed() >= Duration::from_millis(300), "nothing comes before the delay");
    }
}

/// Pieces that come slowly are not slowed further than the rate says.
pub(crate) async fn a_slow_upstream_is_not_slowed_further() {
    let gateway = start(json!({ "delay": 100, "bytes_per_second": 100_000 }), Enforcement::Streaming).await;
    let answer = timed(&gateway, slowed("/slow-chunks?count=6&pause=300")).await;
    let plain = timed(&gateway, Request::get("/slow-chunks?count=6&pause=300")).await;
    assert_eq!(answer.bytes, plain.bytes);
    assert!(answer.over <= plain.over + Duration::from_millis(100) + LATE, "{answer:?} {plain:?}");
}

/// A body that is inspected is slowed down as well, once it is judged.
pub(crate) async fn inspected_bodies_are_slowed_too() {
    for enforcement in Enforcement::ALL {
        let tarpit = json!({ "delay": 200, "growth": 1, "seconds": 600, "bytes_per_second": 20_000 });
        let policy = with(
            policy(json!({ "tarpit": tarpit })),
            json!({ "rule_sets": [crate::support::rule_set("test", &[crate::support::rule(
                900, 4, "deny", "RESPONSE_BODY", "strContains", "NullPointerException",
            )])] }),
        );
        let gateway = Scenario::new(policy).enforcement(enforcement).start().await.unwrap();
        let answer = timed(&gateway, slowed("/bytes/20000")).await;
        assert_eq!(answer.bytes, 20_000);
        assert_took(&format!("an inspected body, {enforcement:?},"), answer.over, 1_200);
        let refused = gateway.send1(slowed("/report")).await.unwrap();
        match enforcement {
            Enforcement::Strict => assert_eq!(refused.reply.status, Some(403)),
            Enforcement::Streaming => assert_ne!(refused.reply.end, End::Complete),
        }
    }
}

/// What is larger than may be held goes on before its time, and the end waits for it: nothing is lost, and the answer
/// as a whole takes as long as it should.
pub(crate) async fn a_large_body_is_whole_and_ends_when_it_should() {
    for enforcement in Enforcement::ALL {
        let tarpit = json!({ "delay": 200, "bytes_per_second": 400_000, "held_bytes": 32_768 });
        let gateway = start(tarpit, enforcement).await;
        let answer = timed(&gateway, slowed("/slow-chunks?count=8&pause=100&bytes=100000")).await;
        assert_eq!(answer.bytes, 800_000, "{enforcement:?}");
        assert_took(&format!("a large body, {enforcement:?},"), answer.over, 2_200);
    }
}
