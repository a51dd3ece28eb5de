//! The values of a transaction and what transformations make of them.
//!
//! Every byte string that rules can look at is stored once and known by a number. Equal strings share a
//! number, and a transformation that changes nothing gives back the number it was given, so whatever is
//! known of a value (what it holds, what a transformation made of it) is found again however it was reached.

mod derived;
mod familiar;

use std::ops::Range;

use derived::Derived;
use familiar::Familiar;

use super::index::{Found, Index};
use crate::budget::{self, Budget};
use crate::copy::{append, equal, tail};
use crate::limits;
use crate::plan::{ByteSet, Constant, Constants, Features, Pipeline, Prefilter, WaySet};
use crate::transforms::Transformation;

/// Number of a stored byte string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Value(u32);

impl Value {
    /// The empty string, stored in every transaction.
    pub(crate) const EMPTY: Value = Value(0);
    /// The numbers 0 and 1, likewise.
    pub(crate) const ZERO: Value = Value(Constant::digit(0).0);
    pub(crate) const ONE: Value = Value(Constant::digit(1).0);

    pub(crate) fn number(self) -> usize {
        self.0 as usize
    }

    /// The value with this [number](Value::number).
    pub(crate) fn from_number(number: u32) -> Self {
        Self(number)
    }
}

impl From<Constant> for Value {
    /// Constants come first, and the empty string is the first of them.
    fn from(Constant(number): Constant) -> Self {
        Value(number)
    }
}

const UNKNOWN: u32 = u32::MAX;
/// A place where nothing is.
const NONE: u32 = UNKNOWN - 1;
const STEPS: usize = Transformation::ALL.len();
/// Texts from this length on are scanned once for all that differ from them in case only.
const LONG: usize = 256;

/// Store of byte strings.
#[derive(Debug, Default)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// A string that finds no place there is stored without being listed: sharing is lost, nothing else, so crafted
    /// collisions gain nothing.
    index: Index,
    /// Whose constants come first, the empty string being the first of them.
    plan: u64,
    /// How many they are, and how many bytes they have.
    constants: usize,
    constant_bytes: usize,
    /// What stays from one transaction to the next: constants, and values that keep coming back.
    kept: Extent,
    familiar: Familiar,
    /// A string was stored without being listed, and one of the constants was.
    is_crowded: bool,
    constants_are_crowded: bool,
    /// What each transformation makes of a value; rows are made for values that need one.
    steps: Vec<[u32; STEPS]>,
    /// Sets of operators, one after the other.
    candidates: Vec<u64>,
    /// Words of such a set.
    operator_words: usize,
    scratch: Vec<u8>,
    /// Memory for [`Values::add_part`].
    part: Vec<u8>,
    /// Memory for [`Prefilter::candidates`].
    ways: WaySet,
    /// What scans of long values found: words of sets of ways.
    scanned: Vec<(usize, u64)>,
    /// Long texts that transformations made.
    derived: Derived,
    /// What all of it may take.
    budget: Budget,
    /// Something did not fit: from then on what is new is empty, and nothing that is found out counts.
    is_exhausted: bool,
}

/// How much of each list.
#[derive(Clone, Copy, Debug, Default)]
struct Extent {
    entries: usize,
    bytes: usize,
    steps: usize,
    candidates: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    end: u32,
    /// What the bytes consist of; both nothing until someone asks.
    features: Features,
    bytes: ByteSet,
    /// The value that differs from it in case only, if it was made of one by that; else `UNKNOWN`.
    letters: u32,
    /// The value with its bytes in lower case, or `UNKNOWN` until someone asks.
    folded: u32,
    /// What a scan for its letters found, as a range of `scanned`; from `UNKNOWN` for none.
    scanned: (u32, u32),
    /// Row in `steps`, or `UNKNOWN`.
    row: u32,
    /// Where the operators that can match it are in `candidates`, or `NONE` if there are none; `UNKNOWN` until someone asks.
    candidates: u32,
    /// Where the results of operators are, or `UNKNOWN`.
    results: u32,
    hash: u64,
}

