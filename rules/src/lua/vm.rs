//! The virtual machine: one per thread, which is one per worker of Envoy, made when a script is first needed.
//!
//! A plan is shared between threads natively and a machine can't be, so the machine is not part of the plan.
//! It keeps each script's compiled form; the globals of a run are made anew each time. A machine in which a
//! script was stopped is thrown away, whatever state it is in.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use omnilua::{Function, HostHooks, Lua, LuaRuntime, Result, SandboxConfig, Table, Value};

use super::meter::Meter;
use super::strings::{bytes, failure, integer};
use super::{Ended, Host, Inner, Script, ScriptError, library};
use crate::limits;

/// Instructions between checks of the budgets.
const CHECK_INTERVAL: u32 = 8;

/// Kilobytes a machine may hold between runs before what is left over is collected.
const IDLE_KILOBYTES: f64 = 128.0;

/// Calls through Rust that count as made before a run begins. The machine allows 200 within each other, such as
/// `pcall` in `pcall`, metamethods and callbacks, or brackets in brackets when it compiles; each takes 3 to 4 KB
/// of the host's stack, of which V8 and Wasmtime give a module 1 MB and 512 KB. What is left are 50.
const CALLS_TAKEN: u32 = 150;

thread_local! {
    static MACHINE: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

struct Machine {
    lua: Lua,
    meter: Rc<Meter>,
    libraries: Table,
    environment: Function,
    scripts: Vec<(Weak<Inner>, Function)>,
}

/// Why a run has no result.
enum Failure {
    Syntax(String),
    Run(String),
    NoMain,
}

impl From<omnilua::Error> for Failure {
    fn from(error: omnilua::Error) -> Self {
        Self::Run(error.to_string())
    }
}

impl Machine {
    fn new() -> Result<Self> {
        let mut runtime = LuaRuntime::with_hooks(HostHooks::default())?;
        runtime.state_mut().n_ccalls += CALLS_TAKEN;
        let lua = runtime.into_lua();
        let meter = Rc::new(Meter::new(u64::MAX));
        let (libraries, environment) = library::install(&lua, &meter)?;
        Ok(Self { lua, meter, libraries, environment, scripts: Vec::new() })
    }

    /// The script's statements as a function of its globals, compiled when it is first asked for.
    fn compiled(&mut self, script: &Script) -> std::result::Result<Function, Failure> {
        let wanted = Arc::as_ptr(&script.inner);
        if let Some((_, function)) = self.scripts.iter().find(|(known, _)| known.as_ptr() == wanted) {
            return Ok(function.clone());
        }
        self.scripts.retain(|(known, _)| known.strong_count() > 0);
        // On the script's first line, so that all lines keep their numbers.
        let text = [b"local _ENV = ...; ", script.inner.text.as_slice()].concat();
        let chunk = self.lua.load(text).set_name(format!("={}", script.name()));
        let function = chunk.into_function().map_err(|error| Failure::Syntax(error.to_string()))?;
        self.scripts.push((Arc::downgrade(&script.inner), function.clone()));
        Ok(function)
    }

    /// Runs a script: its statements, then `main` if it is `called`.
    fn run(
        &mut self,
        script: &Script,
        host: &mut dyn Host,
        called: Option<Option<&[u8]>>,
        instructions: &mut u64,
    ) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let budget = (*instructions).min(limits::SCRIPT_INSTRUCTIONS);
        let function = self.compiled(script)?;
        if self.lua.gc().count()? > IDLE_KILOBYTES {
            self.lua.gc_collect();
        }
        self.meter.refill(limits::SCRIPT_INSTRUCTIONS);
        let sandbox = self.lua.install_sandbox(SandboxConfig {
            instruction_limit: Some(budget.max(1)),
            memory_limit_bytes: Some(limits::SCRIPT_MEMORY_BYTES),
            check_interval: CHECK_INTERVAL,
            remove_globals: Vec::new(),
        })?;
        sandbox.reset();
        let host = RefCell::new(host);
        let meter = Rc::clone(&self.meter);
        let result = self.lua.scope(|scope| {
            let m = self.lua.create_table()?;
            m.set(
                "log",
                scope.create_function(&self.lua, |_, (level, text): (Value, Value)| {
                    let level = integer(Some(&level), 1, None)?.clamp(1, 9);
                    let text = bytes(Some(&text), 2)?;
                    meter.bytes(text.len()).map_err(failure)?;
                    host.borrow_mut().log(u8::try_from(level).unwrap_or(9), &text);
                    Ok(())
                })?,
            )?;
            m.set(
                "getvar",
                scope.create_function(&self.lua, |lua, (name, functions): (Value, Value)| {
                    match values(&host, &meter, &name, &functions, 1)?.first() {
                        Some((_, value)) => Ok(Value::String(lua.create_string(value)?)),
                        None => Ok(Value::Nil),
                    }
                })?,
            )?;
            m.set(
                "getvars",
                scope.create_function(&self.lua, |lua, (name, functions): (Value, Value)| {
                    let list = lua.create_table()?;
                    let found = values(&host, &meter, &name, &functions, limits::SCRIPT_RESULTS)?;
                    for (index, (name, value)) in (1i64..).zip(found) {
                        let entry = lua.create_table()?;
                        entry.set("name", lua.create_string(name)?)?;
                        entry.set("value", lua.create_string(value)?)?;
                        list.set(index, entry)?;
                    }
                    Ok(list)
                })?,
            )?;
            m.set(
                "setvar",
                scope.create_function(&self.lua, |_, (name, value): (Value, Value)| {
                    let name = bytes(Some(&name), 1)?;
                    let value = match &value {
                        Value::Nil => None,
                        value => Some(bytes(Some(value), 2)?),
                    };
                    meter.bytes(value.as_ref().map_or(0, Vec::len)).map_err(failure)?;
                    host.borrow_mut().set(&name, value.as_deref()).map_err(failure)
                })?,
            )?;
            let globals: Table = self.environment.call((self.libraries.clone(), m))?;
            function.call::<_, ()>(globals.clone())?;
            let Value::Function(main) = globals.raw_get("main")? else { return Ok(None) };
            let Some(argument) = called else { return Ok(Some(Value::Nil)) };
            let argument = match argument {
                Some(value) => Value::String(self.lua.create_string(value)?),
                None => Value::Nil,
            };
            main.call::<_, Value>(argument).map(Some)
        });
        *instructions = instructions.saturating_sub(sandbox.instructions_used().unwrap_or(budget));
        if let Some(reason) = sandbox.tripped() {
            return Err(Failure::Run(match reason {
                omnilua::TripReason::Instructions => format!("it executed more than {budget} instructions"),
                omnilua::TripReason::Memory => {
                    format!("it used more than {} bytes of memory", limits::SCRIPT_MEMORY_BYTES)
                }
            }));
        }
        if meter.is_exhausted() {
            let steps = limits::SCRIPT_INSTRUCTIONS;
            return Err(Failure::Run(format!("the functions it called took more than {steps} steps")));
        }
        match result? {
            None => Err(Failure::NoMain),
            Some(Value::String(text)) => {
                let mut text = text.as_bytes()?;
                text.truncate(limits::SCRIPT_EVENT_BYTES);
                Ok(Some(text))
            }
            Some(_) => Ok(None),
        }
    }
}

