//! Envoy with the module in its network role, an upstream that counts connections, and clients that play
//! any address by PROXY protocol.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portcullis_integration::{Envoy, EnvoyOptions, Prerequisites};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// An upstream that sends back what it gets.
#[derive(Clone, Debug)]
pub(crate) struct Echo {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Echo {
    pub(crate) async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                });
            }
        });
        Self { address, connections }
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// How Envoy is set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) policy: Value,
    /// `traffic_direction` of the listener.
    pub(crate) direction: Option<&'static str>,
    /// Whether clients speak PROXY protocol.
    pub(crate) proxy_protocol: bool,
    /// Behind the network filter: the HTTP connection manager in place of `tcp_proxy`, with the module's HTTP
    /// filter and this policy in it.
    pub(crate) http: Option<Value>,
    /// Whether the network filter is there at all.
    pub(crate) network_filter: bool,
    /// Addresses that upstream connections are made from; each has a listener, `ingress` has none.
    pub(crate) sources: Vec<&'static str>,
    pub(crate) concurrency: u32,
    pub(crate) listen: &'static str,
}

impl Setup {
    pub(crate) fn new(rules: Value) -> Self {
        Self::with(json!({ "network": { "rules": rules } }))
    }

    pub(crate) fn with(policy: Value) -> Self {
        Self {
            policy,
            direction: None,
            proxy_protocol: true,
            http: None,
            network_filter: true,
            sources: Vec::new(),
            concurrency: 1,
            listen: "127.0.0.1",
        }
    }

    pub(crate) fn plain(mut self) -> Self {
        self.proxy_protocol = false;
        self
    }

    pub(crate) fn outbound(mut self) -> Self {
        self.direction = Some("OUTBOUND");
        self
    }

    /// The listener, by its name.
    pub(crate) fn listener(&self, name: &str, cluster: &str, port: u16, module: &str) -> Value {
        let wasm = |kind: &str, policy: &Value| {
            json!({
                "name": "portcullis",
                "typed_config": {
                    "@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm"),
                    "config": {
                        "name": "portcullis",
                        "root_id": format!("portcullis-{kind}"),
                        "failure_policy": "FAIL_RELOAD",
                        "vm_config": {
                            "vm_id": "portcullis",
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": { "local": { "filename": module } },
                        },
                        "configuration": {
                            "@type": "type.googleapis.com/google.protobuf.StringValue",
                            "value": policy.to_string(),
                        },
                    },
                },
            })
        };
        let mut filters = Vec::new();
        if self.network_filter {
            filters.push(wasm("network", &self.policy));
        }
        filters.push(match &self.http {
            None => json!({
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": name, "cluster": cluster,
                },
            }),
            Some(policy) => json!({
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": name,
                    "use_remote_address": true,
                    "route_config": { "virtual_hosts": [{
                        "name": "all", "domains": ["*"],
                        "routes": [
                            { "match": { "prefix": "/second/" }, "route": { "cluster": "second" } },
                            { "match": { "prefix": "/" }, "route": { "cluster": cluster } },
                        ],
                    }] },
                    "http_filters": [
                        wasm("http", policy),
                        { "name": "envoy.filters.http.router", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
                    ],
                },
            }),
        });
        let mut listener_filters = Vec::new();
        if self.proxy_protocol {
            listener_filters.push(json!({
                "name": "envoy.filters.listener.proxy_protocol",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol" },
            }));
        }
        if self.direction.is_some() {
            listener_filters.push(json!({
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" },
            }));
        }
        let mut listener = json!({
            "name": name,
            "address": { "socket_address": { "address": self.listen, "port_value": port } },
            "listener_filters": listener_filters,
            // Silent clients are passed on at once.
            "listener_filters_timeout": "0.3s",
            "continue_on_listener_filters_timeout": true,
            "filter_chains": [{ "name": "the chain", "filters": filters }],
        });
        if let Some(direction) = self.direction {
            listener["traffic_direction"] = json!(direction);
        }
        listener
    }

    pub(crate) fn bootstrap(&self, upstream: SocketAddr, module: &str) -> Value {
        let cluster = |name: &str, source: Option<&str>| {
            let mut cluster = json!({
                "name": name, "type": "STATIC", "connect_timeout": "5s",
                "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": {
                    "socket_address": { "address": upstream.ip().to_string(), "port_value": upstream.port() } } } }] }] },
            });
            if let Some(source) = source {
                cluster["upstream_bind_config"] =
                    json!({ "source_address": { "address": source, "port_value": 0 } });
            }
            cluster
        };
        let mut listeners = vec![self.listener("ingress", "upstream", 0, module)];
        let mut clusters = vec![cluster("upstream", None), cluster("second", None)];
        for source in &self.sources {
            listeners.push(self.listener(&format!("from {source}"), source, 0, module));
            clusters.push(cluster(source, Some(source)));
        }
        json!({
            "node": { "id": "gateway-1", "cluster": "test" },
            "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
            "static_resources": { "listeners": listeners, "clusters": clusters },
        })
    }

    /// Starts Envoy in front of an upstream that echoes.
    pub(crate) async fn start(self) -> Net {
        let echo = Echo::start("127.0.0.1:0").await;
        let upstream = echo.address;
        self.start_with(echo, upstream).await
    }

    /// Starts Envoy in front of an upstream.
    pub(crate) async fn start_with(self, echo: Echo, upstream: SocketAddr) -> Net {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let found = Prerequisites::find().unwrap();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("portcullis-net-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let module = found.module.to_str().unwrap().to_owned();
        let bootstrap = self.bootstrap(upstream, &module);
        let options =
            EnvoyOptions { binary: found.envoy, concurrency: self.concurrency, directory: directory.clone() };
        let envoy = match Envoy::start(&options, &bootstrap).await {
            Ok(envoy) => envoy,
            Err(error) => panic!("{error}"),
        };
        Net { envoy, echo, directory, proxy_protocol: self.proxy_protocol }
    }
}

