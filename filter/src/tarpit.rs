//! Answers that are held for a while, and go on from the root context's timer.
//!
//! An answer is *parked* at the moment at which it would begin to go to the client, and again for each piece
//! of body where a rate is set. It is taken off the list before it is resumed, so it is resumed once; a
//! stream that ends takes itself off.

use std::cell::RefCell;
use std::collections::BTreeMap;

use portcullis_rules::risk::{Fallback, Tarpit};
use proxy_wasm::types::StreamType;

use crate::abi;
use crate::metrics::{Counter, Metrics};

/// Milliseconds between two looks at what is due.
pub(crate) const TICK_MILLISECONDS: u32 = 50;

/// Bytes of a body that are held at most; a longer piece goes on before its time. Far below Envoy's buffer
/// limit, past which Envoy would end the answer.
pub(crate) const HELD_BYTES: usize = 256 * 1024;

/// What happens to an answer that is to be slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It is held.
    Parked,
    /// Too many are: it passes.
    Pass,
    /// Too many are: it is refused.
    Refuse,
}

/// The answers that a worker holds.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    due: RefCell<BTreeMap<(u64, u32), ()>>,
    /// When each stream is due, nanoseconds since 1970.
    streams: RefCell<BTreeMap<u32, u64>>,
}

impl Parked {
    /// Holds a stream's answer, if there is room.
    pub(crate) fn park(&self, stream: u32, tarpit: Tarpit, now: u64) -> Admission {
        if self.len() >= tarpit.streams as usize {
            return match tarpit.fallback {
                Fallback::Pass => Admission::Pass,
                Fallback::Block => Admission::Refuse,
            };
        }
        self.hold(stream, now.saturating_add(u64::from(tarpit.delay) * 1_000_000));
        Admission::Parked
    }

    /// Holds a stream until then, whatever the room.
    pub(crate) fn hold(&self, stream: u32, until: u64) {
        self.release(stream);
        self.streams.borrow_mut().insert(stream, until);
        self.due.borrow_mut().insert((until, stream), ());
    }

    /// Takes a stream off the list; whether it was on it.
    pub(crate) fn release(&self, stream: u32) -> bool {
        let Some(until) = self.streams.borrow_mut().remove(&stream) else { return false };
        self.due.borrow_mut().remove(&(until, stream)).is_some()
    }

    /// Whether a stream is held.
    pub(crate) fn holds(&self, stream: u32) -> bool {
        self.streams.borrow().contains_key(&stream)
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.streams.borrow().len()
    }

    fn take_due(&self, now: u64) -> Option<u32> {
        let first = self.due.borrow().keys().next().copied();
        let (_, stream) = first.filter(|(until, _)| *until <= now)?;
        self.release(stream).then_some(stream)
    }

    /// Lets everything go on that is due.
    pub(crate) fn tick(&self, now: u64, metrics: &Metrics) {
        while let Some(stream) = self.take_due(now) {
            let resumed = abi::set_effective_context(stream)
                .and_then(|()| abi::continue_stream(StreamType::HttpResponse));
            match resumed {
                Ok(()) => metrics.count(Counter::TarpitResumed),
                Err(error) => metrics.failed(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tarpit(streams: u32, fallback: Fallback) -> Tarpit {
        Tarpit { delay: 100, bytes_per_second: None, streams, fallback }
    }

    #[test]
    fn streams_come_off_in_the_order_in_which_they_are_due_and_once() {
        let parked = Parked::default();
        assert_eq!(parked.park(1, tarpit(9, Fallback::Pass), 50_000_000), Admission::Parked);
        assert_eq!(parked.park(2, tarpit(9, Fallback::Pass), 0), Admission::Parked);
        assert_eq!(parked.park(3, tarpit(9, Fallback::Pass), 60_000_000), Admission::Parked);
        assert!(parked.release(3) && !parked.release(3));
        assert_eq!(parked.take_due(99_999_999), None);
        assert_eq!(parked.take_due(200_000_000), Some(2));
        assert_eq!(parked.take_due(200_000_000), Some(1));
        assert_eq!((parked.take_due(u64::MAX), parked.len()), (None, 0));
    }

    #[test]
    fn past_the_cap_the_fallback_holds() {
        let parked = Parked::default();
        assert_eq!(parked.park(1, tarpit(1, Fallback::Pass), 0), Admission::Parked);
        assert_eq!(parked.park(2, tarpit(1, Fallback::Pass), 0), Admission::Pass);
        assert_eq!(parked.park(3, tarpit(1, Fallback::Block), 0), Admission::Refuse);
        assert_eq!(parked.len(), 1);
        assert!(parked.holds(1) && !parked.holds(2));
    }
}
