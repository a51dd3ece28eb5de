//! The host against a module that does what its configuration says (`puppet.wat`).
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use portcullis_testhost::{Callback, Exchange, Fields, Host, Module, Observed, Options, Verdict, When};
use std::sync::OnceLock;

fn puppet() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| Module::compile(include_bytes!("puppet.wat")).unwrap())
}

fn run(configuration: &str, strict: bool, exchange: &Exchange) -> Observed {
    let options = Options { allow_on_headers_stop_iteration: strict, buffer_limit: 64, ..Options::default() };
    Host::start(puppet(), configuration.as_bytes(), options).unwrap().exchange(exchange)
}

/// A `POST` in two pieces that is answered in two pieces.
fn pieces() -> Exchange {
    Exchange::new("POST", "/").body(&[b"one ", b"two"]).answered_by(200, &[b"three ", b"four"])
}

fn with_trailers() -> Exchange {
    let mut exchange = pieces();
    exchange.request.trailers = vec![("x-request-trailer".to_owned(), b"1".to_vec())];
    exchange.response.trailers = vec![("x-response-trailer".to_owned(), b"2".to_vec())];
    exchange
}

fn texts(observed: &Observed) -> Vec<&str> {
    observed.log.iter().map(|line| line.text.as_str()).collect()
}

fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a [u8]> {
    fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
}

#[test]
fn what_passes_arrives_as_it_was_sent() {
    for strict in [false, true] {
        let observed = run("cccccc", strict, &with_trailers());
        assert_eq!(observed.verdict, Verdict::Continued);
        assert_eq!(observed.upstream.body, b"one two");
        assert_eq!(observed.upstream.trailers.len(), 1);
        assert!(observed.upstream.complete);
        assert_eq!(observed.status(), Some(200));
        assert_eq!(observed.downstream.body, b"three four");
        assert_eq!(observed.downstream.trailers.len(), 1);
        assert!(observed.downstream.complete);
        let callbacks: Vec<Callback> = observed.callbacks.iter().map(|(callback, _)| *callback).collect();
        assert_eq!(
            callbacks,
            [
                Callback::RequestHeaders,
                Callback::RequestBody,
                Callback::RequestBody,
                Callback::RequestTrailers,
                Callback::ResponseHeaders,
                Callback::ResponseBody,
                Callback::ResponseBody,
                Callback::ResponseTrailers,
            ]
        );
    }
}

#[test]
fn the_module_sees_properties_and_changes_headers_metrics_and_shared_data() {
    let mut host = Host::new(include_bytes!("puppet.wat"), b"cccccc").unwrap();
    let observed = host.exchange(&Exchange::get("/a"));
    assert!(observed.logged("192.0.2.1:40000"));
    assert!(observed.logged("CAS mismatch"));
    let headers = observed.upstream.headers.unwrap();
    assert_eq!(value(&headers, ":path"), Some(&b"/a"[..]));
    assert_eq!(value(&headers, ":authority"), Some(&b"www.example.com"[..]));
    assert_eq!(value(&headers, "x-puppet"), Some(&b"NOPE"[..]));
    assert!(value(&headers, "x-request-id").is_some());
    assert_eq!(observed.metrics.get("puppet.requests"), Some(&1));
    host.exchange(&Exchange::get("/b"));
    assert_eq!(host.metric("puppet.requests"), Some(2));
    assert_eq!(host.metric("no.such"), None);
    assert_eq!(host.shared_data().get(&b"a key"[..]), Some(&b"NOPE".to_vec()));
    assert!(host.memory_bytes() >= 64 * 65536);
    assert_eq!(texts_of(host.start_log()), ["cccccc"]);
}

