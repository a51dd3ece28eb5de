//! Bodies that the host never shows.
//!
//! With strict enforcement heads are held until their bodies are judged. Envoy shows the body behind a held head only
//! with `allow_on_headers_stop_iteration: true`; without it the exchange hangs, and nothing says why. A head that has
//! been held for a while and whose body has not come is the only sign of it that the module gets. Until a body has
//! come behind a held head, heads are watched; from then on the flag is known to be set.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use portcullis_rules::limits::UNSHOWN_BODY_SECONDS;
use portcullis_rules::model::Enforcement;
use proxy_wasm::types::LogLevel;

use crate::abi;
use crate::metrics::{Counter, Metrics};

/// The streams whose head is held and whose body has not been shown.
#[derive(Debug)]
pub(crate) struct Unshown {
    /// Whether it is still open that bodies are shown behind held heads.
    watches: Cell<bool>,
    /// When the head of each stream was held, nanoseconds since 1970.
    held: RefCell<BTreeMap<u32, u64>>,
    logged: Cell<bool>,
}

impl Unshown {
    /// Watches where heads are held at all.
    pub(crate) fn new(enforcement: Enforcement) -> Self {
        let watches = Cell::new(enforcement == Enforcement::Strict);
        Self { watches, held: RefCell::default(), logged: Cell::new(false) }
    }

    /// Whether the timer is needed.
    pub(crate) fn watches(&self) -> bool {
        self.watches.get()
    }

    /// The head of a stream is held, and a body follows it.
    pub(crate) fn hold(&self, stream: u32, now: u64) {
        if self.watches() {
            self.held.borrow_mut().insert(stream, now);
        }
    }

    /// Something behind a held head was shown.
    pub(crate) fn shown(&self) {
        if self.watches.replace(false) {
            self.held.take();
        }
    }

    /// The stream is over.
    pub(crate) fn release(&self, stream: u32) {
        if self.watches() {
            self.held.borrow_mut().remove(&stream);
        }
    }

    /// Counts the streams whose body should have come by now, each once, and says once what to set.
    pub(crate) fn tick(&self, now: u64, metrics: &Metrics) {
        let count = self.take_overdue(now);
        if count == 0 {
            return;
        }
        metrics.add(Counter::UnshownBody, count);
        if !self.logged.replace(true) {
            let line = format!(
                "Envoy has shown nothing of a body for {UNSHOWN_BODY_SECONDS} seconds while its headers are held. \
                 Unless its sender is just slow, this request hangs, and so does every one with a body: set \
                 `allow_on_headers_stop_iteration: true` in the plugin's configuration (Envoy 1.35 or later), or \
                 `\"enforcement\": \"streaming\"` in the policy. Further ones are counted, not logged"
            );
            abi::log(LogLevel::Error, line.as_bytes());
        }
    }

    fn take_overdue(&self, now: u64) -> u32 {
        let mut count = 0;
        self.held.borrow_mut().retain(|_, since| {
            let overdue = now.saturating_sub(*since) >= UNSHOWN_BODY_SECONDS * 1_000_000_000;
            count += u32::from(overdue);
            !overdue
        });
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn streams_are_overdue_once() {
        let unshown = Unshown::new(Enforcement::Strict);
        unshown.hold(1, SECOND);
        unshown.hold(2, 2 * SECOND);
        unshown.hold(3, SECOND);
        unshown.release(3);
        assert_eq!(unshown.take_overdue((UNSHOWN_BODY_SECONDS + 1) * SECOND - 1), 0);
        assert_eq!(unshown.take_overdue((UNSHOWN_BODY_SECONDS + 1) * SECOND), 1);
        assert_eq!(unshown.take_overdue((UNSHOWN_BODY_SECONDS + 9) * SECOND), 1);
        assert_eq!(unshown.take_overdue(u64::MAX), 0);
    }

    #[test]
    fn a_body_that_is_shown_ends_the_watch() {
        let unshown = Unshown::new(Enforcement::Strict);
        unshown.hold(1, 0);
        unshown.shown();
        unshown.hold(2, 0);
        assert!(!unshown.watches());
        assert_eq!(unshown.take_overdue(u64::MAX), 0);
        let streaming = Unshown::new(Enforcement::Streaming);
        streaming.hold(1, 0);
        assert_eq!(streaming.take_overdue(u64::MAX), 0);
    }
}
