//! Scenarios through the module, each case with strict and with streaming enforcement, its bodies in pieces.
//!
//! # What can be seen from outside
//! - The action and its phase: from the counter that went up. The status and location: from the answer. The
//!   rule: from what the access log is told with an answer.
//! - Rules that log: their lines, all of them and word for word, against those of the native engine on the same
//!   exchange; so the ids in `logged`, and those in `matched` whose rules log.
//! - That a request refused in time did not reach the upstream, and that what passes is whole.
//!
//! # What can't
//! - `matched` of rules that don't log, and `tx`.
//! - The rule of a drop or an `allow`, unless it logs: neither gives an answer that could name it.
//! - The status of a refusal in phase 4 with streaming enforcement: the response has begun, and is cut off.
//!
//! # What differs from the native run
//! As in Envoy the connection has two ends, there is a request id, field names are in lower case with `host`
//! first, a body of unknown length is chunked, and every request is answered: a case without a response gets an
//! empty one. The comparison runs on exactly that exchange, audit record included.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use libtest_mimic::Trial;
use portcullis_rules::diagnostic::Code;
use portcullis_rules::eval::{Gap, Outcome, Transaction};
use portcullis_rules::exchange::{Base64, Bytes, Endpoint, Exchange, Response};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use portcullis_testhost as testhost;
use portcullis_testhost::{Callback, Host, Module, Observed, Options, Verdict};
use serde_json::Value;

use crate::scenarios::{self, Case, Differences, Found, NOW, REFUSALS, Scenario};

/// Two tests for each case.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let without = scenarios::load().into_iter().filter(|scenario| !scenario.lua);
    without.flat_map(|scenario| scenario_trials(module, scenario)).collect()
}

/// The same for the scenarios with scripts, in the module that has Lua in it.
pub(crate) fn lua_trials(module: &Module) -> Vec<Trial> {
    let with = scenarios::load().into_iter().filter(|scenario| scenario.lua);
    with.flat_map(|scenario| scenario_trials(module, scenario)).collect()
}

/// That the module without Lua refuses the policies of scenarios with scripts, and says what to use.
pub(crate) fn refusals(module: &Module) -> Vec<Trial> {
    let with = scenarios::load().into_iter().filter(|scenario| scenario.lua);
    let trials = with.map(|Scenario { name, policy, .. }| {
        let module = module.clone();
        Trial::test(format!("module/without_lua/{name}"), move || {
            let policy = serde_json::to_vec(&policy).map_err(|error| error.to_string())?;
            match Host::start(&module, &policy, Options::default()) {
                Err(error) if error.to_string().contains("E0215") => Ok(()),
                Err(error) => Err(error.to_string().into()),
                Ok(_) => Err("the module runs scripts".into()),
            }
        })
    });
    trials.collect()
}

fn scenario_trials(module: &Module, scenario: Scenario) -> Vec<Trial> {
    let Scenario { name, mut policy, cases, environment, .. } = scenario;
    let environment = Arc::new(environment);
    let cases: Vec<Arc<Case>> = cases.into_iter().map(Arc::new).collect();
    let mut trials = Vec::new();
    for enforcement in ["strict", "streaming"] {
        policy["enforcement"] = enforcement.into();
        let policy = Arc::new(policy.clone());
        for case in &cases {
            let (module, policy, case) = (module.clone(), Arc::clone(&policy), Arc::clone(case));
            let environment = Arc::clone(&environment);
            let name = format!("module/scenarios/{name}/{enforcement}/{}", case.name);
            trials.push(Trial::test(name, move || {
                check(&module, &policy, &environment, &case, enforcement == "strict").map_err(Into::into)
            }));
        }
    }
    trials
}

