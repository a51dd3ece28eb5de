//! Variable lists compiled: what a condition looks at.

use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

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
    pub(crate) excluded: Box<[Keys]>,
}

/// Which elements of a collection are meant.
#[derive(Clone, Debug)]
pub(crate) enum Keys {
    All,
    /// Compared without regard to case.
    Named(Box<[u8]>),
    /// A key of a store.
    Stored(Store, StoreKey),
    /// Found anywhere in the key, without regard to case.
    Pattern(Arc<Regex>),
    /// With the place of what it selects; exclusions have none, they are about the same text.
    XPath(Box<[u8]>, Option<XmlPlace>),
}

impl Keys {
    /// Whether the element `key` of an ordinary collection is meant.
    pub(crate) fn include(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Named(name) => name.eq_ignore_ascii_case(key),
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
                None => Self::Named(key.as_slice().into()),
            },
            Selector::Regex(pattern) => Self::Pattern(Arc::new(selector_pattern(pattern)?)),
            Selector::XPath(path) => Self::XPath(path.as_slice().into(), None),
        })
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
        let list = targets.iter().filter(|target| target.mode != TargetMode::Exclude).filter_map(|target| {
            let excluded = targets
                .iter()
                .filter(|other| other.mode == TargetMode::Exclude && other.variable == target.variable)
                .filter_map(|other| Keys::new(other.variable, &other.selector, slots))
                .collect();
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
            })
        });
        Self { list: list.collect() }
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
