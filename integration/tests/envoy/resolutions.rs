//! Allow, pass, redirect, drop, the default action, and rule sets side by side.

use portcullis_integration::{End, Enforcement, Protocol, Request};
use serde_json::json;

use crate::support::{assert_passed, assert_refused, policy, policy_with, rule, rule_set, start, with};

pub(crate) async fn redirects_carry_their_location() {
    let url = "https://example.com/elsewhere";
    let policy = policy(&[
        with(rule(301, 1, "redirect", "REQUEST_URI", "strEq", "/a"), json!({ "redirect_url": url })),
        with(
            rule(302, 2, "redirect", "REQUEST_URI", "strEq", "/b"),
            json!({ "redirect_url": url, "status": 307 }),
        ),
        with(
            rule(303, 4, "redirect", "RESPONSE_BODY", "strContains", "Hello"),
            json!({ "redirect_url": url }),
        ),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    for protocol in Protocol::ALL {
        for (target, status, rule, hits) in [("/a", 302, 301, 0), ("/b", 307, 302, 0), ("/c", 302, 303, 1)] {
            let exchange = gateway.send(protocol, Request::get(target)).await.unwrap();
            assert_eq!((exchange.reply.status, exchange.reply.end), (Some(status), End::Complete));
            assert_eq!(exchange.reply.header("location").as_deref(), Some(url));
            assert_eq!(exchange.reply.header("x-upstream"), None);
            assert_eq!((exchange.rules(), exchange.reached.len()), (vec![rule], hits));
        }
    }
}

pub(crate) async fn drop_gives_no_answer() {
    let policy = policy(&[
        rule(311, 1, "drop", "REQUEST_URI", "strEq", "/a"),
        rule(312, 2, "drop", "ARGS:q", "strEq", "x"),
        rule(313, 3, "drop", "RESPONSE_HEADERS:x-debug-token", "strRegex", "."),
    ]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        for protocol in Protocol::ALL {
            let cases = [
                (Request::get("/a"), 311, 0),
                (Request::get("/?q=x"), 312, 0),
                (Request::get("/debug"), 313, 1),
            ];
            for (request, rule, hits) in cases {
                let exchange = gateway.send(protocol, request).await.unwrap();
                assert_eq!(exchange.reply.status, None, "{protocol:?} {exchange:#?}");
                assert!(exchange.reply.cut_off(), "{exchange:#?}");
                assert_eq!((exchange.rules(), exchange.reached.len()), (vec![rule], hits));
            }
            assert_passed(&gateway.send(protocol, Request::get("/")).await.unwrap(), &[]);
        }
    }
}

pub(crate) async fn allow_ends_the_rules() {
    let policy = policy(&[
        rule(321, 1, "allow", "REQUEST_HEADERS:x-friend", "strEq", "yes"),
        rule(322, 1, "deny", "REQUEST_URI", "strContains", "bad"),
        rule(323, 2, "deny", "ARGS:q", "strEq", "bad"),
        rule(324, 4, "deny", "RESPONSE_BODY", "strContains", "Hello"),
        rule(325, 5, "pass", "RESPONSE_STATUS", "intEQ", "200"),
    ]);
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy, enforcement).await;
        let friend = Request::form("/bad?q=bad", "q=bad").header("x-friend", "yes");
        // Only logging still runs.
        assert_passed(&gateway.send1(friend).await.unwrap(), &[321, 325]);
        let stranger = gateway.send1(Request::form("/bad?q=bad", "q=bad")).await.unwrap();
        assert_eq!(stranger.rules(), [322]);
        assert_eq!(stranger.reply.status, Some(403));
    }
}

pub(crate) async fn pass_goes_on() {
    let policy = policy(&[
        rule(331, 1, "pass", "REQUEST_URI", "strBegins", "/"),
        with(rule(332, 1, "pass", "REQUEST_URI", "strBegins", "/"), json!({ "log": false })),
        rule(333, 1, "deny", "REQUEST_URI", "strEq", "/bad"),
    ]);
    let gateway = start(&policy, Enforcement::Strict).await;
    assert_passed(&gateway.send1(Request::get("/good")).await.unwrap(), &[331]);
    let bad = gateway.send1(Request::get("/bad")).await.unwrap();
    assert_eq!((bad.reply.status, bad.rules(), bad.reached.len()), (Some(403), vec![331, 333], 0));
}

