//! Sets of bytes, and how often bytes occur.

use crate::bytes::per_byte;
use crate::plan::bits::ones;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByteSet(pub(crate) [u64; 4]);

impl ByteSet {
    /// The bytes that are in a long text. They are noted in a table first: stores to it don't wait for each other.
    pub(crate) fn of_long(text: &[u8]) -> Self {
        let mut seen = [0u8; 256];
        let mut note = |byte: u8| {
            #[expect(clippy::indexing_slicing, reason = "there is a cell for each byte")]
            {
                seen[usize::from(byte)] = 1;
            }
        };
        let (words, rest) = text.as_chunks::<8>();
        words.iter().for_each(|word| word.iter().for_each(|&byte| note(byte)));
        rest.iter().for_each(|&byte| note(byte));
        let mut set = Self::default();
        for (word, cells) in set.0.iter_mut().zip(seen.chunks_exact(64)) {
            *word = cells.iter().rev().fold(0, |bits, &cell| bits << 1 | u64::from(cell));
        }
        set
    }

    #[inline]
    pub(crate) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    pub(super) fn union(self, other: Self) -> Self {
        let mut all = self;
        for (word, more) in all.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        all
    }

    /// The members in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0u32..)
            .step_by(64)
            .zip(self.0)
            .flat_map(|(base, word)| ones(word).map(move |bit| (base + bit) as u8))
    }

    /// The bytes that are in both.
    pub(super) fn and(self, other: Self) -> Self {
        let mut both = self;
        both.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= other);
        both
    }

    /// The bytes that are not in the other set.
    pub(crate) fn without(self, other: Self) -> Self {
        let mut rest = self;
        rest.0.iter_mut().zip(other.0).for_each(|(word, other)| *word &= !other);
        rest
    }

    /// A byte with its other case.
    pub(super) fn folded(byte: u8) -> Self {
        let mut set = Self::default();
        set.insert(byte.to_ascii_lowercase());
        set.insert(byte.to_ascii_uppercase());
        set
    }

    /// Estimated share of its members among the bytes of ordinary request values.
    pub(super) fn share(self) -> f64 {
        let mut share = 0.0;
        for (shares, mut word) in SHARES.chunks_exact(64).zip(self.0) {
            while word != 0 {
                share += shares.get(word.trailing_zeros() as usize).copied().unwrap_or_default();
                word &= word - 1;
            }
        }
        share
    }

    /// Estimated chance that a byte of the set is in a value of 16 bytes.
    pub(super) fn frequency(self) -> f64 {
        1.0 - (-16.0 * self.share()).exp()
    }
}

impl FromIterator<u8> for ByteSet {
    fn from_iter<T: IntoIterator<Item = u8>>(bytes: T) -> Self {
        let mut set = Self::default();
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set
    }
}

/// Estimated share of each byte in ordinary request values.
static SHARES: [f64; 256] = per_byte!(byte => share_of(byte));

const fn share_of(byte: u8) -> f64 {
    let share = match byte.to_ascii_lowercase() {
        b'e' | b'a' | b'i' | b'o' | b't' | b'n' | b'r' | b's' => 0.06,
        b'l' | b'c' | b'd' | b'p' | b'm' | b'u' | b'h' => 0.03,
        b' ' => 0.08,
        b'.' | b'/' | b'-' | b'_' | b'0'..=b'9' => 0.02,
        b'b' | b'f' | b'g' | b'w' | b'y' | b'v' | b'k' => 0.012,
        b'=' | b',' | b';' | b':' | b'(' | b')' | b'"' => 0.006,
        b'j' | b'x' | b'z' | b'q' => 0.003,
        0x80.. => 0.002,
        0..=0x1f | 0x7f => 0.000_5,
        _ => 0.001,
    };
    // A letter's share is that of both its cases.
    if byte.is_ascii_alphabetic() { share / 2.0 } else { share }
}

/// Estimated share of a byte in either case.
fn folded_share(byte: u8) -> f64 {
    let share = SHARES.get(usize::from(byte)).copied().unwrap_or_default();
    if byte.is_ascii_alphabetic() { 2.0 * share } else { share }
}

/// The byte of a string that is the least common in ordinary request values.
pub(super) fn rarest_byte(string: &[u8]) -> Option<u8> {
    string.iter().copied().min_by(|a, b| folded_share(*a).total_cmp(&folded_share(*b)))
}
