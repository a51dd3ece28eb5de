//! What operators hand over beside yes or no.

use std::ops::Range;
use std::sync::Arc;

/// What an operator found in a value: texts for `TX:0` to `TX:9`, and named path parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    slots: [Option<Capture>; Captures::SLOTS],
    named: Vec<(Arc<str>, Range<usize>)>,
}

/// One capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// A part of the value.
    Part(Range<usize>),
    /// Text that is not a part of the value, such as a fingerprint.
    Text(Vec<u8>),
}

impl Capture {
    /// The captured bytes; `value` is the value that was tested.
    #[must_use]
    pub fn bytes<'a>(&'a self, value: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Part(range) => value.get(range.clone()).unwrap_or_default(),
            Self::Text(text) => text,
        }
    }
}

impl Captures {
    /// How many numbered captures there are: `TX:0` to `TX:9`.
    pub const SLOTS: usize = 10;

    /// Whether nothing was captured, numbered or named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named.is_empty() && self.slots.iter().all(Option::is_none)
    }

    /// Capture `n`; `None` for a group that took no part in the match.
    #[must_use]
    pub fn get(&self, n: usize) -> Option<&Capture> {
        self.slots.get(n)?.as_ref()
    }

    /// The numbered captures that are there, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &Capture)> {
        self.slots.iter().enumerate().filter_map(|(n, slot)| Some((n, slot.as_ref()?)))
    }

    /// The parameters that `@restpath` found: name, and place in the value. They belong in
    /// `ARGS_PATH`, whether the rule has the `capture` action or not.
    pub fn named(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.named.iter().map(|(name, range)| (name.as_ref(), range.clone()))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.slots = Default::default();
        self.named.clear();
    }

    /// Sets capture `n`; without effect from [`Captures::SLOTS`] on.
    pub(super) fn set(&mut self, n: usize, capture: Capture) {
        if let Some(slot) = self.slots.get_mut(n) {
            *slot = Some(capture);
        }
    }

    /// Leaves this one capture.
    pub(super) fn set_only(&mut self, capture: Capture) {
        self.clear();
        self.set(0, capture);
    }

    pub(super) fn add_named(&mut self, name: Arc<str>, range: Range<usize>) {
        self.named.push((name, range));
    }
}
