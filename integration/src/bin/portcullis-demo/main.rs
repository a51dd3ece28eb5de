//! Shows what Portcullis does: starts a backend and Envoy with the sample policy, sends a request per
//! phase and resolution, and compares what happened with what should. `cargo xtask run` calls it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod rows;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use portcullis_integration::{Gateway, Scenario};

/// The sample policy.
const POLICY: &str = include_str!("../../../../envoy/policy.sample.json");

#[derive(Parser)]
#[command(about = "Starts Envoy with Portcullis and the sample policy, and shows what it does")]
struct Arguments {
    /// Envoy's binary, 1.35 or later
    #[arg(long)]
    envoy: PathBuf,
    /// The module, portcullis.wasm
    #[arg(long)]
    module: PathBuf,
    /// Listen on this port instead of a free one
    #[arg(long, default_value_t = 0, value_name = "N")]
    port: u16,
    /// End after the table; fail if a row differs from what is expected
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    demonstrate(Arguments::parse()).await.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn demonstrate(arguments: Arguments) -> Result<ExitCode> {
    let policy = serde_json::from_str(POLICY).context("the sample policy")?;
    let gateway = Scenario::new(policy)
        .strict()
        .port(arguments.port)
        .start_with(arguments.envoy, Some(arguments.module))
        .await?;
    println!(
        "Envoy is up with envoy/policy.sample.json in front of a backend that counts what reaches it.\n"
    );
    let mut differing = 0;
    let mut table = table::Table::new(["", "shows", "request", "expected", "happened", "rule", "backend"]);
    for row in rows::rows() {
        let exchange = gateway.send1(row.request.clone()).await?;
        let happened = rows::Happening::of(&exchange);
        let differs = happened != row.expected;
        differing += usize::from(differs);
        table.row([
            if differs { "DIFFERS" } else { "ok" }.to_owned(),
            row.shows.to_owned(),
            row.request_text(),
            row.expected.answer.clone(),
            happened.answer.clone(),
            happened.rule_text(),
            happened.backend_text(),
        ]);
    }
    println!("{table}");
    if differing == 0 {
        println!("Every row is as expected. \"backend\" is the backend's own count.");
    } else {
        println!("{differing} rows differ from what is expected.");
    }
    if arguments.once {
        return Ok(if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    invite(&gateway);
    tokio::signal::ctrl_c().await?;
    println!("\nStopping.");
    Ok(ExitCode::SUCCESS)
}

/// Says how to go on by hand.
fn invite(gateway: &Gateway) {
    let url = format!("http://{}", gateway.envoy().listener());
    println!("\nIt stays up at {url} until Ctrl-C. Try:\n");
    for row in rows::rows() {
        println!("  {}", row.curl(&url));
    }
    println!("\nEnvoy's configuration and log are in {} meanwhile.", gateway.directory().display());
}
