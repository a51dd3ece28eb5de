//! Places in multipart bodies.

use std::ops::Range;

use super::{Masks, Named, Sink};
use crate::body::multipart::{self, Options};

/// The masked fields and files of a body. A part whose name can't be read is masked, and so is a body that is not
/// as it should be.
pub(super) fn places(masks: &Masks, content_type: &[u8], body: &[u8], sink: &mut Sink<'_>) {
    let options = Options { fields: usize::MAX, files: usize::MAX, truncated: true };
    let mut store = Vec::new();
    let found = multipart::parse(content_type, body, &options, &mut store);
    if found.error.is_some() || found.ambiguous {
        return sink(0..body.len(), &[]);
    }
    let fields = found.fields.iter().filter(|field| !field.is_file);
    let fields = fields.map(|field| Part { name: &field.name, content: &field.value, file: false });
    let files = found.files.iter().map(|file| Part { name: &file.field, content: &file.content, file: true });
    let mut parts: Vec<Part<'_>> = fields.chain(files).collect();
    parts.sort_by_key(|part| part.content.start);
    let mut before = 0;
    for part in parts {
        let name = store.get(part.name.clone()).unwrap_or_default();
        let unknown = name.is_empty();
        let value = unknown || masks.hides_value(Named::Argument, name);
        let file = unknown || masks.hides_value(Named::File, name);
        let head = head(body, before..part.content.start);
        if masks.hides_name(Named::Argument, name) || (!part.file && masks.hides_value(Named::File, name)) {
            sink(head.clone(), &[]);
        }
        if part.file && (value || file) {
            file_name(body, head, sink);
        }
        if value || (part.file && file) {
            sink(part.content.clone(), body.get(part.content.clone()).unwrap_or_default());
        }
        before = part.content.end;
    }
}

struct Part<'a> {
    name: &'a Range<usize>,
    content: &'a Range<usize>,
    file: bool,
}

/// The headers of a part, which end the range from the previous part's content to its own: what follows the
/// boundary's line.
fn head(body: &[u8], range: Range<usize>) -> Range<usize> {
    let between = body.get(range.clone()).unwrap_or_default();
    let boundary = memchr::memmem::find(between, b"--").unwrap_or_default();
    let line = between.get(boundary..).and_then(|rest| memchr::memchr(b'\n', rest));
    line.map_or(range.clone(), |line| range.start + boundary + line + 1..range.end)
}

/// The names of a file in the headers of its part: from `filename` to the end of the line. All of them if it is not
/// there.
fn file_name(body: &[u8], head: Range<usize>, sink: &mut Sink<'_>) {
    let text = body.get(head.clone()).unwrap_or_default().to_ascii_lowercase();
    let Some(parameter) = memchr::memmem::find(&text, b"filename") else { return sink(head, &[]) };
    let after = parameter + b"filename".len();
    let rest = text.get(after..).unwrap_or_default();
    let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
    sink(head.start + after..head.start + after + end, &[]);
}
