//! Rule sets with their settings, and the policy that orders them.

use std::sync::Arc;

use super::{AuditEngine, AuditFormat, EngineMode, Rule};
use crate::geo::Database;
use crate::limits;
use crate::risk::RiskSettings;

/// Everything the module judges by.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// When headers are held.
    pub enforcement: Enforcement,
    /// What a request with more than one `Host` leads to.
    pub repeated_host: RepeatedHost,
    /// Where the client's address comes from.
    pub client_address: ClientAddress,
    /// Evaluated in order, phase by phase.
    pub rule_sets: Vec<RuleSet>,
    /// What holds for connections.
    pub network: crate::net::NetworkPolicy,
    /// Risk per client; `None` when nobody is watched.
    pub risk: Option<Arc<RiskSettings>>,
}

/// When the filter holds headers back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// Headers pass while the body is judged. Safe whatever Envoy's plugin configuration says.
    #[default]
    Streaming,
    /// Headers are held until the body is judged. Needs Envoy's `allow_on_headers_stop_iteration: true`.
    Strict,
}

/// What a request with more than one `Host` leads to. Servers disagree on which of them counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedHost {
    /// It is refused with 400, as RFC 9112 (3.2) asks for, unless all rule sets only log.
    #[default]
    Refuse,
    /// It is judged by the rules.
    Pass,
}

/// Where the client's address comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientAddress {
    /// A header such as `x-forwarded-for`, lower-case; `None` takes the connection's source address.
    pub header: Option<String>,
    /// Hops whose word about the client is believed: the connection's peer and the addresses in the
    /// header, from the right. The first that isn't listed is the client.
    pub trusted: crate::operators::AddressSet,
}

/// Ordered rules with their settings.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    /// For reports.
    pub name: String,
    /// What holds for all its rules.
    pub settings: Settings,
    /// Rules and markers in order.
    pub items: Vec<Item>,
}

/// A rule, or a place to skip to.
#[derive(Clone, Debug)]
pub enum Item {
    /// A rule.
    Rule(Box<Rule>),
    /// A marker; its name is compared exactly.
    Marker(Vec<u8>),
}

/// What a body longer than its limit leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitAction {
    /// The first bytes up to the limit are judged, the rest passes unseen.
    #[default]
    ProcessPartial,
    /// The exchange is refused.
    Reject,
}

/// Whether the leaves of an XML body are arguments, named `xml.` and the local names of the elements down to
/// them (ModSecurity v3.0.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XmlArguments {
    /// They are in `XML` alone.
    #[default]
    Off,
    /// They are in `XML` and in `ARGS`.
    On,
    /// They are in `ARGS` alone.
    Only,
}

/// Settings of one rule set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `SecRuleEngine`, `only_logging`.
    pub engine: EngineMode,
    /// `SecRequestBodyAccess`, `process_request_body`.
    pub request_body_access: bool,
    /// Bytes of request body kept for inspection.
    pub request_body_limit: usize,
    /// Most bytes of request body apart from files; more makes `REQBODY_ERROR` 1.
    pub request_body_no_files_limit: Option<usize>,
    /// What a longer request body leads to.
    pub request_body_limit_action: LimitAction,
    /// `SecResponseBodyAccess`, `process_response_body`.
    pub response_body_access: bool,
    /// Bytes of response body kept for inspection.
    pub response_body_limit: usize,
    /// What a longer response body leads to.
    pub response_body_limit_action: ResponseLimitAction,
    /// Media types, lower-case without parameters, whose bodies are inspected; `None` means all.
    pub response_body_types: Option<Vec<String>>,
    /// Whether a JSON media type alone selects the JSON processor. SecLang leaves that to rules (`ctl`),
    /// the JSON forms have no such rule.
    pub json_by_content_type: bool,
    /// `SecParseXmlIntoArgs`.
    pub xml_arguments: XmlArguments,
    /// Most nesting of a JSON body.
    pub json_depth_limit: usize,
    /// Most arguments kept; further ones are dropped.
    pub arguments_limit: usize,
    /// Byte between arguments.
    pub argument_separator: u8,
    /// Most files in a multipart body.
    pub upload_file_limit: Option<usize>,
    /// `SecAuditEngine`.
    pub audit_engine: AuditEngine,
    /// `SecAuditLogFormat`.
    pub audit_format: AuditFormat,
    /// `SecAuditLogRelevantStatus`: the statuses that make a transaction relevant; `None` is no status.
    pub audit_relevant_status: Option<StatusSet>,
    /// `SecAuditLogParts`: upper-case letters, each once, in the order given.
    pub audit_parts: String,
    /// `SecComponentSignature`, in order: named in the audit log as producers of rules.
    pub component_signatures: Vec<String>,
    /// Seconds a persistent collection lives after its last update.
    pub collection_timeout: u32,
    /// `SecWebAppId`.
    pub web_app_id: String,
    /// `SecGeoLookupDb`, `geo_database`: what `@geoLookup` looks in. Default: the database that clients' countries come
    /// from.
    pub geo_database: Option<Database>,
}

/// A set of statuses from 100 to 999.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet {
    bits: [u64; 16],
}

impl StatusSet {
    /// The statuses for which `belongs` is true.
    #[must_use]
    pub fn new(mut belongs: impl FnMut(u16) -> bool) -> Self {
        let mut bits = [0u64; 16];
        for (word, first) in bits.iter_mut().zip((0u16..).step_by(64)) {
            for bit in 0..64 {
                let status = first + bit;
                if (100..1000).contains(&status) && belongs(status) {
                    *word |= 1 << bit;
                }
            }
        }
        Self { bits }
    }

    /// Whether `status` is in the set.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.bits.get(usize::from(status / 64)).is_some_and(|word| word >> (status % 64) & 1 == 1)
    }
}

/// What a response body longer than its limit leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseLimitAction {
    /// The first bytes up to the limit are judged, the rest passes unseen.
    #[default]
    ProcessPartial,
    /// The body is delivered uninspected.
    PassUninspected,
    /// The exchange is refused.
    Reject,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: EngineMode::On,
            request_body_access: false,
            request_body_limit: limits::REQUEST_BODY_BYTES,
            request_body_no_files_limit: None,
            request_body_limit_action: LimitAction::ProcessPartial,
            response_body_access: false,
            response_body_limit: limits::RESPONSE_BODY_BYTES,
            response_body_limit_action: ResponseLimitAction::ProcessPartial,
            response_body_types: None,
            json_by_content_type: false,
            xml_arguments: XmlArguments::Off,
            json_depth_limit: limits::JSON_DEPTH,
            arguments_limit: limits::ARGUMENTS,
            argument_separator: b'&',
            upload_file_limit: None,
            audit_engine: AuditEngine::Off,
            audit_format: AuditFormat::Json,
            audit_relevant_status: None,
            audit_parts: "ABCFHZ".to_owned(),
            component_signatures: Vec::new(),
            collection_timeout: limits::COLLECTION_SECONDS,
            web_app_id: "default".to_owned(),
            geo_database: None,
        }
    }
}