/// A running Envoy with its upstream.
pub(crate) struct Net {
    pub(crate) envoy: Envoy,
    pub(crate) echo: Echo,
    pub(crate) directory: PathBuf,
    proxy_protocol: bool,
}

impl Drop for Net {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

/// What came of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// What was sent came back.
    Echoed,
    /// It was closed without a byte.
    Closed,
}

impl Net {
    pub(crate) fn of(envoy: Envoy, echo: Echo, directory: PathBuf) -> Self {
        Self { envoy, echo, directory, proxy_protocol: true }
    }

    /// Opens a connection as one from `source` to `destination`.
    pub(crate) async fn open(&self, listener: SocketAddr, source: &str, destination: &str) -> TcpStream {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        if self.proxy_protocol {
            let (source, destination): (SocketAddr, SocketAddr) =
                (source.parse().unwrap(), destination.parse().unwrap());
            let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
            let line = format!(
                "PROXY {family} {} {} {} {}\r\n",
                source.ip(),
                destination.ip(),
                source.port(),
                destination.port()
            );
            stream.write_all(line.as_bytes()).await.unwrap();
        }
        stream
    }

    /// What comes of such a connection.
    pub(crate) async fn fate(&self, source: &str, destination: &str) -> Fate {
        self.fate_at(self.envoy.listener(), source, destination, b"ping").await
    }

    pub(crate) async fn fate_at(
        &self,
        listener: SocketAddr,
        source: &str,
        destination: &str,
        bytes: &[u8],
    ) -> Fate {
        let mut stream = self.open(listener, source, destination).await;
        ping(&mut stream, bytes).await
    }

    /// Envoy's log lines with this text, once there are so many.
    pub(crate) async fn logged(&self, text: &str, count: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let log = self.envoy.log();
            let lines: Vec<String> =
                log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
            if lines.len() >= count || started.elapsed() > Duration::from_secs(3) {
                return lines;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The counters of network rules, without what Envoy puts in front of them.
    pub(crate) async fn counters(&self) -> BTreeMap<String, u64> {
        let stats = self.envoy.admin().stats("portcullis.").await.unwrap();
        let short = stats
            .into_iter()
            .filter_map(|(name, value)| Some((name.split_once("portcullis.")?.1.to_owned(), value)));
        short.filter(|(_, value)| *value > 0).collect()
    }
}

/// Sends bytes and waits for them to come back.
pub(crate) async fn ping(stream: &mut TcpStream, bytes: &[u8]) -> Fate {
    if stream.write_all(bytes).await.is_err() {
        return Fate::Closed;
    }
    let mut got = vec![0; bytes.len()];
    match timeout(PATIENCE, stream.read_exact(&mut got)).await.expect("an answer or an end") {
        Ok(_) => {
            assert_eq!(got, bytes);
            Fate::Echoed
        }
        Err(_) => {
            assert!(got.iter().all(|byte| *byte == 0), "{got:?}");
            Fate::Closed
        }
    }
}

/// Connects from a local address.
pub(crate) async fn connect_from(local: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(local.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// The first message of a TLS client that asks for a name.
pub(crate) fn client_hello(name: &str) -> Vec<u8> {
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let mut entry = vec![0];
    entry.extend(length(name.as_bytes()));
    entry.extend(name.as_bytes());
    let mut list = length(&entry).to_vec();
    list.extend(entry);
    let mut extensions = vec![0, 0];
    extensions.extend(length(&list));
    extensions.extend(list);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 2, 0x13, 0x01, 1, 0]);
    body.extend(length(&extensions));
    body.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(length(&body));
    handshake.extend(body);
    let mut record = vec![0x16, 3, 1];
    record.extend(length(&handshake));
    record.extend(handshake);
    record
}

/// A rule such as `accept 10.0.0.0/8 80-90 protect`; its name is the text.
pub(crate) fn rule(text: &str) -> Value {
    let [kind, address, ports, action] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
    let (start, end) = ports.split_once('-').unwrap_or((ports, ports));
    let (start, end): (u16, u16) = (start.parse().unwrap(), end.parse().unwrap());
    let ends = json!({ "address": address, "start_port": start, "end_port": end });
    let mut rule = json!({ "name": text, "action": action, "severity": "high" });
    match kind.strip_prefix("bind_") {
        Some(side) => {
            rule["kind"] = json!("bind");
            rule[side] = ends;
        }
        None => {
            rule["kind"] = json!(kind);
            rule.as_object_mut().unwrap().extend(ends.as_object().unwrap().clone());
        }
    }
    rule
}

pub(crate) fn rules(texts: &[&str]) -> Value {
    texts.iter().map(|text| rule(text)).collect()
}
