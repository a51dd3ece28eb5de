//! One pass over a text that finds which of thousands of literals are in it.
//!
//! Each literal is known by four of its bytes in a row, those least likely in ordinary text; one of three bytes by
//! these. A map tells at each place of the text whether the bytes there can be such a gram. Where they can, the literals
//! behind it are compared. Unlike an automaton this has no state to wait for from byte to byte, and its tables stay in
//! the caches. With the ten thousand grams of the Core Rule Set every third trigram of English prose is one of
//! theirs, but hardly one in twenty of its grams of four.

use rustc_hash::FxHashMap;

use super::fold;
use super::way_set::{Way, WaySet};
use crate::bytes::per_byte;
use crate::copy::equal;
use crate::plan::bits::ones;

/// Bits of a map's index: 32 KiB.
const INDEX_BITS: u32 = 13;
const MAP_WORDS: usize = 1 << INDEX_BITS;
/// Literals that share a gram, at most, as long as they have another one to be known by: what a text made
/// of one gram can cost per byte.
const CROWDED: usize = 12;
/// What it costs that a place in a text may be a gram, in terms of what comparing a literal there costs.
const FIRST: f64 = 2.5;
/// Bytes that are compared at once.
const HEAD: usize = 8;

/// Finds literals in texts that are [folded](fold).
#[derive(Debug)]
pub(super) struct Scanner {
    /// By the hash of three bytes, which fourth ones follow them in grams: those whose [`MASKS`] have no bit of this. [`THREE`]
    /// where the three are a gram themselves.
    map: Box<[u32; MAP_WORDS]>,
    /// Literals that are known by three bytes, and by four.
    threes: Grams,
    fours: Grams,
    /// What literals have beyond their first bytes, and whose they are.
    tails: Box<[u8]>,
    owners: Box<[Way]>,
}

/// Literals by the grams that they are known by.
#[derive(Debug)]
struct Grams {
    /// By gram, the range of `entries` that are known by it. Its size is a power of two, more than twice the number
    /// of grams; what is not where its hash says is behind it.
    slots: Box<[Slot]>,
    /// How far a hash is shifted to be an index of `slots`.
    shift: u32,
    /// Literals, sorted by their grams.
    entries: Box<[Entry]>,
}

/// An empty range means that there is no gram.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    gram: u32,
    from: u32,
    to: u32,
}

/// A literal.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The first bytes, as a little-endian number, and which of its bits count.
    head: u64,
    mask: u64,
    /// Where in the literal the gram stands.
    offset: u32,
    /// Ranges of the scanner's `tails` and `owners`.
    tail: (u32, u32),
    owners: (u32, u32),
}

fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1)
}

/// The place of three bytes in the map, of which there may be a fourth.
#[inline]
fn place(window: u32) -> usize {
    (hash(window << 8) >> (32 - INDEX_BITS)) as usize
}

#[inline]
fn mask(byte: u8) -> u32 {
    #[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
    MASKS[usize::from(byte)]
}

/// Whatever the fourth byte is.
const THREE: u32 = 0;
/// Bytes that are taken in at once.
const STEP: usize = 4;
/// Steps after which what they found is looked up: as many as a word has bits for their bytes.
const STEPS: usize = 8;
/// The lower three bytes of four.
const LOWER_THREE: u32 = 0x00ff_ffff;

/// Two bits for each byte.
static MASKS: [u32; 256] = per_byte!(byte => {
    let mixed = (byte as u32 + 1).wrapping_mul(0x9E37_79B1);
    1 << ((mixed >> 20) % 32) | 1 << ((mixed >> 10) % 32)
});

/// Some bytes as a little-endian number.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

fn range<T>(all: &[T], (from, to): (u32, u32)) -> &[T] {
    all.get(from as usize..to as usize).unwrap_or_default()
}

/// Adds `more` to `all`; the range where it is.
fn append<T: Copy>(all: &mut Vec<T>, more: &[T]) -> (u32, u32) {
    let position = |all: &Vec<T>| u32::try_from(all.len()).unwrap_or(u32::MAX);
    let from = position(all);
    all.extend_from_slice(more);
    (from, position(all))
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(Vec::new(), |_| 0.0)
    }
}