pub(crate) async fn the_default_action_is_the_rule_sets_own() {
    let plain = rule(341, 1, "default_action", "REQUEST_URI", "strEq", "/a");
    let teapot = with(rule(342, 1, "default_action", "REQUEST_URI", "strEq", "/b"), json!({ "status": 418 }));
    let settings = json!({ "default_action": "deny" });
    let deny = start(&policy_with(settings, &[plain.clone(), teapot]), Enforcement::Strict).await;
    assert_refused(&deny.send1(Request::get("/a")).await.unwrap(), 403, 341, 0);
    assert_refused(&deny.send1(Request::get("/b")).await.unwrap(), 418, 342, 0);
    let rules = [plain];
    let pass = start(&policy_with(json!({ "default_action": "pass" }), &rules), Enforcement::Strict).await;
    assert_passed(&pass.send1(Request::get("/a")).await.unwrap(), &[341]);
    let settings = json!({ "default_action": "redirect", "redirect_url": "https://example.com/" });
    // A status that redirects nowhere would be refused here.
    let redirect = start(&policy_with(settings, &rules[..1]), Enforcement::Strict).await;
    let exchange = redirect.send1(Request::get("/a")).await.unwrap();
    assert_eq!(exchange.reply.status, Some(302));
    assert_eq!(exchange.reply.header("location").as_deref(), Some("https://example.com/"));
}

pub(crate) async fn two_rule_sets_keep_their_own_settings() {
    let one = rule_set(
        "one",
        &[
            rule(351, 1, "default_action", "REQUEST_HEADERS:x-one", "strEq", "yes"),
            rule(352, 1, "deny", "REQUEST_HEADERS:x-only-logged", "strEq", "yes"),
        ],
    );
    let two = rule_set("two", &[rule(353, 1, "default_action", "REQUEST_HEADERS:x-two", "strEq", "yes")]);
    let policy = json!({ "rule_sets": [
        with(one, json!({ "default_action": "pass", "only_logging": true })),
        with(two, json!({ "default_action": "deny", "default_log": true })),
    ]});
    let gateway = start(&policy, Enforcement::Strict).await;
    let both = |one: &str, two: &str| Request::get("/").header("x-one", one).header("x-two", two);
    assert_passed(&gateway.send1(both("yes", "no")).await.unwrap(), &[351]);
    assert_refused(&gateway.send1(both("no", "yes")).await.unwrap(), 403, 353, 0);
    let exchange = gateway.send1(both("yes", "yes").header("x-only-logged", "yes")).await.unwrap();
    assert_eq!((exchange.reply.status, exchange.rules()), (Some(403), vec![351, 352, 353]));
}

pub(crate) async fn only_logging_refuses_nothing() {
    let url = json!({ "redirect_url": "https://example.com/" });
    let rules = [
        rule(361, 1, "allow", "REQUEST_URI", "strBegins", "/"),
        rule(362, 1, "deny", "REQUEST_URI", "strBegins", "/"),
        with(rule(363, 2, "redirect", "REQUEST_URI", "strBegins", "/"), url),
        rule(364, 3, "drop", "RESPONSE_STATUS", "intEQ", "200"),
        rule(365, 4, "deny", "RESPONSE_BODY", "strContains", "Hello"),
    ];
    for enforcement in Enforcement::ALL {
        let gateway = start(&policy_with(json!({ "only_logging": true }), &rules), enforcement).await;
        for protocol in Protocol::ALL {
            let exchange = gateway.send(protocol, Request::form("/", "a=b")).await.unwrap();
            assert_passed(&exchange, &[361, 362, 363, 364, 365]);
            assert_eq!(exchange.reply.text(), "Hello from the upstream.\n");
        }
    }
}
