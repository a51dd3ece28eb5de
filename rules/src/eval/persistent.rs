//! Persistent collections: `initcol` and its like open a record of the shared store; what rules change in it
//! is written back at the end of each phase, as changes, so that several workers can make them at once.

use std::sync::Arc;

use super::state::State;
use super::values::Value;
use crate::collections::{Change, Key, Kind, Record, Store};
use crate::model;
use crate::plan::Plan;

/// The collections that this transaction has opened.
#[derive(Debug, Default)]
pub(crate) struct Persistent {
    /// Without one, collections last as long as the transaction.
    pub(crate) store: Option<Arc<Store>>,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    collection: model::Store,
    key: Key,
    name: Vec<u8>,
    timeout: u32,
    /// What was changed since it was last written.
    changes: Vec<(Vec<u8>, Change)>,
}

impl State {
    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> u32 {
        u32::try_from(self.now.0 / 1_000_000_000).unwrap_or(u32::MAX)
    }

    /// Opens a collection under a name and reads what it holds. Of several, the first counts (ModSecurity v2).
    pub(crate) fn open_record(&mut self, plan: &Plan, set: u32, collection: model::Store, name: &[u8]) {
        let Some(store) = self.persistent.store.clone() else { return };
        if self.persistent.open.iter().any(|open| open.collection == collection) {
            return;
        }
        let (timeout, application) = plan.set(set).map_or((crate::limits::COLLECTION_SECONDS, ""), |set| {
            (set.collection_timeout, &*set.web_app_id)
        });
        // Sessions and users belong to an application (`SecWebAppId`), as in ModSecurity.
        let application = match collection {
            model::Store::Session | model::Store::User => application,
            _ => "",
        };
        let space = format!("collection.{collection:?}");
        let key = Key::new(&space, &[application.as_bytes(), name]);
        let now = self.seconds();
        let record = store
            .get(key)
            .and_then(|payload| Record::read(&payload, now))
            .unwrap_or_else(|| Record::new(now, timeout));
        let changes = Vec::new();
        self.persistent.open.push(Open { collection, key, name: name.to_vec(), timeout, changes });
        self.show_record(plan, collection, name, &record);
    }

    /// Puts what a record holds where rules see it.
    fn show_record(&mut self, plan: &Plan, collection: model::Store, name: &[u8], record: &Record) {
        let now = self.seconds();
        let facts = record.facts(name, now);
        let facts = facts.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let values = record.variables.iter().map(|one| (one.name.as_slice(), one.value.as_slice()));
        for (name, value) in facts.chain(values) {
            let (name, value) = (self.values.add(name), self.values.add(value));
            let address = self.address(plan, collection, name);
            if let Some(store) = self.stores.get_mut(collection as usize) {
                store.set(address, name, value);
            }
        }
    }

    /// Notes that a rule changed a value of a collection.
    pub(crate) fn note_change(
        &mut self,
        collection: model::Store,
        name: Value,
        change: impl FnOnce(&Self) -> Change,
    ) {
        if self.persistent.open.is_empty() {
            return;
        }
        let change = change(self);
        if let Some(open) = self.persistent.open.iter_mut().find(|open| open.collection == collection) {
            open.changes.push((self.values.get(name).to_vec(), change));
        }
    }

    /// Writes back what was changed.
    pub(crate) fn write_collections(&mut self, plan: &Plan) {
        if self.persistent.open.iter().all(|open| open.changes.is_empty()) {
            return;
        }
        let Some(store) = self.persistent.store.clone() else { return };
        let now = self.seconds();
        let mut open = std::mem::take(&mut self.persistent.open);
        for one in &mut open {
            if one.changes.is_empty() {
                continue;
            }
            let mut written = Record::default();
            let mut left_out = 0;
            store.update(one.key, Kind::Collection, now, |payload| {
                let mut record = payload
                    .and_then(|payload| Record::read(payload, now))
                    .unwrap_or_else(|| Record::new(now, one.timeout));
                record.updated = now;
                record.updates = record.updates.saturating_add(1);
                left_out =
                    one.changes.iter().filter(|(name, change)| !record.apply(name, change, now)).count();
                let (entry, too_large) = record.entry();
                left_out += too_large;
                written = record;
                Some(entry)
            });
            if left_out > 0 {
                store.count_oversize();
            }
            one.changes.clear();
            // What other workers have added shows in the phases that follow.
            self.show_record(plan, one.collection, &one.name, &written);
        }
        self.persistent.open = open;
    }
}
