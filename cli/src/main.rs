//! The portcullis command line: checks policies with the very engine that runs in Envoy.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod bundle;
mod check;
mod coverage;
mod eval;
mod ftw;
mod import_armr;
mod network;
mod policy;
mod reference;
mod render;
mod risk;
mod schema;
mod source;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Web application firewall for Envoy: checks and tests policies with the engine of the module.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Bundle(bundle::Arguments),
    Check(check::Arguments),
    Eval(eval::Arguments),
    Ftw(ftw::Arguments),
    ImportArmr(import_armr::Arguments),
    Network(network::Arguments),
    Risk(risk::Arguments),
    Schema(schema::Arguments),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Bundle(arguments) => bundle::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Eval(arguments) => eval::run(&arguments),
        Command::Ftw(arguments) => ftw::run(&arguments),
        Command::ImportArmr(arguments) => import_armr::run(&arguments),
        Command::Network(arguments) => network::run(&arguments),
        Command::Risk(arguments) => risk::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        // Whoever reads the output has seen enough, as in `portcullis schema | head -1`.
        if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
        {
            return ExitCode::SUCCESS;
        }
        eprintln!("portcullis: {error:#}");
        ExitCode::from(2)
    })
}
