//! The parts of an audit record.

use crate::model::PartsChange;

/// A set of parts, which are named by upper-case letters (`SecAuditLogParts`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts(u32);

impl Parts {
    /// The parts with these letters; anything else is passed over.
    pub(crate) fn of(letters: &str) -> Self {
        let letters = letters.bytes().filter(u8::is_ascii_uppercase);
        Self(letters.fold(0, |set, letter| set | 1 << (letter - b'A')))
    }

    pub(crate) fn has(self, letter: char) -> bool {
        let bit = u32::from(letter).wrapping_sub(u32::from('A'));
        bit < 26 && self.0 >> bit & 1 == 1
    }

    pub(crate) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What `ctl:auditLogParts` made of the parts so far, whichever they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartsEdit {
    set: Option<Parts>,
    added: Parts,
    removed: Parts,
}

impl PartsEdit {
    pub(crate) fn change(&mut self, change: PartsChange, letters: &str) {
        let parts = Parts::of(letters);
        match change {
            PartsChange::Set => *self = Self { set: Some(parts), ..Self::default() },
            PartsChange::Add => {
                self.added = self.added.with(parts);
                self.removed = self.removed.without(parts);
            }
            PartsChange::Remove => {
                self.removed = self.removed.with(parts);
                self.added = self.added.without(parts);
            }
        }
    }

    pub(crate) fn of(self, parts: Parts) -> Parts {
        self.set.unwrap_or(parts).with(self.added).without(self.removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_follow_each_other() {
        let has = |parts: Parts| ('A'..='Z').filter(|letter| parts.has(*letter)).collect::<String>();
        let base = Parts::of("ABHZ");
        assert_eq!(has(base), "ABHZ");
        let mut edit = PartsEdit::default();
        assert_eq!(edit.of(base), base);
        edit.change(PartsChange::Add, "CE");
        edit.change(PartsChange::Remove, "BE");
        assert_eq!(has(edit.of(base)), "ACHZ");
        edit.change(PartsChange::Add, "B");
        assert_eq!(has(edit.of(base)), "ABCHZ");
        edit.change(PartsChange::Set, "AFZ");
        edit.change(PartsChange::Add, "K");
        assert_eq!(has(edit.of(base)), "AFKZ");
        assert!(!base.has('a') && !base.has('@') && !base.has('\u{61c1}'));
    }
}
