//! Fixed places for what a policy names: store keys, so that they are found without hashing, and XPath
//! expressions, so that each is evaluated once per body.

use rustc_hash::{FxHashMap, FxHashSet};

use super::constants::{Constant, Constants};
use crate::model::{Phase, Store, Variable};
use crate::xpath::{Namespace, XPath};

/// The fixed place of a key within its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot(pub(crate) u32);

/// A key of a store, as a plan knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoreKey {
    pub(crate) slot: Slot,
    /// As written; what a report shows.
    pub(crate) name: Box<[u8]>,
    /// The same.
    pub(crate) constant: Constant,
}

/// The place of what an XPath expression selects among the values of an XML body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct XmlPlace(pub(crate) u32);

impl XmlPlace {
    /// `/*`: the texts.
    pub(crate) const TEXTS: Self = Self(0);
    /// `//@*`: the values of attributes.
    pub(crate) const ATTRIBUTES: Self = Self(1);
    /// How many places there are before those of other expressions.
    pub(crate) const FIXED: usize = 2;
}

/// An XPath expression beside the two with places of their own.
#[derive(Debug)]
pub(crate) struct XPathPlan {
    pub(crate) text: Box<[u8]>,
    pub(crate) xpath: XPath,
}

/// The keys that a policy names, per store, and its XPath expressions.
#[derive(Debug)]
pub(crate) struct Slots {
    xpaths: Vec<XPathPlan>,
    /// By the key in lower case.
    stores: [FxHashMap<Constant, Slot>; Store::COUNT],
    constants: Constants,
    /// Variables that conditions and macros look at, and the last phase in which they do.
    variables: FxHashMap<Variable, Phase>,
    /// The phase of the rule that is being compiled.
    phase: Phase,
    /// Stores of which macros look at the first key, whichever it is.
    read_whole: FxHashSet<Store>,
}

impl Slots {
    /// What is known of a client: the first places of `CLIENT`, in this order.
    pub(crate) const CLIENT: [&[u8]; 4] = [b"RISK", b"STATE", b"STATUS", b"BLOCKS"];

    /// The captures have the first ten places of `TX`.
    pub(crate) fn new() -> Self {
        let mut slots = Self {
            xpaths: Vec::new(),
            stores: std::array::from_fn(|_| FxHashMap::default()),
            constants: Constants::default(),
            variables: FxHashMap::default(),
            phase: Phase::Logging,
            read_whole: FxHashSet::default(),
        };
        for digit in b'0'..=b'9' {
            slots.intern(Store::Tx, &[digit]);
        }
        for key in Self::CLIENT {
            slots.intern(Store::Client, key);
        }
        slots
    }

    /// The place of `TX:n`, `n` from 0 to 9, and its name: [`Slots::new`] gives them the first places.
    pub(crate) fn capture(n: u8) -> (Slot, Constant) {
        (Slot(u32::from(n)), Constant::digit(n))
    }

    /// The place of a key, made if it has none.
    pub(crate) fn intern(&mut self, store: Store, key: &[u8]) -> StoreKey {
        let lower = self.constants.intern(&key.to_ascii_lowercase());
        let slot = self.stores.get_mut(store as usize).map_or(Slot(u32::MAX), |keys| {
            let next = Slot(u32::try_from(keys.len()).unwrap_or(u32::MAX));
            *keys.entry(lower).or_insert(next)
        });
        StoreKey { slot, name: key.into(), constant: self.constants.intern(key) }
    }

    /// What is noted from now on is of a rule of this phase.
    pub(crate) fn begin_rule(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Notes that a variable is looked at.
    pub(crate) fn note(&mut self, variable: Variable) {
        let last = self.variables.entry(variable).or_insert(self.phase);
        *last = self.phase.max(*last);
    }

    /// Whether any rule looks at a variable, but for scripts.
    pub(crate) fn look_at(&self, variable: Variable) -> bool {
        self.variables.contains_key(&variable)
    }

    /// Whether any rule of a later phase looks at a variable, but for scripts.
    pub(crate) fn look_at_after(&self, phase: Phase, variable: Variable) -> bool {
        self.variables.get(&variable).is_some_and(|last| *last > phase)
    }

    /// Notes that a macro stands for the first of all keys of a store.
    pub(crate) fn note_whole(&mut self, store: Store) {
        self.read_whole.insert(store);
    }

    /// Whether any macro stands for the first of all keys of a store.
    pub(crate) fn reads_whole(&self, store: Store) -> bool {
        self.read_whole.contains(&store)
    }

    /// The keys of a store that the policy names, in lower case, in no order.
    pub(crate) fn keys(&self, store: Store) -> impl Iterator<Item = &[u8]> {
        let keys = self.stores.get(store as usize).into_iter().flat_map(FxHashMap::keys);
        keys.filter_map(|key| Some(&**self.constants.texts().get(key.0 as usize)?))
    }

    /// The number of a text.
    pub(crate) fn constant(&mut self, text: &[u8]) -> Constant {
        self.constants.intern(text)
    }

    /// All texts that have numbers.
    pub(crate) fn constants(&self) -> &Constants {
        &self.constants
    }

    /// The place of what an expression selects, made if there is none. `None` when it can't be parsed; front
    /// ends have refused such expressions before.
    pub(crate) fn xpath(&mut self, text: &[u8], namespaces: &[Namespace]) -> Option<XmlPlace> {
        match text {
            b"/*" => return Some(XmlPlace::TEXTS),
            b"//@*" => return Some(XmlPlace::ATTRIBUTES),
            _ => {}
        }
        let xpath = XPath::parse(text).ok()?.resolved(namespaces);
        let known = self.xpaths.iter().position(|known| *known.text == *text && known.xpath == xpath);
        let position = known.unwrap_or_else(|| {
            self.xpaths.push(XPathPlan { text: text.into(), xpath });
            self.xpaths.len() - 1
        });
        u32::try_from(XmlPlace::FIXED + position).ok().map(XmlPlace)
    }

    /// The expressions beside those with fixed places, in the order of their places.
    pub(crate) fn xpaths(&self) -> &[XPathPlan] {
        &self.xpaths
    }

    /// The place of a key given in lower case, if the policy names it.
    pub(crate) fn find(&self, store: Store, lower: &[u8]) -> Option<Slot> {
        self.place(store, self.constants.find(lower)?)
    }

    /// How many keys of a store the policy names.
    pub(crate) fn count(&self, store: Store) -> usize {
        self.stores.get(store as usize).map_or(0, FxHashMap::len)
    }

    /// As [`Slots::find`], for a key that is one of the constants.
    pub(crate) fn place(&self, store: Store, lower: Constant) -> Option<Slot> {
        self.stores.get(store as usize)?.get(&lower).copied()
    }
}

impl Store {
    /// How many stores there are.
    pub(crate) const COUNT: usize = 7;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_come_first() {
        let slots = Slots::new();
        for n in 0..10 {
            let (slot, name) = Slots::capture(n);
            let digit = [b'0' + n];
            assert_eq!(slots.find(Store::Tx, &digit), Some(slot));
            assert_eq!(slots.constants().find(&digit), Some(name));
        }
    }
}
