//! The recipes of `docs/risk.md` with the evasions that they have to withstand: with Envoy as it is shipped, and where it
//! leaves paths as clients spell them.

use std::path::Path;

use portcullis_integration::{Exchange, Gateway, Request, Scenario};
use serde_json::{Value, json};

use crate::support::with;

const OUTSIDE: &str = "192.0.2.1";
const COMPANY: &str = "203.0.113.9";

/// The policy of a recipe, as its scenario has it. The trusted hop 127.0.0.1 names the clients.
fn recipe(name: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/clients");
    let text = std::fs::read_to_string(folder.join(format!("recipe-{name}.json"))).unwrap();
    let scenario: Value = serde_json::from_str(&text).unwrap();
    let hop = json!({ "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] } });
    Scenario::new(with(hop, scenario["policy"].clone())).concurrency(2)
}

/// The recipe in Envoy as it is shipped, and in one that changes no path.
async fn both(name: &str) -> [Gateway; 2] {
    [recipe(name).start().await.unwrap(), recipe(name).lenient().start().await.unwrap()]
}

async fn send(gateway: &Gateway, client: &str, request: Request) -> Exchange {
    gateway.send1(request.header("x-real-ip", client)).await.unwrap()
}

pub(crate) async fn the_administration_is_for_the_company() {
    for gateway in both("admin").await {
        for path in [
            "/admin",
            "/admin/users",
            "/Admin/users",
            "//admin/users",
            "/./admin/users",
            "/x/../admin/users",
            "/x/%2e%2e/admin/users",
            "/x/%252e%252e/admin/users",
            "/%61dmin/users",
            "/%2561dmin/users",
            "/admin%2fusers",
            "/x%2f..%2Fadmin/users",
            "/x%5c..%5cadmin",
            "/x\\..\\admin",
            "/x/..;/admin/users",
            "/admin;a=b/users",
            "http://portcullis.test/admin",
        ] {
            let refused = send(&gateway, OUTSIDE, Request::get(path)).await;
            assert!(refused.reached.is_empty(), "{path}: {refused:#?}");
            // As shipped, Envoy sends clients with escaped slashes to the path without them.
            assert!(matches!(refused.reply.status, Some(403 | 307)), "{path}: {refused:#?}");
            let spoofed = Request::get(path).header("x-forwarded-for", COMPANY);
            assert!(send(&gateway, OUTSIDE, spoofed).await.reached.is_empty(), "{path}");
        }
        for path in ["/", "/administrator", "/x/admin", "/public?next=/admin"] {
            assert_eq!(send(&gateway, OUTSIDE, Request::get(path)).await.reached.len(), 1, "{path}");
        }
        for path in ["/admin", "/admin/users", "//admin"] {
            assert_eq!(send(&gateway, COMPANY, Request::get(path)).await.reached.len(), 1, "{path}");
        }
    }
}

fn login(path: &str, user: &str, password: &str) -> Request {
    Request::form(path, format!("user={user}&pw={password}"))
}

/// 400 wrong passwords, then the right one: the upstream sees six, and the right one does not get in.
pub(crate) async fn wrong_passwords_are_limited() {
    for gateway in both("login").await {
        // Those that the upstream takes for its login.
        let spellings = ["/login", "//login", "/login/", "/login?next=/"];
        let mut reached = 0;
        for number in 0..400 {
            let path = spellings[number % spellings.len()];
            reached += send(&gateway, OUTSIDE, login(path, "root", &number.to_string())).await.reached.len();
        }
        assert_eq!(reached, 6, "five, and the one that passes the limit");
        let right = send(&gateway, OUTSIDE, login("/login", "root", "right")).await;
        assert_eq!((right.reply.status, right.reached.len()), (Some(403), 0), "{right:#?}");
        assert_eq!(right.access.details, "portcullis_client[rate_block_rule_9201]");
        let other = send(&gateway, "192.0.2.2", login("/login", "root", "right")).await;
        assert_eq!((other.reply.status, other.reached.len()), (Some(200), 1), "{other:#?}");
        let log = gateway.envoy().log();
        let records = log.matches(r#""msg_type":"BlockEvent""#).count();
        assert!((2..=4).contains(&records), "one a minute: {records}");
        assert!(log.contains(r#""reason":"rate_block""#), "{log}");
    }
}

/// Ten wrong passwords for one account from as many clients: the next client has to pass a challenge for it.
pub(crate) async fn an_account_is_guarded_from_many_clients() {
    let gateway = recipe("login").start().await.unwrap();
    for number in 1..=11 {
        let client = format!("198.51.100.{number}");
        let user = if number % 2 == 0 { "dora" } else { "DORA" };
        let tried = send(&gateway, &client, login("/login", user, "wrong")).await;
        assert_eq!((tried.reply.status, tried.reached.len()), (Some(401), 1), "{number}: {tried:#?}");
    }
    let next = send(&gateway, "198.51.100.99", login("/login", "dora", "right")).await;
    assert_eq!((next.reply.status, next.reached.len()), (Some(401), 0), "a challenge: {next:#?}");
    assert_eq!(next.access.details, "portcullis_client[interrogate_rule_9203]");
    let other = send(&gateway, "198.51.100.99", login("/login", "emil", "right")).await;
    assert_eq!((other.reply.status, other.reached.len()), (Some(200), 1), "another account: {other:#?}");
}

pub(crate) async fn a_page_is_patched_virtually() {
    for gateway in both("virtual-patch").await {
        for path in [
            "/report?id=7'",
            "/report?id=7&id=7'",
            "/report?id=",
            "//report?id=x",
            "/REPORT?id=x",
            "/x/../report?id=x",
            "/x%2f..%2freport?id=x",
            "/report/?id=x",
            "/report;v=1?id=x",
            "/report?%69d=x",
        ] {
            let refused = send(&gateway, "192.0.2.3", Request::get(path)).await;
            assert!(refused.reached.is_empty(), "{path}: {refused:#?}");
        }
        let json = |body: &str| Request::post("/report", "application/json", body);
        for request in [Request::form("/report", "id=1+OR+1"), json(r#"{"id":"1 OR 1"}"#)] {
            assert!(send(&gateway, "192.0.2.3", request).await.reached.is_empty());
        }
        for request in [Request::get("/report?id=7"), Request::form("/report", "id=7"), json(r#"{"id":7}"#)] {
            assert_eq!(send(&gateway, "192.0.2.3", request).await.reached.len(), 1);
        }
    }
}
