//! Counters: what they are called and how they are counted. Envoy shows them as
//! `wasmcustom.portcullis.…`.

use std::cell::Cell;

use portcullis_rules::eval::{Disruption, Gap, Interruption, Outcome, Refusal};
use portcullis_rules::model::Phase;
use proxy_wasm::types::{LogLevel, MetricType};

use crate::abi::{self, Call, HostError};
use crate::heap;

macro_rules! counters {
    ($( $(#[$doc:meta])* $variant:ident $name:literal, )+) => {
        /// A counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Counter { $( $(#[$doc])* $variant, )+ }

        impl Counter {
            /// All of them, in order of their discriminants.
            pub(crate) const ALL: &'static [Counter] = &[ $( Counter::$variant, )+ ];

            /// The name that the host knows it by.
            pub(crate) const fn name(self) -> &'static str {
                match self { $( Counter::$variant => concat!("portcullis.", $name), )+ }
            }
        }
    };
}

counters! {
    /// Requests about which nothing was decided.
    Pass "requests.pass",
    /// Requests that an `allow` rule of phase 1 let through.
    AllowPhase1 "requests.allow.phase_1",
    /// The same in phase 2.
    AllowPhase2 "requests.allow.phase_2",
    /// The same in phase 3.
    AllowPhase3 "requests.allow.phase_3",
    /// The same in phase 4.
    AllowPhase4 "requests.allow.phase_4",
    /// Requests refused in phase 1.
    DenyPhase1 "requests.deny.phase_1",
    /// The same in phase 2.
    DenyPhase2 "requests.deny.phase_2",
    /// The same in phase 3.
    DenyPhase3 "requests.deny.phase_3",
    /// The same in phase 4.
    DenyPhase4 "requests.deny.phase_4",
    /// Requests refused by network rules.
    DenyNetwork "requests.deny.network",
    /// Requests redirected in phase 1.
    RedirectPhase1 "requests.redirect.phase_1",
    /// The same in phase 2.
    RedirectPhase2 "requests.redirect.phase_2",
    /// The same in phase 3.
    RedirectPhase3 "requests.redirect.phase_3",
    /// The same in phase 4.
    RedirectPhase4 "requests.redirect.phase_4",
    /// Requests dropped in phase 1.
    DropPhase1 "requests.drop.phase_1",
    /// The same in phase 2.
    DropPhase2 "requests.drop.phase_2",
    /// The same in phase 3.
    DropPhase3 "requests.drop.phase_3",
    /// The same in phase 4.
    DropPhase4 "requests.drop.phase_4",
    /// Requests refused because the host failed to hand over what had to be judged, or because there
    /// is no policy.
    Failed "requests.failed",
    /// Connections refused because the host failed to hand over what had to be judged.
    ConnectionsFailed "connections.failed",
    /// Connections refused because their client is blocked.
    ConnectionsBlockedClient "connections.blocked_client",
    /// Matches of rules that log.
    RuleMatches "rule_matches",
    /// Records written for the audit log.
    AuditRecords "audit_records",
    /// Runs of scripts that an error or a budget stopped.
    ScriptStopped "script.stopped",
    /// Request bodies longer than a rule set's limit.
    RequestBodyLimit "limit.request_body",
    /// Response bodies longer than a rule set's limit.
    ResponseBodyLimit "limit.response_body",
    /// Request bodies that are longer than a rule set's limit without their files.
    NoFilesLimit "limit.request_body_no_files",
    /// Requests with more arguments than a rule set allows.
    ArgumentsLimit "limit.arguments",
    /// Multipart bodies with more files than a rule set allows.
    FilesLimit "limit.files",
    /// Multipart bodies with a header that is too long, or a part with too many.
    PartHeadersLimit "limit.part_headers",
    /// JSON bodies nested too deep.
    JsonDepthLimit "limit.json_depth",
    /// JSON bodies whose names take too much memory.
    JsonNamesLimit "limit.json_names",
    /// XML bodies nested too deep.
    XmlDepthLimit "limit.xml_depth",
    /// XML bodies with too many nodes or attributes, or too much text.
    XmlSizeLimit "limit.xml_size",
    /// XML bodies whose names take too much memory.
    XmlNamesLimit "limit.xml_names",
    /// XML bodies on which XPath expressions took too long.
    XPathLimit "limit.xpath",
    /// Exchanges for which there was no memory, or not for all of them.
    MemoryLimit "limit.memory",
    /// Exchanges in which a text that rules make was cut.
    MadeTextsLimit "limit.made_texts",
    /// Exchanges in which an operator gave up.
    OperatorsLimit "limit.operators",
    /// Exchanges with more matches about their client than count.
    ClientMatchesLimit "limit.client_matches",
    /// Exchanges that Envoy ended because it holds less of a body than the policy wants to inspect.
    HostBufferLimit "limit.host_buffer",
    /// Request bodies that could not be parsed.
    UnparsableBody "unparsable_body",
    /// Streams whose head was held and of whose body nothing was shown for seconds.
    UnshownBody "held.unshown_body",
    /// Requests with more than one `Host`.
    RepeatedHost "repeated_host",
    /// Request bodies not inspected because the request asked for a tunnel (`Upgrade`, `CONNECT`).
    UninspectedTunnel "uninspected.tunnel",
    /// Request bodies not inspected because they are gRPC messages.
    UninspectedGrpc "uninspected.grpc",
    /// Response bodies not inspected because they are event streams or gRPC messages.
    UninspectedStream "uninspected.response_stream",
    /// Matches of rules that say something of their client.
    ClientMatches "risk.matches",
    /// Blocks of clients for a time that began.
    ClientsBlocked "risk.blocks.timed",
    /// Blocks of clients for good that began.
    ClientsBlockedForGood "risk.blocks.permanent",
    /// Requests refused because of what is known of their client.
    ClientRefused "risk.refused",
    /// Requests that came during a block of their client.
    ClientPostBlock "risk.post_block",
    /// Challenges sent.
    ClientChallenged "risk.challenged",
    /// Requests of clients that were to be challenged and had passed.
    ClientPassed "risk.passed",
    /// Answers that were held.
    TarpitHeld "risk.tarpit.held",
    /// Answers that went on after being held.
    TarpitResumed "risk.tarpit.resumed",
    /// Answers held whose stream ended before they were due.
    TarpitAbandoned "risk.tarpit.abandoned",
    /// Answers that were to be held when the most were.
    TarpitFull "risk.tarpit.full",
    /// Entries of the store that went for others before their time.
    StoreEvictions "store.evictions",
    /// Updates of the store that were done again because another worker was faster.
    StoreContention "store.contention",
    /// Updates of the store that were lost to other workers.
    StoreLosses "store.losses",
    /// New entries of the store not kept because all others in their place are protected.
    StoreRefused "store.refused",
    /// Entries of the store, or parts of them, too large to keep.
    StoreOversize "store.oversize",
    /// Places of the store that held bytes which make no sense.
    StoreCorrupt "store.corrupt",
    /// Failures of the host's shared data.
    StoreFailures "store.failures",
    /// `proxy_get_header_map_pairs` failed.
    ErrorGetHeaders "host_errors.get_header_map_pairs",
    /// `proxy_get_buffer_bytes` failed.
    ErrorGetBuffer "host_errors.get_buffer_bytes",
    /// `proxy_get_property` failed.
    ErrorGetProperty "host_errors.get_property",
    /// `proxy_get_current_time_nanoseconds` failed.
    ErrorGetTime "host_errors.get_current_time",
    /// `proxy_send_local_response` failed.
    ErrorSendLocalResponse "host_errors.send_local_response",
    /// `proxy_continue_stream` failed.
    ErrorContinueStream "host_errors.continue_stream",
    /// `proxy_close_stream` failed.
    ErrorCloseStream "host_errors.close_stream",
    /// Defining or incrementing another counter failed.
    ErrorMetric "host_errors.metric",
    /// `proxy_get_shared_data` or `proxy_set_shared_data` failed.
    ErrorSharedData "host_errors.shared_data",
    /// `proxy_set_effective_context` or `proxy_set_tick_period_milliseconds` failed.
    ErrorContext "host_errors.context",
}

impl Counter {
    const fn of_call(call: Call) -> Self {
        match call {
            Call::GetHeaders => Self::ErrorGetHeaders,
            Call::GetBuffer => Self::ErrorGetBuffer,
            Call::GetProperty => Self::ErrorGetProperty,
            Call::GetTime => Self::ErrorGetTime,
            Call::SendLocalResponse => Self::ErrorSendLocalResponse,
            Call::ContinueStream => Self::ErrorContinueStream,
            Call::CloseStream => Self::ErrorCloseStream,
            Call::Metric => Self::ErrorMetric,
            Call::SharedData => Self::ErrorSharedData,
            Call::Context => Self::ErrorContext,
        }
    }

    /// The counter of what was not inspected.
    pub(crate) const fn of_gap(gap: Gap) -> Self {
        match gap {
            Gap::RequestBody => Self::RequestBodyLimit,
            Gap::ResponseBody => Self::ResponseBodyLimit,
            Gap::NoFiles => Self::NoFilesLimit,
            Gap::Arguments => Self::ArgumentsLimit,
            Gap::Files => Self::FilesLimit,
            Gap::PartHeaders => Self::PartHeadersLimit,
            Gap::JsonDepth => Self::JsonDepthLimit,
            Gap::JsonNames => Self::JsonNamesLimit,
            Gap::XmlDepth => Self::XmlDepthLimit,
            Gap::XmlSize => Self::XmlSizeLimit,
            Gap::XmlNames => Self::XmlNamesLimit,
            Gap::XPath => Self::XPathLimit,
            Gap::Unparsable => Self::UnparsableBody,
            Gap::Memory => Self::MemoryLimit,
            Gap::MadeTexts => Self::MadeTextsLimit,
            Gap::Operators => Self::OperatorsLimit,
            Gap::ClientMatches => Self::ClientMatchesLimit,
        }
    }

    /// The counter of a transaction's end. Nothing is refused or allowed in phase 5: what the engine does not
    /// produce would count as of phase 4.
    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Pass => Self::Pass,
            Outcome::Allow { phase, .. } => match phase {
                Phase::RequestHeaders => Self::AllowPhase1,
                Phase::RequestBody => Self::AllowPhase2,
                Phase::ResponseHeaders => Self::AllowPhase3,
                Phase::ResponseBody | Phase::Logging => Self::AllowPhase4,
            },
            // A client that hands in the answer to its challenge is not refused.
            Outcome::Interrupted(Interruption {
                disruption: Disruption::Client(Refusal::Answered), ..
            }) => Self::Pass,
            Outcome::Interrupted(interruption) => {
                let [one, two, three, four] = match interruption.disruption {
                    Disruption::Deny { .. } | Disruption::Client(_) => {
                        [Self::DenyPhase1, Self::DenyPhase2, Self::DenyPhase3, Self::DenyPhase4]
                    }
                    Disruption::Redirect { .. } => [
                        Self::RedirectPhase1,
                        Self::RedirectPhase2,
                        Self::RedirectPhase3,
                        Self::RedirectPhase4,
                    ],
                    Disruption::Drop => {
                        [Self::DropPhase1, Self::DropPhase2, Self::DropPhase3, Self::DropPhase4]
                    }
                };
                match interruption.phase {
                    Phase::RequestHeaders => one,
                    Phase::RequestBody => two,
                    Phase::ResponseHeaders => three,
                    Phase::ResponseBody | Phase::Logging => four,
                }
            }
        }
    }
}

