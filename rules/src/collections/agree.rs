//! Values that all workers agree on.

use crate::host::{KeyValue, KeyValueError};

/// The value under `key` that all workers use: the one that is there, else what `make` gives. Where several make one
/// at once, the first one stays, and the others get that one. `None` when there is none and `make` gives none.
///
/// # Errors
/// When the host fails.
pub fn agree(
    values: &dyn KeyValue,
    key: &[u8],
    make: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<Option<Vec<u8>>, KeyValueError> {
    if let Some(held) = values.get(key)? {
        return Ok(Some(held.value));
    }
    let Some(own) = make() else { return Ok(None) };
    if values.set(key, &own, None)? {
        return Ok(Some(own));
    }
    Ok(values.get(key)?.map(|held| held.value))
}
