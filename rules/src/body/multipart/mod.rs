//! `multipart/form-data`: fields, files and part headers, with all of ModSecurity's strictness flags.
//!
//! ModSecurity gives up at the first error. Here the first error is kept and parsing goes on, so that
//! rules see as much of the body as a lenient server would take. Header lines that are none are an error,
//! recorded as they are and set `MULTIPART_INVALID_PART` as well.

mod boundary;
mod disposition;
mod error;
mod flags;
mod headers;

pub use error::{BoundaryError, DispositionError, Excerpt, MultipartError};
pub use flags::{Flags, UnmatchedBoundary};

use std::ops::Range;

use memchr::memmem::Finder;

use crate::limits;
use headers::OpenPart;

/// How to parse a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most fields reported; further ones are dropped.
    pub fields: usize,
    /// Most files; more set `MULTIPART_FILE_LIMIT_EXCEEDED`, and are reported all the same.
    pub files: usize,
    /// Whether the body was cut; that the final boundary is missing is no error then.
    pub truncated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { fields: limits::ARGUMENTS, files: limits::UPLOAD_FILES, truncated: false }
    }
}

/// A part that is no file, or for some servers none. It has no `filename`, or one without a name in it, which is a file
/// here too. One that has only `filename*` is an error and counts as a field, so that its content is among the
/// arguments. Where the Content-Type is ambiguous, the whole body is a field without a name besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, a range of the store; empty when it has none.
    pub name: Range<usize>,
    /// Its name as sent, escapes included, a range of the store: `MULTIPART_NAME`.
    pub raw_name: Range<usize>,
    /// Its value, a range of the body.
    pub value: Range<usize>,
    /// Whether it is among the files as well.
    pub is_file: bool,
}

/// A part that has a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name of its form field, a range of the store; empty when it has none.
    pub field: Range<usize>,
    /// The same as sent, escapes included: `MULTIPART_NAME`.
    pub raw_field: Range<usize>,
    /// The client's name of the file, a range of the store; may be empty.
    pub name: Range<usize>,
    /// The same as sent, escapes included: `MULTIPART_FILENAME`.
    pub raw_name: Range<usize>,
    /// The name in `filename*`, decoded, a range of the store. Some servers prefer it to the other.
    pub extended_name: Option<Range<usize>>,
    /// Its content, a range of the body; the length is its size.
    pub content: Range<usize>,
}

/// A header of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHeader {
    /// The name of the part's form field, a range of the store; empty when it has none.
    pub field: Range<usize>,
    /// The line as sent without its line end, folded lines joined by one blank; a range of the store.
    pub line: Range<usize>,
}

/// What a multipart body holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multipart {
    /// The parts that are no files, in order.
    pub fields: Vec<Field>,
    /// Fields past the limit.
    pub dropped: usize,
    /// The files, in order.
    pub files: Vec<File>,
    /// The headers of all parts, in order.
    pub headers: Vec<PartHeader>,
    /// Bytes of the headers of all parts, line ends included, and of the values of fields: what
    /// `SecRequestBodyNoFilesLimit` limits.
    pub length_without_files: usize,
    /// Whether servers that search the Content-Type take another boundary. Then the whole body is the last field.
    pub ambiguous: bool,
    /// What was odd.
    pub flags: Flags,
    /// The first error, when [`Flags::error`] is set.
    pub error: Option<MultipartError>,
}

impl Multipart {
    fn fail(&mut self, error: MultipartError) {
        self.flags.error = true;
        self.error.get_or_insert(error);
    }
}

