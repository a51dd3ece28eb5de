//! Shared values in the memory of one process: for tests and the command line.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::host::{Held, KeyValue, KeyValueError};

/// Shared values of this process. It can be used from several threads, as Envoy's is from several workers.
#[derive(Debug, Default)]
pub struct MemoryValues {
    values: Mutex<Values>,
}

#[derive(Debug, Default)]
struct Values {
    held: HashMap<Vec<u8>, Held>,
    numbers: u32,
}

impl MemoryValues {
    fn lock(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys there are, and the bytes of all keys and values.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let values = self.lock();
        let bytes = values.held.iter().map(|(key, held)| key.len() + held.value.len()).sum();
        (values.held.len(), bytes)
    }
}

impl KeyValue for MemoryValues {
    fn get(&self, key: &[u8]) -> Result<Option<Held>, KeyValueError> {
        Ok(self.lock().held.get(key).cloned())
    }

    fn set(&self, key: &[u8], value: &[u8], expected: Option<u32>) -> Result<bool, KeyValueError> {
        let mut values = self.lock();
        if values.held.get(key).map(|held| held.number) != expected {
            return Ok(false);
        }
        values.numbers = values.numbers.wrapping_add(1);
        let held = Held { value: value.to_vec(), number: values.numbers };
        values.held.insert(key.to_vec(), held);
        Ok(true)
    }
}
