//! Sets of addresses.

/// A set of IPv4 and IPv6 networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {}

impl AddressSet {
    pub fn contains(&self, _: std::net::IpAddr) -> bool {
        false
    }
}
