//! What rules of rule sets say of clients, and collections that persist, over several workers.

use std::path::Path;
use std::time::{Duration, Instant};

use portcullis_integration::{Gateway, Request, Scenario};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::with;

/// A client, which the trusted hop 127.0.0.1 names.
fn from(client: &str, request: Request) -> Request {
    request.header("x-real-ip", client)
}

fn get(client: &str, path: &str) -> Request {
    from(client, Request::get(path))
}

/// A gateway of four workers.
async fn start(policy: Value) -> Gateway {
    let hop = json!({ "client_address": { "header": "x-real-ip", "trusted_hops": ["127.0.0.1"] } });
    Scenario::new(with(hop, policy)).concurrency(4).start().await.unwrap()
}

/// The status that a request gets over a connection of its own, so by any worker.
async fn status(gateway: &Gateway, request: Request) -> u16 {
    gateway.send1(request).await.unwrap().reply.status.unwrap()
}

/// The statuses of the same request over so many connections.
async fn statuses<const N: usize>(gateway: &Gateway, request: &Request) -> [u16; N] {
    let mut all = [0; N];
    for one in &mut all {
        *one = status(gateway, request.clone()).await;
    }
    all
}

const SECLANG: &str = r#"
SecRuleEngine On
SecRule ARGS:q "@contains select" "id:1,phase:2,pass,log,msg:'SQL',risk:40,classification:SqlInjection,state:Exploitation"
SecRule ARGS:q "@contains union" "id:2,phase:2,pass,nolog,setvar:tx.score=+45,setvar:client.risk=+%{tx.score}"
SecRule CLIENT:RISK "@ge 50" "id:3,phase:2,deny,status:429,log,msg:'risk %{client.risk} by %{client.state}'"
SecRule ARGS:do "@streq stop" "id:4,phase:1,pass,log,risk:5,action:block"
SecRule ARGS:do "@streq slow" "id:5,phase:1,pass,log,risk:5,action:tarpit"
SecRule ARGS:do "@streq bot" "id:6,phase:1,pass,log,risk:5,action:interrogate"
SecRule ARGS:do "@streq shell" "id:7,phase:1,pass,log,chain,risk:5"
  SecRule ARGS "@streq really" "t:none"
SecRuleUpdateActionById 7 "risk:95,classification:WebShell,state:'Malware Communication'"
"#;

