//! Answers that are held for a while, and go on from the root context's timer.
//!
//! An answer is *parked* at the moment at which it would begin to go to the client, and again for each piece
//! of body that comes before its time. It is taken off the list before it is resumed, so it is resumed once; a
//! stream that ends takes itself off.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use portcullis_rules::limits;
use portcullis_rules::risk::{Fallback, Tarpit};
use proxy_wasm::types::StreamType;

use crate::abi;
use crate::metrics::{Counter, Gauge, Metrics};

/// Milliseconds between two looks at what is due.
pub(crate) const TICK_MILLISECONDS: u32 = 50;

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

/// What of an answer is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it: it has not begun.
    Answer,
    /// A piece of its body.
    Piece,
}

/// The answers that a worker holds.
#[derive(Debug, Default)]
pub(crate) struct Parked {
    due: RefCell<BTreeSet<(u64, u32)>>,
    /// When each stream is due, nanoseconds since 1970.
    streams: RefCell<BTreeMap<u32, (u64, Part)>>,
}

impl Parked {
    /// What happens to one more answer.
    pub(crate) fn admits(&self, tarpit: &Tarpit) -> Admission {
        if self.len() < tarpit.streams as usize {
            return Admission::Parked;
        }
        match tarpit.fallback {
            Fallback::Pass => Admission::Pass,
            Fallback::Block => Admission::Refuse,
        }
    }

    /// Holds a stream until then. One that is held stays what it is, and is held until then instead.
    pub(crate) fn hold(&self, stream: u32, part: Part, until: u64, metrics: &Metrics) {
        if self.insert(stream, part, until) {
            metrics.change(Gauge::Held, 1);
        }
    }

    /// Whether the stream was not held.
    fn insert(&self, stream: u32, part: Part, until: u64) -> bool {
        let held = self.remove(stream);
        self.streams.borrow_mut().insert(stream, (until, held.unwrap_or(part)));
        self.due.borrow_mut().insert((until, stream));
        held.is_none()
    }

    /// Takes a stream off the list; what of it was held.
    pub(crate) fn release(&self, stream: u32, metrics: &Metrics) -> Option<Part> {
        let part = self.remove(stream)?;
        metrics.change(Gauge::Held, -1);
        Some(part)
    }

    fn remove(&self, stream: u32) -> Option<Part> {
        let (until, part) = self.streams.borrow_mut().remove(&stream)?;
        self.due.borrow_mut().remove(&(until, stream));
        Some(part)
    }

    /// Whether a stream is held.
    pub(crate) fn holds(&self, stream: u32) -> bool {
        self.streams.borrow().contains_key(&stream)
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.streams.borrow().len()
    }

    fn take_due(&self, now: u64) -> Option<(u32, Part)> {
        let first = self.due.borrow().first().copied();
        let (_, stream) = first.filter(|(until, _)| *until <= now)?;
        Some((stream, self.remove(stream)?))
    }

    /// Lets everything go on that is due.
    pub(crate) fn tick(&self, now: u64, metrics: &Metrics) {
        while let Some((stream, part)) = self.take_due(now) {
            metrics.change(Gauge::Held, -1);
            let resumed = abi::set_effective_context(stream)
                .and_then(|()| abi::continue_stream(StreamType::HttpResponse));
            match resumed {
                Ok(()) if part == Part::Answer => metrics.count(Counter::TarpitResumed),
                Ok(()) => {}
                Err(error) => metrics.failed(error),
            }
        }
    }
}

/// When the pieces of one answer's body may go on: so that what has gone on never is more than the rate allows, as far
/// as that can be held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Bytes of body per second; `None` for any number of them once the answer has begun.
    rate: Option<u32>,
    /// Nanosecond at which the answer is to begin.
    begins: u64,
    /// Bytes that have gone on, or are held for a time that has been worked out.
    passed: u64,
    /// Bytes that are held.
    held: usize,
    most: usize,
}

impl Pace {
    /// The pace of an answer of which this many bytes are held already.
    pub(crate) fn new(tarpit: &Tarpit, held: usize, now: u64) -> Self {
        Self {
            rate: tarpit.bytes_per_second.filter(|rate| *rate > 0),
            begins: now.saturating_add(u64::from(tarpit.delay) * 1_000_000),
            passed: 0,
            held,
            most: tarpit.held_bytes as usize,
        }
    }