impl Entry {
    #[inline]
    fn text<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Looks at the bytes. Seldom, so it is no part of what asks for it.
    #[inline(never)]
    fn survey(&mut self, bytes: &[u8]) {
        (self.bytes, self.features) = Features::survey(self.text(bytes));
    }

    fn len(&self) -> usize {
        self.end as usize - self.start as usize
    }
}

impl Values {
    /// Makes ready for a transaction of a plan with these constants and so many pure numbers. After
    /// [`Values::settle`], what stayed of an earlier one of the same plan is there.
    pub(crate) fn begin(&mut self, constants: &Constants, pure_numbers: usize) {
        if self.is_of(constants) {
            return;
        }
        *self = Self { plan: constants.plan(), ..Self::default() };
        self.familiar.reset(pure_numbers);
        // What the policy itself holds fits into any budget.
        self.index.clear_for(constants.texts().len(), Budget::default());
        for text in constants.texts() {
            let hash = hash(text);
            let value = self.store(text, hash);
            if let Found::Free(place) = self.find(text, hash) {
                self.index.list(place, value, true);
            } else {
                self.constants_are_crowded = true;
            }
        }
        self.is_crowded = self.constants_are_crowded;
        (self.constants, self.constant_bytes) = (self.entries.len(), self.bytes.len());
        self.kept = Extent { entries: self.constants, bytes: self.constant_bytes, ..Extent::default() };
    }

    /// Whether what is kept is of use to a plan with these constants.
    pub(crate) fn is_of(&self, constants: &Constants) -> bool {
        self.plan == constants.plan()
    }

