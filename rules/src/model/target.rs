//! What a condition looks at: variables with selectors, counts and exclusions.

use super::Variable;

/// One item of a rule's variable list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The variable.
    pub variable: Variable,
    /// Which of its elements.
    pub selector: Selector,
    /// What is done with them.
    pub mode: TargetMode,
}

/// What a target contributes to its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetMode {
    /// Each element's value is tested.
    Inspect,
    /// `&`: the number of elements, after exclusions, is tested.
    Count,
    /// `!`: the elements are taken out of the rule's other targets, wherever those stand.
    Exclude,
}

/// Which elements of a collection a target means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// All elements, or the value of a scalar.
    All,
    /// The elements with this key, compared without regard to case. The text is as written.
    Key(Vec<u8>),
    /// The elements whose key matches this pattern (between the slashes, as written); unanchored and
    /// without regard to case.
    Regex(Vec<u8>),
    /// `XML:` only: an [XPath](crate::xpath).
    XPath(Vec<u8>),
}

impl Target {
    /// Every element of `variable`, inspected.
    #[must_use]
    pub fn all(variable: Variable) -> Self {
        Self { variable, selector: Selector::All, mode: TargetMode::Inspect }
    }
}
