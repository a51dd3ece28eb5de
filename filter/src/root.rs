//! The root context: reads the policy once per VM and makes the contexts of HTTP streams and connections.
//!
//! The same module and the same policy serve both roles, `envoy.filters.http.wasm` and
//! `envoy.filters.network.wasm`. Nothing says beforehand which one a root context is for; when a context
//! is made, a stream of HTTP has a protocol already and a new connection has none.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;

use portcullis_rules::budget::Budget;
use portcullis_rules::collections::{Seed, Store, StoreSettings};
use portcullis_rules::diagnostic::{Diagnostic, Level, Sources};
use portcullis_rules::eval::Peers;
use portcullis_rules::limits::{self, ENVIRONMENT_BYTES};
use portcullis_rules::model::Enforcement;
use portcullis_rules::net::{Clients, NetworkPolicy, NoClients};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy::{self, Loaded};
use proxy_wasm::traits::{Context, HttpContext, RootContext, StreamContext};
use proxy_wasm::types::{BufferType, ContextType, LogLevel};

use crate::abi;
use crate::challenge::SharedKey;
use crate::client;
use crate::heap;
use crate::http::Http;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::properties;
use crate::shared::{self, SharedData};
use crate::stream::Stream;
use crate::tarpit::{Parked, TICK_MILLISECONDS};
use crate::turns::{TURN_MILLISECONDS, Turns};
use crate::unshown::Unshown;

/// What all streams of a root context use.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What they judge by.
    pub(crate) plan: Arc<Plan>,
    /// What holds for connections.
    pub(crate) network: Network,
    /// What they count.
    pub(crate) metrics: Metrics,
    /// How much memory a worker may take.
    pub(crate) budget: Budget,
    /// Where what outlives a stream is kept; `None` when the policy keeps nothing.
    pub(crate) store: Option<Arc<Store>>,
    /// Answers that are held.
    pub(crate) parked: Parked,
    /// What challenges are signed with where the policy names nothing.
    pub(crate) interrogation_key: SharedKey,
    /// Tells policies apart: the hash of the text.
    pub(crate) policy_number: u64,
    /// Whether this worker has said, or heard, that clients may be known by the address of a proxy.
    pub(crate) warned: Cell<bool>,
    /// Large bodies that wait to be judged.
    pub(crate) turns: Turns,
    /// Heads that are held, and whose bodies have not come.
    pub(crate) unshown: Unshown,
}

impl Shared {
    /// Milliseconds between two ticks; 0 when none are needed.
    fn tick_period(&self) -> u32 {
        if self.turns.any_wait() {
            TURN_MILLISECONDS
        } else if self.plan.may_slow_down() {
            TICK_MILLISECONDS
        } else if self.plan.risk().is_some() || self.unshown.watches() {
            // The store of clients is looked after once a second.
            1_000
        } else {
            0
        }
    }
}

/// The root context.
#[derive(Debug, Default)]
pub(crate) struct Root {
    /// `None` until a policy was accepted.
    shared: Option<Rc<Shared>>,
    /// The protocol of the stream whose context is being made.
    protocol: RefCell<Vec<u8>>,
}

/// A policy's text as a plan, with everything that is to be said about it; no plan when it is refused.
fn compile(text: &Arc<[u8]>) -> (Option<(Plan, NetworkPolicy)>, Vec<Diagnostic>, Sources) {
    let Loaded { policy, mut diagnostics, sources, .. } = policy::load_shared(text, "policy");
    let plans = policy.and_then(|policy| {
        let plan = Plan::new(&policy).map_err(|problems| diagnostics.extend(problems)).ok()?;
        Some((plan, policy.network))
    });
    (plans, diagnostics, sources)
}

/// What Envoy's `environment_variables` of the plugin's VM say.
fn environment() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    std::env::vars_os().map(|(name, value)| (name.into_encoded_bytes(), value.into_encoded_bytes()))
}

/// A number that tells a policy from others. All workers find the same one.
fn number_of(policy: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(policy);
    hasher.finish()
}

/// Where the workers keep the seed of their store.
const SEED_KEY: &[u8] = b"portcullis.store.seed";

/// The store of all workers. With different seeds they would not see what the others keep, so that without one
/// there is no store.
fn store(settings: &StoreSettings) -> Result<Store, String> {
    let seed = shared::agreed::<{ size_of::<Seed>() }>(SEED_KEY).map_err(|error| error.to_string())?;
    let seed = seed.and_then(|seed| Seed::try_from(seed).ok());
    let seed = seed.ok_or("the host has no random numbers for the store of clients")?;
    Ok(Store::new(Arc::new(SharedData), settings).with_seed(&seed))
}

impl Context for Root {}

