//! What each phase can refuse, and what it proves about the backend.

use portcullis_integration::{End, Enforcement, Protocol, Request};
use serde_json::Value;

use crate::support::{assert_passed, assert_refused, policy, rule, start};

const PAGE_BYTES: usize = 24 * 1024;

fn rules() -> Value {
    policy(&[
        rule(101, 1, "deny", "REQUEST_HEADERS:user-agent", "strContains", "scanner"),
        rule(102, 2, "deny", "ARGS:q", "strEq", "attack"),
        rule(103, 3, "deny", "RESPONSE_HEADERS:x-debug-token", "strRegex", "."),
        rule(104, 4, "deny", "RESPONSE_BODY", "strContains", "NullPointerException"),
    ])
}

pub(crate) async fn each_phase_denies_in_strict_mode() {
    let gateway = start(&rules(), Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        let cases = [
            (Request::get("/").header("user-agent", "a scanner"), 101, 0),
            (Request::form("/", "q=attack").header("user-agent", "a scanner"), 101, 0),
            (Request::get("/?q=attack"), 102, 0),
            (Request::form("/", "q=attack"), 102, 0),
            (Request::form("/", "q=attack").in_pieces_of(3), 102, 0),
            (Request::get("/debug"), 103, 1),
            (Request::get("/report"), 104, 1),
        ];
        for (request, rule, hits) in cases {
            let exchange = gateway.send(protocol, request).await.unwrap();
            assert_refused(&exchange, 403, rule, hits);
            assert_eq!(exchange.access.status, 403);
            let details = &exchange.access.details;
            assert!(details.contains(&rule.to_string()), "{details}");
        }
    }
}

pub(crate) async fn each_phase_denies_in_streaming_mode() {
    let gateway = start(&rules(), Enforcement::Streaming).await;
    for protocol in Protocol::ALL {
        let cases = [
            (Request::get("/").header("user-agent", "a scanner"), 101, 0),
            (Request::get("/?q=attack"), 102, 0),
            (Request::get("/debug"), 103, 1),
        ];
        for (request, rule, hits) in cases {
            assert_refused(&gateway.send(protocol, request).await.unwrap(), 403, rule, hits);
        }
        // The head of the request may be with the upstream when its body is judged; the body never is.
        for request in [Request::form("/", "q=attack"), Request::form("/", "q=attack").in_pieces_of(3)] {
            let exchange = gateway.send(protocol, request).await.unwrap();
            assert_refused(&exchange, 403, 102, exchange.reached.len());
            for seen in &exchange.reached {
                assert!(!seen.complete && seen.body.is_empty(), "{seen:?}");
            }
        }
    }
}

pub(crate) async fn a_large_page_is_replaced_as_a_whole() {
    let gateway = start(&rules(), Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        let target = format!("/bytes/{PAGE_BYTES}?type=text/html&end=NullPointerException");
        let exchange = gateway.send(protocol, Request::get(&target)).await.unwrap();
        assert_refused(&exchange, 403, 104, 1);
        let body = &exchange.reply.body;
        assert!(body.len() < 2048 && !exchange.reply.text().contains("quick brown fox"));
        assert_eq!(exchange.reply.header("content-length"), Some(body.len().to_string()));
    }
}

pub(crate) async fn a_large_page_in_streaming_mode_is_reset_without_a_byte_of_it() {
    let gateway = start(&rules(), Enforcement::Streaming).await;
    for protocol in Protocol::ALL {
        let exchange = gateway.send(protocol, Request::get("/report")).await.unwrap();
        let reply = &exchange.reply;
        assert!(reply.cut_off(), "{exchange:#?}");
        assert_eq!(reply.text(), "", "{exchange:#?}");
        assert_eq!(exchange.rules(), [104]);
    }
}

pub(crate) async fn the_logging_phase_sees_the_response_and_changes_nothing() {
    let policy = policy(&[
        rule(201, 5, "pass", "RESPONSE_STATUS", "intEQ", "404"),
        rule(202, 5, "deny", "REQUEST_HEADERS:x-late", "strEq", "yes"),
    ]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        let exchange = gateway.send1(Request::get("/status/404").header("x-late", "yes")).await.unwrap();
        assert_eq!((exchange.reply.status, exchange.reply.end), (Some(404), End::Complete));
        assert_eq!(exchange.reply.header("x-upstream").as_deref(), Some("1"));
        assert_eq!(exchange.rules(), [201, 202]);
    }
}

pub(crate) async fn what_no_rule_matches_passes_unchanged() {
    for enforcement in Enforcement::ALL {
        let gateway = start(&rules(), enforcement).await;
        for protocol in Protocol::ALL {
            let form =
                gateway.send(protocol, Request::form("/echo", "q=peace").in_pieces_of(2)).await.unwrap();
            assert_passed(&form, &[]);
            assert_eq!(form.reached[0].body, b"q=peace");
            let page = gateway.send(protocol, Request::get("/bytes/24576?end=STOP")).await.unwrap();
            assert_passed(&page, &[]);
            assert_eq!(page.reply.body.len(), PAGE_BYTES);
            assert!(page.reply.body.ends_with(b"STOP"));
            let slow = gateway.send(protocol, Request::get("/slow-chunks?count=3&pause=5")).await.unwrap();
            assert_passed(&slow, &[]);
            assert_eq!(slow.reply.text(), "line 0\nline 1\nline 2\n");
        }
    }
}
