//! The exchanges of the Core Rule Set's tests through the module, with its rules at paranoia level 4: once only
//! reporting, once refusing. Log lines have to be the native engine's word for word, and so has what becomes of
//! the exchange; what is refused must not reach the upstream. That the native engine says what the tests expect is
//! checked by `portcullis ftw`; that command line gives the exchanges and the policy here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::Trial;
use portcullis_rules::eval::{Disruption, Outcome};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use portcullis_testhost::{Host, Module, Options, Verdict};

use crate::scenario_tests::{as_envoy_shows_it, check_delivery, for_host, run_natively};
use crate::scenarios::{Differences, NOW};

/// Two tests, or an ignored one that says what is missing.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let (rules, portcullis) = match core_rule_set().and_then(|rules| Ok((rules, command_line()?))) {
        Ok(found) => found,
        Err(missing) => {
            let name = format!("module/core_rule_set/NOT_RUN: {missing}");
            return vec![Trial::test(name, move || Err(missing.into())).with_ignored_flag(true)];
        }
    };
    let trial = |name: &str, blocking| {
        let (module, rules, portcullis) = (module.clone(), rules.clone(), portcullis.clone());
        Trial::test(format!("module/core_rule_set/{name}"), move || {
            check(&module, &portcullis, &rules, blocking).map_err(Into::into)
        })
    };
    vec![trial("reporting", false), trial("blocking", true)]
}

fn core_rule_set() -> Result<PathBuf, String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let folder = std::env::var_os("PORTCULLIS_SHARED").map_or_else(beside, PathBuf::from).join("crs");
    if folder.join("rules").is_dir() && folder.join("tests").is_dir() {
        return Ok(folder);
    }
    Err("no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules and crs/tests".to_owned())
}

/// The command line, which the tests of the whole workspace build first.
fn command_line() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = test.ancestors().nth(2).unwrap_or(&test).join("portcullis");
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("no {}: run `cargo build -p portcullis-cli`", path.display()))
}

fn check(module: &Module, portcullis: &Path, rules: &Path, blocking: bool) -> Result<(), String> {
    let policy = bundle(portcullis, rules, blocking)?;
    let exchanges = run(Command::new(portcullis)
        .args(["ftw", "--format", "exchanges", "--tests"])
        .arg(rules.join("tests")))?;
    let loaded = policy::load(&policy, "policy").policy.ok_or("the policy is refused")?;
    let plan = Arc::new(Plan::new(&loaded).map_err(|problems| format!("{problems:?}"))?);
    let options = Options { allow_on_headers_stop_iteration: true, now: NOW.0, ..Options::default() };
    let mut host = Host::start(module, &policy, options).map_err(|error| error.to_string())?;
    let mut differing = Vec::new();
    let (mut judged, mut refused, mut unsaid) = (0, 0, 0);
    for line in String::from_utf8_lossy(&exchanges).lines() {
        let exchange: Exchange = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
        let id = exchange.unique_id();
        let exchange = as_envoy_shows_it(exchange, &id);
        let Some(sent) = one_host(&exchange).then(|| for_host(&exchange).ok()).flatten() else {
            // The test host has text for targets and names, and one host.
            unsaid += 1;
            continue;
        };
        let observed = host.exchange(&sent);
        let native = run_natively(Arc::clone(&plan), &exchange, &id);
        let mut differences = Differences::default();
        let lines = observed.log.iter().map(|line| line.text.clone());
        // What says that a body could not be parsed is compared by the scenarios.
        let lines: Vec<String> = lines.filter(|line| !line.starts_with("portcullis: ")).collect();
        differences.compare("log lines", Some(&native.lines), Some(&lines));
        let status = match &native.outcome {
            Outcome::Interrupted(end) => match end.disruption {
                Disruption::Deny { status } => Some(status),
                _ => None,
            },
            _ => None,
        };
        let answered = match &observed.verdict {
            Verdict::LocalReply { status, .. } => Some(*status),
            _ => None,
        };
        differences.compare("status", Some(&status), Some(&answered));
        check_delivery(&mut differences, &exchange, &observed, true);
        judged += 1;
        refused += usize::from(answered.is_some());
        if let Err(difference) = differences.finish() {
            differing.push(format!("{id}: {difference}"));
        }
    }
    say(&format!(
        "Core Rule Set in the module: {judged} exchanges, {refused} of them refused, {unsaid} that the test host can't \
         send"
    ));
    if judged == 0 {
        return Err("no exchange was judged".to_owned());
    }
    if blocking != (refused > 0) {
        return Err(format!("{refused} exchanges were refused"));
    }
    let shown: Vec<&str> = differing.iter().take(10).map(String::as_str).collect();
    if shown.is_empty() { Ok(()) } else { Err(format!("{} differ:\n{}", differing.len(), shown.join("\n"))) }
}

/// Whether a request names one host.
fn one_host(exchange: &Exchange) -> bool {
    let mut hosts = exchange.request.headers.iter().filter(|(name, _)| name.0 == b"host");
    hosts.next().is_some_and(|(_, host)| !host.0.is_empty()) && hosts.next().is_none()
}

/// The rules as one policy, set up as the tests want it.
fn bundle(portcullis: &Path, rules: &Path, blocking: bool) -> Result<Vec<u8>, String> {
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../integration/ftw/setup.conf");
    let mut command = Command::new(portcullis);
    command.args([
        "bundle",
        "--minify",
        "--enforcement",
        "strict",
        "--name",
        "crs",
        "--output",
        "-",
        "--seclang",
    ]);
    command.arg(setup);
    let switch = std::env::temp_dir().join(format!("portcullis-blocking-{}.conf", std::process::id()));
    if blocking {
        fs::write(&switch, "SecRuleEngine On\n").map_err(|error| error.to_string())?;
        command.arg("--seclang").arg(&switch);
    }
    command.arg("--seclang").arg(rules.join("crs-setup.conf.example"));
    command.arg("--seclang").arg(rules.join("rules/*.conf"));
    let policy = run(&mut command);
    if blocking {
        fs::remove_file(&switch).map_err(|error| error.to_string())?;
    }
    policy
}

fn run(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[expect(clippy::print_stderr, reason = "how much was run is to be seen")]
fn say(text: &str) {
    eprintln!("{text}");
}
