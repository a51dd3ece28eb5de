//! Exchanges judged by one plan after the other, for tests that prove that two plans of a policy do the same.

use std::sync::Arc;

use portcullis_rules::audit::MatchRecord;
use portcullis_rules::eval::{Outcome, Transaction, UnixNanos};
use portcullis_rules::exchange::Exchange;
use portcullis_rules::plan::Plan;

/// What came of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    pub(crate) matches: Vec<MatchRecord>,
    /// What `TX` held in the end.
    pub(crate) tx: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Judges an exchange; `all` has every match recorded, and `wait` is what happens to the transaction whenever a host
/// would wait. What is learnt of its values is there for the next one.
pub(crate) fn judge(plan: &Arc<Plan>, exchange: &Exchange, all: bool, wait: fn(&mut Transaction)) -> Judged {
    const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);
    let mut transaction = Transaction::new(Arc::clone(plan), &exchange.connection(), b"id", NOW);
    if all {
        transaction.record_all();
    }
    let outcome = exchange.run_with(&mut transaction, NOW, wait);
    let judged = Judged { outcome, matches: transaction.take_matches(), tx: transaction.tx() };
    transaction.recycle();
    judged
}
