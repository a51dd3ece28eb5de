//! The records of a transaction's client.

use super::Disruption;
use super::client::{Client, Refusal};
use super::state::State;
use crate::audit::{BlockEvent, ClientMatch, ExchangeFacts, MatchEvent};
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
        let facts = self.exchange_facts(plan, &client);
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

    fn exchange_facts(&mut self, plan: &Plan, client: &Client) -> ExchangeFacts {
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
        let length = self.header(b"content-length");
        let reached = client.response_at > 0;
        ExchangeFacts {
            timestamp: self.now.0,
            user_agent: self.header(b"user-agent").to_vec(),
            ip,
            host,
            uri,
            args,
            request_id: id,
            client: client.key.map(Key::hex).unwrap_or_default(),
            risk: client.state.score_at(&client.settings.score, self.milliseconds()),
            status_code: if reached { leading_integer(&status) } else { 0 },
            ssl: client.facts.ssl,
            method,
            content_type: self.header(b"content-type").to_vec(),
            content_length: (!length.is_empty()).then(|| leading_integer(length)),
            response_length: response_length.filter(|_| reached),
            upstream_milliseconds: reached.then(|| client.response_at.saturating_sub(client.request_done)),
            tls_fingerprint: client
                .settings
                .entity
                .ja4_header
                .as_ref()
                .or(client.settings.entity.ja3_header.as_ref())
                .map(|name| self.header(name.as_bytes()).to_vec())
                .unwrap_or_default(),
            cookie: client.facts.interrogation.clone().filter(|_| client.facts.verified),
        }
    }
}
