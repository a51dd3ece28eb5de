//! Buffers that a transaction leaves to the next one on the same thread.
//!
//! Nothing but capacity, and the constants of a plan, goes from one transaction to another: what is left is emptied before
//! it is used again.

use std::cell::RefCell;

use super::gate::Horizon;
use super::lookup::Item;
use super::values::Values;
use crate::plan::Plan;

/// Transactions at once whose buffers are kept.
const SPARES: usize = 4;
/// Buffers that grew beyond this many bytes are given back.
const LARGEST: usize = 512 * 1024;

/// What is worth keeping.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) values: Values,
    pub(super) horizon: Horizon,
    pub(super) items: Vec<Item>,
}

thread_local! {
    static SPARE: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

impl Memory {
    /// Buffers for a transaction, empty but for the plan's constants.
    pub(super) fn take(plan: &Plan) -> Self {
        let mut memory = SPARE.with_borrow_mut(Vec::pop).unwrap_or_default();
        memory.values.reset(plan.constants());
        memory.items.clear();
        memory
    }

    /// Leaves the buffers to another transaction.
    pub(super) fn leave(self) {
        if self.values.kept_bytes() + self.horizon.kept_bytes() > LARGEST {
            return;
        }
        SPARE.with_borrow_mut(|spare| {
            if spare.len() < SPARES {
                spare.push(self);
            }
        });
    }
}
