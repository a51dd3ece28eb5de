//! Audit records in ModSecurity's native format: sections that begin with `--boundary-X--`, where X is the part.

use sha1::Digest as _;

use super::escape;
use super::record::{AuditRecord, CONNECTOR, Excerpt, OwnedField, PRODUCER, cut, cut_headers};
use crate::limits;

pub(super) fn render(record: &AuditRecord) -> Vec<u8> {
    let mut out = Native { record, boundary: boundary(record), out: Vec::new() };
    out.part('A', |out| {
        let at = &record.at;
        let month = at.month_name();
        let time = format!("{:02}:{:02}:{:02} +0000", at.hour, at.minute, at.second);
        out.extend_from_slice(format!("[{:02}/{month}/{:04}:{time}]", at.day, at.year).as_bytes());
        let ends = [&record.client.0, &record.client.1, &record.server.0, &record.server.1];
        for text in [&record.unique_id].into_iter().chain(ends) {
            out.push(b' ');
            limited(out, text, limits::AUDIT_TEXT_BYTES);
        }
        out.push(b'\n');
    });
    out.part('B', |out| {
        let request = [&record.method, &record.uri, &record.protocol];
        for (number, text) in request.into_iter().enumerate() {
            if number > 0 {
                out.push(b' ');
            }
            limited(out, text, limits::AUDIT_TEXT_BYTES);
        }
        out.push(b'\n');
        headers(out, &record.request_headers);
    });
    if record.has_request_body() {
        let part = if record.parts.has('C') { 'C' } else { 'I' };
        out.part(part, |out| body(out, &record.request_body));
    }
    out.part('E', |out| body(out, &record.response_body));
    out.part('F', |out| {
        limited(out, &record.response_protocol, limits::AUDIT_TEXT_BYTES);
        out.extend_from_slice(format!(" {}\n", record.status).as_bytes());
        headers(out, &record.response_headers);
    });
    out.part('H', |out| {
        for message in &record.messages {
            out.extend_from_slice(b"Message: ");
            out.extend_from_slice(&message.line);
            out.push(b'\n');
        }
        if record.messages_omitted > 0 {
            out.extend_from_slice(format!("({} matches omitted)\n", record.messages_omitted).as_bytes());
        }
        let components: Vec<&str> = record.components.iter().map(AsRef::as_ref).collect();
        let producer = [&[PRODUCER, CONNECTOR], components.as_slice()].concat().join("; ");
        out.extend_from_slice(b"Producer: ");
        escape(out, producer.as_bytes());
        out.extend_from_slice(format!(".\nEngine-Mode: \"{}\"\n", record.engine_name()).as_bytes());
    });
    out.part('J', |out| {
        for file in record.files.iter().take(limits::AUDIT_FILES) {
            for (text, end) in [(&file.size, b' '), (&file.field, b' '), (&file.name, b'\n')] {
                limited(out, text, limits::AUDIT_TEXT_BYTES);
                out.push(end);
            }
        }
    });
    out.part('K', |out| {
        for message in &record.messages {
            out.extend_from_slice(format!("{} ", message.rule_id).as_bytes());
            escape(out, message.file.as_bytes());
            out.extend_from_slice(format!(":{}\n", message.line_number).as_bytes());
        }
    });
    let Native { boundary, mut out, .. } = out;
    out.extend_from_slice(format!("--{boundary}-Z--").as_bytes());
    out
}

/// Tells sections apart from what they hold. Clients can't foresee the time of their request.
fn boundary(record: &AuditRecord) -> String {
    let mut digest = sha1::Sha1::new();
    digest.update(&record.unique_id);
    digest.update(record.started.to_be_bytes());
    digest.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

struct Native<'r> {
    record: &'r AuditRecord,
    boundary: String,
    out: Vec<u8>,
}

impl Native<'_> {
    /// Writes a part with an empty line behind it, if it is one of the record's.
    fn part(&mut self, letter: char, fill: impl FnOnce(&mut Vec<u8>)) {
        if letter == 'A' || self.record.parts.has(letter) {
            self.out.extend_from_slice(format!("--{}-{letter}--\n", self.boundary).as_bytes());
            fill(&mut self.out);
            self.out.push(b'\n');
        }
    }
}

fn headers(out: &mut Vec<u8>, headers: &[OwnedField]) {
    let (shown, omitted) = cut_headers(headers);
    for (name, value) in shown {
        limited(out, name, limits::AUDIT_TEXT_BYTES);
        out.extend_from_slice(b": ");
        limited(out, value, limits::AUDIT_TEXT_BYTES);
        out.push(b'\n');
    }
    if omitted > 0 {
        out.extend_from_slice(format!("({omitted} headers omitted)\n").as_bytes());
    }
}

fn body(out: &mut Vec<u8>, body: &Excerpt) {
    escape(out, &body.text);
    omitted(out, body.omitted);
    out.push(b'\n');
}

fn limited(out: &mut Vec<u8>, text: &[u8], limit: usize) {
    let (shown, rest) = cut(text, limit);
    escape(out, shown);
    omitted(out, rest);
}

fn omitted(out: &mut Vec<u8>, count: usize) {
    if count > 0 {
        out.extend_from_slice(format!(" ({count} bytes omitted)").as_bytes());
    }
}
