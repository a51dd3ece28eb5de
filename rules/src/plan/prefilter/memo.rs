//! Remembers what the prefilter found in values that keep coming back.
//!
//! Much of what requests hold is the same over and over: names of headers and arguments, user agents, media types,
//! small numbers. A value is remembered when it is seen for the second time in a while, so that what comes once
//! displaces little. The memory is bounded, and what is in it never changes a result, only the time it takes.

/// Values that can be remembered; a power of two.
const SLOTS: usize = 1024;
/// Most bytes of a value that is remembered.
const LONGEST: usize = 512;

/// A bounded memory of what was found in values.
#[derive(Debug)]
pub(super) struct Memo {
    slots: Box<[Slot]>,
    /// What was found, [`Memo::words`] words for each slot.
    found: Box<[u64]>,
    /// Hashes of values that were seen and not remembered.
    seen: Box<[u64]>,
    words: usize,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    hash: u64,
    text: Option<Box<[u8]>>,
}

impl Memo {
    /// An empty memory of sets of `words` words.
    pub(super) fn new(words: usize) -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS].into(),
            found: vec![0; SLOTS * words].into(),
            seen: vec![0; SLOTS].into(),
            words,
        }
    }

    fn place(hash: u64) -> usize {
        // The upper bits of the hash are the better ones.
        (hash >> 40) as usize & (SLOTS - 1)
    }

    /// What was found in a text with this hash, if that is remembered.
    pub(super) fn recall(&self, text: &[u8], hash: u64) -> Option<&[u64]> {
        let place = Self::place(hash);
        let slot = self.slots.get(place)?;
        let known = slot.hash == hash && slot.text.as_deref() == Some(text);
        self.found.get(place * self.words..(place + 1) * self.words).filter(|_| known)
    }

    /// Remembers what was found in a text, if it was seen before.
    pub(super) fn learn(&mut self, text: &[u8], hash: u64, found: &[u64]) {
        let place = Self::place(hash);
        let Some(seen) = self.seen.get_mut(place).filter(|_| text.len() <= LONGEST) else { return };
        if std::mem::replace(seen, hash) != hash {
            return;
        }
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Slot { hash, text: Some(text.into()) };
        }
        for (to, from) in self.found.iter_mut().skip(place * self.words).zip(found) {
            *to = *from;
        }
    }
}
