//! Values that keep coming back stay from one transaction to the next, with what was worked out about them.
//!
//! Much of what requests hold is the same over and over: names of headers and arguments, user agents, media types,
//! small numbers. A value that is seen for the second time in a while stays, so that what comes once displaces little.
//! What is kept follows from the bytes of the value and the policy alone (what it consists of, what transformations make
//! of it, which operators can match it, which do), so it never changes a result, only the time it takes. It is
//! bounded; a transaction can't tell what others brought.

use super::{Entry, Extent, NONE, STEPS, UNKNOWN, Value, Values};
use crate::eval::index::Found;
use crate::plan::{Pure, Screened, has, put, take};

/// Most values that stay beside the constants.
const MOST: usize = 4096;
/// Most bytes of them all, and of one.
const MOST_BYTES: usize = 256 * 1024;
const LONGEST: usize = 512;
/// How many values find no room before all others have to make room for new ones.
const MOST_MISSED: usize = 4 * MOST;
/// Values that are remembered to have been there once, in groups; the number of groups is a power of two.
const SEEN: usize = 1024;
const GROUP: usize = 4;
/// Most memory for results of operators, in words of 8 bytes.
const MOST_RESULTS: usize = 32 * 1024;

/// What is needed to let values stay.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    /// Parts of the hashes of values that were there once, in groups, of which the newest comes first. Without groups, two
    /// values that come in each request could push each other out for good.
    seen: Vec<[u32; GROUP]>,
    /// Values that stay of which something was learnt that lies behind what stays.
    learnt: Vec<Value>,
    /// Places in rows of steps that stay which hold a value that may go: the row, and the step.
    loose: Vec<(u32, usize)>,
    /// How many values found no room.
    missed: usize,
    /// Of each value that does not stay yet, its number when it does, else `UNKNOWN`.
    moved: Vec<u32>,
    /// Per row, one bit for each pure question that was answered of a value, then one for each that holds.
    results: Vec<u64>,
    /// Words for one bit of each pure question.
    words: usize,
}

impl Familiar {
    /// Forgets everything.
    pub(super) fn reset(&mut self, pure_numbers: usize) {
        *self = Self { words: pure_numbers.div_ceil(64), ..Self::default() };
    }

    /// Notes that more is known of a value that stays.
    pub(super) fn note_learnt(&mut self, value: Value) {
        self.learnt.push(value);
    }

    /// Notes that a step of a value that stays led to one that may go.
    pub(super) fn note_loose(&mut self, row: u32, step: usize) {
        self.loose.push((row, step));
    }

    pub(super) fn kept_bytes(&self) -> usize {
        4 * (GROUP * self.seen.capacity() + self.moved.capacity()) + 8 * self.results.capacity()
    }

    /// Whether a value with this hash was there before; if not, it is next time.
    fn was_seen(&mut self, hash: u64) -> bool {
        self.seen.resize(SEEN, [0; GROUP]);
        let (place, mark) = ((hash >> 40) as usize & (SEEN - 1), hash as u32);
        let Some(group) = self.seen.get_mut(place) else { return false };
        let known = group.contains(&mark);
        if !known {
            group.rotate_right(1);
            group[0] = mark;
        }
        known
    }

    /// The number of a value after the move; `UNKNOWN` stays so.
    fn moved(&self, first: usize, number: u32) -> u32 {
        match (number as usize).checked_sub(first) {
            None => number,
            Some(place) => self.moved.get(place).copied().unwrap_or(UNKNOWN),
        }
    }
}

impl Values {
    /// Whether there is room to note results of a value, which has to stay for that.
    #[inline]
    pub(crate) fn takes_results(&self, value: Value) -> bool {
        let has_row = |entry: &Entry| entry.results != UNKNOWN;
        let Familiar { results, words, .. } = &self.familiar;
        self.stays(value)
            && (self.entries.get(value.0 as usize).is_some_and(has_row)
                || results.len() + 2 * words <= MOST_RESULTS)
    }

    /// Whether what is asked holds of a value, if that is known.
    pub(crate) fn result(&self, value: Value, question: Pure) -> Option<bool> {
        let row = self.entries.get(value.0 as usize)?.results as usize;
        let (known, holding) = self.familiar.results.get(row..)?.split_at_checked(self.familiar.words)?;
        has(known, question.0 as usize).then(|| has(holding, question.0 as usize))
    }

    /// Notes whether what is asked holds of a value, if there is room.
    pub(crate) fn note_result(&mut self, value: Value, question: Pure, holds: bool) {
        if !self.takes_results(value) {
            return;
        }
        let Self { entries, familiar, .. } = self;
        let Some(entry) = entries.get_mut(value.0 as usize) else { return };
        if entry.results == UNKNOWN {
            let row = familiar.results.len();
            entry.results = u32::try_from(row).unwrap_or(UNKNOWN);
            familiar.results.resize(row + 2 * familiar.words, 0);
        }
        let row = familiar.results.get_mut(entry.results as usize..).unwrap_or_default();
        let Some((known, holding)) = row.split_at_mut_checked(familiar.words) else { return };
        put(known, question.0 as usize);
        if holds {
            put(holding, question.0 as usize);
        }
    }

