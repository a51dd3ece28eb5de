//! What outlives a transaction: a bounded keyed store over the host's shared values, and the persistent
//! collections on it.
//!
//! # Why buckets
//! Envoy's shared data has no deletion: one key per client would be a leak that clients control. So the
//! number of keys is fixed by the configuration. Each key holds a *bucket* of at most
//! [`STORE_BUCKET_BYTES`](crate::limits::STORE_BUCKET_BYTES), and an entry lives in the bucket that its hash
//! says: a keyed hash, so that clients who choose their addresses can't choose whom they push out. Where a bucket is full the entry goes that would fade first; one that is protected (a blocked client)
//! goes only when all others are protected for longer.
//!
//! # Why nothing is lost
//! Workers change a bucket by compare-and-swap. Who loses the race reads again and does its change again on
//! what is there now, a bounded number of times; changes are functions of the entry, such as "add 1", never
//! values worked out before. What is lost past the bound is counted.

mod agree;
mod bucket;
mod bytes;
mod memory;
mod record;
mod said;
mod store;
mod tend;

pub use agree::agree;
pub use memory::MemoryValues;
pub use record::{Change, Record};
pub use said::say_first;
pub use store::{Counts, Key, Kind, Seed, Store, StoreSettings, Update};

pub(crate) use bytes::{Reader, Writer};
pub(crate) use store::Entry;
