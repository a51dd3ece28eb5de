//! `utf8toUnicode`: UTF-8 spelled so that `urlDecodeUni` can map it.

use super::bytes::{copy_to, hex_digit, utf8_sequence};

/// Each valid sequence of two or more bytes becomes `%u` and four to six lower-case hex digits. Bytes that
/// belong to none stay, so that patterns with `\x80` to `\xff` still see them.
pub(super) fn escape(input: &[u8], out: &mut Vec<u8>) -> bool {
    if input.is_ascii() {
        return false;
    }
    out.reserve(input.len());
    let mut rest = input;
    loop {
        rest = copy_to(out, rest, rest.iter().position(|byte| !byte.is_ascii()));
        let [byte, tail @ ..] = rest else { return true };
        if let Some((code, length)) = utf8_sequence(rest) {
            let most = if code > 0xF_FFFF {
                5
            } else if code > 0xFFFF {
                4
            } else {
                3
            };
            out.extend(b"%u");
            out.extend((0..=most).rev().map(|digit| hex_digit((code >> (4 * digit)) as u8)));
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = tail;
        }
    }
}
