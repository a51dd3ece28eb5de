//! `portcullis risk simulate`: what a client's score does over a list of events.

use std::fmt::Write as _;
use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_rules::diagnostic::did_you_mean;
use portcullis_rules::eval::UnixNanos;
use portcullis_rules::exchange::fields::{Fields, integer, text};
use portcullis_rules::exchange::{Moment, moment};
use portcullis_rules::risk::{Event, KillChain, Point, RiskAction, RiskSettings, Standing, Switches, curve};
use serde_json::{Value, json};

use crate::lines;
use crate::output::{Output, say};

/// Try out what the score of a client leads to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  portcullis risk simulate --policy policy.json < events.jsonl

portcullis risk simulate --help says what events are.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Simulate(Simulate),
}

/// Play a client's events and print its curve
///
/// Reads events from the standard input, one JSON object per line, in the order of their times.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  printf '%s\n' '{"time":0,"risk":50}' '{"time":60,"risk":50,"state":"Exploitation"}' '{"time":61,"risk":95}' \
    | portcullis risk simulate
  portcullis risk simulate --policy policy.json --format svg --hours 2 < events.jsonl > curve.svg

An event: {"time": seconds or RFC 3339, "risk": 0 to 100, "state": a kill-chain state, "action":
  "track|block|tarpit|interrogate"}, or {"time", "add": N}, or {"time", "subtract": N}

Without a policy, or with one that has no risk part, the defaults hold, with all switches on.

Exit status:
  0  the curve was printed
  1  the policy or an event can't be used
  2  wrong usage, or a file can't be read"#)]
struct Simulate {
    /// Take the settings from this policy's risk part
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How the curve is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Seconds between two points without event
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    step: u64,
    /// Hours for which the curve goes on after the last event
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// Columns of text
    Table,
    /// An array of objects
    Json,
    /// A picture
    Svg,
}

