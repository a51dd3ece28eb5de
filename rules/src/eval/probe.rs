//! Conditions that fail at a glance: see [`Probe`].

use super::state::State;
use super::values::{Value, Values};
use crate::model::Store;
use crate::plan::{Glance, Plan, Probe, Probed, Slot, Test};

impl State {
    /// Whether a condition surely fails. If that takes more than a glance, it is not so.
    pub(crate) fn fails_at_once(&mut self, plan: &Plan, probe: &Probe, view: usize) -> bool {
        match probe {
            Probe::Known(glance) => !self.is_narrowed(glance.variable) && self.refutes(plan, glance, view),
            Probe::Nothing(collections) => {
                collections.iter().map_while(|place| *place).all(|variable| self.has_none(variable, view))
            }
        }
    }

    fn refutes(&mut self, plan: &Plan, probe: &Glance, view: usize) -> bool {
        match probe.of {
            Probed::Scalar => {
                let value =
                    self.data.view(view).map_or(Value::EMPTY, |view| view.scalars.get(probe.variable));
                probe.refutes(plan, &mut self.values, value)
            }
            Probed::Stored(store, slot) => {
                self.in_store(store, slot).is_none_or(|value| probe.refutes(plan, &mut self.values, value))
            }
            Probed::StoredCount(store, slot) => {
                probe.refutes_number(i64::from(self.in_store(store, slot).is_some()))
            }
            // There, equal names may have different numbers.
            Probed::Named(..) | Probed::NamedCount(..) if self.values.is_crowded() => false,
            Probed::Named(name) => {
                let (name, values) = (Value::from(name), &mut self.values);
                self.data.collection(probe.variable, view).is_some_and(|elements| {
                    elements.named(name).all(|element| probe.refutes(plan, values, element.value))
                })
            }
            Probed::Count => self.data.collection(probe.variable, view).is_some_and(|elements| {
                probe.refutes_number(i64::try_from(elements.len()).unwrap_or(i64::MAX))
            }),
            Probed::NamedCount(name) => {
                let name = Value::from(name);
                self.data.collection(probe.variable, view).is_some_and(|elements| {
                    let count = elements.named(name).count();
                    probe.refutes_number(i64::try_from(count).unwrap_or(i64::MAX))
                })
            }
        }
    }

    fn in_store(&self, store: Store, slot: Slot) -> Option<Value> {
        self.stores.get(store as usize)?.slot(slot).map(|(_, value)| value)
    }
}

impl Glance {
    /// Whether the condition is known to fail for a value.
    #[inline]
    fn refutes(&self, plan: &Plan, values: &mut Values, mut value: Value) -> bool {
        if values.features(value).meet(self.touched_by)
            && let Some(pipeline) = plan.pipeline(self.pipeline)
        {
            value = values.transformed(value, pipeline);
        }
        match self.test {
            Test::Remembered(question) => values.result(value, question) == Some(self.negated),
            Test::Number(test) => test.holds(values.get(value)) == self.negated,
        }
    }

    fn refutes_number(&self, number: i64) -> bool {
        match self.test {
            Test::Number(test) => test.holds_for(number) == self.negated,
            Test::Remembered(_) => false,
        }
    }
}
