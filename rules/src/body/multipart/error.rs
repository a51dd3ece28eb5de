//! What can be wrong with a multipart body. The texts begin as ModSecurity's do.

use std::fmt;

use crate::limits::{MULTIPART_CONTENT_TYPE_BYTES, MULTIPART_HEADER_BYTES, MULTIPART_PART_HEADERS};

/// Why a multipart body is in error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The Content-Type is another one.
    #[error("Multipart: Content-Type is not multipart/form-data.")]
    MediaType,
    /// The Content-Type's boundary can't be used.
    #[error("Multipart: {0}")]
    Boundary(BoundaryError),
    /// A line begins with the boundary and goes on.
    #[error("Multipart: Invalid boundary: {0}")]
    BoundaryLine(Excerpt),
    /// A line holds the boundary in quotes.
    #[error("Multipart: Invalid boundary (quotes): {0}")]
    BoundaryLineQuotes(Excerpt),
    /// A line holds the boundary after blanks.
    #[error("Multipart: Invalid boundary (whitespace): {0}")]
    BoundaryLineWhitespace(Excerpt),
    /// A second final boundary.
    #[error("Multipart: Invalid boundary (final duplicate).")]
    FinalDuplicate,
    /// The body ends before the final boundary.
    #[error("Multipart: Final boundary missing.")]
    FinalMissing,
    /// The body holds no boundary.
    #[error("Multipart: No boundaries found in payload.")]
    NoBoundaries,
    /// A part header is too long.
    #[error("Multipart: Part header over {MULTIPART_HEADER_BYTES} bytes long.")]
    HeaderLength,
    /// A part has too many headers.
    #[error("Multipart: Part with more than {MULTIPART_PART_HEADERS} headers.")]
    HeaderCount,
    /// A line among a part's headers has no colon.
    #[error("Multipart: Invalid part header (colon missing): {0}.")]
    HeaderColon(Excerpt),
    /// A part header has no name.
    #[error("Multipart: Invalid part header (header name missing): {0}.")]
    HeaderNameMissing(Excerpt),
    /// The name of a part header holds something else than printable ASCII.
    #[error("Multipart: Invalid part header (character in its name): {0}.")]
    HeaderName(Excerpt),
    /// A part header holds a NUL byte.
    #[error("Multipart: Nul byte in part headers.")]
    HeaderNul,
    /// A part has two headers of a name.
    #[error("Multipart: Duplicate part header: {0}.")]
    HeaderDuplicate(Excerpt),
    /// A part has no Content-Disposition.
    #[error("Multipart: Part missing Content-Disposition header.")]
    DispositionMissing,
    /// A part's Content-Disposition is malformed.
    #[error("Multipart: Invalid Content-Disposition header ({0}): {1}.")]
    Disposition(DispositionError, Excerpt),
    /// A part's Content-Disposition has no name.
    #[error("Multipart: Content-Disposition header missing name field.")]
    NameMissing,
}

/// Why the boundary of a Content-Type can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundaryError {
    /// The header is too long.
    #[error("Invalid boundary in C-T (length, over {MULTIPART_CONTENT_TYPE_BYTES} bytes).")]
    Length,
    /// It is given more than once.
    #[error("Multiple boundary parameters in C-T.")]
    Multiple,
    /// There is none.
    #[error("Boundary not found in C-T.")]
    NotFound,
    /// Something between or behind the parameters is none.
    #[error("Invalid boundary in C-T (malformed).")]
    Malformed,
    /// It is written in pieces or with a charset, as RFC 2231 has it.
    #[error("Invalid boundary in C-T (parameter name).")]
    ParameterName,
    /// A quote is not closed, or stands in a value without quotes.
    #[error("Invalid boundary in C-T (quote).")]
    Quote,
    /// It holds characters that RFC 2046 does not allow.
    #[error("Invalid boundary in C-T (characters).")]
    Characters,
    /// It is empty.
    #[error("Invalid boundary in C-T (empty).")]
    Empty,
}

/// Why a Content-Disposition is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispositionError {
    /// It does not begin with `form-data`.
    #[error("not form-data")]
    Type,
    /// Something else than `;` stands between parameters.
    #[error("semicolon expected")]
    Separator,
    /// A parameter has no `=`.
    #[error("parameter without value")]
    NoValue,
    /// A quoted value does not end.
    #[error("quote not closed")]
    Quote,
    /// A parameter is not `name`, `filename` or `filename*`.
    #[error("unknown parameter")]
    Unknown,
    /// A parameter is given twice.
    #[error("duplicate parameter")]
    Duplicate,
    /// `filename*` is not `charset'language'value`, or its value is badly encoded.
    #[error("malformed filename*")]
    Extended,
    /// `filename*` without `filename`.
    #[error("filename* without filename")]
    ExtendedAlone,
}

/// The beginning of some bytes of the body, made printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt(Vec<u8>);

impl Excerpt {
    const BYTES: usize = 64;

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(bytes.get(..Self::BYTES).unwrap_or(bytes).to_vec())
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}
