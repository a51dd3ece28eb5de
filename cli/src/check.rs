//! `portcullis check`: everything that is wrong with policies.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_rules::diagnostic::{Level, has_errors};
use portcullis_rules::lint;
use portcullis_rules::model::Item;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy::{self, Loaded};
use portcullis_rules::seclang::modsecurity_style;

use crate::import_armr;
use crate::output::Output;
use crate::policy::{self as given, SECLANG};
use crate::render::{self, plural};
use crate::source::{self, Disk};

/// Check policies and SecLang files and report everything that is wrong with them
///
/// Each report has a number, the place in the file, the path in the JSON, the rule's id and, where it
/// is known, what to do. A policy with warnings alone is valid. SecLang files are read in order as one
/// rule set, and what they refer to beside them.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  portcullis check policy.json
  portcullis check policies/*.json
  portcullis check crs-setup.conf rules/*.conf
  kubectl get configmap waf -o json | jq -r '.data.policy' | portcullis check -
  portcullis check --format json policy.json | jq -r '.[] | \"\\(.line): \\(.message)\"'

Exit status:
  0  all policies are valid
  1  at least one is not
  2  wrong usage, or a file can't be read")]
pub(crate) struct Arguments {
    /// Policies to check; `-` is the standard input. Names that end in `.conf` or `.conf.example` are SecLang,
    /// those that end in `.armr` are ARMR
    #[arg(required_unless_present = "seclang", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// A SecLang file, whatever its name; may be given more than once, and with wildcards. `@recommended-conf` is no
    /// file: settings that belong in front of the Core Rule Set
    #[arg(long, value_name = "FILE")]
    seclang: Vec<PathBuf>,

    /// A data file for the policies, such as a database of countries, under its own name or another: `PATH` or
    /// `NAME=PATH`; may be given more than once
    #[arg(long, value_name = "FILE")]
    file: Vec<String>,

    /// How to print reports
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// When to use colours in reports for people
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    color: Colour,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, with the lines concerned, and a summary
    Human,
    /// One line each as libmodsecurity words them, for tools that read those: `Rules error. File: F. Line: N.
    /// Column: N. …`; errors only
    Modsecurity,
    /// One JSON array of objects with file, code, level, message, path, rule, line, column, help, labels and left_out
    /// (how many more of the kind are not shown)
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Colour {
    /// If the output is a terminal and `NO_COLOR` is not set
    Auto,
    /// Also into files and pipes
    Always,
    /// Plain text
    Never,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut checked = Vec::new();
    let (mut seclang, policies): (Vec<PathBuf>, Vec<PathBuf>) =
        arguments.files.iter().cloned().partition(|path| is_seclang(path));
    seclang.extend_from_slice(&arguments.seclang);
    let data = given::data_files(&arguments.file)?;
    for path in &policies {
        let (name, text) = read(path)?;
        let loaded = if name.ends_with(".armr") {
            let mut loaded = import_armr::load(&text, &name);
            loaded.policy = loaded.policy.filter(|_| !has_errors(&loaded.diagnostics));
            loaded
        } else {
            policy::load_with(&text, &name, data.clone())
        };
        checked.push((name, loaded));
    }
    if !seclang.is_empty() {
        let mut loaded = given::nothing();
        given::add_seclang(&mut loaded, &seclang, &Disk, SECLANG)?;
        let name = match source::expand(&seclang)?.as_slice() {
            [name] => name.clone(),
            names => plural(names.len(), "SecLang file"),
        };
        checked.push((name, loaded));
    }
    for (_, loaded) in &mut checked {
        // This command line runs scripts; whether the filter does depends on the module.
        loaded.diagnostics.extend(loaded.policy.as_ref().and_then(lint::scripts));
        // A filter refuses what makes no plan, so this does too.
        if let Some(Err(problems)) = loaded.policy.as_ref().map(Plan::new) {
            loaded.diagnostics.extend(problems);
            loaded.policy = None;
        }
    }
    let mut out = Output::new();
    match arguments.format {
        Format::Json => {
            let reports: Vec<_> =
                checked.iter().flat_map(|(name, loaded)| render::json(loaded, name)).collect();
            serde_json::to_writer_pretty(&mut out, &reports)?;
            out.write_all(b"\n")?;
        }
        Format::Modsecurity => {
            for (_, loaded) in &checked {
                for diagnostic in &loaded.diagnostics {
                    if diagnostic.code.level() == Level::Error {
                        writeln!(out, "{}", modsecurity_style(diagnostic, &loaded.sources))?;
                    }
                }
            }
        }
        Format::Human => {
            let colours = match arguments.color {
                Colour::Always => true,
                Colour::Never => false,
                Colour::Auto => {
                    std::io::IsTerminal::is_terminal(&std::io::stdout())
                        && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
                }
            };
            for (_, loaded) in &checked {
                for diagnostic in &loaded.diagnostics {
                    writeln!(out, "{}\n", render::human(diagnostic, &loaded.sources, colours))?;
                }
            }
            for (name, loaded) in &checked {
                writeln!(out, "{name}: {}", summary(loaded))?;
                if let Some(text) = clients(loaded) {
                    writeln!(out, "{name}: {text}")?;
                }
            }
        }
    }
    let all_valid = checked.iter().all(|(_, loaded)| loaded.policy.is_some());
    Ok(if all_valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_seclang(path: &Path) -> bool {
    let name = path.to_string_lossy();
    name.ends_with(".conf") || name.ends_with(".conf.example")
}

/// A file's name for reports, and its text.
pub(crate) fn read(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    if path == Path::new("-") {
        let text = source::bounded(std::io::stdin().lock()).context("can't read the standard input")?;
        let text = text.context("the standard input is larger than a policy can be")?;
        return Ok(("<stdin>".to_owned(), text));
    }
    Ok((path.display().to_string(), source::contents(path)?))
}

/// By what address clients are known, for policies to which that matters.
fn clients(loaded: &Loaded) -> Option<String> {
    let policy = loaded.policy.as_ref()?;
    policy.risk.as_ref()?;
    let source = &policy.client_address;
    let who = match &source.header {
        Some(header) if !source.trusted.is_empty() => {
            format!("clients are whom the trusted hops name in `{header}`, and all other peers")
        }
        _ => "clients are the peers of connections: behind a proxy all would be one, unless `client_address` names it"
            .to_owned(),
    };
    Some(format!("{who}; without `use_remote_address: true` in Envoy they choose their addresses themselves"))
}

/// `valid, 2 rule sets with 31 rules, 1 warning`, or `refused, 3 errors, 1 warning`.
fn summary(loaded: &Loaded) -> String {
    // One that stands for those left out counts for them.
    let of_level = |level| loaded.diagnostics.iter().filter(move |one| one.code.level() == level);
    let count = |level| of_level(level).map(|one| one.left_out.max(1) as usize).sum::<usize>();
    let mut parts = Vec::new();
    match &loaded.policy {
        Some(policy) => {
            let items = policy.rule_sets.iter().flat_map(|set| &set.items);
            let rules = items.filter(|item| matches!(item, Item::Rule(_))).count();
            let sets = policy.rule_sets.len();
            parts.push(format!("valid, {} with {}", plural(sets, "rule set"), plural(rules, "rule")));
            if !policy.network.rules.is_empty() {
                parts.push(plural(policy.network.rules.len(), "network rule"));
            }
        }
        None => parts.push(format!("refused, {}", plural(count(Level::Error), "error"))),
    }
    for (level, name) in [(Level::Warning, "warning"), (Level::Note, "note")] {
        let count = count(level);
        if count > 0 {
            parts.push(plural(count, name));
        }
    }
    parts.join(", ")
}
