//! The harness itself, with Envoy and without the filter: what the other tests stand on.

use portcullis_integration::{
    Body, Bootstrap, End, Envoy, EnvoyOptions, Http1, Protocol, Request, Scenario, StartError, find_envoy,
};
use serde_json::{Value, json};

async fn plain() -> portcullis_integration::Gateway {
    Scenario::without_module().start().await.unwrap()
}

pub(crate) async fn requests_pass_over_both_protocols() {
    let gateway = plain().await;
    for protocol in Protocol::ALL {
        let request = Request::form("/echo?a=1", "b=2").header("x-test", "yes");
        let exchange = gateway.send(protocol, request).await.unwrap();
        assert_eq!((exchange.reply.status, exchange.reply.end), (Some(200), End::Complete));
        assert_eq!(exchange.reply.header("x-upstream").as_deref(), Some("1"));
        let echo: Value = serde_json::from_slice(&exchange.reply.body).unwrap();
        assert_eq!(echo["target"], "/echo?a=1");
        assert_eq!(echo["body"], "b=2");
        let [seen] = exchange.reached.as_slice() else { panic!("{:?}", exchange.reached) };
        assert!(seen.complete);
        assert_eq!(seen.header("x-test"), Some(b"yes".as_slice()));
        assert_eq!(exchange.matches, []);
        assert_eq!((exchange.access.status, exchange.access.details.as_str()), (200, "via_upstream"));
    }
    assert_eq!(gateway.upstream().hits(), 2);

    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    for code in [200, 204, 404, 503] {
        let exchange = gateway.send_on(&mut client, Request::get(&format!("/status/{code}"))).await.unwrap();
        assert_eq!((exchange.reply.status, exchange.reply.end), (Some(code), End::Complete));
    }
    let head = gateway.send_on(&mut client, Request::new("HEAD", "/bytes/100")).await.unwrap();
    assert_eq!((head.reply.status, head.reply.body.len()), (Some(200), 0));
    let large = gateway.send_on(&mut client, Request::get("/bytes/300000?end=STOP")).await.unwrap();
    assert_eq!(large.reply.body.len(), 300_000);
    assert!(large.reply.body.ends_with(b"STOP"));
    assert_eq!(gateway.envoy().admin().stat("cluster.upstream.upstream_rq_total").await.unwrap(), 8);
}

pub(crate) async fn bodies_in_pieces_arrive_whole() {
    let gateway = plain().await;
    let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for protocol in Protocol::ALL {
        for upstream_path in ["/echo", "/slow-chunks?count=3&pause=1"] {
            let request =
                Request::post(upstream_path, "application/octet-stream", body.clone()).in_pieces_of(999);
            assert!(matches!(&request.body, Body::Pieces(pieces) if pieces.len() == 11));
            let exchange = gateway.send(protocol, request).await.unwrap();
            assert_eq!((exchange.reply.status, exchange.reply.end), (Some(200), End::Complete));
            assert!(exchange.reached[0].body == body, "{protocol:?}");
        }
    }
}

pub(crate) async fn bytes_beyond_ascii_pass() {
    let gateway = plain().await;
    for protocol in Protocol::ALL {
        let request = Request::get("/").header("x-raw", b"a\xff\xfe\x80b");
        let exchange = gateway.send(protocol, request).await.unwrap();
        assert_eq!(exchange.reply.status, Some(200), "{protocol:?}");
        assert_eq!(exchange.reached[0].header("x-raw"), Some(b"a\xff\xfe\x80b".as_slice()));
    }
}

pub(crate) async fn trailers_pass_both_ways() {
    for http2 in [false, true] {
        let scenario = Scenario::without_module();
        let gateway = if http2 { scenario.upstream_http2() } else { scenario }.start().await.unwrap();
        for protocol in Protocol::ALL {
            let request = Request::post("/trailers?x-after=last", "text/plain", "hello")
                .header("te", "trailers")
                .in_pieces_of(2)
                .trailer("x-end", "really");
            let exchange = gateway.send(protocol, request).await.unwrap();
            let seen = &exchange.reached[0];
            assert_eq!(seen.protocol, if http2 { "HTTP/2" } else { "HTTP/1.1" });
            assert_eq!(seen.trailers, [("x-end".to_owned(), b"really".to_vec())], "{protocol:?}");
            assert_eq!(exchange.reply.trailer("x-after").as_deref(), Some("last"), "{protocol:?} {http2}");
        }
    }
}

