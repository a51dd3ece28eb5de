//! What a rule says about an address: an exact one, a network, a host name, or any.

use std::fmt;
use std::net::IpAddr;

/// The address part of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Every address, and peers without one (Unix sockets).
    Any,
    /// Every IPv4 address: `0.0.0.0`. Also an end whose address is unknown or no IP address.
    AnyV4,
    /// Every IPv6 address: `::`. Also an end without a known IP address.
    AnyV6,
    /// A network; one of full length is the address itself.
    Network(Network),
    /// A name, lower-case, without a final dot.
    Host(Box<str>),
}

/// A network, or an address: bits past its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// A text is no address that a rule can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressProblem {
    /// What is wrong.
    pub message: String,
    /// What to write.
    pub help: &'static str,
}

impl Network {
    /// The network that `address` is in, with this many leading bits. An IPv4 address in IPv6 form
    /// (`::ffff:192.0.2.1`) is the IPv4 address. `None` when the length is too large for the address.
    #[must_use]
    pub fn new(address: IpAddr, length: u8) -> Option<Self> {
        match address {
            IpAddr::V4(v4) if length <= 32 => {
                let host = u32::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                Some(Self { address: IpAddr::V4((v4.to_bits() & !host).into()), length })
            }
            IpAddr::V4(_) => None,
            IpAddr::V6(v6) if length <= 128 => match v6.to_ipv4_mapped() {
                Some(v4) if length >= 96 => Self::new(IpAddr::V4(v4), length - 96),
                _ => {
                    let host = u128::MAX.checked_shr(u32::from(length)).unwrap_or(0);
                    Some(Self { address: IpAddr::V6((v6.to_bits() & !host).into()), length })
                }
            },
            IpAddr::V6(_) => None,
        }
    }

    /// The network of this address alone.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self { address, length: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits count.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Whether this is one address.
    #[must_use]
    pub const fn is_single(self) -> bool {
        self.length == if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && Self::new(address, self.length).is_some_and(|network| network.address == self.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            return write!(f, "{}", self.address);
        }
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::AnyV4 => f.write_str("0.0.0.0"),
            Self::AnyV6 => f.write_str("::"),
            Self::Network(network) => network.fmt(f),
            Self::Host(name) => f.write_str(name),
        }
    }
}

impl Address {
    /// Reads an address: `192.0.2.1`, `2001:db8::1` (in brackets or not), `192.0.2.0/24`, `0.0.0.0`
    /// (every IPv4 address), `::` (every IPv6 address), or a host name. Bits of a network's address past
    /// its length don't matter.
    ///
    /// # Errors
    /// When the text is none of these. Four numbers that make no IPv4 address are no host name either.
    pub fn parse(text: &str) -> Result<Self, AddressProblem> {
        if let Some((address, length)) = text.split_once('/') {
            return network(text, address, length).map(Self::Network);
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = bare.unwrap_or(text);
        if bare.is_some() || inner.contains(':') {
            let help =
                "write an IPv6 address such as `2001:db8::1`, without a zone; `::` stands for all of them";
            let bad = || AddressProblem { message: format!("`{text}` is not an IP address"), help };
            if !inner.contains(':') {
                return Err(bad());
            }
            let address: IpAddr = inner.parse().map_err(|_| bad())?;
            return Ok(Self::of(address));
        }
        let last = text.rsplit('.').next().unwrap_or_default();
        if !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()) {
            let address: std::net::Ipv4Addr = text.parse().map_err(|_| AddressProblem {
                message: format!("`{text}` is not an IPv4 address"),
                help: "write four numbers from 0 to 255 without leading zeros, such as `192.0.2.1`",
            })?;
            return Ok(Self::of(IpAddr::V4(address)));
        }
        host_name(text).map(Self::Host)
    }

    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if !address.is_unspecified() => Self::Network(Network::of(address)),
            IpAddr::V4(_) => Self::AnyV4,
            IpAddr::V6(_) => Self::AnyV6,
        }
    }
}

fn network(text: &str, address: &str, length: &str) -> Result<Network, AddressProblem> {
    let help = "write a network as `192.0.2.0/24` or `2001:db8::/32`";
    let address = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    let Ok(address) = address.parse::<IpAddr>() else {
        return Err(AddressProblem { message: format!("`{text}` is not a network"), help });
    };
    let digits = (1..=3).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_digit());
    let length = if digits { length.parse().ok() } else { None };
    length.and_then(|length| Network::new(address, length)).ok_or_else(|| {
        let most = if address.is_ipv4() { 32 } else { 128 };
        let message = format!("the length of network `{text}` is not a number from 0 to {most}");
        AddressProblem { message, help }
    })
}

/// Reads a host name: labels of letters, digits, `-` and `_`, of 1 to 63 bytes, 253 bytes in all.
fn host_name(text: &str) -> Result<Box<str>, AddressProblem> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() <= 253 && name.split('.').all(label) {
        return Ok(name.to_ascii_lowercase().into());
    }
    Err(AddressProblem {
        message: format!("`{text}` is neither an address nor a host name"),
        help: "write `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24` or a name such as `db.example.com`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_they_are_written() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            ("0.0.0.0", "0.0.0.0"),
            ("::", "::"),
            ("0:0:0:0:0:0:0:0", "::"),
            ("[2001:DB8::1]", "2001:db8::1"),
            ("2001:db8:0:0::1", "2001:db8::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("1.2.3.4/22", "1.2.0.0/22"),
            ("1.2.3.4/32", "1.2.3.4"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("Db.Example.COM.", "db.example.com"),
            ("localhost", "localhost"),
            ("my_service", "my_service"),
        ] {
            assert_eq!(
                Address::parse(text).map(|address| address.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            ".",
            "1.2.3",
            "1.2.3.999",
            "01.2.3.4",
            "1.2.3.4.5",
            "12",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/+8",
            "x/8",
            "::/129",
            "::1::",
            "fe80::1%eth0",
            "[1.2.3.4]",
            "[]",
            "a..b",
            "a b",
            "a*",
            "a:b",
            "\u{e4}",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse(&"a".repeat(64)).is_err());
        assert!(Address::parse(&"a.".repeat(128)).is_err());
    }
}
