//! The engine on recorded exchanges, natively: `cargo bench -p portcullis-benches`.
//!
//! The policy is `policies/generic.json`, a small set of the rules that services usually begin with. Each
//! exchange's outcome is checked before it is timed.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark talks to its user")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput};
use portcullis_benches::{Recorded, workload};
use portcullis_rules::eval::{Outcome, Transaction, UnixNanos};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

fn main() {
    let recorded = match workload() {
        Ok(recorded) => recorded,
        Err(problem) => {
            println!("SKIPPED: no workload ({problem}); set PORTCULLIS_SHARED to the shared data folder");
            return;
        }
    };
    let text = include_bytes!("../policies/generic.json");
    let loaded = policy::load(text, "policies/generic.json");
    for diagnostic in &loaded.diagnostics {
        println!("{}", diagnostic.one_line(&loaded.sources));
    }
    let policy = loaded.policy.expect("policies/generic.json is a valid policy");
    let plan = Arc::new(Plan::new(&policy).expect("policies/generic.json makes a plan"));
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("engine");
    for one in &recorded {
        let outcome = judge(&plan, one);
        let refused = matches!(outcome, Outcome::Interrupted(_));
        assert_eq!(refused, one.attack, "{}: {outcome:?}", one.id);
        group.throughput(Throughput::Elements(1));
        group.bench_function(&one.id, |bencher| bencher.iter(|| judge(&plan, black_box(one))));
    }
    group.finish();
    criterion.final_summary();
}

fn judge(plan: &Arc<Plan>, recorded: &Recorded) -> Outcome {
    let exchange = &recorded.exchange;
    let mut transaction = Transaction::new(Arc::clone(plan), &exchange.connection(), b"bench", NOW);
    let outcome = exchange.run(&mut transaction, NOW);
    black_box(transaction.take_matches());
    transaction.recycle();
    outcome
}
