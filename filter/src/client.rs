//! What the filter does about the client of a stream: counts, records, slows down. The engine decides.

use portcullis_rules::collections::Store;
use portcullis_rules::eval::{ClientCounts, Transaction, UnixNanos};
use proxy_wasm::types::LogLevel;

use crate::abi;
use crate::metrics::{Counter, Gauge, Metrics};
use crate::root::Shared;
use crate::tarpit::{Admission, Pace, Parked, Part};

/// How the answer of one stream is slowed down.
#[derive(Debug, Default)]
pub(crate) struct Slowing {
    asked: bool,
    /// Of an answer that is slowed down.
    pace: Option<Pace>,
}

impl Slowing {
    /// Whether an answer has come to its beginning.
    pub(crate) const fn is_decided(&self) -> bool {
        self.asked
    }

    /// An answer is about to begin, or to go on: holds it if that is what its client deserves. `size` is what the host
    /// holds of its body.
    pub(crate) fn begin(
        &mut self,
        transaction: &mut Transaction,
        parked: &Parked,
        metrics: &Metrics,
        stream: u32,
        size: usize,
        now: UnixNanos,
    ) -> Admission {
        if self.asked {
            let held = self.holds_body(parked, metrics, stream, size, now.0);
            return if held { Admission::Parked } else { Admission::Pass };
        }
        self.asked = true;
        let Some(tarpit) = transaction.slow_down(now) else { return Admission::Pass };
        let admission = parked.admits(&tarpit);
        match admission {
            Admission::Parked => {
                let pace = Pace::new(&tarpit, size, now.0);
                parked.hold(stream, Part::Answer, pace.due(now.0), metrics);
                metrics.count(Counter::TarpitHeld);
                self.pace = Some(pace);
            }
            Admission::Pass | Admission::Refuse => metrics.count(Counter::TarpitFull),
        }
        admission
    }

    /// A piece of body came in: whether it is held. `size` is what the host holds.
    pub(crate) fn holds_body(
        &mut self,
        parked: &Parked,
        metrics: &Metrics,
        stream: u32,
        size: usize,
        now: u64,
    ) -> bool {
        let Some(pace) = &mut self.pace else { return false };
        match pace.piece(parked.holds(stream), size, now) {
            Some(until) => {
                parked.hold(stream, Part::Piece, until, metrics);
                true
            }
            None => {
                if parked.release(stream, metrics) == Some(Part::Answer) {
                    metrics.count(Counter::TarpitResumed);
                }
                false
            }
        }
    }
}

/// Warns, once for all workers, that clients may be known by the address of a proxy.
pub(crate) fn warn_of_proxy(shared: &Shared, now: UnixNanos) {
    let Some(store) = shared.store.as_deref().filter(|_| !shared.warned.replace(true)) else { return };
    let second = u32::try_from(now.0 / 1_000_000_000).unwrap_or(u32::MAX);
    if store.is_first("warned", &shared.policy_number.to_le_bytes(), second) {
        abi::log(
            LogLevel::Warn,
            b"a client has a private address, or one of this machine, and is no trusted hop: if it is a proxy, all who \
              come through it are one client, and are blocked together. Name the proxy in \
              `client_address.trusted_hops`, and the header with its clients in `client_address.header`",
        );
    }
}

/// Counts and logs what happened to the client.
pub(crate) fn report(transaction: &mut Transaction, store: Option<&Store>, metrics: &Metrics) {
    for line in transaction.take_client_lines() {
        abi::log(LogLevel::Warn, &line);
    }
    count(transaction.take_client_counts(), metrics);
    report_store(store, metrics);
}

/// Counts what happened to a client.
pub(crate) fn count(counts: ClientCounts, metrics: &Metrics) {
    let ClientCounts {
        blocked,
        blocked_for_good,
        refused,
        post_block,
        tarpitted: _,
        challenged,
        passed,
        matches,
        score,
    } = counts;
    let counts = [
        (Counter::ClientsBlocked, blocked),
        (Counter::ClientsBlockedForGood, blocked_for_good),
        (Counter::ClientRefused, refused),
        (Counter::ClientPostBlock, post_block),
        (Counter::ClientChallenged, challenged),
        (Counter::ClientPassed, passed),
        (Counter::ClientMatches, matches),
    ];
    for (counter, by) in counts.into_iter().filter(|(_, by)| *by > 0) {
        metrics.add(counter, by);
    }
    if let Some(score) = score {
        metrics.record_score(score);
    }
}

/// Counts what happened to the store since the last time.
pub(crate) fn report_store(store: Option<&Store>, metrics: &Metrics) {
    let Some(counts) = store.map(Store::take_counts) else { return };
    let counted = [
        (Counter::StoreEvictions, counts.evictions),
        (Counter::StoreContention, counts.contention),
        (Counter::StoreLosses, counts.losses),
        (Counter::StoreRefused, counts.refused),
        (Counter::StoreOversize, counts.oversize),
        (Counter::StoreCorrupt, counts.corrupt),
        (Counter::StoreFailures, counts.failures),
    ];
    for (counter, by) in counted.into_iter().filter(|(_, by)| *by > 0) {
        metrics.add(counter, u32::try_from(by).unwrap_or(u32::MAX));
    }
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let change = |added, removed| number(added).saturating_sub(number(removed));
    metrics.change(Gauge::Clients, change(counts.clients_added, counts.clients_removed));
    metrics.change(Gauge::Blocked, change(counts.blocked_added, counts.blocked_removed));
}
