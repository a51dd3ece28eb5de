//! What is known of the matches of a pattern, and of each of its parts.

use std::rc::Rc;

use regex_syntax::hir::{Class, Hir, HirKind, Literal, Repetition};

use super::byte_set::{ByteSet, rarest_byte};
use super::fold;
use super::likelihood::chance;
use super::strings::{LONGEST, Literals, Starts};

/// Most members of a class that is spelt out.
const WIDEST_CLASS: usize = 16;
/// Most sets of bytes that are kept of a part of a pattern.
const MOST_SETS: usize = 8;
/// Sets of bytes that count.
pub(super) const SETS: usize = 3;

/// What is known of a part of a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// What its matches begin with, if that is known.
    starts: Option<Rc<Starts>>,
    /// The rarest strings of which each match holds one.
    pub(super) literals: Option<Rc<Literals>>,
    /// Sets of bytes of each of which each match holds a member, rarest first.
    pub(super) bytes: Vec<ByteSet>,
}

/// A part of a pattern with its own parts.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) known: Known,
    pub(super) parts: Parts,
}

/// What a part of a pattern consists of.
#[derive(Debug)]
pub(super) enum Parts {
    /// Nothing that matters.
    None,
    /// One behind the other.
    Row(Vec<Node>),
    /// One of these.
    Choice(Vec<Node>),
}

impl Known {
    fn of_starts(starts: Option<Starts>) -> Self {
        let literals = starts.as_ref().and_then(Starts::literals).map(Rc::new);
        Self { starts: starts.map(Rc::new), literals, bytes: Vec::new() }
    }

    /// Of matches of which both are known.
    pub(super) fn and(&self, other: &Self) -> Self {
        Self {
            starts: None,
            literals: rarer(self.literals.clone(), other.literals.clone()),
            bytes: rarest(self.bytes.iter().chain(&other.bytes).copied().collect()),
        }
    }

    /// Estimated chance that an ordinary value has what is needed.
    pub(super) fn chance(&self) -> f64 {
        let literals = self.literals.as_ref().map_or(1.0, |literals| literals.likelihood);
        self.bytes.iter().take(SETS).map(|set| set.frequency()).product::<f64>() * literals
    }
}

impl Node {
    pub(super) fn of(hir: &Hir) -> Self {
        let known = match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Known::of_starts(Some(Starts::empty())),
            HirKind::Literal(literal) => of_literal(literal),
            HirKind::Class(class) => of_class(class),
            HirKind::Repetition(repetition) => of_repetition(repetition),
            HirKind::Capture(capture) => return Self::of(&capture.sub),
            HirKind::Concat(parts) => {
                let parts: Vec<Node> = parts.iter().map(Self::of).collect();
                let known = row(parts.iter().map(|part| &part.known));
                return Self { known, parts: Parts::Row(parts) };
            }
            HirKind::Alternation(branches) => {
                let branches: Vec<Node> = branches.iter().map(Self::of).collect();
                return Self { known: choice(&branches), parts: Parts::Choice(branches) };
            }
        };
        Self { known, parts: Parts::None }
    }
}

fn rarer(first: Option<Rc<Literals>>, second: Option<Rc<Literals>>) -> Option<Rc<Literals>> {
    first.into_iter().chain(second).min_by(|a, b| a.likelihood.total_cmp(&b.likelihood))
}

fn of_literal(Literal(bytes): &Literal) -> Known {
    let text = fold::text(bytes);
    // Of a long literal the rarest stretch is looked for.
    let stretch = text.windows(text.len().clamp(1, LONGEST)).min_by(|a, b| chance(a).total_cmp(&chance(b)));
    Known {
        starts: Starts::of([&*text]).map(Rc::new),
        literals: stretch.and_then(|stretch| Starts::of([stretch])?.literals()).map(Rc::new),
        bytes: rarest(bytes.iter().map(|&byte| ByteSet::folded(byte)).collect()),
    }
}

fn of_class(class: &Class) -> Known {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(class) => class.ranges().iter().map(|range| (range.start(), range.end())).collect(),
        // Patterns are compiled for bytes; a Unicode class only stands for ASCII there.
        Class::Unicode(class) => {
            let ranges = class
                .ranges()
                .iter()
                .map(|range| Some((u8::try_from(range.start()).ok()?, u8::try_from(range.end()).ok()?)));
            match ranges.collect::<Option<Vec<_>>>() {
                Some(ranges) if ranges.iter().all(|range| range.1 < 0x80) => ranges,
                _ => return Known::default(),
            }
        }
    };
    let members: ByteSet = ranges.into_iter().flat_map(|(start, end)| start..=end).collect();
    let folded: ByteSet = members.iter().map(fold::byte).collect();
    let spelt: Vec<u8> = folded.iter().collect();
    let few = spelt.len() <= WIDEST_CLASS;
    let starts = few.then(|| Starts::of(spelt.chunks(1))).flatten();
    Known { starts: starts.map(Rc::new), literals: None, bytes: vec![members] }
}

