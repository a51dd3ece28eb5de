//! Unicode text that is not plain UTF-8: with a byte order mark, in UTF-16 or UTF-32. Common parsers of JSON and XML
//! tell them by the first bytes, so rules have to see what they see.

use std::borrow::Cow;

/// A text as UTF-8.
pub(super) struct Decoded<'a> {
    /// The text without byte order mark, up to what is none.
    pub(super) text: Cow<'a, str>,
    /// Whether something follows that is no text in this encoding.
    pub(super) is_invalid: bool,
}

/// How a text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16(Order),
    Utf32(Order),
}

/// Which byte of a unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Encoding {
    /// The encoding of a text that begins with a byte order mark or an ASCII character, and how long the mark is.
    /// (RFC 4627, 3, and what Python's `json` and libxml2 do.)
    pub(super) fn detect(text: &[u8]) -> (Self, usize) {
        use Order::{Big, Little};
        match text {
            [0xef, 0xbb, 0xbf, ..] => (Self::Utf8, 3),
            [0, 0, 0xfe, 0xff, ..] => (Self::Utf32(Big), 4),
            [0xff, 0xfe, 0, 0, ..] => (Self::Utf32(Little), 4),
            [0xfe, 0xff, ..] => (Self::Utf16(Big), 2),
            [0xff, 0xfe, ..] => (Self::Utf16(Little), 2),
            [0, 0, _, _, ..] => (Self::Utf32(Big), 0),
            [_, 0, 0, 0, ..] => (Self::Utf32(Little), 0),
            [0, _, _, _, ..] | [0, _] => (Self::Utf16(Big), 0),
            [_, 0, _, _, ..] | [_, 0] => (Self::Utf16(Little), 0),
            _ => (Self::Utf8, 0),
        }
    }
}

/// Decodes a text whose encoding its first bytes tell. `truncated` says that it was cut: that the last character is
/// not complete is no error then.
pub(super) fn decode(body: &[u8], truncated: bool) -> Decoded<'_> {
    let (encoding, mark) = Encoding::detect(body);
    let text = body.get(mark..).unwrap_or_default();
    match encoding {
        Encoding::Utf8 => utf8(text, truncated),
        Encoding::Utf16(order) => utf16(text, order, truncated),
        Encoding::Utf32(order) => utf32(text, order, truncated),
    }
}

fn utf8(text: &[u8], truncated: bool) -> Decoded<'_> {
    match std::str::from_utf8(text) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), is_invalid: false },
        Err(error) => {
            let valid = text.get(..error.valid_up_to()).unwrap_or_default();
            let text = Cow::Borrowed(std::str::from_utf8(valid).unwrap_or_default());
            Decoded { text, is_invalid: !(truncated && error.error_len().is_none()) }
        }
    }
}

fn utf16(text: &[u8], order: Order, truncated: bool) -> Decoded<'static> {
    let (units, rest) = text.as_chunks::<2>();
    let unit = |bytes: &[u8; 2]| match order {
        Order::Little => u16::from_le_bytes(*bytes),
        Order::Big => u16::from_be_bytes(*bytes),
    };
    let mut out = String::with_capacity(units.len());
    let mut characters = char::decode_utf16(units.iter().map(unit));
    while let Some(character) = characters.next() {
        match character {
            Ok(character) => out.push(character),
            // The second half may be behind the cut.
            Err(error) => {
                let first_half = (0xd800..0xdc00).contains(&error.unpaired_surrogate());
                let is_cut = truncated && first_half && characters.next().is_none();
                return Decoded { text: Cow::Owned(out), is_invalid: !is_cut };
            }
        }
    }
    Decoded { text: Cow::Owned(out), is_invalid: !rest.is_empty() && !truncated }
}

fn utf32(text: &[u8], order: Order, truncated: bool) -> Decoded<'static> {
    let (units, rest) = text.as_chunks::<4>();
    let mut out = String::with_capacity(units.len());
    for bytes in units {
        let number = match order {
            Order::Little => u32::from_le_bytes(*bytes),
            Order::Big => u32::from_be_bytes(*bytes),
        };
        match char::from_u32(number) {
            Some(character) => out.push(character),
            None => return Decoded { text: Cow::Owned(out), is_invalid: true },
        }
    }
    Decoded { text: Cow::Owned(out), is_invalid: !rest.is_empty() && !truncated }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, encoding: Encoding, mark: bool) -> Vec<u8> {
        let text = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
        match encoding {
            Encoding::Utf8 => text.into_bytes(),
            Encoding::Utf16(Order::Little) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Encoding::Utf16(Order::Big) => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Encoding::Utf32(Order::Little) => text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            Encoding::Utf32(Order::Big) => text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        }
    }

    fn encodings() -> impl Strategy<Value = Encoding> {
        prop_oneof![
            Just(Encoding::Utf8),
            Just(Encoding::Utf16(Order::Little)),
            Just(Encoding::Utf16(Order::Big)),
            Just(Encoding::Utf32(Order::Little)),
            Just(Encoding::Utf32(Order::Big)),
        ]
    }

    proptest! {
        #[test]
        fn texts_come_back(rest: String, encoding in encodings(), mark: bool) {
            let text = format!("[{rest}");
            let bytes = encoded(&text, encoding, mark);
            let decoded = decode(&bytes, false);
            // `[` and NUL look like an end of UTF-16 in other encodings; no JSON or XML begins so.
            prop_assume!(!rest.starts_with('\0'));
            prop_assert_eq!(decoded.text.as_ref(), &text);
            prop_assert!(!decoded.is_invalid);
        }

        #[test]
        fn what_is_cut_is_no_error(rest: String, encoding in encodings(), cut: prop::sample::Index) {
            prop_assume!(!rest.starts_with('\0'));
            let text = format!("[1,{rest}");
            let bytes = encoded(&text, encoding, true);
            let least = encoded("[1", encoding, true).len();
            let end = least + cut.index(bytes.len() - least + 1);
            let decoded = decode(&bytes[..end], true);
            prop_assert!(text.starts_with(decoded.text.as_ref()));
            prop_assert!(!decoded.is_invalid);
        }

        #[test]
        fn no_bytes_are_too_odd(bytes: Vec<u8>, truncated: bool) {
            let decoded = decode(&bytes, truncated);
            prop_assert!(decoded.text.len() <= bytes.len() * 3 / 2 + 3);
        }
    }

    #[test]
    fn what_is_no_text_ends_it() {
        let cases: &[(&[u8], bool, &str, bool)] = &[
            (b"[\0\x00\xd8", false, "[", true),
            (b"[\0\x00\xd8", true, "[", false),
            (b"[\0\x00\xdc", true, "[", true),
            (b"[\0\x00\xd81\0", true, "[", true),
            (b"[\x001\x002", false, "[1", true),
            (b"[\0\0\0\x00\xd8\0\0", true, "[", true),
            (b"\xef\xbb\xbf[\xff", false, "[", true),
            (b"\xff\xfe", false, "", false),
        ];
        for (bytes, truncated, text, is_invalid) in cases {
            let decoded = decode(bytes, *truncated);
            assert_eq!(
                (decoded.text.as_ref(), decoded.is_invalid),
                (*text, *is_invalid),
                "{}",
                bytes.escape_ascii()
            );
        }
    }
}
