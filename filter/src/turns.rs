//! Whose large body is judged when.
//!
//! A large body takes a worker a tenth of a second and more, and a worker does one thing at a time. When many have come at
//! once, judging all of them before anything else would let innocent requests wait for all of them, and the host's own timers
//! run out. So after one has been judged the next ones wait for their turn: one with each tick of a fast timer, between
//! which the host does all else that there is to do.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::rc::Weak;

use portcullis_rules::limits::LARGE_BODY_BYTES;

/// Milliseconds between two ticks while bodies wait, and for which a body waits behind another one.
pub(crate) const TURN_MILLISECONDS: u32 = 10;

/// What waits for its turn.
pub(crate) trait Turn: Debug {
    /// It has come.
    fn take(&self);
}

/// Those that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: RefCell<VecDeque<Weak<dyn Turn>>>,
    /// Nanosecond from which on a large body may be judged as it comes.
    free_from: Cell<u64>,
}

impl Turns {
    /// Whether a body of so many bytes may be judged at once.
    pub(crate) fn are_free(&self, bytes: usize, now: impl FnOnce() -> u64) -> bool {
        bytes < LARGE_BODY_BYTES || (!self.any_wait() && now() >= self.free_from.get())
    }

    /// Whether anything waits.
    pub(crate) fn any_wait(&self) -> bool {
        !self.waiting.borrow().is_empty()
    }

    /// Lets something wait; whether it is the first.
    pub(crate) fn wait(&self, turn: Weak<dyn Turn>) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push_back(turn);
        waiting.len() == 1
    }

    /// A body of so many bytes has been judged.
    pub(crate) fn judged(&self, bytes: usize, now: impl FnOnce() -> u64) {
        if bytes >= LARGE_BODY_BYTES {
            self.free_from.set(now().saturating_add(u64::from(TURN_MILLISECONDS) * 1_000_000));
        }
    }

    /// The next one, unless it is gone; and whether it was the last.
    pub(crate) fn next(&self) -> Option<(Weak<dyn Turn>, bool)> {
        let mut waiting = self.waiting.borrow_mut();
        while let Some(turn) = waiting.pop_front() {
            if turn.strong_count() > 0 || waiting.is_empty() {
                return Some((turn, waiting.is_empty()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[derive(Debug, Default)]
    struct Taken(Cell<u32>);

    impl Turn for Taken {
        fn take(&self) {
            self.0.set(self.0.get() + 1);
        }
    }

    fn take(turns: &Turns) -> Option<bool> {
        let (turn, last) = turns.next()?;
        if let Some(turn) = turn.upgrade() {
            turn.take();
        }
        Some(last)
    }

    #[test]
    fn large_ones_take_turns_and_small_ones_do_not_wait() {
        let turns = Turns::default();
        assert!(turns.are_free(LARGE_BODY_BYTES, || 5));
        turns.judged(LARGE_BODY_BYTES, || 5);
        assert!(!turns.are_free(LARGE_BODY_BYTES, || 5));
        assert!(turns.are_free(LARGE_BODY_BYTES - 1, || 5));
        assert!(turns.are_free(LARGE_BODY_BYTES, || 10_000_005));
        let (first, gone, second) =
            (Rc::new(Taken::default()), Rc::new(Taken::default()), Rc::new(Taken::default()));
        let weak = |turn: &Rc<Taken>| -> Weak<dyn Turn> {
            let turn: Rc<dyn Turn> = Rc::<Taken>::clone(turn);
            Rc::downgrade(&turn)
        };
        assert!(turns.wait(weak(&first)));
        assert!(!turns.wait(weak(&gone)) && !turns.wait(weak(&second)));
        drop(gone);
        assert!(!turns.are_free(LARGE_BODY_BYTES, || u64::MAX));
        assert_eq!((take(&turns), first.0.get(), second.0.get()), (Some(false), 1, 0));
        assert_eq!((take(&turns), first.0.get(), second.0.get()), (Some(true), 1, 1));
        assert_eq!(take(&turns), None);
    }
}
