//! The bounded keyed store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use md5::{Digest as _, Md5};
use siphasher::sip::SipHasher24;

use super::bucket::{self, Bucket, Builder, HEADER, Slot};
use crate::host::{KeyValue, KeyValueError};
use crate::limits;

/// What an entry is found by: a hash of a name space and some parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(crate) [u8; 16]);

impl Key {
    /// The key of these parts. Two lists of parts have the same key only if they are the same.
    #[must_use]
    pub fn new(space: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Md5::new();
        for part in std::iter::once(space.as_bytes()).chain(parts.iter().copied()) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn hex(self) -> String {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

/// What decides, together with an entry's key, in which bucket the entry lives. All workers use the same one, and
/// clients must not know it: who knows which bucket somebody is in can push them out of it.
pub type Seed = [u8; 16];

/// What an entry is, for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is known of a client.
    Client = 1,
    /// A persistent collection.
    Collection = 2,
    /// The window of a rate that is not counted by client.
    Rate = 3,
    /// That something has happened.
    Note = 4,
}

impl Kind {
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Client),
            2 => Some(Self::Collection),
            3 => Some(Self::Rate),
            4 => Some(Self::Note),
            _ => None,
        }
    }
}

/// An entry as it is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Seconds since 1970 until which it is of use. Of the unprotected, the earliest goes first.
    pub kept_until: u32,
    /// Seconds since 1970 until which it is not to be evicted; 0 when it may be.
    pub protected_until: u32,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// What came of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// The entry is kept.
    Stored,
    /// Others kept changing the bucket; the update is lost.
    Lost,
    /// All other entries of the bucket are protected, or the entry doesn't fit.
    Refused,
    /// The host failed.
    Failed,
}

/// How large the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// Name space of the keys: policies with the same name share what is stored.
    pub name: String,
    /// Mebibytes that all buckets may take together.
    pub mebibytes: u32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { name: "portcullis".to_owned(), mebibytes: limits::STORE_MEBIBYTES }
    }
}

impl StoreSettings {
    /// How many buckets there are: the largest power of two that fits.
    #[must_use]
    pub fn buckets(&self) -> u32 {
        let per_mebibyte = u32::try_from(1_048_576 / limits::STORE_BUCKET_BYTES).unwrap_or(u32::MAX);
        let most = self.mebibytes.clamp(1, limits::STORE_MEBIBYTES_MOST).saturating_mul(per_mebibyte);
        1 << most.max(1).ilog2()
    }
}

