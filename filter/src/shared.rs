//! Envoy's shared data as the engine's key-value store.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use portcullis_rules::collections;
use portcullis_rules::host::{Held, KeyValue, KeyValueError};

use crate::abi::{self, Call, HostError};

/// The shared data of the VM id: one for all workers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SharedData;

/// A number that no value has: the host compares with it only where there is a value, so a set with it makes
/// a key and never changes one. (Envoy counts up from 1; a set with 0 would not compare at all.)
const ABSENT: u32 = u32::MAX;

impl KeyValue for SharedData {
    fn get(&self, key: &[u8]) -> Result<Option<Held>, KeyValueError> {
        let found = abi::shared_data(key).map_err(|error| KeyValueError { status: error.status })?;
        Ok(found.map(|(value, number)| Held { value, number }))
    }

    fn set(&self, key: &[u8], value: &[u8], expected: Option<u32>) -> Result<bool, KeyValueError> {
        abi::set_shared_data(key, value, expected.unwrap_or(ABSENT))
            .map_err(|error| KeyValueError { status: error.status })
    }
}

/// Random bytes under a key that all workers of this Envoy share: the first worker that needs them makes them. `None`
/// when the host has no random numbers.
pub(crate) fn agreed<const N: usize>(key: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
    let make = || random::<N>().map(|bytes| bytes.to_vec());
    collections::agree(&SharedData, key, make)
        .map_err(|error| HostError { call: Call::SharedData, status: error.status })
}

/// Under which key the workers keep what one of them has said of a policy.
const SAID_KEY: &[u8] = b"portcullis.said";

/// Whether this worker is the one of all that says what is to be said of this plugin's policy, as it is loaded. Where the
/// host can't tell, each of them does.
pub(crate) fn say_first(policy: &[u8]) -> bool {
    let mut hash = DefaultHasher::new();
    policy.hash(&mut hash);
    abi::property("plugin_name").ok().flatten().hash(&mut hash);
    let now = abi::time().unwrap_or_default() / 1_000_000_000;
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    collections::say_first(&SharedData, SAID_KEY, hash.finish(), now).unwrap_or(true)
}

/// Random bytes; `None` when the host has none.
pub(crate) fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
}