impl Grams {
    fn new(mut entries: Vec<(u32, Entry)>) -> Self {
        entries.sort_by_key(|(gram, _)| *gram);
        let groups = entries.chunk_by(|(a, _), (b, _)| a == b);
        let size = (2 * groups.count() + 2).next_power_of_two();
        let mut slots = vec![Slot::default(); size];
        // The upper bits of a product are the ones that depend on all of its factors.
        let shift = 32 - size.trailing_zeros();
        let mut from = 0;
        for group in entries.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((gram, _)) = group.first().copied() else { continue };
            let mut at = (hash(gram) >> shift) as usize;
            while slots.get(at).is_some_and(|slot| slot.from < slot.to) {
                at = (at + 1) & (size - 1);
            }
            let to = from + u32::try_from(group.len()).unwrap_or_default();
            slots.get_mut(at).into_iter().for_each(|slot| *slot = Slot { gram, from, to });
            from = to;
        }
        let entries = entries.into_iter().map(|(_, entry)| entry).collect();
        Self { slots: slots.into(), shift, entries }
    }

    fn entries(&self, gram: u32) -> &[Entry] {
        let last = self.slots.len() - 1;
        let mut at = (hash(gram) >> self.shift) as usize;
        loop {
            match self.slots.get(at) {
                Some(slot) if slot.from == slot.to => return &[],
                Some(slot) if slot.gram == gram => return range(&self.entries, (slot.from, slot.to)),
                Some(_) => at = (at + 1) & last,
                None => return &[],
            }
        }
    }
}

impl Scanner {
    /// A scanner for these folded literals of three bytes or more. `chance` estimates how likely some
    /// bytes are to stand at a place of ordinary text.
    pub(super) fn new(literals: Vec<(&[u8], Vec<Way>)>, chance: impl Fn(&[u8]) -> f64) -> Self {
        let mut crowds: FxHashMap<(usize, u32), usize> = FxHashMap::default();
        let (mut tails, mut all_owners) = (Vec::new(), Vec::new());
        let (mut threes, mut fours) = (Vec::new(), Vec::new());
        for (text, owners) in literals {
            let length = text.len().min(4);
            let weight = |gram: &[u8]| {
                let crowd = crowds.get(&(length, number(gram))).copied().unwrap_or_default();
                match crowd {
                    0 => chance(gram) * FIRST,
                    1..CROWDED => chance(gram),
                    _ => 1.0 + chance(gram),
                }
            };
            let windows = (0u32..).zip(text.windows(length));
            let weighed = windows.map(|(offset, gram)| (offset, number(gram), weight(gram)));
            let Some((offset, gram, _)) = weighed.min_by(|a, b| a.2.total_cmp(&b.2)) else { continue };
            *crowds.entry((length, gram)).or_default() += 1;
            let (start, tail) = text.split_at(text.len().min(HEAD));
            let mut head = [0; HEAD];
            head.iter_mut().zip(start).for_each(|(to, from)| *to = *from);
            let entry = Entry {
                head: u64::from_le_bytes(head),
                mask: u64::MAX >> (64 - 8 * start.len()),
                offset,
                tail: append(&mut tails, tail),
                owners: append(&mut all_owners, &owners),
            };
            if length == 4 { &mut fours } else { &mut threes }.push((gram, entry));
        }
        let mut map = Box::new([u32::MAX; MAP_WORDS]);
        let mut mark = |three: u32, bits: u32| {
            map.get_mut(place(three)).into_iter().for_each(|word| *word &= !bits);
        };
        threes.iter().for_each(|(gram, _)| mark(*gram, !THREE));
        fours.iter().for_each(|(gram, _)| mark(*gram, mask((gram >> 24) as u8)));
        Self {
            map,
            threes: Grams::new(threes),
            fours: Grams::new(fours),
            tails: tails.into(),
            owners: all_owners.into(),
        }
    }

    /// Adds the owners of all literals that are in `text` to `found`. `folded` is memory for a copy of it.
    pub(super) fn scan(&self, text: &[u8], folded: &mut Vec<u8>, found: &mut WaySet) {
        if text.len() < 3 {
            return;
        }
        folded.clear();
        fold::append(text, folded);
        let count = folded.len().saturating_sub(2);
        // What is compared may reach beyond the end, where a byte completes the last gram of three.
        folded.extend_from_slice(&[0; HEAD]);
        self.scan_folded(folded, count, found);
    }

