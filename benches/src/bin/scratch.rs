//! scratch
#![allow(
    clippy::all,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs
)]
use portcullis_benches::{shared, workload};
use portcullis_rules::eval::{Outcome, Transaction, UnixNanos};
use portcullis_rules::host::{Source, SourceError};
use portcullis_rules::model::Policy;
use portcullis_rules::plan::Plan;
use portcullis_rules::seclang::{self, Document};
use std::sync::Arc;
use std::time::Instant;
struct Disk;
impl Source for Disk {
    fn read(&self, name: &str, rel: &str) -> Result<Vec<u8>, SourceError> {
        let p = portcullis_rules::host::resolve(name, rel);
        std::fs::read(&p).map_err(|e| SourceError { name: name.into(), reason: e.to_string() })
    }
}
#[inline(never)]
fn measured(plan: &Arc<Plan>, r: &portcullis_benches::Recorded) {
    let mut tx = Transaction::new(
        plan.clone(),
        &r.exchange.connection(),
        b"bench",
        UnixNanos(1_700_000_000_000_000_000),
    );
    let o = r.exchange.run(&mut tx, UnixNanos(1_700_000_000_000_000_000));
    std::hint::black_box((o, tx.take_matches()));
}
fn main() {
    let crs = shared().join("crs");
    let mut names = vec![crs.join("crs-setup.conf.example")];
    let mut rules: Vec<_> = std::fs::read_dir(crs.join("rules"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "conf"))
        .collect();
    rules.sort();
    names.extend(rules);
    let mut docs = vec![("setup.conf".to_string(), b"SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecRequestBodyLimit 1048576\nSecRequestBodyLimitAction ProcessPartial\nSecResponseBodyMimeType text/plain text/html text/xml application/json\nSecRule REQUEST_HEADERS:Content-Type \"^application/json\" \"id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"\n".to_vec())];
    for n in &names {
        docs.push((n.to_string_lossy().into_owned(), std::fs::read(n).unwrap()));
    }
    let t = Instant::now();
    let mut sources = Default::default();
    let documents: Vec<_> = docs.iter().map(|(n, t)| Document { name: n, text: t }).collect();
    let parsed = seclang::parse(&documents, &Disk, &mut sources, Default::default());
    for d in parsed.diagnostics.iter().take(5) {
        println!("{}", d.one_line(&sources));
    }
    let mut policy = Policy::default();
    policy.rule_sets.push(parsed.rule_set);
    let t1 = t.elapsed();
    let plan = Arc::new(Plan::new(&policy).unwrap());
    println!("parse {:?} plan {:?} rules {}", t1, t.elapsed() - t1, plan.rule_count());
    let only = std::env::args().nth(1);
    let mut logs = 0f64;
    let mut n = 0;
    for r in workload().unwrap() {
        if only.as_ref().is_some_and(|o| !r.id.starts_with(o.as_str())) {
            continue;
        }
        let run = || {
            let mut tx = Transaction::new(
                plan.clone(),
                &r.exchange.connection(),
                b"bench",
                UnixNanos(1_700_000_000_000_000_000),
            );
            let o = r.exchange.run(&mut tx, UnixNanos(1_700_000_000_000_000_000));
            (o, tx.take_matches())
        };
        let (o, m) = run();
        assert_eq!(
            matches!(o, Outcome::Interrupted(_)),
            r.attack,
            "{} {:?} {:?}",
            r.id,
            o,
            m.iter().map(|m| m.rule_id).collect::<Vec<_>>()
        );
        for _ in 0..5 {
            run();
        }
        if std::env::var_os("CG").is_some() {
            for _ in 0..10 {
                measured(&plan, &r);
            }
            continue;
        }
        let mut best = Vec::new();
        let start = Instant::now();
        while start.elapsed().as_millis() < 600 {
            let t = Instant::now();
            run();
            best.push(t.elapsed().as_nanos() as f64 / 1000.0);
        }
        best.sort_by(|a, b| a.total_cmp(b));
        let med = best[best.len() / 2];
        logs += med.ln();
        n += 1;
        println!("{:<24} {:>10.1} us  (min {:.1})", r.id, med, best[0]);
    }
    println!("geomean {:.1}", (logs / n as f64).exp());
}
