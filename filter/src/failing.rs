//! What is done where the host fails, or has no value.

use portcullis_rules::eval::UnixNanos;
use proxy_wasm::types::Action;

use crate::abi::{self, HostError};
use crate::metrics::{Counter, Metrics};
use crate::properties;
use crate::reply;

/// Refuses a request whose head can't be read.
pub(crate) fn refuse_unread(metrics: &Metrics, error: HostError) -> Action {
    metrics.failed(error);
    metrics.count(Counter::Failed);
    if let Err(error) = abi::send_local_response(500, "portcullis_host_error", &[], b"", None) {
        metrics.failed(error);
    }
    Action::Pause
}

/// The time, 0 when the host has none.
pub(crate) fn now(metrics: &Metrics) -> UnixNanos {
    UnixNanos(or_default(metrics, abi::time()))
}

/// A value, or its default when the host failed, which is counted.
pub(crate) fn or_default<T: Default>(metrics: &Metrics, value: Result<T, HostError>) -> T {
    value.unwrap_or_else(|error| {
        metrics.failed(error);
        T::default()
    })
}

/// The id of a request: the header, else the host's, else one made from time and context.
pub(crate) fn request_id(metrics: &Metrics, header: &[u8], now: UnixNanos, context_id: u32) -> Vec<u8> {
    if reply::is_request_id(header) {
        return header.to_vec();
    }
    or_default(metrics, properties::request_id())
        .filter(|id| reply::is_request_id(id))
        .unwrap_or_else(|| format!("{:016x}-{context_id:x}", now.0).into_bytes())
}