fn check(
    module: &Module,
    policy: &Value,
    environment: &BTreeMap<String, String>,
    case: &Case,
    strict: bool,
) -> Result<(), String> {
    let policy = serde_json::to_vec_pretty(policy).map_err(|error| error.to_string())?;
    let id = case.name.replace(' ', "-");
    let exchange = as_envoy_shows_it(case.exchange()?, &id);
    let options = Options {
        allow_on_headers_stop_iteration: strict,
        now: NOW.0,
        environment: environment.clone().into_iter().collect(),
        ..Options::default()
    };
    let mut host = Host::start(module, &policy, options).map_err(|error| error.to_string())?;
    let observed = host.exchange(&for_host(&exchange)?);

    let mut differences = Differences::default();
    let mut found = found(&observed)?;
    let is_script = |line: &String| line.starts_with("portcullis: script ");
    (found.scripts, found.lines) = std::mem::take(&mut found.lines).into_iter().partition(is_script);
    let is_gap = |line: &String| line.starts_with("portcullis: ");
    let (gap_lines, lines): (Vec<String>, _) = std::mem::take(&mut found.lines).into_iter().partition(is_gap);
    found.lines = lines;
    found.gaps = gap_lines
        .iter()
        .filter_map(|line| Some(line.split_once("[limit \"")?.1.split_once('"')?.0.to_owned()))
        .collect();
    for gap in Gap::ALL {
        let lines = found.gaps.iter().filter(|name| *name == gap.name()).count();
        let counted = observed.metrics.get(&format!("portcullis.{}", gap.name())).copied().unwrap_or(0);
        differences.compare(gap.name(), Some(&lines), usize::try_from(counted).ok().as_ref());
    }
    let stopped = found.scripts.iter().filter(|line| line.contains(" was stopped: ")).count();
    let counted = observed.metrics.get("portcullis.script.stopped").copied().unwrap_or(0);
    differences.compare("script.stopped", Some(&stopped), usize::try_from(counted).ok().as_ref());
    // A build of this test without Lua has nothing to compare scripts with but what is expected.
    if let Some(native) = natively(&policy, environment, &exchange, &id)? {
        let mut matched = case.expect.matched.clone();
        matched.iter_mut().for_each(|ids| ids.retain(|id| !case.expect.head_as_sent.contains(id)));
        differences.compare("matched natively", matched.as_ref(), Some(&native.matched));
        differences.compare("log lines", Some(&native.lines), Some(&found.lines));
        differences.compare("lines of gaps", Some(&native.gap_lines), Some(&gap_lines));
        let record = found.audit.as_deref();
        if record != native.audit.as_deref() {
            differences.say(format!("audit record: natively {:?}, found {record:?}", native.audit));
        }
    }
    let counted = observed.metrics.get("portcullis.rule_matches").copied().unwrap_or(0);
    differences.compare("rule_matches", Some(&found.lines.len()), usize::try_from(counted).ok().as_ref());

    let mut expect = case.expect.clone();
    if !matches!(observed.verdict, Verdict::LocalReply { .. }) {
        expect.rule_id = None;
        if found.phase == Some(4) && !strict {
            expect.status = None;
        }
    }
    differences.check(&expect, &found);
    check_delivery(&mut differences, &exchange, &observed, strict);
    differences.finish()
}

/// The exchange as the module gets it to see.
pub(crate) fn as_envoy_shows_it(mut exchange: Exchange, id: &str) -> Exchange {
    let bytes = |text: &str| Bytes(text.as_bytes().to_vec());
    let ends = [(&mut exchange.client, "192.0.2.1", 40_000), (&mut exchange.server, "198.51.100.1", 80)];
    for (end, address, port) in ends {
        if end.address.is_empty() {
            *end = Endpoint { address: address.to_owned(), port };
        }
    }
    let headers = &mut exchange.request.headers;
    for (name, _) in headers.iter_mut() {
        name.0.make_ascii_lowercase();
    }
    // Stable: all other fields keep their order.
    headers.sort_by_key(|(name, _)| name.0 != b"host");
    headers.push((bytes("x-request-id"), bytes(id)));
    let has_body = !body(&exchange.request.body, &exchange.request.body_base64).is_empty();
    let measured =
        headers.iter().any(|(name, _)| name.0 == b"content-length" || name.0 == b"transfer-encoding");
    if has_body && !measured && exchange.request.protocol.0 == b"HTTP/1.1" {
        // Envoy takes it off; the module knows that a body of unknown length has it.
        headers.push((bytes("transfer-encoding"), bytes("chunked")));
    }
    let response = exchange.response.get_or_insert_with(|| Response {
        status: 200,
        protocol: bytes("HTTP/1.1"),
        headers: vec![(bytes("content-type"), bytes("text/plain"))],
        body: Bytes::default(),
        body_base64: Base64::default(),
    });
    for (name, _) in &mut response.headers {
        name.0.make_ascii_lowercase();
    }
    exchange
}

