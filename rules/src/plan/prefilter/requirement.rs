//! What every match of a regular expression must hold.
//!
//! From a parsed pattern two necessary conditions are read off, both cheap to test and neither ever wrong
//! in the direction that matters (a text without them can't match):
//!
//! - **Literals**: a set of strings of which at least one, without regard to ASCII case, is in every match.
//!   `(?i)union\s+(?:all\s+)?select` gives `{select}` or `{union}`; `\b(?:cat|dog)s?\b` gives `{cat, dog}`.
//! - **Bytes**: sets of bytes of which at least one member is in every match. `['"]\s*or` gives the quotes.
//!
//! The idea is that of RE2's FilteredRE2 and of the atoms of YARA. A pattern is a tree, and each node yields
//! either all strings it can match (if those are few) or a set it can't match without. Concatenations join
//! what is exact as long as it stays small and keep the rarest set otherwise; alternations need all their
//! branches. How rare a set is, is estimated from how often bytes occur in ordinary requests.

use regex_syntax::hir::{Class, Hir, HirKind, Literal, Repetition};

/// Most strings of a literal set.
const MOST_LITERALS: usize = 256;
/// Fewest bytes of one literal: shorter ones are everywhere, and the scan goes by trigrams.
const SHORTEST_LITERAL: usize = 3;
/// Most bytes of one literal: longer ones tell nothing more.
const LONGEST_LITERAL: usize = 12;
/// Most members of a class that is spelt out.
const WIDEST_CLASS: usize = 12;
/// Sets that are likelier than this in an ordinary value aren't worth testing for.
const TOO_COMMON: f64 = 0.8;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByteSet(pub(crate) [u64; 4]);

impl ByteSet {
    /// The bytes that are in a text.
    pub(crate) fn of(text: &[u8]) -> Self {
        // Long texts note bytes in a table first: stores to it don't wait for each other.
        if text.len() < 128 {
            let mut set = Self::default();
            text.iter().for_each(|&byte| set.insert(byte));
            return set;
        }
        let mut seen = [0u8; 256];
        for &byte in text {
            if let Some(cell) = seen.get_mut(usize::from(byte)) {
                *cell = 1;
            }
        }
        let mut set = Self::default();
        for (word, cells) in set.0.iter_mut().zip(seen.chunks_exact(64)) {
            *word = cells.iter().rev().fold(0, |bits, &cell| bits << 1 | u64::from(cell));
        }
        set
    }

    pub(crate) fn insert(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    pub(crate) fn contains(self, byte: u8) -> bool {
        self.0.get(usize::from(byte >> 6)).is_some_and(|word| word >> (byte & 63) & 1 == 1)
    }

    fn union(self, other: Self) -> Self {
        let mut all = self;
        for (word, more) in all.0.iter_mut().zip(other.0) {
            *word |= more;
        }
        all
    }

    /// The members in order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=255u8).filter(move |&byte| self.contains(byte))
    }
}

/// What every match must hold; nothing known means no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// At least one of these, lower-case, each at least three bytes long.
    pub(crate) literals: Option<Vec<Vec<u8>>>,
    /// At least one byte of each of these, rarest first; at most two.
    pub(crate) bytes: Vec<ByteSet>,
}

impl Requirement {
    pub(crate) fn of(hir: &Hir) -> Self {
        let found = node(hir);
        let literals = found.best_literals().filter(|set| likelihood(set) < TOO_COMMON);
        let weighed = found.bytes.into_iter().map(|set| (frequency(set), set));
        let mut weighed: Vec<(f64, ByteSet)> = weighed.filter(|(share, _)| *share < TOO_COMMON).collect();
        weighed.sort_by(|a, b| a.0.total_cmp(&b.0));
        weighed.dedup_by_key(|(_, set)| *set);
        Self { literals, bytes: weighed.into_iter().take(2).map(|(_, set)| set).collect() }
    }

    /// Of a list of phrases of which one must be there.
    pub(crate) fn of_phrases(phrases: &[Vec<u8>]) -> Self {
        let lower: Vec<Vec<u8>> = phrases.iter().map(|phrase| phrase.to_ascii_lowercase()).collect();
        let bytes = common_bytes(&lower);
        let literals = (!lower.is_empty() && lower.iter().all(|phrase| phrase.len() >= SHORTEST_LITERAL))
            .then_some(lower);
        Self { literals, bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.literals.is_none() && self.bytes.is_empty()
    }
}

/// What is known of a part of a pattern.
#[derive(Clone, Debug, Default)]
struct Known {
    /// All strings the part can match, lower-case, if they are few.
    exact: Option<Vec<Vec<u8>>>,
    /// Strings of which each match holds one; only where there is no `exact`.
    needed: Option<Vec<Vec<u8>>>,
    /// Sets of bytes of each of which each match holds a member.
    bytes: Vec<ByteSet>,
}

impl Known {
    fn exact(strings: Vec<Vec<u8>>) -> Self {
        let bytes = common_bytes(&strings);
        Self { exact: Some(strings), needed: None, bytes }
    }

