//! Expansion of macros.

use super::state::State;
use super::values::Value;
use crate::copy::append;
use crate::plan::{Plan, Text, TextPart};

/// Room for an ordinary text.
const ORDINARY: usize = 96;

impl State {
    /// The text with its macros replaced, for a rule of rule set `set`.
    pub(crate) fn expand(&mut self, plan: &Plan, text: &Text, set: u32) -> Vec<u8> {
        let mut out = Vec::with_capacity(ORDINARY);
        self.expand_to(plan, text, set, &mut out);
        out
    }

    fn expand_to(&mut self, plan: &Plan, text: &Text, set: u32, out: &mut Vec<u8>) {
        for part in &text.parts {
            if let TextPart::Literal(literal) = part {
                append(out, literal);
            } else if let Some(value) = self.macro_value(plan, part, set) {
                append(out, self.values.get(value));
            }
        }
    }

    /// As [`State::expand`], as a stored value; a lone macro is not copied.
    pub(crate) fn expand_value(&mut self, plan: &Plan, text: &Text, set: u32) -> Value {
        if let Some(constant) = text.constant {
            return constant.into();
        }
        match &*text.parts {
            [] => Value::EMPTY,
            [TextPart::Literal(literal)] => self.values.add(literal),
            [part] => self.macro_value(plan, part, set).unwrap_or(Value::EMPTY),
            _ => self.written(|state, out| state.expand_to(plan, text, set, out)),
        }
    }

    pub(crate) fn macro_value(&mut self, plan: &Plan, part: &TextPart, set: u32) -> Option<Value> {
        match part {
            TextPart::Literal(_) => None,
            TextPart::Stored(store, key) => {
                self.stores.get(*store as usize)?.slot(key.slot).map(|(_, value)| value)
            }
            TextPart::Variable(variable, key) => {
                let view = plan.set(set).map_or(0, |set| set.view.0 as usize);
                self.first(plan, *variable, key.as_deref(), view)
            }
        }
    }
}
