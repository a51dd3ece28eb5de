//! Network rules: what the JSON forms and ARMR text both become.

use std::sync::Arc;

use super::{Address, Api, Ports, RuleRisk};
use crate::diagnostic::Place;

/// What a rule governs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// A client connects; the address is the client's.
    Accept,
    /// A service is dialled; the address is the service's.
    Connect,
    /// The local address that an outgoing connection is made from.
    BindClient,
    /// The local address that a connection was accepted on.
    BindServer,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Accept, Self::Connect, Self::BindClient, Self::BindServer];

    /// The name in events (`securityFeature`).
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::Accept => "socket accept",
            Self::Connect => "socket connect",
            Self::BindClient => "socket bind",
            Self::BindServer => "socket serverbind",
        }
    }

    /// The name in counters and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::BindClient => "bind_client",
            Self::BindServer => "bind_server",
        }
    }

    /// Whether the address is this proxy's own.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(self, Self::BindClient | Self::BindServer)
    }
}

/// What a rule does. Among equally specific rules the later one in this order wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Records the operation, which goes on.
    Detect,
    /// Refuses the operation.
    Protect,
    /// Permits the operation, against wider rules.
    Allow,
}

impl Action {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detect => "detect",
            Self::Protect => "protect",
            Self::Allow => "allow",
        }
    }
}

/// How bad it is when a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Not said; only in ARMR text.
    Unknown,
    /// ARMR: 0 to 3.
    Low,
    /// ARMR: 4 to 6.
    Medium,
    /// ARMR: 7 and 8.
    High,
    /// ARMR: 9 and 10, `Very-High`.
    Critical,
}

impl Severity {
    /// The severity of a name in any case: `Low`, `Medium` (`Med`), `High`, `Critical` (`Very-High`),
    /// `Unknown`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "unknown" => Self::Unknown,
            "low" => Self::Low,
            "medium" | "med" => Self::Medium,
            "high" => Self::High,
            "critical" | "very-high" => Self::Critical,
            _ => return None,
        })
    }

    /// The severity of a number from 0 to 10.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0..=3 => Self::Low,
            4..=6 => Self::Medium,
            7..=8 => Self::High,
            9..=10 => Self::Critical,
            _ => return None,
        })
    }

    /// The name in the policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The name in events, which is ARMR's.
    #[must_use]
    pub const fn event_name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Very-High",
        }
    }
}

/// What is logged when a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Nothing.
    Silent,
    /// A text made from what happened.
    Default,
    /// This text.
    Text(Box<str>),
}

/// Rules that belong together; what an ARMR `app` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: u64,
    /// The version of the language its rules are written in.
    pub language: LanguageVersion,
    /// Further keys of its events.
    pub log: Vec<(String, String)>,
}

/// A version of ARMR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanguageVersion {
    /// The part before the dot.
    pub major: u8,
    /// The part after it.
    pub minor: u8,
}

impl LanguageVersion {
    /// The latest that is supported, and that of rules in JSON.
    pub const LATEST: Self = Self { major: 2, minor: 10 };
}

impl std::fmt::Display for LanguageVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// One address and its ports, for one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// What is governed.
    pub operation: Operation,
    /// Which addresses.
    pub address: Address,
    /// Which ports.
    pub ports: Ports,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The rules it belongs to.
    pub app: Arc<App>,
    /// Its name, once per app.
    pub name: Box<str>,
    /// Where it applies: one entry per address and side.
    pub bindings: Vec<Binding>,
    /// What it does.
    pub action: Action,
    /// The requests it is restricted to; `None` applies to connections and requests alike.
    pub api: Option<Api>,
    /// What is logged.
    pub message: Message,
    /// How bad it is.
    pub severity: Severity,
    /// Whether events say which way the connection took: listener, filter chain, cluster, route.
    pub connection_detail: bool,
    /// What it adds to the client's risk.
    pub risk: Option<RuleRisk>,
    /// Where it is written.
    pub place: Place,
}

/// Which way the connections of a listener go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Clients come in: accept and bind rules apply.
    Inbound,
    /// Services are dialled: connect rules and the client side of bind rules apply.
    Outbound,
    /// Both at once, as in an egress gateway.
    Both,
}

/// Which rules the HTTP filter applies to requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpRequests {
    /// All: a rule without an API restriction holds for each request too.
    #[default]
    All,
    /// Those with an API restriction; the network filter on the same listener sees to the others.
    ApiOnly,
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventFormat {
    /// RFC 5424 header and CEF.
    #[default]
    Cef,
    /// One JSON object.
    Json,
}

/// Caps the events of each rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventFlow {
    /// Events until the rule falls silent.
    pub most: u32,
    /// Seconds that it stays so.
    pub pause_seconds: u32,
}

/// The network part of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// Which way connections go; `None` asks the listener.
    pub direction: Option<Direction>,
    /// What applies to requests.
    pub http_requests: HttpRequests,
    /// How events are written.
    pub event_format: EventFormat,
    /// How many there may be; `None` is all.
    pub event_flow: Option<EventFlow>,
    /// Whether new connections of clients that risk or lists refuse are refused.
    pub refuse_blocked_clients: bool,
    /// The rules, in order.
    pub rules: Vec<Rule>,
}
