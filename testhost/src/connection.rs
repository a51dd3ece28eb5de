//! One connection through the callbacks of the network role, in Envoy's order.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::host::{Host, ROOT};
use crate::observed::LogLine;
use crate::state::Action;

/// What goes into a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The client's end.
    pub client: SocketAddr,
    /// The end that the client dialled.
    pub server: SocketAddr,
    /// Both ends of the upstream connection: theirs, ours. They are known from the first upstream byte on.
    pub upstream: (SocketAddr, SocketAddr),
    /// What the client sends, piece by piece.
    pub sent: Vec<Vec<u8>>,
    /// What the upstream sends after that, piece by piece.
    pub answered: Vec<Vec<u8>>,
    /// Further properties: path with NUL between segments, value.
    pub properties: Vec<(String, Vec<u8>)>,
}

impl Connection {
    /// A connection between these ends, with a byte each way.
    #[must_use]
    pub fn new(client: SocketAddr, server: SocketAddr) -> Self {
        let at = |last: u8, port: u16| SocketAddr::from((Ipv4Addr::new(192, 0, 2, last), port));
        Self {
            client,
            server,
            upstream: (at(80, 80), at(1, 50_000)),
            sent: vec![b"a".to_vec()],
            answered: vec![b"b".to_vec()],
            properties: Vec::new(),
        }
    }
}

/// A callback of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// `proxy_on_new_connection`.
    New,
    /// `proxy_on_downstream_data`.
    Downstream,
    /// `proxy_on_upstream_data`.
    Upstream,
    /// `proxy_on_context_create` and what comes at the end.
    Lifecycle,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFate {
    /// All bytes went through.
    Proxied,
    /// The module closed it.
    Closed(Moment),
    /// The module paused it and nothing will make it go on.
    Stuck(Moment),
    /// The module trapped.
    Trapped(String),
}

/// Everything that came of a connection.
#[derive(Clone, Debug)]
pub struct ObservedConnection {
    /// How it ended.
    pub fate: ConnectionFate,
    /// Whether an upstream connection was made.
    pub dialled: bool,
    /// The bytes that reached the client.
    pub received: Vec<u8>,
    /// What the module logged meanwhile.
    pub log: Vec<LogLine>,
    /// What the module added to its metrics.
    pub metrics: BTreeMap<String, i64>,
    /// The work that the module did.
    pub fuel: u64,
    /// How often the module called the host.
    pub host_calls: u64,
    /// The time it took, from the first callback to the last, host calls among it.
    pub time: Duration,
}

/// Runs a connection.
pub(crate) fn run(host: &mut Host, connection: &Connection) -> ObservedConnection {
    let before = host.metrics();
    let calls_before = host.store.data().host_calls;
    let fuel = host.options.fuel;
    let _ = host.store.set_fuel(fuel);
    let context = host.next_context;
    host.next_context += 1;
    host.store.data_mut().properties = properties(connection, context);
    let mut run = Run { host, context, dialled: false, received: Vec::new() };
    let started = Instant::now();
    let fate = run.all(connection).unwrap_or_else(|fate| fate);
    let time = started.elapsed();
    let Run { dialled, received, .. } = run;
    let changed = |(name, value): (String, i64)| {
        let change = value - before.get(&name).copied().unwrap_or(0);
        (change != 0).then_some((name, change))
    };
    let metrics = host.metrics().into_iter().filter_map(changed).collect();
    host.store.data_mut().end_stream();
    ObservedConnection {
        fate,
        dialled,
        received,
        log: std::mem::take(&mut host.store.data_mut().log),
        metrics,
        fuel: fuel - host.store.get_fuel().unwrap_or(0),
        host_calls: host.store.data().host_calls - calls_before,
        time,
    }
}

fn properties(connection: &Connection, context: u32) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let number = |n: u64| n.to_le_bytes().to_vec();
    let mut known: BTreeMap<Vec<u8>, Vec<u8>> = [
        ("source\0address", connection.client.to_string().into_bytes()),
        ("source\0port", number(connection.client.port().into())),
        ("destination\0address", connection.server.to_string().into_bytes()),
        ("destination\0port", number(connection.server.port().into())),
        ("connection\0id", number(context.into())),
    ]
    .into_iter()
    .map(|(path, value)| (path.as_bytes().to_vec(), value))
    .collect();
    known.extend(connection.properties.iter().map(|(path, value)| (path.as_bytes().to_vec(), value.clone())));
    known
}

struct Run<'a> {
    host: &'a mut Host,
    context: u32,
    dialled: bool,
    received: Vec<u8>,
}

impl Run<'_> {
    fn all(&mut self, connection: &Connection) -> Result<ConnectionFate, ConnectionFate> {
        let context = self.context;
        self.lifecycle("proxy_on_context_create", (context, ROOT))?;
        let fate = self.bytes(connection);
        if !matches!(fate, Err(ConnectionFate::Trapped(_))) {
            self.lifecycle("proxy_on_downstream_connection_close", (context, 0_u32))?;
            self.lifecycle("proxy_on_log", context)?;
            self.host.call::<u32, u32>("proxy_on_done", context).map_err(|error| trapped(&error))?;
            self.lifecycle("proxy_on_delete", context)?;
        }
        fate
    }

    fn bytes(&mut self, connection: &Connection) -> Result<ConnectionFate, ConnectionFate> {
        self.step(Moment::New, "proxy_on_new_connection", self.context)?;
        self.dialled = true;
        for piece in &connection.sent {
            let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            self.step(Moment::Downstream, "proxy_on_downstream_data", (self.context, size, 0_u32))?;
        }
        for piece in &connection.answered {
            let (theirs, ours) = connection.upstream;
            let known = &mut self.host.store.data_mut().properties;
            known.insert(b"upstream\0address".to_vec(), theirs.to_string().into_bytes());
            known.insert(b"upstream\0local_address".to_vec(), ours.to_string().into_bytes());
            let size = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            self.step(Moment::Upstream, "proxy_on_upstream_data", (self.context, size, 0_u32))?;
            self.received.extend(piece);
        }
        Ok(ConnectionFate::Proxied)
    }

    fn step<P: wasmtime::WasmParams>(
        &mut self,
        moment: Moment,
        name: &str,
        parameters: P,
    ) -> Result<(), ConnectionFate> {
        let action = self.host.call::<P, u32>(name, parameters).map_err(|error| trapped(&error))?;
        let closed = std::mem::take(&mut self.host.store.data_mut().actions)
            .iter()
            .any(|action| matches!(action, Action::CloseConnection));
        match (closed, action.unwrap_or(0)) {
            (true, _) => Err(ConnectionFate::Closed(moment)),
            (false, 0) => Ok(()),
            (false, _) => Err(ConnectionFate::Stuck(moment)),
        }
    }

    fn lifecycle<P: wasmtime::WasmParams>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> Result<(), ConnectionFate> {
        self.host.call::<P, ()>(name, parameters).map(drop).map_err(|error| trapped(&error))
    }
}

fn trapped(error: &wasmtime::Error) -> ConnectionFate {
    ConnectionFate::Trapped(format!("{error:#}"))
}
