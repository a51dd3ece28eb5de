//! Bounds what transformations make of long texts.
//!
//! A rule set such as the Core Rule Set looks at each argument through a dozen chains of transformations, and what each
//! step makes of a body is as long as the body. Nearly all of it is looked at once: the scan that says which operators can
//! match it. So when long made texts take more than [`MADE_BYTES`], their bytes are dropped. What is known of them stays,
//! and in the rare case that an operator has to see one again, its steps are taken again.
//!
//! Only texts are dropped that nothing but the steps refers to: what is found otherwise, or matched by a rule, is *pinned*.

use super::{Entry, Found, UNKNOWN, Value, Values, hash};
use crate::transforms::Transformation;

/// Bytes from which on a made text is dropped rather than kept: what is known of a shorter one takes more.
const LONG: usize = 128;
/// Bytes of such texts that are kept: enough for all of an ordinary request, so that no step is taken twice.
const MADE_BYTES: usize = 512 * 1024;

/// The long texts that transformations made.
#[derive(Debug, Default)]
pub(super) struct Derived {
    /// Those whose bytes are there, in the order of their bytes.
    there: Vec<Value>,
    /// How many bytes they have.
    bytes: usize,
    /// Of all of them, what they were made of, in the order of their numbers.
    sources: Vec<(Value, Value, Transformation)>,
}

impl Derived {
    pub(super) fn clear(&mut self) {
        self.there.clear();
        self.bytes = 0;
        self.sources.clear();
    }
}

impl Values {
    /// Notes that a step has made a new text.
    #[inline]
    pub(super) fn note_made(&mut self, value: Value, source: Value, step: Transformation) {
        let length = self.entries.get(value.0 as usize).map_or(0, Entry::len);
        if length >= LONG {
            self.derived.there.push(value);
            self.derived.bytes += length;
            self.derived.sources.push((value, source, step));
        }
    }

    /// Keeps the bytes of a value for the rest of the transaction.
    pub(crate) fn pin(&mut self, value: Value) {
        if !self.derived.there.is_empty()
            && self.get(value).len() >= LONG
            && let Some(place) = self.derived.there.iter().position(|made| *made == value)
        {
            self.derived.there.remove(place);
            self.derived.bytes -= self.get(value).len();
        }
    }

    /// Whether the bytes of a value were dropped.
    #[inline]
    pub(super) fn is_dropped(&self, value: Value) -> bool {
        self.entries.get(value.0 as usize).is_some_and(|entry| entry.start == UNKNOWN)
    }

    /// Drops long made texts if they are too many. To be called where no one holds a value that was not pinned.
    #[inline]
    pub(crate) fn drop_made(&mut self) {
        if self.derived.bytes > MADE_BYTES {
            self.drop_all_made();
        }
    }

    #[inline(never)]
    fn drop_all_made(&mut self) {
        let made = std::mem::take(&mut self.derived.there);
        self.derived.bytes = 0;
        // The places they leave, in order, and how many bytes are free before the end of each.
        let mut gaps: Vec<(u32, u32)> = Vec::with_capacity(made.len());
        let (mut freed, mut end) = (0u32, 0usize);
        for value in &made {
            // What it consists of is asked for again, and can't be found out without its bytes.
            self.features(*value);
            let Some(entry) = self.entries.get_mut(value.0 as usize) else { continue };
            let (from, to) = (entry.start, entry.end);
            (entry.start, entry.end) = (UNKNOWN, UNKNOWN);
            if gaps.is_empty() {
                end = from as usize;
            } else {
                // What is between two of them moves together.
                let between = end + freed as usize..from as usize;
                let length = between.len();
                self.bytes.copy_within(between, end);
                end += length;
            }
            freed += to - from;
            gaps.push((from, freed));
        }
        let Some(&(first, _)) = gaps.first() else { return };
        let rest = end + freed as usize..self.bytes.len();
        let length = rest.len();
        self.bytes.copy_within(rest, end);
        self.bytes.truncate(end + length);
        let kept = self.kept.entries;
        for entry in self.entries.iter_mut().skip(kept) {
            if entry.start >= first && entry.start != UNKNOWN {
                let before = gaps.partition_point(|(from, _)| *from <= entry.start);
                let shift = before.checked_sub(1).and_then(|last| gaps.get(last)).map_or(0, |gap| gap.1);
                entry.start -= shift;
                entry.end -= shift;
            }
        }
    }

    /// A value with the bytes of this one, which are there: they are made again if they were dropped.
    #[inline]
    pub(super) fn there(&mut self, value: Value) -> Value {
        if self.is_dropped(value) { self.make_again(value) } else { value }
    }

    #[inline(never)]
    fn make_again(&mut self, value: Value) -> Value {
        // What it was made of may have been dropped as well: back to what is there, and forth again.
        let mut steps = Vec::new();
        let mut from = value;
        while self.is_dropped(from) {
            let found = self.derived.sources.binary_search_by_key(&from.0, |(made, ..)| made.0);
            let Some(&(made, source, step)) = found.ok().and_then(|place| self.derived.sources.get(place))
            else {
                return Value::EMPTY;
            };
            steps.push((made, step));
            from = source;
        }
        for (made, step) in steps.into_iter().rev() {
            let mut out = std::mem::take(&mut self.scratch);
            // It changed something the first time.
            if step.apply(self.get(from), &mut out) {
                from = self.bring_back(made, &out);
            }
            self.scratch = out;
        }
        from
    }

    /// Gives a dropped value its bytes back; another with the same bytes stands for it if there is one.
    fn bring_back(&mut self, value: Value, text: &[u8]) -> Value {
        let hash = hash(text);
        let found = self.find(text, hash);
        if let Found::Value(same) = found {
            return same;
        }
        if !self.has_room_for(text.len()) {
            return Value::EMPTY;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        let end = self.bytes.len();
        if let Some(entry) = self.entries.get_mut(value.0 as usize) {
            (entry.start, entry.end) =
                (u32::try_from(start).unwrap_or(UNKNOWN), u32::try_from(end).unwrap_or(UNKNOWN));
        }
        if let Found::Free(place) = found
            && self.index.has_room(self.entries.len())
        {
            self.index.list(place, value, false);
        }
        self.derived.there.push(value);
        self.derived.bytes += text.len();
        value
    }
}
