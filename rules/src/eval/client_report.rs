//! The records of a transaction's client.

use super::Disruption;
use super::UnixNanos;
use super::client::{Client, Refusal};
use super::state::State;
use crate::audit::{BlockEvent, ClientMatch, ExchangeFacts, Holder, Masker, MatchEvent, Named, Term};
use crate::collections::Key;
use crate::model::Variable;
use crate::operators::leading_integer;
use crate::plan::Plan;
use crate::risk::{ClientState, Listed};

impl State {
    /// Makes the records of the transaction.
    pub(super) fn report_client(&mut self, plan: &Plan) {
        let Some(mut client) = self.client.take() else { return };
        // Handing in an answer is no block.
        let answered = Disruption::Client(Refusal::Answered);
        let interruption =
            self.decision.interruption.clone().filter(|interruption| interruption.disruption != answered);
        // One record in a while stands for all requests during a block.
        let unnoted = client.post_block && client.noted.is_none();
        let refused = interruption.map(|interruption| match interruption.disruption {
            Disruption::Client(refusal) => (Some(refusal), interruption.rule_id),
            _ => (None, interruption.rule_id),
        });
        let spared = client.spared.filter(|_| !client.spared_before || client.noted.is_some());
        let spared = spared.map(|(refusal, rule_id)| (Some(refusal), rule_id));
        let block = refused.or(spared).filter(|_| !unnoted);
        let any = client.matches.iter().any(|one| !one.below) || client.post_block;
        let matches = any && !unnoted;
        if block.is_none() && !matches {
            self.client = Some(client);
            return;
        }
        let facts = self.with_masker(plan, |state, masker| {
            for one in &mut client.matches {
                masker.mask(&mut one.description.text, &one.description.pieces);
            }
            state.exchange_facts(plan, &client, masker)
        });
        if let Some((refusal, rule_id)) = block {
            let enforced = refused.is_some();
            let before = client.post_block || (!enforced && client.spared_before);
            let event = BlockEvent {
                facts: &facts,
                level: refusal.map_or("request", Refusal::level),
                reason: refusal.map_or("rule", Refusal::name),
                rule_id,
                term: refusal.map(|refusal| client.term(refusal, self.now)).unwrap_or_default(),
                enforced,
                post_block: before,
                count: client.noted.filter(|_| before).unwrap_or(1),
            };
            client.lines.push(event.line());
        }
        if matches {
            let matches: Vec<&ClientMatch> = client.matches.iter().filter(|one| !one.below).collect();
            let event = MatchEvent { facts: &facts, matches, post_block: client.post_block };
            client.lines.push(event.line());
        }
        self.client = Some(client);
    }

    fn exchange_facts(&mut self, plan: &Plan, client: &Client, masker: &Masker<'_>) -> ExchangeFacts {
        let mut scalar = |variable| {
            let value = self.scalar(plan, variable, 0);
            self.values.get(value).to_vec()
        };
        let status = scalar(Variable::ResponseStatus);
        let (ip, host, uri) =
            (scalar(Variable::RemoteAddr), scalar(Variable::ServerName), scalar(Variable::RequestFilename));
        let (args, id, method) =
            (scalar(Variable::QueryString), scalar(Variable::UniqueId), scalar(Variable::RequestMethod));
        let response_length = self
            .data
            .response_headers
            .iter()
            .find(|header| self.values.get(header.key).eq_ignore_ascii_case(b"content-length"))
            .map(|header| leading_integer(self.values.get(header.value)));
        let header = |name: &[u8]| masker.field(Named::RequestHeader, name, self.header(name)).1;
        let length = self.header(b"content-length");
        let reached = client.response_at > 0;
        ExchangeFacts {
            timestamp: self.now.0,
            user_agent: header(b"user-agent"),
            ip,
            host: masker.value(Named::RequestHeader, b"host", &host),
            uri: masker.within(Holder::Path, &uri),
            args: masker.within(Holder::Query, &args),
            request_id: id,
            client: client.key.map(Key::hex).unwrap_or_default(),
            risk: client.state.score_at(&client.settings.score, self.milliseconds()),
            status_code: if reached { leading_integer(&status) } else { 0 },
            ssl: client.facts.ssl,
            method,
            content_type: header(b"content-type"),
            content_length: (!length.is_empty()).then(|| leading_integer(length)),
            response_length: response_length.filter(|_| reached),
            upstream_milliseconds: reached.then(|| client.response_at.saturating_sub(client.request_done)),
            tls_fingerprint: [&client.settings.entity.ja4_header, &client.settings.entity.ja3_header]
                .into_iter()
                .flatten()
                .map(|name| header(name.as_bytes()))
                .find(|fingerprint| !fingerprint.is_empty())
                .unwrap_or_default(),
            js_fingerprint: client.fingerprint,
            cookie: client
                .facts
                .interrogation
                .as_deref()
                .filter(|_| client.facts.verified)
                .map(|identity| masker.value(Named::RequestHeader, b"cookie", identity)),
        }
    }
}

impl Client {
    /// How long a refusal lasts.
    fn term(&self, refusal: Refusal, now: UnixNanos) -> Term {
        let second = now.0 / 1_000_000_000;
        let lists = &self.settings.lists;
        match refusal {
            Refusal::Rate => Term { end: self.rate_end, ..Term::default() },
            Refusal::DenyListed | Refusal::BlockListed => {
                Term::listed(self.address.and_then(|address| lists.find(address, second)))
            }
            _ => Term::of_block(refusal, &self.state, second),
        }
    }
}

impl Term {
    /// That of an entry of a list.
    pub(super) fn listed(listed: Option<Listed<'_>>) -> Self {
        let end = match listed {
            Some(Listed::Deny(entry) | Listed::Block(entry)) => entry.expires,
            _ => None,
        };
        Self { end, number: None, permanent: end.is_none() }
    }

    /// That of a block by score, or of what is about one exchange.
    pub(super) fn of_block(refusal: Refusal, state: &ClientState, second: u64) -> Self {
        match refusal {
            Refusal::BlockedForGood => Self { end: None, number: Some(state.blocks), permanent: true },
            Refusal::Blocked if u64::from(state.blocked_until) > second => {
                Self { end: Some(state.blocked_until.into()), number: Some(state.blocks), permanent: false }
            }
            Refusal::Blocked => Self {
                end: Some(state.spared_until.into()),
                number: Some(state.blocks.saturating_add(1)),
                permanent: false,
            },
            _ => Self::default(),
        }
    }
}
