//! `portcullis schema`: the JSON Schema of policies.

use std::io::Write as _;
use std::process::ExitCode;

/// Print the JSON Schema of policies
///
/// Editors use it to complete and check a policy while it is written; so do other tools. The fields'
/// meanings and defaults are in it.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  portcullis schema > policy.schema.json
  portcullis schema | jq '.\"$defs\".Rule.properties | keys'

A policy names its schema for editors in a top-level field:
  { \"$schema\": \"./policy.schema.json\", \"rule_sets\": [] }")]
pub(crate) struct Arguments {}

pub(crate) fn run(_: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &portcullis_rules::policy::schema())?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}
