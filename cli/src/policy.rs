//! What the commands judge by: a policy, SecLang files, or both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portcullis_rules::diagnostic::{Diagnostic, Level, Sources, has_errors};
use portcullis_rules::host::Source;
use portcullis_rules::lint;
use portcullis_rules::model::Policy;
use portcullis_rules::policy::{self, Loaded};
use portcullis_rules::seclang::{self, Document};

use crate::output::say;
use crate::render;
use crate::source::{self, Disk};

/// The options with which commands take what they judge by.
#[derive(Debug, clap::Args)]
pub(crate) struct Rules {
    /// The policy (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,

    /// A SecLang file, judged by after the policy's rule sets; may be given more than once, and with wildcards.
    /// `@recommended-conf` is no file: settings that belong in front of the Core Rule Set
    #[arg(long, value_name = "FILE")]
    pub(crate) seclang: Vec<PathBuf>,

    /// A data file for the policy, such as a database of countries, under its own name or another: `PATH` or
    /// `NAME=PATH`; may be given more than once
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub(crate) file: Vec<String>,
}

impl Rules {
    /// Reads everything. What is to be said is printed on the standard error, warnings included, notes not;
    /// `None` when the rules can't be used.
    pub(crate) fn load(&self) -> anyhow::Result<Option<Policy>> {
        let loaded = self.load_from(&Disk, SECLANG)?;
        report(&loaded.diagnostics, &loaded.sources);
        Ok(loaded.policy)
    }

    /// Reads everything, the files that SecLang refers to from `source`.
    pub(crate) fn load_from(&self, source: &dyn Source, name: &str) -> anyhow::Result<Loaded> {
        let mut loaded = match &self.policy {
            Some(path) => {
                let text = source::contents(path)?;
                policy::load_with(&text, &path.display().to_string(), data_files(&self.file)?)
            }
            None => nothing(),
        };
        add_seclang(&mut loaded, &self.seclang, source, name)?;
        Ok(loaded)
    }
}

/// Reads the data files of `--file`, by the names under which a policy knows them.
pub(crate) fn data_files(given: &[String]) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let read = |given: &String| {
        let (name, path) = match given.split_once('=') {
            Some((name, path)) => (name.to_owned(), Path::new(path)),
            None => {
                let path = Path::new(given);
                let name = path.file_name().with_context(|| format!("{given} names no file"))?;
                (name.to_string_lossy().into_owned(), path)
            }
        };
        Ok((name, source::contents(path)?))
    };
    given.iter().map(read).collect()
}

/// Name of the rule set of SecLang files that are given no other.
pub(crate) const SECLANG: &str = "seclang";

/// A policy without rule sets.
pub(crate) fn nothing() -> Loaded {
    Loaded {
        policy: Some(Policy::default()),
        files: policy::Files::default(),
        diagnostics: Vec::new(),
        sources: Sources::default(),
    }
}

/// Adds SecLang files to a policy, as one rule set.
pub(crate) fn add_seclang(
    loaded: &mut Loaded,
    names: &[PathBuf],
    source: &dyn Source,
    name: &str,
) -> anyhow::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names = source::expand(names)?;
    let texts: Vec<Vec<u8>> =
        names.iter().map(|name| source::read_seclang(name)).collect::<anyhow::Result<_>>()?;
    let documents: Vec<Document<'_>> =
        names.iter().zip(&texts).map(|(name, text)| Document { name, text }).collect();
    let options = seclang::Options { name: name.to_owned(), ..seclang::Options::default() };
    let parsed = seclang::parse(&documents, source, &mut loaded.sources, options);
    if has_errors(&parsed.diagnostics) {
        loaded.policy = None;
    }
    if let Some(policy) = &mut loaded.policy {
        policy.rule_sets.push(parsed.rule_set);
    }
    loaded.diagnostics.extend(parsed.diagnostics);
    if let Some(policy) = &loaded.policy {
        // The rule sets before it were looked at when the policy was read.
        loaded.diagnostics.extend(lint::check(policy, policy.rule_sets.len() - 1));
    }
    Ok(())
}

/// Prints errors and warnings on the standard error.
pub(crate) fn report(diagnostics: &[Diagnostic], sources: &Sources) {
    report_from(Level::Warning, diagnostics, sources);
}

/// Prints on the standard error what is as bad as `level` or worse.
pub(crate) fn report_from(level: Level, diagnostics: &[Diagnostic], sources: &Sources) {
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.code.level() <= level) {
        say!("{}\n", render::human(diagnostic, sources, colours));
    }
}
