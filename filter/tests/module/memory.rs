//! Memory in the module: exchanges for which there is none get what the policy says, and the end of the virtual machine's
//! memory traps nothing.

use libtest_mimic::Trial;
use portcullis_testhost::{Exchange, Host, Module, Observed, Options, Verdict};
use serde_json::{Value, json};

const MEBIBYTE: usize = 1024 * 1024;

type Test = fn(&Module) -> Result<(), String>;

pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let tests: [(&str, Test); 5] = [
        ("a body that does not fit is refused, and counted", refused),
        ("or passes, with rules that only log or without them", passes),
        ("what is only detected is not refused", detected),
        ("the end of the memory traps nothing", at_the_end),
        ("texts that rules make are bounded", made_texts),
    ];
    let trial = |(name, test): (&str, Test)| {
        let module = module.clone();
        Trial::test(format!("module/memory/{name}"), move || test(&module).map_err(Into::into))
    };
    tests.map(trial).into()
}

fn policy(memory: &Value, set: &Value) -> Value {
    let mut set = set.clone();
    set["name"] = "a".into();
    set["request_body_limit"] = 0.into();
    set["rules"] = json!([
        { "rule_id": 1, "phase": 1, "resolution": "pass", "matches": [{ "variables": "REQUEST_URI", "operator": "strContains", "operating": "/log" }] },
        { "rule_id": 2, "phase": 2, "resolution": "deny", "matches": [{ "variables": "REQUEST_URI|ARGS", "transformations": ["lowercase"], "operator": "strContains", "operating": "evil" }] }
    ]);
    json!({ "enforcement": "strict", "memory": memory, "rule_sets": [set] })
}

fn start(module: &Module, policy: &Value, memory_limit: usize) -> Result<Host, String> {
    let options = Options {
        allow_on_headers_stop_iteration: true,
        buffer_limit: 256 * MEBIBYTE,
        memory_limit,
        ..Options::default()
    };
    Host::start(module, policy.to_string().as_bytes(), options).map_err(|error| error.to_string())
}

fn post(target: &str, content_type: &str, body: &[u8]) -> Exchange {
    let mut exchange = Exchange::new("POST", target);
    exchange.request.headers.push(("content-type".to_owned(), content_type.as_bytes().to_vec()));
    exchange.request.headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
    exchange.request.body = body.chunks(256 * 1024).map(<[u8]>::to_vec).collect();
    exchange
}

fn form(target: &str, length: usize) -> Exchange {
    let mut body = b"a=".to_vec();
    body.resize(length, b'x');
    post(target, "application/x-www-form-urlencoded", &body)
}

fn expect(what: &str, holds: bool, observed: &Observed) -> Result<(), String> {
    let lines: Vec<&str> = observed.log.iter().map(|line| line.text.as_str()).collect();
    let seen = || format!("{what}: {:?}, {:?}\n{}", observed.verdict, observed.metrics, lines.join("\n"));
    holds.then_some(()).ok_or_else(seen)
}

fn is_503(observed: &Observed) -> bool {
    matches!(&observed.verdict, Verdict::LocalReply { status: 503, .. })
        && observed.downstream.header("retry-after").is_some()
        && observed.upstream.headers.is_none()
}

fn count(observed: &Observed) -> i64 {
    observed.metrics.get("portcullis.limit.memory").copied().unwrap_or(0)
}

fn refused(module: &Module) -> Result<(), String> {
    let mut host = start(module, &policy(&json!({ "worker_mebibytes": 32 }), &json!({})), usize::MAX)?;
    let small = host.exchange(&form("/", MEBIBYTE));
    expect("what fits passes", small.verdict == Verdict::Continued && count(&small) == 0, &small)?;
    let large = host.exchange(&form("/", 8 * MEBIBYTE));
    expect("what does not fit is refused", is_503(&large) && count(&large) == 1, &large)?;
    let lines = large.log.iter().filter(|line| line.text.contains("[limit \"limit.memory\"]")).count();
    expect("one line says so", lines == 1, &large)?;
    let evil = host.exchange(&Exchange::new("GET", "/?q=EVIL"));
    let denied = matches!(evil.verdict, Verdict::LocalReply { status: 403, .. });
    expect("rules go on", denied, &evil)
}

