//! The audit record: whether a transaction gets one, and what goes into it.

use super::data::Element;
use super::state::State;
use super::values::Value;
use super::{Disruption, Refusal};
use crate::audit::{AuditFile, AuditRecord, Parts, Secrets};
use crate::http::percent::{self, Plus};
use crate::http::time::CivilTime;
use crate::limits;
use crate::model::{AuditEngine, EngineMode, Secret, Variable};
use crate::plan::{Plan, SetPlan};

impl State {
    /// The record of the transaction, if a rule set wants one. Rule sets that want it put their parts,
    /// components and matches together; the first one's format is taken.
    pub(crate) fn audit_record(&mut self, plan: &Plan) -> Option<AuditRecord> {
        if !self.auditing {
            return None;
        }
        let status = self.final_status();
        let numbered = (0u32..).zip(plan.sets());
        let wanted: Vec<(u32, &SetPlan)> =
            numbered.filter(|(index, set)| self.wants_record(*index, set, status)).collect();
        let (first_index, first) = wanted.first().map(|(index, set)| (*index, *set))?;
        let parts = wanted.iter().fold(Parts::default(), |parts, (_, set)| parts.with(set.audit.parts));
        let parts = self.control.audit_parts.of(parts);
        let view = first.view.0 as usize;
        let mut messages = std::mem::take(&mut self.audit_messages);
        messages.retain(|message| wanted.iter().any(|(index, _)| *index == message.set));
        let text = |state: &mut Self, variable| {
            let value = state.scalar(plan, variable, view);
            state.values.get(value).to_vec()
        };
        let protocol = if self.data.response_headers.is_empty() {
            Variable::RequestProtocol
        } else {
            Variable::ResponseProtocol
        };
        Some(AuditRecord {
            format: first.audit.format,
            parts,
            secrets: self.secrets(),
            at: CivilTime::from_unix(self.started.0 / 1_000_000_000),
            started: self.started.0,
            unique_id: text(self, Variable::UniqueId),
            client: (text(self, Variable::RemoteAddr), text(self, Variable::RemotePort)),
            server: (text(self, Variable::ServerAddr), text(self, Variable::ServerPort)),
            method: text(self, Variable::RequestMethod),
            uri: text(self, Variable::RequestUriRaw),
            protocol: text(self, Variable::RequestProtocol),
            request_headers: self.pairs(&self.data.request_headers),
            request_body: self.audited_body(view, parts),
            files: self.audited_files(view),
            response_protocol: text(self, protocol),
            status,
            response_headers: self.pairs(&self.data.response_headers),
            response_body: text(self, Variable::ResponseBody),
            engine: self.mode(first_index),
            interrupted: self.is_refused(),
            components: wanted.iter().flat_map(|(_, set)| set.audit.components.iter().cloned()).collect(),
            messages,
            messages_omitted: self.audit_messages_omitted,
        })
    }

    /// Whether the exchange ended otherwise than the upstream, or the client, wanted it to. A client that hands in
    /// the answer to its challenge gets what it came for.
    fn is_refused(&self) -> bool {
        let answered = Disruption::Client(Refusal::Answered);
        self.decision.interruption.as_ref().is_some_and(|end| end.disruption != answered)
    }

    /// What the client gets: what the host says it got; else the status that was decided on, else the response's; 0
    /// without any.
    fn final_status(&self) -> u16 {
        if let Some(status) = self.client_got {
            return status;
        }
        match self.decision.interruption.as_ref().map(|end| &end.disruption) {
            Some(Disruption::Deny { status } | Disruption::Redirect { status, .. }) => *status,
            Some(Disruption::Client(Refusal::Answered)) => 204,
            // What did not ask for a page; the host knows better.
            Some(Disruption::Client(Refusal::Interrogate)) => 401,
            Some(Disruption::Client(_)) => 403,
            Some(Disruption::Drop) => 0,
            None => {
                let view = self.data.view(0);
                let status = view.map_or(Value::EMPTY, |view| view.scalars.get(Variable::ResponseStatus));
                std::str::from_utf8(self.values.get(status))
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .unwrap_or(0)
            }
        }
    }

    fn wants_record(&self, index: u32, set: &SetPlan, status: u16) -> bool {
        if self.mode(index) == EngineMode::Off {
            return false;
        }
        match self.control.audit_engine.unwrap_or(set.audit.engine) {
            AuditEngine::Off => false,
            AuditEngine::On => true,
            AuditEngine::RelevantOnly => {
                self.audited_sets.contains(&index)
                    || set.audit.relevant.as_ref().is_some_and(|statuses| statuses.contains(status))
            }
        }
    }

