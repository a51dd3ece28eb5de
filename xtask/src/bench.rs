//! `cargo xtask bench`: builds what the measurements need and starts them.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{envoy, module, process, workspace};

/// What to measure. Without a choice: native, Envoy, load and start.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The engine and libmodsecurity 3, in process
    #[arg(long)]
    native: bool,
    /// Envoy with the module and without it, request by request
    #[arg(long)]
    envoy: bool,
    /// Throughput; a plain GET after and beside large JSON
    #[arg(long)]
    load: bool,
    /// Time and memory until a worker is ready; the module's size
    #[arg(long)]
    start: bool,
    /// Memory of Envoy over 50,000 mixed requests
    #[arg(long)]
    soak: bool,
    /// All of these
    #[arg(long)]
    all: bool,
    /// Wasm fuel per kind of request, against benches/fuel.json; and nothing else
    #[arg(long, conflicts_with_all = ["native", "envoy", "load", "start", "soak", "all", "scale"])]
    fuel: bool,
    /// Wasm fuel with growing bodies and with ten times the rules; and nothing else
    #[arg(long, conflicts_with_all = ["native", "envoy", "load", "start", "soak", "all"])]
    scale: bool,
    /// With --fuel: write the baseline anew
    #[arg(long, requires = "fuel")]
    update: bool,
    /// Fewer and shorter slices: under a minute, for a first look
    #[arg(long)]
    quick: bool,
    /// Print Markdown, as it stands in docs/performance.md
    #[arg(long)]
    markdown: bool,
    /// A third Envoy runs this proxy-wasm filter, configured for coraza-proxy-wasm
    #[arg(long, value_name = "FILE")]
    rival_wasm: Option<std::path::PathBuf>,
}

/// Builds and runs.
pub(crate) fn bench(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.fuel || arguments.scale {
        return fuel(arguments);
    }
    let chosen = [
        ("native", arguments.native),
        ("envoy", arguments.envoy),
        ("load", arguments.load),
        ("start", arguments.start),
        ("soak", arguments.soak),
    ];
    let none = chosen.iter().all(|(_, chosen)| !chosen);
    let measures = chosen.iter().filter(|(name, chosen)| *chosen || arguments.all || none && *name != "soak");
    let measures: Vec<&str> = measures.map(|(name, _)| *name).collect();
    let binary = "portcullis-bench";
    let package = "portcullis-benches";
    process::run(&mut workspace::cargo([
        "build",
        "--locked",
        "--release",
        "--package",
        package,
        "--bin",
        binary,
    ]))?;
    let mut command = Command::new(workspace::target().join("release").join(binary));
    command
        .current_dir(workspace::root())
        .args(&measures)
        .arg("--output")
        .arg(workspace::target().join("bench"));
    if measures.iter().any(|name| *name != "native") {
        command.arg("--module").arg(module::build()?).arg("--envoy").arg(envoy::provide()?);
    }
    for (flag, set) in [("--quick", arguments.quick), ("--markdown", arguments.markdown)] {
        if set {
            command.arg(flag);
        }
    }
    if let Some(file) = &arguments.rival_wasm {
        command.arg("--rival-wasm").arg(absolute(file)?);
    }
    process::run(&mut command)?;
    Ok(ExitCode::SUCCESS)
}

/// The fuel tests; not optimised, because wasmtime compiles the module the same anyway.
fn fuel(arguments: &Arguments) -> Result<ExitCode> {
    let module = module::build()?;
    let mut command = workspace::cargo([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "portcullis-benches",
        "--test",
        "fuel",
        "--",
    ]);
    command.args(if arguments.scale {
        ["--include-ignored", "scale::"]
    } else {
        ["--include-ignored", "fuel::"]
    });
    command.env("PORTCULLIS_WASM", module);
    if arguments.update {
        command.env("UPDATE_FUEL", "1");
    }
    let (counts, succeeded) = process::run_tests(&mut command)?;
    // Everything skipped is nothing measured.
    let measured = succeeded && counts.passed > 0;
    Ok(if measured { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn absolute(file: &Path) -> Result<std::path::PathBuf> {
    Ok(std::path::absolute(file)?)
}