macro_rules! counts {
    ($( $(#[$doc:meta])* $name:ident, )+) => {
        /// What happened to a store.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts { $( $(#[$doc])* pub $name: u64, )+ }

        #[derive(Debug, Default)]
        struct Counters { $( $name: AtomicU64, )+ }

        impl Counters {
            /// What was counted since the last time.
            fn take(&self) -> Counts {
                Counts { $( $name: self.$name.swap(0, Ordering::Relaxed), )+ }
            }
        }
    };
}

counts! {
    /// Entries that went for others before their time.
    evictions,
    /// Updates that were done again because another worker was faster.
    contention,
    /// Updates lost to other workers, after [`limits::STORE_TRIES`].
    losses,
    /// New entries not kept because all others of their bucket are protected.
    refused,
    /// Entries, or parts of them, that are too large to keep.
    oversize,
    /// Buckets that held bytes which make no sense.
    corrupt,
    /// Failures of the host.
    failures,
    /// Clients that are new in the store.
    clients_added,
    /// Clients that went, faded or evicted.
    clients_removed,
    /// Clients whose block began.
    blocked_added,
    /// Blocked clients that are not any more, or went.
    blocked_removed,
}

/// A keyed store of bounded size. Cheap to share; all its methods take `&self`.
#[derive(Debug)]
pub struct Store {
    pub(super) values: Arc<dyn KeyValue>,
    pub(super) name: String,
    pub(super) mask: u32,
    hasher: SipHasher24,
    counters: Counters,
    /// The second in which it was last looked after, as far as this worker knows.
    pub(super) tended: AtomicU32,
}

/// A bucket after a change, if the change is possible.
enum Packed {
    Bytes(Vec<u8>, Counts),
    Refused,
    Oversize,
}

impl Store {
    /// A store over the host's shared values, with a seed that everybody knows: for tests and the command line.
    #[must_use]
    pub fn new(values: Arc<dyn KeyValue>, settings: &StoreSettings) -> Self {
        Self {
            values,
            name: settings.name.clone(),
            mask: settings.buckets() - 1,
            hasher: SipHasher24::new_with_key(&Seed::default()),
            counters: Counters::default(),
            tended: AtomicU32::new(0),
        }
    }

    /// The same store with a seed of its own.
    #[must_use]
    pub fn with_seed(self, seed: &Seed) -> Self {
        Self { hasher: SipHasher24::new_with_key(seed), ..self }
    }

    /// What was counted since the last call.
    pub fn take_counts(&self) -> Counts {
        self.counters.take()
    }

    pub(crate) fn count_oversize(&self) {
        add(&self.counters.oversize, 1);
    }

    fn bucket_name(&self, key: Key) -> Vec<u8> {
        // Masked: the lower bits are enough.
        self.numbered(self.hasher.hash(&key.0) as u32 & self.mask)
    }

    fn numbered(&self, bucket: u32) -> Vec<u8> {
        format!("{}.{bucket}", self.name).into_bytes()
    }

    pub(super) fn failed(&self, _: KeyValueError) -> Update {
        add(&self.counters.failures, 1);
        Update::Failed
    }

    /// The payload under a key. Whether it has faded is for the caller to see.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<Vec<u8>> {
        match self.values.get(&self.bucket_name(key)) {
            Ok(held) => bucket::find(&held?.value, key).map(<[u8]>::to_vec),
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }

    /// Changes the entry under a key: `change` gets its payload, `None` when there is none, and gives what
    /// is to be kept; with `None` the entry goes. It may be called several times, each time on what is there
    /// then. `now` is in seconds since 1970.
    pub fn update(
        &self,
        key: Key,
        kind: Kind,
        now: u32,
        mut change: impl FnMut(Option<&[u8]>) -> Option<Entry>,
    ) -> Update {
        let name = self.bucket_name(key);
        for attempt in 0..limits::STORE_TRIES {
            if attempt > 0 {
                add(&self.counters.contention, 1);
            }
            let held = match self.values.get(&name) {
                Ok(held) => held,
                Err(error) => return self.failed(error),
            };
            let number = held.as_ref().map(|held| held.number);
            let bytes = held.map(|held| held.value).unwrap_or_default();
            let bucket = bucket::read(&bytes);
            let old = bucket.slots.iter().find(|slot| slot.key == key);
            let new = change(old.map(|slot| slot.payload));
            if new.is_none() && old.is_none() {
                return Update::Stored;
            }
            let (packed, counts) = match pack(&bucket, key, kind, new.as_ref(), now) {
                Packed::Bytes(packed, counts) => (packed, counts),
                Packed::Refused => {
                    add(&self.counters.refused, 1);
                    return Update::Refused;
                }
                Packed::Oversize => {
                    add(&self.counters.oversize, 1);
                    return Update::Refused;
                }
            };
            match self.values.set(&name, &packed, number) {
                Ok(true) => {
                    self.count_written(&counts, bucket.corrupt);
                    return Update::Stored;
                }
                Ok(false) => {}
                Err(error) => return self.failed(error),
            }
        }
        add(&self.counters.losses, 1);
        Update::Lost
    }

    /// Whether this is the first time, for all workers, that it is asked about `what` in this space. `now` is in seconds since
    /// 1970; what was asked is forgotten after a while, or when the store is full.
    #[must_use]
    pub fn is_first(&self, space: &str, what: &[u8], now: u32) -> bool {
        let mut first = false;
        let update = self.update(Key::new(space, &[what]), Kind::Note, now, |payload| {
            first = payload.is_none();
            let kept_until = now.saturating_add(limits::STORE_NOTE_SECONDS);
            Some(Entry { kept_until, protected_until: 0, payload: Vec::new() })
        });
        // Who can't tell takes it for the first time.
        first || update != Update::Stored
    }

    fn count_written(&self, counts: &Counts, corrupt: bool) {
        add(&self.counters.evictions, counts.evictions);
        add(&self.counters.clients_added, counts.clients_added);
        add(&self.counters.clients_removed, counts.clients_removed);
        add(&self.counters.blocked_added, counts.blocked_added);
        add(&self.counters.blocked_removed, counts.blocked_removed);
        add(&self.counters.corrupt, u64::from(corrupt));
    }

    /// Takes out of a bucket what has faded, and counts who is still blocked. Whoever writes the bucket meanwhile does
    /// the same.
    pub(super) fn tend_bucket(&self, number: u32, now: u32) -> Result<(), KeyValueError> {
        let name = self.numbered(number);
        let Some(held) = self.values.get(&name)? else { return Ok(()) };
        let bucket = bucket::read(&held.value);
        let blocked = bucket.slots.iter().filter(|slot| slot.is_blocked(now)).count();
        if blocked == usize::from(bucket.blocked) && !bucket.slots.iter().any(|slot| slot.has_faded(now)) {
            return Ok(());
        }
        let mut counts = Counts::default();
        let kept = unfaded(&bucket.slots, now, &mut counts);
        let bytes = written(&kept, bucket.blocked, now, &mut counts);
        if self.values.set(&name, &bytes, Some(held.number))? {
            self.count_written(&counts, bucket.corrupt);
        }
        Ok(())
    }
}

fn add(counter: &AtomicU64, by: u64) {
    if by > 0 {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}

/// The bucket with the entry in it. What has faded is left out; where there is no room, the least valuable
/// entries go.
fn pack(bucket: &Bucket<'_>, key: Key, kind: Kind, new: Option<&Entry>, now: u32) -> Packed {
    let mut counts = Counts::default();
    let known = bucket.slots.iter().any(|slot| slot.key == key);
    let mut kept = unfaded(bucket.slots.iter().filter(|slot| slot.key != key), now, &mut counts);
    let own = new.map(|entry| Slot::of(key, kind, entry));
    let client = u64::from(kind == Kind::Client);
    match own {
        Some(_) if !known => counts.clients_added += client,
        None if known => counts.clients_removed += client,
        _ => {}
    }
    let room = limits::STORE_BUCKET_BYTES - HEADER;
    let own_size = own.map_or(0, |slot| slot.size());
    if own_size > room {
        return Packed::Oversize;
    }
    let mut size: usize = own_size + kept.iter().map(Slot::size).sum::<usize>();
    while size > room {
        let least = kept.iter().enumerate().min_by_key(|(_, slot)| value(slot, now));
        let Some((position, least)) = least.map(|(position, slot)| (position, *slot)) else { break };
        // A client that is blocked stays, unless the new one is blocked for longer.
        if value(&least, now).0 && own.is_none_or(|own| value(&own, now) <= value(&least, now)) {
            return Packed::Refused;
        }
        size -= least.size();
        counts.evictions += 1;
        counts.clients_removed += u64::from(least.kind == Kind::Client);
        kept.swap_remove(position);
    }
    kept.extend(own);
    let bytes = written(&kept, bucket.blocked, now, &mut counts);
    Packed::Bytes(bytes, counts)
}

/// What is still of use.
fn unfaded<'s, 'b: 's>(
    slots: impl IntoIterator<Item = &'s Slot<'b>>,
    now: u32,
    counts: &mut Counts,
) -> Vec<Slot<'b>> {
    let (faded, kept): (Vec<Slot<'_>>, Vec<Slot<'_>>) =
        slots.into_iter().partition(|slot| slot.has_faded(now));
    counts.clients_removed += faded.iter().filter(|slot| slot.kind == Kind::Client).count() as u64;
    kept
}

/// The bytes of a bucket in which so many blocked clients had been counted.
fn written(slots: &[Slot<'_>], counted: u16, now: u32, counts: &mut Counts) -> Vec<u8> {
    let blocked = slots.iter().filter(|slot| slot.is_blocked(now)).count();
    let blocked = u16::try_from(blocked).unwrap_or(u16::MAX);
    counts.blocked_added = u64::from(blocked.saturating_sub(counted));
    counts.blocked_removed = u64::from(counted.saturating_sub(blocked));
    let mut builder = Builder::new(HEADER + slots.iter().map(Slot::size).sum::<usize>(), blocked);
    for slot in slots {
        builder.push(slot);
    }
    builder.finish()
}

/// What an entry is worth: protected ones most, for as long as they are; others until when they are of use.
fn value(slot: &Slot<'_>, now: u32) -> (bool, u32) {
    if slot.protected_until > now { (true, slot.protected_until) } else { (false, slot.kept_until) }
}