    /// Notes that an operator, which could have matched a value, does not.
    pub(crate) fn refute(&mut self, value: Value, operator: Screened) {
        let from = self.entries.get(value.0 as usize).map_or(NONE, |entry| entry.candidates) as usize;
        if let Some(operators) = self.candidates.get_mut(from..) {
            take(operators, operator.0 as usize);
        }
    }

    /// Ends a transaction: forgets all values but those that stay.
    pub(crate) fn settle(&mut self) {
        if std::mem::take(&mut self.is_exhausted) {
            // What was found out while values were missing may be wrong: all has to go.
            *self = Self { budget: self.budget, ..Self::default() };
            return;
        }
        self.scratch.clear();
        self.scanned.clear();
        self.derived.clear();
        self.is_crowded = self.constants_are_crowded;
        self.index.clear();
        let first = self.kept.entries;
        let mut familiar = std::mem::take(&mut self.familiar);
        familiar.moved.clear();
        let mut end = self.kept.bytes;
        let mut next = first;
        for number in first..self.entries.len() {
            let Some(entry) = self.entries.get(number).copied() else { break };
            let moved = self.stay(&mut familiar, entry, next, end);
            familiar.moved.push(if moved { next as u32 } else { UNKNOWN });
            if moved {
                next += 1;
                end += entry.len();
            }
        }
        self.entries.truncate(next);
        self.bytes.truncate(end);
        self.keep_what_is_known(&mut familiar, first);
        self.kept =
            Extent { entries: next, bytes: end, steps: self.steps.len(), candidates: self.candidates.len() };
        if familiar.missed > MOST_MISSED {
            // All have to go.
            self.plan = 0;
        }
        self.familiar = familiar;
    }

    /// Lets a value stay, if it is worth it, as number `next`, with its bytes moved to `end`.
    fn stay(&mut self, familiar: &mut Familiar, entry: Entry, next: usize, end: usize) -> bool {
        if entry.start == UNKNOWN || entry.len() > LONGEST || !familiar.was_seen(entry.hash) {
            return false;
        }
        if next >= self.constants + MOST || end + entry.len() > self.constant_bytes + MOST_BYTES {
            familiar.missed += 1;
            return false;
        }
        let Found::Free(place) = self.find(entry.text(&self.bytes), entry.hash) else { return false };
        if !self.index.has_room(next) {
            return false;
        }
        let value = Value(u32::try_from(next).unwrap_or(UNKNOWN));
        self.index.list(place, value, true);
        self.bytes.copy_within(entry.start as usize..entry.end as usize, end);
        if let Some(cell) = self.entries.get_mut(next) {
            let start = u32::try_from(end).unwrap_or(UNKNOWN);
            *cell = Entry {
                start,
                end: start + (entry.end - entry.start),
                letters: UNKNOWN,
                scanned: (UNKNOWN, UNKNOWN),
                ..entry
            };
        }
        true
    }

