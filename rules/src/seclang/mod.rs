//! SecLang: the rule language of ModSecurity v3 and Coraza, read into the rule model.
//!
//! Everything that is wrong is reported at once, each with its file, line and column; a rule or chain
//! with an error is left out as a whole. Nothing is silently inert: a directive or action is carried
//! out, refused, or reported as having no effect in a filter.
//!
//! Where the engines differ:
//! - A default action (`SecDefaultAction`) holds for the rules that follow it, in its file and in files
//!   read later, until another file sets one for the same phase. What it says about the rule as a whole
//!   holds unless the rule says otherwise; its transformations stand in front of each link's own; what
//!   it runs is run by the first link. Without any, the rule set's [`Defaults`] hold in every phase.
//! - In a chain, `msg`, `logdata`, `tag`, `severity` and the like of a later rule count where the first
//!   one says nothing (ModSecurity v3); Coraza and ModSecurity v2 refuse some of them.
//! - Removals and updates act on all rules, whatever the order (ModSecurity v3).
//! - A `SecAction` may go without an id, and may continue a chain (ModSecurity v2, Coraza).

mod action_list;
mod actions;
mod client;
mod compat;
mod coverage;
mod ctl;
mod directive;
mod lexer;
mod operator;
mod parser;
mod rule;
mod settings;
mod setvar;
mod text;
mod update;
mod values;
mod variables;
mod words;

pub use client::Clients;
pub use compat::modsecurity_style;
pub use coverage::{Entry, Section, Status, coverage};
pub(crate) use directive::is_directive;
pub use lexer::without_comments;
pub use settings::default_settings;
pub(crate) use variables::parse_form_targets;
pub use variables::{TargetError, TargetErrorKind, parse_targets};

use crate::diagnostic::{Diagnostic, Label, Sources};
use crate::host::Source;
use crate::model::{Item, Phase, Resolution, RuleSet, Settings};
use parser::Parser;

/// Settings and rules that belong in front of rule sets such as the Core Rule Set: body access, limits, and the refusal of
/// bodies that can't be read.
pub const RECOMMENDED: &str = include_str!("recommended.conf");

/// What `Include` calls [`RECOMMENDED`], without any such file.
pub const RECOMMENDED_NAME: &str = "@recommended-conf";

/// A SecLang text, such as a file or an inline part of a policy.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// Its file name, relative to which other files are looked up; for inline text any name.
    pub name: &'a str,
    /// The text.
    pub text: &'a [u8],
}

/// A part of a rule set.
#[derive(Debug)]
pub enum Part<'a> {
    /// SecLang.
    Text(Document<'a>),
    /// A rule or marker that was written otherwise.
    Item(ForeignItem),
}

/// A rule or marker that is no SecLang, among SecLang that may refer to it: in skips, removals and updates.
#[derive(Debug)]
pub struct ForeignItem {
    /// What it is.
    pub item: Item,
    /// Where a rule has its id.
    pub id: Option<Label>,
    /// Where a rule says what it skips to.
    pub skip_after: Option<Label>,
}

/// What holds for rules that don't say, where no `SecDefaultAction` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// What a match does, and what `block` means.
    pub resolution: Resolution,
    /// When rules run.
    pub phase: Phase,
    /// Whether matches are logged.
    pub log: bool,
}

impl Default for Defaults {
    /// `phase:2,log,pass`, as everywhere.
    fn default() -> Self {
        Self { resolution: Resolution::Pass, phase: Phase::RequestBody, log: true }
    }
}

/// How SecLang is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the rule set.
    pub name: String,
    /// What holds where the text says nothing.
    pub settings: Settings,
    /// Whether nobody has said that request bodies are inspected: other engines would not do it, so texts that count
    /// on it get a warning (`W0420`).
    pub assumes_body_access: bool,
    /// What holds for rules that don't say.
    pub defaults: Defaults,
    /// What is done with what rules say of clients.
    pub clients: Clients,
}

impl Default for Options {
    /// No name and [`default_settings`]; nothing is known of clients.
    fn default() -> Self {
        Self {
            name: String::new(),
            settings: default_settings(),
            assumes_body_access: true,
            defaults: Defaults::default(),
            clients: Clients::Unknown,
        }
    }
}

/// What SecLang texts say.
#[derive(Debug)]
pub struct Parsed {
    /// The rules and settings; rules with errors are not among them. Not to be used when there are
    /// errors among the diagnostics.
    pub rule_set: RuleSet,
    /// Everything to know about the texts, in the order of reading; what concerns all of them comes last.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads SecLang texts in order, as one rule set. A setting that is given twice keeps its last value.
/// Included files and data files come from `source`; all texts are added to `sources`, in which the
/// diagnostics have their places.
///
/// ```
/// use portcullis_rules::{diagnostic, host, model, seclang};
///
/// let text = br#"SecRule ARGS "@rx attack" "id:1,phase:2,deny,msg:'An attack'""#;
/// let mut sources = diagnostic::Sources::default();
/// let documents = [seclang::Document { name: "main.conf", text }];
/// let parsed = seclang::parse(&documents, &host::NoFiles, &mut sources, seclang::Options::default());
/// assert!(parsed.diagnostics.is_empty());
/// assert!(matches!(&parsed.rule_set.items[0], model::Item::Rule(rule) if rule.id == 1));
/// ```
pub fn parse(
    documents: &[Document<'_>],
    source: &dyn Source,
    sources: &mut Sources,
    options: Options,
) -> Parsed {
    parse_parts(documents.iter().copied().map(Part::Text), source, sources, options)
}

/// As [`parse`], with rules and markers of other kinds between the texts. Each text ends its last chain.
pub fn parse_parts<'a>(
    parts: impl IntoIterator<Item = Part<'a>>,
    source: &dyn Source,
    sources: &mut Sources,
    options: Options,
) -> Parsed {
    let mut parser = Parser::new(source, sources, &options);
    for part in parts {
        match part {
            Part::Text(document) => parser.file(document.name, document.text),
            Part::Item(item) => parser.item(item),
        }
    }
    let (settings, items, diagnostics) = parser.finish();
    Parsed { rule_set: RuleSet { name: options.name, settings, items }, diagnostics }
}
