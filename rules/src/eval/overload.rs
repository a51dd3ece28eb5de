//! What becomes of an exchange for which there is no memory.

use super::gap::{Gap, GapAction};
use super::state::State;
use super::{Disruption, Interruption};
use crate::limits;
use crate::model::{EngineMode, OnOverload, Phase};
use crate::plan::Plan;

impl State {
    /// Whether so much more memory may be taken, and what is left for the exchange itself with it.
    pub(crate) fn has_memory(&self, bytes: usize) -> bool {
        self.budget.has(bytes.saturating_add(limits::EXCHANGE_BYTES))
    }

    /// Whether a body of this length may be judged.
    pub(crate) fn has_memory_for_body(&self, length: usize) -> bool {
        self.has_memory(length.saturating_mul(limits::BODY_FACTOR))
    }

    /// Takes down that the exchange does not fit, and does what the policy says. The first time counts.
    pub(crate) fn overload(&mut self, plan: &Plan, phase: Phase, what: &str) {
        if std::mem::replace(&mut self.is_overloaded, true) {
            return;
        }
        let (left, limit) = (self.budget.left(), plan.memory().worker_bytes);
        let reason = format!("{what} does not fit: {left} of {limit} bytes are left to the worker");
        let action = plan.memory().on_overload;
        let enforced = self.control.modes.contains(&EngineMode::On);
        if action == OnOverload::Refuse && enforced && phase != Phase::Logging {
            let disruption = Disruption::Deny { status: 503 };
            self.interrupt(Interruption { rule_id: 0, phase, disruption });
            return self.gaps.meet(0, Gap::Memory, reason, GapAction::Refused(503));
        }
        let most = if action == OnOverload::Detect { EngineMode::DetectionOnly } else { EngineMode::Off };
        self.control.modes.iter_mut().for_each(|mode| *mode = most.min(*mode));
        self.gaps.meet(0, Gap::Memory, reason, GapAction::Pass);
    }

    /// Takes down that a text with macros was cut for a rule of this set.
    pub(crate) fn note_cut_text(&mut self, plan: &Plan, set: u32) {
        let view = plan.set(set).map_or(0, |set| set.view.0 as usize);
        let (one, all) = (limits::MADE_TEXT_BYTES, limits::MADE_BYTES);
        let rule = self.current.and_then(|rule| plan.rule(rule)).map_or(0, |rule| rule.id);
        let reason = format!("rule {rule} makes one of more than {one} bytes, or more than {all} in all");
        self.gaps.meet(view, Gap::MadeTexts, reason, GapAction::Pass);
    }
}
