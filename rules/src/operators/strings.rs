//! Comparisons with text. All are of bytes, and case counts.

use memchr::memmem::{self, Finder};

use crate::copy::equal;
use crate::limits;

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

/// Longest text that is searched without preparing for it.
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
    let letter = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(u8::is_ascii_alphabetic);
    // Where one occurrence fails, the next that may succeed begins after a byte that is no letter,
    // and within the occurrence those are known.
    let inner = needle.iter().position(|b| !b.is_ascii_alphabetic()).unwrap_or(needle.len() - 1);
    let tries = if needle.len() <= limits::WORD_BYTES { usize::MAX } else { limits::WORD_OCCURRENCES };
    let mut start = 0;
    for _ in 0..tries {
        let Some(found) = value.get(start..).and_then(|rest| text.find(rest)) else { return false };
        let at = start + found;
        if !letter(at.checked_sub(1)) && !letter(Some(at + needle.len())) {
            return true;
        }
        start = at + inner + 1;
    }
    false
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
    fn many_overlapping_occurrences_of_a_long_word_are_given_up() {
        let word = b"-a".repeat(1 << 14);
        // Each occurrence stands after a letter and none succeeds; there are more than are tried.
        let mut value = b"a-".repeat(1 << 15);
        assert!(!Comparison::ContainsWord.holds(&value, &word));
        value.extend_from_slice(b" ");
        value.extend_from_slice(&word);
        assert!(!Comparison::ContainsWord.holds(&value, &word));
        assert!(Comparison::ContainsWord.holds(value.get(1 << 16..).unwrap(), &word));
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
