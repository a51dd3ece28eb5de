//! Envoy with the module against Envoy alone, one request after the other over one connection.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use portcullis_benches::stats::{Spread, percentile};
use serde_json::{Map, Value, json};

use crate::http::{Client, Wire};
use crate::report::{Check, Report, number, spread};
use crate::stage::{Filter, Side, Stage};
use crate::{Effort, progress};

/// Most times of Envoy's own, by the first letter of the kind.
const GOALS: [(&str, f64); 8] =
    [("a_", 1.8), ("b_", 2.0), ("c_", 2.5), ("d_", 4.0), ("e_", 20.0), ("f_", 3.0), ("j_", 3.0), ("k_", 4.0)];

/// What a slice took per request, in microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Slice {
    /// On the clock: the median of its requests, so that a request during which the machine did something else
    /// does not count.
    pub(crate) clock: f64,
    /// On the clock, the mean.
    mean: f64,
    /// Of Envoy's processor time, the mean.
    pub(crate) cpu: f64,
}

/// Sends one request again and again for about as long as `time`.
pub(crate) fn slice(side: &Side, client: &mut Client, request: &mut Wire, time: Duration) -> Result<Slice> {
    let cpu = side.cpu();
    let started = Instant::now();
    let mut took = Vec::new();
    let mut last = Duration::ZERO;
    while last < time {
        client.send(request)?;
        let now = started.elapsed();
        took.push((now - last).as_nanos() as f64 / 1e3);
        last = now;
    }
    let per = |nanos: f64| nanos / 1e3 / took.len() as f64;
    Ok(Slice {
        clock: percentile(&took, 50.0),
        mean: per(last.as_nanos() as f64),
        cpu: per((side.cpu() - cpu) as f64),
    })
}

/// Measures each kind.
pub(crate) fn run(stage: &Stage, rival: Option<&Path>, effort: Effort) -> Result<Report> {
    let mut filters = vec![Filter::None, Filter::Portcullis];
    filters.extend(rival.map(|file| Filter::Rival(file.to_owned())));
    let mut sides = Vec::new();
    let warm_up = Duration::from_millis(effort.pick(2_000, 6_000));
    for filter in &filters {
        let side = stage.start(filter, 1, "warning")?;
        stage.check(&side)?;
        stage.warm_up(&side, warm_up)?;
        sides.push(side);
    }
    let mut clients = sides.iter().map(|side| Client::new(side.address())).collect::<Result<Vec<_>>>()?;
    let mut requests = stage.requests();
    // Per kind and side.
    let mut samples = vec![vec![Vec::<Slice>::new(); sides.len()]; requests.len()];
    let time = Duration::from_millis(12);
    let rounds = effort.pick(9, 61);
    for round in 0..rounds {
        progress(&format!("Envoy: round {} of {rounds}", round + 1));
        for (request, samples) in requests.iter_mut().zip(&mut samples) {
            let mut order: Vec<usize> = (0..sides.len()).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for place in order {
                if let (Some(side), Some(client), Some(sample)) =
                    (sides.get(place), clients.get_mut(place), samples.get_mut(place))
                {
                    // Caches forget what the others' slices displaced.
                    client.send(request)?;
                    sample.push(slice(side, client, request, time)?);
                }
            }
        }
    }
    Ok(report(stage, &samples, warm_up, rival.is_some()))
}

fn report(stage: &Stage, samples: &[Vec<Vec<Slice>>], warm_up: Duration, rival: bool) -> Report {
    let mut report = Report {
        name: "envoy",
        title: "In Envoy, one request after the other, microseconds per request".to_owned(),
        columns: vec!["exchange", "alone", "with Portcullis", "times", "processor", "goal", "met"],
        ..Report::default()
    };
    if rival {
        report.columns.push("rival, times");
    }
    let rounds = samples.first().and_then(|sides| sides.first()).map_or(0, Vec::len);
    report.notes.push(format!(
        "Warmed up for {} s with all kinds. Median request of a slice; median of {rounds} slices of each, 10th to 90th \
         percentile of pairs. `processor` is Envoy's own processor time with the module over that without.",
        warm_up.as_secs_f32()
    ));
    let mut data = Map::new();
    for (recorded, sides) in stage.workload.iter().zip(samples) {
        let of = |side: usize, value: fn(&Slice) -> f64| -> Vec<f64> {
            sides.get(side).map(|sample| sample.iter().map(value).collect()).unwrap_or_default()
        };
        let clock = |slice: &Slice| slice.clock;
        let mean = |slice: &Slice| slice.mean;
        let cpu = |slice: &Slice| slice.cpu;
        let ratio = |side, value: fn(&Slice) -> f64| {
            let pairs = of(side, value).into_iter().zip(of(0, value));
            Spread::of(&pairs.map(|(with, without)| with / without).collect::<Vec<_>>())
        };
        let (alone, with) = (Spread::of(&of(0, clock)), Spread::of(&of(1, clock)));
        let (times, processor) = (ratio(1, clock), ratio(1, cpu));
        let goal = GOALS.iter().find(|(prefix, _)| recorded.id.starts_with(prefix)).map(|(_, goal)| *goal);
        let met = goal.map_or("", |goal| if times.median <= goal { "yes" } else { "NO" });
        let mut row = vec![
            recorded.id.clone(),
            number(alone.median),
            number(with.median),
            spread(times),
            number(processor.median),
            goal.map_or_else(|| "-".to_owned(), number),
            met.to_owned(),
        ];
        let mut entry = json!({ "alone_us": alone, "with_us": with, "times": times,
            "times_of_means": ratio(1, mean), "processor_times": processor, "processor_us": Spread::of(&of(1, cpu)) });
        if rival {
            let times = ratio(2, clock);
            row.push(spread(times));
            entry.as_object_mut().map(|entry| entry.insert("rival_times".to_owned(), json!(times)));
        }
        report.rows.push(row);
        data.insert(recorded.id.clone(), entry);
        if let Some(goal) = goal {
            report.checks.push(Check::at_most(
                format!("{} in Envoy", recorded.id),
                times.median,
                goal,
                " times",
            ));
        }
    }
    report.data = Value::Object(data);
    report
}
