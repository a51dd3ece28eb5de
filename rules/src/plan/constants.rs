//! Texts that a policy holds, and evaluation looks at or stores.

use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

/// Number of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constant(pub(crate) u32);

impl Constant {
    /// What `HIGHEST_SEVERITY` is before a rule matches: 255.
    pub(crate) const NO_SEVERITY: Self = Self(11);
    /// The version that `MODSEC_BUILD` gives.
    pub(crate) const MODSEC_BUILD: Self = Self(12);

    /// The text of a number from 0 to 9.
    pub(crate) const fn digit(number: u8) -> Self {
        Self(1 + number as u32)
    }
}

/// What every plan has, by number. The version is that of ModSecurity 3.0.14, whose behaviour rules can rely on.
const COMMON: [&[u8]; 13] =
    [b"", b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"255", b"030001400"];

/// The texts of a plan, each once; the [common](COMMON) ones come first.
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
        COMMON.iter().for_each(|text| {
            constants.intern(text);
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_texts_have_their_numbers() {
        let constants = Constants::default();
        let text = |Constant(number)| &*constants.texts()[number as usize];
        assert_eq!(text(Constant(0)), b"");
        (0..10).for_each(|number| assert_eq!(text(Constant::digit(number)), number.to_string().as_bytes()));
        assert_eq!(
            (text(Constant::NO_SEVERITY), text(Constant::MODSEC_BUILD)),
            (&b"255"[..], &b"030001400"[..])
        );
    }
}