    fn best_literals(&self) -> Option<Vec<Vec<u8>>> {
        self.exact.as_deref().or(self.needed.as_deref()).and_then(usable)
    }
}

fn node(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::exact(vec![Vec::new()]),
        HirKind::Literal(Literal(bytes)) => literal(bytes),
        HirKind::Class(class) => of_class(class),
        HirKind::Repetition(repetition) => of_repetition(repetition),
        HirKind::Capture(capture) => node(&capture.sub),
        HirKind::Concat(parts) => concatenation(parts.iter().map(node)),
        HirKind::Alternation(branches) => alternation(&branches.iter().map(node).collect::<Vec<_>>()),
    }
}

fn literal(bytes: &[u8]) -> Known {
    let lower = bytes.to_ascii_lowercase();
    let needed: Vec<ByteSet> = lower.iter().map(|&byte| folded(byte)).collect();
    if lower.len() <= LONGEST_LITERAL {
        return Known { exact: Some(vec![lower]), needed: None, bytes: needed };
    }
    // The rarest stretch of a long literal stands for all of it.
    let stretch = lower.windows(LONGEST_LITERAL).min_by(|a, b| chance(a).total_cmp(&chance(b)));
    Known { exact: None, needed: stretch.map(|stretch| vec![stretch.to_vec()]), bytes: needed }
}

fn of_class(class: &Class) -> Known {
    let mut members = ByteSet::default();
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
    for byte in ranges.into_iter().flat_map(|(start, end)| start..=end) {
        members.insert(byte);
    }
    let mut spelt: Vec<u8> = members.iter().map(|byte| byte.to_ascii_lowercase()).collect();
    spelt.sort_unstable();
    spelt.dedup();
    let exact = (spelt.len() <= WIDEST_CLASS).then(|| spelt.iter().map(|&byte| vec![byte]).collect());
    Known { exact, needed: None, bytes: vec![members] }
}

fn of_repetition(repetition: &Repetition) -> Known {
    let sub = node(&repetition.sub);
    match (repetition.min, repetition.max) {
        (1, Some(1)) => sub,
        (0, Some(1)) => match sub.exact {
            Some(mut strings) if strings.len() < MOST_LITERALS => {
                strings.push(Vec::new());
                Known::exact(strings)
            }
            _ => Known::default(),
        },
        (0, _) => Known::default(),
        // Small fixed counts are spelt out, so that `a{3}` is a literal.
        (count, Some(max)) if count == max && count <= 4 => concatenation((0..count).map(|_| sub.clone())),
        // At least once: what one turn needs is needed.
        _ => Known { needed: sub.best_literals(), exact: None, bytes: sub.bytes },
    }
}

fn concatenation(parts: impl Iterator<Item = Known>) -> Known {
    let mut run = vec![Vec::new()];
    let mut candidates: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut bytes = Vec::new();
    let mut exact = true;
    for part in parts {
        bytes.extend(part.bytes.iter().copied());
        match part.exact.as_ref().and_then(|strings| product(&run, strings)) {
            Some(joined) => run = joined,
            None => {
                exact = false;
                candidates.push(std::mem::replace(&mut run, vec![Vec::new()]));
                match part.exact {
                    Some(strings) => run = strings,
                    None => candidates.extend(part.needed),
                }
            }
        }
    }
    // More than the rarest few tell nothing more.
    if bytes.len() > 8 {
        bytes.sort_by_cached_key(|set| (frequency(*set) * 1e6) as u32);
        bytes.dedup();
        bytes.truncate(4);
    }
    if exact {
        return Known { exact: Some(run), needed: None, bytes };
    }
    candidates.push(run);
    let usable = candidates.iter().filter_map(|set| usable(set));
    let needed = usable.min_by(|a, b| likelihood(a).total_cmp(&likelihood(b)));
    Known { exact: None, needed, bytes }
}

fn alternation(branches: &[Known]) -> Known {
    // One set that every branch needs a member of: the rarest of each, joined.
    let rarest =
        |branch: &Known| branch.bytes.iter().copied().min_by(|a, b| frequency(*a).total_cmp(&frequency(*b)));
    let joined = branches.iter().map(rarest).try_fold(ByteSet::default(), |all, set| Some(all.union(set?)));
    let bytes: Vec<ByteSet> = joined.into_iter().collect();
    let all_exact: Option<Vec<Vec<Vec<u8>>>> = branches.iter().map(|branch| branch.exact.clone()).collect();
    if let Some(strings) = all_exact.map(joined_sets).filter(|set| set.len() <= MOST_LITERALS) {
        return Known { exact: Some(strings), needed: None, bytes };
    }
    let needed: Option<Vec<Vec<Vec<u8>>>> = branches.iter().map(Known::best_literals).collect();
    let needed = needed.map(joined_sets).filter(|set| set.len() <= MOST_LITERALS);
    Known { exact: None, needed, bytes }
}