fn passes(module: &Module) -> Result<(), String> {
    for (action, logs) in [("detect", true), ("pass", false)] {
        let memory = json!({ "worker_mebibytes": 32, "on_overload": action });
        let mut host = start(module, &policy(&memory, &json!({})), usize::MAX)?;
        let large = host.exchange(&form("/evil", 8 * MEBIBYTE));
        expect(action, large.verdict == Verdict::Continued && count(&large) == 1, &large)?;
        let logged = large.log.iter().any(|line| line.text.contains("[id \"2\"]"));
        expect(action, logged == logs, &large)?;
    }
    Ok(())
}

fn detected(module: &Module) -> Result<(), String> {
    let memory = json!({ "worker_mebibytes": 32 });
    let mut host = start(module, &policy(&memory, &json!({ "only_logging": true })), usize::MAX)?;
    let large = host.exchange(&form("/", 8 * MEBIBYTE));
    expect("it passes", large.verdict == Verdict::Continued && count(&large) == 1, &large)
}

/// The virtual machine ends long before the budget does.
fn at_the_end(module: &Module) -> Result<(), String> {
    let mut host = start(module, &policy(&json!({ "worker_mebibytes": 3072 }), &json!({})), 48 * MEBIBYTE)?;
    let first = host.exchange(&form("/", 64 * 1024));
    expect("an ordinary form passes", first.verdict == Verdict::Continued, &first)?;
    let array = |length: usize| format!("[{}0]", "1,".repeat(length / 2)).into_bytes();
    let names = |count: u32| {
        let pairs: Vec<String> = (0..count).map(|number| format!("Key{number}=Value{number}")).collect();
        pairs.join("&").into_bytes()
    };
    let large = [
        ("a form of one value", form("/", 40 * MEBIBYTE)),
        ("a form of many", post("/", "application/x-www-form-urlencoded", &names(400_000))),
        ("a form of nothing", post("/", "application/x-www-form-urlencoded", &b"a&".repeat(3 * MEBIBYTE))),
        ("numbers", post("/", "application/json", &array(4 * MEBIBYTE))),
        ("texts", post("/", "text/plain", &vec![b'x'; 30 * MEBIBYTE])),
    ];
    for (name, exchange) in large {
        for _ in 0..3 {
            let observed = host.exchange(&exchange);
            expect(name, is_503(&observed) || observed.verdict == Verdict::Continued, &observed)?;
            let ordinary = host.exchange(&Exchange::new("GET", "/"));
            expect(name, ordinary.verdict == Verdict::Continued, &ordinary)?;
        }
    }
    let refused = host.metric("portcullis.limit.memory").unwrap_or(0);
    (refused > 0).then_some(()).ok_or_else(|| "nothing was refused".to_owned())
}

fn made_texts(module: &Module) -> Result<(), String> {
    let seclang = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,nolog,setvar:'tx.acc=%{tx.acc},%{MATCHED_VAR}'\"\n\
                   SecRule TX:acc \"@rx a\" \"id:2,phase:2,pass,log,msg:'long %{tx.acc}'\"";
    let policy = json!({ "rule_sets": [{ "name": "a", "request_body_limit": 0, "seclang": seclang }] });
    let mut host = start(module, &policy, usize::MAX)?;
    let pairs: Vec<String> = (0..1_000).map(|number| format!("k{number}={}", "a".repeat(700))).collect();
    let body = pairs.join("&").into_bytes();
    let observed = host.exchange(&post("/", "application/x-www-form-urlencoded", &body));
    let counted = observed.metrics.get("portcullis.limit.made_texts").copied();
    expect("it is counted", observed.verdict == Verdict::Continued && counted == Some(1), &observed)?;
    // About 20 MB for the module and its copies of the texts, not 350.
    let memory = host.memory_bytes();
    expect("its memory is bounded", memory < 64 * MEBIBYTE, &observed)
}
