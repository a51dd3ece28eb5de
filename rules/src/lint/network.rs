//! Network rules that never govern, because others of the same address always come before them.

use std::net::IpAddr;

use crate::diagnostic::{Code, Diagnostic};
use crate::net::{Address, Binding, Network, NetworkPolicy, Operation, Ports, Rule, governing};

/// Number of a rule, and of one of its bindings.
type At = (u32, u32);

/// Warns of rules that others shadow, and of IPv6 addresses in rules of kind bind.
pub(super) fn check(policy: &NetworkPolicy, out: &mut Vec<Diagnostic>) {
    let mut shadowed = Shadowed { policy, rules: vec![false; policy.rules.len()], out };
    for operation in Operation::ALL {
        let mut all = bindings(policy, operation);
        all.sort_unstable_by_key(|at| shadowed.binding(*at).map(|binding| (key(&binding.address), *at)));
        let by_address = |left: &At, right: &At| {
            let address = |at: &At| shadowed.policy.binding(*at).map(|binding| &binding.address);
            address(left) == address(right)
        };
        let groups: Vec<&[At]> = all.chunk_by(by_address).collect();
        let address =
            |group: &&[At]| group.first().and_then(|at| policy.binding(*at)).map(|one| &one.address);
        for group in groups.iter().filter(|group| address(group).is_some_and(|one| !is_any(one))) {
            shadowed.by_rank(&[group]);
        }
        let of = |wanted: &Address| groups.iter().copied().find(|group| address(group) == Some(wanted));
        let [any, v4, v6] =
            [Address::Any, Address::AnyV4, Address::AnyV6].map(|one| of(&one).unwrap_or_default());
        let lists = [[any, v4].concat(), [any, v6].concat(), [any, v4, v6].concat()];
        shadowed.by_rank(&lists.each_ref().map(Vec::as_slice));
        let whole = [IpAddr::from([0_u8; 4]), IpAddr::from([0_u8; 16])].map(|zero| {
            Network::new(zero, 0).map(Address::Network).and_then(|one| of(&one)).unwrap_or_default()
        });
        let [whole_v4, whole_v6] = whole;
        shadowed.by_network(v4, &[whole_v4]);
        shadowed.by_network(v6, &[whole_v6]);
        shadowed.by_network(any, &[whole_v4, whole_v6]);
    }
    for rule in &policy.rules {
        report_ipv6(rule, out);
    }
}

fn bindings(policy: &NetworkPolicy, operation: Operation) -> Vec<At> {
    let of_rule = |(number, rule): (u32, &'_ Rule)| -> Vec<At> {
        let places = (0_u32..).zip(&rule.bindings).filter(|(_, binding)| binding.operation == operation);
        places.map(|(place, _)| (number, place)).collect()
    };
    (0_u32..).zip(&policy.rules).flat_map(of_rule).collect()
}

/// Equal for equal addresses, and only for these.
fn key(address: &Address) -> (u8, u128, u8, &str) {
    match address {
        Address::Any => (0, 0, 0, ""),
        Address::AnyV4 => (1, 0, 0, ""),
        Address::AnyV6 => (2, 0, 0, ""),
        Address::Host(name) => (3, 0, 0, name),
        Address::Network(network) => match network.address() {
            IpAddr::V4(address) => (4, u128::from(address.to_bits()), network.length(), ""),
            IpAddr::V6(address) => (5, address.to_bits(), network.length(), ""),
        },
    }
}

const fn is_any(address: &Address) -> bool {
    matches!(address, Address::Any | Address::AnyV4 | Address::AnyV6)
}

impl NetworkPolicy {
    fn at(&self, (rule, binding): At) -> Option<(&Rule, &Binding)> {
        let rule = self.rules.get(rule as usize)?;
        Some((rule, rule.bindings.get(binding as usize)?))
    }

    fn binding(&self, at: At) -> Option<&Binding> {
        self.at(at).map(|(_, binding)| binding)
    }
}

struct Shadowed<'a, 'o> {
    policy: &'a NetworkPolicy,
    /// Which rules were reported.
    rules: Vec<bool>,
    out: &'o mut Vec<Diagnostic>,
}

