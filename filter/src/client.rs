//! What the filter does about the client of a stream: counts, records, slows down. The engine decides.

use portcullis_rules::collections::Store;
use portcullis_rules::eval::{ClientCounts, Transaction, UnixNanos};
use proxy_wasm::types::LogLevel;

use crate::abi;
use crate::metrics::{Counter, Metrics};
use crate::tarpit::{Admission, HELD_BYTES, Parked};

/// How the answer of one stream is slowed down.
#[derive(Debug, Default)]
pub(crate) struct Slowing {
    asked: bool,
    /// Bytes of body per second, once the answer has begun.
    rate: Option<u32>,
}

impl Slowing {
    /// An answer is about to begin: holds it if that is what its client deserves.
    pub(crate) fn begin(
        &mut self,
        transaction: &mut Transaction,
        parked: &Parked,
        metrics: &Metrics,
        stream: u32,
        now: UnixNanos,
    ) -> Admission {
        if self.asked {
            return Admission::Pass;
        }
        self.asked = true;
        let Some(tarpit) = transaction.slow_down(now) else { return Admission::Pass };
        let admission = parked.park(stream, tarpit, now.0);
        match admission {
            Admission::Parked => {
                metrics.count(Counter::TarpitHeld);
                self.rate = tarpit.bytes_per_second;
            }
            Admission::Pass | Admission::Refuse => metrics.count(Counter::TarpitFull),
        }
        admission
    }

    /// A piece of body came in: whether it is held. `size` is what the host holds.
    pub(crate) fn holds_body(&self, parked: &Parked, stream: u32, size: usize, now: u64) -> bool {
        if parked.holds(stream) {
            if size >= HELD_BYTES {
                parked.release(stream);
                return false;
            }
            return true;
        }
        let Some(rate) = self.rate.filter(|rate| *rate > 0 && size > 0) else { return false };
        let wait = size.min(HELD_BYTES) as u64 * 1_000_000_000 / u64::from(rate);
        parked.hold(stream, now.saturating_add(wait));
        true
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
    let change = i64::try_from(counts.clients_added)
        .unwrap_or(i64::MAX)
        .saturating_sub(i64::try_from(counts.clients_removed).unwrap_or(i64::MAX));
    metrics.change_clients(change);
}
