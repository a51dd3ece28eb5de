//! Bodies as the host holds them. They are read when they are judged: until then the host alone has them, so that an
//! upload that takes its time takes none of the module's memory.

use portcullis_rules::eval::BodyDemand;
use proxy_wasm::types::BufferType;

use crate::abi::{self, Call, HostError};

/// Most bytes of a body read by one host call. Envoy hands over up to its whole buffer (1 MiB) at once, of
/// which the engine often wants the beginning only.
const READ_BYTES: usize = 64 * 1024;

/// Hands in what a host's buffer of `size` bytes holds, until the engine has enough.
pub(crate) fn read_held(
    buffer: BufferType,
    size: usize,
    mut take: impl FnMut(&[u8]) -> BodyDemand,
) -> Result<(), HostError> {
    let mut seen = 0;
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
    Ok(())
}
