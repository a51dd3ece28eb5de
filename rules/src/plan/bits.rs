//! Sets of small numbers, one bit each.

/// Whether a number is in a set of words.
#[inline]
pub(crate) fn has(words: &[u64], number: usize) -> bool {
    words.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
}

/// Adds a number to a set of words; one beyond them is left out.
#[inline]
pub(crate) fn put(words: &mut [u64], number: usize) {
    if let Some(word) = words.get_mut(number / 64) {
        *word |= 1 << (number % 64);
    }
}

/// Takes a number out of a set of words.
#[inline]
pub(crate) fn take(words: &mut [u64], number: usize) {
    if let Some(word) = words.get_mut(number / 64) {
        *word &= !(1 << (number % 64));
    }
}

/// The places of the ones in a word, from the lowest.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros())?;
        word &= word - 1;
        Some(bit)
    })
}

/// A set of numbers below some bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// An empty set of numbers below `bound`.
    pub(crate) fn below(bound: usize) -> Self {
        Self { words: vec![0; bound.div_ceil(64)] }
    }

    /// Becomes an empty set of numbers below `bound`.
    pub(crate) fn clear_below(&mut self, bound: usize) {
        self.words.clear();
        self.words.resize(bound.div_ceil(64), 0);
    }

    /// Adds a number; one beyond the bound is left out.
    #[inline]
    pub(crate) fn insert(&mut self, number: usize) {
        put(&mut self.words, number);
    }

    #[inline]
    pub(crate) fn contains(&self, number: usize) -> bool {
        has(&self.words, number)
    }

    /// The least number from `from` on.
    #[inline]
    pub(crate) fn next(&self, from: usize) -> Option<usize> {
        let mut place = from / 64;
        let mut word = self.words.get(place)? & (u64::MAX << (from % 64));
        while word == 0 {
            place += 1;
            word = *self.words.get(place)?;
        }
        Some(place * 64 + word.trailing_zeros() as usize)
    }

    /// Takes the numbers of another set in its place, with its bound.
    pub(crate) fn assign(&mut self, other: &Self) {
        self.words.clone_from(&other.words);
    }

    /// Adds the numbers of another set with the same bound.
    pub(crate) fn add(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, more)| *word |= more);
    }

    /// Takes the numbers of another set with the same bound out.
    pub(crate) fn remove(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, less)| *word &= !less);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn they_are_sets(
            first in proptest::collection::btree_set(0_usize..200, 0..40),
            second in proptest::collection::btree_set(0_usize..200, 0..40),
        ) {
            let of = |numbers: &BTreeSet<usize>| {
                let mut set = Bits::below(200);
                numbers.iter().for_each(|number| set.insert(*number));
                set
            };
            let members = |set: &Bits| {
                let next = |from: &usize| set.next(from + 1);
                std::iter::successors(set.next(0), next).collect::<BTreeSet<usize>>()
            };
            let (mut all, mut rest) = (Bits::default(), of(&first));
            all.assign(&of(&first));
            all.add(&of(&second));
            rest.remove(&of(&second));
            prop_assert_eq!(members(&all), &first | &second);
            prop_assert_eq!(members(&rest), &first - &second);
            prop_assert!((0..256).all(|number| of(&first).contains(number) == first.contains(&number)));
        }
    }
}
