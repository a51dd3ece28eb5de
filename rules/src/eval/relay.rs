//! Chains that hand on to themselves what they find: see [`RelayPlan`].

use super::state::State;
use super::values::Value;
use crate::operators::Captures;
use crate::plan::{ConditionPlan, Plan, RelayPlan, RulePlan};

impl State {
    /// Whether a chain comes to nothing; what it captures is stored then.
    pub(crate) fn relays_nothing(
        &mut self,
        plan: &Plan,
        rule: &RulePlan,
        relay: &RelayPlan,
        view: usize,
    ) -> bool {
        let mut conditions = rule.conditions();
        let (Some(first), Some(second)) = (conditions.next(), conditions.next()) else { return false };
        let mut targets = [first, second].into_iter().flat_map(|condition| &condition.targets.list);
        if self.record_all || targets.any(|target| self.is_narrowed(target.variable)) {
            return false;
        }
        let mut items = std::mem::take(&mut self.items);
        self.collect(plan, &first.targets, view, &mut items);
        let mut last = None;
        let mut nothing = true;
        for item in &items {
            let value = self.transformed(plan, first, item.value);
            if self.holds(first, value, None) {
                last = Some((*item, value));
                nothing &= !self.relays(plan, (first, second), relay, value);
            }
        }
        self.items = items;
        if let Some((item, value)) = last.filter(|_| nothing) {
            let captures = self.captured(first, value);
            if self.masking.is_some() {
                self.note_matched(&item, value, false);
            }
            self.store_captures(value, &captures, true);
        }
        nothing
    }

    /// Whether the chain can come to anything by a value that its first link matches.
    fn relays(
        &mut self,
        plan: &Plan,
        (first, second): (&ConditionPlan, &ConditionPlan),
        relay: &RelayPlan,
        value: Value,
    ) -> bool {
        self.remembered(value, relay.question, |state| {
            let captures = state.captured(first, value);
            relay.text(state.values.get(value), &captures).is_none_or(|text| {
                let text = state.values.add(&text);
                let text = state.transformed(plan, second, text);
                state.holds(second, text, None) != second.negated
            })
        })
    }

    /// What an operator that matches a value captures in it.
    fn captured(&self, condition: &ConditionPlan, value: Value) -> Captures {
        condition.operator.captures(self.values.get(value), self.argument(&condition.operator, None))
    }
}
