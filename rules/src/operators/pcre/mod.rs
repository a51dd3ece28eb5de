//! PCRE patterns turned into the syntax that `regex-syntax` reads.
//!
//! Rules are written for PCRE: ModSecurity compiles them with it. The engine here matches in time
//! linear in the value, so it has no look-around and no back-references; those are refused, with the
//! place of the construct. Everything else that PCRE knows, and the other syntax does not or reads
//! differently, is rewritten. A pattern is bytes, as in PCRE without its UTF mode: a byte of 80 and more
//! stands for itself, and so does `\x{e2}`, where the other syntax would take either for a character
//! of two bytes.
//!
//! Two things are widened rather than kept. Possessive quantifiers, atomic groups and `\R`, which is
//! one, become ordinary: they match all that PCRE matches, and also where PCRE fails only because it
//! does not backtrack into them. `\Z` may take the last line feed into the match.

mod class;
mod escape;
mod group;

use std::ops::Range;

/// A pattern in the syntax of `regex-syntax`, all of it ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Translation {
    /// The pattern.
    pub(super) text: String,
    /// Groups that are path parameters: number of the group, name.
    pub(super) parameters: Vec<(usize, String)>,
    /// For each byte of `text` where the construct it comes from begins in the source.
    origins: Vec<usize>,
    source_len: usize,
}

/// Why a pattern can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatternError {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Bytes of the source the message is about.
    pub(super) span: Range<usize>,
}

/// Translates a pattern.
///
/// # Errors
/// When it holds something that linear matching can't do, or that is malformed.
pub(super) fn translate(source: &[u8]) -> Result<Translation, PatternError> {
    Translator::new(source, false).run()
}

/// Translates a path template of `@restpath`: a pattern in which `{name}` stands for one or more bytes
/// except `?` and `/`.
///
/// # Errors
/// As [`translate`].
pub(super) fn translate_path(source: &[u8]) -> Result<Translation, PatternError> {
    Translator::new(source, true).run()
}

impl Translation {
    /// The bytes of the source that a part of `text` comes from.
    pub(super) fn source_span(&self, span: Range<usize>) -> Range<usize> {
        let start = self.origins.get(span.start).copied().unwrap_or(self.source_len);
        let last = span.end.checked_sub(1).filter(|&n| n >= span.start).unwrap_or(span.start);
        let last = self.origins.get(last).copied().unwrap_or(self.source_len);
        let after = self.origins.get(span.start..).unwrap_or_default();
        let end = after.iter().copied().find(|&origin| origin > last).unwrap_or(self.source_len);
        start..end.max(start)
    }
}

/// An error about bytes of the source.
fn fail<T>(span: Range<usize>, message: impl Into<String>, help: Option<&str>) -> Result<T, PatternError> {
    Err(PatternError { message: message.into(), help: help.map(str::to_owned), span })
}

struct Translator<'a> {
    source: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// Where the construct that is being read begins.
    mark: usize,
    text: String,
    origins: Vec<usize>,
    /// Capturing groups opened so far.
    groups: usize,
    /// Whether blanks and comments are left out (`(?x)`), here and in the groups around.
    extended: bool,
    enclosing: Vec<bool>,
    /// Whether `{name}` is a path parameter.
    path: bool,
    parameters: Vec<(usize, String)>,
}

impl<'a> Translator<'a> {
    fn new(source: &'a [u8], path: bool) -> Self {
        Self {
            source,
            at: 0,
            mark: 0,
            text: String::with_capacity(source.len() + source.len() / 8),
            origins: Vec::with_capacity(source.len() + source.len() / 8),
            groups: 0,
            extended: false,
            enclosing: Vec::new(),
            path,
            parameters: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Translation, PatternError> {
        while let Some(byte) = self.next() {
            self.mark = self.at - 1;
            match byte {
                b'\\' => self.escape()?,
                b'[' => self.class()?,
                b'(' => self.group()?,
                b')' => {
                    self.extended = self.enclosing.pop().unwrap_or(false);
                    self.emit(")");
                }
                b'{' => self.brace(),
                b'*' | b'+' | b'?' => self.quantifier(self.at),
                b'^' | b'$' | b'.' | b'|' => self.emit_char(byte),
                b'#' if self.extended => self.skip_line(),
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c if self.extended => {}
                _ => self.literal(byte),
            }
        }
        Ok(Translation {
            text: self.text,
            parameters: self.parameters,
            origins: self.origins,
            source_len: self.source.len(),
        })
    }

    fn rest(&self) -> &'a [u8] {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, text: &[u8]) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// What was read of the construct so far.
    fn construct(&self) -> Range<usize> {
        self.mark..self.at
    }

    fn emit(&mut self, text: &str) {
        self.text.push_str(text);
        self.origins.resize(self.text.len(), self.mark);
    }

    fn emit_char(&mut self, byte: u8) {
        self.text.push(char::from(byte));
        self.origins.resize(self.text.len(), self.mark);
    }

    /// A byte that stands for itself, outside a class.
    fn literal(&mut self, byte: u8) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => self.emit_char(byte),
            b' '..=b'~' if !regex_syntax::is_meta_character(char::from(byte)) => self.emit_char(byte),
            b' '..=b'~' => {
                self.emit("\\");
                self.emit_char(byte);
            }
            _ => self.emit(&format!("\\x{byte:02X}")),
        }
    }

    /// A quantifier that ends at `end`. A `+` after it makes it possessive, which is left out.
    fn quantifier(&mut self, end: usize) {
        for &byte in self.source.get(self.mark..end).unwrap_or_default() {
            self.emit_char(byte);
        }
        self.at = end;
        if self.eat(b"?") {
            self.emit("?");
        } else {
            self.eat(b"+");
        }
    }

    /// After `{`: a counted repetition, a path parameter or a brace.
    fn brace(&mut self) {
        let inside = memchr::memchr(b'}', self.rest()).and_then(|end| self.rest().get(..end));
        match inside {
            Some(inside) if is_count(inside) => self.quantifier(self.at + inside.len() + 1),
            Some(inside) if self.path && is_name(inside) => {
                self.groups += 1;
                self.parameters.push((self.groups, String::from_utf8_lossy(inside).into_owned()));
                self.emit("([^?/]+)");
                self.at += inside.len() + 1;
            }
            _ => self.literal(b'{'),
        }
    }

    /// Whether a counted repetition comes next.
    fn counts(&self) -> bool {
        let Some(inside) = self.rest().strip_prefix(b"{") else { return false };
        memchr::memchr(b'}', inside).and_then(|end| inside.get(..end)).is_some_and(is_count)
    }

    fn skip_line(&mut self) {
        self.at += memchr::memchr(b'\n', self.rest()).map_or(self.rest().len(), |n| n + 1);
    }
}

/// Whether `text` is `n`, `n,` or `n,m`. PCRE takes braces around anything else as themselves.
fn is_count(text: &[u8]) -> bool {
    let mut bounds = text.splitn(2, |&b| b == b',');
    let digits = |bound: &[u8]| bound.iter().all(u8::is_ascii_digit);
    bounds.next().is_some_and(|low| !low.is_empty() && digits(low)) && bounds.next().is_none_or(digits)
}

/// Whether `text` can name a group or parameter.
fn is_name(text: &[u8]) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    text.first().is_some_and(|b| !b.is_ascii_digit()) && text.iter().all(word)
}

#[cfg(test)]
mod tests;
