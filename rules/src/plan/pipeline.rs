//! Interned chains of transformations.

use rustc_hash::FxHashMap;

use super::Features;
use crate::transforms::Transformation;

/// A chain of transformations.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) steps: Box<[Transformation]>,
    /// A value with none of these features passes the chain unchanged.
    pub(crate) touched_by: Features,
}

/// Which pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PipelineId(pub(crate) u32);

/// All pipelines of a plan, each once.
#[derive(Debug, Default)]
pub(crate) struct Pipelines {
    all: Vec<Pipeline>,
    ids: FxHashMap<Box<[Transformation]>, PipelineId>,
}

impl Pipelines {
    pub(crate) fn intern(&mut self, steps: &[Transformation]) -> PipelineId {
        if let Some(&id) = self.ids.get(steps) {
            return id;
        }
        let id = PipelineId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        // A value that none of the steps would change reaches each step unchanged, so the union is exact
        // enough: identity of the chain follows from identity of its members.
        let touched_by = steps.iter().fold(Features::NONE, |all, &step| all.or(Features::touched_by(step)));
        self.all.push(Pipeline { steps: steps.into(), touched_by });
        self.ids.insert(steps.into(), id);
        id
    }

    pub(crate) fn get(&self, id: PipelineId) -> Option<&Pipeline> {
        self.all.get(id.0 as usize)
    }
}
