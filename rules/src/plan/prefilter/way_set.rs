//! Sets of ways to match.

/// Number of a way in which an operator can match: one [requirement](super::requirement::Requirement).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way(pub(super) u32);

impl Way {
    /// The word of a set that knows of it, and its bit there.
    pub(super) fn place(self) -> (usize, u64) {
        (self.0 as usize / 64, 1 << (self.0 % 64))
    }
}

/// A set of ways: bits in words, and which words are not 0. What it costs to fill, read and empty depends on the ways
/// in it, not on how many there are.
#[derive(Debug, Default)]
pub(crate) struct WaySet {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl WaySet {
    /// Makes room for ways below `count`.
    pub(super) fn fit(&mut self, count: usize) {
        self.words.resize(count.div_ceil(64), 0);
    }

    #[inline]
    pub(super) fn put(&mut self, way: Way) {
        let (word, bit) = way.place();
        self.put_word(word, bit);
    }

    /// Adds the ways of a word.
    #[inline]
    pub(crate) fn put_word(&mut self, word: usize, bits: u64) {
        if let Some(place) = self.words.get_mut(word) {
            if *place == 0 && bits != 0 {
                self.touched.push(word as u32);
            }
            *place |= bits;
        }
    }

    /// All words that are not 0, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let word = |word: &u32| Some((*word as usize, self.words.get(*word as usize).copied()?));
        self.touched.iter().filter_map(word)
    }

    /// Hands out all words that are not 0, and empties the set.
    pub(super) fn drain(&mut self, mut each: impl FnMut(usize, u64)) {
        for word in self.touched.drain(..) {
            if let Some(bits) = self.words.get_mut(word as usize) {
                each(word as usize, std::mem::take(bits));
            }
        }
    }
}
