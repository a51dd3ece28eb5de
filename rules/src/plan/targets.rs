//! Variable lists compiled: what a condition looks at.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::constants::Constant;
use super::slots::{Slots, StoreKey, XmlPlace};
use super::text::store_of;
use crate::model::{Selector, Shape, Store, Target, TargetMode, Variable};
use crate::xpath::Namespace;

/// What a condition looks at, in order.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    pub(crate) list: Box<[TargetPlan]>,
}

/// One variable with what is left out of it.
#[derive(Clone, Debug)]
pub(crate) struct TargetPlan {
    pub(crate) variable: Variable,
    pub(crate) keys: Keys,
    /// Test the number of elements instead of the elements.
    pub(crate) count: bool,
    /// Elements that don't count.
    pub(crate) excluded: Arc<[Keys]>,
    /// It is a pattern for keys of a store that finds none of those that the policy names.
    pub(crate) only_made: bool,
}

/// Which elements of a collection are meant.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    All,
    /// Compared without regard to case; with the name in lower case, where the policy names it.
    Named(Box<[u8]>, Option<Constant>),
    /// A key of a store.
    Stored(Store, StoreKey),
    /// Found anywhere in the key, without regard to case.
    Pattern(KeyPattern),
    /// With the place of what it selects; exclusions have none, they are about the same text.
    XPath(Box<[u8]>, Option<XmlPlace>),
}

impl Keys {
    /// Whether the element `key` of an ordinary collection is meant.
    pub(crate) fn include(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Named(name, _) => name.eq_ignore_ascii_case(key),
            Self::Stored(_, stored) => stored.name.eq_ignore_ascii_case(key),
            Self::Pattern(pattern) => pattern.is_match(key),
            Self::XPath(path, _) => **path == *key,
        }
    }

    /// A selector of a variable, compiled. A pattern that doesn't compile means no element; front ends
    /// have refused such patterns before.
    pub(crate) fn new(variable: Variable, selector: &Selector, slots: &mut Slots) -> Option<Self> {
        Some(match selector {
            Selector::All => Self::All,
            Selector::Key(key) => match store_of(variable) {
                Some(store) => Self::Stored(store, slots.intern(store, key)),
                None => Self::Named(key.as_slice().into(), Some(slots.constant(&key.to_ascii_lowercase()))),
            },
            Selector::Regex(pattern) => Self::Pattern(KeyPattern::new(pattern)?),
            Selector::XPath(path) => Self::XPath(path.as_slice().into(), None),
        })
    }
}

/// The pattern of a `/regex/` selector. Many are no more than a word, for which nothing need be compiled.
#[derive(Clone, Debug)]
pub(crate) enum KeyPattern {
    /// The key begins with this.
    Begins(Box<[u8]>),
    /// This is somewhere in the key.
    Holds(Box<[u8]>),
    Regex(Arc<Regex>),
}

impl KeyPattern {
    fn new(pattern: &[u8]) -> Option<Self> {
        Self::word(pattern).or_else(|| selector_pattern(pattern).map(|regex| Self::Regex(Arc::new(regex))))
    }

    /// A pattern that is no more than a word.
    fn word(pattern: &[u8]) -> Option<Self> {
        let (anchored, word) = match pattern {
            [b'^', rest @ ..] => (true, rest),
            _ => (false, pattern),
        };
        // What may be there or not makes no difference at the end.
        let word = match word {
            [word @ .., _, b'*'] => word,
            _ => word,
        };
        let plain = word.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        plain.then(|| if anchored { Self::Begins(word.into()) } else { Self::Holds(word.into()) })
    }

    pub(crate) fn is_match(&self, key: &[u8]) -> bool {
        match self {
            Self::Begins(word) => {
                let first = |text: &[u8]| text.first().map(u8::to_ascii_lowercase);
                let begins = |start: &[u8]| first(start) == first(word) && start.eq_ignore_ascii_case(word);
                key.get(..word.len()).is_some_and(begins)
            }
            Self::Holds(word) => {
                word.is_empty() || key.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
            }
            Self::Regex(regex) => regex.is_match(key),
        }
    }
}

