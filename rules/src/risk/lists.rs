//! Allow, deny and block lists.

use std::net::IpAddr;

use crate::operators::AddressSet;

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Address or network as written.
    pub address: String,
    /// Whom it means.
    pub set: AddressSet,
    /// Why it is there.
    pub reason: String,
    /// Seconds since 1970 at which it ends; `None` for never.
    pub expires: Option<u64>,
}

impl ListEntry {
    pub(crate) fn holds(&self, address: IpAddr, now: u64) -> bool {
        self.expires.is_none_or(|end| now < end) && self.set.contains(address)
    }
}

/// What the lists say of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    /// It can be neither blocked nor denied.
    Allow(&'a ListEntry),
    /// It is denied.
    Deny(&'a ListEntry),
    /// It is blocked until the entry ends.
    Block(&'a ListEntry),
}

/// The lists of a policy.
pub type Lists = super::settings::ListSettings;

impl Lists {
    /// What holds for an address at `now` (seconds since 1970): the allow list before the deny list before
    /// the block list.
    #[must_use]
    pub fn find(&self, address: IpAddr, now: u64) -> Option<Listed<'_>> {
        let first = |list: &'_ Vec<ListEntry>| list.iter().position(|entry| entry.holds(address, now));
        if let Some(entry) = first(&self.allow).and_then(|place| self.allow.get(place)) {
            return Some(Listed::Allow(entry));
        }
        if let Some(entry) = first(&self.deny).and_then(|place| self.deny.get(place)) {
            return Some(Listed::Deny(entry));
        }
        first(&self.block).and_then(|place| self.block.get(place)).map(Listed::Block)
    }
}
