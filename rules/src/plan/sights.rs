//! What conditions look at, so that equal looks are taken once.
//!
//! A sight is a target seen through a chain of transformations, or several of them. For each, evaluation works
//! out once per phase which screened operators can match anything in it; a rule whose operator is not among
//! them is passed over without looking at a single value.

use rustc_hash::FxHashMap;

use super::bits::Bits;
use super::pipeline::PipelineId;
use super::prefilter::Screened;
use super::slots::Slots;
use super::targets::{TargetPlan, Targets};
use super::views::ViewId;
use crate::model::{Target, TargetMode};

/// Which sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SightId(pub(crate) u32);

/// Which target, whatever it is seen through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetId(pub(crate) u32);

/// Which list of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListId(pub(crate) u32);

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
    /// The elements of several targets, each with the sight that is of it alone.
    Many { list: ListId, parts: Box<[SightId]> },
}

/// An operator tested on a sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct GateId(pub(crate) u32);

/// What is tested on a sight.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    /// Operators of its own gates, in order.
    gates: Box<[(Screened, GateId)]>,
    /// Operators of these, and of sights that it is a part of: one bit each.
    wanted: Bits,
}

impl Tests {
    /// Whether an operator is tested on what the sight shows, by itself or as a part of another.
    #[inline]
    pub(crate) fn want(&self, operator: Screened) -> bool {
        self.wanted.contains(operator.0 as usize)
    }

    /// The gate of an operator, if the sight has one.
    #[inline]
    pub(crate) fn gate(&self, operator: Screened) -> Option<GateId> {
        let place = self.gates.binary_search_by_key(&operator, |gate| gate.0).ok()?;
        self.gates.get(place).map(|gate| gate.1)
    }
}

/// All sights of a plan, each once.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    all: Vec<Sight>,
    targets: Vec<TargetPlan>,
    target_ids: FxHashMap<Vec<Target>, TargetId>,
    lists: Vec<Box<[TargetId]>>,
    list_ids: FxHashMap<Box<[TargetId]>, ListId>,
    /// Per sight.
    tests: Vec<Tests>,
    /// What each gate is of.
    gates: Vec<(SightId, Screened)>,
    gate_ids: FxHashMap<(SightId, Screened), GateId>,
    ids: FxHashMap<(Vec<Target>, PipelineId, bool), SightId>,
}

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
        let list = self.list(parts.iter().map(|(target, _)| *target).collect());
        let parts = parts.into_iter().map(|(_, part)| part).collect();
        self.add((targets.to_vec(), pipeline, multi_match), Sight::Many { list, parts })
    }

    fn list(&mut self, targets: Box<[TargetId]>) -> ListId {
        let next = ListId(u32::try_from(self.lists.len()).unwrap_or(u32::MAX));
        let id = *self.list_ids.entry(targets.clone()).or_insert(next);
        if id == next {
            self.lists.push(targets);
        }
        id
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

    /// To be called when all sights and gates are known.
    pub(crate) fn finish(&mut self) {
        let operators = self.operators();
        let mut gates: Vec<Vec<(Screened, GateId)>> = vec![Vec::new(); self.all.len()];
        let mut wanted = vec![Bits::below(operators); self.all.len()];
        for (gate, &(sight, operator)) in (0..).map(GateId).zip(&self.gates) {
            gates.get_mut(sight.0 as usize).into_iter().for_each(|list| list.push((operator, gate)));
            let parts: &[SightId] = match self.all.get(sight.0 as usize) {
                Some(Sight::Many { parts, .. }) => parts,
                _ => &[],
            };
            for place in parts.iter().chain([&sight]) {
                let wanted = wanted.get_mut(place.0 as usize).into_iter();
                wanted.for_each(|wanted| wanted.insert(operator.0 as usize));
            }
        }
        let tests = gates.into_iter().zip(wanted).map(|(mut gates, wanted)| {
            gates.sort_unstable_by_key(|gate| gate.0);
            Tests { gates: gates.into(), wanted }
        });
        self.tests = tests.collect();
    }

    /// What is tested on a sight.
    pub(crate) fn tests(&self, id: SightId) -> Option<&Tests> {
        self.tests.get(id.0 as usize)
    }

    /// How many gates there are.
    pub(crate) fn gates(&self) -> usize {
        self.gates.len()
    }

    /// How many operators are tested: one more than the largest number.
    pub(crate) fn operators(&self) -> usize {
        self.gates.iter().map(|(_, operator)| operator.0 as usize + 1).max().unwrap_or_default()
    }

    /// The place of a gate of a view, among those of all views.
    #[inline]
    pub(crate) fn gate_place(&self, gate: GateId, view: ViewId) -> usize {
        view.0 as usize * self.gates() + gate.0 as usize
    }

    /// The targets of a list.
    pub(crate) fn list_targets(&self, id: ListId) -> &[TargetId] {
        self.lists.get(id.0 as usize).map(AsRef::as_ref).unwrap_or_default()
    }

    /// How many lists of targets there are.
    pub(crate) fn lists(&self) -> usize {
        self.lists.len()
    }

    pub(crate) fn target_plan(&self, id: TargetId) -> Option<&TargetPlan> {
        self.targets.get(id.0 as usize)
    }

    /// The place of what a sight shows to a view, among those of all targets and then all sights, per view.
    pub(crate) fn place(&self, sight: SightId, view: ViewId, views: usize) -> usize {
        self.targets() * views + view.0 as usize * self.len() + sight.0 as usize
    }

    /// How many targets there are.
    pub(crate) fn targets(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }
}
