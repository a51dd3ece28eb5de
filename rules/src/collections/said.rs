//! What all workers would say, said by one of them.

use crate::host::{KeyValue, KeyValueError};

/// How long after somebody said something the others keep quiet: as long as all workers of a host may take to load a
/// policy. Who loads the same again later says it again.
const SECONDS: u32 = 60;

/// Most things of which it is known that they were said.
const MOST: usize = 32;

/// Attempts against other workers.
const ATTEMPTS: usize = 16;

/// Bytes of an entry: what was said, and when.
const ENTRY: usize = 12;

/// Whether this is the first to say `what`, a hash of it, for a while; `now` is in seconds. All that was said is kept
/// under one key.
///
/// # Errors
/// When the host fails.
pub fn say_first(values: &dyn KeyValue, key: &[u8], what: u64, now: u32) -> Result<bool, KeyValueError> {
    for _ in 0..ATTEMPTS {
        let held = values.get(key)?;
        let said = held.as_ref().map(|held| held.value.as_slice()).unwrap_or_default();
        let mut entries: Vec<(u64, u32)> = said.as_chunks::<ENTRY>().0.iter().map(read).collect();
        // A clock that was set back doesn't silence anybody.
        entries.retain(|(_, at)| now.abs_diff(*at) < SECONDS);
        if entries.iter().any(|(other, _)| *other == what) {
            return Ok(false);
        }
        let surplus = (entries.len() + 1).saturating_sub(MOST);
        entries.drain(..surplus);
        entries.push((what, now));
        if values.set(key, &write(&entries), held.map(|held| held.number))? {
            return Ok(true);
        }
    }
    // Better twice than never.
    Ok(true)
}

fn read(entry: &[u8; ENTRY]) -> (u64, u32) {
    let [a, b, c, d, e, f, g, h, at @ ..] = *entry;
    (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes(at))
}

fn write(entries: &[(u64, u32)]) -> Vec<u8> {
    let bytes = |(what, at): &(u64, u32)| what.to_le_bytes().into_iter().chain(at.to_le_bytes());
    entries.iter().flat_map(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::MemoryValues;

    #[test]
    fn the_first_of_a_load_speaks() {
        let values = MemoryValues::default();
        let first = |what, now| say_first(&values, b"k", what, now).unwrap();
        assert!(first(1, 100));
        assert!(!first(1, 100) && !first(1, 159));
        // Something else is said at once, and the same again by who loads it later.
        assert!(first(2, 101) && !first(2, 102));
        assert!(first(1, 161));
        assert!(!first(1, 162));
        // The clock was set back.
        assert!(first(1, 10) && !first(1, 11));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let values = MemoryValues::default();
        for what in 0..1_000 {
            assert!(say_first(&values, b"k", what, 5).unwrap());
        }
        assert_eq!(values.get(b"k").unwrap().unwrap().value.len(), MOST * ENTRY);
        assert!(!say_first(&values, b"k", 999, 5).unwrap());
        values.set(b"broken", b"\x01\x02\x03", None).unwrap();
        assert!(
            say_first(&values, b"broken", 1, 5).unwrap() && !say_first(&values, b"broken", 1, 5).unwrap()
        );
    }
}
