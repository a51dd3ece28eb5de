//! Which rule is selected.

use std::net::IpAddr;

use portcullis_rules::net::{
    Action, Address, End, Level, NetworkPlan, NetworkPolicy, Operation, Ports, RequestPath,
};
use portcullis_rules::policy;
use proptest::prelude::*;
use serde_json::{Value, json};

const TABLE: &str = include_str!("precedence.txt");

/// A rule such as `accept 10.0.0.0/8 80-90 protect` as JSON.
pub(super) fn rule(number: usize, text: &str) -> Value {
    let [kind, address, ports, action] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let (start, end) = ports.split_once('-').unwrap_or((ports, ports));
    let (start, end): (u16, u16) = (start.parse().unwrap(), end.parse().unwrap());
    let mut rule = json!({ "name": format!("rule {number}"), "action": action, "severity": "low" });
    let fields = rule.as_object_mut().unwrap();
    let end_of = json!({ "address": address, "start_port": start, "end_port": end });
    match kind.strip_prefix("bind_") {
        Some(side) => {
            fields.insert("kind".to_owned(), "bind".into());
            fields.insert(side.to_owned(), end_of);
        }
        None => {
            fields.insert("kind".to_owned(), kind.into());
            fields.extend(end_of.as_object().unwrap().clone());
        }
    }
    rule
}

pub(super) fn plan(rules: &[&str]) -> NetworkPlan {
    let rules: Vec<Value> = rules.iter().enumerate().map(|(index, text)| rule(index + 1, text)).collect();
    plan_of(&json!({ "rules": rules }))
}

pub(super) fn plan_of(network: &Value) -> NetworkPlan {
    let text = json!({ "network": network }).to_string();
    let loaded = policy::load(text.as_bytes(), "policy");
    let Some(policy) = loaded.policy else { panic!("{:#?}", loaded.diagnostics) };
    NetworkPlan::new(policy.network)
}

pub(super) fn operation(name: &str) -> Operation {
    Operation::ALL.into_iter().find(|operation| operation.name() == name).unwrap()
}

#[test]
fn the_table_of_precedence() {
    let mut cases = 0;
    for case in TABLE.split("\n== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let rules: Vec<&str> =
            rest.lines().filter(|line| !line.is_empty() && !line.starts_with('?')).collect();
        let plan = plan(&rules);
        for question in rest.lines().filter_map(|line| line.strip_prefix("? ")) {
            let (asked, expected) = question.split_once(" = ").unwrap();
            let words: Vec<&str> = asked.split(' ').collect();
            let names: Vec<&[u8]> = words[3..].iter().map(|name| name.as_bytes()).collect();
            let end = End { address: words[1].parse().ok(), port: words[2].parse().unwrap(), names: &names };
            let selected = plan.select(operation(words[0]), &end).map(|selected| selected.number + 1);
            assert_eq!(selected, expected.parse().ok(), "{name}: {asked}");
            cases += 1;
        }
    }
    assert!(cases >= 100, "{cases}");
}

#[test]
fn levels_are_told() {
    let plan = plan(&[
        "connect 10.0.0.1 0 protect",
        "connect db 0 protect",
        "connect 10.0.0.0/8 0 protect",
        "connect any 0 protect",
    ]);
    let level = |address: &str, names: &[&[u8]]| {
        let end = End { address: address.parse().ok(), port: 1, names };
        plan.select(Operation::Connect, &end).unwrap().level
    };
    assert_eq!(level("10.0.0.1", &[]), Level::Address);
    assert_eq!(level("10.0.0.2", &[b"db"]), Level::Host);
    assert_eq!(level("10.0.0.2", &[b"\xff", b"other"]), Level::Network);
    assert_eq!(level("11.0.0.2", &[]), Level::Any);
}

#[test]
fn api_restrictions_are_no_part_of_the_order() {
    let restricted = |name: &str, address: &str, api: Value, action: &str| {
        json!({ "name": name, "kind": "accept", "address": address, "start_port": 0, "api": api,
                "action": action, "severity": "low" })
    };
    let plan = plan_of(&json!({ "rules": [
        restricted("exact", "10.0.0.1", json!(["/admin/*"]), "protect"),
        restricted("wide", "any", json!("none"), "protect"),
        restricted("all requests", "10.0.0.2", json!("any"), "protect"),
    ]}));
    let end = |address: &str| End { address: address.parse().ok(), port: 1, names: &[] };
    let request = |address: &str, path: &str| {
        let judgement = plan.request(Operation::Accept, &end(address), &RequestPath::new(path.as_bytes()));
        (judgement.selected.unwrap().number, judgement.applies, judgement.refuses())
    };
    // No other rule takes the place of one that is restricted to other requests.
    assert_eq!(request("10.0.0.1", "/admin/x"), (0, true, true));
    assert_eq!(request("10.0.0.1", "/"), (0, false, false));
    assert_eq!(request("10.0.0.2", "/"), (2, true, true));
    assert_eq!(request("10.0.0.3", "/"), (1, true, true));
    let connection = plan.connection(Operation::Accept, &end("10.0.0.1"));
    assert_eq!((connection.applies, connection.refuses()), (false, false));
    assert!(plan.connection(Operation::Accept, &end("10.0.0.3")).refuses());
    let mut policy = plan.policy().clone();
    policy.http_requests = portcullis_rules::net::HttpRequests::ApiOnly;
    let plan = NetworkPlan::new(policy);
    let judgement = plan.request(Operation::Accept, &end("10.0.0.3"), &RequestPath::new(b"/"));
    assert!(!judgement.applies);
}

