//! Envoys side by side: alone, with the module, with a rival.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use portcullis_benches::crs::CoreRuleSet;
use portcullis_benches::{Recorded, workload};
use portcullis_integration::{Bootstrap, Enforcement, Envoy, EnvoyOptions, Module};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::http::{Client, Wire, upstream};
use crate::progress;

/// Where the access log is switched off.
const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";

/// Numbers the folders of this process.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// What an Envoy runs.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    None,
    Portcullis,
    /// coraza-proxy-wasm or what takes its configuration.
    Rival(PathBuf),
}

/// The files that Envoy tests need, and what all of them share.
pub(crate) struct Stage {
    runtime: Runtime,
    envoy: PathBuf,
    pub(crate) module: PathBuf,
    policy: String,
    upstream: SocketAddr,
    pub(crate) workload: Vec<Recorded>,
}

/// A running Envoy.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    envoy: Envoy,
    guarded: bool,
    directory: PathBuf,
}

impl Drop for Side {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Stage {
    pub(crate) fn new(envoy: &Path, module: &Path) -> Result<Self> {
        let workload = workload().map_err(|problem| anyhow::anyhow!("{problem}"))?;
        let upstream = upstream(&workload)?;
        let policy = String::from_utf8(CoreRuleSet::read()?.policy())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, envoy: envoy.to_owned(), module: module.to_owned(), policy, upstream, workload })
    }

    /// Starts an Envoy.
    pub(crate) fn start(&self, filter: &Filter, workers: u32, wasm_log: &str) -> Result<Side> {
        let name = match filter {
            Filter::None => "alone",
            Filter::Portcullis => "portcullis",
            Filter::Rival(_) => "rival",
        };
        let unique = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            std::env::temp_dir().join(format!("portcullis-bench-{}-{unique}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let configuration = self.configuration(filter, &directory)?;
        let options =
            EnvoyOptions { binary: self.envoy.clone(), concurrency: workers, directory: directory.clone() };
        let envoy = self.runtime.block_on(Envoy::start_logging(&options, &configuration, wasm_log))?;
        Ok(Side { name, envoy, guarded: !matches!(filter, Filter::None), directory })
    }

    fn configuration(&self, filter: &Filter, directory: &Path) -> Result<Value> {
        let module = match filter {
            Filter::None => None,
            Filter::Portcullis => Some((self.module.clone(), self.policy.clone())),
            Filter::Rival(file) => Some((file.clone(), rival_configuration())),
        };
        let bootstrap = Bootstrap {
            port: 0,
            upstream: self.upstream,
            upstream_http2: false,
            buffer_limit: None,
            lenient: false,
            access_log: directory.join("access.log"),
            module: module.map(|(file, policy)| Module { file, policy, enforcement: Enforcement::Strict }),
        };
        let mut configuration = bootstrap.render()?;
        let manager = configuration.pointer_mut(MANAGER).and_then(Value::as_object_mut);
        manager.context("no connection manager")?.remove("access_log");
        if matches!(filter, Filter::Rival(_)) {
            // It knows nothing of headers that wait.
            let flag =
                format!("{MANAGER}/http_filters/0/typed_config/config/allow_on_headers_stop_iteration");
            *configuration.pointer_mut(&flag).context("no filter")? = json!(false);
        }
        Ok(configuration)
    }

    /// The requests of the workload, ready to be sent.
    pub(crate) fn requests(&self) -> Vec<Wire> {
        self.workload.iter().enumerate().map(|(kind, recorded)| Wire::new(kind, recorded)).collect()
    }

    /// The request of a kind by the first letters of its name.
    pub(crate) fn request(&self, prefix: &str) -> Result<Wire> {
        let kind = self.workload.iter().position(|recorded| recorded.id.starts_with(prefix));
        let kind = kind.with_context(|| format!("the workload has no {prefix}"))?;
        self.requests().into_iter().nth(kind).context("a request")
    }

    /// Whether attacks are refused and everything else is answered by the upstream.
    pub(crate) fn check(&self, side: &Side) -> Result<()> {
        let mut client = Client::new(side.address())?;
        for (recorded, mut request) in self.workload.iter().zip(self.requests()) {
            let status = client.send(&mut request)?;
            let upstreams = recorded.exchange.response.as_ref().map_or(0, |response| response.status);
            let expected = if side.guarded && recorded.attack { 403 } else { upstreams };
            ensure!(status == expected, "{}: {} got {status}, not {expected}", side.name, recorded.id);
        }
        Ok(())
    }

    /// Sends all kinds for a while: V8 first runs quickly compiled code, and replaces what runs often.
    pub(crate) fn warm_up(&self, side: &Side, time: Duration) -> Result<()> {
        progress(&format!("Envoy {}: warming up for {} s", side.name, time.as_secs_f32()));
        let mut client = Client::new(side.address())?;
        let mut requests = self.requests();
        let started = Instant::now();
        while started.elapsed() < time {
            for request in &mut requests {
                client.send(request)?;
            }
        }
        Ok(())
    }
}

impl Side {
    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.envoy.listener()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        self.envoy.log()
    }

    /// Processor time of all its threads in nanoseconds; 0 where the system doesn't say.
    pub(crate) fn cpu(&self) -> u64 {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.envoy.id()));
        let tasks = tasks.into_iter().flatten().flatten();
        let times = tasks.filter_map(|task| {
            let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
            text.split_whitespace().next()?.parse::<u64>().ok()
        });
        times.sum()
    }

    /// Resident memory in KB; 0 where the system doesn't say.
    pub(crate) fn resident(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.envoy.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
    }
}

/// The Core Rule Set as coraza-proxy-wasm has it built in, blocking.
fn rival_configuration() -> String {
    let directives = [
        "Include @recommended-conf",
        "SecRuleEngine On",
        "SecAuditEngine Off",
        "SecResponseBodyAccess On",
        "Include @crs-setup-conf",
        "Include @owasp_crs/*.conf",
    ];
    json!({ "directives_map": { "default": directives }, "default_directives": "default" }).to_string()
}
