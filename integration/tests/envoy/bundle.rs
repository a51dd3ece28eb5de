//! The Core Rule Set, bundled by the command line, in Envoy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_integration::{Enforcement, Protocol, Request, Scenario};
use serde_json::{Value, json};

use crate::support::assert_passed;

/// The command line and the folder of the Core Rule Set; what is missing when one isn't there.
fn prerequisites() -> Result<(PathBuf, PathBuf), String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared");
    let shared = std::env::var_os("PORTCULLIS_SHARED").map_or_else(beside, PathBuf::from);
    let rules = shared.join("crs");
    if !rules.join("rules").is_dir() {
        return Err("no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules".to_owned());
    }
    // The tests of the whole workspace build the command line before they run.
    let portcullis = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("portcullis");
    if !portcullis.is_file() {
        return Err(format!("no {}: run `cargo build -p portcullis-cli`", portcullis.display()));
    }
    Ok((portcullis, rules))
}

fn bundle() -> Result<Value, String> {
    bundle_behind("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n")
}

/// The bundle behind some SecLang; what is missing when there is none.
pub(crate) fn bundle_behind(settings: &str) -> Result<Value, String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let (portcullis, rules) = prerequisites()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let bodies = std::env::temp_dir().join(format!("portcullis-bodies-{}-{number}.conf", std::process::id()));
    std::fs::write(&bodies, settings).unwrap();
    let output = Command::new(portcullis)
        .args(["bundle", "--minify", "--name", "crs", "--output", "-", "--seclang"])
        .args([&bodies, Path::new("--seclang"), &rules.join("crs-setup.conf.example")])
        .args([Path::new("--seclang"), &rules.join("rules/*.conf")])
        .output()
        .unwrap();
    std::fs::remove_file(bodies).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

pub(crate) async fn the_core_rule_set_refuses_an_attack_and_passes_a_search() {
    let policy = match bundle() {
        Ok(policy) => policy,
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            return;
        }
    };
    for enforcement in Enforcement::ALL {
        let gateway = Scenario::new(policy.clone()).enforcement(enforcement).start().await.unwrap();
        for protocol in Protocol::ALL {
            let browser =
                |request: Request| request.header("user-agent", "Mozilla/5.0").header("accept", "*/*");
            let attack = browser(Request::get("/?q=%27%20OR%201%3D1%20--%20"));
            let exchange = gateway.send(protocol, attack).await.unwrap();
            assert_eq!(exchange.reply.status, Some(403), "{exchange:#?}");
            assert_eq!(exchange.reached.len(), 0, "{exchange:#?}");
            assert!(exchange.rules().contains(&942_100), "{exchange:#?}");
            let place =
                exchange.matches[0].line.contains("/rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf\"] [line");
            assert!(place, "{exchange:#?}");
            let search = browser(Request::get("/?q=blue+shoes&page=2"));
            assert_passed(&gateway.send(protocol, search).await.unwrap(), &[]);
        }
    }
}

/// README's commands that make a policy of the Core Rule Set.
fn commands() -> &'static str {
    let readme = include_str!("../../../README.md");
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let found: Vec<&str> = blocks.filter(|block| block.contains("portcullis bundle")).collect();
    let [commands] = found.as_slice() else { panic!("README has {} blocks with `bundle`", found.len()) };
    commands
}

