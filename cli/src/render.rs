//! Diagnostics for people, and as JSON for programs.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level as Severity, Renderer, Snippet};
use portcullis_rules::diagnostic::{Diagnostic, Label, Level, SourceId, Sources, Span};
use portcullis_rules::policy::Loaded;
use serde_json::{Value, json};

/// Lines shown before and after the places concerned.
const CONTEXT_LINES: usize = 1;

/// Bytes before and after a place that are looked through for the ends of lines; longer lines are not shown.
const LONGEST: usize = 4_096;

/// Bytes of a longer line that are shown.
const EXCERPT: usize = 96;

/// A diagnostic with the lines it is about.
pub(crate) fn human(diagnostic: &Diagnostic, sources: &Sources, colours: bool) -> String {
    let level = match diagnostic.code.level() {
        Level::Error => Severity::ERROR,
        Level::Warning => Severity::WARNING,
        Level::Note => Severity::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.to_string());
    let mut report = Group::with_title(title);
    for place in places(diagnostic, sources) {
        report = match place {
            Place::Lines(snippet) => report.element(*snippet),
            Place::Excerpt(text) => report.element(Severity::NOTE.with_name("in").message(text)),
        };
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

/// How a place is shown.
enum Place<'a> {
    /// With its lines.
    Lines(Box<Snippet<'a, annotate_snippets::Annotation<'a>>>),
    /// With the text around it, where lines are too long to be shown.
    Excerpt(String),
}

/// One place for each source that has labels.
fn places<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Vec<Place<'a>> {
    let mut by_source: Vec<(SourceId, Vec<(bool, &Label)>)> = Vec::new();
    for (index, label) in diagnostic.labels.iter().enumerate() {
        match by_source.iter_mut().find(|(source, _)| *source == label.source) {
            Some((_, labels)) => labels.push((index == 0, label)),
            None => by_source.push((label.source, vec![(index == 0, label)])),
        }
    }
    let mut places = Vec::new();
    for (source, labels) in by_source {
        let text = sources.text(source);
        match window(text, labels.iter().map(|(_, label)| label.span)) {
            Some(window) => places.push(Place::Lines(Box::new(snippet(source, &labels, window, sources)))),
            None => {
                places.extend(labels.iter().map(|(_, label)| Place::Excerpt(excerpt(label, sources))));
            }
        }
    }
    places
}

fn snippet<'a>(
    source: SourceId,
    labels: &[(bool, &'a Label)],
    window: Range<usize>,
    sources: &'a Sources,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let shown = printable(sources.text(source).get(window.clone()).unwrap_or_default());
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
}

/// `FILE:LINE:COLUMN: …text around it…`.
fn excerpt(label: &Label, sources: &Sources) -> String {
    let text = sources.text(label.source);
    let (start, end) = (label.span.start.saturating_sub(EXCERPT / 4), label.span.start + EXCERPT);
    let shown = text.get(start..end.min(text.len())).unwrap_or_default();
    let position = sources.position(label.source, label.span.start);
    format!(
        "{}:{}:{}: {}{}{}",
        sources.name(label.source),
        position.line,
        position.column,
        if start > 0 { "…" } else { "" },
        printable(shown).replace(char::is_control, " "),
        if end < text.len() { "…" } else { "" },
    )
}

/// The whole lines that hold the spans, and some around them; `None` when that is too much to show.
fn window(text: &[u8], spans: impl Iterator<Item = Span> + Clone) -> Option<Range<usize>> {
    let start = spans.clone().map(|span| span.start).min().unwrap_or(0).min(text.len());
    let end = spans.map(|span| span.end).max().unwrap_or(0).clamp(start, text.len());
    let from = start.saturating_sub(LONGEST);
    let before = text.get(from..start).unwrap_or_default();
    let after = text.get(end..text.len().min(end + LONGEST)).unwrap_or_default();
    let breaks_before =
        before.iter().enumerate().rev().filter(|(_, b)| **b == b'\n').map(|(at, _)| from + at + 1);
    let breaks_after = after.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| end + at + 1);
    let first: Vec<usize> = breaks_before.take(CONTEXT_LINES + 1).collect();
    let last: Vec<usize> = breaks_after.take(CONTEXT_LINES + 1).collect();
    // Where the text begins or ends nearby, its line does too.
    let first = match first.get(CONTEXT_LINES) {
        Some(first) => *first,
        None if from == 0 => 0,
        None => *first.last()?,
    };
    let last = match last.get(CONTEXT_LINES) {
        Some(last) => *last,
        None if end + LONGEST >= text.len() => text.len(),
        None => *last.last()?,
    };
    Some(first..last).filter(|window| window.len() <= 2 * LONGEST)
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
            "left_out": diagnostic.left_out,
            "labels": labels.collect::<Vec<_>>(),
        })
    };
    loaded.diagnostics.iter().map(object).collect()
}
