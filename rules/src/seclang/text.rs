//! Text that knows where each of its bytes stands in the file, through continued lines and escapes.

use std::ops::Range;

use smallvec::SmallVec;

use crate::diagnostic::{Code, Diagnostic, Label, Place, SourceId, Span};

/// Bytes taken from a source text, with the place of each.
#[derive(Clone, Debug)]
pub(super) struct Text {
    source: SourceId,
    bytes: Vec<u8>,
    /// (offset here, offset in the source) where each unbroken run begins, ascending; at least one.
    runs: SmallVec<[(usize, usize); 1]>,
}

impl Text {
    /// `bytes`, which stand at `origin`.
    pub(super) fn new(source: SourceId, bytes: &[u8], origin: usize) -> Self {
        Self { source, bytes: bytes.to_vec(), runs: SmallVec::from_elem((0, origin), 1) }
    }

    /// Adds `bytes`, which stand at `origin`.
    pub(super) fn push(&mut self, bytes: &[u8], origin: usize) {
        if !bytes.is_empty() {
            self.runs.push((self.bytes.len(), origin));
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes from `start` on.
    pub(super) fn tail(&self, start: usize) -> &[u8] {
        self.bytes.get(start..).unwrap_or_default()
    }

    /// As text for names, numbers and messages; what is not UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn origin(&self, offset: usize) -> usize {
        let next = self.runs.partition_point(|&(here, _)| here <= offset);
        let (here, there) = next.checked_sub(1).and_then(|n| self.runs.get(n)).copied().unwrap_or_default();
        there + (offset - here)
    }

    /// Where a part stands in the source.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let range = self.clamp(range);
        let start = self.origin(range.start);
        let end = if range.is_empty() { start } else { self.origin(range.end - 1) + 1 };
        Span { start, end }
    }

    fn clamp(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }

    /// A part.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let range = self.clamp(range);
        let mut part = Self::new(
            self.source,
            self.bytes.get(range.clone()).unwrap_or_default(),
            self.origin(range.start),
        );
        let first = self.runs.partition_point(|&(here, _)| here <= range.start);
        let inside = self.runs.iter().skip(first).take_while(|&&(here, _)| here < range.end);
        part.runs.extend(inside.map(|&(here, there)| (here - range.start, there)));
        part
    }

    /// Without white space on either side.
    pub(super) fn trimmed(&self) -> Self {
        let start = self.len() - self.bytes.trim_ascii_start().len();
        self.slice(start..self.bytes.trim_ascii_end().len())
    }

    /// With the backslash taken out in front of each `quote`; other backslashes stay.
    pub(super) fn unescaped(self, quote: u8) -> Self {
        if memchr::memchr(b'\\', &self.bytes).is_none() {
            return self;
        }
        let mut out = self.slice(0..0);
        let (mut from, mut at) = (0, 0);
        while let Some(found) = memchr::memchr(b'\\', self.tail(at)) {
            let backslash = at + found;
            if self.bytes.get(backslash + 1) == Some(&quote) {
                out.append(&self.slice(from..backslash));
                from = backslash + 1;
            }
            at = backslash + 2;
        }
        out.append(&self.slice(from..self.len()));
        out
    }

    fn append(&mut self, other: &Self) {
        let base = self.len();
        if !other.is_empty() {
            self.runs.extend(other.runs.iter().map(|&(here, there)| (base + here, there)));
            self.bytes.extend_from_slice(&other.bytes);
        }
    }

    /// Where all of it stands.
    pub(super) fn place(&self) -> Place {
        Place::new(self.source, self.span(0..self.len()))
    }

    /// A label on all of it.
    pub(super) fn label(&self, text: impl Into<String>) -> Label {
        Label { source: self.source, span: self.span(0..self.len()), text: text.into() }
    }

    /// A diagnostic about all of it.
    pub(super) fn report(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        self.report_part(0..self.len(), code, message)
    }

    /// A diagnostic about a part of it.
    pub(super) fn report_part(
        &self,
        range: Range<usize>,
        code: Code,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic::new(code, message).at(self.source, self.span(range), "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    /// `ab` at 10, `cd\"e` at 20.
    fn sample() -> Text {
        let id = Sources::default().add("x", *b"");
        let mut text = Text::new(id, b"ab", 10);
        text.push(br#"cd\"e"#, 20);
        text
    }

    #[test]
    fn spans_follow_runs() {
        let text = sample();
        assert_eq!(text.span(0..2), Span { start: 10, end: 12 });
        assert_eq!(text.span(1..3), Span { start: 11, end: 21 });
        assert_eq!(text.span(2..2), Span { start: 20, end: 20 });
        assert_eq!(text.span(5..99), Span { start: 23, end: 25 });
        assert_eq!(text.slice(1..4).span(1..3), Span { start: 20, end: 22 });
        assert_eq!(text.slice(7..7).span(0..0), Span { start: 25, end: 25 });
    }

    #[test]
    fn unescaping_keeps_places() {
        let text = sample().unescaped(b'"');
        assert_eq!(text.bytes(), br#"abcd"e"#);
        assert_eq!(text.span(4..5), Span { start: 23, end: 24 });
        assert_eq!(text.span(3..5), Span { start: 21, end: 24 });
        assert_eq!(sample().unescaped(b'\'').bytes(), br#"abcd\"e"#);
    }

    #[test]
    fn a_pair_of_backslashes_escapes_nothing() {
        let id = Sources::default().add("x", *b"");
        assert_eq!(Text::new(id, br#"a\\"b"#, 0).unescaped(b'"').bytes(), br#"a\\"b"#);
        assert_eq!(Text::new(id, br#"\"\"\"#, 0).unescaped(b'"').bytes(), br#"""\"#);
    }
}
