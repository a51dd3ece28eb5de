//! The Core Rule Set, bundled by the command line, in Envoy.

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_integration::{Enforcement, Protocol, Request, Scenario};
use serde_json::Value;

use crate::support::assert_passed;

/// The arguments of the README's command that makes a policy of the Core Rule Set, without the program and the output.
fn command() -> Vec<String> {
    const README: &str = include_str!("../../../README.md");
    let line = README.lines().find_map(|line| line.strip_prefix("target/release/portcullis bundle"));
    let words = line.expect("the command of the README").split_whitespace();
    let words = words.map(|word| word.trim_matches('\'').to_owned());
    words.take_while(|word| word != "-o").collect()
}

/// What the README's command makes of the Core Rule Set as it comes; what is missing when there is none.
fn bundle() -> Result<Value, String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared");
    let shared = std::env::var_os("PORTCULLIS_SHARED").map_or_else(beside, PathBuf::from);
    let crs = shared.join("crs");
    if !crs.join("rules").is_dir() {
        return Err("no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules".to_owned());
    }
    // The tests of the whole workspace build the command line before they run.
    let portcullis = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("portcullis");
    if !portcullis.is_file() {
        return Err(format!("no {}: run `cargo build -p portcullis-cli`", portcullis.display()));
    }
    let folder = std::env::temp_dir().join(format!("portcullis-bundle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(crs.join("crs-setup.conf.example"), folder.join("crs-setup.conf")).unwrap();
    std::os::unix::fs::symlink(crs.join("rules"), folder.join("rules")).unwrap();
    let output = Command::new(portcullis)
        .arg("bundle")
        .args(command())
        .args(["--output", "-"])
        .current_dir(&folder)
        .output()
        .unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

/// An attack in every place in which a request holds values.
fn attacks() -> [Request; 5] {
    let multipart = "--B\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\n' OR 1=1 -- \r\n--B--\r\n";
    [
        Request::get("/?q=%27%20OR%201%3D1%20--%20"),
        Request::form("/", "q=%27%20OR%201%3D1%20--%20"),
        Request::post("/", "application/json", r#"{"q": "' OR 1=1 -- "}"#),
        Request::post("/", "text/xml", "<q>' OR 1=1 -- </q>"),
        Request::post("/", "multipart/form-data; boundary=B", multipart),
    ]
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
            for attack in attacks() {
                let exchange = gateway.send(protocol, browser(attack)).await.unwrap();
                assert_eq!(exchange.reply.status, Some(403), "{exchange:#?}");
                // Without strict enforcement the head of a request with a body has gone on.
                assert!(
                    exchange.reached.is_empty() || enforcement == Enforcement::Streaming,
                    "{exchange:#?}"
                );
                assert!(exchange.rules().contains(&942_100), "{exchange:#?}");
                let is_rule = |line: &str| {
                    line.contains("[file \"rules/REQUEST-942-APPLICATION-ATTACK-SQLI.conf\"] [line")
                };
                assert!(exchange.matches.iter().any(|found| is_rule(&found.line)), "{exchange:#?}");
            }
            let search = browser(Request::get("/?q=blue+shoes&page=2"));
            assert_passed(&gateway.send(protocol, search).await.unwrap(), &[]);
        }
    }
}