/// What decides: the level, what is within it, the width of the ports, the action, the order.
type Key = (u32, u32, u32, u8, usize);

/// What the order says, by looking at every rule.
fn scan(policy: &NetworkPolicy, operation: Operation, end: &End<'_>) -> Option<u32> {
    let address = end.address.map(|address| address.to_canonical());
    let mut names: Vec<String> =
        end.names.iter().map(|name| String::from_utf8(name.to_vec()).unwrap().to_lowercase()).collect();
    if address.is_some_and(|address| address.is_loopback()) {
        names.push("localhost".to_owned());
    }
    let mut best: Option<(Key, u32)> = None;
    let mut order = 0;
    for (number, rule) in policy.rules.iter().enumerate() {
        for binding in &rule.bindings {
            order += 1;
            if binding.operation != operation || !binding.ports.contains(end.port) {
                continue;
            }
            let (level, within) = match &binding.address {
                Address::Any => (3, 0),
                Address::AnyV4 if !address.is_some_and(|address| address.is_ipv6()) => (3, 0),
                Address::AnyV6 if !address.is_some_and(|address| address.is_ipv4()) => (3, 0),
                Address::Network(network) if address.is_some_and(|address| network.contains(address)) => {
                    (if network.is_single() { 0 } else { 2 }, 128 - u32::from(network.length()))
                }
                Address::Host(name) => match names.iter().position(|known| **known == **name) {
                    Some(place) => (1, u32::try_from(place).unwrap()),
                    None => continue,
                },
                _ => continue,
            };
            let action = match rule.action {
                Action::Allow => 0,
                Action::Protect => 1,
                Action::Detect => 2,
            };
            let key = (level, within, binding.ports.width(), action, order);
            if best.is_none_or(|(other, _)| key < other) {
                best = Some((key, u32::try_from(number).unwrap()));
            }
        }
    }
    best.map(|(_, number)| number)
}

/// Addresses that are near each other.
fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4((bits & 0xc300_0307).into())),
        any::<u128>().prop_map(|bits| IpAddr::V6((bits & (0xc3_u128 << 120 | 0x307)).into())),
        Just("127.0.0.1".parse().unwrap()),
        Just("::ffff:192.0.2.1".parse().unwrap()),
    ]
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a.example", "b.example", "localhost"])
}

fn rule_address() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (address(), 0..=128_u8).prop_map(|(address, length)| {
            format!("{address}/{}", if address.is_ipv4() { length % 33 } else { length })
        }),
        2 => address().prop_map(|address| address.to_string()),
        1 => host().prop_map(str::to_owned),
        1 => prop::sample::select(vec!["any", "0.0.0.0", "::"]).prop_map(str::to_owned),
    ]
}

fn rule_ports() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("0".to_owned()),
        (1..8_u16).prop_map(|port| port.to_string()),
        (1..8_u16, 0..8_u16).prop_map(|(start, more)| format!("{start}-{}", start + more)),
        (1..8_u16).prop_map(|start| format!("{start}-65535")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn selection_is_what_a_linear_scan_finds(
        rules in prop::collection::vec(
            (rule_address(), rule_ports(), prop::sample::select(vec!["allow", "protect", "detect"])),
            0..30,
        ),
        ends in prop::collection::vec(
            (
                prop::option::of(address()),
                prop_oneof![0..18_u16, Just(65535)],
                prop::collection::vec(host(), 0..3),
            ),
            1..30,
        ),
    ) {
        let rules: Vec<String> =
            rules.iter().map(|(address, ports, action)| format!("connect {address} {ports} {action}")).collect();
        let plan = plan(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        for (address, port, names) in &ends {
            let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let end = End { address: *address, port: *port, names: &names };
            let selected = plan.select(Operation::Connect, &end).map(|selected| selected.number);
            prop_assert_eq!(selected, scan(plan.policy(), Operation::Connect, &end), "{:?} {:?}", rules, end);
        }
    }
}

#[test]
fn many_rules_are_no_burden() {
    // A wrong structure would take hours: 100,000 nested and disjoint networks, and as many ranges of ports
    // at one address.
    let mut rules: Vec<String> = (0..100_000_u32)
        .map(|n| format!("accept 10.{}.{}.{}/{} 0 protect", n >> 16, n >> 8 & 255, n & 255, 20 + n % 13))
        .collect();
    rules.extend((0..60_000).map(|n| format!("accept 192.0.2.1 {}-{} allow", n + 1, 60_001 + n % 5_000)));
    let plan = plan(&rules.iter().map(String::as_str).collect::<Vec<_>>());
    let started = std::time::Instant::now();
    for n in 0..200_000_u32 {
        let address = IpAddr::V4((0x0a00_0000 | n).into());
        assert!(
            n >= 100_000
                || plan
                    .select(Operation::Accept, &End { address: Some(address), port: 9, names: &[] })
                    .is_some()
        );
        let end = End {
            address: Some(IpAddr::V4([192, 0, 2, 1].into())),
            port: (n % 60_000) as u16 + 1,
            names: &[],
        };
        assert!(plan.select(Operation::Accept, &end).is_some());
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(Ports::ANY.width(), 65_536);
}
