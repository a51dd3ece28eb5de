//! The headers of a part, and what becomes of the part.

use std::ops::Range;

use super::disposition::{self, Disposition, Parameter, Value};
use super::error::{Excerpt, MultipartError};
use super::{Ending, Field, File, Line, Parser, PartHeader, State};
use crate::bytes::is_blank;
use crate::limits::{MULTIPART_HEADER_BYTES, MULTIPART_PART_HEADERS};

/// A part that is being read.
#[derive(Debug, Default)]
pub(super) struct OpenPart {
    /// Its headers so far, as ranges of the store; the last one ends the store.
    headers: Vec<Range<usize>>,
    disposition: Option<Disposition>,
    /// Where in the store the value of its Content-Disposition begins.
    disposition_start: usize,
    /// Whether it counts although it has no name.
    headers_ended: bool,
}

impl OpenPart {
    pub(super) fn clear(&mut self) {
        self.headers.clear();
        self.disposition = None;
        self.disposition_start = 0;
        self.headers_ended = false;
    }

    /// The range of the store where the decoded text of a parameter is.
    fn text_of(&self, parameter: &Parameter) -> Range<usize> {
        match &parameter.value {
            Value::Raw => self.raw_text_of(parameter),
            Value::Stored(range) => range.clone(),
        }
    }

    /// The range of the store where the text of a parameter is as sent.
    fn raw_text_of(&self, parameter: &Parameter) -> Range<usize> {
        self.disposition_start + parameter.raw.start..self.disposition_start + parameter.raw.end
    }
}

