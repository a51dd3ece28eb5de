//! Transformations: byte functions applied to a value before it is tested.
//!
//! All work on bytes, in one pass over the value, and fail on none: what can't be decoded stays or goes as
//! each one's text says. Most values need no decoding, so each function first looks for a byte that
//! concerns it and copies nothing where there is none, or goes by whole blocks. No result is longer than
//! three times its value plus twenty bytes.

mod base64;
mod best_fit;
mod bytes;
mod case_space;
mod command_line;
mod comments;
mod digests;
mod escapes;
mod hex;
mod html;
mod parity;
mod paths;
#[cfg(test)]
mod tests;
mod unicode;
mod url;

use crate::copy::equal;

macro_rules! transformations {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $([$($alias:literal),+])?, )+) => {
        /// A SecLang transformation. `none` is not among them: it is resolved when rules are read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Transformation { $( $(#[$doc])* $variant, )+ }

        impl Transformation {
            /// Every transformation, in declaration order.
            pub const ALL: &'static [Transformation] = &[ $( Transformation::$variant, )+ ];

            /// The SecLang spelling.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Transformation::$variant => $name, )+ }
            }

            /// Other spellings.
            #[must_use]
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $( Transformation::$variant => &[$($($alias),+)?], )+ }
            }
        }
    };
}

transformations! {
    /// Decodes up to the first byte outside the alphabet.
    Base64Decode "base64Decode",
    /// Decodes, passing over bytes outside the alphabet.
    Base64DecodeExt "base64DecodeExt",
    /// Encodes with the standard alphabet, padded.
    Base64Encode "base64Encode",
    /// Undoes command-line escaping.
    CmdLine "cmdLine",
    /// Runs of white space become one blank.
    CompressWhitespace "compressWhitespace",
    /// Decodes CSS escapes.
    CssDecode "cssDecode",
    /// Decodes ANSI C escapes.
    EscapeSeqDecode "escapeSeqDecode",
    /// Decodes pairs of hex digits.
    HexDecode "hexDecode",
    /// Two lower-case hex digits per byte.
    HexEncode "hexEncode",
    /// Decodes HTML character references.
    HtmlEntityDecode "htmlEntityDecode",
    /// Decodes JavaScript escapes.
    JsDecode "jsDecode",
    /// Length in bytes, as decimal text.
    Length "length",
    /// ASCII letters to lower case.
    Lowercase "lowercase",
    /// MD5 digest, 16 raw bytes.
    Md5 "md5",
    /// Collapses `//`, `/./`, `/../`.
    NormalizePath "normalizePath" ["normalisePath"],
    /// As [`Transformation::NormalizePath`] after turning `\` into `/`.
    NormalizePathWin "normalizePathWin" ["normalisePathWin"],
    /// Top bit set so that the number of ones is even.
    ParityEven7bit "parityEven7bit",
    /// Top bit set so that the number of ones is odd.
    ParityOdd7bit "parityOdd7bit",
    /// Top bit cleared.
    ParityZero7bit "parityZero7bit",
    /// Takes comments out.
    RemoveComments "removeComments",
    /// Takes comment markers out.
    RemoveCommentsChar "removeCommentsChar",
    /// Takes NUL bytes out.
    RemoveNulls "removeNulls",
    /// Takes white space out.
    RemoveWhitespace "removeWhitespace",
    /// C comments become one blank each.
    ReplaceComments "replaceComments",
    /// NUL bytes become blanks.
    ReplaceNulls "replaceNulls",
    /// SHA-1 digest, 20 raw bytes.
    Sha1 "sha1",
    /// Decodes SQL hex literals.
    SqlHexDecode "sqlHexDecode",
    /// White space off both ends.
    Trim "trim",
    /// White space off the start.
    TrimLeft "trimLeft",
    /// White space off the end.
    TrimRight "trimRight",
    /// ASCII letters to upper case.
    Uppercase "uppercase",
    /// Decodes `%HH` and `+`.
    UrlDecode "urlDecode",
    /// As [`Transformation::UrlDecode`], and `%uHHHH`.
    UrlDecodeUni "urlDecodeUni",
    /// Encodes all but letters, digits and `*`.
    UrlEncode "urlEncode",
    /// UTF-8 sequences become `%uHHHH`.
    Utf8ToUnicode "utf8toUnicode",
}

impl Transformation {
    /// Looks a name up without regard to case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| {
            t.name().eq_ignore_ascii_case(name) || t.aliases().iter().any(|a| a.eq_ignore_ascii_case(name))
        })
    }

    /// Writes the transformed `input` to `out`, which is cleared first, and returns `true`; returns
    /// `false` when the value stays as it is (then `out` holds nothing of meaning).
    #[must_use]
    pub fn apply(self, input: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        let written = match self {
            Self::Base64Decode => base64::decode(input, out),
            Self::Base64DecodeExt => base64::decode_ext(input, out),
            Self::Base64Encode => base64::encode(input, out),
            Self::CmdLine => command_line::normalise(input, out),
            Self::CompressWhitespace => case_space::compress_whitespace(input, out),
            Self::CssDecode => escapes::css(input, out),
            Self::EscapeSeqDecode => escapes::ansi_c(input, out),
            Self::HexDecode => hex::decode(input, out),
            Self::HexEncode => hex::encode(input, out),
            Self::HtmlEntityDecode => html::decode(input, out),
            Self::JsDecode => escapes::javascript(input, out),
            Self::Length => digests::length(input, out),
            Self::Lowercase => case_space::lowercase(input, out),
            Self::Md5 => digests::md5(input, out),
            Self::NormalizePath => paths::normalise(input, out),
            Self::NormalizePathWin => paths::normalise_windows(input, out),
            Self::ParityEven7bit => parity::even(input, out),
            Self::ParityOdd7bit => parity::odd(input, out),
            Self::ParityZero7bit => parity::zero(input, out),
            Self::RemoveComments => comments::remove(input, out),
            Self::RemoveCommentsChar => comments::remove_markers(input, out),
            Self::RemoveNulls => case_space::remove_nulls(input, out),
            Self::RemoveWhitespace => case_space::remove_whitespace(input, out),
            Self::ReplaceComments => comments::replace(input, out),
            Self::ReplaceNulls => case_space::replace_nulls(input, out),
            Self::Sha1 => digests::sha1(input, out),
            Self::SqlHexDecode => hex::decode_sql(input, out),
            Self::Trim => case_space::trim(input, true, true, out),
            Self::TrimLeft => case_space::trim(input, true, false, out),
            Self::TrimRight => case_space::trim(input, false, true, out),
            Self::Uppercase => case_space::uppercase(input, out),
            Self::UrlDecode => url::decode(input, out),
            Self::UrlDecodeUni => url::decode_unicode(input, out),
            Self::UrlEncode => url::encode(input, out),
            Self::Utf8ToUnicode => unicode::escape(input, out),
        };
        // What was written may be what was there: a `%` that is no escape, a single blank.
        written && !equal(out, input)
    }
}
