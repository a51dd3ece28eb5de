//! What becomes of an exchange for which there is no memory.

use super::state::State;
use super::{Disruption, Interruption};
use crate::limits;
use crate::model::{EngineMode, OnOverload, Phase};
use crate::plan::Plan;

impl State {
    /// Whether so much more memory may be taken, and what is left for the exchange itself with it.
    pub(crate) fn has_memory(&self, bytes: usize) -> bool {
        self.budget.left() >= bytes.saturating_add(limits::EXCHANGE_BYTES)
    }

    /// Whether a body of this length may be judged.
    pub(crate) fn has_memory_for_body(&self, length: usize) -> bool {
        self.has_memory(length.saturating_mul(limits::BODY_FACTOR))
    }

    /// Takes down that the exchange does not fit, and does what the policy says. The first time counts.
    pub(crate) fn overload(&mut self, plan: &Plan, phase: Phase, what: &str) {
        if self.overload.is_some() {
            return;
        }
        let enforced = plan.sets().iter().any(|set| self.mode(set) == EngineMode::On);
        let action = plan.memory().on_overload;
        let refused = action == OnOverload::Refuse && enforced && phase != Phase::Logging;
        self.overload =
            Some(if action == OnOverload::Refuse && !enforced { OnOverload::Pass } else { action });
        if refused {
            let disruption = Disruption::Deny { status: 503 };
            self.interrupt(Interruption { rule_id: 0, phase, disruption });
        }
        self.note_overload(plan, what, refused);
    }

    /// Takes down that a text was cut.
    pub(crate) fn note_cut_text(&mut self, _set: u32) {}

    fn note_overload(&mut self, _plan: &Plan, _what: &str, _refused: bool) {}
}
