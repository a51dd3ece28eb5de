//! Measures the engine and the module beside their rivals. `cargo xtask bench` builds what it needs and calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod http;
mod load;
mod modsecurity;
mod native;
mod report;
mod sequence;
mod stage;
mod start;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use report::Report;
use stage::Stage;

#[derive(Parser)]
#[command(about = "Measures Portcullis beside its rivals; `cargo xtask bench` calls it")]
struct Arguments {
    /// What to measure
    #[arg(value_enum, required = true)]
    measure: Vec<Measure>,
    /// Envoy's binary, 1.35 or later
    #[arg(long)]
    envoy: Option<PathBuf>,
    /// The module, portcullis.wasm
    #[arg(long)]
    module: Option<PathBuf>,
    /// A third Envoy runs this proxy-wasm filter, configured for coraza-proxy-wasm
    #[arg(long, value_name = "FILE")]
    rival_wasm: Option<PathBuf>,
    /// Fewer and shorter slices
    #[arg(long)]
    quick: bool,
    /// Print Markdown for docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// Where the JSON files go
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Measure {
    /// The engine and libmodsecurity 3, in process
    Native,
    /// Envoy with the module and without it, request by request
    Envoy,
    /// Throughput; a plain GET after and beside large JSON
    Load,
    /// Time and memory until a worker is ready; the module's size
    Start,
    /// Memory of Envoy over many mixed requests
    Soak,
}

/// How long to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effort {
    Quick,
    Full,
}

impl Effort {
    fn pick<T>(self, quick: T, full: T) -> T {
        match self {
            Self::Quick => quick,
            Self::Full => full,
        }
    }
}

/// Says what is going on, on one line of a terminal.
fn progress(what: &str) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        let _ = write!(out, "\r\x1b[K{what}");
        let _ = out.flush();
    } else if !what.contains("round") {
        let _ = writeln!(out, "{what}");
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
    let show = |report: &Report| -> Result<()> {
        progress("");
        report.save(&arguments.output)?;
        println!("{}", if arguments.markdown { report.markdown() } else { report.text() });
        Ok(())
    };
    let mut stage = None;
    for measure in &arguments.measure {
        if *measure == Measure::Native {
            show(&native::run(effort)?)?;
            continue;
        }
        let stage = match &mut stage {
            Some(stage) => stage,
            none => none.insert(new_stage(arguments)?),
        };
        show(&match measure {
            Measure::Native | Measure::Envoy => {
                sequence::run(stage, arguments.rival_wasm.as_deref(), effort)?
            }
            Measure::Load => load::run(stage, effort)?,
            Measure::Start => start::start(stage, effort)?,
            Measure::Soak => start::soak(stage, effort)?,
        })?;
    }
    Ok(())
}

fn new_stage(arguments: &Arguments) -> Result<Stage> {
    let envoy = arguments.envoy.as_deref().context("--envoy is needed for this")?;
    let module = arguments.module.as_deref().context("--module is needed for this")?;
    Stage::new(envoy, module)
}