/// A gauge. All workers add to it and take away from it what they have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gauge {
    /// Clients in the store.
    Clients,
    /// Those of them that are blocked.
    Blocked,
    /// Answers that are held.
    Held,
    /// Bytes of memory in use by all workers.
    Memory,
}

impl Gauge {
    /// All of them, in order of their discriminants.
    const ALL: [Self; 4] = [Self::Clients, Self::Blocked, Self::Held, Self::Memory];

    const fn name(self) -> &'static str {
        match self {
            Self::Clients => "portcullis.risk.clients",
            Self::Blocked => "portcullis.risk.blocked",
            Self::Held => "portcullis.risk.tarpit.streams",
            Self::Memory => "portcullis.memory.bytes",
        }
    }
}

/// The histogram of scores.
const SCORES: &str = "portcullis.risk.score";

/// The counters of a VM, defined once, and the memory of which host failures were logged.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// By discriminant; `None` where the host would not define one.
    ids: Vec<Option<u32>>,
    /// The same of gauges.
    gauges: [Option<u32>; Gauge::ALL.len()],
    /// Scores of clients after a change.
    scores: Option<u32>,
    logged: Cell<u32>,
    /// Whether it was said that the host's buffer is smaller than the policy's limits.
    buffer_logged: Cell<bool>,
}