    /// Takes down that a rule matched that makes its transaction relevant.
    pub(crate) fn mark_audited(&mut self, set: u32) {
        if self.auditing && !self.audited_sets.contains(&set) {
            self.audited_sets.push(set);
        }
    }

    fn pairs(&self, elements: &[Element]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pair = |element: &Element| {
            (self.values.get(element.key).to_vec(), self.values.get(element.value).to_vec())
        };
        elements.iter().map(pair).collect()
    }

    /// The request body as far as it was inspected. Part I without C has the fields of a multipart body in its
    /// place, without the files.
    fn audited_body(&self, view: usize, parts: Parts) -> Vec<u8> {
        let Some(seen) = self.data.view(view) else { return Vec::new() };
        let multipart = self.values.get(seen.scalars.get(Variable::ReqbodyProcessor)) == b"MULTIPART";
        if parts.has('C') || !multipart {
            return self.request_body.get(..seen.body_length).unwrap_or_default().to_vec();
        }
        let mut fields = Vec::new();
        for field in &seen.body_args {
            if !fields.is_empty() {
                fields.push(b'&');
            }
            fields.extend_from_slice(self.values.get(field.key));
            fields.push(b'=');
            fields.extend_from_slice(self.values.get(field.value));
        }
        fields
    }

    fn audited_files(&self, view: usize) -> Vec<AuditFile> {
        let Some(seen) = self.data.view(view) else { return Vec::new() };
        let sizes = seen.files_sizes.iter().map(|size| self.values.get(size.value).to_vec());
        let named = seen.files.iter().zip(sizes).map(|(file, size)| AuditFile {
            field: self.values.get(file.key).to_vec(),
            name: self.values.get(file.value).to_vec(),
            size,
        });
        named.collect()
    }

    /// Takes down what the record must not show.
    pub(crate) fn keep_secret(&mut self, secret: &Secret) {
        if !self.auditing {
            return;
        }
        match secret {
            Secret::Matched => {
                let sent = self.matched_raw.filter(|value| !self.secret_values.contains(value));
                // One more than can be looked for says that there are too many.
                self.secret_values.extend(sent.filter(|_| self.secret_values.len() <= limits::AUDIT_SECRETS));
            }
            named if self.secret_names.contains(named) => {}
            named => self.secret_names.push(named.clone()),
        }
    }

    fn secrets(&mut self) -> Secrets {
        let mut texts: Vec<Vec<u8>> =
            self.secret_values.iter().map(|value| self.values.get(*value).to_vec()).collect();
        for name in std::mem::take(&mut self.secret_names) {
            match name {
                Secret::Argument(name) => self.argument_texts(name.as_bytes(), &mut texts),
                Secret::RequestHeader(name) => {
                    self.texts_of(&self.data.request_headers, name.as_bytes(), &mut texts);
                }
                Secret::ResponseHeader(name) => {
                    self.texts_of(&self.data.response_headers, name.as_bytes(), &mut texts);
                }
                Secret::Matched => {}
            }
        }
        Secrets::new(texts)
    }

    fn texts_of(&self, elements: &[Element], name: &[u8], texts: &mut Vec<Vec<u8>>) {
        let named = elements.iter().filter(|element| self.values.get(element.key).eq_ignore_ascii_case(name));
        texts.extend(named.map(|element| self.values.get(element.value).to_vec()));
    }

    /// The values of an argument, decoded and as they stand in the query and in the body of a form.
    fn argument_texts(&self, name: &[u8], texts: &mut Vec<Vec<u8>>) {
        self.texts_of(&self.data.query_args, name, texts);
        for view in &self.data.views {
            self.texts_of(&view.body_args, name, texts);
        }
        let query = self.data.view(0).map_or(Value::EMPTY, |view| view.scalars.get(Variable::QueryString));
        let mut decoded = Vec::new();
        for written in [self.values.get(query), &self.request_body] {
            let tokens = written.split(|byte| matches!(byte, b'&' | b';'));
            for token in tokens {
                let Some(equals) = memchr::memchr(b'=', token) else { continue };
                let (key, value) = token.split_at(equals);
                decoded.clear();
                percent::decode(key, Plus::Blank, &mut decoded);
                if decoded.eq_ignore_ascii_case(name) {
                    texts.extend(value.get(1..).map(<[u8]>::to_vec));
                }
            }
        }
    }
}
