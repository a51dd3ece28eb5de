//! Fixed places for the store keys that a policy names, so that they are found without hashing.

use rustc_hash::FxHashMap;

use crate::model::Store;

/// The fixed place of a key within its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// A key of a store, as a plan knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreKey {
    pub(crate) slot: Slot,
    /// As first written; what a report shows.
    pub(crate) name: Box<[u8]>,
}

/// The keys that a policy names, per store.
#[derive(Debug)]
pub(crate) struct Slots {
    stores: [FxHashMap<Box<[u8]>, Slot>; Store::COUNT],
}

impl Slots {
    /// The captures have the first ten places of `TX`.
    pub(crate) fn new() -> Self {
        let mut slots = Self { stores: std::array::from_fn(|_| FxHashMap::default()) };
        for digit in b'0'..=b'9' {
            slots.intern(Store::Tx, &[digit]);
        }
        slots
    }

    /// The place of a key, made if it has none.
    pub(crate) fn intern(&mut self, store: Store, key: &[u8]) -> StoreKey {
        let lower: Box<[u8]> = key.to_ascii_lowercase().into();
        let slot = self.stores.get_mut(store as usize).map_or(Slot(u32::MAX), |keys| {
            let next = Slot(u32::try_from(keys.len()).unwrap_or(u32::MAX));
            *keys.entry(lower).or_insert(next)
        });
        StoreKey { slot, name: key.into() }
    }

    /// The place of a key given in lower case, if the policy names it.
    pub(crate) fn find(&self, store: Store, lower: &[u8]) -> Option<Slot> {
        self.stores.get(store as usize)?.get(lower).copied()
    }
}

impl Store {
    /// How many stores there are.
    pub(crate) const COUNT: usize = 6;
}