/// Parses a multipart body. Names and headers are appended to `store`; values and contents stay where they
/// are in `body`.
#[must_use]
pub fn parse(content_type: &[u8], body: &[u8], options: &Options, store: &mut Vec<u8>) -> Multipart {
    let mut found = Multipart::default();
    match boundary::boundary(content_type, &mut found.flags) {
        Ok(boundary) => {
            let delimiter = [b"--", boundary.text].concat();
            let mut parser = Parser {
                body,
                delimiter: &delimiter,
                dashes: Finder::new(b"\n--"),
                boundary: Finder::new(boundary.text),
                next_boundary: None,
                options,
                state: State::Preamble,
                complete: false,
                part: OpenPart::default(),
                found,
                store,
            };
            parser.run();
            parser.found.ambiguous = boundary.ambiguous;
            if boundary.ambiguous {
                parser.add_field(0..0, 0..0, 0..body.len(), false);
            }
            parser.found
        }
        Err(error) => {
            found.fail(error);
            found
        }
    }
}

/// Where in the body the parser is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Preamble,
    /// In the headers of a part.
    Headers,
    /// In the data of a part that begins here.
    Data(usize),
    /// After the final boundary.
    Epilogue,
}

struct Parser<'a> {
    body: &'a [u8],
    /// `--` and the boundary.
    delimiter: &'a [u8],
    dashes: Finder<'static>,
    boundary: Finder<'a>,
    /// Where the text of the boundary occurs next, as far as it was looked for.
    next_boundary: Option<usize>,
    options: &'a Options,
    state: State,
    /// Whether a final boundary was seen.
    complete: bool,
    part: OpenPart,
    found: Multipart,
    store: &'a mut Vec<u8>,
}

