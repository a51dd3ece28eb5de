//! Sets of addresses.

use std::net::IpAddr;
use std::ops::Range;

use super::OperatorError;

/// A set of IPv4 and IPv6 networks. An IPv4 address in IPv6 form (`::ffff:192.0.2.1`) counts as the IPv4 address in the
/// set. When it is looked up it counts as either: `192.0.2.0/24` and `::/0` hold it. `::/0` holds no address that is
/// given in IPv4 form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    /// First and last address of each range; sorted, and neither overlapping nor adjacent.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
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

impl From<AddressError> for OperatorError {
    fn from(error: AddressError) -> Self {
        Self::Argument {
            message: error.message,
            help: Some(
                "write addresses and networks as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`".to_owned(),
            ),
            span: Some(error.span),
        }
    }
}

impl AddressSet {
    /// Reads a list of addresses and networks (`address/bits`) parted by commas, with blanks around
    /// them if wanted. Bits of the address past the network's length don't matter. Empty entries are
    /// passed over.
    ///
    /// # Errors
    /// When an entry is neither. (Coraza drops such entries; ModSecurity refuses the rule.)
    pub fn parse(list: &[u8]) -> Result<Self, AddressError> {
        let mut set = Self::default();
        set.add_list(list, 0)?;
        set.normalise();
        Ok(set)
    }

    /// Reads a list as [`AddressSet::parse`] does, on any number of lines; `#` begins a comment.
    ///
    /// # Errors
    /// When an entry is neither an address nor a network.
    pub fn parse_lines(text: &[u8]) -> Result<Self, AddressError> {
        let mut set = Self::default();
        set.add_lines(text)?;
        Ok(set)
    }

    /// Adds what [`AddressSet::parse_lines`] reads.
    pub(super) fn add_lines(&mut self, text: &[u8]) -> Result<(), AddressError> {
        let mut at = 0;
        for line in text.split(|&b| b == b'\n') {
            let list = memchr::memchr(b'#', line).and_then(|comment| line.get(..comment)).unwrap_or(line);
            self.add_list(list, at)?;
            at += line.len() + 1;
        }
        self.normalise();
        Ok(())
    }

    /// Whether the set holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether the address is in the set.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => holds(&self.v4, address.to_bits()),
            IpAddr::V6(address) => {
                let mapped = address.to_ipv4_mapped();
                mapped.is_some_and(|address| holds(&self.v4, address.to_bits()))
                    || holds(&self.v6, address.to_bits())
            }
        }
    }

    /// Whether the text is an address in the set. A zone (`fe80::1%eth0`) is passed over; text that is
    /// no address is in no set.
    #[must_use]
    pub fn contains_text(&self, text: &[u8]) -> bool {
        let text = memchr::memchr(b'%', text).and_then(|zone| text.get(..zone)).unwrap_or(text);
        parse_address(text).is_some_and(|address| self.contains(address))
    }

    /// Adds the entries of one line, which begins at `at` in the whole list.
    fn add_list(&mut self, list: &[u8], at: usize) -> Result<(), AddressError> {
        let mut at = at;
        for entry in list.split(|&b| b == b',') {
            let text = entry.trim_ascii();
            if !text.is_empty() {
                let start = at + entry.len() - entry.trim_ascii_start().len();
                self.add(text)
                    .map_err(|message| AddressError { message, span: start..start + text.len() })?;
            }
            at += entry.len() + 1;
        }
        Ok(())
    }

    fn add(&mut self, entry: &[u8]) -> Result<(), String> {
        let slash = memchr::memchr(b'/', entry);
        let address = slash.and_then(|n| entry.get(..n)).unwrap_or(entry);
        let shown = String::from_utf8_lossy(entry);
        let Some(address) = parse_address(address) else {
            return Err(format!("`{shown}` is no address or network"));
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match slash.and_then(|n| entry.get(n + 1..)) {
            None => most,
            Some(digits) => match parse_bits(digits).filter(|bits| *bits <= most) {
                Some(bits) => bits,
                None => {
                    return Err(format!("the length of network `{shown}` is not a number from 0 to {most}"));
                }
            },
        };
        match address {
            IpAddr::V4(address) => self.add_v4(address.to_bits(), bits),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) if bits >= 96 => self.add_v4(mapped.to_bits(), bits - 96),
                _ => {
                    let host = u128::MAX.checked_shr(bits).unwrap_or(0);
                    self.v6.push((address.to_bits() & !host, address.to_bits() | host));
                }
            },
        }
        Ok(())
    }

    fn add_v4(&mut self, address: u32, bits: u32) {
        let host = u32::MAX.checked_shr(bits).unwrap_or(0);
        self.v4.push((address & !host, address | host));
    }

    fn normalise(&mut self) {
        self.v4.sort_unstable();
        self.v4.dedup_by(|next, last| merge(last, *next, last.1.checked_add(1)));
        self.v4.shrink_to_fit();
        self.v6.sort_unstable();
        self.v6.dedup_by(|next, last| merge(last, *next, last.1.checked_add(1)));
        self.v6.shrink_to_fit();
    }
}