    /// Gives memory back that only large transactions need. After [`Values::settle`].
    pub(crate) fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        self.bytes.shrink_to_fit();
        self.steps.shrink_to_fit();
        self.candidates.shrink_to_fit();
        (self.scratch, self.part, self.scanned) = (Vec::new(), Vec::new(), Vec::new());
        if !self.relist() {
            *self = Self::default();
        }
    }

    /// How much memory is kept, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.bytes.capacity()
            + self.scratch.capacity()
            + self.entries.capacity() * size_of::<Entry>()
            + self.index.kept_bytes()
            + self.steps.capacity() * size_of::<[u32; STEPS]>()
            + self.candidates.capacity() * size_of::<u64>()
            + self.scanned.capacity() * size_of::<(usize, u64)>()
            + self.familiar.kept_bytes()
    }

    /// Stores `text`, or finds it.
    #[inline(never)]
    pub(crate) fn add(&mut self, text: &[u8]) -> Value {
        let value = self.add_made(text);
        self.pin(value);
        value
    }

    /// As [`Values::add`], for what a transformation made, which can be made again.
    fn add_made(&mut self, text: &[u8]) -> Value {
        let hash = hash(text);
        match self.find(text, hash) {
            Found::Value(value) => value,
            found => self.add_new(text, hash, found),
        }
    }

    #[inline(never)]
    fn add_new(&mut self, text: &[u8], hash: u64, found: Found) -> Value {
        match found {
            Found::Value(value) => value,
            Found::Free(place) if self.index.has_room(self.entries.len()) => {
                let value = self.store(text, hash);
                self.index.list(place, value, false);
                value
            }
            Found::Full if self.index.is_crowded(self.entries.len()) => {
                self.is_crowded = true;
                self.store(text, hash)
            }
            Found::Free(_) | Found::Full => {
                if !self.relist() {
                    return Value::EMPTY;
                }
                self.add_made(text)
            }
        }
    }

    /// As [`Values::add`], for a text that is often the same as that of a value.
    pub(crate) fn add_like(&mut self, known: Value, text: &[u8]) -> Value {
        if equal(self.get(known), text) { known } else { self.add(text) }
    }

    /// Stores a part of a value, or finds it.
    pub(crate) fn add_part(&mut self, value: Value, part: Range<usize>) -> Value {
        if part == (0..self.get(value).len()) {
            return value;
        }
        let mut text = std::mem::take(&mut self.part);
        text.clear();
        append(&mut text, self.get(value).get(part).unwrap_or_default());
        let value = self.add(&text);
        self.part = text;
        value
    }

    /// The plan's constant that a value is, if it is one.
    pub(crate) fn constant(&self, value: Value) -> Option<Constant> {
        ((value.0 as usize) < self.constants).then_some(Constant(value.0))
    }

    /// How many constants there are; they have the first numbers.
    pub(crate) fn constants(&self) -> usize {
        self.constants
    }

    /// What the values of a transaction may take, beside all else that is in use.
    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// Whether the memory did not suffice. Values are missing then, and the transaction can't be judged.
    #[inline]
    pub(crate) fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// Takes down that the memory does not suffice.
    pub(crate) fn exhaust(&mut self) {
        self.is_exhausted = true;
    }

    /// Whether there is memory for so many more elements, and for all that is worked out about them.
    pub(crate) fn has_room_for_elements(&self, count: usize) -> bool {
        self.budget.has(count.saturating_mul(limits::ELEMENT_BYTES))
    }

    /// Makes room for as many bytes as are about to come.
    pub(crate) fn expect(&mut self, bytes: usize) {
        if bytes > self.bytes.capacity() - self.bytes.len() {
            self.has_room_for(bytes);
        }
    }

    #[inline(never)]
    fn has_room_for(&mut self, bytes: usize) -> bool {
        let fits = budget::reserve(&mut self.bytes, bytes, self.budget);
        self.is_exhausted |= !fits;
        fits
    }

    /// How much memory is in use for values that go with the transaction, in bytes.
    pub(crate) fn passing_bytes(&self) -> usize {
        (self.bytes.len() - self.kept.bytes)
            + (self.entries.len() - self.kept.entries) * size_of::<Entry>()
            + (self.steps.len() - self.kept.steps) * size_of::<[u32; STEPS]>()
            + (self.candidates.len() - self.kept.candidates) * size_of::<u64>()
    }

    /// Whether there may be several values with the same bytes.
    #[inline]
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// The value with the same bytes in lower case.
    #[inline]
    pub(crate) fn folded(&mut self, value: Value) -> Value {
        match self.entries.get(value.0 as usize) {
            Some(entry) if entry.folded != UNKNOWN => Value(entry.folded),
            _ => self.fold(value),
        }
    }

    fn fold(&mut self, value: Value) -> Value {
        let folded = if self.get(value).iter().any(u8::is_ascii_uppercase) {
            let lower = self.get(value).to_ascii_lowercase();
            self.add(&lower)
        } else {
            value
        };
        // What stays must not refer to what goes.
        if !self.stays(value) || self.stays(folded) {
            self.entries.get_mut(value.0 as usize).into_iter().for_each(|entry| entry.folded = folded.0);
        }
        folded
    }

    /// Whether a value is still there in the next transaction.
    #[inline]
    fn stays(&self, value: Value) -> bool {
        (value.0 as usize) < self.kept.entries
    }

    fn find(&self, text: &[u8], hash: u64) -> Found {
        self.index.find(hash, |value| {
            let entry = self.entries.get(value.0 as usize);
            entry.is_some_and(|entry| entry.hash == hash) && equal(self.get(value), text)
        })
    }

    /// Stores a text that is not there.
    fn store(&mut self, text: &[u8], hash: u64) -> Value {
        let lacks_bytes = self.bytes.capacity() - self.bytes.len() < text.len();
        let lacks_entries = self.entries.capacity() == self.entries.len();
        if (lacks_bytes && !self.has_room_for(text.len())) || (lacks_entries && !self.has_room_for_entry()) {
            return Value::EMPTY;
        }
        let value = Value(u32::try_from(self.entries.len()).unwrap_or(UNKNOWN));
        let start = self.bytes.len();
        append(&mut self.bytes, text);
        // Positions fit: what a transaction stores is bounded far below 4 GiB, the Wasm address space.
        self.entries.push(Entry {
            start: u32::try_from(start).unwrap_or(UNKNOWN),
            end: u32::try_from(self.bytes.len()).unwrap_or(UNKNOWN),
            features: Features::NONE,
            bytes: ByteSet::default(),
            letters: UNKNOWN,
            folded: UNKNOWN,
            scanned: (UNKNOWN, UNKNOWN),
            row: UNKNOWN,
            candidates: UNKNOWN,
            results: UNKNOWN,
            hash,
        });
        value
    }

    #[inline(never)]
    fn has_room_for_entry(&mut self) -> bool {
        let fits = budget::reserve(&mut self.entries, 1, self.budget);
        self.is_exhausted |= !fits;
        fits
    }

    /// Makes the index as large as it should be; whether there is memory for that.
    fn relist(&mut self) -> bool {
        if !self.index.clear_for(self.entries.len(), self.budget) {
            self.is_exhausted = true;
            return false;
        }
        for (number, entry) in self.entries.iter().enumerate() {
            if entry.start == UNKNOWN {
                continue;
            }
            let same = |other: Value| {
                self.entries.get(other.0 as usize).is_some_and(|other| other.hash == entry.hash)
            };
            // One of two strings with one hash is not listed.
            if let Found::Free(place) = self.index.find(entry.hash, same) {
                let value = Value(u32::try_from(number).unwrap_or(UNKNOWN));
                self.index.list(place, value, number < self.kept.entries);
            } else {
                self.is_crowded = true;
                if number < self.kept.entries {
                    // Not even what stays is found there; it has to go.
                    self.plan = 0;
                }
            }
        }
        true
    }

    /// Stores a number in decimal.
    pub(crate) fn add_number(&mut self, number: i64) -> Value {
        if let digit @ 0..=9 = number {
            return Constant::digit(digit as u8).into();
        }
        // The standard library's way to a number's text is long, and each request has several.
        self.add(itoa::Buffer::new().format(number).as_bytes())
    }

    /// The bytes of a value.
    pub(crate) fn get(&self, value: Value) -> &[u8] {
        self.entries.get(value.0 as usize).map_or(&[], |entry| entry.text(&self.bytes))
    }

    /// What the bytes of a value consist of.
    pub(crate) fn features(&mut self, value: Value) -> Features {
        self.surveyed(value).map_or(Features::NONE, |entry| entry.features)
    }

    /// The entry of a value whose bytes were looked at.
    #[inline]
    fn surveyed(&mut self, value: Value) -> Option<&Entry> {
        let entry = self.entries.get_mut(value.0 as usize)?;
        if entry.features == Features::NONE {
            entry.survey(&self.bytes);
        }
        Some(entry)
    }

    /// The operators that can match a value, one bit each; no words if there are none. Scans the value when it is first
    /// asked for.
    #[inline]
    pub(crate) fn candidates(&mut self, value: Value, prefilter: &Prefilter) -> &[u64] {
        let known = self.entries.get(value.0 as usize).map_or(NONE, |entry| entry.candidates);
        let from = if known == UNKNOWN { self.scan(value, prefilter) } else { known };
        let set = self.candidates.get(from as usize..).and_then(|sets| sets.get(..self.operator_words));
        set.unwrap_or_default()
    }

    #[inline(never)]
    fn scan(&mut self, value: Value, prefilter: &Prefilter) -> u32 {
        self.operator_words = prefilter.operator_words();
        let value = self.there(value);
        let Some(&known) = self.surveyed(value) else { return NONE };
        let text = known.text(&self.bytes);
        let letters = if known.letters == UNKNOWN { value.0 } else { known.letters };
        let scanned = self.entries.get(letters as usize).map_or((UNKNOWN, UNKNOWN), |entry| entry.scanned);
        if scanned.0 == UNKNOWN {
            prefilter.scan(text, &mut self.scratch, &mut self.ways);
            let keep = text.len() >= LONG && !self.stays(Value(letters));
            // What stays must not refer to what goes.
            if let Some(entry) = self.entries.get_mut(letters as usize).filter(|_| keep) {
                let end = |words: &Vec<(usize, u64)>| u32::try_from(words.len()).unwrap_or(UNKNOWN);
                let from = end(&self.scanned);
                self.scanned.extend(self.ways.iter());
                entry.scanned = (from, end(&self.scanned));
            }
        } else {
            let words = self.scanned.get(scanned.0 as usize..scanned.1 as usize).unwrap_or_default();
            words.iter().for_each(|(word, bits)| self.ways.put_word(*word, *bits));
        }
        if !budget::reserve(&mut self.candidates, self.operator_words, self.budget) {
            self.is_exhausted = true;
            return NONE;
        }
        let from = self.candidates.len();
        self.candidates.resize(from + self.operator_words, 0);
        let operators = self.candidates.get_mut(from..).unwrap_or_default();
        prefilter.candidates(known.bytes, &mut self.ways, operators);
        let candidates = if operators.iter().all(|word| *word == 0) {
            self.candidates.truncate(from);
            NONE
        } else {
            u32::try_from(from).unwrap_or(NONE)
        };
        self.entries.get_mut(value.0 as usize).into_iter().for_each(|entry| entry.candidates = candidates);
        if self.stays(value) {
            self.familiar.note_learnt(value);
        }
        candidates
    }

    /// The value after all steps of `pipeline`.
    pub(crate) fn transformed(&mut self, value: Value, pipeline: &Pipeline) -> Value {
        if !self.features(value).meet(pipeline.touched_by) {
            return value;
        }
        let last = pipeline.steps.iter().fold(value, |value, &step| self.next(value, step));
        self.there(last)
    }

    /// The value after one transformation.
    pub(crate) fn step(&mut self, value: Value, step: Transformation) -> Value {
        let next = self.next(value, step);
        self.there(next)
    }

    /// As [`Values::step`], for who needs to know what is known of the value, not its bytes, which may have been dropped.
    #[inline]
    pub(crate) fn next(&mut self, value: Value, step: Transformation) -> Value {
        if self.features(value).meet(Features::touched_by(step)) {
            self.take_step(value, step)
        } else {
            value
        }
    }

    fn take_step(&mut self, value: Value, step: Transformation) -> Value {
        let Some(&Entry { bytes, row, .. }) = self.entries.get(value.0 as usize) else { return value };
        if let Some(&known) = self.steps.get(row as usize).and_then(|row| row.get(step as usize))
            && known != UNKNOWN
        {
            return Value(known);
        }
        let there = self.there(value);
        let mut out = std::mem::take(&mut self.scratch);
        let known = self.entries.len();
        let result = if step.apply(self.get(there), &mut out) { self.add_made(&out) } else { value };
        if result.number() >= known {
            self.note_made(result, value, step);
        }
        if let Some(entry) =
            self.entries.get_mut(result.0 as usize).filter(|entry| entry.features == Features::NONE)
            && let Some(told) = Features::survey_after(step, &out, bytes)
        {
            (entry.bytes, entry.features) = told;
        }
        self.scratch = out;
        self.note_letters(value, step, result);
        self.remember(value, step, result);
        result
    }

    /// Notes that a value has the letters of the one it was made of.
    fn note_letters(&mut self, value: Value, step: Transformation, result: Value) {
        if result != value
            && !self.stays(result)
            && matches!(step, Transformation::Lowercase | Transformation::Uppercase)
        {
            self.entries.get_mut(result.0 as usize).into_iter().for_each(|entry| entry.letters = value.0);
        }
    }

    fn remember(&mut self, value: Value, step: Transformation, result: Value) {
        let (stays, goes) = (self.stays(value), !self.stays(result));
        let Some(entry) = self.entries.get_mut(value.0 as usize) else { return };
        if entry.row == UNKNOWN {
            if !budget::reserve(&mut self.steps, 1, self.budget) {
                self.is_exhausted = true;
                return;
            }
            entry.row = u32::try_from(self.steps.len()).unwrap_or(UNKNOWN);
            self.steps.push([UNKNOWN; STEPS]);
            if stays {
                self.familiar.note_learnt(value);
            }
        }
        let row = entry.row;
        if let Some(cell) = self.steps.get_mut(row as usize).and_then(|row| row.get_mut(step as usize)) {
            *cell = result.0;
        }
        // Rows that are new are looked at as a whole.
        if goes && (row as usize) < self.kept.steps {
            self.familiar.note_loose(row, step as usize);
        }
    }
}

