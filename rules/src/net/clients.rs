//! What network rules share with the risk of clients. [`Peers`](crate::eval::Peers) is the implementation over
//! the store of clients; where a policy says nothing about risk, [`NoClients`] knows nobody.

use std::net::IpAddr;

use super::{Operation, Rule};
use crate::eval::{ClientCounts, Refusal, UnixNanos};
use crate::risk::{Classification, KillChain};

/// What a rule says of the client when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleRisk {
    /// 0 to 100.
    pub risk: u8,
    /// The kind of attack.
    pub classification: Classification,
    /// The stage of an attack.
    pub state: Option<KillChain>,
}

/// What came of a rule's risk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskAdded {
    /// What is to be counted.
    pub counts: ClientCounts,
    /// The MatchEvent: one JSON object.
    pub record: Vec<u8>,
}

/// Where the standing of clients is kept.
pub trait Clients: std::fmt::Debug {
    /// Why new connections of a client are refused at present, before any rule is looked at, and the
    /// BlockEvent of it: one JSON object. `None` when they are not.
    fn refusal(&self, client: IpAddr, now: UnixNanos) -> Option<(Refusal, Vec<u8>)>;

    /// A rule applied to an operation of this client. `None` when that adds nothing to its risk.
    fn rule_applied(
        &self,
        client: IpAddr,
        rule: &Rule,
        operation: Operation,
        now: UnixNanos,
    ) -> Option<RiskAdded>;
}

/// Nobody is blocked and nothing is remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClients;

impl Clients for NoClients {
    fn refusal(&self, _: IpAddr, _: UnixNanos) -> Option<(Refusal, Vec<u8>)> {
        None
    }

    fn rule_applied(&self, _: IpAddr, _: &Rule, _: Operation, _: UnixNanos) -> Option<RiskAdded> {
        None
    }
}