/// Whether an exclusion can take anything away from a target, as far as that is told at a glance.
pub(crate) fn reaches(excluded: &Target, target: &Target) -> bool {
    excluded.variable == target.variable
        && match (&excluded.selector, &target.selector) {
            (Selector::Key(one), Selector::Key(other)) => one.eq_ignore_ascii_case(other),
            (Selector::Regex(pattern), Selector::Key(key))
            | (Selector::Key(key), Selector::Regex(pattern)) => {
                KeyPattern::word(pattern).is_none_or(|word| word.is_match(key))
            }
            (Selector::XPath(one), Selector::XPath(other)) => one == other,
            _ => true,
        }
}

/// Compiles the pattern of a `/regex/` selector.
fn selector_pattern(pattern: &[u8]) -> Option<Regex> {
    let pattern = std::str::from_utf8(pattern).ok()?;
    Regex::builder()
        .syntax(
            syntax::Config::new()
                .unicode(false)
                .utf8(false)
                .case_insensitive(true)
                .dot_matches_new_line(true),
        )
        .configure(Regex::config().utf8_empty(false).nfa_size_limit(Some(crate::limits::REGEX_BYTES)))
        .build(pattern)
        .ok()
}

impl Targets {
    pub(crate) fn new(targets: &[Target], namespaces: &[Namespace], slots: &mut Slots) -> Self {
        // The exclusions of a variable are shared by all that is looked at of it.
        let mut exclusions: BTreeMap<Variable, Vec<Keys>> = BTreeMap::new();
        for target in targets.iter().filter(|target| target.mode == TargetMode::Exclude) {
            let keys = Keys::new(target.variable, &target.selector, slots);
            exclusions.entry(target.variable).or_default().extend(keys);
        }
        let exclusions: BTreeMap<Variable, Arc<[Keys]>> =
            exclusions.into_iter().map(|(variable, keys)| (variable, keys.into())).collect();
        let list = targets.iter().filter(|target| target.mode != TargetMode::Exclude).filter_map(|target| {
            let excluded = exclusions.get(&target.variable).cloned().unwrap_or_default();
            slots.note(target.variable);
            let keys = match &target.selector {
                Selector::XPath(path) => {
                    Keys::XPath(path.as_slice().into(), Some(slots.xpath(path, namespaces)?))
                }
                selector => Keys::new(target.variable, selector, slots)?,
            };
            Some(TargetPlan {
                variable: target.variable,
                keys,
                count: target.mode == TargetMode::Count,
                excluded,
                only_made: false,
            })
        });
        Self { list: list.collect() }
    }
}

impl Targets {
    /// To be called when all keys are known that the policy names.
    pub(super) fn note_keys(&mut self, slots: &Slots) {
        for target in &mut self.list {
            let Keys::Pattern(pattern) = &target.keys else { continue };
            target.only_made = store_of(target.variable)
                .is_some_and(|store| !slots.keys(store).any(|key| pattern.is_match(key)));
        }
    }
}

impl TargetPlan {
    /// Whether the variable as a whole is left out.
    pub(crate) fn is_void(&self) -> bool {
        self.excluded.iter().any(|keys| matches!(keys, Keys::All))
    }

    /// Whether it is a single value rather than a collection.
    pub(crate) fn is_scalar(&self) -> bool {
        self.variable.shape() == Shape::Scalar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_no_regular_expression() {
        let keys: [&[u8]; 7] =
            [b"", b"paramcounter_x", b"X_PARAMCOUNTER_", b"paramcounte", b"a-b", b"A-", b"\xff"];
        for (pattern, is_word) in [
            ("^paramcounter_", true),
            ("paramcounter_.*", true),
            ("PARAMCOUNTER_*", true),
            ("^", true),
            ("a-", true),
            ("a.b", false),
            (r"^\w+$", false),
            ("[a]*", false),
            ("a+", false),
        ] {
            let regex = selector_pattern(pattern.as_bytes()).unwrap();
            let compiled = KeyPattern::new(pattern.as_bytes()).unwrap();
            assert_eq!(!matches!(compiled, KeyPattern::Regex(_)), is_word, "{pattern}");
            for key in keys {
                assert_eq!(compiled.is_match(key), regex.is_match(key), "{pattern} {key:?}");
            }
        }
    }
}
