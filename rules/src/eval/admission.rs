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

/// What holds for a client before any rule is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    /// How it stands.
    pub(super) standing: Standing,
    /// Why it is refused.
    pub(super) refusal: Option<Refusal>,
    /// Why it would be refused, if the switch were on.
    pub(super) spared: Option<Refusal>,
}

impl Admission {
    fn new(standing: Standing) -> Self {
        Self { standing, refusal: None, spared: None }
    }

    /// With a refusal, which is carried out or not. The first one counts.
    fn refused(mut self, why: Option<Refusal>, carried_out: bool) -> Self {
        let place = if carried_out { &mut self.refusal } else { &mut self.spared };
        *place = place.or(why);
        self
    }
}

/// How a client stands, and why it is refused if it is.
pub(super) fn judge(
    settings: &RiskSettings,
    state: &ClientState,
    address: Option<IpAddr>,
    now: UnixNanos,
) -> Admission {
    let switches = settings.switches;
    let standing = state.standing(now.0 / 1_000_000);
    let by_score = match standing {
        Standing::Blocked => Some(Refusal::Blocked),
        Standing::BlockedForGood => Some(Refusal::BlockedForGood),
        _ => None,
    };
    let second = now.0 / 1_000_000_000;
    let listed = address.and_then(|address| settings.lists.find(address, second));
    let by_list = |standing, why| Admission::new(standing).refused(Some(why), switches.lists);
    let admission = match listed {
        Some(Listed::Allow(_)) => return Admission::new(Standing::AllowListed),
        Some(Listed::Deny(_)) => return by_list(Standing::DenyListed, Refusal::DenyListed),
        // A block by score that is for good outweighs one by list, which ends.
        Some(Listed::Block(_)) if standing != Standing::BlockedForGood => {
            by_list(Standing::Blocked, Refusal::BlockListed)
        }
        _ => Admission::new(standing),
    };
    let spared = !switches.risk_blocks && u64::from(state.spared_until) > second;
    let admission = admission.refused(by_score, switches.risk_blocks);
    admission.refused(spared.then_some(Refusal::Blocked), false)
}
