//! A VM with one root context.

use std::collections::BTreeMap;
use std::fmt;

use wasmtime::{Error, Instance, Result, Store, StoreLimitsBuilder, WasmParams, WasmResults};

use crate::connection::{self, Connection, ObservedConnection};
use crate::exchange::Exchange;
use crate::flow;
use crate::module::Module;
use crate::observed::{LogLine, Observed};
use crate::state::State;

/// The id of the root context.
pub(crate) const ROOT: u32 = 1;

/// What can be set outside the module.
#[derive(Clone, Debug)]
pub struct Options {
    /// Envoy's plugin setting of this name: whether `Pause` from a headers callback lets the body
    /// callbacks run. Off by default, as in Envoy.
    pub allow_on_headers_stop_iteration: bool,
    /// Bytes of a held body past which the host answers 413 or 500 itself
    /// (`per_connection_buffer_limit_bytes`, 1 MiB by default).
    pub buffer_limit: usize,
    /// The clock at the start, in nanoseconds since the epoch.
    pub now: u64,
    /// Fuel for one exchange, tick or configuration; a module that needs more traps.
    pub fuel: u64,
    /// Bytes that the VM's memory can grow to.
    pub memory_limit: usize,
    /// Shared data that are there at the start: what another VM of the host has left.
    pub shared_data: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Environment variables of the VM (`environment_variables`): name, value.
    pub environment: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_on_headers_stop_iteration: false,
            buffer_limit: 1024 * 1024,
            now: 1_700_000_000_000_000_000,
            fuel: 1_000_000_000_000,
            memory_limit: usize::MAX,
            shared_data: BTreeMap::new(),
            environment: Vec::new(),
        }
    }
}

/// The module refused its configuration, or trapped on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigureError {
    /// What happened.
    pub reason: String,
    /// What the module logged.
    pub log: Vec<LogLine>,
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.log.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

impl std::error::Error for ConfigureError {}

/// A VM with one root context that has accepted its configuration.
pub struct Host {
    pub(crate) store: Store<State>,
    pub(crate) instance: Instance,
    pub(crate) options: Options,
    pub(crate) next_context: u32,
    /// Why the VM is of no use any more.
    pub(crate) trapped: Option<String>,
    start_fuel: u64,
    start_log: Vec<LogLine>,
}

impl Host {
    /// Compiles a module and starts a VM from it. Compile once with [`Module::compile`] when there are
    /// several to start.
    ///
    /// # Errors
    /// When the module does not compile, traps, or refuses the configuration.
    pub fn new(wasm: &[u8], configuration: &[u8]) -> Result<Self, ConfigureError> {
        let module = Module::compile(wasm)
            .map_err(|error| ConfigureError { reason: format!("{error:#}"), log: Vec::new() })?;
        Self::start(&module, configuration, Options::default())
    }

    /// Starts a VM and hands it its configuration.
    ///
    /// # Errors
    /// When the module traps, or refuses the configuration.
    pub fn start(module: &Module, configuration: &[u8], options: Options) -> Result<Self, ConfigureError> {
        let shared =
            options.shared_data.iter().map(|(key, value)| (key.clone(), (value.clone(), 1))).collect();
        let variable = |(name, value): &(String, String)| format!("{name}={value}\0").into_bytes();
        let state = State {
            configuration: configuration.to_vec(),
            environment: options.environment.iter().map(variable).collect(),
            now: options.now,
            shared,
            ..State::default()
        };
        let mut store = Store::new(&module.engine, state);
        store.data_mut().limits = StoreLimitsBuilder::new().memory_size(options.memory_limit).build();
        store.limiter(|state| &mut state.limits);
        let started = Self::initialise(module, &mut store, options.fuel);
        let log = std::mem::take(&mut store.data_mut().log);
        let instance = match started {
            Ok(instance) => instance,
            Err(error) => return Err(ConfigureError { reason: format!("{error:#}"), log }),
        };
        let start_fuel = options.fuel - store.get_fuel().unwrap_or(0);
        Ok(Self {
            store,
            instance,
            options,
            next_context: ROOT + 1,
            trapped: None,
            start_fuel,
            start_log: log,
        })
    }

