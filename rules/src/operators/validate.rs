//! `@validateByteRange`, `@validateUrlEncoding`, `@validateUtf8Encoding`: each matches what is invalid.

use std::fmt;

use super::OperatorError;

/// The bytes that a value may hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ByteRanges {
    allowed: Box<[bool; 256]>,
}

impl fmt::Debug for ByteRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.allowed.iter().enumerate().filter(|(_, on)| **on).map(|(n, _)| n)).finish()
    }
}

impl ByteRanges {
    /// Reads decimal bytes and ranges of them parted by commas: `9,10,13,32-126`. Without any every
    /// byte is outside (ModSecurity).
    ///
    /// # Errors
    /// When a part is neither a byte nor a range.
    pub(super) fn parse(argument: &[u8]) -> Result<Self, OperatorError> {
        let mut allowed = Box::new([false; 256]);
        let mut at = 0;
        for part in argument.split(|&b| b == b',') {
            let text = part.trim_ascii();
            let start = at + part.len() - part.trim_ascii_start().len();
            at += part.len() + 1;
            if text.is_empty() {
                continue;
            }
            let mut ends = text.splitn(2, |&b| b == b'-').map(|end| parse_byte(end.trim_ascii()));
            let range = match (ends.next().flatten(), ends.next()) {
                (Some(only), None) => Some((only, only)),
                (Some(first), Some(Some(last))) if first <= last => Some((first, last)),
                _ => None,
            };
            let Some((first, last)) = range else {
                return Err(OperatorError::Argument {
                    message: format!("`{}` is no byte or range of bytes", String::from_utf8_lossy(text)),
                    help: Some("write numbers from 0 to 255 and ranges, such as `10,13,32-126`".to_owned()),
                    span: Some(start..start + text.len()),
                });
            };
            for slot in allowed.get_mut(usize::from(first)..=usize::from(last)).unwrap_or_default() {
                *slot = true;
            }
        }
        Ok(Self { allowed })
    }

    /// The bytes that lie outside.
    pub(super) fn refused(&self) -> impl Iterator<Item = u8> + '_ {
        (0..=u8::MAX).zip(self.allowed.iter()).filter(|(_, allowed)| !**allowed).map(|(byte, _)| byte)
    }

    /// Whether a byte lies outside.
    pub(super) fn refuse(&self, value: &[u8]) -> bool {
        !value.iter().all(|&b| self.allowed.get(usize::from(b)).copied().unwrap_or(false))
    }
}

/// A number from 0 to 255 in digits alone.
fn parse_byte(text: &[u8]) -> Option<u8> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Whether a `%` is not followed by two hex digits.
pub(super) fn has_bad_url_encoding(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value).any(
        |at| !matches!(value.get(at + 1..at + 3), Some(digits) if digits.iter().all(u8::is_ascii_hexdigit)),
    )
}

/// Whether the value is not UTF-8: truncated or overlong sequences, surrogates, values past 10FFFF.
pub(super) fn has_bad_utf8(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_ranges() {
        for (argument, value, outside) in [
            ("1-255", &b"a\0"[..], true),
            ("1-255", b"a\xff\x01", false),
            ("10, 13 ,32 - 126", b"a\r\n", false),
            ("10,13,32-126", b"a\t", true),
            ("38,44-46,48-58,61,65-90,95,97-122", b"a=b&C:1", false),
            ("38,44-46,48-58,61,65-90,95,97-122", b"a=b&C:1/", true),
            ("0-255", b"", false),
            ("", b"", false),
            ("", b"a", true),
        ] {
            assert_eq!(
                ByteRanges::parse(argument.as_bytes()).unwrap().refuse(value),
                outside,
                "{argument} {value:?}"
            );
        }
    }

    #[test]
    fn bad_byte_ranges_are_errors_with_their_place() {
        for (argument, part) in [
            ("1-256", "1-256"),
            ("1, 9-3", "9-3"),
            ("a", "a"),
            ("1,-5", "-5"),
            ("1-2-3", "1-2-3"),
            ("+1", "+1"),
        ] {
            let Err(OperatorError::Argument { span: Some(span), .. }) =
                ByteRanges::parse(argument.as_bytes())
            else {
                panic!("{argument} was accepted");
            };
            assert_eq!(&argument[span], part);
        }
    }

    #[test]
    fn url_encoding() {
        for (value, bad) in [
            ("", false),
            ("a+b", false),
            ("%41%fF", false),
            ("%", true),
            ("%4", true),
            ("%4g", true),
            ("%%41", true),
        ] {
            assert_eq!(has_bad_url_encoding(value.as_bytes()), bad, "{value}");
        }
    }

    #[test]
    fn utf8() {
        for (value, bad) in [
            (&b"a\0b"[..], false),
            ("\u{e9}\u{ffff}\u{10ffff}".as_bytes(), false),
            (b"\x80", true),
            (b"\xc0\xaf", true),
            (b"\xe0\x80\xaf", true),
            (b"\xed\xa0\x80", true),
            (b"\xf4\x90\x80\x80", true),
            (b"\xf5\x80\x80\x80", true),
            (b"\xe2\x82", true),
        ] {
            assert_eq!(has_bad_utf8(value), bad, "{value:?}");
        }
    }
}
