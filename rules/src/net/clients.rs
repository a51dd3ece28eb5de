//! What network rules share with the risk of clients. The engine of risk implements [`Clients`]; without
//! one, [`NoClients`] knows nobody.

use std::net::IpAddr;

use super::{Action, Operation};
use crate::eval::UnixNanos;

/// Where the standing of clients is kept.
pub trait Clients {
    /// Whether a client is blocked at present, so that its new connections are refused before any rule is
    /// looked at. Whether that is wanted is for the implementation to know: it has the policy of risk.
    fn is_blocked(&self, client: IpAddr, now: UnixNanos) -> bool;

    /// A rule applied to an operation of this client; it may add to the client's risk.
    fn rule_applied(&self, client: IpAddr, rule: &str, operation: Operation, action: Action, now: UnixNanos);
}

/// Nobody is blocked and nothing is remembered.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoClients;

impl Clients for NoClients {
    fn is_blocked(&self, _: IpAddr, _: UnixNanos) -> bool {
        false
    }

    fn rule_applied(&self, _: IpAddr, _: &str, _: Operation, _: Action, _: UnixNanos) {}
}
