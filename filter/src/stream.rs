//! One downstream connection, in the network role: operations are judged when they are known, and what is
//! refused is closed.
//!
//! | callback | operation | judged by |
//! | --- | --- | --- |
//! | new connection | none: whether risk or lists refuse the client | the peer's address |
//! | new connection | accept | the peer's address |
//! | new connection | bind, server side | the local address that the connection was accepted on |
//! | new connection, outbound | connect | the address that the client dialled, and the SNI |
//! | first upstream byte | bind, client side | the local address of the upstream connection |
//!
//! A connection that is refused when it is new is closed before `tcp_proxy` or the HTTP connection manager
//! behind this filter sees it. When the client side of bind is refused the upstream connection is there
//! and may have got bytes; none of its bytes reach the client.
//!
//! What can't be read can't be judged: when the host fails to hand over an address, the connection is
//! closed.

use std::rc::Rc;

use portcullis_rules::eval::UnixNanos;
use portcullis_rules::net::{Direction, Operation};
use proxy_wasm::traits::{Context, StreamContext};
use proxy_wasm::types::{Action, StreamType};

use crate::abi::{self, HostError};
use crate::client;
use crate::metrics::Counter;
use crate::network::end;
use crate::properties::{self, Endpoint};
use crate::root::Shared;

/// The context of one connection.
#[derive(Debug)]
pub(crate) struct Stream {
    shared: Option<Rc<Shared>>,
    /// The peer.
    source: Endpoint,
    /// Whether upstream bytes have been seen.
    upstream_seen: bool,
    /// Whether the connection is refused.
    refused: bool,
}

impl Stream {
    /// A connection that is judged by `shared`; without it everything is refused.
    pub(crate) fn new(shared: Option<Rc<Shared>>) -> Self {
        Self { shared, source: Endpoint::default(), upstream_seen: false, refused: false }
    }

    /// Runs one judgement and carries it out.
    fn step(&mut self, judge: impl FnOnce(&mut Self, &Shared) -> Result<bool, HostError>) -> Action {
        if self.refused {
            return Action::Pause;
        }
        let refused = match self.shared.clone() {
            None => true,
            Some(shared) => {
                let refused = judge(self, &shared).unwrap_or_else(|error| {
                    shared.metrics.failed(error);
                    shared.metrics.count(Counter::ConnectionsFailed);
                    true
                });
                client::report_store(shared.store.as_deref(), &shared.metrics);
                refused
            }
        };
        if !refused {
            return Action::Continue;
        }
        self.refused = true;
        if let (Err(error), Some(shared)) = (abi::close_stream(StreamType::Downstream), &self.shared) {
            shared.metrics.failed(error);
        }
        Action::Pause
    }

    fn connected(&mut self, shared: &Shared) -> Result<bool, HostError> {
        let network = &shared.network;
        let now = now(shared);
        self.source = properties::source()?;
        let direction = network.direction()?;
        if direction != Some(Direction::Outbound) {
            if network.refuses_client(&self.source, now, &shared.metrics) {
                return Ok(true);
            }
            let peer = end(&self.source, &[]);
            if network.judge(Operation::Accept, &peer, None, &self.source, now, &shared.metrics) {
                return Ok(true);
            }
        }
        let dials = matches!(direction, Some(Direction::Outbound | Direction::Both))
            && network.plan().governs(Operation::Connect);
        let accepts = direction != Some(Direction::Outbound) && network.plan().governs(Operation::BindServer);
        if !dials && !accepts {
            return Ok(false);
        }
        let destination = properties::destination()?;
        let local = end(&destination, &[]);
        if accepts && network.judge(Operation::BindServer, &local, None, &self.source, now, &shared.metrics) {
            return Ok(true);
        }
        if !dials {
            return Ok(false);
        }
        let sni = properties::requested_server_name()?;
        let names: &[&[u8]] = if sni.is_empty() { &[] } else { &[sni.as_slice()] };
        let service = end(&destination, names);
        Ok(network.judge(Operation::Connect, &service, None, &self.source, now, &shared.metrics))
    }

    fn answered(&mut self, shared: &Shared) -> Result<bool, HostError> {
        if self.upstream_seen || !shared.network.plan().governs(Operation::BindClient) {
            return Ok(false);
        }
        self.upstream_seen = true;
        // In front of the HTTP connection manager there is none; there the HTTP filter judges it.
        let Some(local) = properties::upstream_local()? else { return Ok(false) };
        let (now, local) = (now(shared), end(&local, &[]));
        Ok(shared.network.judge(Operation::BindClient, &local, None, &self.source, now, &shared.metrics))
    }
}

/// The time. Without a clock events would have no time and blocks no end, but nothing depends on it otherwise.
fn now(shared: &Shared) -> UnixNanos {
    UnixNanos(abi::time().unwrap_or_else(|error| {
        shared.metrics.failed(error);
        0
    }))
}

impl Context for Stream {}

impl StreamContext for Stream {
    fn on_new_connection(&mut self) -> Action {
        self.step(Self::connected)
    }

    fn on_downstream_data(&mut self, _: usize, _: bool) -> Action {
        if self.refused { Action::Pause } else { Action::Continue }
    }

    fn on_upstream_data(&mut self, _: usize, _: bool) -> Action {
        self.step(Self::answered)
    }
}
