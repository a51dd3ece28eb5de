//! What came out of an exchange.

use std::collections::BTreeMap;
use std::fmt;

use crate::Fields;

/// A callback of an HTTP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Callback {
    /// `proxy_on_request_headers`.
    RequestHeaders,
    /// `proxy_on_request_body`.
    RequestBody,
    /// `proxy_on_request_trailers`.
    RequestTrailers,
    /// `proxy_on_response_headers`.
    ResponseHeaders,
    /// `proxy_on_response_body`.
    ResponseBody,
    /// `proxy_on_response_trailers`.
    ResponseTrailers,
    /// `proxy_on_tick`.
    Tick,
    /// `proxy_on_context_create`, `proxy_on_log`, `proxy_on_done`, `proxy_on_delete`.
    Lifecycle,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client got the upstream's answer.
    Continued,
    /// The client got an answer of the module.
    LocalReply {
        /// Which callback sent it.
        during: Callback,
        /// The status.
        status: u16,
        /// The fields that the module gave.
        headers: Fields,
        /// The body that the module gave.
        body: Vec<u8>,
        /// The gRPC status, if it gave one.
        grpc_status: Option<u8>,
        /// What the access log is told.
        details: String,
    },
    /// The host answered by itself, because a held body outgrew the buffer: 413 or 500.
    HostReply {
        /// The status.
        status: u16,
    },
    /// The stream was reset by the module, in this callback.
    Closed {
        /// Which.
        during: Callback,
    },
    /// The module holds something and nothing will make it let go: in Envoy this hangs until a timeout.
    Stuck {
        /// The callback that paused last.
        during: Callback,
    },
    /// The module trapped: out of bounds, a panic, or out of fuel. The host is of no use any more.
    Trapped {
        /// In which callback.
        during: Callback,
        /// What the runtime says.
        reason: String,
    },
}

/// What reached the upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The request's fields, pseudo-headers among them; `None` when it was never asked.
    pub headers: Option<Fields>,
    /// The bytes of the body that arrived.
    pub body: Vec<u8>,
    /// The trailers that arrived.
    pub trailers: Fields,
    /// Whether the end of the request arrived.
    pub complete: bool,
}

/// What reached the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Downstream {
    /// The status; `None` when there was no answer.
    pub status: Option<u16>,
    /// The response's fields without pseudo-headers.
    pub headers: Fields,
    /// The bytes of the body that arrived.
    pub body: Vec<u8>,
    /// The trailers that arrived.
    pub trailers: Fields,
    /// Whether the end of the response arrived. When not, the stream was cut off.
    pub complete: bool,
}

impl Downstream {
    /// The first value of a header, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }
}

/// A line that the module logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warning, 4 error, 5 critical.
    pub level: u32,
    /// The text; what is not UTF-8 in it is replaced.
    pub text: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            0 => "trace",
            1 => "debug",
            2 => "info",
            3 => "warning",
            4 => "error",
            _ => "critical",
        };
        write!(f, "[{level}] {}", self.text)
    }
}

/// Everything that came of an exchange.
#[derive(Clone, Debug)]
pub struct Observed {
    /// How it ended.
    pub verdict: Verdict,
    /// What reached the upstream.
    pub upstream: Upstream,
    /// What reached the client.
    pub downstream: Downstream,
    /// What the module logged meanwhile.
    pub log: Vec<LogLine>,
    /// What the module added to its metrics, by name; those that did not change are left out.
    pub metrics: BTreeMap<String, i64>,
    /// The work that the module did: about one unit per instruction. Repeatable.
    pub fuel: u64,
    /// How often the module called the host.
    pub host_calls: u64,
    /// The callbacks in order, with what each returned: `true` for `Pause`.
    pub callbacks: Vec<(Callback, bool)>,
}

impl Observed {
    /// The status that the client got.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.downstream.status
    }

    /// Whether any log line contains this text.
    #[must_use]
    pub fn logged(&self, text: &str) -> bool {
        self.log.iter().any(|line| line.text.contains(text))
    }
}
