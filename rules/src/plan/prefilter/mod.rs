//! Which operators can match a value at all.
//!
//! A rule set like the Core Rule Set has hundreds of patterns, and on ordinary traffic nearly none of them
//! matches. Rather than running each over each value, one [scan](Scanner) for the literals that patterns
//! [require](Requirement), and one look at which bytes the value holds, tell which patterns are worth running.
//! What is left out could not have matched; what is left in may or may not.
//!
//! A pattern may have several [ways](Requirement::ways) to match. Sets of ways are bit sets, as words. Ways that
//! need no literal come first, so that after the scan of an ordinary value only the first few words are not 0,
//! and bytes are looked at for these alone.
//!
//! The result does not depend on how a value came about, so it is kept with the value: rules that look at
//! the same bytes through different transformations share it.

mod byte_set;
mod known;
mod memo;
mod requirement;
mod scanner;
mod strings;

use std::fmt;
use std::sync::Mutex;

use rustc_hash::FxHashMap;

use crate::operators::{Operator, OperatorName};
pub(crate) use byte_set::ByteSet;
use known::SETS;
use memo::Memo;
use requirement::Requirement;
use scanner::Scanner;

/// An operator within the prefilter. Equal operators share a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Screened(u32);

/// Number of a way in which an operator can match: one [requirement](Requirement).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Way(u32);

impl Way {
    /// The word of a set that knows of it, and its bit there.
    fn place(self) -> (usize, u64) {
        (self.0 as usize / 64, 1 << (self.0 % 64))
    }

    fn put_into(self, words: &mut [u64]) {
        let (word, bit) = self.place();
        words.get_mut(word).into_iter().for_each(|word| *word |= bit);
    }
}

/// Whether two sets have a way in common.
pub(crate) fn meet(first: &[u64], second: &[u64]) -> bool {
    first.iter().zip(second).any(|(first, second)| first & second != 0)
}

/// The requirements of all operators of a plan.
pub(crate) struct Prefilter {
    /// For the literals of all ways.
    scanner: Scanner,
    /// Ways that need no literal.
    no_literal: Box<[u64]>,
    /// Per word of a set, which of its ways need which bytes.
    bytes: Box<[ByteNeeds]>,
    /// Bytes that some way needs.
    telling: ByteSet,
    /// Per operator, its ways: words and their bits.
    operators: Box<[WayBits]>,
    /// Every way.
    all: Box<[u64]>,
    memo: Mutex<Memo>,
}

/// A set of ways: words that are not 0, and their bits.
type WayBits = Box<[(u32, u64)]>;

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
        f.debug_struct("Prefilter").field("words", &self.words()).finish_non_exhaustive()
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
        // Data files have names, not contents, as arguments; equal names of different folders may differ.
        let by_name = !matches!(operator.name(), OperatorName::PmFromFile);
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
            no_literal: vec![0; words].into(),
            bytes: (0..words)
                .map(|_| ByteNeeds { members: Box::new([[0; SETS]; 256]), free: [0; SETS] })
                .collect(),
            telling: ByteSet::default(),
            operators: Box::default(),
            all: vec![u64::MAX; words].into(),
            memo: Mutex::new(Memo::new(words)),
        };
        let mut literals: FxHashMap<&[u8], Vec<Way>> = FxHashMap::default();
        let mut operators = vec![vec![0; words]; self.operators.len()];
        let mut next = 0;
        for with_literals in [false, true] {
            for (requirements, own) in self.operators.iter().zip(&mut operators) {
                let wanted = |requirement: &&Requirement| requirement.literals.is_some() == with_literals;
                for requirement in requirements.iter().filter(wanted) {
                    let way = Way(next);
                    next += 1;
                    way.put_into(own);
                    prefilter.add_bytes(way, &requirement.bytes);
                    match &requirement.literals {
                        None => way.put_into(&mut prefilter.no_literal),
                        Some(texts) => {
                            texts.iter().for_each(|text| literals.entry(text).or_default().push(way));
                        }
                    }
                }
            }
        }
        let sparse =
            operators.into_iter().map(|own| (0u32..).zip(own).filter(|(_, bits)| *bits != 0).collect());
        prefilter.operators = sparse.collect();
        let mut literals: Vec<(&[u8], Vec<Way>)> = literals.into_iter().collect();
        literals.sort_unstable_by_key(|(text, _)| *text);
        prefilter.scanner = Scanner::new(literals, byte_set::chance);
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

    /// How many words a set of ways has.
    pub(crate) fn words(&self) -> usize {
        self.all.len()
    }

    /// Every way.
    pub(crate) fn all(&self) -> &[u64] {
        &self.all
    }

    /// Whether a set holds a way in which an operator can match.
    pub(crate) fn holds(&self, words: &[u64], operator: Screened) -> bool {
        self.ways(operator)
            .iter()
            .any(|&(word, bits)| words.get(word as usize).is_some_and(|word| word & bits != 0))
    }

    /// Puts the ways in which an operator can match into a set.
    pub(crate) fn put(&self, operator: Screened, words: &mut [u64]) {
        for &(word, bits) in self.ways(operator) {
            words.get_mut(word as usize).into_iter().for_each(|word| *word |= bits);
        }
    }

    /// The word of a set that has all ways in which an operator can match, and their bits; `None` when they are
    /// in several.
    pub(crate) fn only_word(&self, operator: Screened) -> Option<(u32, u64)> {
        match self.ways(operator) {
            [only] => Some(*only),
            _ => None,
        }
    }

    fn ways(&self, operator: Screened) -> &[(u32, u64)] {
        self.operators.get(operator.0 as usize).map_or(&[], |ways| ways)
    }

    /// Writes the ways in which operators can match a text to `out`, as [`Prefilter::words`] words. `hash` is a hash
    /// of the text and `bytes` the bytes that are in it; `lower` is memory for a copy of it.
    pub(crate) fn candidates(
        &self,
        text: &[u8],
        (hash, bytes): (u64, ByteSet),
        lower: &mut Vec<u8>,
        out: &mut Vec<u64>,
    ) {
        out.clear();
        // Where another thread is at it, nobody waits.
        let mut memo = self.memo.try_lock().ok();
        if let Some(found) = memo.as_ref().and_then(|memo| memo.recall(text, hash)) {
            out.extend_from_slice(found);
            return;
        }
        out.extend_from_slice(&self.no_literal);
        self.scanner.scan(text, lower, out);
        let mut telling = [0; 256];
        let mut count = 0;
        for (place, byte) in telling.iter_mut().zip(bytes.and(self.telling).iter()) {
            *place = byte;
            count += 1;
        }
        let telling = telling.get(..count).unwrap_or_default();
        for (ways, needs) in out.iter_mut().zip(&self.bytes).filter(|(ways, _)| **ways != 0) {
            *ways = needs.met(*ways, telling);
        }
        if let Some(memo) = &mut memo {
            memo.learn(text, hash, out);
        }
    }
}
