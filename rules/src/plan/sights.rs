//! What conditions look at, so that equal looks are taken once.
//!
//! A sight is a target seen through a chain of transformations, or several of them. For each, evaluation works
//! out once per phase which screened operators can match anything in it; a rule whose operator is not among
//! them is passed over without looking at a single value.

use rustc_hash::FxHashMap;

use super::pipeline::PipelineId;
use super::prefilter::{Prefilter, Screened};
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
    /// All of these.
    Many(Box<[SightId]>),
}

/// All sights of a plan, each once.
#[derive(Debug, Default)]
pub(crate) struct Sights {
    all: Vec<Sight>,
    targets: Vec<TargetPlan>,
    target_ids: FxHashMap<Vec<Target>, TargetId>,
    /// Per sight, the operators that rules test on it.
    wanted: Vec<Vec<u64>>,
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
            self.add((list, pipeline, multi_match), Sight::One { target, pipeline, multi_match })
        });
        let parts: Vec<SightId> = parts.collect::<Option<_>>()?;
        match parts.as_slice() {
            [one] => Some(*one),
            _ => self.add((targets.to_vec(), pipeline, multi_match), Sight::Many(parts.into())),
        }
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

    /// Notes that `operator` is tested on what `sight` shows.
    pub(crate) fn want(&mut self, sight: SightId, operator: Screened, prefilter: &Prefilter) {
        let parts = match self.get(sight) {
            Some(Sight::Many(parts)) => parts.to_vec(),
            _ => Vec::new(),
        };
        if self.wanted.len() < self.all.len() {
            self.wanted.resize(self.all.len(), vec![0; prefilter.words()]);
        }
        for place in parts.iter().chain([&sight]) {
            if let Some(wanted) = self.wanted.get_mut(place.0 as usize) {
                prefilter.put(operator, wanted);
            }
        }
    }

    /// The operators that rules test on what a sight shows, as words.
    pub(crate) fn wanted(&self, id: SightId) -> &[u64] {
        self.wanted.get(id.0 as usize).map_or(&[], Vec::as_slice)
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
