//! The binary form of a bucket: a version, then entries one behind the other.
//!
//! | bytes | what |
//! | --- | --- |
//! | 2 | `P`, version 1 |
//! | per entry: 16 | key |
//! | 1 | kind |
//! | 4 | kept until, seconds since 1970 |
//! | 4 | protected until, seconds since 1970; 0 for never |
//! | 2 | length of the payload |
//! | … | payload |
//!
//! Any bytes can be read: of another version nothing is there, and entries end where they stop making sense.

use super::bytes::{Reader, Writer};
use super::store::{Entry, Key, Kind};

const VERSION: [u8; 2] = *b"P\x01";

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

/// The entries of a bucket, and whether bytes were left that make no sense.
pub(super) fn read(bytes: &[u8]) -> (Vec<Slot<'_>>, bool) {
    let mut reader = Reader(bytes);
    if bytes.is_empty() {
        return (Vec::new(), false);
    }
    if reader.bytes(2) != Some(&VERSION[..]) {
        return (Vec::new(), true);
    }
    let mut slots = Vec::new();
    while !reader.0.is_empty() {
        let Some(slot) = slot(&mut reader) else { return (slots, true) };
        slots.push(slot);
    }
    (slots, false)
}

/// The payload under a key.
pub(super) fn find(bytes: &[u8], key: Key) -> Option<&[u8]> {
    let mut reader = Reader(bytes);
    if reader.bytes(2) != Some(&VERSION[..]) {
        return None;
    }
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
    pub(super) fn new(capacity: usize) -> Self {
        let mut writer = Writer(Vec::with_capacity(capacity));
        writer.bytes(&VERSION);
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
}
