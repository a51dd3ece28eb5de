//! JSON: each leaf becomes an argument, named after the path to it.
//!
//! One pass, no recursion, strict RFC 8259, but in any encoding of Unicode and with a byte order mark, as common
//! parsers take it. Names are as in Coraza (`json.a.0.b`), or with ModSecurity's
//! array names (`json.a.array_0.b`). As in Coraza an array is an argument itself, behind its elements, with their number
//! for a value: names such as `id__in` end with the array, not with an element. So that no name goes unseen, empty
//! arrays and objects are arguments too. Duplicate keys are all kept, in order of arrival.

mod cursor;
mod error;

pub use error::{JsonError, JsonErrorKind};

use std::borrow::Cow;
use std::ops::Range;

use super::encoding::{self, Decoded};
use crate::http::Pair;
use crate::limits;
use cursor::Cursor;

/// What the elements of arrays are called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArrayNames {
    /// By index, `json.a.0`, as in Coraza.
    #[default]
    Index,
    /// `json.a.array_0`, as in ModSecurity 3.
    ArrayIndex,
}

/// How to flatten a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most nesting of arrays and objects (`SecRequestBodyJsonDepthLimit`).
    pub depth: usize,
    /// Most arguments reported; the rest is checked but not reported.
    pub arguments: usize,
    /// Most bytes of all names together.
    pub name_bytes: usize,
    /// Names of array elements.
    pub array_names: ArrayNames,
    /// Whether the body was cut; that it just ends is no error then.
    pub truncated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            depth: limits::JSON_DEPTH,
            arguments: usize::MAX,
            name_bytes: limits::JSON_NAME_BYTES,
            array_names: ArrayNames::Index,
            truncated: false,
        }
    }
}

/// What flattening did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Arguments reported.
    pub arguments: usize,
    /// Arguments past the limit, which were not.
    pub dropped: usize,
    /// Why parsing stopped early. The arguments before that place have been reported, the begun string
    /// or number included.
    pub error: Option<JsonError>,
}

/// Reports the leaves of a JSON body as arguments.
///
/// Strings are decoded to UTF-8, an unpaired surrogate to U+FFFD; numbers, `true` and `false` keep their
/// text; `null` is empty. An array has the number of its elements, an empty object is empty; where the whole body is an
/// empty array or object there is no argument. What is the whole body is called `json`; an empty key makes a name
/// that ends in `.` or has two in a row.
///
/// Blank bodies are an error, as they are no JSON: whoever calls decides about absent ones.
pub fn flatten(body: &[u8], options: &Options, store: &mut Vec<u8>, sink: &mut impl FnMut(Pair)) -> Summary {
    flatten_placed(body, options, store, &mut |pair, _| sink(pair))
}

/// Where an argument stands in a body, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The argument's own key, or that of the array it is in.
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// As [`flatten`], with the places of the arguments in the body. Where the body is not UTF-8 they are not known, and each
/// is the whole of it.
pub(crate) fn flatten_placed(
    body: &[u8],
    options: &Options,
    store: &mut Vec<u8>,
    sink: &mut impl FnMut(Pair, Place),
) -> Summary {
    // What is no text is cut off, and is the error when parsing gets there.
    let Decoded { text, is_invalid } = encoding::decode(body, options.truncated);
    // Behind the byte order mark.
    let start = match &text {
        Cow::Borrowed(text) => Some(text.as_ptr().addr() - body.as_ptr().addr()),
        Cow::Owned(_) => None,
    };
    let sink = &mut |pair, place: Place| {
        let within = |part: Range<usize>| start.map_or(0..body.len(), |at| part.start + at..part.end + at);
        sink(pair, Place { key: within(place.key), value: within(place.value) });
    };
    let text = text.as_bytes();
    let mut flattener = Flattener {
        cursor: Cursor::new(text),
        length: text.len(),
        options,
        path: b"json".to_vec(),
        open: Vec::new(),
        key: 0..0,
        name_bytes: 0,
        summary: Summary::default(),
        store,
        sink,
    };
    if let Err(kind) = flattener.run() {
        flattener.end_rest();
        let kind = match kind {
            JsonErrorKind::UnexpectedEnd if is_invalid => Some(JsonErrorKind::InvalidText),
            JsonErrorKind::UnexpectedEnd if options.truncated => None,
            kind => Some(kind),
        };
        flattener.summary.error = kind.map(|kind| JsonError { kind, offset: flattener.cursor.position() });
    } else if is_invalid {
        flattener.summary.error = Some(JsonError { kind: JsonErrorKind::InvalidText, offset: text.len() });
    }
    flattener.summary
}