fn values(
    host: &RefCell<&mut dyn Host>,
    meter: &Meter,
    name: &Value,
    functions: &Value,
    most: usize,
) -> Result<Vec<super::Named>> {
    let name = bytes(Some(name), 1)?;
    let functions = match functions {
        Value::Nil => Vec::new(),
        Value::Table(list) => {
            let count = i64::try_from(list.len()?.min(64)).unwrap_or(0);
            let functions = (1..=count).map(|index| bytes(Some(&list.get(index)?), 2));
            functions.collect::<Result<_>>()?
        }
        one => vec![bytes(Some(one), 2)?],
    };
    meter.step().map_err(failure)?;
    let found = host.borrow_mut().values(&name, &functions, most).map_err(failure)?;
    for (name, value) in &found {
        meter.bytes(name.len() + value.len()).map_err(failure)?;
    }
    Ok(found)
}

/// Does `work` in this thread's machine; one in which it fails is thrown away.
fn with_machine<T>(
    work: impl FnOnce(&mut Machine) -> std::result::Result<T, Failure>,
) -> std::result::Result<T, Failure> {
    MACHINE.with(|slot| {
        // A script can't call back into the engine's rules, so the machine is never asked for twice at once.
        let mut slot = slot.try_borrow_mut().map_err(|_| Failure::Run("a script is running".to_owned()))?;
        if slot.is_none() {
            *slot = Some(Machine::new()?);
        }
        let done = match slot.as_mut() {
            Some(machine) => work(machine),
            None => Err(Failure::Run("there is no machine".to_owned())),
        };
        if done.is_err() {
            *slot = None;
        }
        done
    })
}

/// Calls `main`.
pub(super) fn run(
    script: &Script,
    host: &mut dyn Host,
    value: Option<&[u8]>,
    instructions: &mut u64,
) -> Ended {
    if *instructions == 0 {
        let most = limits::SCRIPT_TRANSACTION_INSTRUCTIONS;
        return Ended::Stopped(format!(
            "the scripts of this transaction executed {most} instructions before"
        ));
    }
    match with_machine(|machine| machine.run(script, host, Some(value), instructions)) {
        Ok(text) => Ended::Returned(text),
        Err(Failure::Syntax(message) | Failure::Run(message)) => Ended::Stopped(message),
        Err(Failure::NoMain) => Ended::Stopped("it defines no function `main`".to_owned()),
    }
}

/// The host of a script that runs without a request.
struct Nobody;

impl Host for Nobody {
    fn log(&mut self, _: u8, _: &[u8]) {}

    fn values(
        &mut self,
        _: &[u8],
        _: &[Vec<u8>],
        _: usize,
    ) -> std::result::Result<Vec<super::Named>, String> {
        Ok(Vec::new())
    }

    fn set(&mut self, _: &[u8], _: Option<&[u8]>) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// Compiles a script and runs its statements.
pub(super) fn prove(script: &Script) -> std::result::Result<(), ScriptError> {
    let mut instructions = limits::SCRIPT_INSTRUCTIONS;
    let Err(failure) =
        with_machine(|machine| machine.run(script, &mut Nobody, None, &mut instructions).map(|_| ()))
    else {
        return Ok(());
    };
    let name = script.name().to_owned();
    Err(match failure {
        Failure::Syntax(message) => {
            let (line, message) = placed(&name, message);
            ScriptError::Syntax { name, line, message }
        }
        Failure::Run(message) => {
            let (line, message) = placed(&name, message);
            ScriptError::Fails { name, line, message }
        }
        Failure::NoMain => ScriptError::NoMain(name),
    })
}

/// A message `NAME:LINE: TEXT` as its line and text.
fn placed(name: &str, message: String) -> (u32, String) {
    let parted = message.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')).and_then(|rest| {
        let (line, text) = rest.split_once(':')?;
        Some((line.parse().ok()?, text.trim_start().to_owned()))
    });
    parted.unwrap_or((0, message))
}
