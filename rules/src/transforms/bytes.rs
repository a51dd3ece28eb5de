//! What the transformations share: digits, UTF-8, copying.

use crate::copy::append;

/// The value of a hex digit.
pub(super) const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that two hex digits spell.
pub(super) const fn hex_pair(high: u8, low: u8) -> Option<u8> {
    match (hex_value(high), hex_value(low)) {
        (Some(high), Some(low)) => Some(high << 4 | low),
        _ => None,
    }
}

/// The lower-case hex digit of the low four bits.
pub(super) const fn hex_digit(value: u8) -> u8 {
    match value & 0xF {
        digit @ 0..=9 => b'0' + digit,
        letter => b'a' + letter - 10,
    }
}

/// Copies `rest` up to `at`, or all of it, and returns what follows.
pub(super) fn copy_to<'a>(out: &mut Vec<u8>, rest: &'a [u8], at: Option<usize>) -> &'a [u8] {
    let (plain, tail) = at.and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, &[]));
    append(out, plain);
    tail
}

/// Appends a code point as UTF-8; U+FFFD where there is no such character.
pub(super) fn push_utf8(out: &mut Vec<u8>, code: u32) {
    let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// The code point and the length of the valid UTF-8 sequence of two or more bytes at the start of
/// `bytes`. Overlong forms, surrogates and what lies beyond U+10FFFF are not valid (RFC 3629).
pub(super) fn utf8_sequence(bytes: &[u8]) -> Option<(u32, usize)> {
    let bits = |byte: u8| u32::from(byte & 0x3F);
    match *bytes {
        [a @ 0xC2..=0xDF, b @ 0x80..=0xBF, ..] => Some((u32::from(a & 0x1F) << 6 | bits(b), 2)),
        [a @ 0xE0, b @ 0xA0..=0xBF, c @ 0x80..=0xBF, ..]
        | [a @ (0xE1..=0xEC | 0xEE | 0xEF), b @ 0x80..=0xBF, c @ 0x80..=0xBF, ..]
        | [a @ 0xED, b @ 0x80..=0x9F, c @ 0x80..=0xBF, ..] => {
            Some((u32::from(a & 0xF) << 12 | bits(b) << 6 | bits(c), 3))
        }
        [a @ 0xF0, b @ 0x90..=0xBF, c @ 0x80..=0xBF, d @ 0x80..=0xBF, ..]
        | [a @ 0xF1..=0xF3, b @ 0x80..=0xBF, c @ 0x80..=0xBF, d @ 0x80..=0xBF, ..]
        | [a @ 0xF4, b @ 0x80..=0x8F, c @ 0x80..=0xBF, d @ 0x80..=0xBF, ..] => {
            Some((u32::from(a & 7) << 18 | bits(b) << 12 | bits(c) << 6 | bits(d), 4))
        }
        _ => None,
    }
}
