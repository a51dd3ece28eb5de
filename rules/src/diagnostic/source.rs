//! Source texts and places in them.

use std::sync::Arc;

/// Which source text a place is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

/// A range of bytes in a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after it.
    pub end: usize,
}

/// Where something of the model was written, as far as that is known. It is no part of what it belongs to: all places
/// are equal.
#[derive(Clone, Copy, Default)]
pub struct Place(Option<(SourceId, Span)>);

impl Place {
    /// These bytes of a source text.
    #[must_use]
    pub const fn new(source: SourceId, span: Span) -> Self {
        Self(Some((source, span)))
    }

    /// Source and bytes, if they are known.
    #[must_use]
    pub const fn known(self) -> Option<(SourceId, Span)> {
        self.0
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Place")
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

/// A place as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: u32,
    /// In bytes, from 1.
    pub column: u32,
}

/// The source texts of a policy.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<(Arc<str>, Arc<[u8]>)>,
}

impl Sources {
    /// Takes a text in.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>) -> SourceId {
        let id = SourceId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push((name.into(), text.into()));
        id
    }

    /// Its name; empty for an id of other sources.
    #[must_use]
    pub fn name(&self, id: SourceId) -> &str {
        self.files.get(id.0 as usize).map_or("", |(name, _)| name)
    }

    /// Its text; empty for an id of other sources.
    #[must_use]
    pub fn text(&self, id: SourceId) -> &[u8] {
        self.files.get(id.0 as usize).map_or(&[], |(_, text)| text)
    }

    /// Line and column of an offset. Linear in the offset: meant for reports.
    #[must_use]
    pub fn position(&self, id: SourceId, offset: usize) -> Position {
        let text = self.text(id);
        let before = text.get(..offset.min(text.len())).unwrap_or_default();
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
        let line = memchr::memchr_iter(b'\n', before).count() + 1;
        let column = before.len() - line_start + 1;
        Position {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
        }
    }
}
