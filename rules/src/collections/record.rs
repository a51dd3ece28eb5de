//! What a persistent collection holds.

use super::bytes::{Reader, Writer};
use super::store::Entry;
use crate::limits;
use crate::operators::leading_integer;

const VERSION: u8 = 1;

/// A persistent collection: named values, and when it began and was last updated. Times are in seconds since
/// 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// When it began.
    pub created: u32,
    /// When it was last updated.
    pub updated: u32,
    /// Seconds after its last update until which it lives.
    pub timeout: u32,
    /// How often it was updated.
    pub updates: u32,
    /// The values in the order in which they were first set.
    pub variables: Vec<Variable>,
}

/// A value in a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Compared without regard to case.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it goes by itself; 0 for never.
    pub expires: u32,
}

/// A change to one value, that can be done again on another state of the collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is set.
    Set(Vec<u8>),
    /// An integer is added; what is no number counts as 0.
    Add(i64),
    /// It goes.
    Remove,
    /// It goes this many seconds from now.
    ExpireIn(u32),
}

impl Record {
    /// A collection that begins now.
    #[must_use]
    pub fn new(now: u32, timeout: u32) -> Self {
        Self { created: now, updated: now, timeout, updates: 0, variables: Vec::new() }
    }

    /// Reads a collection; `None` when its bytes make no sense or its time is over. Values whose time is over
    /// are left out.
    #[must_use]
    pub fn read(payload: &[u8], now: u32) -> Option<Self> {
        let mut reader = Reader(payload);
        if reader.u8()? != VERSION {
            return None;
        }
        let (created, updated) = (reader.u32()?, reader.u32()?);
        let (timeout, updates) = (reader.u32()?, reader.u32()?);
        let mut record = Self { created, updated, timeout, updates, variables: Vec::new() };
        if record.kept_until() <= now {
            return None;
        }
        while !reader.0.is_empty() {
            let (name, value) = (reader.u8()?, reader.u16()?);
            let expires = reader.u32()?;
            let name = reader.bytes(usize::from(name))?.to_vec();
            let value = reader.bytes(usize::from(value))?.to_vec();
            if expires == 0 || expires > now {
                record.variables.push(Variable { name, value, expires });
            }
        }
        Some(record)
    }

    fn kept_until(&self) -> u32 {
        self.updated.saturating_add(self.timeout)
    }

    /// The collection as an entry of the store, and how many values had no room in it.
    #[must_use]
    pub fn entry(&self) -> (Entry, usize) {
        let mut writer = Writer::default();
        writer.u8(VERSION).u32(self.created).u32(self.updated).u32(self.timeout).u32(self.updates);
        let mut left_out = 0;
        for variable in &self.variables {
            let name = u8::try_from(variable.name.len());
            let value = u16::try_from(variable.value.len());
            let size = writer.0.len() + 7 + variable.name.len() + variable.value.len();
            let (Ok(name), Ok(value), true) = (name, value, size <= limits::COLLECTION_BYTES) else {
                left_out += 1;
                continue;
            };
            writer.u8(name).u16(value).u32(variable.expires).bytes(&variable.name).bytes(&variable.value);
        }
        (Entry { kept_until: self.kept_until(), protected_until: 0, payload: writer.0 }, left_out)
    }

    /// A value by its name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&Variable> {
        self.variables.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
    }

    /// Does a change; `false` when there is no room for it.
    pub fn apply(&mut self, name: &[u8], change: &Change, now: u32) -> bool {
        // ModSecurity: setting TIMEOUT changes how long the collection lives.
        if name.eq_ignore_ascii_case(b"timeout") {
            let seconds = match change {
                Change::Set(text) => leading_integer(text),
                Change::Add(by) => i64::from(self.timeout).saturating_add(*by),
                Change::Remove | Change::ExpireIn(_) => return true,
            };
            self.timeout = u32::try_from(seconds.max(0)).unwrap_or(u32::MAX);
            return true;
        }
        let place = self.variables.iter().position(|variable| variable.name.eq_ignore_ascii_case(name));
        let known = place.and_then(|place| self.variables.get_mut(place));
        let value = match (change, known) {
            (Change::Remove, _) => {
                self.variables.retain(|variable| !variable.name.eq_ignore_ascii_case(name));
                return true;
            }
            (Change::ExpireIn(seconds), known) => {
                if let Some(variable) = known {
                    variable.expires = now.saturating_add(*seconds).max(1);
                }
                return true;
            }
            (Change::Set(value), Some(variable)) => {
                variable.value.clone_from(value);
                return true;
            }
            (Change::Add(by), Some(variable)) => {
                variable.value =
                    leading_integer(&variable.value).saturating_add(*by).to_string().into_bytes();
                return true;
            }
            (Change::Set(value), None) => value.clone(),
            (Change::Add(by), None) => by.to_string().into_bytes(),
        };
        if self.variables.len() >= limits::COLLECTION_VARIABLES || name.len() > limits::COLLECTION_NAME_BYTES
        {
            return false;
        }
        self.variables.push(Variable { name: name.to_vec(), value, expires: 0 });
        true
    }

    /// What ModSecurity says of a collection beside its values: name, value.
    #[must_use]
    pub fn facts(&self, key: &[u8], now: u32) -> Vec<(&'static str, Vec<u8>)> {
        let minutes = u64::from(now.saturating_sub(self.created)).div_ceil(60).max(1);
        let mut facts = vec![
            ("CREATE_TIME", self.created.to_string().into_bytes()),
            ("KEY", key.to_vec()),
            ("LAST_UPDATE_TIME", self.updated.to_string().into_bytes()),
            ("TIMEOUT", self.timeout.to_string().into_bytes()),
            ("UPDATE_COUNTER", self.updates.to_string().into_bytes()),
            ("UPDATE_RATE", (u64::from(self.updates) / minutes).to_string().into_bytes()),
        ];
        if self.updates == 0 {
            facts.push(("IS_NEW", b"1".to_vec()));
        }
        facts
    }
}