fn texts_of(log: &[portcullis_testhost::LogLine]) -> Vec<&str> {
    log.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_body_that_is_let_go_piece_by_piece_is_shown_piece_by_piece() {
    let observed = run("cccccc", false, &pieces());
    assert_eq!(texts(&observed)[2..], ["one ", "two", "end of stream", "three ", "four", "end of stream"]);
}

#[test]
fn a_body_that_is_held_is_shown_again_with_what_has_come() {
    for strict in [false, true] {
        let headers = if strict { "pecpec" } else { "cecCec" };
        let observed = run(headers, strict, &pieces());
        assert_eq!(observed.verdict, Verdict::Continued, "{strict}");
        assert_eq!(
            texts(&observed)[2..],
            ["one ", "one two", "end of stream", "three ", "three four", "end of stream"]
        );
        assert_eq!(observed.upstream.body, b"one two");
        assert_eq!(observed.downstream.body, b"three four");
    }
}

#[test]
fn without_the_flag_a_pause_on_headers_hides_the_body() {
    let observed = run("pccccc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Stuck { during: Callback::RequestHeaders });
    assert_eq!(observed.callbacks, [(Callback::RequestHeaders, true)]);
    assert_eq!(observed.upstream.headers, None);
    let observed = run("pccccc", true, &pieces());
    assert_eq!(observed.verdict, Verdict::Continued);
    let observed = run("cccpcc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Stuck { during: Callback::ResponseHeaders });
    assert!(observed.upstream.complete);
    assert_eq!(observed.status(), None);
}

#[test]
fn a_hold_until_the_end_is_ended_by_trailers_only_if_they_are_let_go() {
    let observed = run("pecpec", true, &with_trailers());
    assert_eq!(observed.verdict, Verdict::Continued);
    assert_eq!(observed.upstream.body, b"one two");
    assert_eq!(observed.upstream.trailers.len(), 1);
    // With trailers to come, no body callback is told of an end.
    assert!(!observed.logged("end of stream"));
    let observed = run("peppec", true, &with_trailers());
    assert_eq!(observed.verdict, Verdict::Stuck { during: Callback::RequestTrailers });
    assert_eq!(observed.upstream.headers, None);
}

#[test]
fn answers_of_the_module() {
    use Callback::{RequestBody, RequestHeaders, RequestTrailers, ResponseHeaders};
    for (configuration, strict, expected, upstream_asked) in [
        ("rccccc", false, RequestHeaders, false),
        ("crcccc", false, RequestBody, true),
        ("prcccc", true, RequestBody, false),
        ("perccc", true, RequestTrailers, false),
        ("cccrcc", false, ResponseHeaders, true),
        ("cccprc", true, Callback::ResponseBody, true),
    ] {
        let observed = run(configuration, strict, &with_trailers());
        let Verdict::LocalReply { during, status, body, details, grpc_status, .. } = &observed.verdict else {
            panic!("{configuration}: {:?}", observed.verdict);
        };
        assert_eq!((*during, *status, body.as_slice()), (expected, 403, &b"NOPE"[..]), "{configuration}");
        assert_eq!((details.as_str(), *grpc_status), ("details", None));
        assert_eq!(observed.upstream.headers.is_some(), upstream_asked, "{configuration}");
        assert_eq!(observed.status(), Some(403));
        assert_eq!(observed.downstream.body, b"NOPE");
        assert_eq!(observed.downstream.header("content-length").as_deref(), Some("4"));
        assert_eq!(observed.downstream.header("content-type").as_deref(), Some("text/plain"));
        assert!(observed.downstream.complete);
    }
}

#[test]
fn an_answer_to_the_request_goes_through_the_response_callbacks() {
    let observed = run("rccccc", false, &pieces());
    let callbacks: Vec<Callback> = observed.callbacks.iter().map(|(callback, _)| *callback).collect();
    assert_eq!(callbacks, [Callback::RequestHeaders, Callback::ResponseHeaders, Callback::ResponseBody]);
    // A module that holds its own answer hangs.
    let observed = run("rccpcc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Stuck { during: Callback::ResponseHeaders });
    assert_eq!(observed.status(), None);
}

#[test]
fn an_answer_after_the_response_began_is_a_reset() {
    let observed = run("ccccrc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Closed { during: Callback::ResponseBody });
    assert_eq!(observed.status(), Some(200));
    assert_eq!(observed.downstream.body, b"");
    assert!(!observed.downstream.complete);
}

#[test]
fn resets() {
    let observed = run("xccccc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Closed { during: Callback::RequestHeaders });
    assert_eq!((observed.status(), observed.upstream.headers), (None, None));
    let observed = run("cccxcc", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Closed { during: Callback::ResponseHeaders });
    assert_eq!(observed.status(), None);
}

#[test]
fn grpc_clients_get_an_answer_of_grpc() {
    let exchange = pieces().header("content-type", b"application/grpc+proto");
    let observed = run("rccccc", false, &exchange);
    assert_eq!(observed.status(), Some(200));
    assert_eq!(observed.downstream.header("grpc-status").as_deref(), Some("7"));
    assert_eq!(observed.downstream.header("grpc-message").as_deref(), Some("NOPE"));
    assert_eq!(observed.downstream.body, b"");
}

#[test]
fn a_held_body_that_outgrows_the_buffer_is_answered_by_the_host() {
    let exchange = Exchange::new("POST", "/").body(&[&[b'a'; 40], &[b'b'; 40], b"c"]);
    for (configuration, strict) in [("cecccc", false), ("pecccc", true), ("pccccc", false)] {
        let observed = run(configuration, strict, &exchange);
        assert_eq!(observed.verdict, Verdict::HostReply { status: 413 }, "{configuration}");
        assert_eq!(observed.status(), Some(413));
        assert!(!observed.upstream.complete);
    }
    let exchange = Exchange::get("/").answered_by(200, &[&[b'a'; 40], &[b'b'; 40], b"c"]);
    let observed = run("cccpec", true, &exchange);
    assert_eq!(
        (observed.verdict, observed.downstream.status),
        (Verdict::HostReply { status: 500 }, Some(500))
    );
    let observed = run("ccccec", false, &exchange);
    assert_eq!(observed.verdict, Verdict::Closed { during: Callback::ResponseBody });
    // What is not held may be of any size.
    let observed = run("cccccc", false, &exchange);
    assert_eq!((observed.verdict, observed.downstream.body.len()), (Verdict::Continued, 81));
}

#[test]
fn a_module_can_change_a_body() {
    let observed = run("cscccc", false, &Exchange::post("/", "text/plain", b"secret"));
    assert_eq!(observed.upstream.body, b"NOPE");
}

#[test]
fn a_tick_can_let_a_held_stream_go_on() {
    let observed = run("pcccccnT", false, &with_trailers());
    assert_eq!(observed.verdict, Verdict::Continued);
    assert_eq!(observed.upstream.body, b"one two");
    assert_eq!(observed.upstream.trailers.len(), 1);
    let callbacks: Vec<Callback> = observed.callbacks.iter().map(|(callback, _)| *callback).take(4).collect();
    assert_eq!(
        callbacks,
        [Callback::RequestHeaders, Callback::Tick, Callback::RequestBody, Callback::RequestTrailers]
    );
    let observed = run("cccpccmT", false, &pieces());
    assert_eq!((observed.verdict, observed.downstream.body), (Verdict::Continued, b"three four".to_vec()));
    let observed = run("pcccccmT", false, &pieces());
    assert_eq!(observed.verdict, Verdict::Stuck { during: Callback::RequestHeaders });
}

#[test]
fn an_early_answer_ends_the_exchange() {
    let mut exchange = pieces();
    exchange.response.when = When::Early;
    let observed = run("cccccc", false, &exchange);
    assert_eq!((observed.status(), observed.upstream.complete), (Some(200), false));
    assert_eq!(observed.verdict, Verdict::Continued);
    // Whoever holds the headers gets no early answer.
    let observed = run("pecccc", true, &exchange);
    assert_eq!((observed.status(), observed.upstream.complete), (Some(200), true));
}

#[test]
fn a_tunnel_carries_both_ways_until_both_end() {
    let mut exchange = pieces();
    exchange.response.when = When::Tunnel;
    exchange.response.status = 101;
    let observed = run("cccccc", false, &exchange);
    assert_eq!(observed.verdict, Verdict::Continued);
    assert_eq!(observed.upstream.body, b"one two");
    assert_eq!((observed.status(), observed.downstream.body), (Some(101), b"three four".to_vec()));
    let order: Vec<Callback> = observed.callbacks.iter().map(|(callback, _)| *callback).collect();
    assert_eq!(order[1..4], [Callback::RequestBody, Callback::ResponseHeaders, Callback::RequestBody]);
    // A body that is held until the tunnel is agreed to goes on then.
    let observed = run("cpcncc", false, &exchange);
    assert_eq!(observed.upstream.body, b"one ");
}

#[test]
fn heads_without_bodies() {
    let mut exchange = Exchange::new("HEAD", "/");
    exchange.request.authority = String::new();
    let observed = run("eccecc", false, &exchange);
    assert_eq!(observed.verdict, Verdict::Continued);
    assert_eq!(observed.callbacks.len(), 2);
    assert_eq!(observed.downstream.body, b"");
    assert_eq!(value(&observed.upstream.headers.unwrap(), ":authority"), None);
}

#[test]
fn traps_are_seen_and_leave_a_dead_vm() {
    for (configuration, text) in [("tccccc", "unreachable"), ("hccccc", "proxy_http_call")] {
        let mut host = Host::start(puppet(), configuration.as_bytes(), Options::default()).unwrap();
        for _ in 0..2 {
            let Verdict::Trapped { reason, .. } = host.exchange(&pieces()).verdict else { panic!("no trap") };
            assert!(reason.contains(text), "{reason}");
        }
    }
}

#[test]
fn fuel_is_limited_and_repeatable() {
    let options = Options { fuel: 1_000_000, ..Options::default() };
    let mut host = Host::start(puppet(), b"lccccc", options).unwrap();
    let observed = host.exchange(&pieces());
    let Verdict::Trapped { reason, during } = observed.verdict else { panic!("no trap") };
    assert!(reason.contains("fuel"), "{reason}");
    assert_eq!(during, Callback::RequestHeaders);
    let fuel = || run("cccccc", false, &pieces()).fuel;
    assert_eq!(fuel(), fuel());
    assert!(fuel() > 100);
}

#[test]
fn configurations_are_refused_with_the_log() {
    let Err(error) = Host::start(puppet(), b"!ccccc", Options::default()) else { panic!("accepted") };
    assert!(error.reason.contains("refuses its configuration"), "{error}");
    assert_eq!(texts_of(&error.log), ["!ccccc"]);
    assert!(Host::new(b"(module", b"").is_err());
}
