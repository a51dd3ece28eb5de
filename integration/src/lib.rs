//! Portcullis in a real Envoy.
