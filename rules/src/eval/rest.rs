//! What a transaction holds while it waits.
//!
//! Most of its life a transaction waits: for the client's body, for the upstream, for a client that reads slowly. What it
//! works with is large (the plan's constants, retained values, what is known of each value), what it has to remember is
//! small. So a transaction that holds much, or one of many, *rests* between callbacks: its workspace goes to the next
//! transaction on the thread, and it keeps the texts that it still refers to, side by side. When it is asked again it
//! *wakes*: it takes a workspace and puts its texts into it.
//!
//! What no rule of a later phase can look at is let go of before: an inspected body, the arguments in it, what
//! transformations made of them.

use std::cell::Cell;

use rustc_hash::FxHashMap;

use super::state::State;
use super::values::Value;
use crate::limits;
use crate::model::{Phase, Variable};
use crate::plan::Plan;

/// Transactions that may wait with a workspace each. One takes about 1 MB with the Core Rule Set.
const AWAKE: usize = 64;
/// Bytes from which on a transaction rests even if it is alone.
const LARGE: usize = 48 * 1024;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts the transactions of a thread that have a workspace.
#[derive(Debug)]
pub(super) struct Awake(());

impl Awake {
    pub(super) fn new() -> Self {
        COUNT.set(COUNT.get() + 1);
        Self(())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        COUNT.set(COUNT.get().saturating_sub(1));
    }
}

/// The texts that a resting transaction refers to. Its values have the numbers of the plan's constants, and behind them
/// those of these texts.
#[derive(Debug, Default)]
pub(crate) struct Resting {
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Resting {
    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| self.texts.get(start..end).unwrap_or_default())
    }
}

/// What an inspected request body is seen as, by the lists that hold it.
const BODY_ARGUMENTS: &[Variable] = &[
    Variable::Args,
    Variable::ArgsNames,
    Variable::ArgsPost,
    Variable::ArgsPostNames,
    Variable::ArgsCombinedSize,
];
const PARTS: &[Variable] = &[
    Variable::Files,
    Variable::FilesNames,
    Variable::FilesSizes,
    Variable::FilesTmpContent,
    Variable::MultipartFilename,
    Variable::MultipartName,
    Variable::MultipartPartHeaders,
];
pub(super) const WHOLE_REQUEST: &[Variable] = &[Variable::FullRequest, Variable::FullRequestLength];

impl State {
    /// Rests if that is worth it: the transaction is large, or one of many. Whether it does.
    pub(super) fn rest_if_worthwhile(&mut self, plan: &Plan, phase: Phase) -> bool {
        let large = self.values.passing_bytes() + self.request_body.capacity() > LARGE;
        if large {
            self.release(plan, phase);
        }
        if large || COUNT.get() > AWAKE || self.budget.is_short() {
            self.rest();
            return true;
        }
        false
    }

    /// Lets go of what no rule after `phase` can look at.
    pub(super) fn release(&mut self, plan: &Plan, phase: Phase) {
        if phase < Phase::RequestBody {
            return;
        }
        let unread = |variables| !plan.looks_after(phase, variables);
        // Records show the beginning of a body, and the names of files. What is masked is looked for in the former.
        let recorded = self.auditing || self.masking.is_some();
        let (arguments, parts, xml) = (unread(BODY_ARGUMENTS), unread(PARTS), unread(&[Variable::Xml]));
        let (body, response) = (unread(&[Variable::RequestBody]), unread(&[Variable::ResponseBody]));
        for view in &mut self.data.views {
            // In place of a body of parts a record may show its fields.
            let is_multipart = self.values.get(view.scalars.get(Variable::ReqbodyProcessor)) == b"MULTIPART";
            if arguments && !(recorded && is_multipart) {
                view.body_args = Vec::new();
            }
            if parts {
                view.clear_parts(recorded);
            }
            if xml {
                view.xml = Vec::new();
            }
            if body {
                view.scalars.set(Variable::RequestBody, Value::EMPTY);
            }
            if response && phase >= Phase::ResponseBody {
                let shown = view.scalars.get(Variable::ResponseBody);
                let length = self.values.get(shown).len();
                let kept = if recorded { limits::AUDIT_BODY_BYTES.min(length) } else { 0 };
                let shown = if recorded { self.values.add_part(shown, 0..kept) } else { Value::EMPTY };
                view.scalars.set(Variable::ResponseBody, shown);
                view.answer_omitted += length - kept;
            }
        }
        if unread(WHOLE_REQUEST) {
            // One more than is shown says that there is more.
            self.request_body.truncate(if recorded { limits::AUDIT_BODY_BYTES + 1 } else { 0 });
            self.request_body.shrink_to_fit();
        }
        if unread(&[Variable::MatchedVar, Variable::MatchedVars, Variable::MatchedVarsNames]) {
            self.matched.all = Vec::new();
        }
    }

    /// Leaves the workspace to others.
    pub(super) fn rest(&mut self) {
        let mut workspace = Box::<Self>::default();
        self.swap_workspace(&mut workspace);
        let values = &workspace.values;
        let (mut resting, mut numbers) = (Resting::default(), FxHashMap::default());
        self.each_value(&mut |value| {
            if values.constant(*value).is_some() {
                return;
            }
            let number = *numbers.entry(*value).or_insert_with(|| {
                resting.texts.extend_from_slice(values.get(*value));
                resting.ends.push(resting.texts.len());
                values.constants() + resting.ends.len() - 1
            });
            *value = Value::from_number(u32::try_from(number).unwrap_or(u32::MAX));
        });
        resting.texts.shrink_to_fit();
        resting.ends.shrink_to_fit();
        self.resting = Some(resting);
        self.horizon_holds = false;
        workspace.leave();
    }

    /// Takes a workspace again.
    #[inline(never)]
    pub(super) fn wake(&mut self, plan: &Plan) {
        let Some(resting) = self.resting.take() else { return };
        let mut workspace = State::take(plan);
        workspace.values.begin(plan.constants(), plan.pure_numbers());
        workspace.values.set_budget(self.budget);
        self.swap_workspace(&mut workspace);
        let first = self.values.constants();
        let numbers: Vec<Value> = resting.iter().map(|text| self.values.add(text)).collect();
        self.each_value(&mut |value| {
            if let Some(place) = value.number().checked_sub(first) {
                *value = numbers.get(place).copied().unwrap_or(Value::EMPTY);
            }
        });
    }

    /// What is of use to any transaction goes from one to the other.
    fn swap_workspace(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.values, &mut other.values);
        std::mem::swap(&mut self.horizon, &mut other.horizon);
        std::mem::swap(&mut self.items, &mut other.items);
        std::mem::swap(&mut self.found, &mut other.found);
        std::mem::swap(&mut self.text, &mut other.text);
        std::mem::swap(&mut self.live, &mut other.live);
    }
}
