//! Fuel per kind of request against the committed baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::module::{Found, exchange, judge, start};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuel.json");

/// Change in percent from which the baseline is no longer true.
const TOLERANCE: u64 = 3;

/// Exchanges of a kind before the one that counts: regular expressions are built when they are first needed, and
/// lazily built automata fill up.
const WARM: usize = 20;

/// Measures and compares.
pub(crate) fn check(found: &Found) -> Result<(), String> {
    let measured = measure(found)?;
    let updating = std::env::var_os("UPDATE_FUEL").is_some();
    let old = match std::fs::read_to_string(FILE) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| format!("{FILE}: {error}"))?,
        Err(_) if updating => BTreeMap::new(),
        Err(error) => return Err(format!("{FILE}: {error}; `cargo xtask bench --fuel --update` makes it")),
    };
    let (table, changed) = compare(&old, &measured);
    println!("\n{table}");
    if updating {
        let text = serde_json::to_string_pretty(&measured).map_err(|error| error.to_string())?;
        return std::fs::write(Path::new(FILE), text + "\n").map_err(|error| format!("{FILE}: {error}"));
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "fuel changed by more than {TOLERANCE} %:\n{}\nIf that is meant to be, update the baseline: cargo xtask bench --fuel --update",
        changed.join("\n")
    ))
}

/// Fuel of starting with the Core Rule Set, of each kind when warm, and of all kinds once on a fresh worker.
fn measure(found: &Found) -> Result<BTreeMap<String, u64>, String> {
    let policy = found.rules.policy();
    let mut host = start(&found.module, &policy)?;
    let mut measured = BTreeMap::from([("configure".to_owned(), host.start_fuel())]);
    let mut cold = 0;
    for recorded in &found.workload {
        cold += judge(&mut host, &exchange(recorded), recorded.attack)?.fuel;
    }
    measured.insert("all_kinds_cold".to_owned(), cold);
    for _ in 1..WARM {
        for recorded in &found.workload {
            judge(&mut host, &exchange(recorded), recorded.attack)?;
        }
    }
    for recorded in &found.workload {
        let fuel = judge(&mut host, &exchange(recorded), recorded.attack)?.fuel;
        measured.insert(recorded.id.clone(), fuel);
    }
    measured.insert("memory_bytes".to_owned(), host.memory_bytes() as u64);
    Ok(measured)
}

/// A table, and the lines of it that are off by more than the tolerance.
fn compare(old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>) -> (String, Vec<String>) {
    let mut table = format!("{:22} {:>14} {:>14} {:>8}\n", "fuel", "baseline", "now", "change");
    let mut changed = Vec::new();
    for (name, now) in new {
        let Some(before) = old.get(name) else {
            let _ = writeln!(table, "{name:22} {:>14} {now:>14}", "-");
            changed.push(format!("  {name}: {now}, not in the baseline"));
            continue;
        };
        let percent = (*now as f64 / (*before as f64).max(1.0) - 1.0) * 100.0;
        let line = format!("{name:22} {before:>14} {now:>14} {percent:>+7.1}%");
        let _ = writeln!(table, "{line}");
        if now.abs_diff(*before) * 100 > before * TOLERANCE {
            changed.push(format!("  {line} {}", if percent > 0.0 { "ROSE" } else { "fell" }));
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        changed.push(format!("  {name}: in the baseline, not measured any more"));
    }
    (table, changed)
}

/// What the comparison says of a rise, a fall, something new and something gone.
pub(crate) fn compares() -> Result<(), String> {
    let map = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, fuel)| ((*name).to_owned(), *fuel)).collect();
    let old: BTreeMap<_, _> = map(&[("same", 100), ("rose", 100), ("fell", 100), ("gone", 1)]);
    let new: BTreeMap<_, _> = map(&[("same", 103), ("rose", 104), ("fell", 96), ("new", 1)]);
    let (_, changed) = compare(&old, &new);
    let text = changed.join("\n");
    let expected = ["fell:", "new:", "rose:", "gone:"].len();
    if changed.len() == expected
        && text.contains("+4.0% ROSE")
        && text.contains("-4.0% fell")
        && !text.contains("same")
    {
        Ok(())
    } else {
        Err(text)
    }
}
