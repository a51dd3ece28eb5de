//! True to HTTP/1.1, HTTP/2, gRPC, event streams and WebSocket.

use portcullis_integration::{End, Enforcement, Http1, Protocol, Request, Scenario};
use serde_json::json;

use crate::support::{assert_passed, assert_refused, policy, rule, start, with};

pub(crate) async fn a_connection_serves_on_after_a_refusal() {
    let policy = policy(&[
        rule(701, 1, "deny", "REQUEST_URI", "strEq", "/bad"),
        rule(702, 4, "deny", "RESPONSE_BODY", "strContains", "NullPointerException"),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    for _ in 0..3 {
        assert_passed(&gateway.send_on(&mut client, Request::get("/good")).await.unwrap(), &[]);
        assert_refused(&gateway.send_on(&mut client, Request::get("/bad")).await.unwrap(), 403, 701, 0);
        assert_refused(&gateway.send_on(&mut client, Request::get("/report")).await.unwrap(), 403, 702, 1);
    }
}

pub(crate) async fn bytes_beyond_ascii_are_judged_and_harmless() {
    let policy = policy(&[
        rule(711, 1, "deny", "REQUEST_HEADERS:x-rx", "strRegex", r"\xff\xfe"),
        with(
            rule(712, 1, "deny", "REQUEST_HEADERS:x-hex", "strContains", "fffe"),
            json!({ "matches": [{
                "variables": ["REQUEST_HEADERS:x-hex"],
                "transformations": ["hexEncode"],
                "operator": "strContains",
                "operating": "fffe",
            }]}),
        ),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        let raw = b"a\xff\xfeb";
        let request = |name: &str| Request::get("/").header(name, raw);
        assert_refused(&gateway.send(protocol, request("x-rx")).await.unwrap(), 403, 711, 0);
        assert_refused(&gateway.send(protocol, request("x-hex")).await.unwrap(), 403, 712, 0);
        // In every place that rules, logs and answers read, and unchanged on its way.
        let everywhere = request("x-other")
            .header("user-agent", raw)
            .header("cookie", [b"a=", raw.as_slice()].concat())
            .header("accept", raw)
            .header("content-type", raw);
        let exchange = gateway.send(protocol, everywhere).await.unwrap();
        assert_passed(&exchange, &[]);
        assert_eq!(exchange.reached[0].header("x-other"), Some(raw.as_slice()));
    }
}

pub(crate) async fn request_trailers_are_judged() {
    let policy = policy(&[rule(721, 2, "deny", "REQUEST_HEADERS:x-end", "strEq", "attack")]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        for protocol in Protocol::ALL {
            let request = |value: &str| Request::form("/echo", "a=b").in_pieces_of(2).trailer("x-end", value);
            let exchange = gateway.send(protocol, request("attack")).await.unwrap();
            let hits = if enforcement == Enforcement::Strict { 0 } else { exchange.reached.len() };
            assert_refused(&exchange, 403, 721, hits);
            assert!(exchange.reached.iter().all(|seen| !seen.complete));
            let exchange = gateway.send(protocol, request("peace")).await.unwrap();
            assert_passed(&exchange, &[]);
            let seen = &exchange.reached[0];
            assert_eq!(seen.body, b"a=b");
            assert_eq!(
                seen.trailers,
                [("x-end".to_owned(), b"peace".to_vec())],
                "{protocol:?} {enforcement:?}"
            );
        }
    }
}

pub(crate) async fn response_trailers_are_judged() {
    let policy = policy(&[rule(731, 4, "deny", "RESPONSE_HEADERS:x-end", "strEq", "leak")]);
    for enforcement in Enforcement::ALL {
        let scenario = Scenario::new(policy.clone()).enforcement(enforcement).upstream_http2();
        let gateway = scenario.start().await.unwrap();
        for protocol in Protocol::ALL {
            let request =
                |value: &str| Request::get(&format!("/trailers?x-end={value}")).header("te", "trailers");
            let exchange = gateway.send(protocol, request("leak")).await.unwrap();
            if enforcement == Enforcement::Strict {
                assert_refused(&exchange, 403, 731, 1);
            } else {
                assert!(exchange.reply.cut_off() && exchange.reply.body.is_empty(), "{exchange:#?}");
                assert_eq!(exchange.rules(), [731]);
            }
            let exchange = gateway.send(protocol, request("fine")).await.unwrap();
            assert_passed(&exchange, &[]);
            assert_eq!(exchange.reply.text(), "Trailers follow.\n");
            assert_eq!(exchange.reply.trailer("x-end").as_deref(), Some("fine"));
        }
    }
}

fn grpc(target: &str) -> Request {
    Request::post(target, "application/grpc", [0; 5]).header("te", "trailers")
}

pub(crate) async fn a_refused_grpc_call_has_a_grpc_status() {
    let policy = policy(&[
        rule(741, 1, "deny", "REQUEST_URI", "strBegins", "/grpc/Secret/"),
        rule(742, 1, "drop", "REQUEST_URI", "strBegins", "/grpc/Gone/"),
    ]);
    for enforcement in Enforcement::ALL {
        let gateway =
            Scenario::new(policy.clone()).enforcement(enforcement).upstream_http2().start().await.unwrap();
        for (target, rule) in [("/grpc/Secret/Get", 741), ("/grpc/Gone/Get", 742)] {
            let exchange = gateway.send(Protocol::Http2, grpc(target)).await.unwrap();
            let reply = &exchange.reply;
            assert_eq!((reply.status, reply.end), (Some(200), End::Complete), "{exchange:#?}");
            let content_type = reply.header("content-type").unwrap_or_default();
            assert!(content_type.starts_with("application/grpc"), "{exchange:#?}");
            let status = reply.header("grpc-status").or_else(|| reply.trailer("grpc-status"));
            assert!(status.is_some_and(|status| status != "0"), "{exchange:#?}");
            assert_eq!((exchange.rules(), exchange.reached.len()), (vec![rule], 0));
        }
    }
}

pub(crate) async fn grpc_calls_pass() {
    let policy = policy(&[rule(745, 4, "deny", "RESPONSE_BODY", "strContains", "no such thing")]);
    for enforcement in Enforcement::ALL {
        let gateway =
            Scenario::new(policy.clone()).enforcement(enforcement).upstream_http2().start().await.unwrap();
        let exchange = gateway.send(Protocol::Http2, grpc("/grpc/Greeter/Hello")).await.unwrap();
        assert_passed(&exchange, &[]);
        assert_eq!(exchange.reply.trailer("grpc-status").as_deref(), Some("0"));
    }
}

pub(crate) async fn event_streams_are_not_held() {
    let policy = policy(&[rule(751, 4, "deny", "RESPONSE_BODY", "strContains", "event")]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
        client.send(&Request::get("/sse")).await.unwrap();
        let head = client.receive_head().await;
        assert_eq!(head.header("content-type").as_deref(), Some("text/event-stream"), "{enforcement:?}");
        let mut events = Vec::new();
        while !events.windows(7).any(|window| window == b"event 3") {
            events.extend(client.read_some().await.expect("the stream goes on"));
        }
    }
}

pub(crate) async fn websockets_are_not_held() {
    let policy = policy(&[rule(761, 1, "deny", "REQUEST_HEADERS:x-bad", "strEq", "yes")]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        let upgrade = Request::get("/ws").header("connection", "Upgrade").header("upgrade", "websocket");
        // Some clients say that no body comes.
        for upgrade in [upgrade.clone(), upgrade.clone().header("content-length", "0")] {
            let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
            client.send(&upgrade).await.unwrap();
            assert_eq!(client.receive_head().await.status, Some(101), "{enforcement:?} {upgrade:?}");
            for message in [b"one".as_slice(), b"two"] {
                client.write(message).await.unwrap();
                assert_eq!(client.read_some().await.as_deref(), Some(message));
            }
        }
        let refused = gateway.send1(upgrade.header("x-bad", "yes")).await.unwrap();
        assert_refused(&refused, 403, 761, 0);
    }
}

pub(crate) async fn more_than_one_host_is_refused() {
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy(&[]), enforcement).await;
        let twice = Request::get("/").header("host", "a.example").header("host", "a.example");
        let bad = gateway.send1(twice).await.unwrap();
        assert_eq!((bad.reply.status, bad.reached.len()), (Some(400), 0), "{bad:#?}");
        let counter = "wasmcustom.portcullis.repeated_host";
        assert_eq!(gateway.envoy().admin().stat(counter).await.unwrap(), 1);
        let good = gateway.send1(Request::get("/")).await.unwrap();
        assert_passed(&good, &[]);
    }
}

/// Envoy without its flag for strict enforcement never shows a body, and the log says what to set.
pub(crate) async fn bodies_that_envoy_does_not_show_are_noticed() {
    let mut policy = policy(&[rule(763, 2, "deny", "ARGS:q", "strEq", "attack")]);
    policy["enforcement"] = "strict".into();
    let gateway = Scenario::new(policy.to_string().into()).streaming().start().await.unwrap();
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    client.send(&Request::form("/", "q=1")).await.unwrap();
    let counter = "wasmcustom.portcullis.held.unshown_body";
    let mut seconds = 0;
    while gateway.envoy().admin().stat(counter).await.unwrap() == 0 {
        assert!(seconds < 20, "nothing is counted");
        seconds += 1;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    assert!(gateway.envoy().log().contains("set `allow_on_headers_stop_iteration: true`"));
}

pub(crate) async fn head_requests_work() {
    let policy = policy(&[
        rule(771, 1, "deny", "REQUEST_URI", "strEq", "/bad"),
        rule(772, 4, "pass", "RESPONSE_STATUS", "intEQ", "200"),
    ]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        for protocol in Protocol::ALL {
            let good = gateway.send(protocol, Request::new("HEAD", "/bytes/5000")).await.unwrap();
            assert_passed(&good, &[772]);
            assert!(good.reply.body.is_empty());
            let bad = gateway.send(protocol, Request::new("HEAD", "/bad")).await.unwrap();
            assert_eq!((bad.reply.status, bad.reply.end), (Some(403), End::Complete), "{bad:#?}");
            assert_eq!((bad.rules(), bad.reached.len(), bad.reply.body.len()), (vec![771], 0, 0));
        }
    }
}

pub(crate) async fn an_upstream_with_http2_works() {
    let policy = policy(&[
        rule(781, 2, "deny", "ARGS:q", "strEq", "attack"),
        rule(782, 4, "deny", "RESPONSE_BODY", "strContains", "NullPointerException"),
    ]);
    let gateway = Scenario::new(policy).strict().upstream_http2().start().await.unwrap();
    for protocol in Protocol::ALL {
        assert_refused(&gateway.send(protocol, Request::form("/", "q=attack")).await.unwrap(), 403, 781, 0);
        assert_refused(&gateway.send(protocol, Request::get("/report")).await.unwrap(), 403, 782, 1);
        let exchange = gateway.send(protocol, Request::form("/echo", "q=peace")).await.unwrap();
        assert_passed(&exchange, &[]);
        assert_eq!(exchange.reached[0].protocol, "HTTP/2");
    }
}
