//! The audit record of a transaction: what was exchanged, and which rules matched.

use super::parts::Parts;
use super::{json, native};
use crate::http::time::CivilTime;
use crate::limits;
use crate::model::{AuditFormat, EngineMode};

/// What is known of one transaction in the end, as far as its rule sets want it in the audit log. What they mask is
/// masked already.
/// Its texts are cut to the limits `AUDIT_…` of [`crate::limits`]; what is left out is counted where it was.
#[derive(Debug)]
pub struct AuditRecord {
    pub(crate) format: AuditFormat,
    pub(crate) parts: Parts,
    /// When it began.
    pub(crate) at: CivilTime,
    /// The same in nanoseconds since 1970.
    pub(crate) started: u64,
    pub(crate) unique_id: Vec<u8>,
    pub(crate) client: (Vec<u8>, Vec<u8>),
    pub(crate) server: (Vec<u8>, Vec<u8>),
    pub(crate) method: Vec<u8>,
    pub(crate) uri: Vec<u8>,
    pub(crate) protocol: Vec<u8>,
    pub(crate) request_headers: Vec<OwnedField>,
    pub(crate) request_body: Excerpt,
    pub(crate) files: Vec<AuditFile>,
    pub(crate) response_protocol: Vec<u8>,
    /// What the client got, or would have got; 0 when it got nothing.
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<OwnedField>,
    pub(crate) response_body: Excerpt,
    pub(crate) engine: EngineMode,
    pub(crate) interrupted: bool,
    /// `SecComponentSignature` of all rule sets that want the record.
    pub(crate) components: Vec<Box<str>>,
    pub(crate) messages: Vec<AuditMessage>,
    /// Matches beyond the limit.
    pub(crate) messages_omitted: usize,
}

/// The beginning of a text.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    pub(crate) text: Vec<u8>,
    /// How many bytes follow.
    pub(crate) omitted: usize,
}

impl Excerpt {
    /// The first bytes of a text, as `show` shows them.
    pub(crate) fn of(text: &[u8], limit: usize, show: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let (begin, omitted) = cut(text, limit);
        Self { text: show(begin), omitted }
    }
}

/// A header field: name, value.
pub(crate) type OwnedField = (Vec<u8>, Vec<u8>);

/// An uploaded file.
#[derive(Debug)]
pub(crate) struct AuditFile {
    pub(crate) field: Vec<u8>,
    pub(crate) name: Vec<u8>,
    pub(crate) size: Vec<u8>,
}

/// A rule that matched.
#[derive(Debug)]
pub(crate) struct AuditMessage {
    /// Index of the rule set.
    pub(crate) set: u32,
    pub(crate) message: Vec<u8>,
    /// `Matched "Operator …`, escaped.
    pub(crate) matched: Vec<u8>,
    /// The line of the error log without the client.
    pub(crate) line: Vec<u8>,
    pub(crate) rule_id: u64,
    pub(crate) file: String,
    pub(crate) line_number: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) severity: Option<u8>,
    pub(crate) ver: String,
    pub(crate) rev: String,
    pub(crate) tags: Vec<Vec<u8>>,
    pub(crate) maturity: u8,
    pub(crate) accuracy: u8,
}

/// Where the engine is named as the producer of a record.
pub(crate) const PRODUCER: &str = concat!("Portcullis ", env!("CARGO_PKG_VERSION"));

/// What hands the engine its exchanges.
pub(crate) const CONNECTOR: &str = "proxy-wasm";

impl AuditRecord {
    /// The record in its format: one line of JSON, or the sections of ModSecurity's native format on a line or
    /// more each. It ends without a line end, and is printable ASCII.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        match self.format {
            AuditFormat::Json => json::render(self),
            AuditFormat::Native => native::render(self),
        }
    }

    /// As [`AuditRecord::render`], on one line: ends of lines are written as `\n`.
    #[must_use]
    pub fn one_line(&self) -> Vec<u8> {
        let text = self.render();
        match self.format {
            AuditFormat::Json => text,
            AuditFormat::Native => {
                let mut out = Vec::with_capacity(text.len() + 64);
                for byte in text {
                    match byte {
                        b'\n' => out.extend_from_slice(b"\\n"),
                        byte => out.push(byte),
                    }
                }
                out
            }
        }
    }

    /// `Enabled`, `Disabled` or `DetectionOnly`.
    pub(crate) fn engine_name(&self) -> &'static str {
        match self.engine {
            EngineMode::On => "Enabled",
            EngineMode::Off => "Disabled",
            EngineMode::DetectionOnly => "DetectionOnly",
        }
    }

    /// Whether the rules that matched are part of the record.
    pub(crate) fn has_messages(&self) -> bool {
        self.parts.has('H') || self.parts.has('K')
    }

    /// Whether a request body is, whole or without files.
    pub(crate) fn has_request_body(&self) -> bool {
        self.parts.has('C') || self.parts.has('I')
    }
}

/// The first bytes of a text, and how many there are beyond them.
pub(crate) fn cut(text: &[u8], limit: usize) -> (&[u8], usize) {
    match text.get(..limit) {
        Some(start) => (start, text.len() - limit),
        None => (text, 0),
    }
}

/// The header fields that are shown, and how many there are beyond them.
pub(crate) fn cut_headers(headers: &[OwnedField]) -> (&[OwnedField], usize) {
    match headers.get(..limits::AUDIT_HEADERS) {
        Some(start) => (start, headers.len() - limits::AUDIT_HEADERS),
        None => (headers, 0),
    }
}