fn joined_sets(sets: Vec<Vec<Vec<u8>>>) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = sets.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Every string of one set followed by every string of the other, if those are few and short.
fn product(first: &[Vec<u8>], second: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if first.len().saturating_mul(second.len()) > MOST_LITERALS {
        return None;
    }
    let mut all = Vec::with_capacity(first.len() * second.len());
    for head in first {
        for tail in second {
            if head.len() + tail.len() > LONGEST_LITERAL {
                return None;
            }
            all.push([head.as_slice(), tail].concat());
        }
    }
    all.sort_unstable();
    all.dedup();
    Some(all)
}

/// A set that a scan can look for: no string of it is too short. Strings that hold another of
/// the set are left out, since the shorter one is in them.
fn usable(set: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    if set.is_empty() || set.iter().any(|string| string.len() < SHORTEST_LITERAL) {
        return None;
    }
    let redundant = |string: &Vec<u8>| {
        set.iter().any(|other| other.len() < string.len() && memchr::memmem::find(string, other).is_some())
    };
    Some(set.iter().filter(|string| !redundant(string)).cloned().collect())
}

/// Sets of bytes that each of the strings needs a member of: from the exact strings of a part, the set of
/// their first bytes and the like. One set suffices: the rarest byte of each string.
fn common_bytes(strings: &[Vec<u8>]) -> Vec<ByteSet> {
    let rarest = |string: &Vec<u8>| {
        string.iter().copied().min_by(|a, b| byte_frequency(*a).total_cmp(&byte_frequency(*b)))
    };
    let set =
        strings.iter().map(rarest).try_fold(ByteSet::default(), |all, byte| Some(all.union(folded(byte?))));
    set.into_iter().collect()
}

/// A byte with its other case.
fn folded(byte: u8) -> ByteSet {
    let mut set = ByteSet::default();
    set.insert(byte.to_ascii_lowercase());
    set.insert(byte.to_ascii_uppercase());
    set
}

/// Estimated share of a byte (both cases) in ordinary request values.
fn byte_frequency(byte: u8) -> f64 {
    match byte.to_ascii_lowercase() {
        b'e' | b'a' | b'i' | b'o' | b't' | b'n' | b'r' | b's' => 0.06,
        b'l' | b'c' | b'd' | b'p' | b'm' | b'u' | b'h' => 0.03,
        b' ' => 0.08,
        b'.' | b'/' | b'-' | b'_' | b'0'..=b'9' => 0.02,
        b'b' | b'f' | b'g' | b'w' | b'y' | b'v' | b'k' => 0.012,
        b'=' | b',' | b';' | b':' | b'(' | b')' | b'"' => 0.006,
        b'j' | b'x' | b'z' | b'q' => 0.003,
        0x80.. => 0.002,
        0..=0x1f | 0x7f => 0.000_5,
        _ => 0.001,
    }
}

/// Estimated chance that a string begins at a given place.
pub(super) fn chance(string: &[u8]) -> f64 {
    string.iter().map(|&byte| byte_frequency(byte)).product()
}

/// Estimated chance that one of the strings is in a value of 100 bytes.
fn likelihood(set: &[Vec<u8>]) -> f64 {
    set.iter().map(|string| chance(string)).sum::<f64>() * 100.0
}

/// Estimated chance that a byte of the set is in a value of 20 bytes.
fn frequency(set: ByteSet) -> f64 {
    let mut share = 0.0;
    for (base, mut word) in (0u32..).step_by(64).zip(set.0) {
        while word != 0 {
            let byte = u8::try_from(base + word.trailing_zeros()).unwrap_or_default();
            word &= word - 1;
            // A letter's share is that of both its cases.
            share += byte_frequency(byte) / if byte.is_ascii_alphabetic() { 2.0 } else { 1.0 };
        }
    }
    (share * 20.0).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(pattern: &str) -> Requirement {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        Requirement::of(&hir.expect("a pattern"))
    }

    fn literals(pattern: &str) -> Vec<String> {
        let found = requirement(pattern).literals.unwrap_or_default();
        found.iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect()
    }

    #[test]
    fn literals_of_patterns() {
        for (pattern, expected) in [
            ("(?i)union", &["union"][..]),
            (r"\b(?:cat|dog)s?\b", &["cat", "dog"]),
            (r"colou?r", &["color", "colour"]),
            (r"(?i)union\s+(?:all\s+)?select", &["select"]),
            (r"a.*select", &["select"]),
            (r"(?:abc)+", &["abc"]),
            (r"(?:abc)*", &[]),
            (r"ab|.", &[]),
            (r"x{3}", &["xxx"]),
            (r"[0-9]+", &[]),
            ("", &[]),
        ] {
            assert_eq!(literals(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn bytes_of_patterns() {
        let quotes = requirement(r#"['"]\s*[a-z]"#).bytes;
        assert_eq!(quotes.first().map(|set| set.iter().collect::<Vec<_>>()), Some(b"\"'".to_vec()));
        assert!(requirement(r".*").bytes.is_empty());
    }
}
