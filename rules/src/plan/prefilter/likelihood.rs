//! How likely strings are to stand at a place of ordinary text.
//!
//! Told from how often one byte follows another. That was counted in licences and manuals, nearly half of it as their words
//! alone and a quarter as HTML, and in JSON and notes. Bytes by themselves don't tell: `<`, `/` and `>` are rare, `</div>`
//! is not.

use crate::bytes::per_byte;

/// What `pairs.txt` tells apart: letters, white space, digits, these, other ASCII, and the rest.
const KINDS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyz 0.,-_/=\"'<>()[]{};:&?%+*~";
/// For the first byte of a string, then for each kind of byte before it, how unlikely each kind is to follow: a line of
/// digits to the base of 62, which count halvings by quarters.
const PAIRS: &[u8] = include_bytes!("pairs.txt");

/// The chance that a folded string begins at a given place.
pub(super) fn chance(string: &[u8]) -> f64 {
    let mut line = 0;
    let mut quarters = 0;
    for &byte in string {
        let kind = KIND_OF.get(usize::from(byte)).copied().map_or(0, usize::from);
        quarters += PAIRS.get(line * (KINDS.len() + 1) + kind).copied().map_or(0, digit);
        line = kind + 1;
    }
    (-f64::from(quarters) / 4.0).exp2()
}

/// Where in [`KINDS`] each byte is.
static KIND_OF: [u8; 256] = per_byte!(byte => kind(byte));

const fn kind(byte: u8) -> u8 {
    let like = match byte {
        b'0'..=b'9' => b'0',
        0x80.. => b'~',
        b'~' => b'*',
        other => other.to_ascii_lowercase(),
    };
    let mut kind = 0;
    #[expect(clippy::indexing_slicing, reason = "a constant")]
    while kind < KINDS.len() && KINDS[kind] != like {
        kind += 1;
    }
    // What is no kind of its own is another `*`, which is the last but one.
    (if kind < KINDS.len() { kind } else { KINDS.len() - 2 }) as u8
}

fn digit(digit: u8) -> u32 {
    u32::from(match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'z' => digit - b'a' + 10,
        _ => digit.saturating_sub(b'A') + 36,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_counted() {
        let lines: Vec<&[u8]> = PAIRS.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), KINDS.len() + 1);
        assert!(
            lines.iter().all(|line| line.len() == KINDS.len() && line.iter().all(u8::is_ascii_alphanumeric))
        );
    }

    #[test]
    fn ordinary_text_is_likelier() {
        for (likely, unlikely) in
            [("the ", "tqe "), ("</di", "<d/i"), ("0000", "0x0z"), ("and ", "anx "), ("\": \"", "\";\"x")]
        {
            assert!(chance(likely.as_bytes()) > chance(unlikely.as_bytes()), "{likely} {unlikely}");
        }
    }
}