    /// When what is held may go on.
    pub(crate) fn due(&self, now: u64) -> u64 {
        let bytes = self.passed.saturating_add(self.held as u64);
        let nanoseconds = self.rate.map_or(0, |rate| u128::from(bytes) * 1_000_000_000 / u128::from(rate));
        let due = self.begins.saturating_add(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        let longest = u64::from(limits::TARPIT_PIECE_SECONDS) * 1_000_000_000;
        // The delay may be longer; the policy says so.
        due.min(now.max(self.begins).saturating_add(longest))
    }

    /// A piece of body came: until when it is held, and what is held already; `None` when it goes on. `size` is what the
    /// host holds with it, `parked` whether it holds anything.
    pub(crate) fn piece(&mut self, parked: bool, size: usize, now: u64) -> Option<u64> {
        if !parked {
            self.pass();
        }
        self.held = size;
        let due = self.due(now);
        if due <= now || size >= self.most {
            self.pass();
            return None;
        }
        Some(due)
    }

    fn pass(&mut self) {
        self.passed = self.passed.saturating_add(std::mem::take(&mut self.held) as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn tarpit(streams: u32, fallback: Fallback) -> Tarpit {
        Tarpit { delay: 100, bytes_per_second: None, held_bytes: 5_000, streams, fallback }
    }

    fn pace(rate: u32) -> Pace {
        let tarpit = Tarpit { delay: 1_000, bytes_per_second: Some(rate), ..tarpit(9, Fallback::Pass) };
        Pace::new(&tarpit, 0, 100 * SECOND)
    }

    #[test]
    fn streams_come_off_in_the_order_in_which_they_are_due_and_once() {
        let parked = Parked::default();
        assert!(parked.insert(1, Part::Answer, 150));
        assert!(parked.insert(2, Part::Piece, 100));
        assert!(parked.insert(3, Part::Answer, 160));
        assert_eq!((parked.remove(3), parked.remove(3)), (Some(Part::Answer), None));
        assert_eq!(parked.take_due(99), None);
        assert_eq!(parked.take_due(200), Some((2, Part::Piece)));
        assert_eq!(parked.take_due(200), Some((1, Part::Answer)));
        assert_eq!((parked.take_due(u64::MAX), parked.len()), (None, 0));
    }

    #[test]
    fn a_stream_that_is_held_longer_stays_what_it_is() {
        let parked = Parked::default();
        assert!(parked.insert(1, Part::Answer, 100));
        assert!(!parked.insert(1, Part::Piece, 300));
        assert_eq!((parked.len(), parked.take_due(299)), (1, None));
        assert_eq!(parked.take_due(300), Some((1, Part::Answer)));
        assert_eq!(parked.due.borrow().len(), 0);
    }

    #[test]
    fn past_the_cap_the_fallback_holds() {
        let parked = Parked::default();
        assert_eq!(parked.admits(&tarpit(1, Fallback::Pass)), Admission::Parked);
        parked.insert(1, Part::Answer, 1);
        assert_eq!(parked.admits(&tarpit(1, Fallback::Pass)), Admission::Pass);
        assert_eq!(parked.admits(&tarpit(1, Fallback::Block)), Admission::Refuse);
        assert_eq!(parked.admits(&tarpit(2, Fallback::Block)), Admission::Parked);
        assert!(parked.holds(1) && !parked.holds(2));
    }

    #[test]
    fn a_body_takes_its_length_at_the_rate() {
        let mut pace = pace(1_000);
        assert_eq!(pace.due(100 * SECOND), 101 * SECOND, "the delay");
        // One after the other, each after what was before it went on.
        assert_eq!(pace.piece(false, 500, 101 * SECOND), Some(101 * SECOND + SECOND / 2));
        assert_eq!(pace.piece(false, 1_000, 101 * SECOND + SECOND / 2), Some(102 * SECOND + SECOND / 2));
        // Two that are held together.
        assert_eq!(pace.piece(false, 1_000, 103 * SECOND), Some(103 * SECOND + SECOND / 2));
        assert_eq!(pace.piece(true, 4_000, 103 * SECOND), Some(106 * SECOND + SECOND / 2));
        // A slow upstream is not slowed further.
        assert_eq!(pace.piece(false, 1_000, 200 * SECOND), None);
        assert_eq!((pace.passed, pace.held), (6_500, 0));
    }

    #[test]
    fn what_went_on_before_its_time_is_waited_for_at_the_end() {
        let mut pace = pace(1_000);
        assert_eq!(pace.piece(true, 4_999, 100 * SECOND), Some(101 * SECOND + 4_999_000_000));
        assert_eq!(pace.piece(true, 5_000, 100 * SECOND), None);
        assert_eq!(pace.piece(false, 20_000, 101 * SECOND), None);
        assert_eq!(pace.piece(false, 0, 101 * SECOND), Some(126 * SECOND), "the end of the body");
    }

    #[test]
    fn without_a_rate_only_the_delay_is_waited_for() {
        let mut pace = Pace::new(&tarpit(9, Fallback::Pass), 0, 0);
        assert_eq!(pace.piece(true, 6_000, 50_000_000), None);
        assert_eq!(pace.piece(false, 1_000, 99_999_999), Some(100_000_000));
        assert_eq!(pace.piece(false, 1_000, 100_000_000), None);
    }

    #[test]
    fn no_piece_is_held_so_long_that_the_host_ends_the_stream() {
        let mut pace = pace(1);
        assert_eq!(pace.piece(false, 4_000, 101 * SECOND), Some(341 * SECOND));
        assert_eq!(pace.piece(false, 1, 341 * SECOND), Some(581 * SECOND));
        assert_eq!(pace.piece(false, 4_999, u64::MAX), None);
    }
}
