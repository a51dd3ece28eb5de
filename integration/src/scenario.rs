//! A policy in a running Envoy in front of an upstream.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::bootstrap::{Bootstrap, Enforcement, Module, put_first, set_in_manager, watch_listeners};
use crate::client::{Http1, Http2, Protocol, Reply, Request};
use crate::envoy::{Envoy, EnvoyOptions, StartError};
use crate::log::{Access, LoggedMatch, access_records, matches};
use crate::prerequisites::{Prerequisites, find_envoy};
use crate::upstream::{Seen, Upstream};

/// How long what a request leaves behind may take to show up.
const SETTLE_PATIENCE: Duration = Duration::from_secs(10);

/// Numbers scenarios and requests of this process.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Scenario {
    policy: Option<Value>,
    enforcement: Enforcement,
    concurrency: u32,
    port: u16,
    buffer_limit: Option<u32>,
    upstream_http2: bool,
    lenient: bool,
    filters: Vec<Value>,
    manager: Vec<(&'static str, Value)>,
    reloadable: bool,
}

impl Scenario {
    /// A policy, strictly enforced by one worker.
    #[must_use]
    pub fn new(policy: Value) -> Self {
        Self { policy: Some(policy), ..Self::without_module() }
    }

    /// Envoy without the filter.
    #[must_use]
    pub const fn without_module() -> Self {
        Self {
            policy: None,
            enforcement: Enforcement::Strict,
            concurrency: 1,
            port: 0,
            buffer_limit: None,
            upstream_http2: false,
            lenient: false,
            filters: Vec::new(),
            manager: Vec::new(),
            reloadable: false,
        }
    }

    /// Sets `enforcement` in the policy, and Envoy's flag with it.
    #[must_use]
    pub const fn enforcement(mut self, enforcement: Enforcement) -> Self {
        self.enforcement = enforcement;
        self
    }

    /// Headers are held until the body is judged.
    #[must_use]
    pub const fn strict(self) -> Self {
        self.enforcement(Enforcement::Strict)
    }

    /// Headers are not held.
    #[must_use]
    pub const fn streaming(self) -> Self {
        self.enforcement(Enforcement::Streaming)
    }

    /// Sets the number of workers.
    #[must_use]
    pub const fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Listens on this port instead of a free one.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets `per_connection_buffer_limit_bytes`.
    #[must_use]
    pub const fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Envoy speaks HTTP/2 to the upstream.
    #[must_use]
    pub const fn upstream_http2(mut self) -> Self {
        self.upstream_http2 = true;
        self
    }

    /// Envoy lets requests pass as far as it can be told to, see [`Bootstrap::lenient`].
    #[must_use]
    pub const fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// Puts one more filter of Envoy's in front of the module.
    #[must_use]
    pub fn filter(mut self, filter: Value) -> Self {
        self.filters.push(filter);
        self
    }

    /// Sets a field of Envoy's HTTP connection manager.
    #[must_use]
    pub fn manager(mut self, key: &'static str, value: Value) -> Self {
        self.manager.push((key, value));
        self
    }

    /// Lets [`Gateway::reload`] change the policy while Envoy runs.
    #[must_use]
    pub const fn reloadable(mut self) -> Self {
        self.reloadable = true;
        self
    }

    /// Starts upstream and Envoy. The module comes from `$PORTCULLIS_WASM`, Envoy from where
    /// [`find_envoy`] finds it.
    ///
    /// # Errors
    /// When something is missing or Envoy doesn't start.
    pub async fn start(self) -> Result<Gateway> {
        let (envoy, module) = if self.policy.is_some() {
            let found = Prerequisites::find()?;
            (found.envoy, Some(found.module))
        } else {
            (find_envoy()?, None)
        };
        self.start_with(envoy, module).await
    }

    /// Starts upstream and Envoy with these files.
    ///
    /// # Errors
    /// When Envoy doesn't start.
    pub async fn start_with(self, envoy: PathBuf, module: Option<PathBuf>) -> Result<Gateway> {
        let upstream = Upstream::start().await?;
        let directory = Directory::create()?;
        // An update of a listener leaves its port alone, so it must not be any port.
        let port = if self.reloadable && self.port == 0 { free_port()? } else { self.port };
        let setup = Setup { scenario: self.port(port), upstream: upstream.address(), module };
        let options = EnvoyOptions {
            binary: envoy,
            concurrency: setup.scenario.concurrency,
            directory: directory.0.clone(),
        };
        let envoy = Envoy::start(&options, &setup.render(&directory)?).await?;
        Ok(Gateway { envoy, upstream, directory, setup })
    }