impl Parser<'_> {
    /// Takes the line at `start` as one of a part's header block and returns where the next line starts.
    pub(super) fn header_line(&mut self, start: usize) -> usize {
        let Line { text, ending, end } = self.line(start);
        let (first, length, has_nul) = (text.first().copied(), text.len(), text.contains(&0));
        if text.starts_with(b"--") {
            if self.dashes_line(start) {
                return end;
            }
        } else if self.boundary_text_within(start, end) {
            self.unmatched();
        }
        self.note_ending(ending);
        self.found.length_without_files += end - start;
        if length == 0 {
            self.end_headers(false);
            self.state = State::Data(end);
            return end;
        }
        let whole = !(ending == Ending::None && self.options.truncated);
        if has_nul {
            self.found.fail(MultipartError::HeaderNul);
        }
        if first.is_some_and(is_folding) && !self.part.headers.is_empty() {
            self.found.flags.header_folding = true;
            self.found.flags.invalid_header_folding |= !matches!(first, Some(b' ' | b'\t'));
            self.append_folded(start..start + length);
        } else {
            self.append_header(start..start + length, whole);
        }
        if self.part.headers.last().is_some_and(|line| line.len() > MULTIPART_HEADER_BYTES) {
            self.found.fail(MultipartError::HeaderLength);
        }
        end
    }

    fn append_folded(&mut self, line: Range<usize>) {
        let text = self.body.get(line).unwrap_or_default().trim_ascii_start();
        self.store.push(b' ');
        self.store.extend_from_slice(text);
        if let Some(last) = self.part.headers.last_mut() {
            last.end = self.store.len();
        }
    }

    /// `whole` says that the line was not cut, so that it can be called invalid.
    fn append_header(&mut self, line: Range<usize>, whole: bool) {
        if self.part.headers.len() >= MULTIPART_PART_HEADERS {
            self.found.fail(MultipartError::HeaderCount);
            return;
        }
        let text = self.body.get(line).unwrap_or_default();
        if let Some(error) = invalid_header(text).filter(|_| whole) {
            self.found.flags.invalid_part = true;
            self.found.fail(error);
        }
        let start = self.store.len();
        self.store.extend_from_slice(text);
        self.part.headers.push(start..self.store.len());
    }

    /// Makes sense of the headers of a part. `cut` says that no empty line ended them, so that what is
    /// missing is not missed.
    pub(super) fn end_headers(&mut self, cut: bool) {
        self.part.headers_ended = !cut;
        let mut disposition = None;
        for (index, range) in self.part.headers.iter().enumerate() {
            let line = self.store.get(range.clone()).unwrap_or_default();
            let Some((name, value)) = split_name(line) else { continue };
            let duplicate = self.part.headers.iter().take(index).any(|earlier| {
                let earlier = self.store.get(earlier.clone()).and_then(split_name);
                earlier.is_some_and(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
            });
            if duplicate {
                let excerpt = Excerpt::of(name);
                self.found.fail(MultipartError::HeaderDuplicate(excerpt));
            } else if name.eq_ignore_ascii_case(b"content-disposition") {
                disposition = Some((range.end - value.len(), value.to_vec()));
            }
        }
        let Some((start, value)) = disposition else {
            if !cut {
                self.found.fail(MultipartError::DispositionMissing);
            }
            return;
        };
        let read = disposition::parse(&value, self.store, &mut self.found.flags);
        if let Some(error) = read.error
            && !(cut && self.options.truncated)
        {
            self.found.fail(MultipartError::Disposition(error, Excerpt::of(value.trim_ascii())));
        }
        if read.name.is_none() && !cut {
            self.found.fail(MultipartError::NameMissing);
        }
        self.part.disposition_start = start;
        self.part.disposition = Some(read);
    }

    /// Records the part with its content, a range of the body.
    pub(super) fn end_part(&mut self, content: Range<usize>) {
        let part = &mut self.part;
        let disposition = part.disposition.take().unwrap_or_default();
        let nowhere = self.store.len()..self.store.len();
        let (name, raw_name) = match &disposition.name {
            Some(name) => (part.text_of(name), part.raw_text_of(name)),
            None => (nowhere.clone(), nowhere),
        };
        let headers = part.headers.drain(..).map(|line| PartHeader { field: name.clone(), line });
        self.found.headers.extend(headers);

        let Some(file_name) = &disposition.file_name else {
            if disposition.name.is_some() || part.headers_ended {
                self.add_field(name, raw_name, content, false);
            }
            return;
        };
        let extended_name = disposition.extended_file_name.as_ref().map(|n| part.text_of(n));
        let file = File {
            field: name,
            raw_field: raw_name,
            name: part.text_of(file_name),
            raw_name: part.raw_text_of(file_name),
            extended_name,
            content,
        };
        let unnamed = |name: &Range<usize>| is_no_name(self.store.get(name.clone()).unwrap_or_default());
        if unnamed(&file.name) || file.extended_name.as_ref().is_some_and(unnamed) {
            let (name, raw_name, content) =
                (file.field.clone(), file.raw_field.clone(), file.content.clone());
            self.add_field(name, raw_name, content, true);
        }
        self.found.flags.file_limit_exceeded |= self.found.files.len() >= self.options.files;
        self.found.files.push(file);
    }

    /// Records a field, if there may be another one.
    pub(super) fn add_field(
        &mut self,
        name: Range<usize>,
        raw_name: Range<usize>,
        value: Range<usize>,
        is_file: bool,
    ) {
        self.found.length_without_files += value.len();
        if self.found.fields.len() < self.options.fields {
            self.found.fields.push(Field { name, raw_name, value, is_file });
        } else {
            self.found.dropped += 1;
        }
    }
}

/// What is wrong with the line of a header.
fn invalid_header(line: &[u8]) -> Option<MultipartError> {
    match split_name(line) {
        None => Some(MultipartError::HeaderColon(Excerpt::of(line))),
        Some(([], _)) => Some(MultipartError::HeaderNameMissing(Excerpt::of(line))),
        Some((name, _)) if name.iter().all(u8::is_ascii_graphic) => None,
        Some((name, _)) => Some(MultipartError::HeaderName(Excerpt::of(name))),
    }
}

/// Whether a file name names nothing once quotes and the way to the file are taken off. Some servers take the part for
/// a field then.
fn is_no_name(name: &[u8]) -> bool {
    name.iter().all(|byte| is_blank(*byte) || b"\"'./\\".contains(byte))
}

/// The parts of a header line before and after its colon.
fn split_name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    Some((name, value.get(1..)?))
}

/// White space at the start of a line folds it into the one before.
const fn is_folding(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'\r')
}
