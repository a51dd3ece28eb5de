//! The records of a transaction's client.

use super::Disruption;
use super::client::{Client, Refusal};
use super::state::State;
use crate::audit::{BlockEvent, ClientMatch, ExchangeFacts, Holder, Masker, MatchEvent, Named, Traced};
use crate::collections::Key;
use crate::model::Variable;
use crate::operators::leading_integer;
use crate::plan::Plan;

impl State {
    /// Makes the records of the transaction.
    pub(super) fn report_client(&mut self, plan: &Plan) {
        let Some(mut client) = self.client.take() else { return };
        // Handing in an answer is no block.
        let answered = Disruption::Client(Refusal::Answered);
        let interruption =
            self.decision.interruption.clone().filter(|interruption| interruption.disruption != answered);
        if client.matches.is_empty() && !client.post_block && interruption.is_none() {
            self.client = Some(client);
            return;
        }
        let facts = self.with_masker(plan, |state, masker| {
            for one in &mut client.matches {
                one.description = Traced::from(masker.traced(&one.description));
            }
            state.exchange_facts(plan, &client, masker)
        });
        if let Some(interruption) = &interruption {
            let (level, reason) = match interruption.disruption {
                Disruption::Client(refusal) => (refusal.level(), refusal.name()),
                _ => ("request", "rule"),
            };
            let event = BlockEvent { facts: &facts, level, reason, rule_id: interruption.rule_id };
            client.lines.push(event.line());
        }
        if !client.matches.is_empty() || client.post_block {
            let matches: Vec<&ClientMatch> = client.matches.iter().filter(|one| !one.below).collect();
            if !matches.is_empty() || client.post_block {
                let event = MatchEvent { facts: &facts, matches, post_block: client.post_block };
                client.lines.push(event.line());
            }
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
            tls_fingerprint: client
                .settings
                .entity
                .ja4_header
                .as_ref()
                .or(client.settings.entity.ja3_header.as_ref())
                .map(|name| header(name.as_bytes()))
                .unwrap_or_default(),
            cookie: client
                .facts
                .interrogation
                .as_deref()
                .filter(|_| client.facts.verified)
                .map(|identity| masker.value(Named::RequestHeader, b"cookie", identity)),
        }
    }
}
