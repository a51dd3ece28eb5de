//! Places in JSON bodies.

use super::{Masks, Named, Sink};
use crate::body::json;
use crate::limits;

/// The masked values of a body. What can't be read is masked from there on.
pub(super) fn places(masks: &Masks, body: &[u8], sink: &mut Sink<'_>) {
    // UTF-16 and UTF-32: a byte of a character is nothing to show.
    if let [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..] = body {
        return sink(0..body.len(), &[]);
    }
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let at = body.len() - text.len();
    let options = json::Options {
        depth: usize::MAX,
        arguments: usize::MAX,
        name_bytes: limits::JSON_NAME_BYTES,
        array_names: json::ArrayNames::Index,
        truncated: true,
    };
    let (mut store, mut leaves) = (Vec::new(), Vec::new());
    let summary =
        json::flatten_placed(text, &options, &mut store, &mut |pair, place| leaves.push((pair, place)));
    for (pair, place) in leaves {
        let name = store.get(pair.name).unwrap_or_default();
        if masks.hides_name(Named::Argument, name) {
            sink(inside_quotes(text, place.key, at), &[]);
        }
        if masks.hides_value(Named::Argument, name) {
            let value = store.get(pair.value).unwrap_or_default();
            let raw = text.get(place.value.clone()).unwrap_or_default();
            let range = inside_quotes(text, place.value, at);
            sink(range.clone(), value);
            sink(range, raw.trim_ascii());
        }
    }
    if let Some(error) = summary.error {
        sink(at + error.offset..body.len(), &[]);
    }
}

/// A range of the text without the quotes around it, `at` bytes further on.
fn inside_quotes(text: &[u8], range: std::ops::Range<usize>, at: usize) -> std::ops::Range<usize> {
    let raw = text.get(range.clone()).unwrap_or_default();
    match raw {
        [b'"', inner @ .., b'"'] if !ends_in_escape(inner) => at + range.start + 1..at + range.end - 1,
        [b'"', ..] => at + range.start + 1..at + range.end,
        _ => at + range.start..at + range.end,
    }
}

/// Whether what follows is escaped.
fn ends_in_escape(text: &[u8]) -> bool {
    text.iter().rev().take_while(|&&byte| byte == b'\\').count() % 2 == 1
}
