//! A proxy-wasm host inside a test process.
