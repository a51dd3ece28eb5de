//! Portcullis as a proxy-wasm module: moves bytes between the host and the engine and carries out the
//! engine's verdicts. It takes no security decision of its own, save that what it can't read it refuses.
//!
//! # What the SDK does on unexpected input
//! `proxy-wasm` 0.2.5 is used for its traits, its dispatcher and the exported functions. Its dispatcher
//! traps the VM
//! - on a callback for a context id that it doesn't know, and on a second context with the same id;
//! - when a root context has no type, or makes no context (`root` always has and does);
//! - on the answer to an HTTP call that nobody made (this module makes none);
//! - on a callback into a context while another callback into it runs (a `RefCell`). Envoy puts off
//!   local replies, resets and resumptions until the callback has returned, so none of the host calls
//!   made here re-enters the VM.
//!
//! All of these are errors of the host, none can be brought about by what a client sends. The panic hook
//! of the SDK, which is only installed with its logger, is not used: `start` installs its own. A panic
//! aborts the VM after that; there is no unwinding on this target.

// The root context is the entry point on wasm32; natively nothing but tests uses these modules.
#![cfg_attr(not(any(target_arch = "wasm32", test)), allow(dead_code))]

#[allow(unsafe_code)]
mod abi;
mod challenge;
mod client;
mod failing;
mod head;
#[allow(unsafe_code)]
mod heap;
mod http;
mod http_network;
mod intake;
mod metrics;
mod network;
mod pairs;
mod properties;
mod reply;
mod root;
mod shared;
mod stream;
mod tarpit;
mod turns;
mod unshown;

use proxy_wasm::types::LogLevel;

#[allow(unsafe_code)]
mod entry {
    proxy_wasm::main! {{ super::start(); }}
}

/// Runs once when the module is loaded.
fn start() {
    std::panic::set_hook(Box::new(|info| abi::log(LogLevel::Critical, info.to_string().as_bytes())));
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}
