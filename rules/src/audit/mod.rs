//! What is reported: records of rule matches and of whole transactions, and their formats.

mod client_event;
mod error_line;
mod json;
mod masks;
mod native;
mod parts;
mod record;
mod secrets;

pub(crate) use client_event::{BlockEvent, ClientMatch, ExchangeFacts, MatchEvent, Term};
pub(crate) use error_line::{ErrorLine, LineVerdict, MatchedValue, escape};
pub(crate) use masks::{Holder, Masker, Masks, Named, Pieces, Place, Sent, Source, Traced, folded};
pub(crate) use parts::{Parts, PartsEdit};
pub use record::AuditRecord;
pub(crate) use record::{AuditFile, AuditMessage, Excerpt};

use crate::model::{Phase, Severity};

/// One rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchRecord {
    /// The rule.
    pub rule_id: u64,
    /// When.
    pub phase: Phase,
    /// The expanded message.
    pub message: Vec<u8>,
    /// The expanded `logdata`.
    pub data: Vec<u8>,
    /// The severity.
    pub severity: Option<Severity>,
    /// The expanded tags, in order.
    pub tags: Vec<Vec<u8>>,
    /// Full names of what matched, in order.
    pub variables: Vec<Vec<u8>>,
    /// The line for the error log in ModSecurity's format; `None` for a rule that doesn't log.
    /// One physical line of printable ASCII and valid UTF-8, without a line end.
    pub log_line: Option<Vec<u8>>,
}