    /// Looks at the grams that begin at the first `count` bytes of `folded`. A function of its own, so that the loop has
    /// all registers; what it finds is looked up outside of it.
    #[inline(never)]
    fn scan_folded(&self, folded: &[u8], count: usize, found: &mut WaySet) {
        let (steps, _) = folded.as_chunks::<STEP>();
        let Some((first, steps)) = steps.split_first() else { return };
        let mut bytes = u64::from(u32::from_le_bytes(*first));
        let mut start = 0;
        for block in steps.chunks(STEPS) {
            let mut hits: u32 = 0;
            for next in block {
                bytes |= u64::from(u32::from_le_bytes(*next)) << 32;
                for at in 0..STEP {
                    let hit = u32::from(self.may_begin((bytes >> (8 * at)) as u32));
                    hits |= hit << at;
                }
                bytes >>= 32;
                hits = hits.rotate_right(STEP as u32);
            }
            hits >>= STEP * (STEPS - block.len());
            if hits != 0 {
                self.look_up(folded, start, hits, count, found);
            }
            start += STEP * STEPS;
        }
    }

    /// Whether four bytes can be a gram, or begin with one of three.
    #[inline]
    fn may_begin(&self, window: u32) -> bool {
        #[expect(clippy::indexing_slicing, reason = "a place has INDEX_BITS bits, the map as many words")]
        let word = self.map[place(window)];
        word & mask((window >> 24) as u8) == 0
    }

    /// Adds the owners of literals with a gram where `hits` has a bit, the lowest being that of the byte at `start` of
    /// `folded`, among its first `count` bytes.
    #[inline(never)]
    fn look_up(&self, folded: &[u8], start: usize, hits: u32, count: usize, found: &mut WaySet) {
        for hit in ones(hits.into()) {
            let start = start + hit as usize;
            let Some(window) = folded.get(start..).and_then(|rest| rest.first_chunk()) else { return };
            if start >= count {
                return;
            }
            let window = u32::from_le_bytes(*window);
            self.compare(folded, start, self.fours.entries(window), found);
            if self.map.get(place(window)) == Some(&THREE) {
                self.compare(folded, start, self.threes.entries(window & LOWER_THREE), found);
            }
        }
    }

    /// Compares literals whose gram begins at `start` of `folded`.
    #[inline]
    fn compare(&self, folded: &[u8], start: usize, entries: &[Entry], found: &mut WaySet) {
        for entry in entries {
            let Some(from) = start.checked_sub(entry.offset as usize) else { continue };
            let Some(here) = folded.get(from..).and_then(|rest| rest.first_chunk::<HEAD>()) else { continue };
            if u64::from_le_bytes(*here) & entry.mask != entry.head {
                continue;
            }
            let tail = range(&self.tails, entry.tail);
            let after = from + HEAD;
            if tail.is_empty() || folded.get(after..after + tail.len()).is_some_and(|rest| equal(rest, tail))
            {
                range(&self.owners, entry.owners).iter().for_each(|owner| found.put(*owner));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The scanner finds what a plain search finds.
        #[test]
        fn finds_what_is_there(
            literals in proptest::collection::vec("[a-c/]{3,11}", 1..40),
            text in "[a-cA-C/x]{0,200}",
        ) {
            let owned = literals.iter().enumerate();
            let owned = owned.map(|(at, text)| (text.as_bytes(), vec![Way(at as u32)]));
            let scanner = Scanner::new(owned.collect(), |bytes| f64::from(bytes[0]));
            let mut ways = WaySet::default();
            ways.fit(literals.len());
            scanner.scan(text.as_bytes(), &mut Vec::new(), &mut ways);
            let mut found = vec![0; literals.len().div_ceil(64)];
            ways.drain(|word, bits| found[word] = bits);
            for (at, literal) in literals.iter().enumerate() {
                let expected = text.to_ascii_lowercase().contains(literal.as_str());
                prop_assert_eq!(found[at / 64] >> (at % 64) & 1 == 1, expected, "{}", literal);
            }
        }
    }
}