pub(crate) async fn an_answer_can_be_described() {
    let gateway = plain().await;
    let wanted = json!({ "status": 418, "headers": { "x-made": "up" }, "encodedBody": "AP9hYmM=" });
    let exchange =
        gateway.send1(Request::post("/reflect", "application/json", wanted.to_string())).await.unwrap();
    assert_eq!(exchange.reply.status, Some(418));
    assert_eq!(exchange.reply.header("x-made").as_deref(), Some("up"));
    assert_eq!(exchange.reply.body, b"\0\xffabc");
    let bad = gateway.send1(Request::post("/reflect", "application/json", "{")).await.unwrap();
    assert_eq!(bad.reply.status, Some(400));
}

pub(crate) async fn an_event_stream_flows() {
    let gateway = plain().await;
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    client.send(&Request::get("/sse")).await.unwrap();
    let head = client.receive_head().await;
    assert_eq!(head.header("content-type").as_deref(), Some("text/event-stream"));
    let mut events = Vec::new();
    while !events.windows(7).any(|window| window == b"event 2") {
        events.extend(client.read_some().await.expect("the stream goes on"));
    }
}

pub(crate) async fn a_websocket_echoes() {
    let gateway = plain().await;
    let mut client = Http1::connect(gateway.envoy().listener()).await.unwrap();
    client
        .send(&Request::get("/ws").header("connection", "Upgrade").header("upgrade", "websocket"))
        .await
        .unwrap();
    assert_eq!(client.receive_head().await.status, Some(101));
    for message in [b"one".as_slice(), b"two"] {
        client.write(message).await.unwrap();
        assert_eq!(client.read_some().await.as_deref(), Some(message));
    }
}

pub(crate) async fn grpc_passes() {
    let gateway = Scenario::without_module().upstream_http2().start().await.unwrap();
    let request = Request::post("/grpc/Greeter/Hello", "application/grpc", [0; 5]).header("te", "trailers");
    let exchange = gateway.send(Protocol::Http2, request).await.unwrap();
    assert_eq!((exchange.reply.status, exchange.reply.end), (Some(200), End::Complete));
    assert_eq!(exchange.reply.trailer("grpc-status").as_deref(), Some("0"));
}

pub(crate) async fn a_refused_configuration_is_reported() {
    let directory = std::env::temp_dir().join(format!("portcullis-refused-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options =
        EnvoyOptions { binary: find_envoy().unwrap(), concurrency: 1, directory: directory.clone() };
    let nonsense = json!({ "static_resources": { "listeners": [{ "nonsense": 1 }] } });
    for result in [Envoy::start(&options, &nonsense).await.map(drop), Envoy::validate(&options, &nonsense)] {
        match result {
            Err(StartError::Exited { log, .. }) => assert!(log.contains("nonsense"), "{log}"),
            other => panic!("{other:?}"),
        }
    }
    std::fs::remove_dir_all(directory).unwrap();
}

pub(crate) async fn the_shipped_configuration_is_valid_without_the_filter() {
    let directory = std::env::temp_dir().join(format!("portcullis-valid-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let options =
        EnvoyOptions { binary: find_envoy().unwrap(), concurrency: 1, directory: directory.clone() };
    for upstream_http2 in [false, true] {
        let bootstrap =
            Bootstrap { upstream_http2, ..Bootstrap::without_upstream(None, directory.join("access.log")) };
        Envoy::validate(&options, &bootstrap.render().unwrap()).unwrap();
    }
    std::fs::remove_dir_all(directory).unwrap();
}
