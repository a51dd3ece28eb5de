//! Keyed stores that rules write to: `TX` and the persistent collections.

use rustc_hash::FxHashMap;

use super::state::State;
use super::values::Value;
use crate::model::Store;
use crate::plan::{Plan, Slot, StoreKey, Write};

const NONE: u32 = u32::MAX;

/// One store: keys without regard to case, in order of insertion.
#[derive(Debug, Default)]
pub(crate) struct VarStore {
    entries: Vec<Entry>,
    /// Entry of each key that the policy names.
    slots: Vec<u32>,
    /// Entries of keys made at run time, by the key in lower case.
    made: FxHashMap<Value, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Value,
    value: Value,
    live: bool,
}

/// How a key is addressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Address {
    Slot(Slot),
    /// In lower case.
    Made(Value),
}

impl State {
    /// The address of a key that was made at run time.
    pub(crate) fn address(&mut self, plan: &Plan, store: Store, key: Value) -> Address {
        let lower = self.values.folded(key);
        let slot = match self.values.constant(lower) {
            Some(constant) => plan.slots().place(store, constant),
            None if self.values.is_crowded() => plan.slots().find(store, self.values.get(lower)),
            None => None,
        };
        slot.map_or_else(|| Address::Made(self.made_key(store, lower)), Address::Slot)
    }

    /// The one of several values with the same bytes that a store knows.
    fn made_key(&self, store: Store, lower: Value) -> Value {
        if !self.values.is_crowded() {
            return lower;
        }
        let same = |known: &&Value| self.values.get(**known) == self.values.get(lower);
        let known = self.stores.get(store as usize).and_then(|store| store.made.keys().find(same));
        known.copied().unwrap_or(lower)
    }
}

impl From<&StoreKey> for Address {
    fn from(key: &StoreKey) -> Self {
        Self::Slot(key.slot)
    }
}

impl VarStore {
    /// Has places for so many keys of the policy. To be called when it is empty.
    pub(crate) fn set_slots(&mut self, count: usize) {
        self.slots.resize(count, NONE);
        self.entries.reserve(count.min(128));
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.slots.clear();
        if !self.made.is_empty() {
            self.made.clear();
        }
    }

    /// Whether a key was put in that the policy does not name.
    pub(crate) fn has_made(&self) -> bool {
        !self.made.is_empty()
    }

    /// How much memory is kept, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.slots.capacity() * size_of::<u32>()
            + self.made.capacity() * size_of::<(Value, u32)>()
    }

    /// The entry of a key, live or not.
    fn place(&self, address: Address) -> Option<usize> {
        let entry = match address {
            Address::Slot(slot) => self.slots.get(slot.0 as usize).copied().filter(|&entry| entry != NONE)?,
            Address::Made(key) => self.made.get(&key).copied()?,
        };
        Some(entry as usize)
    }

    /// The key as first written and its value.
    pub(crate) fn get(&self, address: Address) -> Option<(Value, Value)> {
        self.live(self.place(address)?)
    }

    /// As [`VarStore::get`], for a key that the policy names.
    pub(crate) fn slot(&self, slot: Slot) -> Option<(Value, Value)> {
        self.live(self.slots.get(slot.0 as usize).copied()? as usize)
    }

    fn live(&self, place: usize) -> Option<(Value, Value)> {
        self.entries.get(place).filter(|entry| entry.live).map(|entry| (entry.key, entry.value))
    }

    /// Puts a value under a key; a key that was there before keeps its place and its spelling.
    #[inline]
    pub(crate) fn set(&mut self, address: Address, key: Value, value: Value) {
        let cell = match address {
            Address::Slot(Slot(slot)) => {
                let place = slot as usize;
                if place >= self.slots.len() {
                    self.slots.resize(place + 1, NONE);
                }
                self.slots.get_mut(place)
            }
            Address::Made(key) => Some(self.made.entry(key).or_insert(NONE)),
        };
        let Some(cell) = cell else { return };
        if let Some(entry) = self.entries.get_mut(*cell as usize) {
            *entry = Entry { value, live: true, ..*entry };
        } else {
            *cell = u32::try_from(self.entries.len()).unwrap_or(NONE);
            self.entries.push(Entry { key, value, live: true });
        }
    }

    /// Does what settled rules do.
    pub(crate) fn settle(&mut self, writes: &[Write]) {
        for Write { key, value } in writes {
            match value {
                Some(value) => self.set(Address::from(key), key.constant.into(), (*value).into()),
                None => self.remove(Address::from(key)),
            }
        }
    }

    pub(crate) fn remove(&mut self, address: Address) {
        if let Some(entry) = self.place(address).and_then(|place| self.entries.get_mut(place)) {
            entry.live = false;
        }
    }

    /// Shows each value that the store refers to.
    pub(super) fn each_value(&mut self, show: &mut impl FnMut(&mut Value)) {
        for entry in &mut self.entries {
            show(&mut entry.key);
            show(&mut entry.value);
        }
        if !self.made.is_empty() {
            let shown = std::mem::take(&mut self.made).into_iter().map(|(mut key, place)| {
                show(&mut key);
                (key, place)
            });
            self.made = shown.collect();
        }
    }

    /// Keys and values in order of insertion.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Value, Value)> + '_ {
        self.entries.iter().filter(|entry| entry.live).map(|entry| (entry.key, entry.value))
    }
}
