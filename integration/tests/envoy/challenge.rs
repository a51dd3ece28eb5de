//! Clients that have to show that they are browsers: by hand, and with a real one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use portcullis_integration::{Exchange, Gateway, Request, Scenario};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::support::assert_passed;

/// How long a browser may take to start, to pass and to load the page.
const BROWSER_PATIENCE: Duration = Duration::from_secs(60);

/// What browsers say they accept.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Chromium: `$CHROMIUM`, else what is on the `PATH`.
pub(crate) fn find_browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM") {
        return Some(PathBuf::from(named)).filter(|file| file.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

/// Every request below `/shop` has its client challenged. Two workers, so that what one signs the other checks.
async fn shop(keys: serde_json::Value) -> Gateway {
    let policy = json!({
        "risk": {
            "switches": { "rule_blocks": true, "risk_blocks": true, "lists": true },
            "interrogate": { "seconds": 600, "difficulty": 12, "keys": keys },
            "rules": [{
                "id": 9001, "description": "robots are unwelcome", "risk": 5, "state": "Recon",
                "classification": "BadBot", "action": "interrogate",
                "condition": { "attribute": "uri", "operator": "starts_with", "value": "/shop" }
            }]
        },
        "rule_sets": [{ "name": "audit", "seclang": "SecAuditEngine On\nSecAuditLogParts ABHZ\n" }]
    });
    Scenario::new(policy).strict().concurrency(2).start().await.unwrap()
}

fn browse(path: &str) -> Request {
    Request::get(path).header("accept", ACCEPT).header("user-agent", "test")
}

/// The value of an attribute of the page.
fn attribute(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("data-{name}=\"")).unwrap_or_else(|| panic!("{page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

fn solve(token: &str, bits: u32) -> String {
    let zeros = |n: &u64| {
        let hash = Sha256::digest(format!("{token}:{n}"));
        u32::from_be_bytes(hash[..4].try_into().unwrap()).leading_zeros()
    };
    let number = (0u64..).find(|n| zeros(n) >= bits).unwrap();
    format!("{token}:{number}:by-hand")
}

fn answer(text: &str) -> Request {
    Request::new("POST", "/shop").header("user-agent", "test").header("portcullis-answer", text)
}

#[track_caller]
fn assert_challenged(exchange: &Exchange) {
    assert_eq!(exchange.reply.status, Some(403), "{exchange:#?}");
    assert!(exchange.reply.text().contains("<h1>Checking your browser</h1>"), "{exchange:#?}");
    assert_eq!(exchange.reached.len(), 0, "{exchange:#?}");
}

/// Page, answer, cookie, page; and everything that must not count in their place.
pub(crate) async fn an_answer_earns_a_cookie_that_only_its_client_can_use() {
    for keys in [json!([]), json!(["a key of thirty-two bytes or more"])] {
        let gateway = shop(keys).await;
        let first = gateway.send1(browse("/shop")).await.unwrap();
        assert_challenged(&first);
        let policy = first.reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
        assert_eq!(first.reply.header("cache-control").as_deref(), Some("no-store"));
        let page = first.reply.text();
        let (token, bits) = (attribute(&page, "token"), attribute(&page, "difficulty"));
        assert_eq!((bits.as_str(), attribute(&page, "repeatable").as_str()), ("12", "true"));
        let solution = solve(&token, 12);

        for wrong in [
            format!("{token}:1"),
            format!("{token}:{}:", "9".repeat(16)),
            solution.replacen(&token[..8], "AAAAAAAA", 1),
            "nonsense".to_owned(),
        ] {
            let refused = gateway.send1(answer(&wrong)).await.unwrap();
            assert_eq!(refused.reply.status, Some(401), "{wrong}: {refused:#?}");
            assert_eq!(refused.reply.header("set-cookie"), None);
        }
        let foreign = answer(&solution);
        let foreign = Request { headers: replaced(&foreign.headers, "user-agent", "another"), ..foreign };
        assert_eq!(gateway.send1(foreign).await.unwrap().reply.status, Some(401));

        let passed = gateway.send1(answer(&solution)).await.unwrap();
        assert_eq!(passed.reply.status, Some(204), "{passed:#?}");
        assert_eq!(passed.reached.len(), 0);
        let cookie = passed.reply.header("set-cookie").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
        let cookie = cookie.split_once(';').unwrap().0.to_owned();

        // On new connections, so that both workers see it.
        for _ in 0..8 {
            let shown = gateway.send1(browse("/shop").header("cookie", &cookie)).await.unwrap();
            assert_passed(&shown, &[]);
        }
        let forged = format!("{}A{}", &cookie[..20], &cookie[21..]);
        for cookie in [forged.as_str(), "portcullis=", "portcullis=AAAA"] {
            assert_challenged(&gateway.send1(browse("/shop").header("cookie", cookie)).await.unwrap());
        }
        let stolen = Request::get("/shop").header("accept", ACCEPT).header("user-agent", "thief");
        assert_challenged(&gateway.send1(stolen.header("cookie", &cookie)).await.unwrap());
    }
}

fn replaced(headers: &[(String, Vec<u8>)], name: &str, value: &str) -> Vec<(String, Vec<u8>)> {
    let with = |(known, old): &(String, Vec<u8>)| {
        let value = if known == name { value.as_bytes().to_vec() } else { old.clone() };
        (known.clone(), value)
    };
    headers.iter().map(with).collect()
}

/// What did not ask for HTML can do nothing with a page.
pub(crate) async fn programs_get_a_problem_document() {
    let gateway = shop(json!([])).await;
    for accept in ["*/*", "application/json", ""] {
        let exchange = gateway.send1(Request::get("/shop").header("accept", accept)).await.unwrap();
        assert_eq!(exchange.reply.status, Some(401), "{exchange:#?}");
        assert_eq!(exchange.reply.header("content-type").as_deref(), Some("application/problem+json"));
        let problem: serde_json::Value = serde_json::from_str(&exchange.reply.text()).unwrap();
        assert_eq!(problem["type"], "urn:portcullis:interrogation");
        assert_eq!(problem["request_id"], exchange.request_id.as_str());
        assert_eq!(exchange.reached.len(), 0);
    }
}

/// Audit records say what the client got: a page, a problem document, its cookie.
pub(crate) async fn records_say_what_the_client_got() {
    let gateway = shop(json!([])).await;
    let page = gateway.send1(browse("/shop")).await.unwrap();
    let problem = gateway.send1(Request::get("/shop").header("accept", "*/*")).await.unwrap();
    let token = attribute(&page.reply.text(), "token");
    let passed = gateway.send1(answer(&solve(&token, 12))).await.unwrap();
    let cookie = passed.reply.header("set-cookie").unwrap();
    let cookie = cookie.split_once(';').unwrap().0.to_owned();
    let other = gateway.send1(browse("/status/404").header("cookie", &cookie)).await.unwrap();
    let records = crate::logs::records(&gateway);
    let got: Vec<_> = records
        .iter()
        .map(|record| {
            let transaction = &record["transaction"];
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            let status = transaction["response"]["http_code"].as_u64();
            (text(&transaction["unique_id"]), status, transaction["is_interrupted"].as_bool())
        })
        .collect();
    let expected = [(&page, 403, true), (&problem, 401, true), (&passed, 204, false), (&other, 404, false)];
    for ((exchange, status, interrupted), got) in expected.into_iter().zip(&got) {
        assert_eq!(exchange.reply.status, Some(status));
        assert_eq!(*got, (exchange.request_id.clone(), Some(u64::from(status)), Some(interrupted)));
    }
    assert_eq!(got.len(), 4, "{got:?}");
    let stats = gateway.envoy().admin().stats("wasmcustom.portcullis.risk.").await.unwrap();
    let stat = |name: &str| stats.get(&format!("wasmcustom.portcullis.risk.{name}")).copied().unwrap_or(0);
    assert_eq!((stat("challenged"), stat("passed")), (2, 1), "{stats:#?}");
}

/// Runs Chromium without a window, with a profile of its own, and returns what it prints.
async fn chromium(profile: &Path, arguments: &[&str]) -> String {
    let browser = find_browser().expect("a browser");
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(BROWSER_PATIENCE, command.output()).await.expect("Chromium in time").unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What the access log says of the requests with this method and target.
fn details(log: &str, method: &str, target: &str) -> Vec<String> {
    let records = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let about = records.filter(|one| one["method"] == method && one["path"] == target);
    about.map(|one| one["details"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A browser gets through by itself, and what it asked for follows; with the same request a program does not.
pub(crate) async fn a_browser_gets_through_by_itself() {
    let gateway = shop(json!([])).await;
    let target = "/shop?item=7&q=a%20b%26c+d&up=%2F..%2F&empty=&item=8";
    let url = format!("http://{}{target}#part", gateway.envoy().listener());
    let profile = gateway.directory().join("chromium");
    let shown = chromium(&profile, &["--virtual-time-budget=20000", "--dump-dom", &url]).await;
    let seen: Vec<String> = gateway.upstream().since(0).into_iter().map(|seen| seen.target).collect();
    // Beside that it asks for an icon.
    let shop: Vec<&String> = seen.iter().filter(|seen| seen.starts_with("/shop")).collect();
    assert_eq!(shop, [target], "{seen:?}\n{shown}\n{}", gateway.envoy().log());
    // The answer went to the page's own URL, and no further.
    let mut of_post = Vec::new();
    let mut of_get = Vec::new();
    // Envoy writes its access log a little later.
    for _ in 0..100 {
        let log = std::fs::read_to_string(gateway.directory().join("access.log")).unwrap();
        of_post = details(&log, "POST", target);
        of_get = details(&log, "GET", target);
        if of_get.len() == 2 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(of_post, ["portcullis_client[answered]"]);
    assert_eq!(of_get, ["portcullis_client[interrogate_rule_9001]", "via_upstream"]);
    assert!(!shown.contains("Checking your browser"), "{shown}");

    // A program that sends just what a browser sends, but runs no scripts.
    assert_challenged(&gateway.send1(browse("/shop?item=7")).await.unwrap());
}
