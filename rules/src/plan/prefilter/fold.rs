//! Texts as scans see them: letters in lower case, each run of white space as one blank.
//!
//! What a pattern must hold is looked for in folded texts, so that `union\s+select` is one string. Where a text holds
//! another, it holds it folded as well: a run that is cut in two is still a blank on both sides.

use crate::copy::Writer;
use crate::runs::{self, Runs};

/// Whether a byte is white space in ASCII, as `\s` has it.
pub(super) const fn is_white(byte: u8) -> bool {
    (byte == b' ') | (byte.wrapping_sub(b'\t') < 5)
}

/// What a byte becomes by itself.
pub(super) const fn byte(byte: u8) -> u8 {
    if is_white(byte) { b' ' } else { byte.to_ascii_lowercase() }
}

/// A text, folded.
pub(super) fn text(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::new();
    append(text, &mut folded);
    folded
}

/// Appends a text, folded, to `out`.
pub(super) fn append(text: &[u8], out: &mut Vec<u8>) {
    runs::append::<Folded>(text, out);
}

struct Folded;

impl Runs for Folded {
    #[inline]
    fn folded(from: u8) -> u8 {
        byte(from)
    }

    #[inline]
    fn is_plain(_: u8) -> bool {
        true
    }

    #[inline]
    fn put(out: &mut Writer<'_>, from: u8, after_blank: &mut bool) {
        #[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
        let folded = FOLDED[usize::from(from)];
        let blank = folded == b' ';
        out.put_if(folded, !(blank & *after_blank));
        *after_blank = blank;
    }
}

/// [`byte`] of each.
static FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut from = 0;
    while from < 256 {
        #[expect(clippy::indexing_slicing, reason = "a constant")]
        {
            folded[from] = byte(from as u8);
        }
        from += 1;
    }
    folded
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// Byte by byte.
    fn folded(text: &[u8]) -> Vec<u8> {
        let mut folded = Vec::new();
        for byte in text.iter().map(|&byte| super::byte(byte)) {
            if byte != b' ' || folded.last() != Some(&b' ') {
                folded.push(byte);
            }
        }
        folded
    }

    proptest! {
        #[test]
        fn runs_become_blanks(text in "[aB \t\n\x0b\x0c\r]{0,8}|[aBcD \n]{20,120}|([a-eF]{20,60} {1,3}){0,9}") {
            prop_assert_eq!(super::text(text.as_bytes()), folded(text.as_bytes()));
        }
    }
}
