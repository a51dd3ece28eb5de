//! The shape of the policy's network part.

use super::json::{Kind, Value};
use super::network_build::{Names, RulesBuilder};
use super::read::{Form, Named, OneOrMany, choice, form};
use super::report::{Reporter, Spanned};
use super::risk_values::{ClassificationName, RiskNumber, StateName};
use crate::diagnostic::{Code, Span, did_you_mean};
use crate::net::{Action, Direction, EventFormat, HttpRequests, Rule, Severity};

/// What a rule governs, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KindName {
    Accept,
    Connect,
    Bind,
}

/// What an invalid ARMR app leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvalidApps {
    Skip,
    Refuse,
}

choice! { "NetworkKind", KindName {
    /// Clients that connect; the address is the client's.
    "accept" => KindName::Accept,
    /// Services that are dialled; the address is the service's.
    "connect" => KindName::Connect,
    /// Local addresses: those that connections are accepted on (`server`) and made from (`client`).
    "bind" => KindName::Bind,
}}

choice! { "NetworkAction", Action {
    /// The operation is logged and goes on.
    "detect" => Action::Detect,
    /// The operation is refused.
    "protect" => Action::Protect,
    /// The operation is permitted, against less specific rules.
    "allow" => Action::Allow,
}}

choice! { "Direction", Direction {
    /// Clients come in: accept and bind rules apply.
    "inbound" => Direction::Inbound,
    /// Services are dialled: connect rules and the client side of bind rules apply.
    "outbound" => Direction::Outbound,
    /// Both, as in an egress gateway.
    "both" => Direction::Both,
}}

choice! { "HttpRequests", HttpRequests {
    /// All rules: one without an API restriction holds for each request too.
    "all" => HttpRequests::All,
    /// Rules with an API restriction only, for listeners on which the network filter runs as well.
    "api_only" => HttpRequests::ApiOnly,
}}

choice! { "EventFormat", EventFormat {
    /// An RFC 5424 header and a CEF line.
    "cef" => EventFormat::Cef,
    /// A JSON object with the same fields.
    "json" => EventFormat::Json,
}}

choice! { "InvalidApps", InvalidApps {
    /// The app is left out with a warning; other apps load. Where none is valid the policy is refused.
    "skip" => InvalidApps::Skip,
    /// The policy is refused.
    "refuse" => InvalidApps::Refuse,
}}

form! {
    /// Rules for connections. Exactly one is chosen for each operation: by the address (exact address, host name, longer networks, shorter ones, any), then the ports (one, narrower ranges, any), then the action (allow, protect, detect), then the order. What no rule covers goes on.
    NetworkForm {
        /// Which way the connections of the listener go. Default: what Envoy says (`traffic_direction`); where it says nothing, accept and bind rules apply to connections, and all rules to requests.
        optional direction: Direction,
        /// Which rules the HTTP filter applies to requests.
        default http_requests: HttpRequests = HttpRequests::All,
        /// How events are written.
        default event_format: EventFormat = EventFormat::Cef,
        /// Caps the events of each rule, per worker. Default: no cap.
        optional event_flow: EventFlowForm,
        /// Whether new connections of clients that `risk` blocks, or that its lists deny or block, are refused by the network filter. Default: yes. Blocks by score need a client that is its address only.
        optional refuse_blocked_clients: bool,
        /// The rules, in order.
        default rules: NetworkRules = NetworkRules::default(),
        /// Rules as ARMR text, one or several, after `rules` in order.
        optional armr: OneOrMany<ArmrForm>,
        /// What an ARMR app with an error in it leads to.
        default invalid_apps: InvalidApps = InvalidApps::Skip,
    }
}

form! {
    /// A cap on events: so many of a rule, then a notice, then none for a while.
    EventFlowForm {
        /// Events of a rule until it falls silent; from 1.
        required max_events_per_rule: Whole,
        /// Seconds that it stays silent; from 1.
        required pause_seconds: Whole,
    }
}

form! {
    /// A rule for connections.
    NetworkRuleForm {
        /// Name of the rule, for events; once per app.
        required name: String,
        /// What the rule governs.
        required kind: KindName,
        /// Accept and connect: `192.0.2.1`, `2001:db8::1`, a network such as `192.0.2.0/24`, a host name, `0.0.0.0` (every IPv4 address), `::` (every IPv6 address) or `any`; one or several.
        optional address: OneOrMany<Spanned<String>>,
        /// First port; 0 is any. One end alone stands for both.
        optional start_port: PortNumber,
        /// Last port of the range.
        optional end_port: PortNumber,
        /// Bind: the local address that connections are made from.
        optional client: BindSideForm,
        /// Bind: the local address that connections are accepted on.
        optional server: BindSideForm,
        /// What the rule does.
        required action: Action,
        /// The requests that the rule is restricted to: `none` is no restriction, `any` all requests; else paths, which may begin or end with `*`. Not with allow.
        optional api: ApiForm,
        /// What events say. Default, also for an empty string: a text made from what happened.
        optional message: String,
        /// Whether nothing is logged. Not with detect.
        default disable_logging: bool = false,
        /// How bad it is when the rule applies. `unknown` is what ARMR text without a severity becomes.
        required severity: NetworkSeverity,
        /// Whether events say which way the connection took: listener, filter chain, cluster, route.
        default connection_detail: bool = false,
        /// Risk of the client when the rule applies, 0 to 100. Needs `risk` in the policy, with a client that is its address only. Not with allow.
        optional risk: RiskNumber,
        /// The kind of attack; `CustomerRule` if the rule says something else of the client.
        optional classification: ClassificationName,
        /// What the client is after: the stage of an attack.
        optional state: StateName,
        /// What the rule belongs to, for events.
        optional app: String,
        /// Version of the app, for events.
        default app_version: Whole = Whole(1),
        /// Further keys of events with their values.
        optional log: Named<Spanned<String>>,
    }
}

