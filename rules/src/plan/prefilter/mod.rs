//! Which operators can match a value at all.
//!
//! A rule set like the Core Rule Set has hundreds of patterns, and on ordinary traffic nearly none of them
//! matches. Rather than running each over each value, one [scan](Scanner) for the literals that patterns
//! [require](Requirement), and one look at which bytes the value holds, tell which patterns are worth running. What is left out could not have matched; what is left in may or may not.
//!
//! The result does not depend on how a value came about, so it is kept with the value: rules that look at
//! the same bytes through different transformations share it.

mod byte_set;
mod known;
mod requirement;
mod scanner;
mod strings;

use std::fmt;

use rustc_hash::FxHashMap;

use crate::operators::{Operator, OperatorName};
pub(crate) use byte_set::ByteSet;
use known::SETS;
use requirement::Requirement;
use scanner::Scanner;

/// An operator within the prefilter: the numbers of the ways in which it can match. Equal operators share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Screened {
    first: Way,
    /// How many there are; at least one.
    count: u32,
}

impl Screened {
    fn ways(self) -> impl Iterator<Item = Way> {
        (self.first.0..self.first.0 + self.count).map(Way)
    }
}

/// Number of a way in which an operator can match: one [requirement](Requirement).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way(u32);

/// Whether two sets given as words have a way in common.
pub(crate) fn meet(first: &[u64], second: &[u64]) -> bool {
    first.iter().zip(second).fold(0, |all, (first, second)| all | first & second) != 0
}

/// Whether a set given as words holds a way in which an operator can match.
pub(crate) fn holds(words: &[u64], operator: Screened) -> bool {
    operator.ways().any(|way| holds_way(words, way))
}

fn holds_way(words: &[u64], Way(way): Way) -> bool {
    let place = way as usize;
    words.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
}

/// Puts the ways in which an operator can match into a set given as words.
pub(crate) fn set(words: &mut [u64], operator: Screened) {
    operator.ways().for_each(|way| set_way(words, way));
}

fn set_way(words: &mut [u64], Way(way): Way) {
    let place = way as usize;
    if let Some(word) = words.get_mut(place / 64) {
        *word |= 1 << (place % 64);
    }
}

/// The requirements of all operators of a plan.
pub(crate) struct Prefilter {
    /// For the literals of all operators.
    scanner: Scanner,
    /// Per byte, the operators of whose first, second, … set it is a member.
    by_byte: [Vec<Box<[u64]>>; SETS],
    /// Bytes that are in some operator's set.
    telling: ByteSet,
    /// Operators that have no first, second, … set.
    free: [Box<[u64]>; SETS],
    /// Operators that need no literal.
    no_literal: Box<[u64]>,
    words: usize,
}

impl fmt::Debug for Prefilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefilter").field("words", &self.words).finish_non_exhaustive()
    }
}

/// Gathers the operators of a plan.
#[derive(Default)]
pub(crate) struct PrefilterBuilder {
    requirements: Vec<Requirement>,
    ids: FxHashMap<(OperatorName, Box<[u8]>), Option<Screened>>,
}

impl PrefilterBuilder {
    /// The operator's number, if there is anything that its matches must hold.
    pub(crate) fn screen(&mut self, operator: &Operator) -> Option<Screened> {
        // Data files have names, not contents, as arguments; equal names of different folders may differ.
        let by_name = !matches!(operator.name(), OperatorName::PmFromFile);
        let key = (operator.name(), operator.raw_argument().into());
        if by_name && let Some(known) = self.ids.get(&key) {
            return *known;
        }
        let ways = ways(operator);
        let id = (!ways.is_empty() && !ways.iter().any(Requirement::is_empty)).then(|| {
            let first = Way(u32::try_from(self.requirements.len()).unwrap_or(u32::MAX));
            let count = u32::try_from(ways.len()).unwrap_or_default();
            self.requirements.extend(ways);
            Screened { first, count }
        });
        if by_name {
            self.ids.insert(key, id);
        }
        id
    }

    pub(crate) fn build(self) -> Prefilter {
        let words = self.requirements.len().div_ceil(64);
        let empty = || vec![0u64; words].into_boxed_slice();
        let mut literals: Vec<(Vec<u8>, Vec<Way>)> = Vec::new();
        let mut places: FxHashMap<Vec<u8>, usize> = FxHashMap::default();
        let mut no_literal = empty();
        let mut free = std::array::from_fn(|_| empty());
        let mut by_byte: [Vec<Box<[u64]>>; SETS] = std::array::from_fn(|_| vec![empty(); 256]);
        let mut telling = ByteSet::default();
        for (id, requirement) in (0u32..).map(Way).zip(&self.requirements) {
            match &requirement.literals {
                None => set_way(&mut no_literal, id),
                Some(strings) => {
                    for string in strings {
                        let place = *places.entry(string.clone()).or_insert_with(|| {
                            literals.push((string.clone(), Vec::new()));
                            literals.len() - 1
                        });
                        literals.get_mut(place).into_iter().for_each(|(_, owners)| owners.push(id));
                    }
                }
            }
            for (position, (free, by_byte)) in free.iter_mut().zip(&mut by_byte).enumerate() {
                match requirement.bytes.get(position) {
                    None => set_way(free, id),
                    Some(bytes) => {
                        for byte in bytes.iter() {
                            telling.insert(byte);
                            by_byte
                                .get_mut(usize::from(byte))
                                .into_iter()
                                .for_each(|owners| set_way(owners, id));
                        }
                    }
                }
            }
        }
        Prefilter {
            scanner: Scanner::new(literals, byte_set::chance),
            by_byte,
            telling,
            free,
            no_literal,
            words,
        }
    }
}

/// The ways in which an operator can match, for those of which something is known.
fn ways(operator: &Operator) -> Vec<Requirement> {
    if let Some(phrases) = operator.phrases() {
        return vec![Requirement::of_phrases(phrases)];
    }
    if let Some(bytes) = operator.telling_bytes() {
        return vec![Requirement::of_bytes(bytes.into_iter().collect())];
    }
    operator.hir().map(|hir| Requirement::ways(&hir)).unwrap_or_default()
}

impl Prefilter {
    /// How many words a set of candidates has.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// Writes the operators that can match a text with these bytes to `out`, as [`Prefilter::words`] words.
    pub(crate) fn by_bytes(&self, bytes: ByteSet, out: &mut Vec<u64>, scratch: &mut Vec<u64>) {
        out.clear();
        out.resize(self.words, u64::MAX);
        for (free, by_byte) in self.free.iter().zip(&self.by_byte) {
            scratch.clear();
            scratch.extend_from_slice(free);
            let telling = bytes.0.iter().zip(self.telling.0).map(|(here, telling)| here & telling);
            for (base, mut word) in (0usize..).step_by(64).zip(telling) {
                while word != 0 {
                    let byte = base + word.trailing_zeros() as usize;
                    word &= word - 1;
                    for (all, owners) in scratch.iter_mut().zip(by_byte.get(byte).into_iter().flatten()) {
                        *all |= owners;
                    }
                }
            }
            for (all, fitting) in out.iter_mut().zip(scratch.iter()) {
                *all &= fitting;
            }
        }
    }

    /// Writes the operators that can match a text by the literals in it to `out`.
    pub(crate) fn by_literals(&self, text: &[u8], out: &mut Vec<u64>) {
        out.clear();
        out.extend_from_slice(&self.no_literal);
        self.scanner.scan(text, out);
    }
}
