//! Interrogation through the built module: a client that solves gets a cookie, and what is forged, foreign, late
//! or handed in too late is refused. Without a built module the tests count as ignored, and it is said why.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says what it leaves out")]

use std::collections::BTreeMap;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_testhost::{
    Exchange, Host, Module, ModuleFile, Observed, Options, Verdict, portcullis_module,
};
use sha2::{Digest, Sha256};

type Outcome = Result<(), Failed>;
type Test = (&'static str, fn(&Module) -> Outcome);

const TESTS: &[Test] = &[
    ("challenge_and_cookie", challenge_and_cookie),
    ("time_runs_out", time_runs_out),
    ("one_key", one_key),
    ("grpc", grpc),
];

const START: u64 = 1_700_000_000;

fn main() {
    let arguments = Arguments::from_args();
    let trials = match portcullis_module() {
        ModuleFile::Found(path) => {
            let module = Module::from_file(&path).expect("the module compiles");
            let trial = |&(name, test): &Test| {
                let module = module.clone();
                Trial::test(name, move || test(&module))
            };
            TESTS.iter().map(trial).collect()
        }
        ModuleFile::Missing(help) => {
            eprintln!("\n{help}\nall {} tests of challenges are ignored\n", TESTS.len());
            let ignored = |(name, _): &Test| Trial::test(*name, || Ok(())).with_ignored_flag(true);
            TESTS.iter().map(ignored).collect()
        }
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn host(module: &Module, keys: &str, seconds: u64) -> Result<Host, Failed> {
    host_with(module, keys, seconds, BTreeMap::new())
}

/// A VM that finds these shared data.
fn host_with(
    module: &Module,
    keys: &str,
    seconds: u64,
    shared_data: BTreeMap<Vec<u8>, Vec<u8>>,
) -> Result<Host, Failed> {
    let policy = format!(
        r#"{{"risk": {{
            "interrogate": {{"difficulty": 8, "window": 60, "cookie_seconds": 600, "keys": {keys}}},
            "rules": [{{"id": 1, "description": "all", "risk": 5, "state": "Recon", "classification": "BadBot",
                "action": "interrogate",
                "condition": {{"attribute": "uri", "operator": "starts_with", "value": "/"}}}}]}},
          "rule_sets": []}}"#
    );
    let options = Options { now: seconds * 1_000_000_000, shared_data, ..Options::default() };
    Ok(Host::start(module, policy.as_bytes(), options)?)
}

fn browse() -> Exchange {
    Exchange::get("/").header("accept", b"text/html").header("user-agent", b"test")
}

fn token(observed: &Observed) -> Result<String, Failed> {
    let page = String::from_utf8_lossy(&observed.downstream.body).into_owned();
    let (_, rest) = page.split_once("data-token=\"").ok_or(format!("no page: {observed:?}"))?;
    Ok(rest.split_once('"').ok_or("no token")?.0.to_owned())
}

fn solve(token: &str) -> String {
    let number = (0u32..).find(|n| Sha256::digest(format!("{token}:{n}")).first() == Some(&0));
    format!("{token}:{}:words", number.expect("a number"))
}

fn answer(text: &str) -> Exchange {
    Exchange::new("POST", "/").header("user-agent", b"test").header("portcullis-answer", text.as_bytes())
}

fn cookie(observed: &Observed) -> Result<String, Failed> {
    let value = observed.downstream.header("set-cookie").ok_or(format!("no cookie: {observed:?}"))?;
    Ok(value.split_once(';').ok_or("no attributes")?.0.to_owned())
}

fn expect(observed: &Observed, status: u16, what: &str) -> Outcome {
    let local = matches!(observed.verdict, Verdict::LocalReply { .. });
    if observed.downstream.status != Some(status) || local != (status != 200) {
        return Err(format!("{what}: {status} is expected: {observed:?}").into());
    }
    Ok(())
}