/// What stands in for the compiler: the command line is built already.
const CARGO: &str = "#!/bin/sh
[ \"$*\" = 'build --release -p portcullis-cli' ] || { echo \"cargo $*\" >&2; exit 64; }
mkdir -p target/release && ln -s \"$PORTCULLIS\" target/release/portcullis
";

/// What stands in for the network: the rules are here already.
const GIT: &str = "#!/bin/sh
[ \"$1\" = clone ] || { echo \"git $*\" >&2; exit 64; }
for last; do :; done
ln -s \"$RULES\" \"$(basename \"$last\" .git)\"
";

/// Runs README's commands as they stand there in an empty folder, and reads the policy that they leave.
fn follow_readme() -> Result<Value, String> {
    use std::os::unix::fs::PermissionsExt as _;

    let (portcullis, rules) = prerequisites()?;
    let folder = std::env::temp_dir().join(format!("portcullis-readme-{}", std::process::id()));
    let programs = folder.join("programs");
    std::fs::create_dir_all(&programs).unwrap();
    for (name, text) in [("cargo", CARGO), ("git", GIT)] {
        let file = programs.join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-eu", "-c", commands()])
        .current_dir(&folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("PORTCULLIS", portcullis)
        .env("RULES", rules.canonicalize().unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let policy = std::fs::read(folder.join("policy.json")).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    Ok(serde_json::from_slice(&policy).unwrap())
}

/// A request of a browser with `value` in a place that applications read.
type Place = (&'static str, fn(&str) -> Request);

/// For URLs and forms.
fn encoded(value: &str) -> String {
    value.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

const PLACES: &[Place] = &[
    ("query", |value| Request::get(&format!("/search?q={}&page=2", encoded(value)))),
    ("form", |value| Request::form("/comments", format!("page=2&text={}", encoded(value)))),
    ("JSON", |value| {
        let body = json!({ "order": { "lines": [{ "note": value }] } }).to_string();
        Request::post("/orders", "application/json", body)
    }),
    ("JSON with a character set", |value| {
        Request::post("/orders", "application/json; charset=utf-8", json!([value]).to_string())
    }),
    ("XML text", |value| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        Request::post("/orders", "application/xml", format!("<order><note>{value}</note></order>"))
    }),
    ("XML attribute", |value| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        Request::post("/orders", "text/xml", format!("<order note=\"{value}\"/>"))
    }),
    ("SOAP", |value| {
        let value = value.replace('&', "&amp;").replace('<', "&lt;");
        let body = format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body><n>{value}</n></s:Body></s:Envelope>"
        );
        Request::post("/orders", "application/soap+xml", body)
    }),
    ("multipart", |value| {
        let body = format!(
            "--limit\r\nContent-Disposition: form-data; name=\"page\"\r\n\r\n2\r\n--limit\r\nContent-Disposition: \
             form-data; name=\"text\"\r\n\r\n{value}\r\n--limit--\r\n"
        );
        Request::post("/upload", "multipart/form-data; boundary=limit", body)
    }),
];

/// Attacks, each with a rule that finds it, and what people write that looks a little like them.
const ATTACKS: &[(&str, u64)] = &[
    ("1' OR '1'='1' UNION SELECT password FROM users -- ", 942_100),
    ("<script>alert(document.cookie)</script>", 941_110),
    ("; cat /etc/passwd", 932_160),
];
const HARMLESS: &[&str] = &["blue shoes, size 42", "Fish & chips (to go)", "a <3 b"];

fn browser(request: Request) -> Request {
    request.header("user-agent", "Mozilla/5.0 (X11; Linux x86_64)").header("accept", "text/html,*/*;q=0.8")
}

pub(crate) async fn readmes_commands_give_a_firewall() {
    let policy = match follow_readme() {
        Ok(policy) => policy,
        Err(missing) => {
            eprintln!("SKIPPED: {missing}");
            return;
        }
    };
    assert_eq!(policy["enforcement"], "strict");
    let gateway = Scenario::new(policy).strict().start().await.unwrap();
    for (place, request) in PLACES {
        for (attack, rule) in ATTACKS {
            let exchange = gateway.send1(browser(request(attack))).await.unwrap();
            assert_eq!(exchange.reply.status, Some(403), "{attack} in {place}: {exchange:#?}");
            assert_eq!(exchange.reached.len(), 0, "{attack} in {place}: {exchange:#?}");
            assert!(exchange.rules().contains(rule), "{attack} in {place}: {exchange:#?}");
        }
        for text in HARMLESS {
            let exchange = gateway.send1(browser(request(text))).await.unwrap();
            assert_eq!(exchange.rules(), [0; 0], "{text} in {place}");
            assert_passed(&exchange, &[]);
        }
    }
    // What the server might read in another way than the firewall, and what is larger than what is inspected.
    let cut = "--limit\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb";
    for (media_type, body, status) in [
        ("application/json", "{\"a\": \"b\"".to_owned(), 400),
        ("application/xml", "<a><b></a>".to_owned(), 400),
        ("multipart/form-data; boundary=limit", cut.to_owned(), 400),
        ("application/json", format!("[\"{}\"]", "a ".repeat(400_000)), 413),
    ] {
        let exchange = gateway.send1(browser(Request::post("/", media_type, body))).await.unwrap();
        assert_eq!(exchange.reply.status, Some(status), "{media_type}: {:?}", exchange.rules());
        assert_eq!(exchange.reached.len(), 0, "{media_type}");
    }
    // Large, and within the limit.
    let large = format!("[\"{}\"]", "a ".repeat(150_000));
    let exchange = gateway.send1(browser(Request::post("/", "application/json", large))).await.unwrap();
    assert_eq!(exchange.reply.status, Some(200), "{:?}", exchange.rules());
}
