//! The values of a transaction and what transformations make of them.
//!
//! Every byte string that rules can look at is stored once and known by a number. Equal strings share a
//! number, and a transformation that changes nothing gives back the number it was given, so whatever is
//! known of a value (what it holds, what a transformation made of it) is found again however it was reached.

use std::hash::Hasher;

use rustc_hash::{FxHashMap, FxHasher};

use crate::plan::{ByteSet, Features, Pipeline, Prefilter};
use crate::transforms::Transformation;

/// Number of a stored byte string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Value(u32);

impl Value {
    /// The empty string, stored in every transaction.
    pub(crate) const EMPTY: Value = Value(0);
}

const UNKNOWN: u32 = u32::MAX;
const NOTHING: u32 = u32::MAX - 1;
const STEPS: usize = Transformation::ALL.len();

/// Store of byte strings.
#[derive(Debug)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// By hash of the bytes. A string whose hash is taken by another is stored without being listed:
    /// sharing is lost, nothing else, so crafted collisions gain nothing.
    index: FxHashMap<u64, Value>,
    /// What each transformation makes of a value; rows are made for values that need one.
    steps: Vec<[u32; STEPS]>,
    /// Sets of operators that can match, one after the other.
    candidates: Vec<u64>,
    scratch: Vec<u8>,
    /// Memory for [`Prefilter::by_bytes`] and [`Prefilter::by_literals`].
    scratch_words: [Vec<u64>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    features: Features,
    /// Row in `steps`, or `UNKNOWN`.
    row: u32,
    /// Place in `candidates` of the operators that can match by the bytes of the value, and by its literals
    /// as well; `NOTHING` for none, or `UNKNOWN`.
    by_bytes: u32,
    candidates: u32,
    bytes: ByteSet,
}

impl Values {
    pub(crate) fn new() -> Self {
        let mut values = Self {
            bytes: Vec::with_capacity(4096),
            entries: Vec::with_capacity(128),
            index: FxHashMap::with_capacity_and_hasher(128, rustc_hash::FxBuildHasher),
            steps: Vec::new(),
            candidates: Vec::new(),
            scratch: Vec::new(),
            scratch_words: Default::default(),
        };
        values.add(b"");
        values
    }

    /// Stores `text`, or finds it.
    pub(crate) fn add(&mut self, text: &[u8]) -> Value {
        let mut hasher = FxHasher::default();
        hasher.write(text);
        let hash = hasher.finish();
        let found = self.index.get(&hash).copied();
        if let Some(value) = found.filter(|&value| self.get(value) == text) {
            return value;
        }
        let value = Value(u32::try_from(self.entries.len()).unwrap_or(UNKNOWN));
        let start = self.bytes.len();
        let bytes = ByteSet::of(text);
        self.bytes.extend_from_slice(text);
        // Positions fit: what a transaction stores is bounded far below 4 GiB, the Wasm address space.
        self.entries.push(Entry {
            start: u32::try_from(start).unwrap_or(UNKNOWN),
            end: u32::try_from(self.bytes.len()).unwrap_or(UNKNOWN),
            features: Features::of(bytes),
            row: UNKNOWN,
            by_bytes: UNKNOWN,
            candidates: UNKNOWN,
            bytes,
        });
        if found.is_none() {
            self.index.insert(hash, value);
        }
        value
    }

    /// The bytes of a value.
    pub(crate) fn get(&self, value: Value) -> &[u8] {
        self.entries
            .get(value.0 as usize)
            .and_then(|entry| self.bytes.get(entry.start as usize..entry.end as usize))
            .unwrap_or_default()
    }

    /// What the bytes of a value consist of.
    pub(crate) fn features(&self, value: Value) -> Features {
        self.entries.get(value.0 as usize).map_or(Features::NONE, |entry| entry.features)
    }

    /// Whether it is known already that no screened operator can match a value.
    pub(crate) fn matches_nothing(&self, value: Value) -> bool {
        self.entries.get(value.0 as usize).is_none_or(|entry| entry.candidates == NOTHING)
    }

    /// The screened operators that can match a value as far as its bytes tell, as words; nothing when none
    /// can. Costs nothing to speak of.
    pub(crate) fn by_bytes(&mut self, value: Value, prefilter: &Prefilter) -> &[u64] {
        let place = self.bytes_place(value, prefilter);
        self.set_at(place, prefilter)
    }