/// An array or object that is not closed yet.
struct Open {
    /// Length of its own path.
    path: usize,
    kind: Container,
    /// Where it begins, and its key.
    start: usize,
    key: Range<usize>,
}

/// With the number of members or elements that have begun.
#[derive(Clone, Copy)]
enum Container {
    Object(usize),
    Array(usize),
}

struct Flattener<'a, F> {
    cursor: Cursor<'a>,
    /// Of the text.
    length: usize,
    options: &'a Options,
    /// Name of the value being read.
    path: Vec<u8>,
    open: Vec<Open>,
    /// Where the last key stands.
    key: Range<usize>,
    name_bytes: usize,
    summary: Summary,
    store: &'a mut Vec<u8>,
    sink: &'a mut F,
}

impl<'a, F: FnMut(Pair, Place)> Flattener<'a, F> {
    fn run(&mut self) -> Result<(), JsonErrorKind> {
        loop {
            let complete = self.value()?;
            if !complete {
                continue;
            }
            if !self.next_value()? {
                break;
            }
        }
        match self.cursor.peek_after_blanks() {
            None => Ok(()),
            Some(byte) => Err(JsonErrorKind::Unexpected(byte)),
        }
    }

    /// Reads a value. For an array or object with something in it that is only its beginning: returns
    /// `false`, and the first value in it is to be read.
    fn value(&mut self) -> Result<bool, JsonErrorKind> {
        match self.cursor.peek_after_blanks() {
            Some(b'{') => self.begin_object(),
            Some(b'[') => self.begin_array(),
            Some(b'"') => self.leaf(Cursor::string),
            Some(b't') => self.leaf(|cursor, out| cursor.literal(b"true", b"true", out)),
            Some(b'f') => self.leaf(|cursor, out| cursor.literal(b"false", b"false", out)),
            Some(b'n') => self.leaf(|cursor, out| cursor.literal(b"null", b"", out)),
            Some(b'-' | b'0'..=b'9') => self.leaf(Cursor::number),
            Some(byte) => Err(JsonErrorKind::Unexpected(byte)),
            None => Err(JsonErrorKind::UnexpectedEnd),
        }
    }

    fn begin_object(&mut self) -> Result<bool, JsonErrorKind> {
        self.begin(Container::Object(0))?;
        if self.cursor.peek_after_blanks() == Some(b'}') {
            return self.end().map(|()| true);
        }
        self.next_key()?;
        Ok(false)
    }

    fn begin_array(&mut self) -> Result<bool, JsonErrorKind> {
        self.begin(Container::Array(0))?;
        if self.cursor.peek_after_blanks() == Some(b']') {
            return self.end().map(|()| true);
        }
        self.next_index();
        Ok(false)
    }

    fn begin(&mut self, kind: Container) -> Result<(), JsonErrorKind> {
        if self.open.len() >= self.options.depth {
            return Err(JsonErrorKind::Depth(self.options.depth));
        }
        let (start, key) = (self.cursor.position(), self.key.clone());
        self.cursor.advance();
        self.open.push(Open { path: self.path.len(), kind, start, key });
        Ok(())
    }

    fn end(&mut self) -> Result<(), JsonErrorKind> {
        self.cursor.advance();
        self.report_container()
    }

    /// Takes the innermost container off and reports it if it has an argument.
    fn report_container(&mut self) -> Result<(), JsonErrorKind> {
        let Some(container) = self.open.pop() else { return Ok(()) };
        self.path.truncate(container.path);
        match container.kind {
            Container::Object(1..) => Ok(()),
            // Nobody has chosen a name.
            Container::Object(0) | Container::Array(0) if self.open.is_empty() => Ok(()),
            Container::Object(0) => self.report(container.start, container.key, |_, _| Ok(())),
            Container::Array(count) => self.report(container.start, container.key, |_, out| {
                out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
                Ok(())
            }),
        }
    }

