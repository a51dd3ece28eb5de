//! Lua scripts: `exec`, `SecRuleScript`, `@inspectFile` and the rule form's `execute`.
//!
//! A script comes with the policy. It is compiled, and run once without a request, when the policy is loaded;
//! its function `main` is called when a rule wants it. It sees the transaction through the table `m` only:
//! nothing of its machine reaches files, clocks, processes or other code, and every run has budgets for
//! instructions, for the work of library functions and for memory ([`limits`](crate::limits)). What goes
//! past them is stopped, reported as a [`ScriptEvent`], and matches nothing.
//!
//! The language is Lua 5.4 with the base, `string`, `table` and `math` libraries, without what loads code,
//! makes random numbers or tunes the collector. Globals last as long as one run.
//!
//! Without the crate feature `lua` scripts are refused when the policy is loaded.

#[cfg(feature = "lua")]
mod library;
#[cfg(feature = "lua")]
mod meter;
#[cfg(feature = "lua")]
mod pattern;
#[cfg(feature = "lua")]
mod strings;
#[cfg(feature = "lua")]
mod tables;
#[cfg(all(test, feature = "lua"))]
mod tests;
#[cfg(feature = "lua")]
mod vm;

use std::fmt;
use std::sync::Arc;

use crate::diagnostic::Code;
use crate::host::{Source, SourceError};

/// A script of the policy, compiled once to prove that it can be. Clones share it.
#[derive(Clone, Debug)]
pub struct Script {
    inner: Arc<Inner>,
}

/// Scripts are the same when their names and texts are.
impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl Eq for Script {}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    name: String,
    text: Vec<u8>,
}

/// A script can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// This build has no machine to run it.
    #[error("this module can't run scripts")]
    NotAvailable,
    /// Its name does not end in `.lua`: it is a program, which a filter can't start.
    #[error("`{0}` is not a Lua script: its name does not end in `.lua`")]
    NotLua(String),
    /// There is no such file.
    #[error(transparent)]
    Missing(#[from] SourceError),
    /// It has more bytes than [`limits::SCRIPT_BYTES`](crate::limits::SCRIPT_BYTES).
    #[error("`{name}` has {bytes} bytes; a script has at most {}", crate::limits::SCRIPT_BYTES)]
    TooLong {
        /// The script.
        name: String,
        /// How long it is.
        bytes: usize,
    },
    /// It is not Lua.
    #[error("{} of `{name}`: {message}", Line(*line))]
    Syntax {
        /// The script.
        name: String,
        /// The line, from 1; 0 when it is not known.
        line: u32,
        /// What is wrong with it.
        message: String,
    },
    /// Its statements, run without a request, end in an error or past a budget.
    #[error("{} of `{name}`: {message}", Line(*line))]
    Fails {
        /// The script.
        name: String,
        /// The line, from 1; 0 when it is not known.
        line: u32,
        /// What is wrong with it.
        message: String,
    },
    /// It defines no function `main`.
    #[error("`{0}` defines no function `main`")]
    NoMain(String),
}

struct Line(u32);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("a line") } else { write!(f, "line {}", self.0) }
    }
}

impl ScriptError {
    /// The number of its diagnostic.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::NotAvailable => Code::E0215,
            Self::NotLua(_) => Code::E0216,
            Self::Missing(_) => Code::E0210,
            Self::TooLong { .. } => Code::E0217,
            Self::Syntax { .. } => Code::E0218,
            Self::Fails { .. } => Code::E0219,
            Self::NoMain(_) => Code::E0220,
        }
    }

    /// What to do about it; `None` for a missing file, which the reader knows more about.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotAvailable => "use the module `portcullis-lua.wasm`, which is the same with Lua in it",
            Self::NotLua(_) => "a filter starts no programs; write the check in Lua, as a file `NAME.lua`",
            Self::Missing(_) => return None,
            Self::TooLong { .. } => "put long lists into data files for `@pmFromFile` or `@ipMatchFromFile`",
            Self::Syntax { .. } => "the language is Lua 5.4",
            Self::Fails { .. } => {
                "statements outside of functions run at load as well, where `m.getvar` finds nothing; \
                 move what needs a request into `main`"
            }
            Self::NoMain(_) => "put what it does into `function main() … end`",
        })
    }
}