/// The rules in the model, with the names they have per app. Each is built when it has been read: a policy
/// may hold very many, and their forms would take much more memory.
#[derive(Debug, Default)]
pub(super) struct NetworkRules {
    pub(super) rules: Vec<Rule>,
    pub(super) names: Names,
    /// Where the first of them says something of the client.
    pub(super) first_risk: Option<Span>,
}

impl Form for NetworkRules {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Array(items) = &value.kind else {
            reporter.wrong_type(value, "an array");
            return None;
        };
        let mut builder = RulesBuilder::with_capacity(items.len());
        for item in items {
            if let Some(form) = Spanned::<NetworkRuleForm>::read(item, reporter) {
                builder.add(&form, reporter);
            }
        }
        Some(builder.finish())
    }
}

form! {
    /// A local address.
    BindSideForm {
        /// An address of this machine, `0.0.0.0`, `::` or `any`; no network and no name.
        required address: Spanned<String>,
        /// First port; 0 is any. One end alone stands for both.
        optional start_port: PortNumber,
        /// Last port of the range.
        optional end_port: PortNumber,
    }
}

form! {
    /// ARMR with a name for reports.
    ArmrFile {
        /// Name of the file for reports.
        required file: String,
        /// The ARMR of the file.
        required text: String,
    }
}

/// A piece of ARMR.
#[derive(Debug)]
pub(super) struct ArmrForm {
    pub(super) name: Option<String>,
    pub(super) text: String,
}

impl Form for ArmrForm {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        if let Kind::String(text) = &value.kind {
            return Some(Self { name: None, text: text.clone().into_owned() });
        }
        if !matches!(value.kind, Kind::Object(_)) {
            reporter.wrong_type(value, "ARMR as a string or a file");
            return None;
        }
        let file = ArmrFile::read(value, reporter)?;
        Some(Self { name: file.file.map(|name| name.value), text: file.text?.value })
    }
}

/// A whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole(pub(super) u32);

impl Form for Whole {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Number(text) = &value.kind else {
            reporter.wrong_type(value, "an integer");
            return None;
        };
        let number = text.parse().ok();
        if number.is_none() {
            let message = format!("not an integer from 0 to {}", u32::MAX);
            reporter.push(reporter.at(Code::E0105, value.span, message));
        }
        number.map(Self)
    }
}

/// A port, 0 for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PortNumber(pub(super) u16);

impl Form for PortNumber {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Number(text) = &value.kind else {
            reporter.wrong_type(value, "a port");
            return None;
        };
        let port = text.parse().ok();
        if port.is_none() {
            let diagnostic = reporter.at(Code::E0509, value.span, format!("`{text}` is not a port"));
            reporter.push(diagnostic.help("write an integer from 0 to 65535; 0 stands for any port"));
        }
        port.map(Self)
    }
}

/// A severity by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NetworkSeverity(pub(super) Severity);

impl Form for NetworkSeverity {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::String(text) = &value.kind else {
            reporter.wrong_type(value, "a severity");
            return None;
        };
        let severity = Severity::from_name(text);
        if severity.is_none() {
            let mut diagnostic = reporter.at(Code::E0512, value.span, format!("`{text}` is not a severity"));
            diagnostic.help = did_you_mean(text, &["low", "medium", "high", "critical"]);
            reporter.push(diagnostic);
        }
        severity.map(Self)
    }
}

/// The requests that a rule is restricted to.
#[derive(Debug)]
pub(super) enum ApiForm {
    None,
    Any,
    Paths(Vec<Spanned<String>>),
}

impl Form for ApiForm {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::String(text) if text == "none" => Some(Self::None),
            Kind::String(text) if text == "any" => Some(Self::Any),
            Kind::String(text) => {
                let diagnostic =
                    reporter.at(Code::E0510, value.span, format!("`{text}` is no API restriction"));
                reporter.push(diagnostic.help("write \"none\", \"any\", or paths in an array"));
                None
            }
            Kind::Array(_) => Vec::read(value, reporter).map(Self::Paths),
            _ => {
                reporter.wrong_type(value, "\"none\", \"any\" or an array of paths");
                None
            }
        }
    }
}
