//! The built filter in its network role, in the test host. Without a built module every test counts as
//! ignored, and the way to build it is printed.
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says what it measures")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_testhost::{
    Connection, ConnectionFate, Exchange, Host, Module, ModuleFile, Moment, Options, Verdict,
    portcullis_module,
};

type Outcome = Result<(), Failed>;
type Test = fn(&Module) -> Outcome;

const TESTS: &[(&str, Test)] = &[
    ("closes_new_connections", closes_new_connections),
    ("judges_upstream_connections_by_their_first_byte", first_upstream_byte),
    ("asks_the_listener_for_its_direction", direction),
    ("closes_what_it_cannot_judge_and_survives", odd_addresses),
    ("serves_both_roles_with_one_configuration", both_roles),
    ("judges_the_services_of_requests", services),
    ("logs_once_counts_always", caps_events),
    ("refuses_clients_that_requests_got_blocked", blocked_clients),
    ("adds_the_risk_of_rules_to_their_clients", risk_of_rules),
    ("a_hundred_thousand_rules_cost_little", many_rules),
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

fn start(module: &Module, network: &str) -> Result<Host, Failed> {
    let policy = format!(r#"{{"network": {network}}}"#);
    Ok(Host::start(module, policy.as_bytes(), Options::default())?)
}

/// A rule of kind accept or connect.
fn rule(kind: &str, address: &str, action: &str) -> String {
    format!(
        r#"{{"name":"{kind} {address}","kind":"{kind}","address":"{address}","start_port":0,"action":"{action}","severity":"low"}}"#
    )
}

fn connection(client: &str, server: &str) -> Connection {
    let end = |text: &str| text.parse::<SocketAddr>().expect("an address");
    Connection::new(end(client), end(server))
}

fn check(good: bool, about: &dyn std::fmt::Debug) -> Outcome {
    if good { Ok(()) } else { Err(format!("{about:#?}").into()) }
}

fn closes_new_connections(module: &Module) -> Outcome {
    let rules = [rule("accept", "10.0.0.0/8", "protect"), rule("accept", "10.0.0.7", "detect")].join(",");
    let mut host = start(module, &format!(r#"{{"rules":[{rules}]}}"#))?;
    let observed = host.connection(&connection("10.0.0.1:5000", "192.0.2.1:80"));
    check(observed.fate == ConnectionFate::Closed(Moment::New), &observed)?;
    check(!observed.dialled && observed.received.is_empty(), &observed)?;
    check(observed.log.len() == 1 && observed.log.iter().all(|line| line.level == 3), &observed)?;
    check(observed.metrics.get("portcullis.network.accept.protect") == Some(&1), &observed)?;
    for (client, lines) in [("10.0.0.7:5000", 1), ("11.0.0.1:5000", 0), ("[2001:db8::1]:5000", 0)] {
        let observed = host.connection(&connection(client, "192.0.2.1:80"));
        check(observed.fate == ConnectionFate::Proxied && observed.received == b"b", &observed)?;
        check(observed.log.len() == lines, &observed)?;
    }
    Ok(())
}

fn first_upstream_byte(module: &Module) -> Outcome {
    let rule = r#"{"name":"r","kind":"bind","client":{"address":"192.0.2.1","start_port":0},"action":"protect","severity":"low"}"#;
    let mut host = start(module, &format!(r#"{{"rules":[{rule}]}}"#))?;
    let observed = host.connection(&connection("10.0.0.1:5000", "192.0.2.1:80"));
    check(observed.fate == ConnectionFate::Closed(Moment::Upstream) && observed.dialled, &observed)?;
    check(observed.received.is_empty() && observed.log.len() == 1, &observed)?;
    let mut other = connection("10.0.0.1:5000", "192.0.2.1:80");
    other.upstream.1 = SocketAddr::from(([192, 0, 2, 2], 1));
    other.answered = vec![b"a".to_vec(); 5];
    let observed = host.connection(&other);
    check(observed.fate == ConnectionFate::Proxied && observed.received == b"aaaaa", &observed)
}

fn direction(module: &Module) -> Outcome {
    let rules = [rule("accept", "10.0.0.1", "protect"), rule("connect", "192.0.2.1", "protect")].join(",");
    let mut host = start(module, &format!(r#"{{"rules":[{rules}]}}"#))?;
    for (direction, client, server, closed) in [
        (None, "10.0.0.1:1", "198.51.100.1:1", true),
        (None, "10.0.0.2:1", "192.0.2.1:1", false),
        (Some(1_u64), "10.0.0.1:1", "198.51.100.1:1", true),
        (Some(1), "10.0.0.2:1", "192.0.2.1:1", false),
        (Some(2), "10.0.0.1:1", "198.51.100.1:1", false),
        (Some(2), "10.0.0.2:1", "192.0.2.1:1", true),
    ] {
        let mut played = connection(client, server);
        if let Some(direction) = direction {
            let value = direction.to_le_bytes().to_vec();
            played.properties.push(("xds\0listener_direction".to_owned(), value));
        }
        let observed = host.connection(&played);
        let expected = if closed { ConnectionFate::Closed(Moment::New) } else { ConnectionFate::Proxied };
        check(observed.fate == expected, &(direction, client, server, observed))?;
    }
    Ok(())
}

fn odd_addresses(module: &Module) -> Outcome {
    let rules = [rule("accept", "10.0.0.1", "protect"), rule("accept", "any", "detect")].join(",");
    let mut host = start(module, &format!(r#"{{"rules":[{rules}]}}"#))?;
    for text in ["", "/run/envoy.sock", "@/tmp/x", "10.0.0.1", "[::1", "\u{fffd}:80", "1:2:3:4:5:6:7:8:9"] {
        let mut odd = connection("10.0.0.2:1", "192.0.2.1:1");
        odd.properties.push(("source\0address".to_owned(), text.as_bytes().to_vec()));
        let observed = host.connection(&odd);
        let expected =
            if text == "10.0.0.1" { ConnectionFate::Closed(Moment::New) } else { ConnectionFate::Proxied };
        check(observed.fate == expected && observed.log.len() == 1, &(text, observed))?;
    }
    Ok(())
}

fn both_roles(module: &Module) -> Outcome {
    let restricted = r#"{"name":"api","kind":"accept","address":"10.0.0.2","start_port":0,"api":["/admin/*"],"action":"protect","severity":"low"}"#;
    let rules = [rule("accept", "10.0.0.1", "protect"), restricted.to_owned()].join(",");
    let mut host = start(module, &format!(r#"{{"rules":[{rules}]}}"#))?;
    let get = |path: &str, client: &str| {
        let mut exchange = Exchange::get(path);
        exchange.client = client.parse().expect("an address");
        exchange
    };
    for _ in 0..2 {
        let observed = host.connection(&connection("10.0.0.1:1", "192.0.2.1:1"));
        check(observed.fate == ConnectionFate::Closed(Moment::New), &observed)?;
        let observed = host.connection(&connection("10.0.0.2:1", "192.0.2.1:1"));
        check(observed.fate == ConnectionFate::Proxied, &observed)?;
        let refused = host.exchange(&get("/admin/x", "10.0.0.2:1"));
        check(matches!(refused.verdict, Verdict::LocalReply { status: 403, .. }), &refused)?;
        check(refused.upstream.headers.is_none(), &refused)?;
        check(refused.metrics.get("portcullis.requests.deny.network") == Some(&1), &refused)?;
        let passed = host.exchange(&get("/", "10.0.0.2:1"));
        check(passed.verdict == Verdict::Continued && passed.log.is_empty(), &passed)?;
    }
    Ok(())
}

fn services(module: &Module) -> Outcome {
    let known = |fields: &[(&str, &str)]| -> Vec<(String, Vec<u8>)> {
        fields.iter().map(|(path, value)| ((*path).to_owned(), value.as_bytes().to_vec())).collect()
    };
    // (rules, method, authority, properties, refused before the upstream, refused after it)
    let upstream = ("upstream\0address", "10.0.0.5:443");
    type Case<'a> = (Vec<String>, &'a str, &'a str, Vec<(String, Vec<u8>)>, bool, bool);
    let cases: [Case<'_>; 9] = [
        (
            vec![rule("connect", "shop", "protect")],
            "GET",
            "a",
            known(&[("xds\0cluster_name", "shop")]),
            true,
            false,
        ),
        (vec![rule("connect", "a.example", "protect")], "GET", "a.example:8080", known(&[]), true, false),
        (vec![rule("connect", "b.example", "protect")], "GET", "a.example", known(&[]), false, false),
        (vec![rule("connect", "10.0.0.5", "protect")], "GET", "a", known(&[upstream]), false, true),
        (vec![rule("connect", "10.0.0.6", "protect")], "GET", "a", known(&[upstream]), false, false),
        // An address could be spared, so the rest waits for the address.
        (
            vec![rule("connect", "any", "protect"), rule("connect", "10.0.0.6", "allow")],
            "GET",
            "a",
            known(&[upstream]),
            false,
            true,
        ),
        (vec![rule("connect", "any", "protect")], "GET", "a", known(&[upstream]), true, false),
        (vec![rule("connect", "10.9.9.9", "protect")], "CONNECT", "10.9.9.9:25", known(&[]), true, false),
        (vec![rule("connect", "10.9.9.9", "protect")], "CONNECT", "10.9.9.8:25", known(&[]), false, false),
    ];
    for (number, (rules, method, authority, properties, before, after)) in cases.into_iter().enumerate() {
        let mut host = start(module, &format!(r#"{{"rules":[{}]}}"#, rules.join(",")))?;
        let mut exchange = Exchange::get("/");
        exchange.request.method = method.to_owned();
        exchange.request.authority = authority.to_owned();
        if method == "CONNECT" {
            exchange.request.target = String::new();
        }
        exchange.properties = properties;
        let observed = host.exchange(&exchange);
        let refused = observed.status() == Some(403);
        let reached = observed.upstream.headers.is_some();
        check((refused, reached) == (before || after, !before), &(number, &observed))?;
        let counted = observed.metrics.contains_key("portcullis.requests.deny.network");
        check(counted == refused && observed.log.len() == usize::from(refused), &(number, observed))?;
    }
    Ok(())
}

fn caps_events(module: &Module) -> Outcome {
    let rules = rule("accept", "any", "protect");
    let flow = r#""event_flow":{"max_events_per_rule":2,"pause_seconds":10}"#;
    let mut host = start(module, &format!(r#"{{"rules":[{rules}],{flow}}}"#))?;
    let mut lines = Vec::new();
    for number in 0..6_u64 {
        if number == 5 {
            host.advance(11_000_000_000);
        }
        let observed = host.connection(&connection("10.0.0.1:1", "192.0.2.1:1"));
        check(observed.metrics.get("portcullis.network.accept.protect") == Some(&1), &observed)?;
        lines.push(observed.log.len());
    }
    check(lines == [1, 2, 0, 0, 0, 1], &lines)
}

/// A policy with risk, in which the header `x-attack` blocks, for 60 seconds.
fn start_with_risk(module: &Module, network: &str) -> Result<Host, Failed> {
    let policy = format!(
        r#"{{"network": {network}, "risk": {{
            "switches": {{"risk_blocks": true}}, "block": {{"seconds": 60}}, "store": {{"mebibytes": 1}},
            "rules": [{{"id": 1, "risk": 95,
                "condition": {{"attribute": "header", "field": "x-attack", "operator": "contains", "value": ""}}}}]
        }}}}"#
    );
    Ok(Host::start(module, policy.as_bytes(), Options::default())?)
}

fn blocked_clients(module: &Module) -> Outcome {
    let flow = r#"{"event_flow":{"max_events_per_rule":2,"pause_seconds":10}}"#;
    let mut host = start_with_risk(module, flow)?;
    let mut attack = Exchange::get("/").header("x-attack", b"yes");
    attack.client = "10.0.0.1:1".parse().expect("an address");
    let from = |client: &str| connection(&format!("{client}:2"), "192.0.2.1:80");
    let before = host.connection(&from("10.0.0.1"));
    check(before.fate == ConnectionFate::Proxied && before.log.is_empty(), &before)?;
    check(host.exchange(&attack).status() == Some(403), &"the attack is refused")?;
    for lines in [1, 1, 0] {
        let refused = host.connection(&from("10.0.0.1"));
        check(refused.fate == ConnectionFate::Closed(Moment::New) && !refused.dialled, &refused)?;
        check(refused.metrics.get("portcullis.connections.blocked_client") == Some(&1), &refused)?;
        let record = |text: &str| refused.log.iter().all(|line| line.text.contains(text));
        check(refused.log.len() == lines && record(r#""msg_type":"BlockEvent""#), &refused)?;
        check(record(r#""reason":"risk_block""#) && record(r#""ip":"10.0.0.1""#), &refused)?;
    }
    let other = host.connection(&from("10.0.0.2"));
    check(other.fate == ConnectionFate::Proxied, &other)?;
    // Outbound listeners are not where clients come in.
    let mut outbound = from("10.0.0.1");
    outbound.properties.push(("xds\0listener_direction".to_owned(), 2_u64.to_le_bytes().to_vec()));
    let dialled = host.connection(&outbound);
    check(dialled.fate == ConnectionFate::Proxied, &dialled)?;
    host.advance(61_000_000_000);
    let after = host.connection(&from("10.0.0.1"));
    check(after.fate == ConnectionFate::Proxied && after.log.is_empty(), &after)?;

    let mut lenient = start_with_risk(module, r#"{"refuse_blocked_clients":false}"#)?;
    lenient.exchange(&attack);
    let let_in = lenient.connection(&from("10.0.0.1"));
    check(let_in.fate == ConnectionFate::Proxied, &let_in)
}

fn risk_of_rules(module: &Module) -> Outcome {
    let adding =
        |rule: String, risk: u8| rule.replace(r#""severity""#, &format!(r#""risk":{risk},"severity""#));
    let decoy = r#"{"name":"decoy","kind":"bind","server":{"address":"192.0.2.1","start_port":23},
        "action":"detect","severity":"low"}"#;
    let rules = [
        adding(rule("accept", "10.0.0.1", "detect"), 60),
        adding(rule("accept", "10.0.0.2", "protect"), 95),
        adding(decoy.to_owned(), 95),
    ];
    let mut host = start_with_risk(module, &format!(r#"{{"rules":[{}]}}"#, rules.join(",")))?;
    let status = |host: &mut Host, client: &str| {
        let mut exchange = Exchange::get("/");
        exchange.client = format!("{client}:9").parse().expect("an address");
        host.exchange(&exchange).status()
    };
    // 42, 66.4 and, by the request's own match, 80.5.
    for _ in 0..2 {
        let seen = host.connection(&connection("10.0.0.1:2", "192.0.2.1:80"));
        check(seen.fate == ConnectionFate::Proxied && seen.log.len() == 2, &seen)?;
        check(seen.log.iter().any(|line| line.text.contains(r#""description":"accept 10.0.0.1""#)), &seen)?;
        check(seen.metrics.get("portcullis.risk.matches") == Some(&1), &seen)?;
    }
    check(status(&mut host, "10.0.0.1") == Some(403), &"blocked by the third match")?;
    check(host.metric("portcullis.risk.blocks.timed") == Some(1), &"a block began")?;
    let refused = host.connection(&connection("10.0.0.1:2", "192.0.2.1:80"));
    check(refused.fate == ConnectionFate::Closed(Moment::New), &refused)?;
    check(!refused.metrics.contains_key("portcullis.network.accept.detect"), &refused)?;
    host.connection(&connection("10.0.0.2:2", "192.0.2.1:80"));
    let again = host.connection(&connection("10.0.0.2:2", "192.0.2.1:80"));
    check(again.metrics.get("portcullis.connections.blocked_client") == Some(&1), &again)?;
    let curious = host.connection(&connection("10.0.0.3:2", "192.0.2.1:23"));
    check(curious.fate == ConnectionFate::Proxied, &curious)?;
    check(status(&mut host, "10.0.0.3") == Some(403), &"touched the decoy")?;
    check(status(&mut host, "10.0.0.4") == Some(200), &"did nothing")
}

fn many_rules(module: &Module) -> Outcome {
    let one = start(module, &format!(r#"{{"rules":[{}]}}"#, rule("accept", "any", "allow")))?;
    let addresses = |n: u32| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    // As rules of their own, and as addresses of one rule. `allow` without logging: no event is written.
    let quiet = |address: &str| {
        rule("accept", address, "allow").replace(r#""severity""#, r#""disable_logging":true,"severity""#)
    };
    let rules: Vec<String> = (0..100_000).map(|n| quiet(&addresses(n))).collect();
    let list: Vec<String> = (0..100_000).map(|n| format!("\"{}\"", addresses(n))).collect();
    let listed =
        quiet("10.0.0.1").replace("\"address\":\"10.0.0.1\"", &format!("\"address\":[{}]", list.join(",")));
    for (what, rules) in [("100,000 rules", rules.join(",")), ("one rule with 100,000 addresses", listed)] {
        let started = Instant::now();
        let mut host = start(module, &format!(r#"{{"rules":[{rules}]}}"#))?;
        let load = started.elapsed();
        let memory = (host.memory_bytes() - one.memory_bytes()) / 1024 / 1024;
        let mut times: Vec<Duration> = Vec::new();
        let (mut fuel, mut calls) = (0, 0);
        for number in 0..4_000_u32 {
            // Every other one is in no rule.
            let client =
                if number % 2 == 0 { addresses(number * 25 % 100_000) } else { "172.16.0.1".to_owned() };
            let observed = host.connection(&connection(&format!("{client}:5000"), "192.0.2.1:80"));
            check(observed.fate == ConnectionFate::Proxied && observed.log.is_empty(), &observed)?;
            times.push(observed.time);
            (fuel, calls) = (fuel.max(observed.fuel), calls.max(observed.host_calls));
        }
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or_default();
        let high = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
        eprintln!(
            "{what}: loaded in {load:.1?} with {memory} MiB of memory; a connection takes {middle:.1?} (99 of 100 at most \
             {high:.1?}), {fuel} fuel and {calls} host calls at most"
        );
        // About one unit of fuel per instruction: 20 us are 40,000 and more.
        check(fuel < 20_000, &fuel)?;
        check(middle < Duration::from_micros(20), &middle)?;
    }
    Ok(())
}