impl Metrics {
    /// Defines every counter.
    pub(crate) fn define() -> Self {
        let mut failure = None;
        let ids = Counter::ALL
            .iter()
            .map(|counter| abi::define_counter(counter.name()).map_err(|error| failure = Some(error)).ok())
            .collect();
        let gauges = Gauge::ALL.map(|gauge| abi::define_metric(MetricType::Gauge, gauge.name()).ok());
        let scores = abi::define_metric(MetricType::Histogram, SCORES).ok();
        let metrics = Self { ids, gauges, scores, logged: Cell::new(0), buffer_logged: Cell::new(false) };
        if let Some(error) = failure {
            metrics.failed(error);
        }
        metrics
    }

    /// Counts one.
    pub(crate) fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Counts several at once.
    pub(crate) fn add(&self, counter: Counter, by: u32) {
        let Some(Some(id)) = self.ids.get(counter as usize) else { return };
        if let Err(error) = abi::increment_counter(*id, by) {
            self.log_once(error);
        }
    }

    /// Changes a gauge.
    pub(crate) fn change(&self, gauge: Gauge, by: i64) {
        if let Some(Some(id)) = self.gauges.get(gauge as usize).filter(|_| by != 0)
            && let Err(error) = abi::change_gauge(*id, by)
        {
            self.failed(error);
        }
    }

