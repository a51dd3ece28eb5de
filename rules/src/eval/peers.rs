//! Clients of connections: of them nothing is known but the address.

use std::net::IpAddr;
use std::sync::Arc;

use super::{ClientCounts, Refusal, UnixNanos, admission};
use crate::audit::{BlockEvent, ClientMatch, ExchangeFacts, MatchEvent};
use crate::collections::{Key, Kind, Store, Update};
use crate::model::ClientAddress;
use crate::net::{Action, Clients, Operation, RiskAdded, Rule};
use crate::plan::Plan;
use crate::risk::{ClientState, Event, Identity, RiskAction, RiskSettings};

/// The risk of clients as network rules see it.
///
/// Lists always hold. What the score of a client leads to, and what network rules add to it, needs a client
/// that is its address ([`EntitySettings::is_address`](crate::risk::EntitySettings::is_address)): others
/// are behind the same address that have done nothing. Trusted hops are no clients.
#[derive(Debug)]
pub struct Peers {
    settings: Arc<RiskSettings>,
    source: ClientAddress,
    store: Arc<Store>,
}

impl Peers {
    /// Clients by this policy, known from this store; `None` when the policy says nothing about risk.
    #[must_use]
    pub fn new(plan: &Plan, store: Arc<Store>) -> Option<Self> {
        let settings = Arc::clone(plan.risk()?);
        Some(Self { settings, source: plan.client_address().clone(), store })
    }

    fn is_hop(&self, address: IpAddr) -> bool {
        self.source.header.is_some() && self.source.trusted.contains(address)
    }

    fn key(&self, address: IpAddr) -> Key {
        Identity { address: Some(address), ..Identity::default() }.key(&self.settings.entity)
    }

    /// What records say of a connection.
    fn facts(&self, address: IpAddr, state: &ClientState, now: UnixNanos) -> ExchangeFacts {
        ExchangeFacts {
            timestamp: now.0,
            ip: address.to_canonical().to_string().into_bytes(),
            client: self.key(address).hex(),
            risk: state.score_at(&self.settings.score, now.0 / 1_000_000),
            ..ExchangeFacts::default()
        }
    }
}

impl Clients for Peers {
    fn refusal(&self, client: IpAddr, now: UnixNanos) -> Option<(Refusal, Vec<u8>)> {
        if self.is_hop(client) {
            return None;
        }
        let settings = &self.settings;
        let state = if settings.entity.is_address() {
            admission::known(&self.store, settings, self.key(client), Some(client), now)
        } else {
            ClientState::default()
        };
        let (_, refusal) = admission::judge(settings, &state, Some(client), now);
        let refusal = refusal?;
        let facts = self.facts(client, &state, now);
        let event = BlockEvent { facts: &facts, level: refusal.level(), reason: refusal.name(), rule_id: 0 };
        Some((refusal, event.line()))
    }

    fn rule_applied(
        &self,
        client: IpAddr,
        rule: &Rule,
        operation: Operation,
        now: UnixNanos,
    ) -> Option<RiskAdded> {
        let mark = rule.risk.filter(|_| {
            rule.action != Action::Allow
                && operation != Operation::BindClient
                && self.settings.entity.is_address()
                && !self.is_hop(client)
        })?;
        let millisecond = now.0 / 1_000_000;
        let second = u32::try_from(now.0 / 1_000_000_000).unwrap_or(u32::MAX);
        let key = self.key(client);
        // A reset comes before what is new.
        admission::known(&self.store, &self.settings, key, Some(client), now);
        let action = RiskAction::Track;
        let event = Event::Match { rule: 0, risk: mark.risk, state: mark.state, action, rate: None };
        let mut after = None;
        let update = self.store.update(key, Kind::Client, second, |payload| {
            let mut state = payload.map(ClientState::read).unwrap_or_default();
            let consequence = state.take(&self.settings, &event, millisecond);
            let entry = state.entry(&self.settings);
            after = Some((state, consequence));
            Some(entry)
        });
        let (state, consequence) = after.filter(|_| update == Update::Stored)?;
        let for_good = consequence.block.map(|block| block.until == u32::MAX);
        let facts = self.facts(client, &state, now);
        let counts = ClientCounts {
            matches: 1,
            blocked: u32::from(for_good == Some(false)),
            blocked_for_good: u32::from(for_good == Some(true)),
            // A cast saturates.
            score: Some(facts.risk as u8),
            ..ClientCounts::default()
        };
        let found = ClientMatch {
            id: 0,
            description: rule.name.as_bytes().to_vec().into(),
            tag_name: rule.app.name.clone(),
            classification: mark.classification,
            state: mark.state,
            contribution: consequence.added,
            risk: mark.risk,
            action,
            blocking: false,
            beta: false,
            below: false,
        };
        let record = MatchEvent { facts: &facts, matches: vec![&found], post_block: false }.line();
        Some(RiskAdded { counts, record })
    }
}
