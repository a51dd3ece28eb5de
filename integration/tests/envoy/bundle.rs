//! The Core Rule Set, bundled by the command line, in Envoy.

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_integration::{Enforcement, Protocol, Request, Scenario};
use serde_json::Value;

use crate::support::assert_passed;

/// The bundle; what is missing when there is none.
fn bundle() -> Result<Value, String> {
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
    let bodies = std::env::temp_dir().join(format!("portcullis-bodies-{}.conf", std::process::id()));
    std::fs::write(&bodies, "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n").unwrap();
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
