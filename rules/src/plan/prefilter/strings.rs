//! Sets of strings that matches begin with.

use rustc_hash::FxHashSet;

use super::likelihood::chance;

/// Most strings of a set.
const MOST: usize = 512;
/// Fewest bytes of a string that a scan looks for: shorter ones are everywhere, and the scan goes by trigrams.
const SHORTEST: usize = 3;
/// Most bytes of a string.
pub(super) const LONGEST: usize = 16;
/// Most bytes of each of more than a few strings: longer ones tell nothing more, where one alone may be markup
/// that all pages have for its first eight.
const LONGEST_OF_MANY: usize = 8;
const FEW: usize = 8;

/// A string that some matches of a part of a pattern begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Start {
    /// Folded; zeros behind the end.
    bytes: [u8; LONGEST],
    length: u8,
    /// Those matches are this string; others go on behind it.
    whole: bool,
}

impl Start {
    const EMPTY: Self = Self { bytes: [0; LONGEST], length: 0, whole: true };

    fn text(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// With `more` behind it, as far as it fits; white space on both sides is one run.
    fn then(mut self, more: &[u8], whole: bool) -> Self {
        self.whole = whole;
        for &byte in more {
            if byte == b' ' && self.text().last() == Some(&b' ') {
                continue;
            }
            let Some(place) = self.bytes.get_mut(usize::from(self.length)) else {
                self.whole = false;
                break;
            };
            *place = byte;
            self.length += 1;
        }
        self
    }

    fn cut(mut self, longest: usize) -> Self {
        if usize::from(self.length) > longest {
            self.bytes.get_mut(longest..).unwrap_or_default().fill(0);
            self.length = u8::try_from(longest).unwrap_or_default();
            self.whole = false;
        }
        self
    }
}

/// Strings such that each match of a part of a pattern, folded, begins with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Starts(Vec<Start>);

impl Starts {
    /// Of a part that matches nothing but the empty string.
    pub(super) fn empty() -> Self {
        Self(vec![Start::EMPTY])
    }

    /// Of a part that matches these folded strings, however long; `None` for too many.
    pub(super) fn of<'t>(texts: impl IntoIterator<Item = &'t [u8]>) -> Option<Self> {
        Self(texts.into_iter().map(|text| Start::EMPTY.then(text, true)).collect()).reduced()
    }

    /// Whether some string can be made longer by what follows.
    pub(super) fn can_grow(&self) -> bool {
        self.0.iter().any(|start| start.whole)
    }

    /// Whether all matches are this string, folded.
    pub(super) fn is_whole(&self, text: &[u8]) -> bool {
        matches!(self.0.as_slice(), [only] if only.whole && only.text() == text)
    }

    /// Whether nothing is known.
    pub(super) fn is_trivial(&self) -> bool {
        self.0.iter().any(|start| start.length == 0)
    }

    /// Of the same part with something unknown behind it.
    pub(super) fn open(mut self) -> Self {
        self.0.iter_mut().for_each(|start| start.whole = false);
        self
    }

    /// Of either part.
    pub(super) fn or(&self, other: &Self) -> Option<Self> {
        Self(self.0.iter().chain(&other.0).copied().collect()).reduced()
    }

    /// Of one part with the other behind it.
    pub(super) fn then(&self, next: &Self) -> Option<Self> {
        let whole = self.0.iter().filter(|start| start.whole).count();
        if whole.saturating_mul(next.0.len()) > 4 * MOST {
            return None;
        }
        let joined = self.0.iter().flat_map(|head| {
            let tails = if head.whole { next.0.as_slice() } else { &[] };
            let open = (!head.whole).then_some(*head);
            open.into_iter().chain(tails.iter().map(|tail| head.then(tail.text(), tail.whole)))
        });
        Self(joined.collect()).reduced()
    }

    /// While there are too many strings, cuts all of them, down to a length at which they still tell something.
    fn reduced(mut self) -> Option<Self> {
        let mut longest = LONGEST;
        loop {
            self.0.sort_unstable();
            self.0.dedup();
            if self.0.len() <= if longest > LONGEST_OF_MANY { FEW } else { MOST } {
                return Some(self);
            }
            if longest == SHORTEST {
                return None;
            }
            longest = LONGEST_OF_MANY.min(longest - 1);
            self.0.iter_mut().for_each(|start| *start = start.cut(longest));
        }
    }

    /// The strings for a scan to look for, one of which is in every match; `None` when some are too short.
    pub(super) fn literals(&self) -> Option<Literals> {
        if self.0.is_empty() || self.0.iter().any(|start| usize::from(start.length) < SHORTEST) {
            return None;
        }
        let likelihood = self.0.iter().map(|start| chance(start.text())).sum::<f64>() * 100.0;
        Some(Literals { starts: self.clone(), likelihood: likelihood.min(1.0) })
    }
}

/// Strings of which each match holds one, anywhere; each is long enough for a scan.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Literals {
    starts: Starts,
    /// Estimated chance that one of them is in a value of 100 bytes.
    pub(super) likelihood: f64,
}

impl Literals {
    /// Of either part; `None` for too many.
    pub(super) fn or(&self, other: &Self) -> Option<Self> {
        self.starts.or(&other.starts)?.literals()
    }

    /// The strings, without those that hold another of them.
    pub(super) fn texts(&self) -> Vec<Vec<u8>> {
        let all: FxHashSet<&[u8]> = self.starts.0.iter().map(Start::text).collect();
        let holds_another = |text: &[u8]| {
            (SHORTEST..text.len()).any(|length| text.windows(length).any(|part| all.contains(part)))
        };
        let texts = self.starts.0.iter().map(Start::text).filter(|text| !holds_another(text));
        let mut texts: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).collect();
        texts.dedup();
        texts
    }
}
