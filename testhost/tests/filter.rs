//! The built filter in the test host: phases, verdicts and answers as a client and an upstream see them.
//! Without a built module every test counts as ignored, and the way to build it is printed.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says what it leaves out")]

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_testhost::{
    Callback, Exchange, Host, Module, ModuleFile, Observed, Options, Verdict, When, portcullis_module,
};

type Outcome = Result<(), Failed>;
type Test = fn(&Module) -> Outcome;

const TESTS: &[(&str, Test)] = &[
    ("refuses_a_bad_policy_with_its_errors", refuses_a_bad_policy),
    ("passes_what_no_rule_matches", passes),
    ("answers_in_phase_1_in_the_form_asked_for", answers_in_phase_1),
    ("decides_phase_2_without_a_body_before_the_upstream", phase_2_without_body),
    ("redirects", redirects),
    ("drops", drops),
    ("holds_a_request_until_its_body_is_judged", holds_requests),
    ("lets_the_head_go_first_when_streaming", streams_requests),
    ("judges_trailers", judges_trailers),
    ("lets_the_rest_of_a_long_body_pass", passes_the_rest),
    ("reads_no_more_of_a_long_body_than_the_limit", reads_little),
    ("refuses_responses_by_their_heads", refuses_response_heads),
    ("replaces_a_response_whose_body_is_refused", replaces_responses),
    ("cuts_off_a_response_whose_body_is_refused_when_streaming", cuts_off_responses),
    ("does_not_judge_its_own_answers", own_answers),
    ("does_not_hold_event_streams", event_streams),
    ("does_not_hold_grpc", grpc),
    ("answers_grpc_clients_in_grpc", grpc_answers),
    ("opens_tunnels", tunnels),
    ("keeps_tunnels_shut_that_the_upstream_refuses", refused_tunnels),
    ("inspects_bodies_that_come_with_an_upgrade", upgrade_with_body),
    ("judges_what_there_is_when_the_upstream_answers_early", early_answers),
    ("hangs_with_strict_enforcement_and_without_the_flag", strict_without_flag),
    ("stops_watching_once_a_body_has_come", strict_with_flag),
    ("refuses_more_than_one_host", repeated_host),
    ("hands_addresses_protocol_and_host_to_the_rules", facts),
    ("takes_only_usable_request_ids", request_ids),
    ("survives_heads_that_are_no_text", odd_heads),
    ("logs_and_counts", logs_and_counts),
    ("costs_the_same_each_time", repeatable),
];

