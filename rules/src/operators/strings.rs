//! Comparisons with text. All are of bytes, and case counts.

use memchr::memmem::{self, Finder};

use crate::copy::equal;

/// How a value is compared with text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    BeginsWith,
    Contains,
    ContainsWord,
    EndsWith,
    Equals,
    Within,
}

impl Comparison {
    /// Compares with text that is known only now.
    pub(super) fn holds(self, value: &[u8], text: &[u8]) -> bool {
        match self {
            Self::BeginsWith => value.starts_with(text),
            Self::Contains => is_in(text, value),
            Self::ContainsWord => contains_word(value, &Finder::new(text)),
            Self::EndsWith => value.ends_with(text),
            Self::Equals => value == text,
            Self::Within => is_in(value, text),
        }
    }
}

/// Longest text that is searched without preparing for it, and longest word whose occurrences are each looked for anew.
const SHORT: usize = 256;

/// Whether a text is somewhere in another.
fn is_in(needle: &[u8], text: &[u8]) -> bool {
    // Lists of methods, versions and names are searched in less time than preparing for it takes. What is in them often
    // begins with the sign that stands between two, so the second byte tells more.
    match needle.get(1).filter(|_| text.len() <= SHORT) {
        None => needle.len() <= text.len() && memmem::find(text, needle).is_some(),
        Some(second) => {
            let seconds = text.get(1..(text.len() + 2).saturating_sub(needle.len())).unwrap_or_default();
            let part = |at: usize| text.get(at..at + needle.len());
            memchr::memchr_iter(*second, seconds).any(|at| part(at).is_some_and(|part| equal(part, needle)))
        }
    }
}

/// A comparison with text known from the start.
#[derive(Debug)]
pub(super) enum Prepared {
    Contains(Box<Finder<'static>>),
    ContainsWord(Box<Finder<'static>>),
    Other(Comparison, Box<[u8]>),
}

impl Prepared {
    pub(super) fn new(comparison: Comparison, text: &[u8]) -> Self {
        let finder = || Box::new(Finder::new(text).into_owned());
        match comparison {
            Comparison::Contains => Self::Contains(finder()),
            Comparison::ContainsWord => Self::ContainsWord(finder()),
            _ => Self::Other(comparison, text.into()),
        }
    }

    pub(super) fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Contains(text) => text.find(value).is_some(),
            Self::ContainsWord(text) => contains_word(value, text),
            Self::Other(comparison, text) => comparison.holds(value, text),
        }
    }
}

/// Whether the text is in the value with no ASCII letter on either side (ModSecurity v3). Empty text is
/// in every value, other text in no empty one.
fn contains_word(value: &[u8], text: &Finder<'_>) -> bool {
    let needle = text.needle();
    if needle.is_empty() {
        return true;
    }
    if needle.len() > SHORT {
        return text.find(value).is_some_and(|at| contains_long_word(value, needle, at));
    }
    // Where one occurrence fails, the next that may succeed begins after a byte that is no letter,
    // and within the occurrence those are known.
    let inner = needle.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(needle.len() - 1);
    let mut start = 0;
    while let Some(found) = value.get(start..).and_then(|rest| text.find(rest)) {
        let at = start + found;
        if stands_alone(value, at, needle.len()) {
            return true;
        }
        start = at + inner + 1;
    }
    false
}

/// Whether no ASCII letter is on either side of a part of the value.
fn stands_alone(value: &[u8], at: usize, length: usize) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(u8::is_ascii_alphabetic);
    !letter(at.checked_sub(1)) && !letter(Some(at + length))
}

/// The same from `from` on in time that is linear in both, however often the text overlaps itself (Knuth, Morris,
/// Pratt): a client may supply both.
fn contains_long_word(value: &[u8], needle: &[u8], from: usize) -> bool {
    let borders = borders(needle);
    let mut fitting = 0;
    for (at, byte) in value.iter().enumerate().skip(from) {
        fitting = extend(needle, &borders, fitting, *byte);
        if fitting == needle.len() {
            if stands_alone(value, at + 1 - fitting, fitting) {
                return true;
            }
            fitting = borders.get(fitting).copied().unwrap_or(0);
        }
    }
    false
}

