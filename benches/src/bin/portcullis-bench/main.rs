//! Measures the engine and the module beside their rivals. `cargo xtask bench` builds what it needs and calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod modsecurity;
mod native;
mod report;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use report::Report;

#[derive(Parser)]
#[command(about = "Measures Portcullis beside its rivals; `cargo xtask bench` calls it")]
struct Arguments {
    /// What to measure
    #[arg(value_enum, required = true)]
    measure: Vec<Measure>,
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
    for measure in &arguments.measure {
        match measure {
            Measure::Native => show(&native::run(effort)?)?,
        }
    }
    Ok(())
}