    /// Shows how much memory is in use, if that has changed by much.
    pub(crate) fn note_memory(&self) {
        self.change(Gauge::Memory, heap::take_change());
    }

    /// Notes a client's score.
    pub(crate) fn record_score(&self, score: u8) {
        if let Some(id) = self.scores
            && let Err(error) = abi::record_value(id, score.into())
        {
            self.failed(error);
        }
    }

    /// Counts an exchange that the host ended because it holds less of a body than the policy wants to inspect, and
    /// logs the first one.
    pub(crate) fn host_buffer_full(&self) {
        self.count(Counter::HostBufferLimit);
        if !self.buffer_logged.replace(true) {
            let line = "portcullis: Envoy ended an exchange whose body is longer than what it holds: raise \
                        `per_connection_buffer_limit_bytes`, or lower the body limits of the policy; further ones are \
                        counted, not logged";
            abi::log(LogLevel::Warn, line.as_bytes());
        }
    }

    /// Counts a failed host call, and logs the first one of its kind.
    pub(crate) fn failed(&self, error: HostError) {
        self.count(Counter::of_call(error.call));
        self.log_once(error);
    }

    fn log_once(&self, error: HostError) {
        let bit = 1_u32 << (error.call as u32);
        if self.logged.get() & bit == 0 {
            self.logged.set(self.logged.get() | bit);
            let line = format!("host call {error}; further failures of this call are counted, not logged");
            abi::log(LogLevel::Error, line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_rules::eval::Interruption;

    #[test]
    fn discriminants_index_the_list_of_all() {
        for (index, counter) in Counter::ALL.iter().enumerate() {
            assert_eq!(*counter as usize, index);
        }
        for (index, gauge) in Gauge::ALL.iter().enumerate() {
            assert_eq!(*gauge as usize, index);
        }
    }

    #[test]
    fn names_are_distinct_and_plain() {
        let mut names: Vec<&str> = Counter::ALL.iter().map(|counter| counter.name()).collect();
        for name in &names {
            assert!(name.starts_with("portcullis."), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._".contains(&b)));
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Counter::ALL.len());
    }

    #[test]
    fn each_counter_is_documented() {
        let text = include_str!("../../docs/configuration.md");
        for name in Gauge::ALL.map(Gauge::name).into_iter().chain([SCORES]) {
            assert!(text.contains(&format!("| `{name}` |")), "{name}");
        }
        for counter in Counter::ALL {
            // Those of the phases share a line, which names the first and the last.
            let name = counter.name().trim_end_matches(|c: char| c.is_ascii_digit());
            assert!(text.contains(&format!("| `{name}")), "{name}");
        }
    }

    #[test]
    fn gaps_are_counted_by_their_names() {
        for gap in Gap::ALL {
            assert_eq!(Counter::of_gap(*gap).name(), format!("portcullis.{}", gap.name()));
        }
    }

    #[test]
    fn outcomes_are_counted_by_kind_and_phase() {
        let disruptions = [
            ("deny", Disruption::Deny { status: 403 }),
            ("redirect", Disruption::Redirect { status: 302, location: b"/".to_vec() }),
            ("drop", Disruption::Drop),
        ];
        for phase in Phase::ALL.into_iter().take(4) {
            for (name, disruption) in &disruptions {
                let outcome =
                    Outcome::Interrupted(Interruption { rule_id: 1, phase, disruption: disruption.clone() });
                let expected = format!("portcullis.requests.{name}.phase_{}", phase.number());
                assert_eq!(Counter::of_outcome(&outcome).name(), expected);
            }
        }
        for phase in Phase::ALL.into_iter().take(4) {
            let expected = format!("portcullis.requests.allow.phase_{}", phase.number());
            assert_eq!(Counter::of_outcome(&Outcome::Allow { rule_id: 1, phase }).name(), expected);
        }
        assert_eq!(Counter::of_outcome(&Outcome::Pass).name(), "portcullis.requests.pass");
    }
}
