//! What is known of the keys of `TX` at some place of a program of rules.

use std::sync::Arc;

use super::survey::Survey;
use crate::limits;
use crate::model::{
    Action, Change, Condition, Part, Selector, SetVar, Store, TargetMode, Template, Variable,
};
use crate::operators::leading_integer;

/// A key of `TX` as written, and what it holds then; `None` takes it away.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);
pub(super) type Writes = Vec<Write>;

/// What is known of a key of `TX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Absent,
    Holds(Arc<[u8]>),
    Unknown,
}

/// How evaluation can come to a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// In any transaction.
    Free,
    /// Only where one of these removals has happened, by number.
    After(Vec<usize>),
}

/// What holds whenever evaluation comes to some place.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// Per key, by number.
    pub(super) facts: Vec<Fact>,
    /// Numbers of the removals that may have happened, in order.
    pub(super) removals: Vec<usize>,
    /// Whether `ctl` may have taken elements of `TX` away from a rule.
    pub(super) narrowed: bool,
    pub(super) reach: Reach,
}

/// Whether operators write what they capture to a key: what it holds is never known.
fn is_capture(key: &[u8]) -> bool {
    matches!(key, [b'0'..=b'9'])
}

impl State {
    pub(super) fn new(survey: &Survey) -> Self {
        let mut state = Self {
            facts: vec![Fact::Absent; survey.keys.len()],
            removals: Vec::new(),
            narrowed: false,
            reach: Reach::Free,
        };
        state.forget(survey, is_capture);
        state
    }

    /// Makes what is at a place hold for `other` as well.
    pub(super) fn meet(place: &mut Option<Self>, other: Self) {
        let Some(known) = place else {
            *place = Some(other);
            return;
        };
        for (fact, other) in known.facts.iter_mut().zip(&other.facts) {
            if fact != other {
                *fact = Fact::Unknown;
            }
        }
        known.removals.extend(&other.removals);
        known.removals.sort_unstable();
        known.removals.dedup();
        known.narrowed |= other.narrowed;
        match (&mut known.reach, other.reach) {
            (Reach::After(known), Reach::After(more)) => known.extend(more),
            (reach, _) => *reach = Reach::Free,
        }
    }

    pub(super) fn forget(&mut self, survey: &Survey, which: impl Fn(&[u8]) -> bool) {
        for (_, &number) in survey.keys.iter().filter(|(key, _)| which(key)) {
            self.set(number, Fact::Unknown);
        }
    }

    fn set(&mut self, key: usize, fact: Fact) {
        if let Some(place) = self.facts.get_mut(key) {
            *place = fact;
        }
    }

    fn fact(&self, survey: &Survey, key: &[u8]) -> &Fact {
        survey.key(key).and_then(|number| self.facts.get(number)).unwrap_or(&Fact::Unknown)
    }

    /// A text with its macros replaced, when that is the same for every transaction.
    pub(super) fn text(&self, survey: &Survey, template: &Template) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for part in template.parts() {
            match part {
                Part::Literal(text) => out.extend_from_slice(text),
                Part::Macro { variable: Variable::Tx, key: Some(key) } => match self.fact(survey, key) {
                    Fact::Absent => {}
                    Fact::Holds(text) => out.extend_from_slice(text),
                    Fact::Unknown => return None,
                },
                Part::Macro { .. } => return None,
            }
            if out.len() > limits::MADE_TEXT_BYTES {
                // Evaluation cuts it, and says so.
                return None;
            }
        }
        Some(out)
    }

    /// Whether a condition holds, when that is the same for every transaction.
    pub(super) fn holds(&self, survey: &Survey, condition: &Condition) -> Option<bool> {
        let [target] = condition.targets.as_slice() else { return None };
        let Selector::Key(key) = &target.selector else { return None };
        let plain = target.variable == Variable::Tx
            && condition.transformations.is_empty()
            && !condition.multi_match
            && !condition.operator.needs_transaction();
        if !plain || self.narrowed {
            return None;
        }
        let value: &[u8] = match (target.mode, self.fact(survey, key)) {
            (TargetMode::Exclude, _) | (_, Fact::Unknown) => return None,
            (TargetMode::Count, Fact::Absent) => b"0",
            (TargetMode::Count, Fact::Holds(_)) => b"1",
            (TargetMode::Inspect, Fact::Absent) => return Some(false),
            (TargetMode::Inspect, Fact::Holds(value)) => value,
        };
        let argument = self.text(survey, condition.operator.argument())?;
        let argument = condition.operator.argument().as_literal().unwrap_or(&argument);
        Some(condition.operator.matches(value, argument, None) != condition.negated)
    }

    /// Makes what an action writes to `TX` unknown, unless it writes what is there already.
    pub(super) fn act(&mut self, survey: &Survey, action: &Action) {
        if let Action::SetVar(setvar) = action
            && setvar.collection == Store::Tx
        {
            self.set_variable(survey, setvar, false);
        }
    }

    /// Sets a key of `TX` as `setvar` does; `sure` when that is certain to happen. What is written, when that is the
    /// same for every transaction.
    pub(super) fn set_variable(&mut self, survey: &Survey, setvar: &SetVar, sure: bool) -> Option<Write> {
        let Some(key) = self.text(survey, &setvar.key) else {
            let prefix = match setvar.key.parts() {
                [Part::Literal(prefix), ..] => prefix.to_ascii_lowercase(),
                _ => Vec::new(),
            };
            self.forget(survey, |key| key.starts_with(&prefix));
            return None;
        };
        let number = |text: &Template| self.text(survey, text).map(|text| leading_integer(&text));
        let old = match self.fact(survey, &key) {
            Fact::Absent => Some(0),
            Fact::Holds(text) => Some(leading_integer(text)),
            Fact::Unknown => None,
        };
        let sum = |old: i64, change: i64| old.saturating_add(change).to_string().into_bytes();
        // What it holds then, if anything.
        let written: Option<Option<Vec<u8>>> = match &setvar.change {
            Change::Remove => Some(None),
            Change::Set(text) => self.text(survey, text).map(Some),
            Change::Add(text) => old.zip(number(text)).map(|(old, by)| Some(sum(old, by))),
            Change::Subtract(text) => {
                old.zip(number(text)).map(|(old, by)| Some(sum(old, by.saturating_neg())))
            }
        };
        let fact = match &written {
            _ if is_capture(&key) => Fact::Unknown,
            None => Fact::Unknown,
            Some(None) => Fact::Absent,
            Some(Some(text)) => Fact::Holds(text.as_slice().into()),
        };
        if let Some(place) = survey.key(&key) {
            let same = sure || *self.fact(survey, &key) == fact;
            self.set(place, if same { fact } else { Fact::Unknown });
        }
        written.map(|text| (key, text))
    }
}
