//! Collects what is wrong with a policy and says where in its JSON that is.

use std::fmt::Write;
use std::ops::Range;

use super::json::{self, Kind, Value};
use crate::diagnostic::{Cap, Code, Diagnostic, Label, Level, Place, SourceId, Span};
use crate::limits;

/// What was found, in the order in which it was found until [`Reporter::finish`] sorts it.
pub(super) struct Reporter<'a> {
    text: &'a [u8],
    source: SourceId,
    diagnostics: Vec<Diagnostic>,
    cap: Cap,
    /// How many rules were read.
    rules: usize,
}

/// Something that stands in the JSON text; for a default, where it would stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// The opening bracket of an object, for what is missing in it.
pub(super) fn opening<T>(object: &Spanned<T>) -> Span {
    Span { start: object.span.start, end: object.span.start + 1 }
}

impl<'a> Reporter<'a> {
    pub(super) fn new(text: &'a [u8], source: SourceId) -> Self {
        Self { text, source, diagnostics: Vec::new(), cap: Cap::default(), rules: 0 }
    }

    /// A diagnostic about a place in the JSON text, to be pushed.
    pub(super) fn at(&self, code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, message).at(self.source, span, "")
    }

    /// A place in the JSON text.
    pub(super) fn label(&self, span: Span) -> Label {
        Label { source: self.source, span, text: String::new() }
    }

    /// A place in the JSON text, for the model.
    pub(super) fn place(&self, span: Span) -> Place {
        Place::new(self.source, span)
    }

    /// A second place in the JSON text for a diagnostic.
    pub(super) fn also(&self, diagnostic: Diagnostic, span: Span, text: &str) -> Diagnostic {
        diagnostic.at(self.source, span, text)
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        if self.cap.admits(&diagnostic) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Counts a rule. Whether it is to be read: not when there are too many, nor when there are so many mistakes already
    /// that those in it would not be shown.
    pub(super) fn admits_rule(&mut self, span: Span) -> bool {
        self.rules += 1;
        if self.rules == limits::RULES + 1 {
            let message = format!("there are more than {} rules", limits::RULES);
            self.push(self.at(Code::E0109, span, message).help("join rules that do the same"));
        }
        self.rules <= limits::RULES && !self.cap.is_flooded()
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong_type(&mut self, value: &Value<'_>, expected: &str) {
        let message = format!("{expected} is expected, not {}", value.kind.describe());
        self.push(self.at(Code::E0102, value.span, message));
    }

    /// The place of some bytes of a string's or number's value in the JSON text.
    pub(super) fn within<T>(&self, whole: &Spanned<T>, bytes: Range<usize>) -> Span {
        let start = whole.span.start;
        if self.text.get(start) != Some(&b'"') {
            return Span { start: start + bytes.start, end: start + bytes.end };
        }
        Span {
            start: json::offset_in_string(self.text, whole.span, bytes.start),
            end: json::offset_in_string(self.text, whole.span, bytes.end),
        }
    }

    /// Whether a boolean stands in the JSON text; if not, it is a default.
    pub(super) fn is_written(&self, boolean: Spanned<bool>) -> bool {
        self.text.get(boolean.span.start).is_some_and(|first| matches!(first, b't' | b'f'))
    }

    /// Moves places in another text to where that text stands as a string in the JSON text.
    pub(super) fn moved(&self, mut label: Label, written: &[usize]) -> Label {
        let place = |offset: usize| written.get(offset).or(written.last()).copied().unwrap_or_default();
        label.span = Span { start: place(label.span.start), end: place(label.span.end) };
        label.source = self.source;
        label
    }

    /// Where each byte of a string's value is written in the JSON text, and its end.
    pub(super) fn offsets<T>(&self, string: &Spanned<T>) -> Vec<usize> {
        json::offsets_in_string(self.text, string.span)
    }

    /// Whether anything was reported about the bytes of `span`.
    pub(super) fn reported_within(&self, span: Span) -> bool {
        let mut places = self.diagnostics.iter().filter_map(|d| d.labels.first());
        places.any(|label| span.start <= label.span.start && label.span.end <= span.end)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.code.level() == Level::Error)
    }

    /// All diagnostics in the order of their places, with JSON path and rule id filled in.
    pub(super) fn finish(mut self, root: Option<&Value<'_>>) -> Vec<Diagnostic> {
        for diagnostic in &mut self.diagnostics {
            let Some(label) = diagnostic.labels.first().filter(|label| label.source == self.source) else {
                continue;
            };
            let Some((path, rule)) = root.map(|root| locate(root, label.span)) else { continue };
            if !path.is_empty() && diagnostic.path.is_none() {
                diagnostic.path = Some(path);
            }
            diagnostic.rule = diagnostic.rule.or(rule);
        }
        // What is said of other texts follows, in the order in which it came.
        let own = self.source;
        self.diagnostics.sort_by_key(|d| match d.labels.first() {
            Some(label) if label.source != own => usize::MAX,
            label => label.map_or(0, |label| label.span.start),
        });
        self.diagnostics.extend(self.cap.left_out());
        self.diagnostics
    }
}