impl<'a> Shadowed<'a, '_> {
    fn binding(&self, at: At) -> Option<&'a Binding> {
        self.policy.binding(at)
    }

    /// Reports bindings that govern no port in any of the lists that they are in. Those of one list are equally specific
    /// by their address.
    fn by_rank(&mut self, lists: &[&[At]]) {
        // A binding that stands alone governs.
        if lists.iter().all(|list| list.len() < 2) {
            return;
        }
        let mut governs: Vec<At> = Vec::new();
        let mut beaten: Vec<(At, At)> = Vec::new();
        for list in lists {
            let entry = |(place, at): (u32, &At)| {
                let (rule, binding) = self.policy.at(*at)?;
                Some((binding.ports, rule.action, place))
            };
            let governing = governing((0_u32..).zip(*list).filter_map(entry));
            let mut winners: Vec<u32> = governing.all().collect();
            winners.sort_unstable();
            winners.dedup();
            for (place, at) in (0_u32..).zip(*list) {
                if winners.binary_search(&place).is_ok() {
                    governs.push(*at);
                } else if let Some(winner) = self
                    .binding(*at)
                    .and_then(|binding| governing.at(binding.ports.first()))
                    .and_then(|winner| list.get(winner as usize))
                {
                    beaten.push((*at, *winner));
                }
            }
        }
        governs.sort_unstable();
        for (at, winner) in beaten {
            if governs.binary_search(&at).is_err() {
                self.report(at, winner, false);
            }
        }
    }

    /// Reports bindings for every address when networks that hold every address come before them.
    fn by_network(&mut self, bindings: &[At], networks: &[&[At]]) {
        for at in bindings {
            let Some(binding) = self.binding(*at) else { continue };
            let covers =
                |ports: Ports| ports.first() <= binding.ports.first() && binding.ports.last() <= ports.last();
            let covering = networks.iter().map(|network| {
                network.iter().copied().find(|one| self.binding(*one).is_some_and(|one| covers(one.ports)))
            });
            let covering: Option<Vec<At>> = covering.collect();
            if let Some(winner) = covering.and_then(|all| all.first().copied()) {
                self.report(*at, winner, true);
            }
        }
    }

    fn report(&mut self, at: At, winner: At, by_network: bool) {
        let (Some((rule, binding)), Some((other, wider))) = (self.policy.at(at), self.policy.at(winner))
        else {
            return;
        };
        let Some(reported) = self.rules.get_mut(at.0 as usize).filter(|_| at.0 != winner.0) else { return };
        if std::mem::replace(reported, true) {
            return;
        }
        let operation = binding.operation.name();
        let (message, help) = if by_network {
            let message = format!(
                "rule `{}` ({operation} {}) governs only ends without an IP address: rule `{}` is for {}, which is more specific",
                rule.name, binding.address, other.name, wider.address
            );
            (message, "write the same address in both, or take one of them out".to_owned())
        } else {
            let rest = match &other.api {
                Some(_) => ", and what its `api` does not name goes on",
                None => "",
            };
            let message = format!(
                "rule `{}` ({operation} {}) never governs: rule `{}` of the same address comes before it{rest}",
                rule.name, binding.address, other.name
            );
            let help = "of rules for one address one governs: by ports, then allow, protect, detect, then the order; \
                        make one of the two";
            (message, help.to_owned())
        };
        self.out.push(Diagnostic::new(Code::W0607, message).place(rule.place, "").help(help));
    }
}

/// Warns of an IPv6 address in a rule of kind bind.
fn report_ipv6(rule: &Rule, out: &mut Vec<Diagnostic>) {
    let is_v6 = |address: &Address| match address {
        Address::AnyV6 => true,
        Address::Network(network) => network.address().is_ipv6(),
        _ => false,
    };
    let mut found =
        rule.bindings.iter().filter(|binding| binding.operation.is_local() && is_v6(&binding.address));
    if let Some(binding) = found.next() {
        let message = format!(
            "rule `{}` binds the IPv6 address {}: other implementations of these rules know IPv4 only here",
            rule.name, binding.address
        );
        let help = "keep it if it is for this filter alone; else use an IPv4 address or `0.0.0.0`";
        out.push(Diagnostic::new(Code::W0608, message).place(rule.place, "").help(help));
    }
}
