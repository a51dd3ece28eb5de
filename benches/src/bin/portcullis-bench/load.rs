//! Many connections at once: throughput, and what large bodies do to a plain GET.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use portcullis_benches::stats::{Spread, percentile};
use serde_json::json;

use crate::http::{Client, Wire};
use crate::report::{Check, Report, number, spread};
use crate::sequence::slice;
use crate::stage::{Filter, Side, Stage};
use crate::{Effort, progress};

/// Connections of the throughput measurement.
const CONNECTIONS: usize = 16;
/// Clients that post JSON beside a plain GET.
const POSTING: usize = 64;
/// How far a wait may be beyond what explains it, as a factor.
const BEYOND: f64 = 1.25;

/// What `connections` clients got out of an Envoy.
struct Window {
    per_second: f64,
    /// Milliseconds of each request, in no order.
    latencies: Vec<f64>,
    cpu_us: f64,
}

/// Clients that send a request again and again, for so long.
fn window(side: &Side, request: &Wire, connections: usize, time: Duration) -> Result<Window> {
    let address = side.address();
    let cpu = side.cpu();
    let started = Instant::now();
    let latencies = thread::scope(|scope| {
        let clients: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| repeat(address, request.clone(), || started.elapsed() < time)))
            .collect();
        let results =
            clients.into_iter().map(|client| client.join().map_err(|_| anyhow!("a client panicked"))?);
        results.collect::<Result<Vec<_>>>()
    })?;
    let elapsed = started.elapsed();
    let latencies = latencies.concat();
    let count = latencies.len() as f64;
    Ok(Window {
        per_second: count / elapsed.as_secs_f64(),
        latencies,
        cpu_us: (side.cpu() - cpu) as f64 / 1e3 / count,
    })
}

/// Milliseconds of each request.
fn repeat(address: SocketAddr, mut request: Wire, go_on: impl Fn() -> bool) -> Result<Vec<f64>> {
    let mut client = Client::new(address)?;
    let mut latencies = Vec::new();
    while go_on() {
        let started = Instant::now();
        let status = client.send(&mut request)?;
        ensure!((200..300).contains(&status), "status {status} under load");
        latencies.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(latencies)
}

/// Measures all of it.
pub(crate) fn run(stage: &Stage, effort: Effort) -> Result<Report> {
    let mut load = Load {
        stage,
        alone: stage.start(&Filter::None, 1, "warning")?,
        guarded: stage.start(&Filter::Portcullis, 1, "warning")?,
        effort,
        report: Report {
            name: "load",
            title: "Under load".to_owned(),
            columns: vec!["what", "alone", "with Portcullis", "ratio"],
            ..Report::default()
        },
    };
    // Before anything else than plain requests has been there.
    load.after_json()?;
    for side in [&load.alone, &load.guarded] {
        stage.warm_up(side, Duration::from_millis(effort.pick(1_000, 4_000)))?;
    }
    load.throughput()?;
    load.beside_json()?;
    Ok(load.report)
}

/// Both Envoys, and what was found of them so far.
struct Load<'s> {
    stage: &'s Stage,
    alone: Side,
    guarded: Side,
    effort: Effort,
    report: Report,
}

