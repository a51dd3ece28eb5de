//! The client's address behind proxies, from a header that only listed hops are believed about.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How the header lists addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Addresses separated by commas, as in X-Forwarded-For; a header with a single address is one too.
    List,
    /// RFC 7239: elements separated by commas, the address in the parameter `for`.
    Forwarded,
}

/// The address of the client.
///
/// Each hop appends the address it was called from, so the walk begins with `peer`, the other end of the
/// connection, and goes on from the right of the header (its lines in order of arrival). The first
/// address that is not trusted is the client's. When all are trusted it is the leftmost one. What
/// is no address (a host name, `unknown`, an obfuscated or malformed node) ends the walk at the last
/// address before it. Ports and brackets are dropped; IPv4 addresses mapped into IPv6 count as IPv4.
pub fn client_address<'a>(
    peer: IpAddr,
    style: Style,
    lines: impl IntoIterator<Item = &'a [u8], IntoIter: DoubleEndedIterator>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> IpAddr {
    let mut current = peer.to_canonical();
    for line in lines.into_iter().rev() {
        let mut rest = Some(line);
        while let Some(text) = rest {
            let (before, element) = split_last(text, style);
            rest = before;
            let element = element.trim_ascii();
            if element.is_empty() {
                continue;
            }
            if !is_trusted(current) {
                return current;
            }
            let node = match style {
                Style::List => Some(element),
                Style::Forwarded => forwarded_for(element),
            };
            match node.and_then(parse_node) {
                Some(address) => current = address.to_canonical(),
                None => return current,
            }
        }
    }
    current
}

/// Cuts the last element off a list: what stands before its comma, if there is one, and the element.
/// It works from the right, so that what a client put in front, such as an open quote, cannot hide what a
/// trusted hop appended.
fn split_last(text: &[u8], style: Style) -> (Option<&[u8]>, &[u8]) {
    let mut quoted = false;
    let comma = text.iter().enumerate().rposition(|(at, &byte)| {
        let escaped = || at.checked_sub(1).and_then(|before| text.get(before)) == Some(&b'\\');
        if byte == b'"' && style == Style::Forwarded && !(quoted && escaped()) {
            quoted = !quoted;
        }
        byte == b',' && !quoted
    });
    match comma.and_then(|at| text.split_at_checked(at)) {
        Some((before, element)) => (Some(before), element.get(1..).unwrap_or_default()),
        None => (None, text),
    }
}

/// The value of the parameter `for` of a Forwarded element, without quotes. Nothing when it is missing,
/// given twice, or badly quoted.
fn forwarded_for(element: &[u8]) -> Option<&[u8]> {
    let mut found = None;
    let mut rest = element;
    while !rest.is_empty() {
        let (parameter, after) = split_parameter(rest);
        rest = after;
        let equals = memchr::memchr(b'=', parameter);
        let Some((name, value)) = equals.and_then(|at| parameter.split_at_checked(at)) else { continue };
        if name.trim_ascii().eq_ignore_ascii_case(b"for") {
            if found.is_some() {
                return None;
            }
            found = Some(value.get(1..).unwrap_or_default().trim_ascii());
        }
    }
    match found? {
        [b'"', quoted @ .., b'"'] => Some(quoted),
        value if value.contains(&b'"') => None,
        value => Some(value),
    }
}

