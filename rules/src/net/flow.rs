//! Caps on events: so many of each rule, then a notice, then silence for a while.

use rustc_hash::FxHashMap;

use super::EventFlow;
use crate::eval::UnixNanos;

/// What is to be logged when a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The event.
    Event,
    /// The event, and a notice that no more will follow for a while.
    EventAndNotice,
    /// Nothing.
    Silence,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    events: u32,
    /// When the pause began.
    paused_at: Option<UnixNanos>,
}

/// Counts the events of rules. It holds at most one entry per rule of the policy.
#[derive(Clone, Debug, Default)]
pub struct FlowControl {
    counts: FxHashMap<u32, Count>,
}

impl FlowControl {
    /// Counts an event of a rule, by its number.
    pub fn admit(&mut self, flow: Option<EventFlow>, rule: u32, now: UnixNanos) -> Admission {
        let Some(flow) = flow else { return Admission::Event };
        let count = self.counts.entry(rule).or_default();
        if let Some(began) = count.paused_at {
            let pause = u64::from(flow.pause_seconds) * 1_000_000_000;
            // A clock that went back ends the pause as well.
            if now.0 >= began.0 && now.0 - began.0 < pause {
                return Admission::Silence;
            }
            *count = Count::default();
        }
        count.events += 1;
        if count.events < flow.most {
            return Admission::Event;
        }
        count.paused_at = Some(now);
        Admission::EventAndNotice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_then_a_notice_then_silence() {
        let flow = Some(EventFlow { most: 3, pause_seconds: 10 });
        let mut control = FlowControl::default();
        let mut at = |rule, seconds: u64| control.admit(flow, rule, UnixNanos(seconds * 1_000_000_000));
        use Admission::{Event, EventAndNotice, Silence};
        for (rule, seconds, expected) in [
            (1, 0, Event),
            (1, 5, Event),
            (2, 5, Event),
            (1, 100, EventAndNotice),
            (1, 100, Silence),
            (2, 101, Event),
            (1, 109, Silence),
            (1, 110, Event),
            (1, 110, Event),
            (1, 111, EventAndNotice),
            (1, 90, Event),
        ] {
            assert_eq!(at(rule, seconds), expected, "{rule} {seconds}");
        }
        let mut control = FlowControl::default();
        for _ in 0..1000 {
            assert_eq!(control.admit(None, 1, UnixNanos(0)), Event);
        }
    }
}
