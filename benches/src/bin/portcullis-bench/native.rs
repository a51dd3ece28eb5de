//! The engine and libmodsecurity 3 in one process, in short slices that alternate.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use portcullis_benches::crs::CoreRuleSet;
use portcullis_benches::stats::{Spread, geometric_mean};
use portcullis_benches::{Recorded, workload};
use portcullis_rules::eval::{Outcome, Transaction, UnixNanos};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use serde_json::{Map, Value, json};

use crate::modsecurity::{HELP, Modsecurity, Prepared};
use crate::report::{Check, Report, number, spread};
use crate::{Effort, progress};

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// How much less time than libmodsecurity it should take: on the geometric mean, and at least.
const GOAL_MEAN: f64 = 20.0;
const GOAL_EACH: f64 = 8.0;

/// One kind of request with its samples in nanoseconds per exchange.
struct Kind {
    recorded: Recorded,
    prepared: Prepared,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// A policy as the engine runs it.
pub(crate) fn plan(policy: &[u8]) -> Result<Plan> {
    let loaded = policy::load(policy, "policy");
    let problems = |found: &[portcullis_rules::diagnostic::Diagnostic]| {
        found.iter().map(|one| one.one_line(&loaded.sources)).collect::<Vec<_>>().join("\n")
    };
    let parsed = loaded.policy.as_ref().with_context(|| problems(&loaded.diagnostics))?;
    Plan::new(parsed).map_err(|found| anyhow::anyhow!(problems(&found)))
}

fn judge(plan: &Arc<Plan>, recorded: &Recorded, number: u64) -> Outcome {
    let exchange = &recorded.exchange;
    let id = format!("{number:08x}-0000-4000-8000-{number:012x}");
    let mut transaction = Transaction::new(Arc::clone(plan), &exchange.connection(), id.as_bytes(), NOW);
    let outcome = exchange.run(&mut transaction, NOW);
    black_box(transaction.take_matches());
    transaction.recycle();
    outcome
}

/// Runs `one` for about as long as `slice`, at least once. Nanoseconds per call.
fn time(slice: Duration, mut one: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut calls = 0_u32;
    loop {
        one();
        calls += 1;
        let elapsed = started.elapsed();
        if elapsed >= slice {
            return elapsed.as_nanos() as f64 / f64::from(calls);
        }
    }
}

/// Measures both.
pub(crate) fn run(effort: Effort) -> Result<Report> {
    let policy = CoreRuleSet::read()?.policy();
    progress("native: loading the Core Rule Set");
    let started = Instant::now();
    let plan = Arc::new(plan(&policy)?);
    let load_ours = started.elapsed();
    let started = Instant::now();
    let rival = Modsecurity::load()?;
    let load_theirs = started.elapsed();
    let mut kinds = Vec::new();
    let mut number = 0;
    for recorded in workload().map_err(|problem| anyhow::anyhow!("{problem}"))? {
        let prepared = Prepared::new(&recorded)?;
        let outcome = judge(&plan, &recorded, number);
        let refused = matches!(outcome, Outcome::Interrupted(_));
        ensure!(refused == recorded.attack, "the engine is wrong about {}: {outcome:?}", recorded.id);
        if let Some(rival) = &rival {
            let refused = rival.judge(&prepared);
            ensure!(refused == recorded.attack, "libmodsecurity is wrong about {}", recorded.id);
        }
        kinds.push(Kind { recorded, prepared, ours: Vec::new(), theirs: Vec::new() });
    }
    let slice = Duration::from_millis(3);
    for round in 0..effort.pick(9, 41) {
        progress(&format!("native: round {}", round + 1));
        for kind in &mut kinds {
            // Who goes first changes, so that a drift favours nobody.
            for ours in [round % 2 == 0, round % 2 != 0] {
                if ours {
                    kind.ours.push(time(slice, || {
                        number += 1;
                        black_box(judge(&plan, &kind.recorded, number));
                    }));
                } else if let Some(rival) = &rival {
                    kind.theirs.push(time(slice, || {
                        black_box(rival.judge(&kind.prepared));
                    }));
                }
            }
        }
    }
    Ok(report(&kinds, rival.as_ref(), load_ours, load_theirs))
}

fn report(kinds: &[Kind], rival: Option<&Modsecurity>, ours: Duration, theirs: Duration) -> Report {
    let mut report = Report {
        name: "native",
        title: "Natively, per exchange in microseconds".to_owned(),
        columns: vec!["exchange", "Portcullis", "libmodsecurity 3", "times less", "goal", "met"],
        ..Report::default()
    };
    report.notes.push(match rival {
        Some(rival) => format!(
            "{}, {} (loaded in {} ms); Portcullis loads in {} ms. Median of {} pairs of slices, 10th to 90th percentile.",
            rival.version.trim(),
            rival.file.rsplit('/').next().unwrap_or_default(),
            theirs.as_millis(),
            ours.as_millis(),
            kinds.first().map_or(0, |kind| kind.ours.len())
        ),
        None => format!("SKIPPED the rival: {HELP}"),
    });
    let mut ratios = Vec::new();
    let mut data = Map::new();
    for kind in kinds {
        let micros = |sample: &[f64]| Spread::of(&sample.iter().map(|nanos| nanos / 1e3).collect::<Vec<_>>());
        let (mine, rivals) = (micros(&kind.ours), micros(&kind.theirs));
        let pairs = kind.theirs.iter().zip(&kind.ours).map(|(theirs, ours)| theirs / ours);
        let ratio = Spread::of(&pairs.collect::<Vec<_>>());
        let mut row = vec![kind.recorded.id.clone(), spread(mine)];
        if rival.is_some() {
            let met = if ratio.median >= GOAL_EACH { "yes" } else { "NO" };
            row.extend([spread(rivals), spread(ratio), number(GOAL_EACH), met.to_owned()]);
            ratios.push(ratio.median);
        }
        report.rows.push(row);
        data.insert(
            kind.recorded.id.clone(),
            json!({ "portcullis_us": mine, "libmodsecurity_us": rivals, "ratio": ratio }),
        );
    }
    if rival.is_some() {
        let mean = geometric_mean(&ratios);
        report.checks.push(Check::at_least("Geometric mean of the kinds", mean, GOAL_MEAN, " times less"));
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        report.checks.push(Check::at_least("Least of the kinds", least, GOAL_EACH, " times less"));
    }
    report.data = Value::Object(data);
    report
}
