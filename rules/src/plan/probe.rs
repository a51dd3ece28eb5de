//! Conditions that fail at a glance.
//!
//! Most rules that no gate stands before look at one header, one scalar or one score, and fail for a reason that a few
//! instructions can tell: the header is not there, the number is not reached, the operator is known not to match a value
//! that keeps coming back; or there are no arguments, cookies or files that it could look at. A probe is what it takes to
//! tell, in one small piece; a phase has those of its rules side by side, so that most rules are passed over without
//! being touched.

use super::constants::Constant;
use super::features::Features;
use super::pipeline::PipelineId;
use super::pure::Pure;
use super::slots::Slot;
use super::targets::{Keys, TargetPlan, Targets};
use super::text::store_of;
use crate::model::{Store, Variable};
use crate::operators::{NumberTest, Operator};

/// What it takes to tell at a glance that a condition fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// What is known of the values that it looks at.
    Known(Glance),
    /// That none of these collections has an element.
    Nothing([Option<Variable>; MOST_COLLECTIONS]),
}

/// Most collections that a condition looks at for it to have a probe.
const MOST_COLLECTIONS: usize = 6;

/// A look at the values of one variable.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
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
    /// The probe of a condition that looks at these targets, if it is simple enough.
    pub(super) fn new(targets: &Targets, glance: Option<Glance>) -> Option<Self> {
        glance.map(Self::Known).or_else(|| collections(targets).map(Self::Nothing))
    }
}

impl Glance {
    /// What tells whether a condition fails, if one target is all that it looks at. It must not have `multiMatch`.
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

/// The collections that targets look at, if they look at nothing else.
fn collections(targets: &Targets) -> Option<[Option<Variable>; MOST_COLLECTIONS]> {
    let mut collections = [None; MOST_COLLECTIONS];
    for target in &targets.list {
        let is_stored = matches!(target.keys, Keys::Stored(..)) || store_of(target.variable).is_some();
        if target.is_scalar() || target.count || is_stored && !target.only_made {
            return None;
        }
        let place =
            collections.iter_mut().find(|place| place.is_none_or(|known| known == target.variable))?;
        *place = Some(target.variable);
    }
    Some(collections)
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
