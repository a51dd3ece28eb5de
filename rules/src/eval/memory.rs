//! Buffers that a transaction leaves to the next one on the same thread.
//!
//! Nothing but capacity, the constants of a plan and [values that keep coming back](super::values) go from one
//! transaction to another: what is left is emptied before it is used again.

use std::cell::RefCell;

use super::gate::Horizon;
use super::lookup::Item;
use super::values::Values;
use crate::plan::Plan;

/// Transactions at once whose buffers are kept: as many as wait for a slow upstream, if they take no more than so many
/// bytes, and these few in any case.
const SPARES: usize = 64;
const SPARE_BYTES: usize = 12 * 1024 * 1024;
const FEW: usize = 4;
/// Of buffers that grew beyond this many bytes, what is not in use is given back.
const LARGEST: usize = 2 * 1024 * 1024;

/// What is worth keeping.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) values: Values,
    pub(super) horizon: Horizon,
    pub(super) items: Vec<Item>,
}

thread_local! {
    /// With how many bytes each keeps, which all are added up often.
    static SPARE: RefCell<Vec<(Memory, usize)>> = const { RefCell::new(Vec::new()) };
}

impl Memory {
    /// Buffers for a transaction, empty but for the plan's constants and familiar values.
    pub(super) fn take(plan: &Plan) -> Self {
        let mut memory = SPARE.with_borrow_mut(|spare| {
            // What an earlier transaction of the same plan left is of most use.
            let known = spare.iter().rposition(|(memory, _)| memory.values.is_of(plan.constants()));
            let taken = known.map(|place| spare.remove(place)).or_else(|| spare.pop());
            taken.map(|(memory, _)| memory).unwrap_or_default()
        });
        memory.values.begin(plan.constants(), plan.pure_numbers());
        memory.items.clear();
        memory
    }

    /// Leaves the buffers to another transaction.
    pub(super) fn leave(mut self) {
        self.values.settle();
        let mut bytes = self.kept_bytes();
        if bytes > LARGEST {
            self.values.shrink();
            (self.horizon, self.items) = (Horizon::default(), Vec::new());
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

    fn kept_bytes(&self) -> usize {
        self.values.kept_bytes() + self.horizon.kept_bytes()
    }
}
