//! An app: its version, its metadata and its rules.

use std::sync::Arc;

use super::ValidApp;
use super::socket;
use super::syntax::{Parameter, Statement, Value, ValueKind, Word};
use super::version::{self, Feature};
use crate::diagnostic::{Code, Diagnostic, Level, SourceId, Span, did_you_mean};
use crate::net::{App, LanguageVersion, RESERVED_KEYS};

/// What was read of an app.
#[derive(Debug)]
pub(super) struct Read {
    /// Name, version and place of the name; `None` when it has no name.
    pub(super) identity: Option<(String, u64, Span)>,
    pub(super) valid: Option<ValidApp>,
    /// Whether it is left out for a higher version.
    pub(super) superseded: bool,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What is found wrong with an app.
pub(super) struct Reports {
    source: SourceId,
    /// How messages begin.
    about: String,
    pub(super) found: Vec<Diagnostic>,
}

impl Reports {
    /// The text that is read.
    pub(super) const fn source(&self) -> SourceId {
        self.source
    }

    pub(super) fn report(&mut self, code: Code, span: Span, message: impl AsRef<str>, help: Option<String>) {
        let message = format!("{}{}", self.about, message.as_ref());
        let mut diagnostic = Diagnostic::new(code, message).at(self.source, span, "");
        diagnostic.help = help;
        self.found.push(diagnostic);
    }

    /// Reports with help.
    pub(super) fn error(&mut self, code: Code, span: Span, message: impl AsRef<str>, help: &str) {
        self.report(code, span, message, Some(help.to_owned()));
    }

    pub(super) fn again(&mut self, word: &Word, first: Span) {
        let message = format!("{}`{}` stands here twice", self.about, word.text);
        let diagnostic = Diagnostic::new(Code::E0504, message).at(self.source, word.span, "");
        self.found.push(diagnostic.at(self.source, first, "first here"));
    }

    /// Whether the version has a feature; it is reported when not.
    pub(super) fn needs(&mut self, feature: Feature, version: LanguageVersion, span: Span) -> bool {
        let there = feature.is_in(version);
        if !there {
            let message = format!(
                "{} need ARMR/{}, the app requires ARMR/{version}",
                feature.what(),
                feature.version()
            );
            self.error(Code::E0503, span, message, "raise the version in `requires`");
        }
        there
    }

    pub(super) fn unknown(&mut self, name: &Word, known: &[&str], what: &str) {
        let message = format!("no {what} `{}` here", name.text);
        self.report(Code::E0505, name.span, message, did_you_mean(&name.text, known));
    }

