//! Who a client is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::settings::EntitySettings;
use crate::collections::Key;
use crate::limits;

/// What the host knows of a client beside its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientFacts {
    /// The identity in the interrogation cookie that came with the request; it counts only if verified.
    pub interrogation: Option<Vec<u8>>,
    /// Whether that cookie is genuine, of this client and not expired: the client has passed its challenge.
    pub verified: bool,
    /// The key that the workers of the host share, for policies that have none of their own.
    pub key: Option<crate::challenge::Key>,
    /// Whether the client's connection is encrypted, if the host knows.
    pub ssl: Option<bool>,
}

/// What a client is known by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    /// Its address, trusted hops removed; `None` for a peer that has none.
    pub address: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: &'a [u8],
    /// Its JA3 fingerprint.
    pub ja3: &'a [u8],
    /// Its JA4 fingerprint.
    pub ja4: &'a [u8],
    /// The value of the configured header.
    pub header: &'a [u8],
    /// The value of the configured cookie.
    pub cookie: &'a [u8],
    /// The identity in a verified interrogation cookie.
    pub interrogation: &'a [u8],
}

impl Identity<'_> {
    /// The client's key. A client whose configured header and cookie are missing is known by its address even
    /// where that does not take part: without any mark, all such clients would be one.
    #[must_use]
    pub fn key(&self, settings: &EntitySettings) -> Key {
        let cut = |value| <[u8]>::get(value, ..limits::IDENTITY_BYTES).unwrap_or(value);
        let marks = [
            cut(if settings.user_agent { self.user_agent } else { b"" }),
            cut(self.ja3),
            cut(self.ja4),
            cut(self.header),
            cut(self.cookie),
            cut(if settings.interrogation_cookie { self.interrogation } else { b"" }),
        ];
        let marked = marks.iter().any(|mark| !mark.is_empty());
        let (octets, length) =
            if settings.address || !marked { self.network(settings) } else { ([0; 16], 0) };
        let address = octets.get(..length).unwrap_or_default();
        let [a, b, c, d, e, f] = marks;
        Key::new("client", &[address, a, b, c, d, e, f])
    }

    /// The part of the address that counts, and how many bytes it has.
    fn network(&self, settings: &EntitySettings) -> ([u8; 16], usize) {
        let mut octets = [0; 16];
        match self.address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => {
                let host = u32::MAX.checked_shr(settings.ipv4_prefix.into()).unwrap_or(0);
                let [a, b, c, d] = Ipv4Addr::from_bits(address.to_bits() & !host).octets();
                [octets[0], octets[1], octets[2], octets[3]] = [a, b, c, d];
                (octets, 4)
            }
            Some(IpAddr::V6(address)) => {
                let host = u128::MAX.checked_shr(settings.ipv6_prefix.into()).unwrap_or(0);
                octets = Ipv6Addr::from_bits(address.to_bits() & !host).octets();
                (octets, 16)
            }
            None => (octets, 0),
        }
    }
}
