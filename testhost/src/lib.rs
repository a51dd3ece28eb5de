//! A proxy-wasm host inside a test process. It runs the very `.wasm` that Envoy runs, behaves as Envoy
//! does where a filter can notice, and says what came of an exchange.
//!
//! ```no_run
//! use portcullis_testhost::{Exchange, Host, Module, Options, Verdict};
//!
//! # fn main() -> anyhow::Result<()> {
//! let module = Module::compile(&std::fs::read("portcullis_filter.wasm")?)?;
//! let mut host = Host::start(&module, b"{}", Options::default())?;
//! let observed = host.exchange(&Exchange::get("/?q=1"));
//! assert_eq!(observed.verdict, Verdict::Continued);
//! # Ok(())
//! # }
//! ```
//!
//! # What is like Envoy
//! The order of callbacks; what a filter's `Pause` does, for both values of
//! `allow_on_headers_stop_iteration`; bodies that accumulate while they are held, up to the buffer limit;
//! answers and resets that take effect after the callback; answers of the filter's own going through its
//! response callbacks; header maps that are gone once their headers have gone on; metrics, properties,
//! shared data with compare-and-swap, ticks.
//!
//! # What is not
//! One VM, one stream at a time. No other filters, no HTTP or gRPC calls, no queues: a module that calls
//! a function that isn't there traps, with the function's name.
//!
//! Time stands still unless a test moves it or the module ticks, random numbers are always the same, and
//! work is counted in fuel: the same exchange with the same module costs the same each time.

mod codec;
mod connection;
mod env;
mod exchange;
mod flow;
mod host;
mod module;
mod observed;
mod shown;
mod state;
mod wasi;

pub use connection::{Connection, ConnectionFate, Moment, ObservedConnection};
pub use exchange::{Exchange, Fields, Request, Response, When};
pub use host::{ConfigureError, Host, Options};
pub use module::{Module, ModuleFile, portcullis_module};
pub use observed::{Callback, Downstream, LogLine, Observed, Upstream, Verdict};