    fn has_errors(&self) -> bool {
        self.found.iter().any(|diagnostic| diagnostic.code.level() == Level::Error)
    }
}

/// The statements of an app other than rules.
const STATEMENTS: [&str; 3] = ["requires", "version", "metadata"];

pub(super) fn read(block: &Statement, source: SourceId) -> Read {
    let mut reports = Reports { source, about: String::new(), found: Vec::new() };
    let mut read = Read { identity: None, valid: None, superseded: false, diagnostics: Vec::new() };
    let (Some(body), "app") = (&block.body, block.name.text.as_str()) else {
        let message = format!("an app is expected, not `{}`", block.name.text);
        reports.error(Code::E0501, block.name.span, message, "write `app(\"name\"):` … `endapp`");
        read.diagnostics = reports.found;
        return read;
    };
    let name = match block.parameters.as_slice() {
        [Parameter { name: None, value: Value { kind: ValueKind::Text(text), span } }]
            if !text.trim().is_empty() =>
        {
            Some((text.clone(), *span))
        }
        _ => {
            let message = "an app has one parameter, its name in double quotes";
            reports.error(Code::E0502, block.name.span, message, "write `app(\"name\"):`");
            None
        }
    };
    if let Some((name, _)) = &name {
        reports.about = format!("app \"{name}\": ");
    }
    let head = head(body, &mut reports);
    let app = Arc::new(App {
        name: name.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
        version: head.version,
        language: head.language.unwrap_or(LanguageVersion::LATEST),
        log: head.log,
    });
    let mut rules = Vec::new();
    // Without a version it is unknown what rules mean.
    if head.language.is_some() {
        rules = socket::rules(body, &app, &mut reports);
    }
    read.identity = name.map(|(name, span)| (name, head.version, span));
    if let Some((name, ..)) = &read.identity
        && !reports.has_errors()
    {
        read.valid = Some(ValidApp { name: name.clone(), rules });
    }
    read.diagnostics = reports.found;
    read
}

struct Head {
    version: u64,
    language: Option<LanguageVersion>,
    log: Vec<(String, String)>,
}

fn head(body: &[Statement], reports: &mut Reports) -> Head {
    let mut head = Head { version: 1, language: None, log: Vec::new() };
    match body.iter().position(|statement| statement.name.text == "requires") {
        None => {
            let span = body.first().map_or_else(Span::default, |first| first.name.span);
            let help = "begin the app with `requires(version: ARMR/2.10)`";
            reports.error(Code::E0503, span, "the app doesn't say which version it requires", help);
        }
        Some(0) => {}
        Some(place) => {
            let span = body.get(place).map_or_else(Span::default, |statement| statement.name.span);
            reports.error(
                Code::E0503,
                span,
                "`requires` is not the first statement",
                "move it to the top of the app",
            );
        }
    }
    let mut seen: Vec<&Word> = Vec::new();
    for statement in body {
        let name = &statement.name;
        if statement.body.is_some() {
            continue;
        }
        if !STATEMENTS.contains(&name.text.as_str()) {
            reports.unknown(name, &STATEMENTS, "statement");
            continue;
        }
        if let Some(first) = seen.iter().find(|first| first.text == name.text) {
            reports.again(name, first.span);
            continue;
        }
        seen.push(name);
        match name.text.as_str() {
            "requires" => head.language = requires(statement, reports),
            "version" => head.version = version_number(statement, reports).unwrap_or(1),
            _ => {
                head.log = metadata(statement, head.language, reports);
            }
        }
    }
    head
}

fn requires(statement: &Statement, reports: &mut Reports) -> Option<LanguageVersion> {
    let help = "write `requires(version: ARMR/2.10)`";
    let [Parameter { name: Some(key), value }] = statement.parameters.as_slice() else {
        reports.error(Code::E0503, statement.name.span, "`requires` has one parameter, `version`", help);
        return None;
    };
    if key.text != "version" {
        reports.unknown(key, &["version"], "parameter");
        return None;
    }
    let version = match &value.kind {
        ValueKind::Word(word) => version::parse(word),
        _ => None,
    };
    match version {
        None => reports.error(Code::E0503, value.span, "not a version of ARMR", help),
        Some(version) if !version::is_supported(version) => {
            let message = format!("ARMR/{version} is not supported");
            reports.error(Code::E0503, value.span, message, "versions 2.0 to 2.10 are");
        }
        Some(_) => {}
    }
    version.filter(|version| version::is_supported(*version))
}

fn version_number(statement: &Statement, reports: &mut Reports) -> Option<u64> {
    let number = match statement.parameters.as_slice() {
        [Parameter { name: None, value: Value { kind: ValueKind::Word(word), .. } }] => Some(word)
            .filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|word| word.parse().ok()),
        _ => None,
    };
    if number.is_none() {
        let message = "the version of an app is one integer from 0";
        reports.error(Code::E0502, statement.name.span, message, "write `version(2)`");
    }
    number
}

/// The keys of `log` in metadata, which go into events.
pub(super) fn metadata(
    statement: &Statement,
    version: Option<LanguageVersion>,
    reports: &mut Reports,
) -> Vec<(String, String)> {
    if let Some(version) = version {
        reports.needs(Feature::Metadata, version, statement.name.span);
    }
    let mut log = Vec::new();
    if statement.parameters.is_empty() {
        reports.error(
            Code::E0505,
            statement.name.span,
            "`metadata` is empty",
            "write `metadata(key: \"value\")`",
        );
    }
    let mut seen: Vec<&Word> = Vec::new();
    for parameter in &statement.parameters {
        let Some(key) = &parameter.name else {
            let message = "metadata has a name for each value";
            reports.error(Code::E0505, parameter.value.span, message, "write `metadata(key: \"value\")`");
            continue;
        };
        if let Some(first) = seen.iter().find(|first| first.text == key.text) {
            reports.again(key, first.span);
        }
        seen.push(key);
        if key.text != "log" {
            continue;
        }
        let ValueKind::Map(members) = &parameter.value.kind else {
            let message = "`log` holds keys with their values";
            reports.error(Code::E0505, parameter.value.span, message, "write `log: {cve: \"CVE-2026-1\"}`");
            continue;
        };
        for (key, value) in members {
            if RESERVED_KEYS.contains(&key.text.as_str()) {
                let message = format!("the key `{}` is the event's own", key.text);
                reports.error(Code::E0517, key.span, message, "use another key");
            } else if !is_key(&key.text) {
                let message = format!("`{}` can't be a key of events", key.text);
                reports.error(Code::E0517, key.span, message, "use letters, digits, `_`, `-` and `.`");
            } else {
                log.push((key.text.clone(), shown(value)));
            }
        }
    }
    log
}

/// Whether a text can be a key in a CEF line.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// A value as text.
fn shown(value: &Value) -> String {
    match &value.kind {
        ValueKind::Word(text) | ValueKind::Text(text) => text.clone(),
        ValueKind::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        ValueKind::Map(members) => members
            .iter()
            .map(|(key, value)| format!("{}: {}", key.text, shown(value)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}