/// Joins `next` to `last`, before which it does not begin, when it begins at `after` or earlier;
/// `after` is `None` when nothing comes after `last`.
fn merge<T: Copy + Ord>(last: &mut (T, T), next: (T, T), after: Option<T>) -> bool {
    let joined = after.is_none_or(|after| next.0 <= after);
    if joined {
        last.1 = last.1.max(next.1);
    }
    joined
}

fn holds<T: Copy + Ord>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= address);
    after.checked_sub(1).and_then(|n| ranges.get(n)).is_some_and(|&(_, last)| address <= last)
}

fn parse_address(text: &[u8]) -> Option<IpAddr> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// One to three digits, nothing else.
fn parse_bits(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(list: &str) -> AddressSet {
        AddressSet::parse(list.as_bytes()).unwrap()
    }

    #[test]
    fn adjacent_and_overlapping_networks_merge() {
        assert_eq!(set("10.0.0.0/9, 10.128.0.0/9,10.1.2.3"), set("10.0.0.0/8"));
        assert_eq!(set("0.0.0.0/1,128.0.0.0/1,255.255.255.255"), set("0.0.0.0/0"));
        assert_eq!(set("::/1,8000::/1,ffff::"), set("::/0"));
        assert_ne!(set("10.0.0.0/32,10.0.0.2/32"), set("10.0.0.0/30"));
    }

    #[test]
    fn mapped_addresses_are_of_both_versions() {
        assert!(set("192.0.2.0/24").contains_text(b"::ffff:192.0.2.7"));
        assert!(set("::ffff:192.0.2.0/120").contains_text(b"192.0.2.7"));
        assert!(!set("::ffff:192.0.2.0/120").contains_text(b"192.0.3.7"));
        assert!(!set("::/0").contains_text(b"192.0.2.7"));
        assert!(set("::/0").contains_text(b"::ffff:192.0.2.7"));
        assert!(set("::/80").contains_text(b"::ffff:c000:207"));
        assert!(set("::ffff:0:0/95").contains_text(b"::ffff:192.0.2.7"));
        assert!(!set("::/81").contains_text(b"::ffff:192.0.2.7"));
        assert!(!set("192.0.3.0/24,1::/16").contains_text(b"::ffff:192.0.2.7"));
    }

    #[test]
    fn text_that_is_no_address_is_in_no_set() {
        let all = set("0.0.0.0/0,::/0");
        for text in
            ["", "x", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4 ", "1.2.3.4/32", "::1::", "\u{0661}.2.3.4"]
        {
            assert!(!all.contains_text(text.as_bytes()), "{text:?}");
        }
        assert!(!all.contains_text(b"\xff"));
        assert!(all.contains_text(b"fe80::1%eth0"));
    }

    #[test]
    fn bad_entries_are_errors_with_their_place() {
        for (list, entry) in [
            ("1.2.3.4, 1.2.3", "1.2.3"),
            ("10.0.0.0/33", "10.0.0.0/33"),
            ("::/129,::1", "::/129"),
            ("10.0.0.0/", "10.0.0.0/"),
            ("10.0.0.0/+8", "10.0.0.0/+8"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/255.0.0.0"),
            ("localhost", "localhost"),
        ] {
            let error = AddressSet::parse(list.as_bytes()).unwrap_err();
            assert_eq!(&list[error.span], entry);
        }
        let error = AddressSet::parse_lines(b"# a\n10.0.0.1 # b\n\n ::1, oops\n").unwrap_err();
        assert_eq!(error.span, 24..28);
    }

    #[test]
    fn lines_and_comments() {
        let read = AddressSet::parse_lines(b"# list\r\n10.0.0.0/8 # ours\r\n\r\n::1 , 192.0.2.1\n").unwrap();
        assert_eq!(read, set("10.0.0.0/8,::1,192.0.2.1"));
        assert!(AddressSet::parse_lines(b"# nothing\n").unwrap().is_empty());
    }

    fn network() -> impl Strategy<Value = (IpAddr, u32)> {
        // Few distinct high bits, so that networks overlap and addresses are near them.
        prop_oneof![
            (any::<u32>(), 0..=32_u32).prop_map(|(a, bits)| (IpAddr::V4((a & 0x8300_ff0f).into()), bits)),
            (any::<u128>(), 0..=128_u32)
                .prop_map(|(a, bits)| (IpAddr::V6((a & (0xc3 << 120 | 0xff0f)).into()), bits)),
        ]
    }

    fn in_network(address: IpAddr, (network, bits): (IpAddr, u32)) -> bool {
        match (address, network) {
            (IpAddr::V4(a), IpAddr::V4(n)) => bits == 0 || (a.to_bits() ^ n.to_bits()) >> (32 - bits) == 0,
            (IpAddr::V6(a), IpAddr::V6(n)) => bits == 0 || (a.to_bits() ^ n.to_bits()) >> (128 - bits) == 0,
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_linear_scan(
            networks in prop::collection::vec(network(), 0..12),
            addresses in prop::collection::vec(network(), 1..20),
        ) {
            let list: Vec<String> = networks.iter().map(|(a, bits)| format!("{a}/{bits}")).collect();
            let set = set(&list.join(","));
            for (address, _) in addresses {
                let expected = networks.iter().any(|n| in_network(address, *n));
                prop_assert_eq!(set.contains(address), expected);
                prop_assert_eq!(set.contains_text(address.to_string().as_bytes()), expected);
            }
        }
    }
}
