//! Diagnostics in the words of libmodsecurity, for tools that read those.

use crate::diagnostic::{Code, Diagnostic, Sources};

/// A diagnostic on one line as libmodsecurity words it: `Rules error. File: F. Line: N. Column: N. …`.
///
/// SKUDONET's tools look for `Line: N. Column: N.`, `Failed to open file`, `Expecting an action, got:`
/// and `Expecting a variable, got:`; all other details are in our own words.
#[must_use]
pub fn modsecurity_style(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut out = "Rules error.".to_owned();
    let mut token = String::new();
    if let Some(label) = diagnostic.labels.first() {
        let position = sources.position(label.source, label.span.start);
        let file = sources.name(label.source);
        out.push_str(&format!(" File: {file}. Line: {}. Column: {}.", position.line, position.column));
        let text = sources.text(label.source).get(label.span.start..label.span.end).unwrap_or_default();
        token = String::from_utf8_lossy(text).into_owned();
    }
    let message = &diagnostic.message;
    out.push_str(&match diagnostic.code {
        Code::E0202 => format!(" Expecting a variable, got: : {token}"),
        Code::E0306 => format!(" Expecting an action, got: {token}"),
        Code::E0210 => format!(" Failed to open file: {message}"),
        Code::E0201 if diagnostic.rule.is_some() => {
            format!(" Rule id: {} is duplicated", diagnostic.rule.unwrap_or(0))
        }
        _ => format!(" Invalid input: {message}"),
    });
    out
}
