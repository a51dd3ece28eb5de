//! Selection: which one rule governs an operation.
//!
//! Exactly one rule is chosen per operation, by this total order:
//!
//! 1. the address: the exact IP address, then a host name, then the longest network, then shorter ones,
//!    then any. When an operation is known by several names, the first that a rule names counts.
//! 2. the ports: a single port, then narrower ranges, then wider ones, then any;
//! 3. the action: allow, then protect, then detect;
//! 4. the order in the policy.
//!
//! A rule whose ports don't hold the port is no candidate, however exact its address. The API restriction
//! is no part of the order: when the chosen rule is restricted to other requests it isn't applied, and no
//! other rule is in its place.

use std::net::IpAddr;

use super::index::{Builder, Index, Rank};
use super::{
    Action, Address, Api, Binding, HttpRequests, Level, NetworkPolicy, Operation, Ports, RequestPath, Rule,
};

/// One end of a connection, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct End<'a> {
    /// The address; `None` when it is unknown or no IP address.
    pub address: Option<IpAddr>,
    /// The port; 0 when it is unknown.
    pub port: u16,
    /// Names that it is known by, those that are trusted most first. Case and a final dot don't matter.
    pub names: &'a [&'a [u8]],
}

/// A network policy, ready for selection.
#[derive(Clone, Debug, Default)]
pub struct NetworkPlan {
    policy: NetworkPolicy,
    /// Rule and binding of it, by place.
    bindings: Vec<(u32, u32)>,
    indexes: [Index; 4],
    /// Per operation: whether there are rules.
    governed: [bool; 4],
    /// Per operation: whether a rule for IP addresses or for some ports doesn't refuse.
    milder_when_known: [bool; 4],
}

/// The rule that was chosen.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// Its place in the policy.
    pub number: u32,
    /// The address and ports by which it was chosen.
    pub binding: &'p Binding,
    /// How specific that is.
    pub level: Level,
}

impl<'p> Selected<'p> {
    /// The host by whose name the rule was chosen.
    #[must_use]
    pub fn host(&self) -> Option<&'p str> {
        match &self.binding.address {
            Address::Host(name) => Some(name),
            _ => None,
        }
    }
}

/// What comes of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judgement<'p> {
    /// The rule that was chosen.
    pub selected: Option<Selected<'p>>,
    /// Whether it applies.
    pub applies: bool,
}

impl<'p> Judgement<'p> {
    /// The rule, if it applies.
    #[must_use]
    pub fn applied(&self) -> Option<Selected<'p>> {
        self.selected.filter(|_| self.applies)
    }

    /// Whether the operation is refused.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.applied().is_some_and(|selected| selected.rule.action == Action::Protect)
    }
}

impl NetworkPlan {
    /// Makes selection ready.
    #[must_use]
    pub fn new(policy: NetworkPolicy) -> Self {
        let mut builders: [Builder; 4] = Default::default();
        let (mut governed, mut milder_when_known) = ([false; 4], [false; 4]);
        let mut bindings = Vec::new();
        for (number, rule) in (0_u32..).zip(&policy.rules) {
            for (place, binding) in (0_u32..).zip(&rule.bindings) {
                let order = u32::try_from(bindings.len()).unwrap_or(u32::MAX);
                bindings.push((number, place));
                let operation = binding.operation as usize;
                if let Some(builder) = builders.get_mut(operation) {
                    builder.add(
                        &binding.address,
                        binding.ports,
                        Rank::new(binding.ports, rule.action, order),
                    );
                }
                let milder = rule.action != Action::Protect || rule.api.is_some();
                let by_address =
                    matches!(binding.address, Address::Network(_) | Address::AnyV4 | Address::AnyV6);
                if let Some(flag) = milder_when_known.get_mut(operation) {
                    *flag |= milder && (by_address || binding.ports != Ports::ANY);
                }
                if let Some(flag) = governed.get_mut(operation) {
                    *flag = true;
                }
            }
        }
        let indexes = builders.map(Builder::build);
        Self { policy, bindings, indexes, governed, milder_when_known }
    }

    /// The policy it was made from.
    #[must_use]
    pub const fn policy(&self) -> &NetworkPolicy {
        &self.policy
    }

    /// The rule for an operation at this end.
    #[must_use]
    pub fn select(&self, operation: Operation, end: &End<'_>) -> Option<Selected<'_>> {
        let index = self.indexes.get(operation as usize)?;
        let mut names: Vec<String> = end.names.iter().filter_map(|name| plain_name(name)).collect();
        if end.address.is_some_and(|address| address.to_canonical().is_loopback()) {
            // RFC 6761: the one name that needs no resolver.
            names.push("localhost".to_owned());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (place, level) = index.find(end.address, end.port, &names)?;
        let &(number, binding) = self.bindings.get(place as usize)?;
        let rule = self.policy.rules.get(number as usize)?;
        Some(Selected { rule, number, binding: rule.bindings.get(binding as usize)?, level })
    }

    /// Judges a connection: rules with an API restriction don't apply to it.
    #[must_use]
    pub fn connection(&self, operation: Operation, end: &End<'_>) -> Judgement<'_> {
        let selected = self.select(operation, end);
        Judgement { selected, applies: selected.is_some_and(|selected| selected.rule.api.is_none()) }
    }

    /// Judges a request for this path.
    #[must_use]
    pub fn request(&self, operation: Operation, end: &End<'_>, path: &RequestPath) -> Judgement<'_> {
        let selected = self.select(operation, end);
        let applies = selected.is_some_and(|selected| match &selected.rule.api {
            Some(api) => Api::covers(api, path),
            None => self.policy.http_requests == HttpRequests::All,
        });
        Judgement { selected, applies }
    }

    /// Whether knowing address and port as well could turn a refusal at an end that is only known by name
    /// into something milder.
    #[must_use]
    pub fn address_could_spare(&self, operation: Operation) -> bool {
        self.milder_when_known.get(operation as usize).copied().unwrap_or(true)
    }

    /// Whether there are rules for an operation.
    #[must_use]
    pub fn governs(&self, operation: Operation) -> bool {
        self.governed.get(operation as usize).copied().unwrap_or(false)
    }
}

/// A name as rules have it. What is no ASCII text is no name of a host.
fn plain_name(name: &[u8]) -> Option<String> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let text = std::str::from_utf8(name).ok().filter(|text| text.is_ascii() && !text.is_empty())?;
    Some(text.to_ascii_lowercase())
}
