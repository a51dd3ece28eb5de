//! libinjection's own cases through the module: those about a whole value, which `@detectSQLi` and `@detectXSS` judge.
//! The others are about single tokens, which no rule can see; they run natively, in `libinjection/tests`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use libtest_mimic::Trial;
use portcullis_testhost::{Exchange, Host, Module, Options, Verdict};
use serde_json::json;

const RULES: &str = "\
SecRequestBodyAccess On
SecRule ARGS_POST:v \"@detectSQLi\" \"id:1,phase:2,pass,log,capture,logdata:'<%{TX.0}>'\"
SecRule ARGS_POST:v \"@detectXSS\" \"id:2,phase:2,pass,log\"
SecRule &ARGS_POST:v \"@eq 1\" \"id:3,phase:2,pass,log\"
";

/// A test for each case.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("PORTCULLIS_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("libinjection/tests");
    let Ok(entries) = fs::read_dir(&folder) else {
        let name = format!("module/libinjection/NOT_RUN: there is no {}", folder.display());
        return vec![Trial::test(name, || Err("there are no cases".into())).with_ignored_flag(true)];
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    // Started by the first test that asks it something.
    let host: Arc<Mutex<Option<Host>>> = Arc::default();
    let mut trials = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let xss = name.starts_with("test-xss-");
        if !xss && !name.starts_with("test-sqli-") {
            continue;
        }
        let (module, host) = (module.clone(), Arc::clone(&host));
        trials.push(Trial::test(format!("module/libinjection/{name}"), move || {
            let mut host = host.lock().map_err(|_| "another case has failed")?;
            check(&mut host, &module, &path, xss).map_err(Into::into)
        }));
    }
    trials
}

fn check(host: &mut Option<Host>, module: &Module, path: &Path, xss: bool) -> Result<(), String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    let (value, expected) = parse(&text).ok_or("a part of the file is missing")?;
    let host = match host {
        Some(host) => host,
        none => {
            let policy = json!({ "rule_sets": [{ "name": "libinjection", "seclang": RULES }] }).to_string();
            let started = Host::start(module, policy.as_bytes(), Options::default());
            none.insert(started.map_err(|error| error.to_string())?)
        }
    };
    let encoded: String = value.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form = format!("v={encoded}").into_bytes();
    let observed = host.exchange(&Exchange::post("/", "application/x-www-form-urlencoded", &form));
    if observed.verdict != Verdict::Continued {
        return Err(format!("the request ended otherwise: {:?}", observed.verdict));
    }
    let of_rule = |id: u32| observed.log.iter().find(|line| line.text.contains(&format!("[id \"{id}\"]")));
    of_rule(3).ok_or("the argument did not reach the rules")?;
    let found = if xss {
        u8::from(of_rule(2).is_some()).to_string()
    } else {
        let line = of_rule(1).and_then(|line| line.text.split_once("[data \"<"));
        line.and_then(|(_, rest)| rest.split_once(">\"]"))
            .map(|(print, _)| print.to_owned())
            .unwrap_or_default()
    };
    if found.as_bytes() == expected {
        return Ok(());
    }
    Err(format!("{}: expected {}, found {found}", value.escape_ascii(), expected.escape_ascii()))
}

/// Input and expected result; white space at the end of each does not count.
fn parse(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let after = |text: &'static [u8], whole: &[u8]| whole.windows(text.len()).position(|part| part == text);
    let input = after(b"--INPUT--\n", text)?;
    let (_, rest) = text.split_at_checked(input + b"--INPUT--\n".len())?;
    let expected = after(b"--EXPECTED--", rest)?;
    let (value, expected) = rest.split_at_checked(expected)?;
    Some((value.trim_ascii_end(), expected.strip_prefix(b"--EXPECTED--")?.trim_ascii()))
}