impl Script {
    /// Reads a script and proves that it compiles and defines `main`; `file` is the file that names it.
    ///
    /// # Errors
    /// When it can't be had or can't be run.
    pub fn load(name: &str, source: &dyn Source, file: &str) -> Result<Self, ScriptError> {
        if !name.to_ascii_lowercase().ends_with(".lua") {
            return Err(ScriptError::NotLua(name.to_owned()));
        }
        let text = source.read(name, file)?;
        if text.len() > crate::limits::SCRIPT_BYTES {
            return Err(ScriptError::TooLong { name: name.to_owned(), bytes: text.len() });
        }
        Self { inner: Arc::new(Inner { name: name.to_owned(), text }) }.proved()
    }

    /// The script, if it can be run.
    #[cfg(feature = "lua")]
    fn proved(self) -> Result<Self, ScriptError> {
        vm::prove(&self).map(|()| self)
    }

    #[cfg(not(feature = "lua"))]
    #[expect(clippy::unused_self, reason = "the form of the build that runs scripts")]
    fn proved(self) -> Result<Self, ScriptError> {
        Err(ScriptError::NotAvailable)
    }

    /// The name as the rule has it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }
}

/// Something a script said, or that it was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptEvent {
    /// The rule it ran for.
    pub rule_id: u64,
    /// The script.
    pub script: String,
    /// ModSecurity's level: 1 (error), 2 (warning), 3 (notice), 4 (information), up to 9 (details).
    pub level: u8,
    /// What it said, or why it was stopped.
    pub text: Vec<u8>,
    /// Whether it was stopped, by an error of its own or by a budget.
    pub stopped: bool,
}

impl ScriptEvent {
    /// The line for the error log: printable ASCII, without a line end.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let verb = if self.stopped { " was stopped" } else { "" };
        let text = self.text.escape_ascii();
        format!("portcullis: script {} (rule {}){verb}: {text}", self.script.escape_debug(), self.rule_id)
            .into_bytes()
    }
}

/// What a transaction has left for its scripts, and what they said.
#[derive(Debug)]
pub(crate) struct Account {
    /// Instructions of all runs to come.
    pub(crate) instructions: u64,
    pub(crate) events: Vec<ScriptEvent>,
}

impl Default for Account {
    fn default() -> Self {
        Self { instructions: crate::limits::SCRIPT_TRANSACTION_INSTRUCTIONS, events: Vec::new() }
    }
}

impl Account {
    /// Keeps an event, up to [`limits::SCRIPT_EVENTS`](crate::limits::SCRIPT_EVENTS) and a line's length.
    pub(crate) fn report(&mut self, mut event: ScriptEvent) {
        if self.events.len() < crate::limits::SCRIPT_EVENTS {
            event.text.truncate(crate::limits::SCRIPT_EVENT_BYTES);
            self.events.push(event);
        }
    }
}

/// An element of a variable: its full name, such as `ARGS:id`, and its value.
pub(crate) type Named = (Vec<u8>, Vec<u8>);

/// What a script reaches: the transaction behind `m`.
#[cfg_attr(not(feature = "lua"), expect(dead_code, reason = "only machines ask"))]
pub(crate) trait Host {
    /// `m.log`.
    fn log(&mut self, level: u8, text: &[u8]);

    /// The elements that a variable means now, at most `most`, after the transformations.
    ///
    /// # Errors
    /// When there is no such variable or transformation; the message is for the script.
    fn values(
        &mut self,
        variable: &[u8],
        transformations: &[Vec<u8>],
        most: usize,
    ) -> Result<Vec<Named>, String>;

    /// `m.setvar`: `None` removes the key.
    ///
    /// # Errors
    /// When the name is not that of a key of a collection; the message is for the script.
    fn set(&mut self, variable: &[u8], value: Option<&[u8]>) -> Result<(), String>;
}

/// How a run ended.
#[cfg_attr(not(feature = "lua"), expect(dead_code, reason = "only machines end"))]
pub(crate) enum Ended {
    /// `main` returned a string, or something else.
    Returned(Option<Vec<u8>>),
    /// It was stopped, for this reason.
    Stopped(String),
}

impl Script {
    /// Calls `main`, with `value` as its argument if there is one. At most `instructions` are spent, and
    /// what was spent is taken off them.
    #[cfg(feature = "lua")]
    pub(crate) fn run(&self, host: &mut dyn Host, value: Option<&[u8]>, instructions: &mut u64) -> Ended {
        vm::run(self, host, value, instructions)
    }

    /// Never called: [`Script::load`] refuses scripts in this build.
    #[cfg(not(feature = "lua"))]
    #[expect(clippy::unused_self, reason = "the form of the build that runs scripts")]
    pub(crate) fn run(&self, _: &mut dyn Host, _: Option<&[u8]>, _: &mut u64) -> Ended {
        Ended::Stopped(ScriptError::NotAvailable.to_string())
    }
}
