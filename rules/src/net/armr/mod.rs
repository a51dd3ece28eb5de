//! ARMR text: `app` blocks with `socket` rules, as a second way to write network rules.
//!
//! Statements are `name(parameters)`, blocks are closed by `end` and their name. An app begins with
//! `requires(version: ARMR/2.x)`; what it can use depends on that version (see `version`). One rule that is
//! wrong makes its app invalid: none of its rules load, other apps do. Blocks of other kinds of rules are
//! passed over.

mod action;
mod app;
mod lexer;
mod socket;
mod syntax;
mod version;

use std::collections::BTreeMap;

use super::Rule;
use crate::diagnostic::{Code, Diagnostic, SourceId, Span};
use crate::format::{Format, recognise};
pub(crate) use app::is_key;
use syntax::{Parser, Top};

/// What came of a text.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// The apps that are valid, in order.
    pub apps: Vec<ValidApp>,
    /// How many apps are not.
    pub invalid: usize,
    /// What is to be said: errors belong to invalid apps.
    pub diagnostics: Vec<Diagnostic>,
}

/// An app that can be loaded.
#[derive(Clone, Debug)]
pub struct ValidApp {
    /// Its name.
    pub name: String,
    /// Its rules, with the places of their names in the text.
    pub rules: Vec<(Rule, Span)>,
}

/// Reads a text. Errors in one app don't touch the others.
#[must_use]
pub fn parse(text: &str, source: SourceId) -> Document {
    let mut document = Document::default();
    if let Some(diagnostic) = mistaken(text, source) {
        document.invalid += 1;
        document.diagnostics.push(diagnostic);
        return document;
    }
    let mut apps: Vec<app::Read> = Vec::new();
    for top in Parser::new(text, source).all() {
        match top {
            Top::Broken(diagnostic, name) => {
                document.invalid += 1;
                let about = name.map(|name| format!("app \"{name}\": ")).unwrap_or_default();
                let mut diagnostic = *diagnostic;
                diagnostic.message = format!("{about}{}", diagnostic.message);
                document.diagnostics.push(diagnostic);
            }
            Top::Block(block) => apps.push(app::read(&block, source)),
        }
    }
    resolve_names(&mut apps, source);
    for app in apps {
        document.diagnostics.extend(app.diagnostics);
        match app.valid {
            Some(valid) => document.apps.push(valid),
            None => document.invalid += usize::from(!app.superseded),
        }
    }
    if document.apps.is_empty() && document.invalid == 0 {
        let help = "write `app(\"name\"):` … `endapp`";
        document.diagnostics.push(
            Diagnostic::new(Code::E0515, "the text holds no app").at(source, Span::default(), "").help(help),
        );
    }
    document
}

/// What to say of a text that is something else than ARMR, if it is plain what it is.
fn mistaken(text: &str, source: SourceId) -> Option<Diagnostic> {
    let (format, span) = recognise(text.as_bytes())?;
    let (what, help) = match format {
        Format::Armr => return None,
        Format::Json => {
            ("JSON", "a policy is given to the command line with `--policy`, or to `check` as it is")
        }
        Format::SecLang => ("SecLang", "it is given to the command line with `--seclang`"),
        Format::Struct => ("no text", "give the rules as text"),
        Format::Manifest | Format::Envoy | Format::PolicyYaml | Format::Yaml => {
            ("YAML", "give the rules that are in it in a file of their own")
        }
    };
    let error = Diagnostic::new(Code::E0501, format!("this is {what}, not ARMR"));
    Some(error.at(source, span, "").help(help))
}

/// Of apps with the same name the one with the highest version stays; with the same version, none.
fn resolve_names(apps: &mut [app::Read], source: SourceId) {
    let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, app) in apps.iter().enumerate() {
        if let Some((name, ..)) = &app.identity {
            by_name.entry(name.clone()).or_default().push(index);
        }
    }
    for (name, places) in by_name.into_iter().filter(|(_, places)| places.len() > 1) {
        let known: Vec<(usize, u64, Span)> = places
            .iter()
            .filter_map(|&place| {
                let (_, version, span) = apps.get(place)?.identity.as_ref()?;
                Some((place, *version, *span))
            })
            .collect();
        // The highest version among those that could be loaded, or among all if none could.
        let loadable = |place: usize| apps.get(place).is_some_and(|app| app.valid.is_some());
        let highest =
            known.iter().filter(|(place, ..)| loadable(*place)).map(|(_, version, _)| *version).max();
        for &(place, version, span) in &known {
            let twin = known.iter().find(|(other, same, _)| *other != place && *same == version);
            let Some(app) = apps.get_mut(place) else { continue };
            if let Some((_, _, other)) = twin {
                app.valid = None;
                let message =
                    format!("two apps are named \"{name}\" and have the version {version}; neither loads");
                let diagnostic = Diagnostic::new(Code::E0502, message).at(source, span, "");
                app.diagnostics.push(
                    diagnostic
                        .at(source, *other, "the other one")
                        .help("rename one, or give it a higher `version`"),
                );
            } else if app.valid.is_some() && highest.is_some_and(|highest| version < highest) {
                app.valid = None;
                app.superseded = true;
                let message =
                    format!("version {version} of app \"{name}\" is left out: there is a higher one");
                app.diagnostics.push(Diagnostic::new(Code::W0604, message).at(source, span, ""));
            }
        }
    }
}