/// The same exchange for the test host.
pub(crate) fn for_host(exchange: &Exchange) -> Result<testhost::Exchange, String> {
    let text = |bytes: &Bytes| {
        String::from_utf8(bytes.0.clone()).map_err(|_| format!("{:?} is not UTF-8", bytes.0.escape_ascii()))
    };
    let fields = |fields: &[(Bytes, Bytes)]| -> Result<testhost::Fields, String> {
        fields.iter().map(|(name, value)| Ok((text(name)?, value.0.clone()))).collect()
    };
    let socket = |end: &Endpoint| {
        let address: IpAddr = end.address.parse().map_err(|error| format!("{}: {error}", end.address))?;
        Ok::<_, String>(SocketAddr::new(address, end.port))
    };
    let request = &exchange.request;
    let mut out = testhost::Exchange::new(&text(&request.method)?, &text(&request.uri)?);
    out.client = socket(&exchange.client)?;
    out.server = socket(&exchange.server)?;
    out.request.protocol = text(&request.protocol)?;
    out.request.headers = fields(&request.headers)?;
    let host = out.request.headers.iter().position(|(name, _)| name == "host");
    out.request.authority = match host.map(|at| out.request.headers.remove(at)) {
        Some((_, value)) => String::from_utf8_lossy(&value).into_owned(),
        None => String::new(),
    };
    out.request.body = pieces(body(&request.body, &request.body_base64));
    if let Some(response) = &exchange.response {
        out.response.status = response.status;
        out.response.headers = fields(&response.headers)?;
        out.response.body = pieces(body(&response.body, &response.body_base64));
    }
    Ok(out)
}

fn body<'a>(plain: &'a Bytes, base64: &'a Base64) -> &'a [u8] {
    if base64.0.is_empty() { &plain.0 } else { &base64.0 }
}

/// Three pieces, or as many as there are bytes.
fn pieces(body: &[u8]) -> Vec<Vec<u8>> {
    body.chunks(body.len().div_ceil(3).max(1)).map(<[u8]>::to_vec).collect()
}

/// What the engine itself says to the exchange.
pub(crate) struct Native {
    matched: Vec<u64>,
    /// Of the rules that log.
    pub(crate) lines: Vec<String>,
    gap_lines: Vec<String>,
    audit: Option<String>,
    pub(crate) outcome: Outcome,
}

/// Runs an exchange under a policy; `None` where this build can't run its scripts.
fn natively(
    policy: &[u8],
    environment: &BTreeMap<String, String>,
    exchange: &Exchange,
    id: &str,
) -> Result<Option<Native>, String> {
    let loaded = policy::load(policy, "policy");
    if loaded.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::E0215) {
        return Ok(None);
    }
    let policy = loaded.policy.ok_or("the policy is refused")?;
    let mut plan = Plan::new(&policy).map_err(|problems| format!("{problems:?}"))?;
    plan.set_environment(scenarios::environment(environment));
    Ok(Some(run_natively(Arc::new(plan), exchange, id)))
}

pub(crate) fn run_natively(plan: Arc<Plan>, exchange: &Exchange, id: &str) -> Native {
    let mut transaction = Transaction::new(plan, &exchange.connection(), id.as_bytes(), NOW);
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, NOW);
    let matches = transaction.take_matches();
    let lines = matches.iter().filter_map(|record| record.log_line.as_deref());
    let audit = transaction.take_audit_record();
    let gaps = transaction.take_gaps();
    transaction.recycle();
    Native {
        outcome,
        gap_lines: gaps.iter().map(|event| String::from_utf8_lossy(&event.line).into_owned()).collect(),
        lines: lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect(),
        matched: matches.iter().map(|record| record.rule_id).collect(),
        audit: audit.map(|record| String::from_utf8_lossy(&record.one_line()).into_owned()),
    }
}