impl Load<'_> {
    fn throughput(&mut self) -> Result<()> {
        let request = self.stage.request("a_")?;
        let rounds = self.effort.pick(4, 12);
        let time = Duration::from_millis(self.effort.pick(400, 800));
        let mut windows = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            progress(&format!("load: throughput, round {} of {rounds}", round + 1));
            for side in [round % 2, 1 - round % 2] {
                let envoy = if side == 0 { &self.alone } else { &self.guarded };
                if let Some(windows) = windows.get_mut(side) {
                    windows.push(window(envoy, &request, CONNECTIONS, time)?);
                }
            }
        }
        let [alone, with] = &windows;
        let mut row = |what: &str, value: fn(&Window) -> f64| {
            let of = |windows: &[Window]| Spread::of(&windows.iter().map(value).collect::<Vec<_>>());
            let pairs = with.iter().zip(alone).map(|(with, alone)| value(with) / value(alone));
            let ratio = Spread::of(&pairs.collect::<Vec<_>>());
            let (alone, with) = (of(alone), of(with));
            self.report.rows.push(vec![what.to_owned(), spread(alone), spread(with), spread(ratio)]);
            (ratio, json!({ "alone": alone, "with": with, "ratio": ratio }))
        };
        let (ratio, rate) = row("plain GET, 16 connections, per second", |window| window.per_second);
        let (_, median) = row("the same, median ms", |window| percentile(&window.latencies, 50.0));
        let (_, p99) = row("the same, 99th percentile ms", |window| percentile(&window.latencies, 99.0));
        let (_, cpu) = row("the same, Envoy's processor time us", |window| window.cpu_us);
        let goal = "Throughput at 16 connections, part of Envoy's alone";
        self.report.checks.push(Check::at_least(goal, ratio.median, 0.5, ""));
        self.report.data =
            json!({ "per_second": rate, "median_ms": median, "p99_ms": p99, "processor_us": cpu });
        Ok(())
    }

    /// A plain GET on a worker that has seen only plain GETs, and on the same after it has seen a JSON of 32 KB.
    fn after_json(&mut self) -> Result<()> {
        progress("load: a plain GET before and after 32 KB of JSON");
        let mut get = self.stage.request("a_")?;
        let mut json = self.stage.request("e_")?;
        let (mut reference, mut client) =
            (Client::new(self.alone.address())?, Client::new(self.guarded.address())?);
        let time = Duration::from_millis(10);
        let warm = Duration::from_millis(self.effort.pick(1_500, 4_000));
        slice(&self.guarded, &mut client, &mut get, warm)?;
        let mut times = |rounds: usize| -> Result<Spread> {
            let mut ratios = Vec::new();
            for _ in 0..rounds {
                let without = slice(&self.alone, &mut reference, &mut get, time)?;
                ratios.push(slice(&self.guarded, &mut client, &mut get, time)?.clock / without.clock);
            }
            Ok(Spread::of(&ratios))
        };
        let rounds = self.effort.pick(25, 100);
        let before = times(rounds)?;
        let mut posting = Client::new(self.guarded.address())?;
        for _ in 0..10 {
            posting.send(&mut json)?;
        }
        let after = times(rounds)?;
        let row = |what: &str, value| vec![what.to_owned(), "1".to_owned(), spread(value), String::new()];
        self.report.rows.push(row("plain GET before 32 KB JSON, times", before));
        self.report.rows.push(row("plain GET after ten of them, times", after));
        let what = "A plain GET after 32 KB of JSON, times before";
        self.report.checks.push(Check::at_most(what, after.median / before.median, 1.1, ""));
        Ok(())
    }

    /// How long a plain GET waits beside many clients that post JSON: what is ahead of it in the worker's queue is
    /// one request of each of them. How far the slowest wait longer shows Envoy alone as well: then it is due to all those
    /// clients, which have to share the processor.
    fn beside_json(&mut self) -> Result<()> {
        let (alone, with) = (
            Beside::measure(self.stage, &self.alone, self.effort)?,
            Beside::measure(self.stage, &self.guarded, self.effort)?,
        );
        let mut row = |what: &str, value: fn(&Beside) -> f64| {
            let ratio = number(value(&with) / value(&alone));
            self.report.rows.push(vec![what.to_owned(), number(value(&alone)), number(value(&with)), ratio]);
        };
        row("JSON 32 KB from 64 clients, per second", |beside| beside.per_second);
        row("the work of 64 of them, ms", |beside| beside.work);
        row("a plain GET beside them, median ms", |beside| beside.median);
        row("the same, 99th percentile ms", |beside| beside.p99);
        row("the same, 99th percentile over twice the work", Beside::tail);
        let gained = "memory gained meanwhile, MB".to_owned();
        self.report.rows.push(vec![gained, String::new(), number(with.gained), String::new()]);
        let what = "A plain GET's median wait over the work of the 64";
        self.report.checks.push(Check::at_most(what, with.median / with.work, BEYOND, ""));
        let what = "The 99th percentile of its wait over twice their work, beside Envoy's alone";
        self.report.checks.push(Check::at_most(what, with.tail() / alone.tail().max(1.0), BEYOND, ""));
        Ok(())
    }
}

/// A plain GET beside many clients that post JSON.
struct Beside {
    /// JSON that the clients got through, per second.
    per_second: f64,
    /// Milliseconds of work for one request of each client.
    work: f64,
    /// Milliseconds that the GET took, in the median and in the 99th percentile.
    median: f64,
    p99: f64,
    /// Memory that Envoy gained meanwhile, in MB.
    gained: f64,
}

impl Beside {
    fn measure(stage: &Stage, side: &Side, effort: Effort) -> Result<Self> {
        progress(&format!("load: a plain GET beside 64 clients that post JSON, Envoy {}", side.name));
        let (get, json) = (stage.request("a_")?, stage.request("e_")?);
        let time = Duration::from_millis(effort.pick(2_000, 6_000));
        let before = side.resident();
        // What exchanges leave to those that follow has to grow for as many as there are at once.
        window(side, &json, POSTING, time / 4)?;
        let done = AtomicBool::new(false);
        let address = side.address();
        let (gets, posts) = thread::scope(|scope| {
            let beside = scope.spawn(|| repeat(address, get.clone(), || !done.load(Ordering::Relaxed)));
            let posts = window(side, &json, POSTING, time);
            done.store(true, Ordering::Relaxed);
            let gets = beside.join().map_err(|_| anyhow!("a client panicked"))?;
            anyhow::Ok((gets?, posts?))
        })?;
        Ok(Self {
            per_second: posts.per_second,
            work: POSTING as f64 * 1e3 / posts.per_second,
            median: percentile(&gets, 50.0),
            p99: percentile(&gets, 99.0),
            gained: (side.resident() - before) / 1024.0,
        })
    }

    /// The 99th percentile over twice the work: the GET may find all of them before it with its request, and again with
    /// its answer.
    fn tail(&self) -> f64 {
        self.p99 / (2.0 * self.work)
    }
}
