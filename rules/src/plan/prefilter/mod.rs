//! Which operators can match a value at all.
//!
//! A rule set like the Core Rule Set has hundreds of patterns, and on ordinary traffic nearly none of them
//! matches. Rather than running each over each value, one [scan](Scanner) for the literals that patterns
//! [require](Requirement), and one look at which bytes the value holds, tell which patterns are worth running.
//! What is left out could not have matched; what is left in may or may not.
//!
//! A pattern may have several [ways](Requirement::ways) to match. Ways that need no literal come first, so that few
//! words of a [set of ways](WaySet) have the ways whose bytes are to be looked at in an ordinary value. What comes out is
//! a short list of operators: what it costs depends on what a value holds, not on how many rules there are.
//!
//! The result does not depend on how a value came about, so it is kept with the value: rules that look at
//! the same bytes through different transformations share it.

mod byte_set;
mod fold;
mod known;
mod likelihood;
mod requirement;
mod scanner;
mod strings;
mod way_set;

use std::fmt;

use rustc_hash::FxHashMap;

use super::bits::{ones, put};
use crate::operators::{Operator, OperatorName};
pub(crate) use byte_set::ByteSet;
use known::SETS;
use requirement::Requirement;
use scanner::Scanner;
use way_set::Way;
pub(crate) use way_set::WaySet;

/// An operator within the prefilter. Equal operators share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Screened(pub(crate) u32);

/// The requirements of all operators of a plan.
pub(crate) struct Prefilter {
    /// For the literals of all ways.
    scanner: Scanner,
    /// Ways that need no literal: words of a set.
    no_literal: Box<[u64]>,
    /// Per word of a set, which of its ways need which bytes.
    bytes: Box<[ByteNeeds]>,
    /// Bytes that some way needs.
    telling: ByteSet,
    /// Per way, whose it is.
    operators: Box<[Screened]>,
    /// Words for one bit of each operator.
    operator_words: usize,
}

/// What 64 ways need.
struct ByteNeeds {
    /// Per byte, the ways of whose first, second, … set it is a member.
    members: Box<[[u64; SETS]; 256]>,
    /// Ways that have no first, second, … set.
    free: [u64; SETS],
}

impl ByteNeeds {
    /// Of `ways` those that texts with these bytes meet.
    fn met(&self, ways: u64, bytes: &[u8]) -> u64 {
        let mut met = self.free;
        for &byte in bytes {
            let Some(members) = self.members.get(usize::from(byte)) else { continue };
            met.iter_mut().zip(members).for_each(|(met, members)| *met |= members);
        }
        met.iter().fold(ways, |ways, met| ways & met)
    }
}

impl fmt::Debug for Prefilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prefilter").field("ways", &self.operators.len()).finish_non_exhaustive()
    }
}

/// Gathers the operators of a plan.
#[derive(Default)]
pub(crate) struct PrefilterBuilder {
    operators: Vec<Vec<Requirement>>,
    ids: FxHashMap<(OperatorName, Box<[u8]>), Option<Screened>>,
}

impl PrefilterBuilder {
    /// The operator's number, if there is anything that its matches must hold.
    pub(crate) fn screen(&mut self, operator: &Operator) -> Option<Screened> {
        let by_name = !operator.name().names_file();
        let key = (operator.name(), operator.raw_argument().into());
        if by_name && let Some(known) = self.ids.get(&key) {
            return *known;
        }
        let ways = ways(operator);
        let id = (!ways.is_empty() && !ways.iter().any(Requirement::is_empty)).then(|| {
            self.operators.push(ways);
            Screened(u32::try_from(self.operators.len() - 1).unwrap_or(u32::MAX))
        });
        if by_name {
            self.ids.insert(key, id);
        }
        id
    }

    pub(crate) fn build(self) -> Prefilter {
        let count = self.operators.iter().map(Vec::len).sum::<usize>();
        let words = count.div_ceil(64);
        let mut prefilter = Prefilter {
            scanner: Scanner::default(),
            no_literal: Box::default(),
            bytes: (0..words)
                .map(|_| ByteNeeds { members: Box::new([[0; SETS]; 256]), free: [0; SETS] })
                .collect(),
            telling: ByteSet::default(),
            operators: Box::default(),
            operator_words: self.operators.len().div_ceil(64),
        };
        let mut literals: FxHashMap<&[u8], Vec<Way>> = FxHashMap::default();
        let mut operators = Vec::with_capacity(count);
        let mut no_literal = WaySet::default();
        no_literal.fit(count);
        for with_literals in [false, true] {
            for (operator, requirements) in (0..).map(Screened).zip(&self.operators) {
                let wanted = |requirement: &&Requirement| requirement.literals.is_some() == with_literals;
                for requirement in requirements.iter().filter(wanted) {
                    let way = Way(u32::try_from(operators.len()).unwrap_or(u32::MAX));
                    operators.push(operator);
                    prefilter.add_bytes(way, &requirement.bytes);
                    match &requirement.literals {
                        None => no_literal.put(way),
                        Some(texts) => {
                            texts.iter().for_each(|text| literals.entry(text).or_default().push(way));
                        }
                    }
                }
            }
        }
        prefilter.operators = operators.into();
        let mut words = Vec::new();
        no_literal.drain(|_, bits| words.push(bits));
        prefilter.no_literal = words.into();
        let mut literals: Vec<(&[u8], Vec<Way>)> = literals.into_iter().collect();
        literals.sort_unstable_by_key(|(text, _)| *text);
        prefilter.scanner = Scanner::new(literals, likelihood::chance);
        prefilter
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
    fn add_bytes(&mut self, way: Way, sets: &[ByteSet]) {
        let (word, bit) = way.place();
        let Some(needs) = self.bytes.get_mut(word) else { return };
        for (position, free) in needs.free.iter_mut().enumerate() {
            let Some(set) = sets.get(position) else {
                *free |= bit;
                continue;
            };
            self.telling = self.telling.union(*set);
            for byte in set.iter() {
                let members =
                    needs.members.get_mut(usize::from(byte)).and_then(|sets| sets.get_mut(position));
                members.into_iter().for_each(|members| *members |= bit);
            }
        }
    }

    /// Adds the ways whose literals are in a text, folded, to a set. `folded` is memory for a copy of the text.
    pub(crate) fn scan(&self, text: &[u8], folded: &mut Vec<u8>, ways: &mut WaySet) {
        ways.fit(self.operators.len());
        self.scanner.scan(text, folded, ways);
    }

    /// Words for one bit of each operator.
    pub(crate) fn operator_words(&self) -> usize {
        self.operator_words
    }

    /// Adds the operators that can match a text to `out`, one bit each. `bytes` are those that it holds, and `ways` is what
    /// [`Prefilter::scan`] found, which is taken away.
    pub(crate) fn candidates(&self, bytes: ByteSet, ways: &mut WaySet, out: &mut [u64]) {
        self.no_literal.iter().enumerate().for_each(|(word, bits)| ways.put_word(word, *bits));
        let mut telling = [0; 256];
        let mut count = 0;
        for (place, byte) in telling.iter_mut().zip(bytes.and(self.telling).iter()) {
            *place = byte;
            count += 1;
        }
        let telling = telling.get(..count).unwrap_or_default();
        ways.drain(|word, bits| {
            let Some(needs) = self.bytes.get(word) else { return };
            for bit in ones(needs.met(bits, telling)) {
                let operator = self.operators.get(word * 64 + bit as usize);
                operator.into_iter().for_each(|operator| put(out, operator.0 as usize));
            }
        });
    }
}