/// What the module made of the exchange.
fn found(observed: &Observed) -> Result<Found, String> {
    // Records about clients are compared in `client_tests`.
    let is_event = |line: &String| line.starts_with('{') && line.contains("\"msg_type\":");
    let lines = observed.log.iter().map(|line| line.text.clone()).filter(|line| !is_event(line));
    let is_audit = |line: &String| line.starts_with("{\"transaction\"") || line.starts_with("--");
    let (mut audit, lines): (Vec<String>, Vec<String>) = lines.partition(is_audit);
    let id = |line: &String| line.split_once("[id \"")?.1.split_once('"')?.0.parse().ok();
    let logged = lines.iter().filter_map(id).collect();
    let mut found = Found { logged, lines, audit: audit.pop(), ..Found::default() };
    if !audit.is_empty() {
        return Err("there are several audit records".to_owned());
    }
    let mut counters = observed.metrics.keys().filter_map(|name| name.strip_prefix("portcullis.requests."));
    let (counter, None) = (counters.next().unwrap_or_default(), counters.next()) else {
        return Err(format!("several outcomes are counted: {:?}", observed.metrics));
    };
    let (action, phase) = counter.split_once(".phase_").unwrap_or((counter, ""));
    found.action = ["pass", "allow", "deny", "redirect", "drop"]
        .into_iter()
        .find(|known| *known == action)
        .ok_or_else(|| format!("no outcome is counted: {:?}", observed.metrics))?;
    found.phase = phase.parse().ok();
    if let Verdict::LocalReply { status, details, .. } = &observed.verdict {
        found.status = Some(*status);
        found.location = observed.downstream.header("location");
        let (kind, rule) = details.split_once('[').unwrap_or_default();
        let rule = if kind == "portcullis_client" {
            let (reason, rule) = rule.split_once("_rule_").unwrap_or((rule, "0"));
            let known = REFUSALS.into_iter().find(|known| *known == reason.trim_end_matches(']'));
            found.action = known.unwrap_or(found.action);
            Some(rule.trim_end_matches(']'))
        } else {
            rule.strip_prefix("rule_").and_then(|rule| rule.split('_').next())
        };
        // A body limit is rule 0.
        found.rule_id = Some(rule.map_or(Ok(0), str::parse).map_err(|_| format!("details: {details}"))?);
    }
    Ok(found)
}

/// What reached whom.
pub(crate) fn check_delivery(
    differences: &mut Differences,
    exchange: &Exchange,
    observed: &Observed,
    strict: bool,
) {
    let Observed { verdict, upstream, downstream, .. } = observed;
    let response = exchange.response.as_ref();
    let sent = response.map_or(&b""[..], |response| body(&response.body, &response.body_base64));
    let asked = upstream.headers.is_some();
    let good = match verdict {
        Verdict::Continued => {
            upstream.complete
                && upstream.body == body(&exchange.request.body, &exchange.request.body_base64)
                && downstream.complete
                && downstream.body == sent
        }
        Verdict::LocalReply { during, .. } => match during {
            Callback::RequestHeaders => !asked,
            Callback::RequestBody | Callback::RequestTrailers => asked != strict && upstream.body.is_empty(),
            _ => asked && downstream.complete,
        },
        Verdict::Closed { during } => match during {
            Callback::RequestHeaders => !asked && downstream.status.is_none(),
            Callback::RequestBody | Callback::RequestTrailers => {
                asked != strict && downstream.status.is_none()
            }
            _ => asked && !downstream.complete && downstream.body.is_empty(),
        },
        Verdict::HostReply { .. } | Verdict::Stuck { .. } | Verdict::Trapped { .. } => false,
    };
    if !good {
        differences.say(format!("{verdict:?}\n{upstream:?}\n{downstream:?}"));
    }
}
