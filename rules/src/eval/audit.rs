//! The audit record: whether a transaction gets one, and what goes into it.

use super::data::Element;
use super::state::State;
use super::values::Value;
use super::{Disruption, Refusal};
use crate::audit::{AuditFile, AuditRecord, Excerpt, Holder, Masker, Named, Parts};
use crate::http::time::CivilTime;
use crate::limits;
use crate::model::{AuditEngine, EngineMode, Variable};
use crate::plan::{Plan, SetPlan};

impl State {
    /// The record of the transaction, if a rule set wants one. Rule sets that want it put their parts,
    /// components and matches together; the first one's format is taken.
    pub(crate) fn audit_record(&mut self, plan: &Plan) -> Option<AuditRecord> {
        if !self.auditing {
            return None;
        }
        self.with_masker(plan, |state, masker| state.masked_record(plan, masker))
    }

    fn masked_record(&mut self, plan: &Plan, masker: &Masker<'_>) -> Option<AuditRecord> {
        let status = self.final_status();
        let numbered = (0u32..).zip(plan.sets());
        let wanted: Vec<(u32, &SetPlan)> =
            numbered.filter(|(index, set)| self.wants_record(*index, set, status)).collect();
        let (_, first) = wanted.first()?;
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
            at: CivilTime::from_unix(self.started.0 / 1_000_000_000),
            started: self.started.0,
            unique_id: text(self, Variable::UniqueId),
            client: (text(self, Variable::RemoteAddr), text(self, Variable::RemotePort)),
            server: (text(self, Variable::ServerAddr), text(self, Variable::ServerPort)),
            method: text(self, Variable::RequestMethod),
            uri: masker.target(&text(self, Variable::RequestUriRaw)),
            protocol: text(self, Variable::RequestProtocol),
            request_headers: self.fields(masker, Named::RequestHeader, &self.data.request_headers),
            request_body: self.audited_body(masker, view, parts),
            files: self.audited_files(masker, view),
            response_protocol: text(self, protocol),
            status,
            response_headers: self.fields(masker, Named::ResponseHeader, &self.data.response_headers),
            response_body: self.audited_answer(plan, masker, view),
            engine: self.mode(first),
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
        if self.mode(set) == EngineMode::Off {
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

    fn fields(&self, masker: &Masker<'_>, named: Named, elements: &[Element]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let field = |element: &Element| {
            masker.field(named, self.values.get(element.key), self.values.get(element.value))
        };
        elements.iter().map(field).collect()
    }

    /// The request body as far as it was inspected. Part I without C has the fields of a multipart body in its
    /// place, without the files.
    fn audited_body(&self, masker: &Masker<'_>, view: usize, parts: Parts) -> Excerpt {
        let Some(seen) = self.data.view(view) else { return Excerpt::default() };
        let multipart = self.values.get(seen.scalars.get(Variable::ReqbodyProcessor)) == b"MULTIPART";
        if parts.has('C') || !multipart {
            let body = self.request_body.get(..seen.body_length).unwrap_or_default();
            return Excerpt::of(body, limits::AUDIT_BODY_BYTES, |body| {
                masker.within(Holder::RequestBody, body)
            });
        }
        let mut fields = Vec::new();
        for field in &seen.body_args {
            if !fields.is_empty() {
                fields.push(b'&');
            }
            let name = self.values.get(field.key);
            fields.extend(masker.name(Named::Argument, name));
            fields.push(b'=');
            fields.extend(masker.value(Named::Argument, name, self.values.get(field.value)));
        }
        Excerpt::of(&fields, limits::AUDIT_BODY_BYTES, <[u8]>::to_vec)
    }

    /// The response body as far as it was inspected.
    fn audited_answer(&mut self, plan: &Plan, masker: &Masker<'_>, view: usize) -> Excerpt {
        let body = self.scalar(plan, Variable::ResponseBody, view);
        Excerpt::of(self.values.get(body), limits::AUDIT_BODY_BYTES, |body| {
            masker.within(Holder::ResponseBody, body)
        })
    }

    fn audited_files(&self, masker: &Masker<'_>, view: usize) -> Vec<AuditFile> {
        let Some(seen) = self.data.view(view) else { return Vec::new() };
        let sizes = seen.files_sizes.iter().map(|size| self.values.get(size.value).to_vec());
        let named = seen.files.iter().zip(sizes).map(|(file, size)| {
            let field = self.values.get(file.key);
            AuditFile {
                field: masker.name(Named::Argument, field),
                name: masker.value(Named::File, field, self.values.get(file.value)),
                size,
            }
        });
        named.collect()
    }
}
