//! Transactions: one HTTP exchange judged phase by phase.

use std::sync::Arc;

use crate::audit::MatchRecord;
use crate::model::Phase;
use crate::plan::Plan;

/// Nanoseconds since 1970-01-01T00:00:00Z, from the host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixNanos(pub u64);

/// A header or trailer field: name, value. Bytes as received.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// The two ends of the connection the request came over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// The peer's address as text, without port.
    pub client_address: &'a [u8],
    /// The peer's port.
    pub client_port: u16,
    /// The local address as text, without port.
    pub server_address: &'a [u8],
    /// The local port.
    pub server_port: u16,
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The request target as sent: path and query, an absolute URI, `*` or an authority.
    pub target: &'a [u8],
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a [u8],
    /// Header fields in order, without pseudo-headers; `Host` among them, from `:authority` if need be.
    pub headers: &'a [Field<'a>],
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a [u8],
    /// Header fields in order, without pseudo-headers.
    pub headers: &'a [Field<'a>],
}

/// What the host does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let the exchange go on.
    Continue,
    /// End it.
    Interrupt(Interruption),
}

/// Why and how an exchange is ended. The first one of a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The rule that decided; 0 when a body limit did.
    pub rule_id: u64,
    /// When it decided.
    pub phase: Phase,
    /// What the client gets.
    pub disruption: Disruption,
}

/// What the client gets instead of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disruption {
    /// An answer with this status.
    Deny {
        /// 100 to 599; 403 unless set.
        status: u16,
    },
    /// An answer that sends it elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The URL; holds no CR, LF or NUL.
        location: Vec<u8>,
    },
    /// No answer: the stream or connection is closed.
    Drop,
}

/// Whether more of a body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyDemand {
    /// Hand in what comes and hold it back.
    More,
    /// The inspection limit is reached: call the phase's `…_complete` now. If it lets the exchange go
    /// on, the rest of the body passes without being handed in.
    Enough,
}

/// How a transaction ended, for counters and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was decided.
    Pass,
    /// An `allow` rule let it through.
    Allow {
        /// The rule.
        rule_id: u64,
        /// When.
        phase: Phase,
    },
    /// It was ended.
    Interrupted(Interruption),
}

/// One HTTP exchange moving through phases 1 to 5.
#[derive(Debug)]
pub struct Transaction {
    plan: Arc<Plan>,
    matches: Vec<MatchRecord>,
}

impl Transaction {
    /// Begins a transaction. `unique_id` is the request id that the log lines and answers carry.
    #[must_use]
    pub fn new(plan: Arc<Plan>, connection: &Connection<'_>, unique_id: &[u8], now: UnixNanos) -> Self {
        let _ = (connection, unique_id, now);
        Self { plan, matches: Vec::new() }
    }

    /// Takes the request head in and runs phase 1.
    pub fn request_headers(&mut self, head: &RequestHead<'_>, now: UnixNanos) -> Verdict {
        let _ = (head, now, &self.plan);
        Verdict::Continue
    }

    /// Whether the request body is to be held and handed in. Known after phase 1.
    #[must_use]
    pub fn inspects_request_body(&self) -> bool {
        false
    }

    /// Takes a piece of the request body in.
    pub fn request_body(&mut self, chunk: &[u8]) -> BodyDemand {
        let _ = chunk;
        BodyDemand::More
    }

    /// Takes the request's trailer fields in; they join `REQUEST_HEADERS` before phase 2.
    pub fn request_trailers(&mut self, fields: &[Field<'_>]) {
        let _ = fields;
    }

    /// Parses what was received of the request body and runs phase 2. Call it once, also without a body.
    pub fn request_complete(&mut self, now: UnixNanos) -> Verdict {
        let _ = now;
        Verdict::Continue
    }

    /// Takes the response head in and runs phase 3.
    pub fn response_headers(&mut self, head: &ResponseHead<'_>, now: UnixNanos) -> Verdict {
        let _ = (head, now);
        Verdict::Continue
    }

    /// Whether the response body is to be held and handed in. Known after phase 3.
    #[must_use]
    pub fn inspects_response_body(&self) -> bool {
        false
    }

    /// Takes a piece of the response body in.
    pub fn response_body(&mut self, chunk: &[u8]) -> BodyDemand {
        let _ = chunk;
        BodyDemand::More
    }

    /// Takes the response's trailer fields in; they join `RESPONSE_HEADERS` before phase 4.
    pub fn response_trailers(&mut self, fields: &[Field<'_>]) {
        let _ = fields;
    }

    /// Runs phase 4. Call it once, also without a body.
    pub fn response_complete(&mut self, now: UnixNanos) -> Verdict {
        let _ = now;
        Verdict::Continue
    }

    /// Runs phase 5. Call it once, at the very end, also after an interruption.
    pub fn finish(&mut self, now: UnixNanos) {
        let _ = now;
    }

    /// How it ended, or stands so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome::Pass
    }

    /// The rule matches since the last call, in order, logged or not.
    pub fn take_matches(&mut self) -> Vec<MatchRecord> {
        std::mem::take(&mut self.matches)
    }

    /// What `TX` holds, in order of insertion: name, value.
    #[must_use]
    pub fn tx(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        Vec::new()
    }
}
