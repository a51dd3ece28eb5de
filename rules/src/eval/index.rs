//! Finds values by the hashes of their bytes.

use super::values::Value;

/// Places that are looked at for a hash. Crafted collisions fill these and no more: what finds no place in a table that
/// is nearly empty is not listed.
const PROBES: usize = 16;
/// How many places there are at first; a power of two.
const SMALLEST: usize = 1024;
/// The stamp of what stays from one transaction to the next.
const FIXED: u32 = u32::MAX;

/// A table of values, without room at first. At most half of it is taken: with more room more of it would have to come
/// into the processor's caches. Emptying it costs nothing: what was listed under another stamp is not there.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: Vec<Slot>,
    stamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    stamp: u32,
    value: Value,
}

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
        self.stamp += 1;
        if self.stamp == FIXED {
            for slot in self.slots.iter_mut().filter(|slot| slot.stamp != FIXED) {
                slot.stamp = 0;
            }
            self.stamp = 1;
        }
    }

    /// Forgets everything, and makes room for `count` values.
    pub(super) fn clear_for(&mut self, count: usize) {
        let size = (4 * count).next_power_of_two().max(SMALLEST);
        self.slots.clear();
        self.slots.resize(size, Slot { stamp: 0, value: Value::EMPTY });
        self.stamp = 1;
    }

    /// Whether there is room for one more among `count` values.
    #[inline]
    pub(super) fn has_room(&self, count: usize) -> bool {
        2 * count < self.slots.len()
    }

    /// Whether places lack although most are free with `count` values: a larger table would not help. It is so after
    /// [`Index::clear_for`] twice that many.
    pub(super) fn is_crowded(&self, count: usize) -> bool {
        4 * count < self.slots.len()
    }

    /// How many values there is room for, in bytes of memory.
    pub(super) fn kept_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
    }

    /// Finds the value with this hash for which `is_it` holds.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(Value) -> bool) -> Found {
        let Some(mask) = self.slots.len().checked_sub(1) else { return Found::Full };
        let first = (hash >> 32) as usize;
        for probe in 0..PROBES {
            let place = first.wrapping_add(probe) & mask;
            let Some(slot) = self.slots.get(place) else { return Found::Full };
            if slot.stamp != self.stamp && slot.stamp != FIXED {
                return Found::Free(place);
            }
            if is_it(slot.value) {
                return Found::Value(slot.value);
            }
        }
        Found::Full
    }

    /// Lists a value at a free place, fixed or until the next [`Index::clear`].
    #[inline]
    pub(super) fn list(&mut self, place: usize, value: Value, fixed: bool) {
        let stamp = if fixed { FIXED } else { self.stamp };
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Slot { stamp, value };
        }
    }
}