/// Cuts the first parameter off at a `;` outside quotes.
fn split_parameter(element: &[u8]) -> (&[u8], &[u8]) {
    let mut quoted = false;
    let mut escaped = false;
    let end = element.iter().position(|&byte| {
        if escaped {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
        } else if byte == b'"' {
            quoted = !quoted;
        }
        byte == b';' && !quoted
    });
    match end.and_then(|at| element.split_at_checked(at)) {
        Some((parameter, after)) => (parameter, after.get(1..).unwrap_or_default()),
        None => (element, &[]),
    }
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`,
/// `[2001:db8::1]:80`.
fn parse_node(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    if let Some(bracketed) = node.strip_prefix('[') {
        let (address, port) = bracketed.split_once(']')?;
        let well_formed = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if well_formed { address.parse::<Ipv6Addr>().ok().map(IpAddr::V6) } else { None };
    }
    match node.split_once(':') {
        Some((address, port)) if !port.contains(':') => {
            if is_port(port) {
                address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
            } else {
                None
            }
        }
        _ => node.parse().ok(),
    }
}

/// A port, numeric or obfuscated (RFC 7239, 6.3).
fn is_port(port: &str) -> bool {
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Trusts 10.0.0.0/8 and fd00::/8.
    fn trusted(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(a) => a.octets()[0] == 10,
            IpAddr::V6(a) => a.octets()[0] == 0xfd,
        }
    }

    fn client(peer: &str, style: Style, lines: &[&str]) -> String {
        let lines = lines.iter().map(|l| l.as_bytes());
        client_address(peer.parse().unwrap(), style, lines, trusted).to_string()
    }

    #[test]
    fn walks_lists_from_the_right() {
        let cases: &[(&str, &[&str], &str)] = &[
            ("198.51.100.1", &[], "198.51.100.1"),
            ("198.51.100.1", &["203.0.113.7"], "198.51.100.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            ("10.0.0.1", &["1.1.1.1, garbage, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &[" , 203.0.113.7 ,, "], "203.0.113.7"),
            ("10.0.0.1", &["203.0.113.7:51000"], "203.0.113.7"),
            ("10.0.0.1", &["[2001:db8::7]:51000"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]x"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7:"], "10.0.0.1"),
            ("10.0.0.1", &["[203.0.113.7]"], "10.0.0.1"),
            ("10.0.0.1", &["2001:db8::7%eth0"], "10.0.0.1"),
            ("10.0.0.1", &["\"203.0.113.7\""], "10.0.0.1"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.7"], "203.0.113.7"),
        ];
        for (peer, lines, expected) in cases {
            assert_eq!(client(peer, Style::List, lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn reads_forwarded() {
        let cases: &[(&[&str], &str)] = &[
            (&["for=203.0.113.7"], "203.0.113.7"),
            (&["For=\"203.0.113.7:80\";proto=https;by=10.0.0.1"], "203.0.113.7"),
            (&["for=1.1.1.1, for=\"[2001:db8::7]:51000\"; host=\"a,b\""], "2001:db8::7"),
            (&["for=203.0.113.7;host=\"a\\\",b\", for=10.0.0.3"], "203.0.113.7"),
            (&["for=203.0.113.7", "for=10.0.0.3;by=10.0.0.1"], "203.0.113.7"),
            (&["for=\"_hidden\""], "10.0.0.1"),
            (&["for=unknown"], "10.0.0.1"),
            (&["for=203.0.113.7, proto=https"], "10.0.0.1"),
            (&["for=1.1.1.1;for=203.0.113.7"], "10.0.0.1"),
            (&["host=\"a;for=1.1.1.1\";for=203.0.113.7"], "203.0.113.7"),
            (&["host=\"\\\";for=1.1.1.1\";for=203.0.113.7"], "203.0.113.7"),
            (&["for=\"203.0.113.7:_port\""], "203.0.113.7"),
            // An open quote in front does not swallow what the trusted hop appended.
            (&["for=\", for=203.0.113.7"], "203.0.113.7"),
            (&["for=\"1.1.1.1, for=203.0.113.7, for=10.0.0.2"], "203.0.113.7"),
            (&["for=\"203.0.113.7"], "10.0.0.1"),
        ];
        for (lines, expected) in cases {
            assert_eq!(client("10.0.0.1", Style::Forwarded, lines), *expected, "{lines:?}");
        }
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_is_the_client(header: Vec<u8>) {
            let peer = "198.51.100.1".parse().unwrap();
            for style in [Style::List, Style::Forwarded] {
                prop_assert_eq!(client_address(peer, style, [header.as_slice()], trusted), peer);
            }
        }

        #[test]
        fn what_a_client_writes_in_front_does_not_count(
            front in prop::collection::vec(prop::sample::select(b"for=\";,\\ 10.2".to_vec()), 0..40),
        ) {
            let appended = [(Style::List, "203.0.113.7"), (Style::Forwarded, "for=203.0.113.7")];
            for (style, hop) in appended {
                let mut header = front.clone();
                header.extend_from_slice(b", ");
                header.extend_from_slice(hop.as_bytes());
                let found = client_address("10.0.0.1".parse().unwrap(), style, [header.as_slice()], trusted);
                prop_assert_eq!(found.to_string(), "203.0.113.7");
            }
        }
    }
}