pub(crate) async fn seclang_rules_say_something_of_the_client() {
    let gateway = start(json!({
        "risk": {
            "switches": { "rule_blocks": true, "risk_blocks": true, "lists": true },
            "tarpit": { "delay": 700, "growth": 1, "seconds": 60 },
        },
        "rule_sets": [{ "name": "crs", "process_request_body": true, "seclang": SECLANG }],
    }))
    .await;

    // 28, then 48.2 in another worker, then 62.7, which a rule of the same phase sees.
    assert_eq!(statuses(&gateway, &get("192.0.2.1", "/echo?q=select")).await, [200, 200, 429]);
    let last = gateway.send1(get("192.0.2.1", "/echo")).await.unwrap();
    assert_eq!(last.reply.status, Some(429), "{last:#?}");
    assert!(last.reached.is_empty());
    assert_eq!(statuses(&gateway, &get("192.0.2.2", "/echo")).await, [200; 6], "another client");

    // The score of an anomaly: 45, then 69.8, and the block at 70 is not reached.
    assert_eq!(statuses(&gateway, &get("192.0.2.3", "/echo?q=union")).await, [200, 429]);

    let stop = gateway.send1(get("192.0.2.4", "/echo?do=stop")).await.unwrap();
    assert_eq!((stop.reply.status, stop.reached.len()), (Some(403), 0));
    assert_eq!(stop.access.details, "portcullis_client[rule_block_rule_4]");
    assert_eq!(status(&gateway, get("192.0.2.4", "/echo")).await, 200, "only that request");

    for path in ["/echo?do=slow", "/echo"] {
        let started = Instant::now();
        assert_eq!(status(&gateway, get("192.0.2.5", path)).await, 200);
        let took = started.elapsed();
        assert!((700..1_300).contains(&took.as_millis()), "{took:?}");
    }

    assert_eq!(statuses(&gateway, &get("192.0.2.6", "/echo?do=bot")).await, [401]);
    assert_eq!(statuses(&gateway, &get("192.0.2.6", "/echo")).await, [401; 4]);

    assert_eq!(statuses(&gateway, &get("192.0.2.7", "/echo?do=shell")).await, [200; 3], "half of a chain");
    assert_eq!(status(&gateway, get("192.0.2.7", "/echo?do=shell&a=really&b=really")).await, 403);
    assert_eq!(statuses(&gateway, &get("192.0.2.7", "/echo")).await, [403; 6]);

    let log = gateway.envoy().log();
    assert!(log.contains(r#"[msg "risk 62 by Exploitation"]"#), "{log}");
    for text in [
        r#""classification":"SqlInjection","contrib_score":28.0,"description":"SQL","id":1,"risk":40,"state":"Exploitation""#,
        r#""classification":"WebShell","contrib_score":100.0"#,
        r#""reason":"rule_block","request_id""#,
    ] {
        assert!(log.contains(text), "{text}:\n{log}");
    }
}

/// The recipe against brute force, as it stands in a scenario: three failed logins block the address. Here for three
/// seconds in place of ten minutes.
pub(crate) async fn the_recipe_against_brute_force_works() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests/clients/brute-force-recipe.json");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("expirevar:IP.bf_block=600"));
    let scenario: Value = serde_json::from_str(&text.replace("bf_block=600", "bf_block=3")).unwrap();
    let gateway = start(scenario["policy"].clone()).await;
    let login = |client: &str| from(client, Request::form("/echo", "user=root&password=1"));
    for round in 1..=2 {
        assert_eq!(statuses(&gateway, &login("192.0.2.1")).await, [200; 3], "round {round}");
        let blocked = gateway.send1(get("192.0.2.1", "/echo")).await.unwrap();
        assert_eq!((blocked.reply.status, blocked.reached.len()), (Some(403), 0));
        assert_eq!(statuses(&gateway, &get("192.0.2.1", "/echo")).await, [403; 8]);
        assert_eq!(statuses(&gateway, &login("192.0.2.2")).await, [200], "another address");
        sleep(Duration::from_millis(3_500)).await;
        assert_eq!(statuses(&gateway, &get("192.0.2.1", "/echo")).await, [200; 8], "round {round}");
    }
    // Two failures of the other one are still counted, whichever worker saw them: the third blocks it.
    assert_eq!(statuses(&gateway, &login("192.0.2.2")).await, [200]);
    assert_eq!(statuses(&gateway, &get("192.0.2.2", "/echo")).await, [403; 4]);
    assert!(gateway.envoy().log().contains("IP address blocked because of suspected brute-force attack"));
}

const COLLECTIONS: &str = r#"
SecRuleEngine On
SecCollectionTimeout 3
SecAction "id:1,phase:1,nolog,pass,initcol:global=global,initcol:ip=%{REMOTE_ADDR},setsid:%{REQUEST_HEADERS.x-sid},setuid:%{REQUEST_HEADERS.x-uid},setrsc:%{REQUEST_FILENAME}"
SecAction "id:2,phase:1,nolog,pass,setvar:global.n=+1,setvar:ip.n=+1,setvar:session.n=+1,setvar:user.n=+1,setvar:resource.n=+1"
SecRule &ARGS "@gt 0" "id:3,phase:2,deny,status:403,log,msg:'g%{global.n} i%{ip.n} s%{session.n} u%{user.n} r%{resource.n}'"
"#;

/// Each collection counts for what it is about, over all workers, and goes when its time is over.
pub(crate) async fn collections_persist_over_all_workers() {
    let gateway = start(json!({ "rule_sets": [{ "name": "pc", "seclang": COLLECTIONS }] })).await;
    let ask = |client: &str, path: &str, sid: &str, uid: &str| {
        get(client, path).header("x-sid", sid).header("x-uid", uid)
    };
    let counts = || {
        let log = gateway.envoy().log();
        let (_, last) = log.rsplit_once(r#"[msg "g"#).unwrap_or_else(|| panic!("{log}"));
        format!("g{}", last.split('"').next().unwrap())
    };
    for (client, path, sid, uid) in [
        ("192.0.2.1", "/echo", "a", "x"),
        ("192.0.2.1", "/echo", "a", "y"),
        ("192.0.2.1", "/bytes/1", "b", "y"),
        ("192.0.2.2", "/echo", "a", "x"),
    ] {
        let all: [u16; 4] = statuses(&gateway, &ask(client, path, sid, uid)).await;
        assert_eq!(all, [200; 4]);
    }
    assert_eq!(status(&gateway, ask("192.0.2.2", "/echo?show", "b", "x")).await, 403);
    assert_eq!(counts(), "g17 i5 s5 u9 r13");
    // Each has been updated since, if its time goes on.
    sleep(Duration::from_millis(3_600)).await;
    assert_eq!(status(&gateway, ask("192.0.2.2", "/echo?show", "b", "x")).await, 403);
    assert_eq!(counts(), "g1 i1 s1 u1 r1");
}

pub(crate) async fn a_rate_is_counted_over_all_workers() {
    let gateway = start(json!({ "risk": {
        "switches": { "rule_blocks": true, "risk_blocks": true },
        "rules": [
            {
                "id": 1, "description": "more than 10 404s in 3 s", "risk": 95, "state": "Scanning",
                "classification": "ContentEnumeration", "rate": { "count": 10, "seconds": 3 },
                "condition": { "attribute": "response_code", "value": 404 },
            },
            {
                "id": 2, "description": "more than 5 logins in 3 s", "action": "block", "rate": { "count": 5, "seconds": 3 },
                "condition": { "and": [
                    { "attribute": "uri", "value": "/echo" }, { "attribute": "method", "value": "POST" },
                ] },
            },
        ],
    } }))
    .await;
    let login = |client: &str| from(client, Request::form("/echo", "user=root"));
    let started = Instant::now();
    assert_eq!(statuses(&gateway, &login("192.0.2.1")).await, [200, 200, 200, 200, 200, 403, 403]);
    assert_eq!(statuses(&gateway, &login("192.0.2.2")).await, [200; 5], "another client");
    assert_eq!(status(&gateway, get("192.0.2.1", "/echo")).await, 200, "another request");
    sleep(Duration::from_millis(3_500).saturating_sub(started.elapsed())).await;
    assert_eq!(statuses(&gateway, &login("192.0.2.1")).await, [200; 3], "the window has moved on");

    let missing = get("192.0.2.3", "/status/404");
    assert_eq!(statuses(&gateway, &missing).await, [404; 10]);
    assert_eq!(statuses(&gateway, &missing).await, [403; 3], "the eleventh blocks");
    assert_eq!(statuses(&gateway, &get("192.0.2.3", "/echo")).await, [403; 4]);
}
