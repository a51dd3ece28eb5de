//! Backslash escapes of CSS, JavaScript and C.

use memchr::memchr;

use super::bytes::{copy_to, hex_pair, hex_value, push_utf8};
use crate::bytes::is_blank;

/// `cssDecode`: a backslash and one to six hex digits become the character, in UTF-8; full-width forms
/// become ASCII; U+FFFD stands for NUL and for what is no character (CSS Syntax, section 4.3.7). One
/// white space after the digits goes. An escaped line feed goes, and so does a lone backslash at the
/// end; any other escaped byte stands for itself.
pub(super) fn css(input: &[u8], out: &mut Vec<u8>) -> bool {
    decode(input, out, |tail, out| match tail {
        [] => tail,
        [b'\n', after @ ..] => after,
        [first, after @ ..] => {
            let digits = tail.iter().take(6).map_while(|&byte| hex_value(byte));
            let (code, length) =
                digits.fold((0, 0), |(code, length), digit| (code << 4 | u32::from(digit), length + 1));
            if length == 0 {
                out.push(*first);
                return after;
            }
            push_utf8(
                out,
                match code {
                    0 => u32::from(char::REPLACEMENT_CHARACTER),
                    0xFF01..=0xFF5E => code - 0xFEE0,
                    _ => code,
                },
            );
            match tail.get(length..).unwrap_or_default() {
                [blank, after @ ..] if is_blank(*blank) => after,
                after => after,
            }
        }
    })
}

/// `jsDecode`: `\uHHHH` gives the low byte, or ASCII for full-width forms; `\xHH`; up to three octal
/// digits; the one-letter escapes. Any other escaped byte stands for itself, as does a lone backslash at
/// the end.
pub(super) fn javascript(input: &[u8], out: &mut Vec<u8>) -> bool {
    decode(input, out, |tail, out| match tail {
        [b'u', a, b, c, d, after @ ..]
            if let (Some(high), Some(low)) = (hex_pair(*a, *b), hex_pair(*c, *d)) =>
        {
            let full_width = high == 0xFF && matches!(low, 1..=0x5E);
            out.push(if full_width { low + 0x20 } else { low });
            after
        }
        [b'x', high, low, after @ ..] if let Some(byte) = hex_pair(*high, *low) => {
            out.push(byte);
            after
        }
        // Three digits would not fit a byte.
        [b'4'..=b'7', ..] => octal(tail, 2, out),
        [b'0'..=b'3', ..] => octal(tail, 3, out),
        [letter, after @ ..] => {
            out.push(control(*letter).unwrap_or(*letter));
            after
        }
        [] => {
            out.push(b'\\');
            tail
        }
    })
}

/// `escapeSeqDecode`: ANSI C. The one-letter escapes, `\xHH`, up to three octal digits of which the low
/// eight bits count. Before any other byte the backslash goes; at the end it stays.
pub(super) fn ansi_c(input: &[u8], out: &mut Vec<u8>) -> bool {
    decode(input, out, |tail, out| match tail {
        [b'x' | b'X', high, low, after @ ..] if let Some(byte) = hex_pair(*high, *low) => {
            out.push(byte);
            after
        }
        [b'0'..=b'7', ..] => octal(tail, 3, out),
        [letter, after @ ..] => {
            out.push(control(*letter).unwrap_or(*letter));
            after
        }
        [] => {
            out.push(b'\\');
            tail
        }
    })
}

/// Copies up to each backslash, lets `escape` decode what follows it, and goes on with what it returns.
fn decode(
    input: &[u8],
    out: &mut Vec<u8>,
    escape: impl for<'a> Fn(&'a [u8], &mut Vec<u8>) -> &'a [u8],
) -> bool {
    let Some(first) = memchr(b'\\', input) else { return false };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    while let [_, tail @ ..] = rest {
        rest = escape(tail, out);
        rest = copy_to(out, rest, memchr(b'\\', rest));
    }
    true
}

/// Decodes up to `most` octal digits to the low eight bits.
fn octal<'a>(digits: &'a [u8], most: usize, out: &mut Vec<u8>) -> &'a [u8] {
    let length = digits.iter().take(most).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let (number, after) = digits.split_at_checked(length).unwrap_or((digits, &[]));
    out.push(number.iter().fold(0, |value: u8, &digit| value << 3 | (digit - b'0')));
    after
}

/// The control character of a one-letter escape.
const fn control(letter: u8) -> Option<u8> {
    match letter {
        b'a' => Some(0x07),
        b'b' => Some(0x08),
        b'f' => Some(0x0C),
        b'n' => Some(b'\n'),
        b'r' => Some(b'\r'),
        b't' => Some(b'\t'),
        b'v' => Some(0x0B),
        _ => None,
    }
}
