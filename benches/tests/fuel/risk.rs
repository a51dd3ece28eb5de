//! What a risk part costs: a plain GET with and without one, and a connection whose client is looked up.

use std::net::SocketAddr;

use portcullis_testhost::{Connection, ConnectionFate, Exchange, Host};
use serde_json::{Value, json};

use crate::module::{Found, judge, start};

/// Exchanges before the one that counts.
const WARM: usize = 20;

/// Other clients in the store, which has 256 buckets: each is about half full.
const OTHERS: u32 = 6_400;

/// The most units more that a plain GET may cost with a risk part: of a client that nothing is known of, of one that
/// is known, and of one whose score a rule changes.
const MOST: [u64; 3] = [40_000, 40_000, 140_000];

/// The most units more that a connection may cost when its client is looked up.
const MOST_CONNECTION: u64 = 12_000;

fn criterion(attribute: &str, operator: &str, value: &str) -> Value {
    json!({ "attribute": attribute, "operator": operator, "value": value })
}

/// Ten rules as people write them. None matches a plain GET.
fn rules() -> Vec<Value> {
    let conditions = [
        json!({ "attribute": "source_ip", "value": ["203.0.113.0/24", "2001:db8:bad::/48"] }),
        criterion("uri", "starts_with", "/wp-"),
        criterion("uri", "regex", "\\.(?:bak|old|sql)$"),
        json!({ "attribute": "header", "field": "user-agent", "operator": "contains", "value": "sqlmap" }),
        json!({ "attribute": "header", "field": "x-attack", "value": "high" }),
        criterion("arguments", "contains", "union select"),
        json!({ "attribute": "named_argument", "name": "cmd", "operator": "regex", "value": "^(?:id|whoami)$" }),
        json!({ "and": [criterion("method", "equals", "POST"), criterion("uri", "equals", "/login")] }),
        json!({ "attribute": "response_code", "value": 404 }),
        json!({ "attribute": "header", "direction": "response", "field": "server", "operator": "contains", "value": "PHP" }),
    ];
    let rule = |(id, condition): (usize, Value)| json!({ "id": id + 1, "risk": 40, "state": "Scanning", "condition": condition });
    let mut rules: Vec<Value> = conditions.into_iter().enumerate().map(rule).collect();
    rules[8]["rate"] = json!({ "count": 10, "seconds": 10 });
    rules
}

fn policy(risk: Option<Value>, network: Option<Value>) -> Vec<u8> {
    let mut policy = json!({ "enforcement": "strict", "rule_sets": [] });
    if let Some(risk) = risk {
        policy["risk"] = risk;
    }
    if let Some(network) = network {
        policy["network"] = network;
    }
    policy.to_string().into_bytes()
}

fn from(client: u32, exchange: Exchange) -> Exchange {
    let [_, b, c, d] = client.to_be_bytes();
    Exchange { client: SocketAddr::from(([10, b, c, d], 40_000)), ..exchange }
}

fn get() -> Exchange {
    Exchange::get("/").header("user-agent", b"Mozilla/5.0 (X11; Linux x86_64)").header("accept", b"*/*")
}

fn attack(value: &str) -> Exchange {
    get().header("x-attack", value.as_bytes())
}

/// Lets others become known, so that buckets have something in them.
fn fill(host: &mut Host) -> Result<(), String> {
    (1..=OTHERS).try_for_each(|client| judge(host, &from(client, attack("high")), false).map(drop))
}

fn warm(host: &mut Host, exchange: &Exchange) -> Result<u64, String> {
    for _ in 0..WARM {
        judge(host, exchange, false)?;
    }
    Ok(judge(host, exchange, false)?.fuel)
}

/// Measures, prints, and compares with what it may cost.
pub(crate) fn requests(found: &Found) -> Result<(), String> {
    let store = json!({ "mebibytes": 1 });
    let mut plain = start(&found.module, &policy(None, None))?;
    let without = warm(&mut plain, &from(0, get()))?;
    let mut empty = start(&found.module, &policy(Some(json!({ "store": store })), None))?;
    let with_empty = warm(&mut empty, &from(0, get()))?;
    let mut host = start(&found.module, &policy(Some(json!({ "store": store, "rules": rules() })), None))?;
    fill(&mut host)?;
    let unknown = warm(&mut host, &from(0, get()))?;
    let known = warm(&mut host, &from(OTHERS / 2, get()))?;
    let scored = warm(&mut host, &from(OTHERS / 2, attack("high")))?;
    println!("\n{:44} {:>10} {:>10}", "a plain GET", "fuel", "more");
    for (name, fuel) in [
        ("without a risk part", without),
        ("with an empty one", with_empty),
        ("ten rules, a client nothing is known of", unknown),
        ("ten rules, a client that is known", known),
        ("ten rules, one matches and the score changes", scored),
    ] {
        println!("{name:44} {fuel:>10} {:>10}", fuel.saturating_sub(without));
    }
    let more = [unknown, known, scored].map(|fuel| fuel.saturating_sub(without));
    if more.iter().zip(MOST).any(|(more, most)| *more > most) {
        return Err(format!("a risk part costs {more:?} more, and may cost {MOST:?}"));
    }
    Ok(())
}

/// The same for a connection.
pub(crate) fn connections(found: &Found) -> Result<(), String> {
    let switches = json!({ "lists": true });
    let risk = json!({ "store": { "mebibytes": 1 }, "switches": switches, "rules": rules() });
    let network = |refuse: bool| {
        json!({
            "refuse_blocked_clients": refuse,
            "rules": [{ "name": "lan", "kind": "accept", "address": "192.168.0.0/16", "start_port": 0,
                "action": "detect", "severity": "low" }],
        })
    };
    let mut measured = Vec::new();
    for refuse in [false, true] {
        let mut host = start(&found.module, &policy(Some(risk.clone()), Some(network(refuse))))?;
        fill(&mut host)?;
        for client in [0, OTHERS / 2] {
            let client = from(client, get()).client;
            let connection = Connection::new(client, SocketAddr::from(([198, 51, 100, 1], 80)));
            let mut fuel = 0;
            for _ in 0..=WARM {
                let observed = host.connection(&connection);
                if observed.fate != ConnectionFate::Proxied {
                    return Err(format!("{observed:?}"));
                }
                fuel = observed.fuel;
            }
            measured.push(fuel);
        }
    }
    let [without, _, unknown, known] = measured[..] else { return Err(format!("{measured:?}")) };
    println!("\n{:44} {:>10} {:>10}", "a connection", "fuel", "more");
    for (name, fuel) in [
        ("clients are not looked up", without),
        ("looked up, nothing is known of it", unknown),
        ("looked up, it is known", known),
    ] {
        println!("{name:44} {fuel:>10} {:>10}", fuel.saturating_sub(without));
    }
    let more = known.max(unknown).saturating_sub(without);
    if more > MOST_CONNECTION {
        return Err(format!("looking a client up costs {more} more, and may cost {MOST_CONNECTION}"));
    }
    Ok(())
}