    fn initialise(module: &Module, store: &mut Store<State>, fuel: u64) -> Result<Instance> {
        store.set_fuel(fuel)?;
        let instance = module.instance.instantiate(&mut *store)?;
        store.data_mut().memory = instance.get_memory(&mut *store, "memory");
        for name in ["proxy_on_memory_allocate", "malloc"] {
            if let Ok(allocate) = instance.get_typed_func(&mut *store, name) {
                store.data_mut().allocate.get_or_insert(allocate);
            }
        }
        let size = u32::try_from(store.data().configuration.len())?;
        for name in ["_initialize", "_start"] {
            call::<(), ()>(store, &instance, name, ())?;
        }
        call::<(u32, u32), ()>(store, &instance, "proxy_on_context_create", (ROOT, 0))?;
        if call(store, &instance, "proxy_on_vm_start", (ROOT, 0_u32))? == Some(0_u32) {
            return Err(Error::msg("the module refuses to start"));
        }
        if call(store, &instance, "proxy_on_configure", (ROOT, size))? == Some(0_u32) {
            return Err(Error::msg("the module refuses its configuration"));
        }
        Ok(instance)
    }

    /// Runs one exchange from the first callback to the last.
    pub fn exchange(&mut self, exchange: &Exchange) -> Observed {
        flow::run(self, exchange)
    }

    /// Runs one connection, in the network role, from the first callback to the last.
    pub fn connection(&mut self, connection: &Connection) -> ObservedConnection {
        connection::run(self, connection)
    }

    /// Lets the root context's timer fire once, after its period has passed.
    ///
    /// # Errors
    /// When the module traps.
    pub fn tick(&mut self) -> anyhow::Result<()> {
        self.run_tick().map_err(|error| anyhow::anyhow!("{error:#}"))
    }

    pub(crate) fn run_tick(&mut self) -> Result<()> {
        let period = u64::from(self.store.data().tick_period);
        self.advance(period * 1_000_000);
        self.call::<u32, ()>("proxy_on_tick", ROOT).map(|_| ())
    }

    /// The period of the root context's timer in milliseconds; 0 when it has none.
    #[must_use]
    pub fn tick_period(&self) -> u32 {
        self.store.data().tick_period
    }

    /// The clock, in nanoseconds since the epoch.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.store.data().now
    }

    /// Moves the clock on.
    pub fn advance(&mut self, nanoseconds: u64) {
        self.store.data_mut().now += nanoseconds;
    }

    /// The value of a metric; `None` when the module has not defined it.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<i64> {
        Some(self.store.data().metrics.iter().find(|metric| metric.name == name)?.value)
    }

    /// Each metric with its value.
    #[must_use]
    pub fn metrics(&self) -> BTreeMap<String, i64> {
        self.store.data().metrics.iter().map(|metric| (metric.name.clone(), metric.value)).collect()
    }

    /// The keys and values of the shared data.
    #[must_use]
    pub fn shared_data(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.store.data().shared.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// Bytes of the module's memory. It never shrinks.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.store.data().memory.map_or(0, |memory| memory.data_size(&self.store))
    }

    /// The work of starting and configuring.
    #[must_use]
    pub fn start_fuel(&self) -> u64 {
        self.start_fuel
    }

    /// What was logged while starting and configuring.
    #[must_use]
    pub fn start_log(&self) -> &[LogLine] {
        &self.start_log
    }

    /// Calls an export; `None` when the module does not have it.
    pub(crate) fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<Option<R>> {
        if let Some(reason) = &self.trapped {
            return Err(Error::msg(format!("the VM has trapped before: {reason}")));
        }
        let result = call(&mut self.store, &self.instance, name, params);
        if let Err(error) = &result {
            self.trapped = Some(format!("{error:#}"));
        }
        result
    }
}

fn call<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    name: &str,
    params: P,
) -> Result<Option<R>> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let function = function.typed::<P, R>(&*store)?;
    function.call(&mut *store, params).map(Some)
}