    /// Starts Envoy with a policy that it must refuse, and returns its log.
    ///
    /// # Errors
    /// When it starts nevertheless.
    pub async fn refused(self) -> Result<String> {
        match self.start().await {
            Ok(_) => bail!("the policy was accepted"),
            Err(error) => match error.downcast::<StartError>()? {
                StartError::Exited { log, .. } => Ok(log),
                other => Err(other.into()),
            },
        }
    }
}

/// A scenario whose addresses and files are known.
#[derive(Debug)]
struct Setup {
    scenario: Scenario,
    upstream: SocketAddr,
    module: Option<PathBuf>,
}

impl Setup {
    /// Envoy's configuration. Its listeners are in a file of their own if they are to be reloaded.
    fn render(&self, directory: &Directory) -> Result<Value> {
        let Scenario { policy, enforcement, .. } = &self.scenario;
        let bootstrap = Bootstrap {
            port: self.scenario.port,
            upstream: self.upstream,
            upstream_http2: self.scenario.upstream_http2,
            buffer_limit: self.scenario.buffer_limit,
            lenient: self.scenario.lenient,
            access_log: directory.access_log(),
            module: policy.clone().zip(self.module.clone()).map(|(policy, file)| Module {
                file,
                policy: policy_text(policy, *enforcement),
                enforcement: *enforcement,
            }),
        };
        let mut root = bootstrap.render()?;
        put_first(&mut root, self.scenario.filters.clone())?;
        for (key, value) in &self.scenario.manager {
            set_in_manager(&mut root, key, value.clone())?;
        }
        if self.scenario.reloadable {
            let file = directory.listeners();
            let listeners = watch_listeners(&mut root, &file)?;
            // Written beside its place and renamed: Envoy never reads half of it.
            let partial = file.with_extension("part");
            fs::write(&partial, listeners.to_string())?;
            fs::rename(&partial, &file)?;
        }
        Ok(root)
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A policy object gets its `enforcement`; a string is taken as it is, so that it can be no JSON at all.
fn policy_text(mut policy: Value, enforcement: Enforcement) -> String {
    if let Some(object) = policy.as_object_mut() {
        object.insert("enforcement".to_owned(), json!(enforcement.name()));
    }
    policy.as_str().map_or_else(|| policy.to_string(), str::to_owned)
}

/// A folder of its own for each Envoy. It is removed in the end, unless a test is failing.
#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn create() -> Result<Self> {
        let name = format!("portcullis-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    fn access_log(&self) -> PathBuf {
        self.0.join("access.log")
    }

    fn listeners(&self) -> PathBuf {
        self.0.join("listeners.json")
    }
}

impl Drop for Directory {
    #[expect(clippy::print_stderr, reason = "whoever reads of a failed test wants Envoy's log")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("Envoy's configuration and logs are kept in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A running scenario; all of it stops when dropped.
#[derive(Debug)]
pub struct Gateway {
    // Fields are dropped in this order.
    envoy: Envoy,
    upstream: Upstream,
    directory: Directory,
    setup: Setup,
}

/// All there is to know about one request.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its `x-request-id`.
    pub request_id: String,
    /// What the client got.
    pub reply: Reply,
    /// What the upstream saw of it.
    pub reached: Vec<Seen>,
    /// The rules that were logged for it.
    pub matches: Vec<LoggedMatch>,
    /// What Envoy's access log says.
    pub access: Access,
}

impl Exchange {
    /// The ids of the logged rules, in order.
    #[must_use]
    pub fn rules(&self) -> Vec<u64> {
        self.matches.iter().map(|found| found.rule_id).collect()
    }
}

impl Gateway {
    /// The running Envoy.
    #[must_use]
    pub const fn envoy(&self) -> &Envoy {
        &self.envoy
    }

    /// The upstream behind it.
    #[must_use]
    pub const fn upstream(&self) -> &Upstream {
        &self.upstream
    }