fn challenge_and_cookie(module: &Module) -> Outcome {
    let mut host = host(module, "[]", START)?;
    let page = host.exchange(&browse());
    expect(&page, 403, "page")?;
    let solution = solve(&token(&page)?);
    expect(&host.exchange(&answer(&solution.replace(":words", ""))), 401, "malformed answer")?;
    expect(&host.exchange(&answer("x:1:")), 401, "nonsense")?;
    let mut foreign = answer(&solution);
    foreign.client = "198.51.100.77:1234".parse().expect("an address");
    expect(&host.exchange(&foreign), 401, "answer of another client")?;
    let passed = host.exchange(&answer(&solution));
    expect(&passed, 204, "answer")?;
    let cookie = cookie(&passed)?;
    expect(&host.exchange(&browse().header("cookie", cookie.as_bytes())), 200, "cookie")?;
    let mut stolen = browse().header("cookie", cookie.as_bytes());
    stolen.client = foreign.client;
    expect(&host.exchange(&stolen), 403, "cookie of another client")?;
    let mut forged = cookie.into_bytes();
    if let Some(byte) = forged.get_mut(30) {
        *byte = if *byte == b'A' { b'B' } else { b'A' };
    }
    expect(&host.exchange(&browse().header("cookie", &forged)), 403, "forged cookie")?;
    expect(&host.exchange(&Exchange::get("/").header("accept", b"*/*")), 401, "a program")
}

/// With a key in the policy what one host signs the next one checks.
fn time_runs_out(module: &Module) -> Outcome {
    let old = r#"["the old key of thirty-two bytes or more"]"#;
    let both = r#"["the new key of thirty-two bytes or more", "the old key of thirty-two bytes or more"]"#;
    let new = r#"["the new key of thirty-two bytes or more"]"#;
    let solution = solve(&token(&host(module, old, START)?.exchange(&browse()))?);
    expect(&host(module, old, START + 61)?.exchange(&answer(&solution)), 401, "answer after its window")?;
    let passed = host(module, old, START + 60)?.exchange(&answer(&solution));
    expect(&passed, 204, "answer in its window")?;
    let request = browse().header("cookie", cookie(&passed)?.as_bytes());
    expect(&host(module, both, START + 599)?.exchange(&request), 200, "cookie of the old key")?;
    expect(&host(module, new, START + 599)?.exchange(&request), 403, "cookie of a key that is gone")?;
    expect(&host(module, both, START + 600)?.exchange(&request), 403, "cookie after its end")
}

/// Without a key in the policy the first VM makes one, and the others take it; another host makes another.
fn one_key(module: &Module) -> Outcome {
    let mut first = host(module, "[]", START)?;
    let solution = solve(&token(&first.exchange(&browse()))?);
    let shared = first.shared_data();
    if !shared.contains_key(&b"portcullis.interrogation.key"[..]) {
        return Err("there is no key".into());
    }
    let mut second = host_with(module, "[]", START, shared.clone())?;
    let passed = second.exchange(&answer(&solution));
    expect(&passed, 204, "answer to another VM's page")?;
    let request = browse().header("cookie", cookie(&passed)?.as_bytes());
    expect(&first.exchange(&request), 200, "cookie of another VM")?;
    let kept = |host: &Host| host.shared_data().get(&b"portcullis.interrogation.key"[..]).cloned();
    if kept(&second) != kept(&first) {
        return Err("the key has changed".into());
    }
    let empty = [(b"portcullis.interrogation.key".to_vec(), vec![7; 32])].into();
    expect(&host_with(module, "[]", START, empty)?.exchange(&request), 403, "cookie of another host")
}

fn grpc(module: &Module) -> Outcome {
    let call = Exchange::post("/service/Method", "application/grpc", b"").header("accept", b"text/html");
    let observed = host(module, "[]", START)?.exchange(&call);
    match observed.verdict {
        Verdict::LocalReply { grpc_status: Some(16), .. } => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}
