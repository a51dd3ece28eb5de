//! Whether a client is let in: what its state and the lists come to, for requests and for connections alike.

use std::net::IpAddr;

use super::{Refusal, UnixNanos};
use crate::collections::{Key, Kind, Store};
use crate::risk::{ClientState, Listed, RiskSettings, Standing};

/// What is known of a client. What a reset is about is forgotten first.
pub(super) fn known(
    store: &Store,
    settings: &RiskSettings,
    key: Key,
    address: Option<IpAddr>,
    now: UnixNanos,
) -> ClientState {
    let state = store.get(key).map(|payload| ClientState::read(&payload)).unwrap_or_default();
    let Some(address) = address else { return state };
    let second = now.0 / 1_000_000_000;
    let reset = settings.lists.reset.iter().any(|reset| {
        reset.entry.holds(address, second)
            && state.at / 1_000 < reset.before
            && u64::from(state.blocked_at) < reset.before
    });
    if !reset || state == ClientState::default() {
        return state;
    }
    store.update(key, Kind::Client, u32::try_from(second).unwrap_or(u32::MAX), |_| None);
    ClientState::default()
}

/// How a client stands, and why it is refused if it is.
pub(super) fn judge(
    settings: &RiskSettings,
    state: &ClientState,
    address: Option<IpAddr>,
    now: UnixNanos,
) -> (Standing, Option<Refusal>) {
    let switches = settings.switches;
    let standing = state.standing(now.0 / 1_000_000);
    let by_score = match standing {
        Standing::Blocked => Some(Refusal::Blocked),
        Standing::BlockedForGood => Some(Refusal::BlockedForGood),
        _ => None,
    };
    let by_score = by_score.filter(|_| switches.risk_blocks);
    let listed = address.and_then(|address| settings.lists.find(address, now.0 / 1_000_000_000));
    let by_list = |refusal| switches.lists.then_some(refusal);
    match listed {
        Some(Listed::Allow(_)) => (Standing::AllowListed, None),
        Some(Listed::Deny(_)) => (Standing::DenyListed, by_list(Refusal::DenyListed)),
        // A block by score that is for good outweighs one by list, which ends.
        Some(Listed::Block(_)) if standing != Standing::BlockedForGood => {
            (Standing::Blocked, by_list(Refusal::BlockListed).or(by_score))
        }
        _ => (standing, by_score),
    }
}