    /// Where the body ends too early, or is given up: reports the containers that are still open.
    fn end_rest(&mut self) {
        while !self.open.is_empty() {
            if self.report_container().is_err() {
                return;
            }
        }
    }

    /// After a value: closes what ends here and gets ready for the next value. `false` when the body's
    /// one value is complete.
    fn next_value(&mut self) -> Result<bool, JsonErrorKind> {
        loop {
            let Some(container) = self.open.last() else { return Ok(false) };
            self.path.truncate(container.path);
            match (self.cursor.peek_after_blanks(), container.kind) {
                (Some(b','), Container::Object(_)) => {
                    self.cursor.advance();
                    self.next_key()?;
                    return Ok(true);
                }
                (Some(b','), Container::Array(_)) => {
                    self.cursor.advance();
                    self.next_index();
                    return Ok(true);
                }
                (Some(b'}'), Container::Object(_)) | (Some(b']'), Container::Array(_)) => self.end()?,
                (Some(byte), _) => return Err(JsonErrorKind::Unexpected(byte)),
                (None, _) => return Err(JsonErrorKind::UnexpectedEnd),
            }
        }
    }

    /// Reads a key and its colon, and puts the key on the path.
    fn next_key(&mut self) -> Result<(), JsonErrorKind> {
        match self.cursor.peek_after_blanks() {
            Some(b'"') => {}
            Some(byte) => return Err(JsonErrorKind::Unexpected(byte)),
            None => return Err(JsonErrorKind::UnexpectedEnd),
        }
        if let Some(Open { kind: Container::Object(count), .. }) = self.open.last_mut() {
            *count += 1;
        }
        self.path.push(b'.');
        let start = self.cursor.position();
        self.cursor.string(&mut self.path)?;
        self.key = start..self.cursor.position();
        match self.cursor.peek_after_blanks() {
            Some(b':') => self.cursor.advance(),
            Some(byte) => return Err(JsonErrorKind::Unexpected(byte)),
            None => return Err(JsonErrorKind::UnexpectedEnd),
        }
        Ok(())
    }

    /// Puts the index of the element that begins on the path.
    fn next_index(&mut self) {
        let Some(Open { kind: Container::Array(count), .. }) = self.open.last_mut() else { return };
        let index = *count;
        *count += 1;
        self.path.push(b'.');
        if self.options.array_names == ArrayNames::ArrayIndex {
            self.path.extend_from_slice(b"array_");
        }
        self.path.extend_from_slice(itoa::Buffer::new().format(index).as_bytes());
    }

    /// Reads a leaf with `read` and reports it, also when it is cut off.
    fn leaf(
        &mut self,
        read: impl FnOnce(&mut Cursor<'a>, &mut Vec<u8>) -> Result<(), JsonErrorKind>,
    ) -> Result<bool, JsonErrorKind> {
        self.report(self.cursor.position(), self.key.clone(), read).map(|()| true)
    }

    /// Reports an argument that is called by the path and begins at `from`; `write` appends its value, or what there is
    /// of it.
    fn report(
        &mut self,
        from: usize,
        key: Range<usize>,
        write: impl FnOnce(&mut Cursor<'a>, &mut Vec<u8>) -> Result<(), JsonErrorKind>,
    ) -> Result<(), JsonErrorKind> {
        let start = self.store.len();
        if self.summary.arguments >= self.options.arguments {
            self.summary.dropped += 1;
            let written = write(&mut self.cursor, self.store);
            self.store.truncate(start);
            return written;
        }
        self.name_bytes += self.path.len();
        if self.name_bytes > self.options.name_bytes {
            return Err(JsonErrorKind::NameBytes(self.options.name_bytes));
        }
        // What is left of the text has room behind the name, so that nothing grows where it can't be told.
        let rest = self.length.saturating_sub(self.cursor.position());
        if self.store.try_reserve(self.path.len() + rest).is_err() {
            return Err(JsonErrorKind::NameBytes(self.name_bytes));
        }
        self.store.extend_from_slice(&self.path);
        let middle = self.store.len();
        let written = write(&mut self.cursor, self.store);
        self.summary.arguments += 1;
        let place = Place { key, value: from..self.cursor.position() };
        (self.sink)(Pair { name: start..middle, value: middle..self.store.len() }, place);
        written
    }
}

#[cfg(test)]
mod tests;
