//! Reads bodies from the host, in pieces.

use portcullis_rules::eval::BodyDemand;
use proxy_wasm::types::BufferType;

use crate::abi::{self, Call, HostError};

/// Most bytes of a body read by one host call. Envoy hands over up to its whole buffer (1 MiB) at once, of
/// which the engine often wants the beginning only.
const READ_BYTES: usize = 64 * 1024;

/// Hands in what a host's buffer of `size` bytes holds beyond the first `seen`, until the engine has
/// enough. Returns how many bytes of the buffer have been seen then. The buffer keeps growing while a
/// body is held, so each byte is read once.
pub(crate) fn read_new(
    buffer: BufferType,
    seen: usize,
    size: usize,
    mut take: impl FnMut(&[u8]) -> BodyDemand,
) -> Result<usize, HostError> {
    // A buffer that shrank is not the one we saw: another filter has replaced it.
    let mut seen = if seen > size { 0 } else { seen };
    while seen < size {
        let bytes = abi::buffer(buffer, seen, (size - seen).min(READ_BYTES))?;
        if bytes.is_empty() {
            // The host has announced more than it hands over.
            return Err(HostError { call: Call::GetBuffer, status: abi::EMPTY });
        }
        seen += bytes.len();
        if take(&bytes) == BodyDemand::Enough {
            break;
        }
    }
    Ok(seen)
}
