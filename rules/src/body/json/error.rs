//! What can be wrong with a JSON body.

use std::fmt;

/// Why and where a JSON body was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// Why.
    pub kind: JsonErrorKind,
    /// Where, in bytes from the start of the body as UTF-8 without byte order mark.
    pub offset: usize,
}

/// Why a JSON body was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// A byte that cannot stand there.
    Unexpected(u8),
    /// The body ends too early.
    UnexpectedEnd,
    /// A backslash is not followed by one of RFC 8259's escapes.
    InvalidEscape,
    /// A control character stands unescaped in a string.
    ControlCharacter(u8),
    /// The bytes are no text in their encoding.
    InvalidText,
    /// Nested deeper than this.
    Depth(usize),
    /// The names of the arguments take more than this many bytes.
    NameBytes(usize),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            JsonErrorKind::Unexpected(byte) => write!(f, "unexpected '{}'", byte.escape_ascii())?,
            JsonErrorKind::UnexpectedEnd => f.write_str("unexpected end")?,
            JsonErrorKind::InvalidEscape => f.write_str("invalid escape")?,
            JsonErrorKind::ControlCharacter(byte) => write!(f, "unescaped control character {byte:#04x}")?,
            JsonErrorKind::InvalidText => f.write_str("invalid UTF-8, UTF-16 or UTF-32")?,
            JsonErrorKind::Depth(limit) => write!(f, "nested deeper than {limit}")?,
            JsonErrorKind::NameBytes(limit) => write!(f, "argument names longer than {limit} bytes in all")?,
        }
        write!(f, " at offset {}", self.offset)
    }
}

impl std::error::Error for JsonError {}
