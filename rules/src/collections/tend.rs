//! Looking after the store as time passes.
//!
//! Entries fade and blocks end without anybody writing to their buckets. What says how many clients there are, and how
//! many of them are blocked, would know of it only when somebody does. So the workers go through the buckets, a few each
//! second, all of them together: the place that they have come to lies in a key of its own.

use std::sync::atomic::Ordering;

use super::bytes::{Reader, Writer};
use super::store::Store;
use crate::host::KeyValueError;
use crate::limits;

/// Seconds by which the clock of one worker may be behind another's.
const CLOCKS_APART: u32 = 5;

impl Store {
    /// To be called by each worker from time to time, best once a second or more often. Of the calls of all workers in
    /// one second, one looks after the next [`limits::STORE_TENDED`] buckets. `now` is in seconds since 1970.
    pub fn tend(&self, now: u32) {
        if self.tended.swap(now, Ordering::Relaxed) != now
            && let Err(error) = self.tend_some(now)
        {
            self.failed(error);
        }
    }

    fn tend_some(&self, now: u32) -> Result<(), KeyValueError> {
        let name = format!("{}.tended", self.name).into_bytes();
        let held = self.values.get(&name)?;
        let (second, place) = held.as_ref().and_then(|held| read(&held.value)).unwrap_or((0, 0));
        // Clocks of workers may be a little apart, and a clock that was set back must not end it.
        if second.wrapping_sub(now) < CLOCKS_APART {
            return Ok(());
        }
        let count = limits::STORE_TENDED.min(self.mask.saturating_add(1));
        let mut writer = Writer::default();
        writer.u32(now).u32(place.wrapping_add(count));
        // Who is slower leaves it to the other.
        if self.values.set(&name, &writer.0, held.map(|held| held.number))? {
            for number in 0..count {
                self.tend_bucket(place.wrapping_add(number) & self.mask, now)?;
            }
        }
        Ok(())
    }
}

/// The second in which it was done last, and the bucket that is next.
fn read(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut reader = Reader(bytes);
    Some((reader.u32()?, reader.u32()?))
}
