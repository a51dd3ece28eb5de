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
            let value = self.after(plan, first, item.value);
            if self.holds(first, value, None) {
                last = Some(value);
                nothing &= !self.relays(plan, (first, second), relay, value);
            }
        }
        self.items = items;
        if let Some(value) = last.filter(|_| nothing) {
            let captures = self.captured(first, value);
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
        if let Some(known) = self.values.result(value, relay.question) {
            return known;
        }
        let captures = self.captured(first, value);
        let relays = relay.text(self.values.get(value), &captures).is_none_or(|text| {
            let text = self.values.add(&text);
            let text = self.after(plan, second, text);
            self.holds(second, text, None) != second.negated
        });
        self.values.note_result(value, relay.question, relays);
        relays
    }

    /// What a condition's operator is given of a value.
    fn after(&mut self, plan: &Plan, condition: &ConditionPlan, value: Value) -> Value {
        plan.pipeline(condition.pipeline).map_or(value, |pipeline| self.values.transformed(value, pipeline))
    }

    /// What an operator that matches a value captures in it.
    fn captured(&self, condition: &ConditionPlan, value: Value) -> Captures {
        condition.operator.captures(self.values.get(value), self.argument(&condition.operator, None))
    }
}
