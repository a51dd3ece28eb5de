//! Sets of addresses.

use std::ops::Range;

/// A set of IPv4 and IPv6 networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    networks: Vec<ipnet::IpNet>,
}

/// An entry of a list is no address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AddressError {
    /// What is wrong.
    pub message: String,
    /// The entry's bytes in the list.
    pub span: Range<usize>,
}

impl AddressSet {
    /// Reads a list of addresses and networks (`address/bits`) parted by commas, with blanks around
    /// them if wanted. Empty entries are passed over.
    ///
    /// # Errors
    /// When an entry is neither.
    pub fn parse(list: &[u8]) -> Result<Self, AddressError> {
        let mut networks = Vec::new();
        let mut at = 0;
        for entry in list.split(|&b| b == b',') {
            let text = String::from_utf8_lossy(entry.trim_ascii());
            if !text.is_empty() {
                let start = at + entry.len() - entry.trim_ascii_start().len();
                let network =
                    text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
                networks.push(network.map_err(|_| AddressError {
                    message: format!("`{text}` is no address or network"),
                    span: start..start + entry.trim_ascii().len(),
                })?);
            }
            at += entry.len() + 1;
        }
        Ok(Self { networks })
    }
}
