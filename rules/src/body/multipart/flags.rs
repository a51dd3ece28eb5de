//! What was odd about a multipart body: the `MULTIPART_*` flags.

use crate::model::Variable;

/// Whether something looked like a boundary and was none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnmatchedBoundary {
    /// No.
    #[default]
    None,
    /// Yes, and no proper boundary followed it.
    Open,
    /// Yes, but a proper boundary followed it, as in a file that holds lines beginning with `--`.
    Enclosed,
}

/// The strictness flags of a multipart body. All are unset for other bodies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The body or its Content-Type is in error.
    pub error: bool,
    /// The boundary was quoted in the Content-Type.
    pub boundary_quoted: bool,
    /// Blanks stood around the `=` of the boundary parameter, or behind it.
    pub boundary_whitespace: bool,
    /// `boundary=` stands in another parameter or in the boundary too, where servers that search the header may take it.
    pub boundary_elsewhere: bool,
    /// Bytes stood before the first boundary.
    pub data_before: bool,
    /// Bytes followed the final boundary.
    pub data_after: bool,
    /// A part header was folded.
    pub header_folding: bool,
    /// A part header was folded with something else than a blank or a tab.
    pub invalid_header_folding: bool,
    /// A header or boundary line, or the line before a boundary, ended in CR LF.
    pub crlf_line: bool,
    /// The same, in LF alone.
    pub lf_line: bool,
    /// No semicolon stood before the boundary parameter.
    pub missing_semicolon: bool,
    /// Single quotes were used in a Content-Disposition.
    pub invalid_quoting: bool,
    /// A part had no data where data should begin, or a header line that is none.
    pub invalid_part: bool,
    /// There were more files than allowed.
    pub file_limit_exceeded: bool,
    /// Something looked like a boundary and was none.
    pub unmatched_boundary: UnmatchedBoundary,
}

impl Flags {
    /// `MULTIPART_STRICT_ERROR`: whether any of the flags is set that ModSecurity counts among its reasons.
    /// Unmatched boundaries and mixed line ends are not among them.
    #[must_use]
    pub const fn strict_error(&self) -> bool {
        self.error
            || self.boundary_quoted
            || self.boundary_whitespace
            || self.boundary_elsewhere
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.invalid_header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.file_limit_exceeded
    }

    /// The text of a `MULTIPART_*` variable that is a flag; nothing for other variables.
    #[must_use]
    pub const fn value(&self, variable: Variable) -> Option<&'static str> {
        let set = match variable {
            Variable::MultipartBoundaryQuoted => self.boundary_quoted,
            Variable::MultipartBoundaryWhitespace => self.boundary_whitespace,
            Variable::MultipartCrlfLfLines => self.crlf_line && self.lf_line,
            Variable::MultipartDataAfter => self.data_after,
            Variable::MultipartDataBefore => self.data_before,
            Variable::MultipartFileLimitExceeded => self.file_limit_exceeded,
            Variable::MultipartHeaderFolding => self.header_folding,
            Variable::MultipartInvalidHeaderFolding => self.invalid_header_folding,
            Variable::MultipartInvalidPart => self.invalid_part,
            Variable::MultipartInvalidQuoting => self.invalid_quoting,
            Variable::MultipartLfLine => self.lf_line,
            Variable::MultipartMissingSemicolon => self.missing_semicolon,
            Variable::MultipartStrictError => self.strict_error(),
            Variable::MultipartUnmatchedBoundary => {
                return Some(match self.unmatched_boundary {
                    UnmatchedBoundary::None => "0",
                    UnmatchedBoundary::Open => "1",
                    UnmatchedBoundary::Enclosed => "2",
                });
            }
            _ => return None,
        };
        Some(if set { "1" } else { "0" })
    }
}
