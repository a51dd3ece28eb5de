//! What both roles share of network rules: judging an operation, writing its event, counting it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;

use portcullis_rules::eval::UnixNanos;
use portcullis_rules::limits;
use portcullis_rules::net::{
    Action, Admission, Clients, Device, Direction, End, Event, FlowControl, Judgement, NetworkPlan,
    NetworkPolicy, Operation, RequestFacts, RequestPath, Selected,
};
use proxy_wasm::types::LogLevel;

use crate::abi::{self, HostError};
use crate::client;
use crate::metrics::{Counter, Metrics};
use crate::properties::{self, Endpoint};

/// The network rules of a policy with what has to be remembered about them.
#[derive(Debug)]
pub(crate) struct Network {
    plan: NetworkPlan,
    clients: Box<dyn Clients>,
    flow: RefCell<FlowControl>,
    /// Ids of counters; `None` where the host would not define one.
    counters: RefCell<BTreeMap<CounterKey, Option<u32>>>,
    device: OnceCell<Device>,
}

/// Stands for refusals of blocked clients where events are capped by rule: no rule has this number.
const BLOCKED_CLIENTS: u32 = u32::MAX;

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CounterKey {
    /// Operations that rules applied to.
    Operation(Operation, Action),
    /// What one rule did.
    Rule(u32),
    /// What the rules past the limit did.
    Others(Action),
}

/// The request that an operation is part of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// The method.
    pub(crate) method: &'a [u8],
    /// The path.
    pub(crate) path: &'a RequestPath,
}