    /// The folder with Envoy's configuration and logs, for as long as it runs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// Gives the running Envoy another policy, and waits until it holds for new connections. Needs
    /// [`Scenario::reloadable`].
    ///
    /// # Errors
    /// When Envoy does not take it.
    pub async fn reload(&mut self, policy: Value) -> Result<()> {
        const UPDATES: &str = "listener_manager.lds.update_success";
        const DRAINING: &str = "listener_manager.total_filter_chains_draining";
        let admin = self.envoy.admin();
        let (updates, draining) = (admin.stat(UPDATES).await?, admin.stat(DRAINING).await?);
        self.setup.scenario.policy = Some(policy);
        self.setup.render(&self.directory)?;
        let started = Instant::now();
        // Only filters differ: the old ones drain once all workers have the new ones.
        while admin.stat(UPDATES).await? == updates || admin.stat(DRAINING).await? == draining {
            if started.elapsed() > SETTLE_PATIENCE {
                bail!("the new policy does not hold\n{}", self.envoy.log());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Sends a request over a new connection and collects all it leaves behind.
    ///
    /// # Errors
    /// When it can't be sent, or never shows up in Envoy's access log.
    pub async fn send(&self, protocol: Protocol, request: Request) -> Result<Exchange> {
        let (request_id, request) = identified(request);
        let reply = match protocol {
            Protocol::Http1 => Http1::connect(self.envoy.listener()).await?.exchange(&request).await,
            Protocol::Http2 => Http2::connect(self.envoy.listener()).await?.exchange(&request).await?,
        };
        self.settle(request_id, reply).await
    }

    /// Sends a request over HTTP/1.1, see [`Gateway::send`].
    ///
    /// # Errors
    /// As [`Gateway::send`].
    pub async fn send1(&self, request: Request) -> Result<Exchange> {
        self.send(Protocol::Http1, request).await
    }

    /// Sends a request over an open HTTP/1.1 connection, see [`Gateway::send`].
    ///
    /// # Errors
    /// As [`Gateway::send`].
    pub async fn send_on(&self, client: &mut Http1, request: Request) -> Result<Exchange> {
        let (request_id, request) = identified(request);
        let reply = client.exchange(&request).await;
        self.settle(request_id, reply).await
    }

    /// Waits until a request is over for Envoy and the upstream, and says what they know of it.
    ///
    /// Envoy writes its access log after the filter's last log line, and counts what it sends upstream:
    /// once the line is there and the upstream has as many requests as were sent to it, nothing can
    /// come late.
    ///
    /// # Errors
    /// When it doesn't show up in Envoy's access log.
    pub async fn settle(&self, request_id: String, reply: Reply) -> Result<Exchange> {
        let access = self.access(&request_id, &reply).await?;
        let started = Instant::now();
        let forwarded = self.envoy.admin().stat("cluster.upstream.upstream_rq_total").await?;
        while (self.upstream.hits() as u64) < forwarded && started.elapsed() < SETTLE_PATIENCE {
            sleep(Duration::from_millis(5)).await;
        }
        let reached = self.upstream.seen(&request_id);
        let matches = matches(&self.envoy.log(), &request_id);
        Ok(Exchange { request_id, reply, reached, matches, access })
    }

    async fn access(&self, request_id: &str, reply: &Reply) -> Result<Access> {
        let started = Instant::now();
        while started.elapsed() < SETTLE_PATIENCE {
            let log = fs::read(self.directory.access_log()).unwrap_or_default();
            let records = access_records(&String::from_utf8_lossy(&log));
            if let Some(record) = records.into_iter().find(|record| record.request_id == request_id) {
                return Ok(record);
            }
            sleep(Duration::from_millis(10)).await;
        }
        bail!("request {request_id} isn't in the access log; the client got {reply:?}\n{}", self.envoy.log())
    }
}

/// Gives a request an id, unless it has one.
#[must_use]
fn identified(request: Request) -> (String, Request) {
    if let Some((_, id)) = request.headers.iter().find(|(name, _)| name == "x-request-id") {
        return (String::from_utf8_lossy(id).into_owned(), request);
    }
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:08x}-0000-4000-8000-{number:012x}", process::id());
    (id.clone(), request.header("x-request-id", id))
}
