//! Diagnostics for people, and as JSON for programs.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Severity, Renderer, Snippet};
use portcullis_rules::diagnostic::{Diagnostic, Label, Level, SourceId, Sources, Span};
use portcullis_rules::policy::Loaded;
use serde_json::{Value, json};

/// Lines shown before and after the places concerned.
const CONTEXT_LINES: usize = 1;

/// A diagnostic with the lines it is about.
pub(crate) fn human(diagnostic: &Diagnostic, sources: &Sources, colours: bool) -> String {
    let level = match diagnostic.code.level() {
        Level::Error => Severity::ERROR,
        Level::Warning => Severity::WARNING,
        Level::Note => Severity::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.to_string());
    let mut report = Group::with_title(title);
    for snippet in snippets(diagnostic, sources) {
        report = report.element(snippet);
    }
    let about: Vec<String> =
        diagnostic.path.iter().cloned().chain(diagnostic.rule.map(|id| format!("rule {id}"))).collect();
    if !about.is_empty() {
        report = report.element(Severity::NOTE.with_name("at").message(about.join(", ")));
    }
    if let Some(help) = &diagnostic.help {
        report = report.element(Severity::HELP.message(help.as_str()));
    }
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&[report])
}

/// One snippet for each source that has labels.
fn snippets<'a>(
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut by_source: Vec<(SourceId, Vec<(bool, &Label)>)> = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        match by_source.iter_mut().find(|(source, _)| *source == label.source) {
            Some((_, labels)) => labels.push((index == 0, label)),
            None => by_source.push((label.source, vec![(index == 0, label)])),
        }
    }
    let snippet = |(source, labels): (SourceId, Vec<(bool, &'a Label)>)| {
        let text = sources.text(source);
        let window = window(text, labels.iter().map(|(_, label)| label.span));
        let shown = printable(text.get(window.clone()).unwrap_or_default());
        let annotations: Vec<_> = labels
            .iter()
            .map(|(primary, label)| {
                let kind = if *primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                let within = |offset: usize| {
                    let offset = offset.clamp(window.start, window.end) - window.start;
                    shown.floor_char_boundary(offset)
                };
                let annotation = kind.span(within(label.span.start)..within(label.span.end));
                if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
            })
            .collect();
        let first_line = sources.position(source, window.start).line;
        Snippet::source(shown)
            .path(sources.name(source))
            .line_start(usize::try_from(first_line).unwrap_or(usize::MAX))
            .annotations(annotations)
    };
    by_source.into_iter().map(snippet).collect()
}

/// The whole lines that hold the spans, and some around them.
fn window(text: &[u8], spans: impl Iterator<Item = Span> + Clone) -> Range<usize> {
    let start = spans.clone().map(|span| span.start).min().unwrap_or(0).min(text.len());
    let end = spans.map(|span| span.end).max().unwrap_or(0).clamp(start, text.len());
    let before = text.get(..start).unwrap_or_default();
    let after = text.get(end..).unwrap_or_default();
    let breaks_before = before.iter().enumerate().rev().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let breaks_after = after.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| end + at + 1);
    let first = breaks_before.take(CONTEXT_LINES + 1).nth(CONTEXT_LINES).unwrap_or(0);
    let last = breaks_after.take(CONTEXT_LINES + 1).nth(CONTEXT_LINES).unwrap_or(text.len());
    first..last
}

/// The text with one `?` for each byte that is not UTF-8, so that offsets stay true.
fn printable(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        shown.push_str(chunk.valid());
        shown.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    shown
}

/// `1 rule`, `2 rules`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The diagnostics of the policy `name` as JSON objects.
pub(crate) fn json(loaded: &Loaded, name: &str) -> Vec<Value> {
    let sources = &loaded.sources;
    let place = |label: &Label| {
        let start = sources.position(label.source, label.span.start);
        let end = sources.position(label.source, label.span.end);
        (sources.name(label.source).to_owned(), start, end)
    };
    let object = |diagnostic: &Diagnostic| {
        let main = diagnostic.labels.first().map(place);
        let labels = diagnostic.labels.iter().map(|label| {
            let (file, start, end) = place(label);
            json!({
                "file": file,
                "line": start.line,
                "column": start.column,
                "end_line": end.line,
                "end_column": end.column,
                "text": label.text,
            })
        });
        json!({
            "file": main.as_ref().map_or(name, |(file, ..)| file),
            "code": diagnostic.code.to_string(),
            "level": diagnostic.code.level().to_string(),
            "message": diagnostic.message,
            "path": diagnostic.path,
            "rule": diagnostic.rule,
            "line": main.as_ref().map(|(_, start, _)| start.line),
            "column": main.as_ref().map(|(_, start, _)| start.column),
            "help": diagnostic.help,
            "labels": labels.collect::<Vec<_>>(),
        })
    };
    loaded.diagnostics.iter().map(object).collect()
}
