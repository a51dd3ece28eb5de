//! Remembers what the prefilter found in values that keep coming back.
//!
//! Much of what requests hold is the same over and over: names of headers and arguments, user agents, media types,
//! small numbers. A value is remembered when it is seen for the second time in a while, so that what comes once
//! displaces little. An operator that was run on a remembered value without matching is not run on it again. The memory
//! is bounded, and what is in it never changes a result, only the time it takes.

use super::{ByteSet, Known, Screened};
use crate::plan::Features;

/// Values that can be remembered; a power of two.
const SLOTS: usize = 4096;
/// Most bytes of a value that is remembered.
const LONGEST: usize = 512;

/// A bounded memory of what was found in values.
#[derive(Debug)]
pub(super) struct Memo {
    slots: Box<[Slot]>,
    /// Hashes of values that were seen and not remembered.
    seen: Box<[u64]>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    hash: u64,
    text: Option<Box<[u8]>>,
    bytes: ByteSet,
    features: Features,
    operators: Box<[Screened]>,
}

impl Default for Memo {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); SLOTS].into(), seen: vec![0; SLOTS].into() }
    }
}

impl Memo {
    fn place(hash: u64) -> usize {
        // The upper bits of the hash are the better ones.
        (hash >> 40) as usize & (SLOTS - 1)
    }

    /// What is known of a text with this hash, if it is remembered.
    pub(super) fn recall(&self, text: &[u8], hash: u64) -> Option<Known<'_>> {
        let slot = self.slots.get(Self::place(hash))?;
        let known = slot.hash == hash && slot.text.as_deref() == Some(text);
        known.then_some(Known { bytes: slot.bytes, features: slot.features, operators: &slot.operators })
    }

    /// Remembers what is known of a text, if it was seen before.
    pub(super) fn learn(&mut self, text: &[u8], hash: u64, known: Known<'_>) {
        let place = Self::place(hash);
        let Some(seen) = self.seen.get_mut(place).filter(|_| text.len() <= LONGEST) else { return };
        if std::mem::replace(seen, hash) != hash {
            return;
        }
        if let Some(slot) = self.slots.get_mut(place) {
            let Known { bytes, features, operators } = known;
            *slot = Slot { hash, text: Some(text.into()), bytes, features, operators: operators.into() };
        }
    }

    /// Remembers that an operator does not match a text with this hash, if the text is remembered.
    pub(super) fn refute(&mut self, text: &[u8], hash: u64, operator: Screened) {
        let slot = self.slots.get_mut(Self::place(hash)).filter(|slot| slot.hash == hash);
        let Some(slot) = slot.filter(|slot| slot.text.as_deref() == Some(text)) else { return };
        slot.operators = slot.operators.iter().copied().filter(|known| *known != operator).collect();
    }
}
