//! One pass over a text that finds which of thousands of literals are in it.
//!
//! Each literal is known by four of its bytes in a row, those least likely in ordinary text; one of three bytes by
//! these. A bitmap tells at each place of the text whether the bytes there are such a gram. Where they are, the literals
//! behind it are compared. Unlike an automaton this has no state to wait for from byte to byte, and its tables stay in
//! the caches. With the ten thousand literals of the Core Rule Set every third trigram of English prose is one of
//! theirs, but hardly one in twenty of its grams of four.

use rustc_hash::FxHashMap;

use super::way_set::{Way, WaySet};

/// Bits of a map's index: 16 KiB.
const INDEX_BITS: u32 = 17;
const MAP_WORDS: usize = 1 << (INDEX_BITS - 6);
/// Literals that share a gram, at most, as long as they have another one to be known by: what a text made
/// of one gram can cost per byte.
const CROWDED: usize = 12;
/// Bytes that are compared at once.
const HEAD: usize = 8;

/// Finds literals, without regard to ASCII case.
#[derive(Debug)]
pub(super) struct Scanner {
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
    /// Which grams, by hash.
    map: Box<[u64; MAP_WORDS]>,
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

fn place(gram: u32) -> usize {
    (hash(gram) >> (32 - INDEX_BITS)) as usize
}

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
        let mut map = Box::new([0; MAP_WORDS]);
        let mut from = 0;
        for group in entries.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((gram, _)) = group.first().copied() else { continue };
            map.get_mut(place(gram) / 64).into_iter().for_each(|word| *word |= 1 << (place(gram) % 64));
            let mut at = (hash(gram) >> shift) as usize;
            while slots.get(at).is_some_and(|slot| slot.from < slot.to) {
                at = (at + 1) & (size - 1);
            }
            let to = from + u32::try_from(group.len()).unwrap_or_default();
            slots.get_mut(at).into_iter().for_each(|slot| *slot = Slot { gram, from, to });
            from = to;
        }
        let entries = entries.into_iter().map(|(_, entry)| entry).collect();
        Self { map, slots: slots.into(), shift, entries }
    }

    #[inline]
    fn may_have(&self, gram: u32) -> bool {
        let place = place(gram);
        #[expect(
            clippy::indexing_slicing,
            reason = "the index has INDEX_BITS - 6 bits, the map as many words"
        )]
        let word = self.map[place / 64];
        word >> (place % 64) & 1 == 1
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
    /// A scanner for these lower-case literals of three bytes or more. `chance` estimates how likely some
    /// bytes are to stand at a place of ordinary text.
    pub(super) fn new(literals: Vec<(&[u8], Vec<Way>)>, chance: impl Fn(&[u8]) -> f64) -> Self {
        let mut crowds: FxHashMap<(usize, u32), usize> = FxHashMap::default();
        let (mut tails, mut all_owners) = (Vec::new(), Vec::new());
        let (mut threes, mut fours) = (Vec::new(), Vec::new());
        for (text, owners) in literals {
            let length = text.len().min(4);
            let weight = |gram: &[u8]| {
                let crowd = crowds.get(&(length, number(gram))).copied().unwrap_or_default();
                chance(gram) + if crowd >= CROWDED { 1.0 } else { 0.0 }
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
        Self {
            threes: Grams::new(threes),
            fours: Grams::new(fours),
            tails: tails.into(),
            owners: all_owners.into(),
        }
    }

    /// Adds the owners of all literals that are in `text` to `found`. `lower` is memory for a copy of it.
    pub(super) fn scan(&self, text: &[u8], lower: &mut Vec<u8>, found: &mut WaySet) {
        lower.clear();
        lower.extend_from_slice(text);
        lower.make_ascii_lowercase();
        // What is compared may reach beyond the end.
        lower.extend_from_slice(&[0; HEAD]);
        let Some((start, rest)) = lower.split_at_checked(3).filter(|_| text.len() >= 3) else { return };
        let mut window = number(start) << 8;
        // The byte behind the end completes the last gram of three.
        for (start, &byte) in rest.iter().take(text.len() - 2).enumerate() {
            window = window >> 8 | u32::from(byte) << 24;
            if self.fours.may_have(window) {
                self.compare(lower, start, self.fours.entries(window), found);
            }
            let three = window & 0x00ff_ffff;
            if self.threes.may_have(three) {
                self.compare(lower, start, self.threes.entries(three), found);
            }
        }
    }

    /// Compares literals whose gram begins at `start` of `lower`.
    fn compare(&self, lower: &[u8], start: usize, entries: &[Entry], found: &mut WaySet) {
        for entry in entries {
            let Some(from) = start.checked_sub(entry.offset as usize) else { continue };
            let Some(here) = lower.get(from..).and_then(|rest| rest.first_chunk::<HEAD>()) else { continue };
            if u64::from_le_bytes(*here) & entry.mask != entry.head {
                continue;
            }
            let tail = range(&self.tails, entry.tail);
            if tail.is_empty() || lower.get(from + HEAD..).is_some_and(|rest| rest.starts_with(tail)) {
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