/// A hash of a text, all of whose bits depend on all of it, the upper ones best. It is the same on every target, so
/// that what goes by it costs the same.
fn hash(text: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let start = mix(FACTOR, text.len() as u64);
    let (words, _) = text.as_chunks::<8>();
    let hash = words.iter().fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let hash = mix(hash, tail(text));
    // What a product gets of a bit is that bit and those above.
    (hash ^ hash >> 32).wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ() {
        let texts = (0..4000u32).map(|n| format!("{n:x}").into_bytes());
        let texts = texts.chain((1..64).flat_map(|n| [vec![0; n], vec![b'z'; n]]));
        let parts = |byte: u8| (1..24).map(move |n| [vec![byte; n], b"json.items.0.tags".to_vec()].concat());
        let texts = texts.chain((b'0'..=b'9').flat_map(parts));
        let hashes: Vec<u64> = texts.map(|text| hash(&text)).collect();
        // Many have another place in a table of a thousand, by whichever bits of the upper half.
        for (shift, size, least) in
            [(32, 32, hashes.len() - 3), (32, 10, 1000), (40, 10, 1000), (54, 10, 1000)]
        {
            let mut places: Vec<u64> = hashes.iter().map(|hash| hash >> shift & ((1 << size) - 1)).collect();
            places.sort_unstable();
            places.dedup();
            assert!(places.len() >= least, "{} of {}", places.len(), hashes.len());
        }
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        let mut values = Values::default();
        values.begin(&Constants::default(), 0);
        for number in [0, 7, -7, 10, 65535, -100, i64::MAX, i64::MIN, i64::MIN + 1] {
            let value = values.add_number(number);
            assert_eq!(values.get(value), number.to_string().as_bytes());
        }
    }

    #[test]
    fn equal_strings_share_a_number() {
        let mut values = Values::default();
        values.begin(&Constants::default(), 0);
        let a = values.add(b"alpha");
        assert_eq!(values.add(b"alpha"), a);
        assert_ne!(values.add(b"beta"), a);
        assert_eq!(values.add(b""), Value::EMPTY);
        assert_eq!(values.get(a), b"alpha");
    }

    #[test]
    fn ordinary_strings_are_all_listed() {
        let mut values = Values::default();
        for round in 0..20u32 {
            values.begin(&Constants::default(), 0);
            for number in 0..5000u32 {
                values.add(format!("{round}-{number}").as_bytes());
            }
            assert!(!values.is_crowded(), "{round}");
        }
    }

    #[test]
    fn case_is_folded() {
        let mut values = Values::default();
        values.begin(&Constants::default(), 0);
        let (upper, lower) = (values.add(b"Host"), values.add(b"host"));
        assert_eq!((values.folded(upper), values.folded(lower)), (lower, lower));
        let new = values.add(b"X-A");
        let folded = values.folded(new);
        assert_eq!(values.get(folded), b"x-a");
    }

    #[test]
    fn crafted_collisions_cost_sharing_only() {
        const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;
        // The second word takes back what the first one did.
        let texts: Vec<[u8; 16]> = (0..5000u64)
            .map(|first| {
                let start = (FACTOR.rotate_left(23) ^ 16).wrapping_mul(FACTOR);
                let middle = (start.rotate_left(23) ^ first).wrapping_mul(FACTOR);
                let mut text = [0; 16];
                text[..8].copy_from_slice(&first.to_le_bytes());
                text[8..].copy_from_slice(&middle.rotate_left(23).to_le_bytes());
                text
            })
            .collect();
        assert_eq!(hash(&texts[0]), hash(&texts[4999]));
        let mut values = Values::default();
        values.begin(&Constants::default(), 0);
        let stored: Vec<Value> = texts.iter().map(|text| values.add(text)).collect();
        assert!(values.is_crowded());
        assert!(texts.iter().zip(&stored).all(|(text, value)| values.get(*value) == text));
        values.settle();
        assert!(!values.is_crowded());
    }
}
