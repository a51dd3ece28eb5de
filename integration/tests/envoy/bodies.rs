//! Bodies in pieces, over limits, of many media types.

use portcullis_integration::{End, Enforcement, Protocol, Request, Scenario};
use serde_json::json;

use crate::support::{assert_passed, assert_refused, policy, policy_with, rule, start};

/// Body limit of these tests, in bytes.
const LIMIT: usize = 1000;

pub(crate) async fn a_body_in_many_pieces_is_judged_as_one() {
    let policy = policy(&[rule(601, 2, "deny", "ARGS:last", "strEq", "attack")]);
    let fields: Vec<String> = (0..200).map(|n| format!("field{n}=value{n}")).collect();
    let body = format!("{}&last=attack", fields.join("&"));
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        for protocol in Protocol::ALL {
            let exchange =
                gateway.send(protocol, Request::form("/", body.clone()).in_pieces_of(37)).await.unwrap();
            let hits = if enforcement == Enforcement::Strict { 0 } else { exchange.reached.len() };
            assert_refused(&exchange, 403, 601, hits);
            let peaceful = Request::form("/echo", body.replace("attack", "peace")).in_pieces_of(37);
            let exchange = gateway.send(protocol, peaceful).await.unwrap();
            assert_passed(&exchange, &[]);
            assert_eq!(exchange.reached[0].body.len(), body.len() - 1);
        }
    }
}

pub(crate) async fn a_pattern_across_pieces_is_found() {
    let policy = policy(&[rule(611, 4, "deny", "RESPONSE_BODY", "strContains", "line 1\nline 2\nline 3")]);
    let gateway = start(&policy, Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        let exchange = gateway.send(protocol, Request::get("/slow-chunks?count=5&pause=20")).await.unwrap();
        assert_refused(&exchange, 403, 611, 1);
    }
}

pub(crate) async fn a_request_over_its_limit_is_judged_on_its_beginning() {
    let settings = json!({ "request_body_limit": LIMIT, "request_body_limit_action": "process_partial" });
    let rules = [
        rule(621, 2, "pass", "INBOUND_DATA_ERROR", "strEq", "1"),
        rule(622, 2, "deny", "ARGS:a", "strContains", "attack"),
    ];
    let policy = policy_with(settings, &rules);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        for protocol in Protocol::ALL {
            let early = format!("a=attack{}", "x".repeat(5 * LIMIT));
            let late = format!("a={}attack", "x".repeat(5 * LIMIT));
            for pieces in [usize::MAX, 300] {
                let request = Request::form("/echo", early.clone()).in_pieces_of(pieces);
                let exchange = gateway.send(protocol, request).await.unwrap();
                assert_eq!((exchange.reply.status, exchange.rules()), (Some(403), vec![621, 622]));
                assert!(exchange.reached.iter().all(|seen| seen.body.is_empty()), "{exchange:#?}");
                // Past the limit nothing is seen, and nothing is lost.
                let request = Request::form("/echo", late.clone()).in_pieces_of(pieces);
                let exchange = gateway.send(protocol, request).await.unwrap();
                assert_passed(&exchange, &[621]);
                assert!(exchange.reached[0].body == late.as_bytes());
            }
            let short = gateway.send(protocol, Request::form("/echo", "a=x")).await.unwrap();
            assert_passed(&short, &[]);
        }
    }
}

pub(crate) async fn a_request_over_its_limit_is_refused() {
    let settings = json!({ "request_body_limit": LIMIT, "request_body_limit_action": "reject" });
    let gateway = start(&policy_with(settings, &[]), Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        let exactly = format!("a={}", "x".repeat(LIMIT - 2));
        assert_passed(&gateway.send(protocol, Request::form("/echo", exactly.clone())).await.unwrap(), &[]);
        for request in [
            Request::form("/echo", format!("{exactly}x")),
            Request::form("/echo", format!("{exactly}x")).in_pieces_of(100),
        ] {
            let exchange = gateway.send(protocol, request).await.unwrap();
            assert_eq!(exchange.reply.status, Some(413), "{exchange:#?}");
            assert_eq!((exchange.reached.len(), exchange.reply.header("x-upstream")), (0, None));
        }
    }
}

