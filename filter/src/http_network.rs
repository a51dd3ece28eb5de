//! Network rules in the HTTP role.
//!
//! When the request's head is there: accept by the peer's address, the server side of bind by the local
//! address, connect by what is known of the service. When the response's head is there, connect by the
//! upstream's address and port, and the client side of bind by the local address of that connection.
//!
//! The service is known by the cluster, the SNI and `:authority`, in this order. Its address is known at
//! the request where the connection's own destination is it (outbound listeners), and for `CONNECT`;
//! elsewhere at the response only. A request is refused at once when it would be, whatever address and port
//! the service has; else it is judged at the response, when the upstream has seen it: the client then
//! gets 403 in place of the answer.

use portcullis_rules::eval::UnixNanos;
use portcullis_rules::http::host::server_name;
use portcullis_rules::net::{Direction, End, Operation, RequestPath};

use crate::abi::HostError;
use crate::head::RequestFields;
use crate::network::{Request, end};
use crate::properties::{self, Endpoint};
use crate::root::Shared;

/// What has to be remembered of a request until its response.
#[derive(Debug, Default)]
pub(crate) struct HttpNetwork {
    method: Vec<u8>,
    path: RequestPath,
    source: Endpoint,
    /// Names of the service, those that are trusted most first.
    names: Vec<Vec<u8>>,
    /// Whether connect is to be judged when the upstream is known.
    connect_pending: bool,
    /// Whether the request is over for these rules.
    done: bool,
}

impl HttpNetwork {
    /// Judges a request's head. Whether it is refused.
    pub(crate) fn request(
        &mut self,
        shared: &Shared,
        head: &RequestFields<'_>,
        now: UnixNanos,
    ) -> Result<bool, HostError> {
        let (network, metrics) = (&shared.network, &shared.metrics);
        let governs = |operation| network.plan().governs(operation);
        if !Operation::ALL.into_iter().any(governs) {
            self.done = true;
            return Ok(false);
        }
        self.method = head.method.to_vec();
        let is_connect = head.method == b"CONNECT";
        self.path = RequestPath::new(if is_connect { b"" } else { head.target });
        self.source = properties::source()?;
        let destination = properties::destination()?;
        let direction = network.direction()?;
        let request = Some(Request { method: &self.method, path: &self.path });
        if direction != Some(Direction::Outbound) {
            let peer = end(&self.source, &[]);
            let local = end(&destination, &[]);
            if network.judge(Operation::Accept, &peer, request, &self.source, now, metrics)
                || network.judge(Operation::BindServer, &local, request, &self.source, now, metrics)
            {
                return Ok(true);
            }
        }
        if direction == Some(Direction::Inbound) || !governs(Operation::Connect) {
            return Ok(false);
        }
        let authority =
            head.fields.iter().find(|(name, _)| *name == b"host").map_or(&b""[..], |(_, value)| value);
        self.names = [
            properties::cluster_name()?,
            properties::requested_server_name()?,
            server_name(authority).to_vec(),
        ]
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
        let names: Vec<&[u8]> = self.names.iter().map(Vec::as_slice).collect();
        let dialled = if is_connect {
            Some(Endpoint::parse(authority.to_vec()))
        } else {
            Some(destination).filter(|_| direction.is_some())
        };
        if let Some(dialled) = dialled {
            let service = end(&dialled, &names);
            return Ok(network.judge(Operation::Connect, &service, request, &self.source, now, metrics));
        }
        let unknown = End { address: None, port: 0, names: &names };
        let certain = !network.plan().address_could_spare(Operation::Connect)
            && network.ask(Operation::Connect, &unknown, request).refuses();
        if certain {
            return Ok(network.judge(Operation::Connect, &unknown, request, &self.source, now, metrics));
        }
        self.connect_pending = true;
        Ok(false)
    }

    /// Judges what is known with the response's head. Whether it is refused.
    pub(crate) fn response(&mut self, shared: &Shared, now: UnixNanos) -> Result<bool, HostError> {
        if std::mem::replace(&mut self.done, true) {
            return Ok(false);
        }
        let (network, metrics) = (&shared.network, &shared.metrics);
        let request = Some(Request { method: &self.method, path: &self.path });
        if self.connect_pending
            && let Some(upstream) = properties::upstream()?
        {
            let names: Vec<&[u8]> = self.names.iter().map(Vec::as_slice).collect();
            let service = end(&upstream, &names);
            if network.judge(Operation::Connect, &service, request, &self.source, now, metrics) {
                return Ok(true);
            }
        }
        if network.plan().governs(Operation::BindClient)
            && let Some(local) = properties::upstream_local()?
        {
            let local = end(&local, &[]);
            return Ok(network.judge(Operation::BindClient, &local, request, &self.source, now, metrics));
        }
        Ok(false)
    }
}
