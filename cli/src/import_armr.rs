//! `portcullis import-armr`: ARMR text to the policy's JSON.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_rules::diagnostic::{Code, Diagnostic, Sources, Span, has_errors};
use portcullis_rules::net::{armr, to_json};
use portcullis_rules::policy::{Files, Loaded};
use serde_json::json;

use crate::check::read;
use crate::output::Output;
use crate::render;

/// Turn ARMR text into the network part of a policy
///
/// Prints a policy with the socket rules of all valid apps. An app with an error in it is invalid: none of its
/// rules are printed, and its errors are.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  portcullis import-armr rules.armr > network.json
  portcullis import-armr --format json rules.armr | jq '.diagnostics[].message'

A policy can also hold the text itself:
  { \"network\": { \"armr\": \"app(\\\"a\\\"): … endapp\" } }

Exit status:
  0  all apps are valid
  1  at least one is not; the rules of the others are printed
  2  wrong usage, or a file can't be read")]
pub(crate) struct Arguments {
    /// The ARMR text; `-` is the standard input
    file: PathBuf,

    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Policy)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// The policy, and reports for people on the standard error
    Policy,
    /// One JSON object: `policy`, and `diagnostics` with file, code, level, message, line, column and help
    Json,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (name, bytes) = read(&arguments.file)?;
    let loaded = load(&bytes, &name);
    let rules = loaded.policy.as_ref().map(|policy| policy.network.rules.as_slice()).unwrap_or_default();
    let policy = json!({ "network": { "rules": to_json(rules) } });
    let mut out = Output::new();
    match arguments.format {
        Format::Policy => {
            crate::policy::report(&loaded.diagnostics, &loaded.sources);
            if !rules.is_empty() {
                serde_json::to_writer_pretty(&mut out, &policy)?;
                out.write_all(b"\n")?;
            }
        }
        Format::Json => {
            let diagnostics = render::json(&loaded, &name);
            serde_json::to_writer_pretty(&mut out, &json!({ "policy": policy, "diagnostics": diagnostics }))?;
            out.write_all(b"\n")?;
        }
    }
    out.flush().context("can't write")?;
    Ok(if has_errors(&loaded.diagnostics) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The rules of all valid apps as a policy; none when no app is valid.
pub(crate) fn load(bytes: &[u8], name: &str) -> Loaded {
    let mut sources = Sources::default();
    let source = sources.add(name, bytes);
    let mut policy = portcullis_rules::model::Policy::default();
    let mut diagnostics = Vec::new();
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let document = armr::parse(text, source);
            diagnostics.extend(document.diagnostics);
            policy.network.rules =
                document.apps.into_iter().flat_map(|app| app.rules).map(|(rule, _)| rule).collect();
        }
        Err(error) => {
            let at = error.valid_up_to();
            let span = Span { start: at, end: at + 1 };
            diagnostics.push(Diagnostic::new(Code::E0501, "the text is not UTF-8").at(source, span, ""));
        }
    }
    Loaded { policy: Some(policy), files: Files::default(), diagnostics, sources }
}
