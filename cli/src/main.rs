//! The portcullis command line: checks policies with the very engine that runs in Envoy.

mod bundle;
mod check;
mod coverage;
mod eval;
mod ftw;
mod import_armr;
mod lines;
mod network;
mod output;
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
#[command(
    name = "portcullis",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  portcullis check policy.json
        what is wrong with a policy, and what to do about it
  portcullis bundle --seclang 'rules/*.conf' -o policy.json
        files of SecLang, and what they refer to, as one policy
  portcullis eval --policy policy.json < exchanges.jsonl
        what the policy does to recorded exchanges

portcullis COMMAND --help has examples of each command, and what its exit statuses mean."
)]
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
        output::say!("portcullis: {error:#}");
        ExitCode::from(2)
    })
}
