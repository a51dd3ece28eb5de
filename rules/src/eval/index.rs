//! Finds values by the hashes of their bytes.

use std::num::NonZeroU32;

use super::values::Value;
use crate::budget::{self, Budget};

/// Places that are looked at for a hash. Crafted collisions fill these and no more: what finds no place in a table of
/// which two thirds are free is not listed.
const PROBES: usize = 16;
/// How many places there are at first; a power of two.
const SMALLEST: usize = 1024;

/// A table of values, without room at first. It is small, and up to a half of it taken: each look at it is somewhere else,
/// and has to come into the processor's caches.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: Vec<Option<Slot>>,
    /// Places of values that are not fixed.
    passing: Vec<u32>,
}

/// The number of a value and one, which leaves a number for places that are free.
type Slot = NonZeroU32;

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Value(Value),
    /// It is not listed, and may be, here.
    Free(usize),
    /// It is not listed, and there is no place.
    Full,
}

impl Index {
    /// Forgets all values but those that are fixed.
    pub(super) fn clear(&mut self) {
        for place in self.passing.drain(..) {
            self.slots.get_mut(place as usize).into_iter().for_each(|slot| *slot = None);
        }
    }

    /// Forgets everything, and makes room for `count` values; whether there is memory for that.
    pub(super) fn clear_for(&mut self, count: usize, budget: Budget) -> bool {
        let size = (4 * count).next_power_of_two().max(SMALLEST);
        self.passing.clear();
        self.slots.clear();
        let fits = budget::reserve(&mut self.slots, size, budget)
            && budget::reserve(&mut self.passing, size / 2, budget);
        if fits {
            self.slots.resize(size, None);
        }
        fits
    }

    /// Whether there is room for one more among `count` values.
    #[inline]
    pub(super) fn has_room(&self, count: usize) -> bool {
        2 * count < self.slots.len()
    }

    /// Whether places lack although most are free with `count` values: a larger table would not help. It is so after
    /// [`Index::clear_for`] so many.
    pub(super) fn is_crowded(&self, count: usize) -> bool {
        3 * count < self.slots.len()
    }

    /// How many values there is room for, in bytes of memory.
    pub(super) fn kept_bytes(&self) -> usize {
        (self.slots.capacity() + self.passing.capacity()) * size_of::<Slot>()
    }

    /// Finds the value with this hash for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Value) -> bool) -> Found {
        let Some(mask) = self.slots.len().checked_sub(1) else { return Found::Full };
        let first = (hash >> 32) as usize;
        for probe in 0..PROBES {
            let place = first.wrapping_add(probe) & mask;
            let Some(slot) = self.slots.get(place) else { return Found::Full };
            let Some(number) = slot else { return Found::Free(place) };
            let value = Value::from_number(number.get() - 1);
            if is_it(value) {
                return Found::Value(value);
            }
        }
        Found::Full
    }

    /// Lists a value at a free place, fixed or until the next [`Index::clear`].
    #[inline]
    pub(super) fn list(&mut self, place: usize, value: Value, fixed: bool) {
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = u32::try_from(value.number() + 1).ok().and_then(Slot::new);
        }
        if !fixed {
            self.passing.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
    }
}
