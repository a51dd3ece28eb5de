//! How much memory a worker may take.
//!
//! A worker's transactions share one heap with all else that the worker has: plans, what is retained, scripts. The heap of
//! a virtual machine has an end, and past it nothing can be judged any more. So the embedder says how much is in use and how
//! much may be, and each transaction asks before it takes what is large.

/// A worker's memory: how many bytes are in use, and how many may be.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    limit: usize,
    used: fn() -> usize,
}

impl Budget {
    /// A budget of `limit` bytes; `used` says how many are in use.
    #[must_use]
    pub const fn new(limit: usize, used: fn() -> usize) -> Self {
        Self { limit, used }
    }

    /// How many bytes are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.limit.saturating_sub((self.used)())
    }

    /// Whether so many bytes are left. The host may have less than the budget says, so what is much is asked for once, as a
    /// whole.
    #[must_use]
    pub fn has(&self, bytes: usize) -> bool {
        self.left() >= bytes && (bytes < MUCH || Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
    }

    /// Whether what is only kept for later should go: three quarters are in use.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.left() < self.limit / 4
    }
}

impl Default for Budget {
    /// As much as there is.
    fn default() -> Self {
        Self { limit: usize::MAX, used: || 0 }
    }
}

/// Bytes from which on the host is asked whether it has them.
const MUCH: usize = 8 * 1024 * 1024;

/// Bytes from which on lists grow more slowly.
const LARGE: usize = 256 * 1024;

/// Makes room for `more` elements, at once for as many as there are if that fits; whether it could.
pub(crate) fn reserve<T>(list: &mut Vec<T>, more: usize, budget: Budget) -> bool {
    let room = list.capacity() - list.len();
    if room >= more {
        return true;
    }
    let (left, size) = (budget.left(), size_of::<T>().max(1));
    // While it moves, the old and the new place are there.
    let fits = |count: usize| (list.len() + count).saturating_mul(size) <= left;
    // Twice as much, as vectors do; half as much again of what is large.
    let large = list.len().saturating_mul(size) > LARGE;
    let wanted = more.max(if large { list.len() / 2 } else { list.len() }).max(16);
    let count = if fits(wanted) { wanted } else { more };
    fits(count) && list.try_reserve_exact(count).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_as_far_as_the_budget_goes() {
        let budget = Budget::new(1_000, || 900);
        let mut list: Vec<u8> = Vec::new();
        assert!(reserve(&mut list, 60, budget));
        list.resize(60, 0);
        assert!(reserve(&mut list, 40, budget));
        assert!(list.capacity() < 120, "what was left is taken, not twice as much");
        list.resize(100, 0);
        assert!(!reserve(&mut list, 1, budget));
        assert!(budget.is_short());
        assert!(reserve(&mut list, 1, Budget::default()));
    }
}
