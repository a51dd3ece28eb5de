//! How costs grow: with the size of bodies, and with the number of rules.

use portcullis_benches::Recorded;
use portcullis_testhost::{Exchange, Host};

use crate::module::{Found, exchange, judge, start};

/// Sizes of bodies, in KB.
const SIZES: [usize; 6] = [1, 4, 16, 64, 256, 512];

/// A step may cost so much more than its size says.
const SLACK: f64 = 1.15;

/// How many times as many rules, and the most times of the cost they may take.
const RULES: usize = 10;
const RULES_GOAL: f64 = 3.0;

/// Exchanges before the one that counts.
const WARM: usize = 5;

fn warm(host: &mut Host, exchange: &Exchange, attack: bool) -> Result<u64, String> {
    for _ in 0..WARM {
        judge(host, exchange, attack)?;
    }
    Ok(judge(host, exchange, attack)?.fuel)
}

/// A body of about so many KB, of a kind, and one of many such.
type Make = fn(usize, usize) -> Exchange;

fn prose(kilobytes: usize, number: usize) -> String {
    const WORDS: [&str; 12] =
        ["the", "garden", "was", "quiet", "and", "a", "blue", "chair", "stood", "near", "an", "oak"];
    let mut text = String::new();
    let mut seed = 7 + number;
    while text.len() < kilobytes * 1024 {
        seed = seed * 48_271 % 0x7fff_ffff;
        text.push_str(WORDS[seed % WORDS.len()]);
        text.push(' ');
    }
    text
}

fn browser(exchange: Exchange) -> Exchange {
    exchange.header("user-agent", b"Mozilla/5.0 (X11; Linux x86_64)").header("accept", b"*/*")
}

fn form(kilobytes: usize, number: usize) -> Exchange {
    let body = format!("comment={}", prose(kilobytes, number).replace(' ', "+"));
    browser(Exchange::post("/comments", "application/x-www-form-urlencoded", body.as_bytes()))
}

/// Elements grow with the body, so that their number, which is limited, stays the same.
fn json(kilobytes: usize, number: usize) -> Exchange {
    let text = prose(kilobytes, number);
    let items: Vec<&str> =
        text.as_bytes().chunks(text.len() / 16).filter_map(|part| std::str::from_utf8(part).ok()).collect();
    let body = serde_json::json!({ "items": items }).to_string();
    browser(Exchange::post("/items", "application/json", body.as_bytes()))
}

fn response(kilobytes: usize, number: usize) -> Exchange {
    let body = prose(kilobytes, number).into_bytes();
    let pieces: Vec<&[u8]> = body.chunks(16 * 1024).collect();
    let mut exchange = browser(Exchange::get("/page")).answered_by(200, &pieces);
    exchange.response.headers = vec![("content-type".to_owned(), b"text/html".to_vec())];
    exchange
}

/// From 1 KB to 512 KB no step costs more than in proportion.
pub(crate) fn bodies(found: &Found) -> Result<(), String> {
    let kinds: [(&str, Make); 3] = [("form", form), ("JSON", json), ("response", response)];
    let mut host = start(&found.module, &found.rules.policy())?;
    println!("\n{:>10} {:>8} {:>16} {:>10}", "body", "KB", "fuel", "per byte");
    let mut bad = Vec::new();
    for (name, make) in kinds {
        let mut last: Option<(usize, u64)> = None;
        for kilobytes in SIZES {
            // Values that come back cost less, up to a size, which is not the question here.
            for number in 0..WARM {
                judge(&mut host, &make(kilobytes, number), false)?;
            }
            let fuel = judge(&mut host, &make(kilobytes, WARM), false)?.fuel;
            println!("{name:>10} {kilobytes:>8} {fuel:>16} {:>10}", fuel / (kilobytes as u64 * 1024));
            if let Some((before, cost)) = last {
                let (grew, by) = (fuel as f64 / cost as f64, kilobytes as f64 / before as f64);
                if grew > by * SLACK {
                    bad.push(format!(
                        "{name}: {before} to {kilobytes} KB costs {grew:.1} times, not {by:.1}"
                    ));
                }
            }
            last = Some((kilobytes, fuel));
        }
    }
    if bad.is_empty() { Ok(()) } else { Err(bad.join("\n")) }
}

/// Ten times as many rules cost less than three times as much, over all kinds that pass.
pub(crate) fn rules(found: &Found) -> Result<(), String> {
    let grown = found.rules.grown(RULES);
    let (few, many) = (found.rules.rules(), grown.rules());
    let mut small = start(&found.module, &found.rules.policy())?;
    let mut large = start(&found.module, &grown.policy())?;
    println!(
        "\n{few} and {many} rules; configuring takes {} and {} fuel; {} and {} KB of memory",
        small.start_fuel(),
        large.start_fuel(),
        small.memory_bytes() / 1024,
        large.memory_bytes() / 1024
    );
    println!("{:22} {:>14} {:>14} {:>6}", "fuel", few, many, "times");
    let mut logs = 0.0;
    let harmless: Vec<&Recorded> = found.workload.iter().filter(|recorded| !recorded.attack).collect();
    for recorded in &harmless {
        let exchange = exchange(recorded);
        let (before, after) = (warm(&mut small, &exchange, false)?, warm(&mut large, &exchange, false)?);
        let times = after as f64 / before as f64;
        println!("{:22} {before:>14} {after:>14} {times:>6.2}", recorded.id);
        logs += times.ln();
    }
    for recorded in found.workload.iter().filter(|recorded| recorded.attack) {
        judge(&mut large, &exchange(recorded), true)?;
    }
    let mean = (logs / harmless.len() as f64).exp();
    println!("{:22} {:>36.2}", "geometric mean", mean);
    if mean < RULES_GOAL {
        Ok(())
    } else {
        Err(format!(
            "{RULES} times as many rules cost {mean:.2} times as much; the goal is under {RULES_GOAL}"
        ))
    }
}
