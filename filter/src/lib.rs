//! Portcullis as a proxy-wasm module.
