//! The binary form of a bucket: a version, then entries one behind the other.
//!
//! | bytes | what |
//! | --- | --- |
//! | 2 | `P`, version 2 |
//! | 2 | how many blocked clients the last writer counted |
//! | per entry: 16 | key |
//! | 1 | kind |
//! | 4 | kept until, seconds since 1970 |
//! | 4 | protected until, seconds since 1970; 0 for never |
//! | 2 | length of the payload |
//! | … | payload |
//!
//! Any bytes can be read: of another version nothing is there, and entries end where they stop making sense.
//!
//! The count is there so that whoever writes next knows what has been said about this bucket, and says the difference:
//! blocks end with time, without anybody writing.

use super::bytes::{Reader, Writer};
use super::store::{Entry, Key, Kind};

const VERSION: [u8; 2] = *b"P\x02";

/// Bytes before the first entry.
pub(super) const HEADER: usize = 4;

/// Bytes of an entry before its payload.
pub(super) const OVERHEAD: usize = 16 + 1 + 4 + 4 + 2;

/// An entry within a bucket's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub(super) key: Key,
    pub(super) kind: Kind,
    pub(super) kept_until: u32,
    pub(super) protected_until: u32,
    pub(super) payload: &'a [u8],
}

/// What a bucket holds.
#[derive(Debug, Default)]
pub(super) struct Bucket<'a> {
    /// How many blocked clients were counted in it.
    pub(super) blocked: u16,
    pub(super) slots: Vec<Slot<'a>>,
    /// Whether bytes were left that make no sense.
    pub(super) corrupt: bool,
}

pub(super) fn read(bytes: &[u8]) -> Bucket<'_> {
    let mut bucket = Bucket::default();
    if bytes.is_empty() {
        return bucket;
    }
    let mut reader = Reader(bytes);
    let Some(blocked) = header(&mut reader) else { return Bucket { corrupt: true, ..bucket } };
    bucket.blocked = blocked;
    while !reader.0.is_empty() {
        let Some(slot) = slot(&mut reader) else { return Bucket { corrupt: true, ..bucket } };
        bucket.slots.push(slot);
    }
    bucket
}

fn header(reader: &mut Reader<'_>) -> Option<u16> {
    reader.bytes(2).filter(|version| *version == VERSION)?;
    reader.u16()
}

/// The payload under a key.
pub(super) fn find(bytes: &[u8], key: Key) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    header(&mut reader)?;
    loop {
        let slot = slot(&mut reader)?;
        if slot.key == key {
            return Some(slot.payload);
        }
    }
}

fn slot<'a>(reader: &mut Reader<'a>) -> Option<Slot<'a>> {
    let key = Key(reader.key()?);
    let kind = Kind::from_byte(reader.u8()?)?;
    let (kept_until, protected_until) = (reader.u32()?, reader.u32()?);
    let length = reader.u16()?;
    let payload = reader.bytes(usize::from(length))?;
    Some(Slot { key, kind, kept_until, protected_until, payload })
}

/// A bucket in the making.
#[derive(Debug)]
pub(super) struct Builder(Writer);

impl Builder {
    pub(super) fn new(capacity: usize, blocked: u16) -> Self {
        let mut writer = Writer(Vec::with_capacity(capacity));
        writer.bytes(&VERSION).u16(blocked);
        Self(writer)
    }

    pub(super) fn push(&mut self, slot: &Slot<'_>) {
        let length = u16::try_from(slot.payload.len()).unwrap_or(0);
        let payload = slot.payload.get(..usize::from(length)).unwrap_or_default();
        self.0.bytes(&slot.key.0).u8(slot.kind as u8);
        self.0.u32(slot.kept_until).u32(slot.protected_until).u16(length).bytes(payload);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0.0
    }
}

impl<'a> Slot<'a> {
    pub(super) fn of(key: Key, kind: Kind, entry: &'a Entry) -> Self {
        Self {
            key,
            kind,
            kept_until: entry.kept_until,
            protected_until: entry.protected_until,
            payload: &entry.payload,
        }
    }

    pub(super) fn size(&self) -> usize {
        OVERHEAD + self.payload.len()
    }

    /// Whether it is a client that is blocked.
    pub(super) fn is_blocked(&self, now: u32) -> bool {
        self.kind == Kind::Client && self.protected_until > now
    }

    /// Whether it is of no use any more.
    pub(super) const fn has_faded(&self, now: u32) -> bool {
        self.kept_until <= now && self.protected_until <= now
    }
}
