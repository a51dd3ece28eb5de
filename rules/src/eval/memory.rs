//! Memory that a transaction leaves to the next one on the same thread.
//!
//! Nothing but capacity, the constants of a plan and [values that keep coming back](super::values) go from one
//! transaction to another: what is left is emptied before it is used again.

use std::cell::RefCell;

use super::state::State;
use crate::plan::Plan;

/// Transactions at once whose memory is kept: as many as wait for a slow upstream, if they take no more than so many
/// bytes, and these few in any case.
const SPARES: usize = 64;
const SPARE_BYTES: usize = 20 * 1024 * 1024;
const FEW: usize = 4;
/// Of memory that grew beyond this many bytes, what is not in use is given back.
const LARGEST: usize = 2 * 1024 * 1024;

thread_local! {
    /// With how many bytes each keeps, which all are added up often.
    static SPARE: RefCell<Vec<(Box<State>, usize)>> = const { RefCell::new(Vec::new()) };
}

impl State {
    /// A state of which nothing is known but the plan's constants and familiar values.
    pub(super) fn take(plan: &Plan) -> Box<Self> {
        SPARE.with_borrow_mut(|spare| {
            // What an earlier transaction of the same plan left is of most use.
            let known = spare.iter().rposition(|(state, _)| state.values.is_of(plan.constants()));
            let taken = known.map(|place| spare.remove(place)).or_else(|| spare.pop());
            taken.map(|(state, _)| state).unwrap_or_default()
        })
    }

    /// Leaves its memory to another transaction.
    pub(super) fn leave(mut self: Box<Self>) {
        if self.values.budget().is_short() {
            // What is kept for later goes first.
            SPARE.with_borrow_mut(Vec::clear);
            return;
        }
        self.clear();
        let mut bytes = self.kept_bytes();
        if bytes > LARGEST {
            self.shrink();
            bytes = self.kept_bytes();
            if bytes > LARGEST {
                return;
            }
        }
        SPARE.with_borrow_mut(|spare| {
            let kept = || spare.iter().map(|(_, bytes)| bytes).sum::<usize>();
            if spare.len() < FEW || (spare.len() < SPARES && kept() + bytes <= SPARE_BYTES) {
                spare.push((self, bytes));
            }
        });
    }
}
