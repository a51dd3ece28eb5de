//! What the functions that scripts call may do: one budget per run, in steps.

use std::cell::Cell;
use std::fmt;

/// The budget is used up. Scripts can't recover: every later call of a metered function fails as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script's budget is used up")
    }
}

/// Bytes that are copied or compared for one step.
const BYTES_PER_STEP: usize = 16;

/// Counts steps down: one for each byte that a pattern looks at, each element that is moved, and each
/// 16 bytes that are copied.
#[derive(Debug)]
pub(super) struct Meter {
    left: Cell<u64>,
    exhausted: Cell<bool>,
}

impl Meter {
    pub(super) fn new(steps: u64) -> Self {
        Self { left: Cell::new(steps), exhausted: Cell::new(false) }
    }

    pub(super) fn refill(&self, steps: u64) {
        self.left.set(steps);
        self.exhausted.set(false);
    }

    /// Whether something was refused.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    pub(super) fn step(&self) -> Result<(), Exhausted> {
        self.steps(1)
    }

    pub(super) fn steps(&self, steps: u64) -> Result<(), Exhausted> {
        match self.left.get().checked_sub(steps) {
            Some(left) if !self.exhausted.get() => {
                self.left.set(left);
                Ok(())
            }
            _ => {
                self.left.set(0);
                self.exhausted.set(true);
                Err(Exhausted)
            }
        }
    }

    /// Pays for `bytes` being copied or compared.
    pub(super) fn bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.steps((bytes / BYTES_PER_STEP) as u64 + 1)
    }
}
