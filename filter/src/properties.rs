//! Properties of the connection and the request, typed.

use std::ops::Range;

use crate::abi::{self, HostError};

/// One end of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The address as text, IPv6 without brackets. What is no `address:port`, such as the path of a
    /// Unix socket, stands here as a whole.
    pub(crate) address: Vec<u8>,
    /// The port, 0 when there is none.
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `192.0.2.1:80` or `[2001:db8::1]:80`.
    pub(crate) fn parse(mut text: Vec<u8>) -> Self {
        let Some((address, port)) = split_port(&text) else { return Self { address: text, port: 0 } };
        text.truncate(address.end);
        text.drain(..address.start);
        Self { address: text, port }
    }
}

/// Where the address is, and the port.
fn split_port(text: &[u8]) -> Option<(Range<usize>, u16)> {
    let colon = text.iter().rposition(|&byte| byte == b':')?;
    let (address, digits) = (text.get(..colon)?, text.get(colon + 1..)?);
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match address {
        [b'[', .., b']'] => Some((1..colon - 1, port)),
        // Without brackets a second colon says that this is an IPv6 address without a port.
        _ if address.contains(&b':') => None,
        _ => Some((0..colon, port)),
    }
}

fn endpoint(path: &str) -> Result<Endpoint, HostError> {
    Ok(abi::property(path)?.map(Endpoint::parse).unwrap_or_default())
}

/// The peer of the downstream connection (`source.address`).
pub(crate) fn source() -> Result<Endpoint, HostError> {
    endpoint("source\0address")
}

/// Our end of the downstream connection (`destination.address`).
pub(crate) fn destination() -> Result<Endpoint, HostError> {
    endpoint("destination\0address")
}

/// The protocol of the request (`request.protocol`): `HTTP/1.0`, `HTTP/1.1`, `HTTP/2` or `HTTP/3`;
/// empty when the host does not say.
pub(crate) fn protocol() -> Result<Vec<u8>, HostError> {
    Ok(abi::property("request\0protocol")?.unwrap_or_default())
}

/// The scheme of the request (`request.scheme`), as the client sees it; `None` when the host does not say.
pub(crate) fn scheme() -> Result<Option<Vec<u8>>, HostError> {
    Ok(abi::property("request\0scheme")?.filter(|scheme| !scheme.is_empty()))
}

/// Whether the client's connection is encrypted (`connection.tls_version`).
pub(crate) fn encrypted() -> Result<bool, HostError> {
    Ok(abi::property("connection\0tls_version")?.is_some_and(|version| !version.is_empty()))
}

/// The host's id of the request (`request.id`); `None` when it has none.
pub(crate) fn request_id() -> Result<Option<Vec<u8>>, HostError> {
    Ok(abi::property("request\0id")?.filter(|id| !id.is_empty()))
}

/// The upstream connection's remote end (`upstream.address`); `None` while there is none.
pub(crate) fn upstream() -> Result<Option<Endpoint>, HostError> {
    Ok(abi::property("upstream\0address")?.filter(|text| !text.is_empty()).map(Endpoint::parse))
}

/// The upstream connection's local end (`upstream.local_address`); `None` while there is none.
pub(crate) fn upstream_local() -> Result<Option<Endpoint>, HostError> {
    Ok(abi::property("upstream\0local_address")?.filter(|text| !text.is_empty()).map(Endpoint::parse))
}

/// The name that the client asked for by TLS (`connection.requested_server_name`); empty without.
pub(crate) fn requested_server_name() -> Result<Vec<u8>, HostError> {
    text("connection\0requested_server_name")
}

/// The cluster that the request is routed to (`xds.cluster_name`); empty when it is not known.
pub(crate) fn cluster_name() -> Result<Vec<u8>, HostError> {
    text("xds\0cluster_name")
}

/// A property that is text; empty when the host has none.
pub(crate) fn text(path: &str) -> Result<Vec<u8>, HostError> {
    Ok(abi::property(path)?.unwrap_or_default())
}

/// Why the host answered by itself.
pub(crate) fn response_details() -> Result<Vec<u8>, HostError> {
    text("response.code_details")
}

/// A property that is a number; `None` when the host has none.
pub(crate) fn number(path: &str) -> Result<Option<u64>, HostError> {
    Ok(abi::property(path)?.and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let cases: &[(&str, &str, u16)] = &[
            ("192.0.2.1:80", "192.0.2.1", 80),
            ("192.0.2.1:0", "192.0.2.1", 0),
            ("192.0.2.1:65535", "192.0.2.1", 65535),
            ("[2001:db8::1]:443", "2001:db8::1", 443),
            ("[::]:1", "::", 1),
            ("[fe80::1%eth0]:8080", "fe80::1%eth0", 8080),
            ("192.0.2.1", "192.0.2.1", 0),
            ("192.0.2.1:65536", "192.0.2.1:65536", 0),
            ("192.0.2.1:+80", "192.0.2.1:+80", 0),
            ("192.0.2.1:", "192.0.2.1:", 0),
            ("2001:db8::1", "2001:db8::1", 0),
            ("/run/envoy.sock", "/run/envoy.sock", 0),
            ("[]:7", "", 7),
            ("]:7", "]", 7),
            (":7", "", 7),
            ("[", "[", 0),
            ("", "", 0),
        ];
        for (text, address, port) in cases {
            let expected = Endpoint { address: address.as_bytes().to_vec(), port: *port };
            assert_eq!(Endpoint::parse(text.as_bytes().to_vec()), expected, "{text}");
        }
        assert_eq!(Endpoint::parse(b"\xff\xfe:80".to_vec()).port, 80);
    }
}
