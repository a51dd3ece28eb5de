//! Hex digits.

use memchr::memchr;

use super::bytes::{copy_to, hex_digit, hex_pair};

/// `hexEncode`: two lower-case digits a byte.
pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(input.len().saturating_mul(2));
    out.extend(input.iter().flat_map(|&byte| [hex_digit(byte >> 4), hex_digit(byte)]));
    true
}

/// `hexDecode`: a value of hex digits only; an odd last digit is dropped. Anything else stays as it is,
/// which is how Coraza's error ends; ModSecurity would decode garbage.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !input.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    out.extend(input.chunks_exact(2).filter_map(|pair| match *pair {
        [high, low] => hex_pair(high, low),
        _ => None,
    }));
    true
}

/// `sqlHexDecode`: `0x` before at least one pair of digits goes, and the pairs become bytes.
pub(super) fn decode_sql(input: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = input;
    let mut changed = false;
    loop {
        rest = copy_to(out, rest, memchr(b'0', rest));
        match rest {
            [b'0', b'x' | b'X', high, low, ..] if hex_pair(*high, *low).is_some() => {
                changed = true;
                rest = rest.get(2..).unwrap_or_default();
                while let [high, low, after @ ..] = rest
                    && let Some(byte) = hex_pair(*high, *low)
                {
                    out.push(byte);
                    rest = after;
                }
            }
            [zero, tail @ ..] => {
                out.push(*zero);
                rest = tail;
            }
            [] => return changed,
        }
    }
}
