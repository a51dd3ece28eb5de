//! What a worker costs: time and memory until it is ready, memory over many requests, the module's size.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use portcullis_benches::stats::Spread;
use serde_json::json;

use crate::http::Client;
use crate::report::{Check, Report, number, spread};
use crate::stage::{Filter, Side, Stage};
use crate::{Effort, progress};

const MB: f64 = 1024.0;

/// Start-up.
pub(crate) fn start(stage: &Stage, effort: Effort) -> Result<Report> {
    let mut configure = Vec::new();
    for _ in 0..effort.pick(1, 5) {
        progress("start: Envoy with a log of each call");
        let side = stage.start(&Filter::Portcullis, 1, "trace")?;
        configure.extend(durations(&side.log(), "proxy_on_configure")?);
    }
    ensure!(!configure.is_empty(), "Envoy's log says nothing of proxy_on_configure");
    progress("start: memory");
    let resident = |filter: &Filter, workers: u32| -> Result<(f64, f64)> {
        let side = stage.start(filter, workers, "warning")?;
        let idle = settled(&side);
        stage.warm_up(&side, Duration::from_millis(effort.pick(1_000, 3_000)))?;
        Ok((idle / MB, settled(&side) / MB))
    };
    let (alone, alone_warm) = resident(&Filter::None, 1)?;
    let (one, one_warm) = resident(&Filter::Portcullis, 1)?;
    let (three, _) = resident(&Filter::Portcullis, 3)?;
    let (alone_three, _) = resident(&Filter::None, 3)?;
    let worker = ((three - alone_three) - (one - alone)) / 2.0;
    let size = fs::metadata(&stage.module)?.len() as f64 / 1024.0 / 1024.0;
    let configure = Spread::of(&configure);
    let mut report = Report {
        name: "start",
        title: "Start and memory, Core Rule Set".to_owned(),
        columns: vec!["what", "measured"],
        ..Report::default()
    };
    report.notes.push(
        "The time is that of on_configure in Envoy's own log; a worker is ready when it returns. Resident memory; \
         with one worker Envoy has the module twice, in its main thread as well."
            .to_owned(),
    );
    let row = |what: &str, value: String| vec![what.to_owned(), value];
    report.rows = vec![
        row("on_configure, ms", spread(configure)),
        row("Envoy alone, MB", number(alone)),
        row("Envoy alone after requests, MB", number(alone_warm)),
        row("with Portcullis, one worker, MB", number(one)),
        row("with Portcullis, one worker, after requests, MB", number(one_warm)),
        row("the module and its worker, over Envoy alone, MB", number(one - alone)),
        row("each further worker adds, MB", number(worker)),
        row("the module, MB", number(size)),
    ];
    report.checks = vec![
        Check::at_most("A worker is ready after on_configure", configure.median, 300.0, " ms"),
        Check::at_most("Memory of each further worker", worker, 48.0, " MB"),
        Check::at_most("Size of the module", size, 3.0, " MB"),
    ];
    report.data = json!({
        "on_configure_ms": configure, "alone_mb": alone, "alone_warm_mb": alone_warm, "one_worker_mb": one,
        "one_worker_warm_mb": one_warm, "worker_mb": worker, "module_mb": size,
    });
    Ok(report)
}

/// Resident memory once it has come to rest.
fn settled(side: &Side) -> f64 {
    thread::sleep(Duration::from_millis(300));
    side.resident()
}

/// How long each call of a function took, in milliseconds, by thread.
fn durations(log: &str, function: &str) -> Result<Vec<f64>> {
    let mut began: Vec<(String, f64)> = Vec::new();
    let mut found = Vec::new();
    for line in log.lines().filter(|line| line.contains(function)) {
        let Some((stamp, rest)) = line.strip_prefix('[').and_then(|line| line.split_once("][")) else {
            continue;
        };
        let thread = rest.split(']').next().unwrap_or_default().to_owned();
        let time = stamp.split_once(' ').and_then(|(_, clock)| milliseconds(clock)).context("a time")?;
        if line.contains("[host->vm]") {
            began.push((thread, time));
        } else if line.contains("[host<-vm]")
            && let Some(place) = began.iter().rposition(|(other, _)| *other == thread)
        {
            found.push(time - began.remove(place).1);
        }
    }
    Ok(found)
}

/// `12:34:56.789`.
fn milliseconds(clock: &str) -> Option<f64> {
    let mut parts = clock.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    Some(((next()? * 60.0 + next()?) * 60.0 + next()?) * 1e3)
}

/// Memory over many requests of all kinds.
pub(crate) fn soak(stage: &Stage, effort: Effort) -> Result<Report> {
    let (first, last) = effort.pick((2_000, 10_000), (5_000, 50_000));
    let side = stage.start(&Filter::Portcullis, 1, "warning")?;
    stage.check(&side)?;
    let mut client = Client::new(side.address())?;
    let mut requests = stage.requests();
    let kinds = requests.len();
    let mut rows = Vec::new();
    let mut reference = 0.0;
    for number_sent in 1..=last {
        let request = requests.get_mut(number_sent % kinds).context("a request")?;
        client.send(request)?;
        if number_sent == first {
            reference = settled(&side);
        }
        if number_sent % (last / 10) == 0 {
            progress(&format!("soak: {number_sent} of {last}"));
            rows.push(vec![number_sent.to_string(), number(side.resident() / MB)]);
        }
    }
    let gained = (settled(&side) - reference) / MB;
    stage.check(&side)?;
    Ok(Report {
        name: "soak",
        title: format!("Memory over {last} requests of all kinds, one connection"),
        columns: vec!["requests", "resident, MB"],
        rows,
        checks: vec![Check::at_most(format!("Memory gained since request {first}"), gained, 2.0, " MB")],
        data: json!({ "first": first, "last": last, "gained_mb": gained, "first_mb": reference / MB }),
        ..Report::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_timed_by_thread() {
        let log = "[2026-01-01 00:00:59.900][7][trace][wasm] [x] [host->vm] proxy_on_configure(1, 9)\n\
                   [2026-01-01 00:01:00.000][8][trace][wasm] [x] [host->vm] proxy_on_configure(1, 9)\n\
                   [2026-01-01 00:01:00.000][7][trace][wasm] [x] [host<-vm] proxy_on_configure return: 1\n\
                   [2026-01-01 00:01:00.250][8][trace][wasm] [x] [host<-vm] proxy_on_configure return: 1\n\
                   unrelated\n";
        let found = durations(log, "proxy_on_configure").unwrap();
        assert_eq!(found.iter().map(|time| time.round()).collect::<Vec<_>>(), [100.0, 250.0]);
    }
}
