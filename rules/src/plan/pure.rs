//! What depends on nothing but a value, and costs enough to be remembered of it.

use rustc_hash::FxHashMap;

use crate::operators::{Operator, OperatorName};

/// Number of a question that a value's bytes alone decide: whether an operator matches, and equal operators share one;
/// whether a relay comes to anything by it; or whether it matters nothing as an element of a target, or of
/// any of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pure(pub(crate) u32);

/// An operator by its name and argument: as written, which for some is all there is, and as it is expanded.
type Asked = (OperatorName, Box<[u8]>, Box<[u8]>);

/// The numbers of operators whose results are remembered.
#[derive(Debug, Default)]
pub(crate) struct PureOperators {
    ids: FxHashMap<Asked, Pure>,
    count: u32,
}

impl PureOperators {
    /// The number of an operator, if it has one.
    pub(super) fn number(&mut self, operator: &Operator) -> Option<Pure> {
        if !is_pure(operator) {
            return None;
        }
        let next = Pure(self.count);
        let expanded = operator.argument().as_literal().unwrap_or_default();
        let key = (operator.name(), operator.raw_argument().into(), expanded.into());
        let number = if operator.name().names_file() { next } else { *self.ids.entry(key).or_insert(next) };
        if number == next {
            self.count += 1;
        }
        Some(number)
    }

    /// The number of a question that is no operator's.
    pub(super) fn question(&mut self) -> Pure {
        self.count += 1;
        Pure(self.count - 1)
    }

    /// How many numbers there are.
    pub(super) fn len(&self) -> usize {
        self.count as usize
    }
}

/// Whether a result is worth remembering: it costs more than to look it up, and nothing but the value decides it.
fn is_pure(operator: &Operator) -> bool {
    use OperatorName as O;
    let cheap = matches!(operator.name(), O::NoMatch | O::UnconditionalMatch) || operator.number().is_some();
    !cheap && !operator.needs_transaction() && operator.argument().as_literal().is_some()
}