/// The JSON path of the innermost key or value that holds `span`, and the id of the rule it belongs to.
fn locate(root: &Value<'_>, span: Span) -> (String, Option<u64>) {
    let mut path = String::new();
    let mut rule = None;
    let mut value = root;
    loop {
        if value.span == span {
            return (path, rule.or_else(|| rule_id(value)));
        }
        match &value.kind {
            Kind::Array(items) => {
                let index = items.partition_point(|item| item.span.end < span.end);
                let Some(item) = items.get(index).filter(|item| item.span.start <= span.start) else { break };
                let _ = write!(path, "[{index}]");
                value = item;
            }
            Kind::Object(members) => {
                rule = rule.or_else(|| rule_id(value));
                let index = members.partition_point(|member| member.value.span.end < span.end);
                let Some(member) = members.get(index).filter(|member| member.key_span.start <= span.start)
                else {
                    break;
                };
                push_key(&mut path, &member.key);
                if span.end <= member.key_span.end {
                    break;
                }
                value = &member.value;
            }
            _ => break,
        }
    }
    (path, rule)
}

/// The value of `rule_id`, if this is a rule.
fn rule_id(value: &Value<'_>) -> Option<u64> {
    let Kind::Object(members) = &value.kind else { return None };
    let id: u64 = match &members.iter().find(|member| member.key == "rule_id")?.value.kind {
        Kind::Number(text) => text.parse().ok(),
        Kind::String(text) => text.parse().ok(),
        _ => None,
    }?;
    (id > 0).then_some(id)
}

fn push_key(path: &mut String, key: &str) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$');
    if key.is_empty() || !key.bytes().all(plain) {
        let _ = write!(path, "[{key:?}]");
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let text = br#"{ "a": [1, {"rule_id": "7", "b c": "x", "d": {}}], "e": true }"#;
        let root = json::parse(text).unwrap();
        let check = |needle: &str, expected: &str, rule: Option<u64>| {
            let start = memchr::memmem::find(text, needle.as_bytes()).unwrap();
            let span = Span { start, end: start + needle.len() };
            assert_eq!(locate(&root, span), (expected.to_owned(), rule), "{needle}");
        };
        check("1", "a[0]", None);
        check("\"a\"", "a", None);
        check("\"x\"", "a[1][\"b c\"]", Some(7));
        check("x", "a[1][\"b c\"]", Some(7));
        check("\"d\"", "a[1].d", Some(7));
        check("{}", "a[1].d", Some(7));
        check("{\"rule_id\": \"7\", \"b c\": \"x\", \"d\": {}}", "a[1]", Some(7));
        check("true", "e", None);
        check("true }", "", None);
        check(std::str::from_utf8(text).unwrap(), "", None);
    }
}