pub(crate) async fn a_response_over_its_limit_is_delivered_whole() {
    for (action, found) in [("process_partial", true), ("pass", false)] {
        let settings = json!({ "response_body_limit": LIMIT, "response_body_limit_action": action });
        let rules = [
            rule(641, 4, "pass", "OUTBOUND_DATA_ERROR", "strEq", "1"),
            rule(642, 4, "pass", "RESPONSE_BODY", "strContains", "quick brown fox"),
            rule(643, 4, "deny", "RESPONSE_BODY", "strContains", "STOP"),
        ];
        for enforcement in Enforcement::ALL {
            let gateway = start(&policy_with(settings.clone(), &rules), enforcement).await;
            for protocol in Protocol::ALL {
                let exchange = gateway.send(protocol, Request::get("/bytes/50000?end=STOP")).await.unwrap();
                assert_passed(&exchange, if found { &[641, 642] } else { &[641] });
                assert_eq!(exchange.reply.body.len(), 50_000);
                assert!(exchange.reply.body.ends_with(b"STOP"));
            }
        }
    }
}

pub(crate) async fn a_response_over_its_limit_is_refused() {
    let settings = json!({ "response_body_limit": LIMIT, "response_body_limit_action": "reject" });
    let policy = policy_with(settings, &[]);
    let strict = start(&policy, Enforcement::Strict).await;
    let streaming = start(&policy, Enforcement::Streaming).await;
    for protocol in Protocol::ALL {
        let at_limit = Request::get(&format!("/bytes/{LIMIT}"));
        let over = Request::get(&format!("/bytes/{}", LIMIT + 1));
        assert_passed(&strict.send(protocol, at_limit.clone()).await.unwrap(), &[]);
        assert_passed(&streaming.send(protocol, at_limit).await.unwrap(), &[]);
        let exchange = strict.send(protocol, over.clone()).await.unwrap();
        assert_eq!((exchange.reply.status, exchange.reply.end), (Some(500), End::Complete), "{exchange:#?}");
        assert_eq!(exchange.reply.header("x-upstream"), None);
        let exchange = streaming.send(protocol, over).await.unwrap();
        assert!(exchange.reply.cut_off() && exchange.reply.body.is_empty(), "{exchange:#?}");
    }
}

pub(crate) async fn a_body_larger_than_the_buffer_passes_once_judged() {
    // Envoy itself would answer 413 or 500, were the whole body held back.
    let settings = json!({ "request_body_limit": LIMIT, "response_body_limit": LIMIT });
    let rules = [rule(661, 2, "deny", "ARGS", "strContains", "attack")];
    for enforcement in Enforcement::ALL {
        let scenario = Scenario::new(policy_with(settings.clone(), &rules)).buffer_limit(16 * 1024);
        let gateway = scenario.enforcement(enforcement).start().await.unwrap();
        for protocol in Protocol::ALL {
            let body = format!("a={}", "x".repeat(200_000));
            let exchange =
                gateway.send(protocol, Request::form("/bytes/200000", body.clone())).await.unwrap();
            assert_passed(&exchange, &[]);
            assert_eq!(exchange.reached[0].body.len(), body.len());
            assert_eq!(exchange.reply.body.len(), 200_000);
        }
    }
}

pub(crate) async fn only_listed_media_types_are_inspected() {
    let rules = [rule(671, 4, "deny", "RESPONSE_BODY", "strContains", "STOP")];
    let settings = json!({ "response_body_types": ["text/html"] });
    let gateway = start(&policy_with(settings, &rules), Enforcement::Strict).await;
    let page = gateway.send1(Request::get("/bytes/100?type=text/html;charset=utf-8&end=STOP")).await.unwrap();
    assert_refused(&page, 403, 671, 1);
    let image = gateway.send1(Request::get("/bytes/100?type=image/png&end=STOP")).await.unwrap();
    assert_passed(&image, &[]);
}