fn of_repetition(repetition: &Repetition) -> Known {
    let sub = Node::of(&repetition.sub).known;
    let white = sub.starts.as_ref().is_some_and(|starts| starts.is_whole(b" "));
    match (repetition.min, repetition.max) {
        (1, Some(1)) => sub,
        // A run of white space is a blank, however long.
        (1.., _) if white => sub,
        (0, most) if white || most == Some(1) => {
            let starts = sub.starts.and_then(|starts| starts.or(&Starts::empty()));
            Known { starts: starts.map(Rc::new), ..Known::default() }
        }
        (0, _) => Known::default(),
        // Small fixed counts are spelt out, so that `a{3}` is a literal.
        (count, Some(max)) if count == max && count <= 4 => row((0..count).map(|_| &sub)),
        // At least once: what one turn needs is needed.
        _ => Known { starts: sub.starts.map(|starts| Rc::new(Starts::clone(&starts).open())), ..sub },
    }
}

/// Of parts one behind the other.
fn row<'k>(parts: impl Iterator<Item = &'k Known>) -> Known {
    let nothing = Rc::new(Starts::empty());
    // What matches begin with, once something follows of which that can't be said.
    let mut starts = None;
    // What a match goes on with from some part on, which may be the first.
    let mut run = Rc::clone(&nothing);
    let mut from_start = true;
    let mut known = Known::default();
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&part.bytes);
        known.literals = rarer(known.literals, part.literals.clone());
        let longer = part.starts.as_ref().filter(|_| run.can_grow()).and_then(|next| run.then(next));
        if let Some(longer) = longer {
            run = Rc::new(longer);
            continue;
        }
        known.literals = rarer(known.literals, run.literals().map(Rc::new));
        let next = part.starts.as_ref().unwrap_or(&nothing);
        let ended = std::mem::replace(&mut run, Rc::clone(next));
        if std::mem::take(&mut from_start) {
            starts = (!ended.is_trivial()).then(|| Rc::new(Starts::clone(&ended).open()));
        }
    }
    known.literals = rarer(known.literals, run.literals().map(Rc::new));
    known.starts = if from_start { Some(run) } else { starts };
    known.bytes = rarest(bytes);
    known
}

/// Of one of several parts.
fn choice(branches: &[Node]) -> Known {
    let known = |node: &'_ Node| node.known.clone();
    let literals = branches.iter().map(|branch| known(branch).literals);
    let starts = branches.iter().map(|branch| known(branch).starts);
    Known {
        literals: literals.reduce(|all, more| Some(Rc::new(all?.or(&*more?)?))).flatten(),
        starts: starts.reduce(|all, more| Some(Rc::new(all?.or(&*more?)?))).flatten(),
        bytes: joint_sets(branches),
    }
}

/// Sets of bytes that each branch needs a member of. From each set of the branch that has the fewest, one is
/// made by adding, for every other branch, that set of it which makes it the least common.
fn joint_sets(branches: &[Node]) -> Vec<ByteSet> {
    let sets = |branch: &Node| branch.known.bytes.len();
    let Some(fewest) = branches.iter().min_by_key(|branch| sets(branch)) else { return Vec::new() };
    let grown = fewest.known.bytes.iter().map(|&seed| {
        branches.iter().fold(seed, |all, branch| {
            let unions = branch.known.bytes.iter().map(|&set| all.union(set));
            unions.min_by(|a, b| a.share().total_cmp(&b.share())).unwrap_or(all)
        })
    });
    rarest(grown.collect())
}

/// The rarest of some sets of bytes, each once, rarest first.
fn rarest(sets: Vec<ByteSet>) -> Vec<ByteSet> {
    let mut weighed: Vec<(f64, ByteSet)> = sets.into_iter().map(|set| (set.share(), set)).collect();
    weighed.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.0.cmp(&b.1.0)));
    weighed.dedup();
    weighed.into_iter().take(MOST_SETS).map(|(_, set)| set).collect()
}

/// A set of which each of the strings holds a member: the rarest byte of each. `None` for the empty string.
pub(super) fn one_of_each<'s>(mut strings: impl Iterator<Item = &'s [u8]>) -> Option<ByteSet> {
    strings.try_fold(ByteSet::default(), |all, string| Some(all.union(ByteSet::folded(rarest_byte(string)?))))
}
