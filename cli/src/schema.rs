//! `portcullis schema`: the fields of policies, for editors and for people.

use std::io::Write as _;
use std::process::ExitCode;

use crate::output::Output;
use crate::reference;

/// Print the JSON Schema of policies
///
/// Editors use it to complete and check a policy while it is written; so do other tools. The fields'
/// meanings and defaults are in it. As Markdown it is a reference to read.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  portcullis schema > policy.schema.json
  portcullis schema | jq '.\"$defs\".Rule.properties | keys'
  portcullis schema --format markdown > reference.md
  portcullis schema --format seclang | grep refused

A policy names its schema for editors in a top-level field:
  { \"$schema\": \"./policy.schema.json\", \"rule_sets\": [] }")]
pub(crate) struct Arguments {
    /// How to print the fields
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// JSON Schema, draft 2020-12
    Json,
    /// Tables of fields with type, default and meaning
    Markdown,
    /// Tables of SecLang's names, each with what becomes of it
    Seclang,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let schema = portcullis_rules::policy::schema();
    let mut out = Output::new();
    match arguments.format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut out, &schema)?;
            out.write_all(b"\n")?;
        }
        Format::Seclang => out.write_all(crate::coverage::markdown().as_bytes())?,
        Format::Markdown => out.write_all(reference::markdown(&schema).as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}
