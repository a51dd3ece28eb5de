//! Diagnostics: numbered, with places and help. Data only; the command line renders them, the filter
//! logs them on one line each.

mod cap;
mod codes;
mod source;
mod suggest;

pub(crate) use cap::Cap;
pub use codes::Code;
pub use source::{Place, Position, SourceId, Sources, Span};
pub use suggest::{did_you_mean, suggest};

use std::fmt;

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The policy is refused.
    Error,
    /// The policy loads; something in it probably isn't what was meant.
    Warning,
    /// The policy loads; something in it has no effect in a filter.
    Note,
}

/// One thing to know about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its number and level.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; the first label is the main one.
    pub labels: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// Id of the rule concerned.
    pub rule: Option<u64>,
    /// JSON path within the policy, such as `rule_sets[0].rules[3].operator`.
    pub path: Option<String>,
    /// How many more of its kind are left out, for which it stands; 0 for all others.
    pub left_out: u32,
}

/// A place in a source with what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Which source.
    pub source: SourceId,
    /// Which bytes of it.
    pub span: Span,
    /// What about them; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// A diagnostic without places.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            labels: Vec::new(),
            help: None,
            rule: None,
            path: None,
            left_out: 0,
        }
    }

    /// Adds a place.
    #[must_use]
    pub fn at(mut self, source: SourceId, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { source, span, text: text.into() });
        self
    }

    /// Adds a place of the model, if it is known.
    #[must_use]
    pub fn place(self, place: Place, text: &str) -> Self {
        match place.known() {
            Some((source, span)) => self.at(source, span, text),
            None => self,
        }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Names the rule concerned.
    #[must_use]
    pub fn rule(mut self, id: Option<u64>) -> Self {
        self.rule = id;
        self
    }

    /// Names the JSON path concerned.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The diagnostic on one line, for logs: `error[E0203] FILE:LINE:COLUMN (path, rule N): message; help`.
    #[must_use]
    pub fn one_line(&self, sources: &Sources) -> String {
        let mut out = format!("{}[{}]", self.code.level(), self.code);
        if let Some(label) = self.labels.first() {
            let position = sources.position(label.source, label.span.start);
            out.push_str(&format!(" {}:{}:{}", sources.name(label.source), position.line, position.column));
        }
        let about: Vec<String> =
            self.path.clone().into_iter().chain(self.rule.map(|id| format!("rule {id}"))).collect();
        if !about.is_empty() {
            out.push_str(&format!(" ({})", about.join(", ")));
        }
        out.push_str(&format!(": {}", self.message));
        if let Some(help) = &self.help {
            out.push_str(&format!("; {help}"));
        }
        out
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Whether any of the diagnostics refuses the policy.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|d| d.code.level() == Level::Error)
}