/// Of each beginning of the text the length of its longest proper part that it both begins and ends with.
fn borders(needle: &[u8]) -> Vec<usize> {
    let mut borders = Vec::with_capacity(needle.len() + 1);
    borders.extend([0, 0]);
    let mut fitting = 0;
    for byte in needle.iter().skip(1) {
        fitting = extend(needle, &borders, fitting, *byte);
        borders.push(fitting);
    }
    borders
}

/// How much of the text's beginning fits after one more byte.
fn extend(needle: &[u8], borders: &[usize], mut fitting: usize, byte: u8) -> usize {
    loop {
        if needle.get(fitting) == Some(&byte) {
            return fitting + 1;
        }
        if fitting == 0 {
            return 0;
        }
        fitting = borders.get(fitting).copied().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(comparison: Comparison, value: &str, text: &str) -> bool {
        let known = Prepared::new(comparison, text.as_bytes()).holds(value.as_bytes());
        assert_eq!(known, comparison.holds(value.as_bytes(), text.as_bytes()));
        known
    }

    #[test]
    fn comparisons() {
        use Comparison::{BeginsWith, Contains, ContainsWord, EndsWith, Equals, Within};
        for (comparison, value, text, expected) in [
            (BeginsWith, "abc", "", true),
            (BeginsWith, "abc", "ab", true),
            (BeginsWith, "ABc", "ab", false),
            (BeginsWith, "xab", "ab", false),
            (Contains, "", "", true),
            (Contains, "xaby", "ab", true),
            (Contains, "xAby", "ab", false),
            (ContainsWord, "", "", true),
            (ContainsWord, "", "a", false),
            (ContainsWord, "xaby", "ab", false),
            (ContainsWord, "x ab.", "ab", true),
            (ContainsWord, "xab ab", "ab", true),
            (ContainsWord, "1ab2", "ab", true),
            (ContainsWord, "xa-a-a", "a-a", true),
            (ContainsWord, "xa-ay", "a-a", false),
            (ContainsWord, "\u{e9}ab", "ab", true),
            (EndsWith, "abc", "bc", true),
            (EndsWith, "abc", "", true),
            (EndsWith, "abcd", "bc", false),
            (Equals, "abc", "abc", true),
            (Equals, "abc", "Abc", false),
            (Within, "", "", true),
            (Within, "", "GET POST", true),
            (Within, "GET", "GET POST", true),
            (Within, "GET POST PUT", "GET POST", false),
        ] {
            assert_eq!(check(comparison, value, text), expected, "{comparison:?} {value:?} {text:?}");
        }
    }

    #[test]
    fn many_overlapping_occurrences_of_a_long_word_take_linear_time() {
        let word = b"-a".repeat(1 << 18);
        // Each occurrence stands after a letter and none succeeds.
        let mut value = b"a-".repeat(1 << 19);
        assert!(!Comparison::ContainsWord.holds(&value, &word));
        value.extend_from_slice(b" ");
        value.extend_from_slice(&word);
        assert!(Comparison::ContainsWord.holds(&value, &word));
    }

    proptest! {
        #[test]
        fn text_is_found_as_by_trying_every_place(value in "[ab]{0,9}", text in "[ab]{0,300}") {
            let (value, text) = (value.as_bytes(), text.as_bytes());
            let expected = value.is_empty() || text.windows(value.len()).any(|part| part == value);
            prop_assert_eq!(Comparison::Within.holds(value, text), expected);
            prop_assert_eq!(Comparison::Contains.holds(text, value), expected);
        }

        #[test]
        fn long_words_are_found_as_short_ones(value in "[ab-]{1,40}", text in "[ab-]{1,6}") {
            let (value, text) = (value.as_bytes(), text.as_bytes());
            let found = memmem::find(value, text).is_some_and(|at| contains_long_word(value, text, at));
            prop_assert_eq!(found, Comparison::ContainsWord.holds(value, text));
        }

        #[test]
        fn words_are_found_as_by_trying_every_place(value in "[ab-]{0,20}", text in "[ab-]{0,4}") {
            let (value, text) = (value.as_bytes(), text.as_bytes());
            let letter = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphabetic);
            let expected = text.is_empty()
                || (0..value.len()).any(|at| {
                    value[at..].starts_with(text)
                        && !letter(value[..at].last())
                        && !letter(value.get(at + text.len()))
                });
            prop_assert_eq!(Comparison::ContainsWord.holds(value, text), expected);
        }
    }
}
