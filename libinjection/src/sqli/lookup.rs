//! Looks words and fingerprints up in the generated tables, without allocation.
//!
//! **Keywords** are one byte string, sorted by length, then by initial (anything but a letter first), then by their
//! bytes. A length and an initial lead to a handful of words of equal length, which are searched by halves.
//!
//! **Fingerprints** are numbers of five symbols of five bits. The first two symbols lead to a sorted list of the
//! last three.

use super::{Fingerprint, Kind};
use crate::tables::{
    FINGERPRINT_HEAD, FINGERPRINT_SYMBOL, FINGERPRINT_TAIL, KEYWORD_FIRST, KEYWORD_GROUP, KEYWORD_KINDS,
    KEYWORD_OFFSET, KEYWORDS,
};

/// The longest text looked up; longer words are never keywords.
pub(crate) const LONGEST: usize = 31;

/// Initials of one length in `KEYWORD_GROUP`, and one entry for the end.
const GROUPS: usize = 28;

/// The kind of a keyword, whatever its case.
pub(crate) fn keyword(word: &[u8]) -> Option<Kind> {
    let length = word.len();
    let mut buffer = [0; LONGEST];
    let upper = buffer.get_mut(..length)?;
    for (to, from) in upper.iter_mut().zip(word) {
        *to = from.to_ascii_uppercase();
    }
    let group = match upper.first()? {
        letter @ b'A'..=b'Z' => usize::from(letter - b'A') + 1,
        _ => 0,
    };
    let bounds = KEYWORD_GROUP.get(length * GROUPS + group..)?;
    let mut low = usize::from(*bounds.first()?);
    let mut high = usize::from(*bounds.get(1)?);
    let offset = usize::from(*KEYWORD_OFFSET.get(length)?);
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = offset + middle * length;
        let candidate = KEYWORDS.get(start..start + length)?;
        match candidate.cmp(upper) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
            core::cmp::Ordering::Equal => {
                let number = usize::from(*KEYWORD_FIRST.get(length)?) + middle;
                return KEYWORD_KINDS.get(number).copied().and_then(Kind::from_byte);
            }
        }
    }
    None
}

/// Whether a fingerprint is one of an attack. The case of its letters does not count.
pub(crate) fn is_known(fingerprint: &Fingerprint) -> bool {
    search(fingerprint).unwrap_or(false)
}

fn search(fingerprint: &Fingerprint) -> Option<bool> {
    let mut code = 0_u32;
    for kind in fingerprint.padded() {
        let symbol = match kind {
            0 => 0,
            _ => *FINGERPRINT_SYMBOL.get(usize::from(*kind)).filter(|symbol| **symbol != 0)?,
        };
        code = (code << 5) | u32::from(symbol);
    }
    let head = usize::try_from(code >> 15).ok()?;
    let tail = u16::try_from(code & 0x7fff).ok()?;
    let from = usize::from(*FINGERPRINT_HEAD.get(head)?);
    let to = usize::from(*FINGERPRINT_HEAD.get(head + 1)?);
    Some(FINGERPRINT_TAIL.get(from..to)?.binary_search(&tail).is_ok())
}
