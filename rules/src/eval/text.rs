//! Expansion of macros.

use std::ops::Range;

use super::state::State;
use super::values::Value;
use crate::copy::append;
use crate::limits;
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
        self.expand_pieces(plan, text, set, out, |_, _, _| ());
    }

    /// Writes a text with its macros replaced, and shows where in `out` the value of each macro is. Rules can put texts
    /// together over and over: what is too long is cut, which is reported.
    pub(super) fn expand_pieces(
        &mut self,
        plan: &Plan,
        text: &Text,
        set: u32,
        out: &mut Vec<u8>,
        mut show: impl FnMut(&Self, &TextPart, Range<usize>),
    ) {
        let most = limits::MADE_TEXT_BYTES.min(limits::MADE_BYTES - self.made_bytes);
        for part in &text.parts {
            let value = match part {
                TextPart::Literal(_) => None,
                part => self.macro_value(plan, part, set),
            };
            let piece = match (part, value) {
                (TextPart::Literal(literal), _) => literal,
                (_, Some(value)) => self.values.get(value),
                (_, None) => continue,
            };
            let (start, room, length) = (out.len(), most - out.len(), piece.len());
            append(out, piece.get(..room).unwrap_or(piece));
            if value.is_some() {
                show(self, part, start..out.len());
            }
            if length > room {
                self.made_bytes += out.len();
                return self.note_cut_text(plan, set);
            }
        }
        self.made_bytes += out.len();
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
