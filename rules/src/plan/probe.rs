//! Conditions that fail at a glance.
//!
//! Most rules that no gate stands before look at one header, one scalar or one score, and fail for a reason that a few
//! instructions can tell: the header is not there, the number is not reached, the operator is known not to match a value
//! that keeps coming back. A probe is what it takes to tell, in one small piece; a phase has those of its rules side by
//! side, so that most rules are passed over without being touched.

use super::constants::Constant;
use super::features::Features;
use super::pipeline::PipelineId;
use super::pure::Pure;
use super::slots::Slot;
use super::targets::{Keys, TargetPlan, Targets};
use crate::model::{Store, Variable};
use crate::operators::{NumberTest, Operator};

/// What it takes to tell at a glance that a condition fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) variable: Variable,
    pub(crate) of: Probed,
    pub(crate) test: Test,
    pub(crate) negated: bool,
    /// The condition's transformations, and what is about a value that they change.
    pub(crate) pipeline: PipelineId,
    pub(crate) touched_by: Features,
}

/// Which values of its variable a condition looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probed {
    /// Its only one, which is stored as it is.
    Scalar,
    /// A key of a store.
    Stored(Store, Slot),
    /// Whether it is there, as a number.
    StoredCount(Store, Slot),
    /// The elements with this name in lower case.
    Named(Constant),
    /// Their number.
    NamedCount(Constant),
    /// The number of all elements.
    Count,
}

/// How a value is tested.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    Number(NumberTest),
    /// By what is known of the value, if anything is.
    Remembered(Pure),
}

impl Probe {
    /// The probe of a condition, if it is simple enough.
    pub(super) fn new(
        targets: &Targets,
        operator: &Operator,
        pure: Option<Pure>,
        negated: bool,
        (pipeline, touched_by): (PipelineId, Features),
    ) -> Option<Self> {
        let [target] = &*targets.list else { return None };
        let of = probed(target)?;
        let test = operator.number().map(Test::Number).or(pure.map(Test::Remembered))?;
        // Transformations are of counts as well, which are not stored.
        let is_fit = !target.count || touched_by == Features::NONE && matches!(test, Test::Number(_));
        is_fit.then_some(Self { variable: target.variable, of, test, negated, pipeline, touched_by })
    }
}

fn probed(target: &TargetPlan) -> Option<Probed> {
    let count = target.count;
    if !target.excluded.is_empty() {
        return None;
    }
    Some(match target.keys {
        Keys::Stored(store, ref key) if count => Probed::StoredCount(store, key.slot),
        Keys::Stored(store, ref key) => Probed::Stored(store, key.slot),
        Keys::Named(_, Some(name)) if count => Probed::NamedCount(name),
        Keys::Named(_, Some(name)) => Probed::Named(name),
        Keys::All if target.is_scalar() && !count && !target.variable.is_made_when_asked() => Probed::Scalar,
        Keys::All if !target.is_scalar() && count => Probed::Count,
        _ => return None,
    })
}