/// The address of an end of a connection; `None` when it is no IP address.
pub(crate) fn address(endpoint: &Endpoint) -> Option<IpAddr> {
    let text = endpoint.address.split(|byte| *byte == b'%').next()?;
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The end of a connection as rules see it.
pub(crate) fn end<'a>(endpoint: &Endpoint, names: &'a [&'a [u8]]) -> End<'a> {
    End { address: address(endpoint), port: endpoint.port, names }
}

impl Network {
    /// The rules of a policy, and where its clients are known.
    pub(crate) fn new(policy: NetworkPolicy, clients: Box<dyn Clients>) -> Self {
        Self {
            plan: NetworkPlan::new(policy),
            clients,
            flow: RefCell::default(),
            counters: RefCell::default(),
            device: OnceCell::new(),
        }
    }

    /// The rules.
    pub(crate) const fn plan(&self) -> &NetworkPlan {
        &self.plan
    }

    /// Which way connections go: what the policy says, else what the listener says, else `None`.
    pub(crate) fn direction(&self) -> Result<Option<Direction>, HostError> {
        if let Some(direction) = self.plan.policy().direction {
            return Ok(Some(direction));
        }
        // xds.listener_direction: 1 is inbound, 2 outbound, 0 or nothing is unset.
        Ok(match properties::number("xds\0listener_direction")? {
            Some(1) => Some(Direction::Inbound),
            Some(2) => Some(Direction::Outbound),
            _ => None,
        })
    }

    /// Whether a new connection is refused because of its client, whatever the rules say. The engine of risk
    /// knows; here it is counted and recorded.
    pub(crate) fn refuses_client(&self, client: &Endpoint, now: UnixNanos, metrics: &Metrics) -> bool {
        let policy = self.plan.policy();
        let client = address(client).filter(|_| policy.refuse_blocked_clients);
        let Some((_, record)) = client.and_then(|client| self.clients.refusal(client, now)) else {
            return false;
        };
        metrics.count(Counter::ConnectionsBlockedClient);
        if self.flow.borrow_mut().admit(policy.event_flow, BLOCKED_CLIENTS, now) != Admission::Silence {
            abi::log(LogLevel::Warn, &record);
        }
        true
    }

    /// Judges an operation, and records what a rule did about it. Whether it is refused.
    pub(crate) fn judge(
        &self,
        operation: Operation,
        end: &End<'_>,
        request: Option<Request<'_>>,
        client: &Endpoint,
        now: UnixNanos,
        metrics: &Metrics,
    ) -> bool {
        if !self.plan.governs(operation) {
            return false;
        }
        let judgement = self.ask(operation, end, request);
        self.record(&judgement, operation, end, request, client, now, metrics);
        judgement.refuses()
    }

    /// Judges an operation without recording it.
    pub(crate) fn ask(
        &self,
        operation: Operation,
        end: &End<'_>,
        request: Option<Request<'_>>,
    ) -> Judgement<'_> {
        match request {
            Some(request) => self.plan.request(operation, end, request.path),
            None => self.plan.connection(operation, end),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "an event is made of these")]
    fn record(
        &self,
        judgement: &Judgement<'_>,
        operation: Operation,
        end: &End<'_>,
        request: Option<Request<'_>>,
        client: &Endpoint,
        now: UnixNanos,
        metrics: &Metrics,
    ) {
        let Some(selected @ Selected { rule, number, .. }) = judgement.applied() else { return };
        let risk = address(client).and_then(|client| self.clients.rule_applied(client, rule, operation, now));
        if let Some(risk) = &risk {
            client::count(risk.counts, metrics);
        }
        self.count(CounterKey::Operation(operation, rule.action), metrics);
        let own = (number as usize) < limits::NETWORK_RULE_COUNTERS;
        self.count(if own { CounterKey::Rule(number) } else { CounterKey::Others(rule.action) }, metrics);
        let facts =
            request.map(|request| RequestFacts { method: request.method, uri: request.path.as_sent() });
        let mut event =
            Event { rule, operation, end: *end, host: selected.host(), request: facts, detail: &[], now };
        if !event.is_logged() {
            return;
        }
        let policy = self.plan.policy();
        let admission = self.flow.borrow_mut().admit(policy.event_flow, number, now);
        if admission == Admission::Silence {
            return;
        }
        let detail = if rule.connection_detail { detail(metrics) } else { Vec::new() };
        event.detail = &detail;
        let device = self.device.get_or_init(|| device(metrics));
        abi::log(LogLevel::Warn, &event.render(policy.event_format, device));
        if let Some(risk) = risk {
            abi::log(LogLevel::Warn, &risk.record);
        }
        if let (Admission::EventAndNotice, Some(flow)) = (admission, policy.event_flow) {
            abi::log(LogLevel::Warn, &event.render_notice(policy.event_format, device, flow));
        }
    }

    /// Counts one. Counters are made when they are first needed; their number is limited by the limit on
    /// rules with counters of their own.
    fn count(&self, key: CounterKey, metrics: &Metrics) {
        let mut counters = self.counters.borrow_mut();
        let id = *counters.entry(key).or_insert_with(|| {
            abi::define_counter(&self.counter_name(key)).map_err(|error| metrics.failed(error)).ok()
        });
        if let Some(Err(error)) = id.map(|id| abi::increment_counter(id, 1)) {
            metrics.failed(error);
        }
    }

    fn counter_name(&self, key: CounterKey) -> String {
        match key {
            CounterKey::Operation(operation, action) => {
                format!("portcullis.network.{}.{}", operation.name(), action.name())
            }
            CounterKey::Others(action) => format!("portcullis.network.rule.others.{}", action.name()),
            CounterKey::Rule(number) => match self.plan.policy().rules.get(number as usize) {
                Some(rule) => format!(
                    "portcullis.network.rule.{}.{}.{}",
                    plain(&rule.app.name),
                    plain(&rule.name),
                    rule.action.name()
                ),
                None => "portcullis.network.rule.unknown".to_owned(),
            },
        }
    }
}

/// A name as it can stand in that of a counter.
fn plain(name: &str) -> String {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    name.chars().map(|character| if letter(character) { character } else { '_' }).collect()
}

/// Where events come from: Envoy's node id.
fn device(metrics: &Metrics) -> Device {
    let host = properties::text("xds\0node\0id").unwrap_or_else(|error| {
        metrics.failed(error);
        Vec::new()
    });
    Device { host, process: Vec::new() }
}

/// Which way the connection or request took.
fn detail(metrics: &Metrics) -> Vec<(&'static str, Vec<u8>)> {
    const PLACES: [(&str, &str); 8] = [
        ("plugin", "plugin_name"),
        ("filter chain", "xds\0filter_chain_name"),
        ("sni", "connection\0requested_server_name"),
        ("virtual host", "xds\0virtual_host_name"),
        ("route", "xds\0route_name"),
        ("cluster", "xds\0cluster_name"),
        ("upstream", "upstream\0address"),
        ("request", "request\0id"),
    ];
    let mut found: Vec<(&'static str, Vec<u8>)> = PLACES
        .iter()
        .map(|(name, path)| {
            let value = properties::text(path).unwrap_or_else(|error| {
                metrics.failed(error);
                Vec::new()
            });
            (*name, value)
        })
        .collect();
    let connection = properties::number("connection\0id").ok().flatten();
    found.push(("connection", connection.map(|id| id.to_string().into_bytes()).unwrap_or_default()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_counters_are_plain() {
        assert_eq!(plain("no strangers (v2).\u{e4}"), "no_strangers__v2___");
    }

    #[test]
    fn addresses_of_ends() {
        let endpoint = |text: &str| Endpoint::parse(text.as_bytes().to_vec());
        assert_eq!(address(&endpoint("[fe80::1%eth0]:80")), "fe80::1".parse().ok());
        assert_eq!(address(&endpoint("10.0.0.1:80")), "10.0.0.1".parse().ok());
        assert_eq!(address(&endpoint("/run/envoy.sock")), None);
        assert_eq!(address(&endpoint("@/home/x")), None);
    }
}
