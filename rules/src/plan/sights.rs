//! What conditions look at, so that equal looks are taken once.
//!
//! A sight is a target seen through a chain of transformations, or several of them. For each, evaluation works
//! out once per phase which screened operators can match anything in it; a rule whose operator is not among
//! them is passed over without looking at a single value.

use std::collections::BTreeMap;
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::bits::put;
use super::grouped::Grouped;
use super::pipeline::PipelineId;
use super::prefilter::Screened;
use super::slots::Slots;
use super::targets::{Keys, TargetPlan, Targets};
use super::views::ViewId;
use crate::model::{Target, TargetMode, Variable};

/// Which sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SightId(pub(crate) u32);

/// Which target, whatever it is seen through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetId(pub(crate) u32);

/// Which [family](Sights::family) of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FamilyId(pub(crate) u32);

/// What is looked at.
#[derive(Debug)]
pub(crate) enum Sight {
    /// The elements of one target.
    One {
        target: TargetId,
        pipeline: PipelineId,
        /// Each stage of the transformations counts.
        multi_match: bool,
    },
    /// The elements of several targets, each with the sight that is of it alone: a range of [`Sights::parts`].
    Many(Range<usize>),
}

/// An operator tested on a sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GateId(pub(crate) u32);

/// All sights of a plan, each once.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    all: Vec<Sight>,
    targets: Vec<TargetPlan>,
    target_ids: FxHashMap<Vec<Target>, TargetId>,
    /// Targets that look at all elements of one collection, but for what they exclude; where there are several.
    families: Vec<Vec<TargetId>>,
    /// Per target, its family.
    family_of: Vec<Option<FamilyId>>,
    /// The parts of sights of several targets.
    parts: Vec<(TargetId, SightId)>,
    /// Per sight, the operators that are tested on it, and their gates.
    tests: Grouped<(Screened, GateId)>,
    /// Per target, the sights that are of it alone.
    of_targets: Grouped<SightId>,
    /// Per sight of one target, those that it is a part of.
    wholes: Grouped<SightId>,
    /// Per sight, one bit for each operator that is tested on it, or on one that it is a part of.
    wanted: Vec<u64>,
    /// What each gate is of.
    gates: Vec<(SightId, Screened)>,
    /// Words for one bit of each operator.
    words: usize,
    gate_ids: FxHashMap<(SightId, Screened), GateId>,
    ids: FxHashMap<(Vec<Target>, PipelineId, bool), SightId>,
}

/// Targets times exclusions of a condition that is taken for a sight.
const MOST_EXCLUDED: usize = 65_536;

impl Sights {
    /// The sight of a variable list; `None` when rules can change what it shows while a phase runs.
    pub(crate) fn intern(
        &mut self,
        targets: &[Target],
        pipeline: PipelineId,
        multi_match: bool,
        slots: &mut Slots,
    ) -> Option<SightId> {
        let inspected: Vec<&Target> =
            targets.iter().filter(|target| target.mode != TargetMode::Exclude).collect();
        if inspected.iter().any(|target| target.variable.is_volatile() || target.mode == TargetMode::Count) {
            return None;
        }
        // Each target has its exclusions beside it: of many, each is looked at as it stands.
        if inspected.len().saturating_mul(targets.len() - inspected.len()) > MOST_EXCLUDED {
            return None;
        }
        let parts = inspected.iter().map(|&target| {
            // A target with the exclusions that concern it.
            let own =
                |other: &&Target| other.mode == TargetMode::Exclude && other.variable == target.variable;
            let list: Vec<Target> =
                std::iter::once(target).chain(targets.iter().filter(own)).cloned().collect();
            let target = self.target(&list, slots)?;
            let one =
                self.add((list, pipeline, multi_match), Sight::One { target, pipeline, multi_match })?;
            Some((target, one))
        });
        let parts: Vec<(TargetId, SightId)> = parts.collect::<Option<_>>()?;
        if let [(_, one)] = parts.as_slice() {
            return Some(*one);
        }
        let key = (targets.to_vec(), pipeline, multi_match);
        if let Some(&id) = self.ids.get(&key) {
            return Some(id);
        }
        let from = self.parts.len();
        self.parts.extend(parts);
        self.add(key, Sight::Many(from..self.parts.len()))
    }

    fn target(&mut self, list: &[Target], slots: &mut Slots) -> Option<TargetId> {
        if let Some(&id) = self.target_ids.get(list) {
            return Some(id);
        }
        let target = Targets::new(list, &[], slots).list.into_vec().pop()?;
        let id = TargetId(u32::try_from(self.targets.len()).unwrap_or(u32::MAX));
        self.targets.push(target);
        self.target_ids.insert(list.to_vec(), id);
        Some(id)
    }

    fn add(&mut self, key: (Vec<Target>, PipelineId, bool), sight: Sight) -> Option<SightId> {
        if let Some(&id) = self.ids.get(&key) {
            return Some(id);
        }
        let id = SightId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(sight);
        self.ids.insert(key, id);
        Some(id)
    }

    pub(crate) fn get(&self, id: SightId) -> Option<&Sight> {
        self.all.get(id.0 as usize)
    }

    /// The gate of an operator that is tested on what a sight shows.
    pub(crate) fn gate(&mut self, sight: SightId, operator: Screened) -> GateId {
        let next = GateId(u32::try_from(self.gates.len()).unwrap_or(u32::MAX));
        let id = *self.gate_ids.entry((sight, operator)).or_insert(next);
        if id == next {
            self.gates.push((sight, operator));
        }
        id
    }