impl Parser<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while at < self.body.len() {
            at = if self.state == State::Headers { self.header_line(at) } else { self.skip_to_dashes(at) };
        }
        match self.state {
            State::Preamble if self.body.is_empty() => {}
            State::Preamble => self.found.fail(MultipartError::NoBoundaries),
            State::Headers => {
                self.end_headers(true);
                self.end_part(at..at);
                self.end_inside_part();
            }
            State::Data(start) => {
                self.end_part(start..at);
                self.end_inside_part();
            }
            State::Epilogue => {}
        }
    }

    /// The body ends before a boundary ends the part.
    fn end_inside_part(&mut self) {
        if !self.options.truncated {
            if !self.complete {
                self.found.fail(MultipartError::FinalMissing);
            }
        } else if self.found.flags.unmatched_boundary == UnmatchedBoundary::Open {
            // The proper boundary is taken to follow after the cut.
            self.found.flags.unmatched_boundary = UnmatchedBoundary::Enclosed;
        }
    }

    /// Outside headers only lines that begin with `--` can mean anything: goes to the next one from the
    /// line start `at` on, looks at it, and returns where the line after it starts.
    fn skip_to_dashes(&mut self, at: usize) -> usize {
        let rest = self.body.get(at..).unwrap_or_default();
        let line = if rest.starts_with(b"--") {
            at
        } else {
            self.dashes.find(rest).map_or(self.body.len(), |found| at + found + 1)
        };
        match self.state {
            State::Preamble if line > at => self.found.flags.data_before = true,
            State::Epilogue => self.found.flags.data_after = true,
            _ => {}
        }
        if self.boundary_text_within(at, line) {
            self.unmatched();
        }
        if line < self.body.len() {
            if !self.dashes_line(line) && self.state == State::Preamble {
                self.found.flags.data_before = true;
            }
            self.line(line).end
        } else {
            line
        }
    }

    /// Whether the text of the boundary begins in `from..to`. Both only grow from call to call, so the body
    /// is searched once.
    fn boundary_text_within(&mut self, from: usize, to: usize) -> bool {
        let next = match self.next_boundary {
            Some(next) if next >= from => next,
            _ => {
                let rest = self.body.get(from..).unwrap_or_default();
                self.boundary.find(rest).map_or(self.body.len(), |found| from + found)
            }
        };
        self.next_boundary = Some(next);
        next < to
    }

    fn unmatched(&mut self) {
        self.found.flags.unmatched_boundary = UnmatchedBoundary::Open;
    }

    /// The line that starts at `start`.
    fn line(&self, start: usize) -> Line<'_> {
        let rest = self.body.get(start..).unwrap_or_default();
        match memchr::memchr(b'\n', rest).and_then(|at| rest.split_at_checked(at)) {
            Some((text, _)) => match text.strip_suffix(b"\r") {
                Some(stripped) => Line { text: stripped, ending: Ending::CrLf, end: start + text.len() + 1 },
                None => Line { text, ending: Ending::Lf, end: start + text.len() + 1 },
            },
            None => {
                // A cut between CR and LF leaves the CR.
                let text = if self.options.truncated { rest.strip_suffix(b"\r") } else { None };
                Line { text: text.unwrap_or(rest), ending: Ending::None, end: start + rest.len() }
            }
        }
    }

    fn note_ending(&mut self, ending: Ending) {
        match ending {
            Ending::CrLf => self.found.flags.crlf_line = true,
            Ending::Lf => self.found.flags.lf_line = true,
            Ending::None => {}
        }
    }

    /// Looks at a line that begins with `--`. Returns whether it is a boundary.
    fn dashes_line(&mut self, start: usize) -> bool {
        let Line { text, ending, .. } = self.line(start);
        let cut = ending == Ending::None && self.options.truncated;
        let Some(after) = text.strip_prefix(self.delimiter) else {
            if !(cut && self.delimiter.starts_with(text)) {
                self.boundary_lookalike(start);
            }
            return false;
        };
        let (is_final, after) = match after.strip_prefix(b"--") {
            Some(after) => (true, after),
            None => (false, after),
        };
        let half_final = cut && after == b"-";
        if !after.is_empty() && !half_final {
            let excerpt = Excerpt::of(text);
            self.found.fail(MultipartError::BoundaryLine(excerpt));
            return false;
        }
        self.end_part_at(start);
        self.note_ending(ending);
        if is_final {
            if self.complete {
                self.found.fail(MultipartError::FinalDuplicate);
            }
            self.complete = true;
            self.state = State::Epilogue;
        } else {
            self.part.clear();
            self.state = State::Headers;
        }
        true
    }

    /// A line that begins with `--` and is no boundary: says how it came to miss.
    fn boundary_lookalike(&mut self, start: usize) {
        let Line { text, .. } = self.line(start);
        let boundary = self.boundary.needle();
        let rest = text.get(2..).unwrap_or_default();
        let error = if rest.strip_prefix(b"\"").is_some_and(|r| r.starts_with(boundary)) {
            MultipartError::BoundaryLineQuotes(Excerpt::of(text))
        } else if rest.trim_ascii_start().starts_with(boundary) {
            MultipartError::BoundaryLineWhitespace(Excerpt::of(text))
        } else {
            self.unmatched();
            return;
        };
        self.found.fail(error);
    }

    /// A boundary at `start` ends what came before it.
    fn end_part_at(&mut self, start: usize) {
        match self.state {
            State::Preamble => return,
            State::Headers => {
                self.found.flags.invalid_part = true;
                self.end_headers(true);
                self.end_part(start..start);
            }
            // The empty line after the headers can't be the boundary's line end as well.
            State::Data(data) if data == start => {
                self.found.flags.invalid_part = true;
                self.end_part(start..start);
            }
            State::Data(data) => {
                let content = self.body.get(data..start).unwrap_or_default();
                let content = content.strip_suffix(b"\n").unwrap_or(content);
                let (content, ending) = match content.strip_suffix(b"\r") {
                    Some(content) => (content, Ending::CrLf),
                    None => (content, Ending::Lf),
                };
                let end = data + content.len();
                self.note_ending(ending);
                self.end_part(data..end);
            }
            State::Epilogue => {}
        }
        if self.found.flags.unmatched_boundary == UnmatchedBoundary::Open {
            self.found.flags.unmatched_boundary = UnmatchedBoundary::Enclosed;
        }
    }
}

/// A line of the body.
#[derive(Clone, Copy)]
struct Line<'a> {
    /// Without its line end.
    text: &'a [u8],
    ending: Ending,
    /// Where the next line starts.
    end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    CrLf,
    Lf,
    /// The body ends.
    None,
}

#[cfg(test)]
mod tests;
