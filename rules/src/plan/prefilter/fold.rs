//! Texts as scans see them: letters in lower case, each run of white space as one blank.
//!
//! What a pattern must hold is looked for in folded texts, so that `union\s+select` is one string. Where a text holds
//! another, it holds it folded as well: a run that is cut in two is still a blank on both sides.

use crate::bytes::{is_blank, per_byte};
use crate::runs::{self, Runs};

/// What a byte becomes by itself.
pub(super) const fn byte(byte: u8) -> u8 {
    if is_blank(byte) { b' ' } else { byte.to_ascii_lowercase() }
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
    fn is_plain(_: u8) -> bool {
        true
    }

    #[inline]
    fn plain(from: u8) -> u8 {
        byte(from)
    }

    #[inline]
    fn of(from: u8) -> u8 {
        #[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
        FOLDED[usize::from(from)]
    }
}

/// [`byte`] of each.
static FOLDED: [u8; 256] = per_byte!(from => byte(from));

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