/// Most points of a curve.
const POINTS: usize = 100_000;

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Command::Simulate(simulate) = &arguments.command;
    let settings = match &simulate.policy {
        None => RiskSettings { switches: ALL, ..RiskSettings::default() },
        Some(file) => {
            let text = crate::source::contents(file)?;
            let loaded = portcullis_rules::policy::load(&text, &file.display().to_string());
            crate::policy::report(&loaded.diagnostics, &loaded.sources);
            let Some(policy) = loaded.policy else { return Ok(ExitCode::FAILURE) };
            policy.risk.map_or_else(
                || RiskSettings { switches: ALL, ..RiskSettings::default() },
                |risk| RiskSettings::clone(&risk),
            )
        }
    };
    let mut events = Vec::new();
    for (number, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let line = line.context("can't read the standard input")?;
        match lines::object(&line).and_then(|object| object.as_ref().map(event).transpose()) {
            Ok(event) => events.extend(event),
            Err(problem) => {
                say!("line {}: {problem:#}", number + 1);
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    if events.is_empty() || !events.is_sorted_by_key(|(at, _)| *at) {
        say!(
            "events are needed, in the order of their times; `portcullis risk simulate --help` has examples"
        );
        return Ok(ExitCode::FAILURE);
    }
    let end = events.last().map_or(0, |(at, _)| *at) + (simulate.hours.max(0.0) * 3_600_000.0) as u64;
    let points = curve(&settings, &events, simulate.step.saturating_mul(1_000), end, POINTS);
    let text = match simulate.format {
        Format::Table => table(&points),
        Format::Json => format!("{:#}\n", json!(points.iter().map(as_json).collect::<Vec<_>>())),
        Format::Svg => svg(&points, settings.block.threshold),
    };
    Output::new().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

const ALL: Switches = Switches { rule_blocks: true, risk_blocks: true, lists: true };

fn event(line: &Value) -> anyhow::Result<(u64, Event)> {
    let fields = Fields::new(line, "an event", &["time", "risk", "state", "action", "add", "subtract"])?;
    let Moment(UnixNanos(nanoseconds)) = fields.required("time", moment)?;
    let points = |name| fields.optional(name, integer::<u8>);
    let event = match (points("risk")?, points("add")?, points("subtract")?) {
        (Some(risk), None, None) => {
            anyhow::ensure!(risk <= 100, "a risk is 0 to 100");
            let state = fields.optional("state", text)?.map(|name| state(&name)).transpose()?;
            let action = fields.optional("action", text)?.map(|name| action(&name)).transpose()?;
            let action = action.unwrap_or(RiskAction::Track);
            Event::Match { rule: 0, risk, state, action, rate: None }
        }
        (None, Some(by), None) => Event::Add(by),
        (None, None, Some(by)) => Event::Subtract(by),
        _ => anyhow::bail!("an event has one of `risk`, `add` and `subtract`"),
    };
    Ok((nanoseconds / 1_000_000, event))
}

fn state(name: &str) -> anyhow::Result<KillChain> {
    KillChain::from_name(name).with_context(|| {
        let names: Vec<&str> = KillChain::ALL.iter().map(|state| state.name()).collect();
        unknown("state", name, &names)
    })
}

fn action(name: &str) -> anyhow::Result<RiskAction> {
    let found = RiskAction::ALL.iter().copied().find(|one| one.name() == name);
    found.with_context(|| {
        let names: Vec<&str> = RiskAction::ALL.iter().map(|action| action.name()).collect();
        unknown("action", name, &names)
    })
}

fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    let help = did_you_mean(name, names).map(|help| format!("; {help}")).unwrap_or_default();
    format!("no {what} is named `{name}`{help}")
}

/// Seconds since the first point.
fn since(points: &[Point], point: &Point) -> f64 {
    let first = points.first().map_or(0, |point| point.at);
    point.at.saturating_sub(first) as f64 / 1_000.0
}

fn what(point: &Point) -> String {
    let mut said = Vec::new();
    if let Some(event) = point.event {
        said.push(format!("event {}", event + 1));
    }
    if let Some(block) = point.block {
        said.push(match block.until {
            u32::MAX => format!("block {} begins, for good", block.number),
            _ => format!("block {} begins", block.number),
        });
    }
    if point.slowed {
        said.push("slowed down".to_owned());
    }
    if point.challenged {
        said.push("challenged".to_owned());
    }
    said.join(", ")
}

fn table(points: &[Point]) -> String {
    let mut text = format!("{:>10}  {:>5}  {:<16}  {}\n", "seconds", "score", "standing", "what happens");
    for point in points {
        let line = format!(
            "{:>10.1}  {:>5.1}  {:<16}  {}",
            since(points, point),
            point.score,
            point.standing.name(),
            what(point)
        );
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn as_json(point: &Point) -> Value {
    json!({
        "time": point.at as f64 / 1_000.0,
        "event": point.event.map(|event| event + 1),
        "score": (f64::from(point.score) * 10.0).round() / 10.0,
        "status": point.standing.name(),
        "block": point.block.map(|block| block.number),
        "tarpit": point.slowed,
        "interrogate": point.challenged,
    })
}

/// A picture of 900 by 320: the score over time, the threshold, and when the client is blocked.
fn svg(points: &[Point], threshold: f32) -> String {
    let (left, top, width, height) = (50.0, 20.0, 830.0, 240.0);
    let whole = points.last().map_or(1.0, |point| since(points, point)).max(1.0);
    let x = |point: &Point| left + since(points, point) / whole * width;
    let y = |score: f32| top + (1.0 - f64::from(score) / 100.0) * height;
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 320\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>Risk of a client over time</title>\n<rect width=\"900\" height=\"320\" fill=\"#fff\"/>\n",
    );
    for pair in points.windows(2) {
        if let [from, to] = pair
            && from.standing != Standing::Watched
        {
            let (a, b) = (x(from), x(to));
            let _ = writeln!(
                out,
                "<rect x=\"{a:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{height}\" fill=\"#c0392b\" opacity=\"0.15\"/>",
                b - a
            );
        }
    }
    let right = left + width;
    for mark in [0.0, 25.0, 50.0, 75.0, 100.0_f32] {
        let at = y(mark);
        let text = at + 4.0;
        let _ = writeln!(
            out,
            "<text x=\"42\" y=\"{text:.1}\" text-anchor=\"end\">{mark}</text>\
             <line x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"
        );
    }
    let at = y(threshold);
    let _ = writeln!(
        out,
        "<line x1=\"{left}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#c0392b\" \
         stroke-dasharray=\"4 3\"/>"
    );
    let line: Vec<String> =
        points.iter().map(|point| format!("{:.1},{:.1}", x(point), y(point.score))).collect();
    let _ = writeln!(
        out,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#1f4e79\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
    for point in points.iter().filter(|point| point.event.is_some()) {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{}\"><title>{:.0} s: {:.1}, {}</title></circle>",
            x(point),
            y(point.score),
            if point.block.is_some() { "#c0392b" } else { "#1f4e79" },
            since(points, point),
            point.score,
            what(point)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{left}\" y=\"285\">0 s</text><text x=\"{:.1}\" y=\"285\" text-anchor=\"end\">{whole:.0} s</text>\n\
         <text x=\"{left}\" y=\"308\">score; dashed: threshold {threshold}; red: blocked</text>\n</svg>",
        left + width
    );
    out
}