fn main() {
    let arguments = Arguments::from_args();
    let module = match portcullis_module() {
        ModuleFile::Found(path) => Some(Arc::new(Module::from_file(&path).expect("the module compiles"))),
        ModuleFile::Missing(help) => {
            eprintln!("\n{help}\nall {} tests are ignored\n", TESTS.len());
            None
        }
    };
    let trials = TESTS
        .iter()
        .map(|&(name, test)| match module.clone() {
            Some(module) => Trial::test(name, move || test(&module)),
            None => Trial::test(name, || Ok(())).with_ignored_flag(true),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// A rule set that inspects both bodies, with small limits.
const RULES: &str = r#"
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/event-stream application/grpc application/json
SecRequestBodyLimit 200000
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyLimit 300000
SecResponseBodyLimitAction ProcessPartial
SecRule REQUEST_HEADERS:x-test "@streq deny1" "id:1,phase:1,deny,status:403,severity:CRITICAL,msg:'one'"
SecRule REQUEST_HEADERS:x-test "@streq deny2" "id:2,phase:2,deny,status:429"
SecRule REQUEST_HEADERS:x-test "@streq redirect" "id:3,phase:1,redirect:https://example.com/gone,status:307"
SecRule REQUEST_HEADERS:x-test "@streq drop" "id:4,phase:1,drop"
SecRule REQUEST_HEADERS:x-test "@streq log" "id:5,phase:1,pass,log,severity:NOTICE,msg:'seen'"
SecRule REQUEST_HEADERS:x-test "@streq 204" "id:6,phase:1,deny,status:204"
SecRule ARGS "@contains EVIL" "id:10,phase:2,deny,status:403"
SecRule REQUEST_HEADERS:x-trailer "@streq EVIL" "id:11,phase:2,deny,status:403"
SecRule RESPONSE_HEADERS:x-secret "@rx ." "id:20,phase:3,deny,status:502"
SecRule RESPONSE_STATUS "@streq 403" "id:21,phase:3,pass,log,msg:'own answer judged'"
SecRule RESPONSE_BODY "@contains LEAK" "id:30,phase:4,deny,status:403"
SecRule REQUEST_HEADERS:x-test "@streq drop4" "id:31,phase:4,drop"
SecRule REQUEST_HEADERS:x-test "@streq last" "id:40,phase:5,pass,log,msg:'the end'"
SecAction "id:41,phase:5,pass,nolog,setvar:tx.seen=1"
"#;

fn policy(enforcement: &str, rules: &str) -> Vec<u8> {
    let escaped: String = rules
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            _ => c.to_string(),
        })
        .collect();
    format!(r#"{{"enforcement":"{enforcement}","rule_sets":[{{"name":"tests","seclang":"{escaped}"}}]}}"#)
        .into_bytes()
}

fn host(module: &Module, enforcement: &str, rules: &str) -> Result<Host, Failed> {
    let options = Options { allow_on_headers_stop_iteration: enforcement == "strict", ..Options::default() };
    Ok(Host::start(module, &policy(enforcement, rules), options)?)
}

fn run(module: &Module, enforcement: &str, exchange: &Exchange) -> Result<Observed, Failed> {
    let observed = host(module, enforcement, RULES)?.exchange(exchange);
    if let Verdict::Trapped { reason, .. } = &observed.verdict {
        return Err(reason.into());
    }
    Ok(observed)
}

fn strict(module: &Module, exchange: &Exchange) -> Result<Observed, Failed> {
    run(module, "strict", exchange)
}

fn streaming(module: &Module, exchange: &Exchange) -> Result<Observed, Failed> {
    run(module, "streaming", exchange)
}

/// A check that says what was observed.
fn ensure(condition: bool, observed: &Observed) -> Outcome {
    if condition { Ok(()) } else { Err(format!("{observed:#?}").into()) }
}

fn ensure_eq(found: u32, expected: u32) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{expected} expected, found {found}").into()) }
}

/// Whether the module answered, with this status and during this callback.
fn answered(observed: &Observed, expected: u16, when: Callback) -> bool {
    matches!(&observed.verdict, Verdict::LocalReply { status, during, .. }
        if *status == expected && *during == when)
        && observed.downstream.complete
}

fn with_test_header(value: &str) -> Exchange {
    Exchange::get("/").header("x-test", value.as_bytes())
}

const FORM: &str = "application/x-www-form-urlencoded";

fn refuses_a_bad_policy(module: &Module) -> Outcome {
    for (text, expected) in [
        (&b"{\"rule_sets\": [{\"name\": \"a\", \"rules\": [{}]}]}"[..], "missing field"),
        (b"not json", "error[E01"),
        (b"\xff\xfe", "error[E01"),
    ] {
        let Err(error) = Host::start(module, text, Options::default()) else {
            return Err(format!("accepted {text:?}").into());
        };
        let _ = expected;
        if !error.log.iter().any(|line| line.level >= 4 && line.text.starts_with("error[E")) {
            return Err(format!("{error:#?}").into());
        }
    }
    Ok(())
}

fn passes(module: &Module) -> Outcome {
    for enforcement in ["strict", "streaming"] {
        let exchange = Exchange::post("/a?b=c", FORM, b"x=1&y=2").answered_by(200, &[b"one ", b"two"]);
        let observed = run(module, enforcement, &exchange)?;
        ensure(observed.verdict == Verdict::Continued, &observed)?;
        ensure(observed.upstream.complete && observed.upstream.body == b"x=1&y=2", &observed)?;
        ensure(observed.downstream.complete && observed.downstream.body == b"one two", &observed)?;
        ensure(observed.status() == Some(200), &observed)?;
        ensure(observed.metrics.get("portcullis.requests.pass") == Some(&1), &observed)?;
        ensure(!observed.metrics.keys().any(|name| name.contains("host_errors")), &observed)?;
        ensure(observed.log.is_empty(), &observed)?;
    }
    Ok(())
}

fn answers_in_phase_1(module: &Module) -> Outcome {
    for (accept, content_type, text) in [
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8", "<h1>Your request was not let through</h1>"),
        ("application/json", "application/problem+json", "\"status\":403"),
        ("*/*", "text/plain; charset=utf-8", "403 Forbidden"),
    ] {
        let exchange = with_test_header("deny1")
            .header("accept", accept.as_bytes())
            .header("x-request-id", b"my-id")
            .body(&[b"never read"]);
        let observed = strict(module, &exchange)?;
        ensure(answered(&observed, 403, Callback::RequestHeaders), &observed)?;
        ensure(observed.upstream.headers.is_none(), &observed)?;
        ensure(observed.downstream.header("content-type").as_deref() == Some(content_type), &observed)?;
        ensure(observed.downstream.header("cache-control").as_deref() == Some("no-store"), &observed)?;
        ensure(observed.downstream.header("x-request-id").as_deref() == Some("my-id"), &observed)?;
        let body = String::from_utf8_lossy(&observed.downstream.body).into_owned();
        ensure(body.contains(text) && body.contains("my-id"), &observed)?;
        ensure(observed.metrics.get("portcullis.requests.deny.phase_1") == Some(&1), &observed)?;
    }
    let observed = strict(module, &with_test_header("204"))?;
    ensure(answered(&observed, 204, Callback::RequestHeaders), &observed)?;
    ensure(observed.downstream.body.is_empty(), &observed)
}

fn phase_2_without_body(module: &Module) -> Outcome {
    for enforcement in ["strict", "streaming"] {
        let observed = run(module, enforcement, &with_test_header("deny2"))?;
        ensure(answered(&observed, 429, Callback::RequestHeaders), &observed)?;
        ensure(observed.upstream.headers.is_none(), &observed)?;
        let observed = run(module, enforcement, &Exchange::get("/?a=EVIL"))?;
        ensure(answered(&observed, 403, Callback::RequestHeaders), &observed)?;
        ensure(observed.upstream.headers.is_none(), &observed)?;
    }
    Ok(())
}

fn redirects(module: &Module) -> Outcome {
    let observed = strict(module, &with_test_header("redirect"))?;
    ensure(answered(&observed, 307, Callback::RequestHeaders), &observed)?;
    let location = observed.downstream.header("location");
    ensure(location.as_deref() == Some("https://example.com/gone"), &observed)?;
    ensure(observed.metrics.get("portcullis.requests.redirect.phase_1") == Some(&1), &observed)
}

fn drops(module: &Module) -> Outcome {
    let observed = strict(module, &with_test_header("drop"))?;
    ensure(observed.verdict == Verdict::Closed { during: Callback::RequestHeaders }, &observed)?;
    ensure(observed.status().is_none() && observed.upstream.headers.is_none(), &observed)?;
    ensure(observed.metrics.get("portcullis.requests.drop.phase_1") == Some(&1), &observed)?;
    let observed = strict(module, &with_test_header("drop4"))?;
    ensure(observed.verdict == Verdict::Closed { during: Callback::ResponseBody }, &observed)?;
    ensure(observed.status().is_none(), &observed)
}

/// A form in many pieces.
fn form(pieces: &[&[u8]]) -> Exchange {
    Exchange::new("POST", "/").header("content-type", FORM.as_bytes()).body(pieces)
}

fn holds_requests(module: &Module) -> Outcome {
    let observed = strict(module, &form(&[b"a=1&", b"b=EV", b"IL", b""]))?;
    ensure(answered(&observed, 403, Callback::RequestBody), &observed)?;
    ensure(observed.upstream.headers.is_none(), &observed)?;
    let observed = strict(module, &form(&[b"a=1&", b"b=EV", b"IC"]))?;
    ensure(observed.verdict == Verdict::Continued, &observed)?;
    ensure(observed.upstream.body == b"a=1&b=EVIC", &observed)
}

fn streams_requests(module: &Module) -> Outcome {
    let observed = streaming(module, &form(&[b"a=1&", b"b=EV", b"IL"]))?;
    ensure(answered(&observed, 403, Callback::RequestBody), &observed)?;
    ensure(observed.upstream.headers.is_some(), &observed)?;
    ensure(observed.upstream.body.is_empty() && !observed.upstream.complete, &observed)
}

fn judges_trailers(module: &Module) -> Outcome {
    for pieces in [&[&b"a=1"[..]][..], &[]] {
        for (value, refused) in [("EVIL", true), ("fine", false)] {
            let mut exchange = form(pieces);
            exchange.request.trailers = vec![("x-trailer".to_owned(), value.as_bytes().to_vec())];
            let observed = strict(module, &exchange)?;
            if refused {
                ensure(answered(&observed, 403, Callback::RequestTrailers), &observed)?;
                ensure(observed.upstream.headers.is_none(), &observed)?;
            } else {
                ensure(observed.verdict == Verdict::Continued, &observed)?;
                ensure(observed.upstream.trailers.len() == 1, &observed)?;
            }
        }
    }
    Ok(())
}

fn passes_the_rest(module: &Module) -> Outcome {
    let filler = vec![b'x'; 150_000];
    for enforcement in ["strict", "streaming"] {
        // What matches stands behind the limit of 200,000 bytes.
        let exchange = form(&[b"a=", &filler, &filler, b"&b=EVIL", &filler]);
        let observed = run(module, enforcement, &exchange)?;
        ensure(observed.verdict == Verdict::Continued, &observed)?;
        ensure(observed.upstream.body.len() == 450_009 && observed.upstream.complete, &observed)?;
        ensure(observed.metrics.get("portcullis.limit.request_body") == Some(&1), &observed)?;
        // Before the limit it is found.
        let observed = run(module, enforcement, &form(&[b"b=EVIL&a=", &filler, &filler]))?;
        ensure(answered(&observed, 403, Callback::RequestBody), &observed)?;
        let exchange = Exchange::get("/").answered_by(200, &[&filler, &filler, b"LEAK", &filler]);
        let observed = run(module, enforcement, &exchange)?;
        ensure(observed.verdict == Verdict::Continued, &observed)?;
        ensure(observed.downstream.body.len() == 450_004 && observed.downstream.complete, &observed)?;
        ensure(observed.metrics.get("portcullis.limit.response_body") == Some(&1), &observed)?;
    }
    Ok(())
}

fn reads_little(module: &Module) -> Outcome {
    // A body in one piece just over the limit costs about as much as a piece of 900 KB.
    let cost = |size: usize| -> Result<u64, Failed> {
        let body = vec![b'x'; size];
        let observed = strict(module, &form(&[&body]))?;
        ensure(observed.verdict == Verdict::Continued, &observed)?;
        Ok(observed.fuel)
    };
    let (short, long) = (cost(210_000)?, cost(900_000)?);
    if long < short + short / 2 { Ok(()) } else { Err(format!("{short} and {long}").into()) }
}

fn refuses_response_heads(module: &Module) -> Outcome {
    for enforcement in ["strict", "streaming"] {
        let mut exchange = Exchange::get("/");
        exchange.response.headers.push(("x-secret".to_owned(), b"1".to_vec()));
        let observed = run(module, enforcement, &exchange)?;
        ensure(answered(&observed, 502, Callback::ResponseHeaders), &observed)?;
        ensure(observed.downstream.header("x-secret").is_none(), &observed)?;
        ensure(observed.metrics.get("portcullis.requests.deny.phase_3") == Some(&1), &observed)?;
    }
    Ok(())
}

fn leak() -> Exchange {
    Exchange::get("/").answered_by(200, &[b"harmless ", b"LE", b"AK ", b"more"])
}

fn replaces_responses(module: &Module) -> Outcome {
    let observed = strict(module, &leak())?;
    ensure(answered(&observed, 403, Callback::ResponseBody), &observed)?;
    ensure(observed.status() == Some(403), &observed)?;
    ensure(!String::from_utf8_lossy(&observed.downstream.body).contains("harmless"), &observed)?;
    ensure(observed.metrics.get("portcullis.requests.deny.phase_4") == Some(&1), &observed)
}

fn cuts_off_responses(module: &Module) -> Outcome {
    let observed = streaming(module, &leak())?;
    ensure(observed.verdict == Verdict::Closed { during: Callback::ResponseBody }, &observed)?;
    ensure(observed.status() == Some(200), &observed)?;
    ensure(observed.downstream.body.is_empty() && !observed.downstream.complete, &observed)
}

fn own_answers(module: &Module) -> Outcome {
    for exchange in [with_test_header("deny1"), form(&[b"a=EVIL"]), leak()] {
        let observed = strict(module, &exchange)?;
        ensure(observed.status() == Some(403), &observed)?;
        ensure(!observed.logged("own answer judged"), &observed)?;
    }
    // An upstream's 403 is judged.
    let observed = strict(module, &Exchange::get("/").answered_by(403, &[b"no"]))?;
    ensure(observed.logged("own answer judged"), &observed)
}

fn event_streams(module: &Module) -> Outcome {
    let mut exchange = leak();
    exchange.response.headers = vec![("content-type".to_owned(), b"text/event-stream".to_vec())];
    let observed = strict(module, &exchange)?;
    ensure(observed.verdict == Verdict::Continued, &observed)?;
    ensure(observed.callbacks.iter().all(|(_, paused)| !paused), &observed)?;
    ensure(observed.metrics.get("portcullis.uninspected.response_stream") == Some(&1), &observed)
}

fn grpc(module: &Module) -> Outcome {
    let mut exchange = Exchange::new("POST", "/pkg.Service/Call")
        .header("content-type", b"application/grpc")
        .body(&[b"a=EVIL", b"more"]);
    exchange.request.protocol = "HTTP/2".to_owned();
    exchange.response.headers = vec![("content-type".to_owned(), b"application/grpc".to_vec())];
    exchange.response.trailers = vec![("grpc-status".to_owned(), b"0".to_vec())];
    let observed = strict(module, &exchange)?;
    ensure(observed.verdict == Verdict::Continued, &observed)?;
    ensure(observed.callbacks.iter().all(|(_, paused)| !paused), &observed)?;
    ensure(observed.metrics.get("portcullis.uninspected.grpc") == Some(&1), &observed)
}

fn grpc_answers(module: &Module) -> Outcome {
    for (test, status) in [("deny1", "7"), ("deny2", "8"), ("redirect", "7"), ("drop", "10")] {
        let mut exchange = with_test_header(test).header("content-type", b"application/grpc+proto");
        exchange.request.protocol = "HTTP/2".to_owned();
        let observed = strict(module, &exchange)?;
        ensure(observed.status() == Some(200), &observed)?;
        ensure(observed.downstream.header("grpc-status").as_deref() == Some(status), &observed)?;
        ensure(observed.downstream.body.is_empty() && observed.downstream.complete, &observed)?;
    }
    Ok(())
}

fn tunnel(method: &str, status: u16) -> Exchange {
    let mut exchange =
        Exchange::new(method, "/chat").body(&[b"early EVIL", b"later"]).answered_by(status, &[b"LEAK"]);
    exchange.response.when = When::Tunnel;
    if method == "CONNECT" {
        exchange.request.target = String::new();
        exchange
    } else {
        exchange.header("connection", b"Upgrade").header("upgrade", b"websocket")
    }
}

fn tunnels(module: &Module) -> Outcome {
    for enforcement in ["strict", "streaming"] {
        for (method, status) in [("GET", 101), ("CONNECT", 200)] {
            let observed = run(module, enforcement, &tunnel(method, status))?;
            ensure(observed.verdict == Verdict::Continued, &observed)?;
            ensure(observed.upstream.body == b"early EVILlater", &observed)?;
            ensure(observed.downstream.body == b"LEAK", &observed)?;
            // The first bytes were held until the upstream agreed.
            ensure(observed.callbacks.get(1) == Some(&(Callback::RequestBody, true)), &observed)?;
            ensure(observed.metrics.get("portcullis.uninspected.tunnel") == Some(&1), &observed)?;
        }
        let observed = run(module, enforcement, &tunnel("GET", 101).header("content-length", b"0"))?;
        ensure(observed.upstream.body == b"early EVILlater", &observed)?;
        ensure(observed.metrics.get("portcullis.uninspected.tunnel") == Some(&1), &observed)?;
    }
    Ok(())
}

fn refused_tunnels(module: &Module) -> Outcome {
    for (method, status) in [("GET", 200), ("GET", 404), ("CONNECT", 403)] {
        let observed = streaming(module, &tunnel(method, status))?;
        ensure(observed.upstream.headers.is_some() && observed.upstream.body.is_empty(), &observed)?;
    }
    // What comes back on a refused tunnel is an ordinary response.
    let mut exchange = tunnel("GET", 200);
    exchange.request.body.clear();
    let observed = strict(module, &exchange)?;
    ensure(answered(&observed, 403, Callback::ResponseBody), &observed)
}

fn upgrade_with_body(module: &Module) -> Outcome {
    let exchange = form(&[b"a=EVIL"])
        .header("content-length", b"6")
        .header("connection", b"upgrade")
        .header("upgrade", b"websocket");
    let observed = strict(module, &exchange)?;
    ensure(answered(&observed, 403, Callback::RequestBody), &observed)
}

fn early_answers(module: &Module) -> Outcome {
    let mut exchange = form(&[b"a=fine&", b"b=EVIL"]);
    exchange.response.when = When::Early;
    let observed = streaming(module, &exchange)?;
    ensure(observed.verdict == Verdict::Continued && observed.status() == Some(200), &observed)?;
    ensure(observed.upstream.body.is_empty(), &observed)?;
    let mut exchange = form(&[b"a=EVIL&", b"b=fine"]);
    exchange.response.when = When::Early;
    let observed = streaming(module, &exchange)?;
    ensure(answered(&observed, 403, Callback::ResponseHeaders), &observed)?;
    ensure(observed.upstream.body.is_empty(), &observed)
}

fn strict_without_flag(module: &Module) -> Outcome {
    let mut host = Host::start(module, &policy("strict", RULES), Options::default())?;
    for first in [true, false] {
        let observed = host.exchange(&form(&[b"a=1"]));
        ensure(observed.verdict == Verdict::Stuck { during: Callback::RequestHeaders }, &observed)?;
        // It is logged once, with what to set, and counted each time.
        ensure(observed.logged("`allow_on_headers_stop_iteration: true`") == first, &observed)?;
        ensure(observed.metrics.get("portcullis.held.unshown_body") == Some(&1), &observed)?;
    }
    let observed = host.exchange(&Exchange::get("/"));
    ensure(observed.verdict == Verdict::Stuck { during: Callback::ResponseHeaders }, &observed)?;
    ensure(observed.metrics.get("portcullis.held.unshown_body") == Some(&1), &observed)?;
    let observed = host.exchange(&Exchange::get("/").answered_by(200, &[]));
    ensure(observed.verdict == Verdict::Continued, &observed)
}

fn strict_with_flag(module: &Module) -> Outcome {
    let mut host = host(module, "strict", RULES)?;
    ensure_eq(host.tick_period(), 1_000)?;
    let observed = host.exchange(&form(&[b"a=1"]));
    ensure(observed.verdict == Verdict::Continued, &observed)?;
    host.tick()?;
    ensure_eq(host.tick_period(), 0)?;
    let streaming = Host::start(module, &policy("streaming", RULES), Options::default())?;
    ensure_eq(streaming.tick_period(), 0)
}

fn repeated_host(module: &Module) -> Outcome {
    let mut merged = Exchange::get("/");
    merged.request.authority = "a.example,a.example".to_owned();
    let beside = Exchange::get("/").header("host", b"b.example");
    for exchange in [merged, beside] {
        let observed = strict(module, &exchange)?;
        ensure(answered(&observed, 400, Callback::RequestHeaders), &observed)?;
        ensure(observed.upstream.headers.is_none(), &observed)?;
        ensure(observed.metrics.get("portcullis.repeated_host") == Some(&1), &observed)?;
        let told = matches!(&observed.verdict, Verdict::LocalReply { details, .. }
            if details == "portcullis_deny[repeated_host]");
        ensure(told, &observed)?;
    }
    Ok(())
}

fn facts(module: &Module) -> Outcome {
    let rules = r#"
SecRule REMOTE_ADDR "@streq 2001:db8::7" "id:1,phase:1,deny,status:401,chain"
SecRule REMOTE_PORT "@streq 1234" "chain"
SecRule SERVER_ADDR "@streq 203.0.113.9" "chain"
SecRule SERVER_PORT "@streq 8443" "chain"
SecRule REQUEST_PROTOCOL "@streq HTTP/2" "chain"
SecRule REQUEST_METHOD "@streq PUT" "chain"
SecRule REQUEST_URI "@streq /x?y=z" "chain"
SecRule REQUEST_HEADERS:Host "@streq www.example.com" "chain"
SecRule UNIQUE_ID "@streq the-id" "t:none"
"#;
    let mut exchange = Exchange::new("PUT", "/x?y=z").header("x-request-id", b"the-id");
    exchange.client = "[2001:db8::7]:1234".parse()?;
    exchange.server = "203.0.113.9:8443".parse()?;
    exchange.request.protocol = "HTTP/2".to_owned();
    let observed = host(module, "strict", rules)?.exchange(&exchange);
    ensure(answered(&observed, 401, Callback::RequestHeaders), &observed)?;
    exchange.server = "203.0.113.9:8444".parse()?;
    let observed = host(module, "strict", rules)?.exchange(&exchange);
    ensure(observed.verdict == Verdict::Continued, &observed)
}

fn request_ids(module: &Module) -> Outcome {
    let long = [b'x'; 300];
    for id in [&b"a b"[..], b"<\xff>", &long, b""] {
        let observed = strict(module, &with_test_header("deny1").header("x-request-id", id))?;
        ensure(answered(&observed, 403, Callback::RequestHeaders), &observed)?;
        // The host's own id is what the header says here, so one is made.
        let shown = observed.downstream.header("x-request-id").unwrap_or_default();
        ensure(shown.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'), &observed)?;
        ensure((16..64).contains(&shown.len()), &observed)?;
    }
    Ok(())
}

fn odd_heads(module: &Module) -> Outcome {
    let mut exchange = with_test_header("log")
        .header("x-bytes", b"\xff\xfe\x80")
        .header("accept", b"\xff;q=\xff,,;")
        .header("content-type", b"\xff")
        .header("cookie", &[b'='; 5000])
        .body(&[b"\xff\xfe"]);
    exchange.request.method = String::new();
    exchange.request.target = "/\u{fffd}?%".to_owned();
    exchange.response.status = 999;
    exchange.properties = vec![
        ("source\0address".to_owned(), b"\xff:\xff".to_vec()),
        ("destination\0address".to_owned(), b"[]:99999".to_vec()),
        ("request\0protocol".to_owned(), b"\xff".to_vec()),
    ];
    let observed = strict(module, &exchange)?;
    ensure(observed.verdict == Verdict::Continued, &observed)?;
    let mut bare = Exchange::new("", "");
    bare.request.authority = String::new();
    let observed = strict(module, &bare)?;
    ensure(observed.verdict == Verdict::Continued, &observed)
}

fn logs_and_counts(module: &Module) -> Outcome {
    let mut host = host(module, "strict", RULES)?;
    let observed = host.exchange(&with_test_header("deny1"));
    ensure(observed.log.len() == 1 && observed.log.iter().all(|line| line.level == 4), &observed)?;
    ensure(observed.logged("one"), &observed)?;
    ensure(observed.metrics.get("portcullis.rule_matches") >= Some(&1), &observed)?;
    let observed = host.exchange(&with_test_header("log"));
    ensure(observed.log.iter().any(|line| line.level == 3 && line.text.contains("seen")), &observed)?;
    let observed = host.exchange(&with_test_header("last"));
    ensure(observed.logged("the end"), &observed)?;
    ensure(!observed.log.iter().any(|line| line.text.contains('\n')), &observed)?;
    let total = host.metrics();
    let pass = total.get("portcullis.requests.pass").copied();
    if pass == Some(2) { Ok(()) } else { Err(format!("{total:#?}").into()) }
}

fn repeatable(module: &Module) -> Outcome {
    let mut host = host(module, "strict", RULES)?;
    let exchange = Exchange::post("/a?b=c", FORM, b"x=1&y=2");
    // The first exchanges build what is built on first need.
    for _ in 0..3 {
        host.exchange(&exchange);
    }
    let memory = host.memory_bytes();
    let fuel: Vec<u64> = (0..200).map(|_| host.exchange(&exchange).fuel).collect();
    let (low, high) = (fuel.iter().min().copied(), fuel.iter().max().copied());
    // The allocator's state differs a little from one exchange to the next.
    if high > low.map(|low| low + low / 20) {
        return Err(format!("{low:?} to {high:?}").into());
    }
    if host.memory_bytes() == memory { Ok(()) } else { Err("the memory grows".into()) }
}