    fn find_families(&mut self) {
        self.family_of = vec![None; self.targets.len()];
        let mut members: BTreeMap<Variable, Vec<TargetId>> = BTreeMap::new();
        for (target, id) in self.targets.iter().zip((0..).map(TargetId)) {
            if matches!(target.keys, Keys::All) && !target.is_scalar() && !target.is_void() {
                members.entry(target.variable).or_default().push(id);
            }
        }
        for targets in members.into_values().filter(|targets| targets.len() > 1) {
            let family = FamilyId(u32::try_from(self.families.len()).unwrap_or(u32::MAX));
            for target in &targets {
                self.family_of.get_mut(target.0 as usize).into_iter().for_each(|of| *of = Some(family));
            }
            self.families.push(targets);
        }
    }

    /// To be called when all sights and gates are known. `words` are for one bit of each operator.
    pub(crate) fn finish(&mut self, words: usize) {
        self.find_families();
        self.words = words;
        self.wanted = vec![0; words * self.all.len()];
        for &(sight, operator) in &self.gates {
            let parts = match self.all.get(sight.0 as usize) {
                Some(Sight::Many(parts)) => self.parts.get(parts.clone()).unwrap_or_default(),
                _ => &[],
            };
            for place in parts.iter().map(|(_, part)| part).chain([&sight]) {
                let wanted = self.wanted.get_mut(place.0 as usize * words..).unwrap_or_default();
                put(wanted, operator.0 as usize);
            }
        }
        let tests = self.gates.iter().zip((0..).map(GateId));
        let tests = tests.map(|(&(sight, operator), gate)| (sight.0 as usize, (operator, gate)));
        self.tests = Grouped::new(self.all.len(), tests.collect());
        let of_targets = self.all.iter().zip((0..).map(SightId)).filter_map(|(sight, id)| match sight {
            Sight::One { target, .. } => Some((target.0 as usize, id)),
            Sight::Many(_) => None,
        });
        self.of_targets = Grouped::new(self.targets.len(), of_targets.collect());
        let wholes = self.all.iter().zip((0..).map(SightId)).flat_map(|(sight, whole)| {
            let parts = match sight {
                Sight::Many(parts) => self.parts(parts),
                Sight::One { .. } => &[],
            };
            parts.iter().map(move |(_, part)| (part.0 as usize, whole))
        });
        self.wholes = Grouped::new(self.all.len(), wholes.collect());
    }

    /// The parts of a sight of several targets.
    pub(crate) fn parts(&self, range: &Range<usize>) -> &[(TargetId, SightId)] {
        self.parts.get(range.clone()).unwrap_or_default()
    }

    /// What a sight consists of: sights of one target each.
    pub(crate) fn looks(&self, id: SightId) -> impl Iterator<Item = (TargetId, SightId)> {
        let (one, parts) = match self.get(id) {
            Some(Sight::One { target, .. }) => (Some((*target, id)), &[][..]),
            Some(Sight::Many(parts)) => (None, self.parts(parts)),
            None => (None, &[][..]),
        };
        one.into_iter().chain(parts.iter().copied())
    }

    /// The sights that a sight of one target is a part of.
    pub(crate) fn wholes(&self, id: SightId) -> &[SightId] {
        self.wholes.get(id.0 as usize)
    }

    /// The sights that are of a target alone.
    pub(crate) fn of_target(&self, id: TargetId) -> &[SightId] {
        self.of_targets.get(id.0 as usize)
    }

    /// The operators that are tested on a sight, and their gates. Most sights have few.
    pub(crate) fn tests(&self, id: SightId) -> &[(Screened, GateId)] {
        self.tests.get(id.0 as usize)
    }

    /// The operators that are tested on a sight, or on one that it is a part of: one bit each.
    pub(crate) fn wanted(&self, id: SightId) -> &[u64] {
        let words = self.operator_words();
        let from = id.0 as usize * words;
        self.wanted.get(from..from + words).unwrap_or_default()
    }

    /// How many gates there are.
    pub(crate) fn gates(&self) -> usize {
        self.gates.len()
    }

    /// Words for one bit of each operator that is tested.
    pub(crate) fn operator_words(&self) -> usize {
        self.words
    }

    /// The place of a gate of a view, among those of all views.
    #[inline]
    pub(crate) fn gate_place(&self, gate: GateId, view: ViewId) -> usize {
        view.0 as usize * self.gates() + gate.0 as usize
    }

    pub(crate) fn target_plan(&self, id: TargetId) -> Option<&TargetPlan> {
        self.targets.get(id.0 as usize)
    }

    /// The place of what a sight shows to a view, among those of all targets and then all sights, per view.
    pub(crate) fn place(&self, sight: SightId, view: ViewId, views: usize) -> usize {
        self.targets() * views + view.0 as usize * self.len() + sight.0 as usize
    }

    /// The family of a target: those that look at all elements of the same collection. Most elements matter to none of
    /// them.
    #[inline]
    pub(crate) fn family(&self, target: TargetId) -> Option<FamilyId> {
        self.family_of.get(target.0 as usize).copied().flatten()
    }

    /// The targets of a family.
    pub(crate) fn members(&self, family: FamilyId) -> &[TargetId] {
        self.families.get(family.0 as usize).map_or(&[], Vec::as_slice)
    }

    /// How many families there are.
    pub(crate) fn families(&self) -> usize {
        self.families.len()
    }

    /// How many targets there are.
    pub(crate) fn targets(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
