//! Texts that a policy holds, and evaluation looks at or stores.

use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

/// Number of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constant(pub(crate) u32);

/// The texts of a plan, each once; the empty text comes first.
#[derive(Debug)]
pub(crate) struct Constants {
    texts: Vec<Box<[u8]>>,
    ids: FxHashMap<Box<[u8]>, Constant>,
    plan: u64,
}

impl Default for Constants {
    /// For a plan of its own.
    fn default() -> Self {
        static PLANS: AtomicU64 = AtomicU64::new(1);
        let plan = PLANS.fetch_add(1, Ordering::Relaxed);
        let mut constants = Self { texts: Vec::new(), ids: FxHashMap::default(), plan };
        constants.intern(b"");
        constants
    }
}

impl Constants {
    /// The number of a text.
    pub(super) fn intern(&mut self, text: &[u8]) -> Constant {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = Constant(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(text.into());
        self.ids.insert(text.into(), id);
        id
    }

    /// The number of a text, if it has one.
    pub(super) fn find(&self, text: &[u8]) -> Option<Constant> {
        self.ids.get(text).copied()
    }

    /// All texts, by number.
    pub(crate) fn texts(&self) -> &[Box<[u8]>] {
        &self.texts
    }

    /// Tells the constants of one plan from those of another in the same process.
    pub(crate) fn plan(&self) -> u64 {
        self.plan
    }
}