impl RootContext for Root {
    /// Reads the plugin configuration, which is the policy. `false` makes Envoy refuse it: at start
    /// Envoy exits, on an update the old configuration stays.
    fn on_configure(&mut self, size: usize) -> bool {
        if size > limits::POLICY_BYTES {
            let message = format!("the policy is refused: it has more than {} bytes", limits::POLICY_BYTES);
            abi::log(LogLevel::Critical, message.as_bytes());
            return false;
        }
        let text: Arc<[u8]> = match abi::buffer(BufferType::PluginConfiguration, 0, size) {
            Ok(text) => text.into(),
            Err(error) => {
                abi::log(LogLevel::Critical, format!("the policy can't be read: {error}").as_bytes());
                return false;
            }
        };
        let (plans, diagnostics, sources) = compile(&text);
        // Each worker finds the same; one of them says what is no error.
        let refused = plans.is_none();
        let quiet = !refused && !diagnostics.is_empty() && !shared::say_first(&text);
        for diagnostic in diagnostics.iter().filter(|_| !quiet) {
            let level = match diagnostic.code.level() {
                Level::Error => LogLevel::Error,
                Level::Warning => LogLevel::Warn,
                Level::Note => LogLevel::Info,
            };
            abi::log(level, diagnostic.one_line(&sources).as_bytes());
        }
        let Some((mut plan, network)) = plans else {
            abi::log(LogLevel::Critical, b"the policy is refused; its errors are logged above");
            return false;
        };
        let left_out = plan.set_environment(environment());
        if left_out > 0 {
            let message = format!(
                "{left_out} of the plugin's environment variables are not in ENV: it holds {ENVIRONMENT_BYTES} bytes; \
                 leave out of `environment_variables` what rules don't look at"
            );
            abi::log(LogLevel::Warn, message.as_bytes());
        }
        let metrics = Metrics::define();
        let store = match plan.store_settings().map(|settings| store(&settings)).transpose() {
            Ok(store) => store.map(Arc::new),
            Err(problem) => {
                abi::log(LogLevel::Critical, format!("the policy is refused: {problem}").as_bytes());
                return false;
            }
        };
        let parked = Parked::default();
        let peers = store.as_ref().and_then(|store| Peers::new(&plan, Arc::clone(store)));
        let clients: Box<dyn Clients> = match peers {
            Some(peers) => Box::new(peers),
            None => Box::new(NoClients),
        };
        let (plan, network) = (Arc::new(plan), Network::new(network, clients));
        let shared = Shared {
            turns: Turns::default(),
            unshown: Unshown::new(plan.enforcement()),
            budget: Budget::new(plan.memory().worker_bytes, heap::used),
            plan,
            network,
            metrics,
            store,
            parked,
            interrogation_key: SharedKey::default(),
            policy_number: number_of(&text),
            warned: Cell::new(false),
        };
        let period = shared.tick_period();
        if period > 0
            && let Err(error) = abi::set_tick_period(period)
        {
            shared.metrics.failed(error);
        }
        self.shared = Some(Rc::new(shared));
        true
    }

    /// Lets held answers go on, and looks after the store and what is held for too long.
    fn on_tick(&mut self) {
        let Some(shared) = &self.shared else { return };
        let now = match abi::time() {
            Ok(now) => now,
            Err(error) => return shared.metrics.failed(error),
        };
        shared.parked.tick(now, &shared.metrics);
        shared.metrics.note_memory();
        if shared.plan.enforcement() == Enforcement::Strict {
            shared.unshown.tick(now, &shared.metrics);
            if shared.tick_period() == 0
                && let Err(error) = abi::set_tick_period(0)
            {
                shared.metrics.failed(error);
            }
        }
        if let Some(store) = shared.store.as_deref().filter(|_| shared.plan.risk().is_some()) {
            store.tend(u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX));
            client::report_store(Some(store), &shared.metrics);
        }
        if let Some((turn, last)) = shared.turns.next() {
            if last && let Err(error) = abi::set_tick_period(shared.tick_period()) {
                shared.metrics.failed(error);
            }
            if let Some(turn) = turn.upgrade() {
                turn.take();
            }
        }
    }

    /// Never `None`: the SDK's dispatcher panics on that.
    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Http::new(self.shared.clone(), context_id, self.protocol.take())))
    }

    /// Never `None`, for the same reason.
    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Stream::new(self.shared.clone())))
    }

    /// Asked for each new context. A guess that is wrong would trap the VM at the context's first callback:
    /// nothing passes unjudged.
    fn get_type(&self) -> Option<ContextType> {
        // Where it can't be read, requests are judged as ones of an unknown protocol.
        let protocol = properties::protocol();
        if let (Err(error), Some(shared)) = (&protocol, &self.shared) {
            shared.metrics.failed(*error);
        }
        let is_connection = protocol.as_ref().is_ok_and(Vec::is_empty);
        self.protocol.replace(protocol.unwrap_or_default());
        Some(if is_connection { ContextType::StreamContext } else { ContextType::HttpContext })
    }
}