    /// Moves what is known of values that stay to what stays, and takes out what refers to values that go. Those from
    /// `first` on have just come to stay.
    fn keep_what_is_known(&mut self, familiar: &mut Familiar, first: usize) {
        for (row, step) in std::mem::take(&mut familiar.loose) {
            if let Some(cell) = self.steps.get_mut(row as usize).and_then(|row| row.get_mut(step)) {
                *cell = familiar.moved(first, *cell);
            }
        }
        let mut rows: Vec<[u32; STEPS]> = Vec::new();
        let mut sets: Vec<u64> = Vec::new();
        let new = (first..self.entries.len()).map(|number| Value(u32::try_from(number).unwrap_or(UNKNOWN)));
        // What was learnt of a value in two ways moves once.
        let mut learnt = std::mem::take(&mut familiar.learnt);
        learnt.sort_unstable_by_key(|value| value.0);
        learnt.dedup();
        for value in learnt.into_iter().chain(new) {
            let Some(entry) = self.entries.get_mut(value.0 as usize) else { continue };
            if value.0 as usize >= first {
                entry.folded = familiar.moved(first, entry.folded);
            }
            if entry.row != UNKNOWN && entry.row as usize >= self.kept.steps {
                let row = self.steps.get(entry.row as usize).copied().unwrap_or([UNKNOWN; STEPS]);
                entry.row = u32::try_from(self.kept.steps + rows.len()).unwrap_or(UNKNOWN);
                rows.push(row.map(|step| familiar.moved(first, step)));
            }
            let from = entry.candidates as usize;
            if from >= self.kept.candidates
                && let Some(set) =
                    self.candidates.get(from..).and_then(|sets| sets.get(..self.operator_words))
            {
                entry.candidates = u32::try_from(self.kept.candidates + sets.len()).unwrap_or(UNKNOWN);
                sets.extend_from_slice(set);
            }
        }
        self.steps.truncate(self.kept.steps);
        self.steps.append(&mut rows);
        self.candidates.truncate(self.kept.candidates);
        self.candidates.append(&mut sets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Constants, Plan};
    use crate::policy;
    use crate::transforms::Transformation;
    use proptest::prelude::*;

    /// Their patterns and names are of the letters that the transactions below have.
    const RULES: &str = r#"
        SecRule ARGS:aB|ARGS:a2|ARGS:B|ARGS:%2 "@rx a.*a" "id:1,phase:1,pass,setvar:tx.BB=aBa"
        SecRule ARGS "@rx b2" "id:2,phase:1,pass"
        SecRule ARGS "@pm BB 2a" "id:3,phase:1,pass"
        SecRule ARGS "@rx B+" "id:4,phase:1,pass"
    "#;

    const STEPS: [Transformation; 4] = [
        Transformation::Lowercase,
        Transformation::Uppercase,
        Transformation::UrlDecodeUni,
        Transformation::RemoveWhitespace,
    ];

    proptest! {
        /// Whatever stays, a transaction sees what it would see with fresh memory.
        #[test]
        fn what_stays_changes_nothing(
            transactions in proptest::collection::vec(
                proptest::collection::vec(("[aB %2]{0,5}", 0..STEPS.len(), 0..STEPS.len(), 0u32..70), 0..12),
                1..12,
            ),
        ) {
            let seclang = serde_json::json!([{ "file": "x.conf", "text": RULES }]);
            let text = serde_json::json!({ "rule_sets": [{ "name": "x", "seclang": seclang }] }).to_string();
            let loaded = policy::load(text.as_bytes(), "policy");
            prop_assert!(loaded.policy.is_some(), "{:?}", loaded.diagnostics);
            let plan = Plan::new(loaded.policy.as_ref().expect("a policy")).expect("a plan");
            prop_assert!(plan.constants().texts().len() > 4);
            let mut lasting = Values::default();
            for transaction in transactions {
                let mut fresh = Values::default();
                for values in [&mut fresh, &mut lasting] {
                    values.begin(plan.constants(), 70);
                }
                for (text, first, second, pure) in transaction {
                    let seen = [&mut fresh, &mut lasting].map(|values| {
                        let value = values.add(text.as_bytes());
                        let same = values.add(text.as_bytes()) == value;
                        let next = values.step(value, STEPS[first]);
                        let last = values.step(next, STEPS[second]);
                        let folded = values.folded(last);
                        // An operator that matches texts of odd length.
                        let odd = text.len() % 2 == 1;
                        let known = values.result(value, Pure(pure));
                        values.note_result(value, Pure(pure), odd);
                        let seen = [value, next, last, folded].map(|value| {
                            let operators = values.candidates(value, plan.prefilter()).to_vec();
                            (values.get(value).to_vec(), operators)
                        });
                        (same, known.is_none_or(|known| known == odd), seen)
                    });
                    prop_assert!(seen[0].0 && seen[1].0 && seen[1].1);
                    prop_assert_eq!(&seen[0].2, &seen[1].2);
                }
                lasting.settle();
            }
        }
    }

    fn run(values: &mut Values, constants: &Constants, texts: impl Iterator<Item = String>) -> usize {
        values.begin(constants, 1);
        texts.for_each(|text| {
            values.add(text.as_bytes());
        });
        values.settle();
        values.entries.len() - values.constants
    }

    #[test]
    fn what_comes_twice_stays_with_its_results() {
        let (mut values, constants) = (Values::default(), Constants::default());
        let texts = || ["Mozilla/5.0", "text/html"].map(str::to_owned).into_iter();
        assert_eq!(run(&mut values, &constants, texts()), 0);
        assert_eq!(run(&mut values, &constants, texts()), 2);
        let agent = values.add(b"Mozilla/5.0");
        values.note_result(agent, Pure(0), true);
        assert_eq!(run(&mut values, &constants, texts()), 2);
        assert_eq!(values.result(agent, Pure(0)), Some(true));
        let new = values.add(b"new");
        values.note_result(new, Pure(0), true);
        assert_eq!(values.result(new, Pure(0)), None);
    }

    #[test]
    fn values_do_not_push_each_other_out_for_good() {
        let (mut values, constants) = (Values::default(), Constants::default());
        let texts = || (0..300).map(|number| format!("value-{number}"));
        run(&mut values, &constants, texts());
        assert_eq!(run(&mut values, &constants, texts()), 300);
    }

    #[test]
    fn what_stays_is_bounded_and_makes_room_in_the_end() {
        let (mut values, constants) = (Values::default(), Constants::default());
        let texts = |from: usize| (from..from + 100).map(|number| format!("value-{number}"));
        let mut made_room = false;
        for round in 0..300 {
            let mut count = 0;
            for _ in 0..2 {
                count = run(&mut values, &constants, texts(100 * round));
                assert!(count <= MOST);
            }
            made_room |= round > 10 && count <= 100;
        }
        assert!(made_room);
        let long = "x".repeat(LONGEST + 1);
        let before = values.entries.len();
        for _ in 0..3 {
            run(&mut values, &constants, std::iter::once(long.clone()));
        }
        assert!(values.entries.len() <= before);
    }
}