    /// The screened operators that can match a value, as words; nothing when none can. Scans the value when it
    /// is first asked for.
    pub(crate) fn candidates(&mut self, value: Value, prefilter: &Prefilter) -> &[u64] {
        let known = self.entries.get(value.0 as usize).map_or(NOTHING, |entry| entry.candidates);
        let place = if known == UNKNOWN { self.scan(value, prefilter) } else { known };
        self.set_at(place, prefilter)
    }

    fn set_at(&self, place: u32, prefilter: &Prefilter) -> &[u64] {
        let start = place as usize;
        self.candidates.get(start..start.saturating_add(prefilter.words())).unwrap_or_default()
    }

    fn bytes_place(&mut self, value: Value, prefilter: &Prefilter) -> u32 {
        let Some(&entry) = self.entries.get(value.0 as usize) else { return NOTHING };
        if entry.by_bytes != UNKNOWN {
            return entry.by_bytes;
        }
        let [mut found, mut scratch] = std::mem::take(&mut self.scratch_words);
        prefilter.by_bytes(entry.bytes, &mut found, &mut scratch);
        let place = self.keep_set(&found);
        self.scratch_words = [found, scratch];
        if let Some(entry) = self.entries.get_mut(value.0 as usize) {
            entry.by_bytes = place;
        }
        place
    }

    fn scan(&mut self, value: Value, prefilter: &Prefilter) -> u32 {
        let by_bytes = self.bytes_place(value, prefilter);
        let mut place = NOTHING;
        if by_bytes != NOTHING {
            let [mut found, scratch] = std::mem::take(&mut self.scratch_words);
            prefilter.by_literals(self.get(value), &mut found);
            for (found, by_bytes) in found.iter_mut().zip(self.set_at(by_bytes, prefilter)) {
                *found &= by_bytes;
            }
            place = self.keep_set(&found);
            self.scratch_words = [found, scratch];
        }
        if let Some(entry) = self.entries.get_mut(value.0 as usize) {
            entry.candidates = place;
        }
        place
    }

    fn keep_set(&mut self, set: &[u64]) -> u32 {
        if set.iter().all(|word| *word == 0) {
            return NOTHING;
        }
        let place = u32::try_from(self.candidates.len()).unwrap_or(NOTHING);
        self.candidates.extend_from_slice(set);
        place
    }

    /// The value after all steps of `pipeline`.
    pub(crate) fn transformed(&mut self, value: Value, pipeline: &Pipeline) -> Value {
        if !self.features(value).meet(pipeline.touched_by) {
            return value;
        }
        pipeline.steps.iter().fold(value, |value, &step| self.step(value, step))
    }

    /// The value after one transformation.
    pub(crate) fn step(&mut self, value: Value, step: Transformation) -> Value {
        let Some(&entry) = self.entries.get(value.0 as usize) else { return value };
        if !entry.features.meet(Features::touched_by(step)) {
            return value;
        }
        if let Some(&known) = self.steps.get(entry.row as usize).and_then(|row| row.get(step as usize))
            && known != UNKNOWN
        {
            return Value(known);
        }
        let mut out = std::mem::take(&mut self.scratch);
        let result = if step.apply(self.get(value), &mut out) { self.add(&out) } else { value };
        self.scratch = out;
        self.remember(value, step, result);
        result
    }

    fn remember(&mut self, value: Value, step: Transformation, result: Value) {
        let Some(entry) = self.entries.get_mut(value.0 as usize) else { return };
        if entry.row == UNKNOWN {
            entry.row = u32::try_from(self.steps.len()).unwrap_or(UNKNOWN);
            self.steps.push([UNKNOWN; STEPS]);
        }
        if let Some(cell) = self.steps.get_mut(entry.row as usize).and_then(|row| row.get_mut(step as usize))
        {
            *cell = result.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_a_number() {
        let mut values = Values::new();
        let a = values.add(b"alpha");
        assert_eq!(values.add(b"alpha"), a);
        assert_ne!(values.add(b"beta"), a);
        assert_eq!(values.add(b""), Value::EMPTY);
        assert_eq!(values.get(a), b"alpha");
    }
}
