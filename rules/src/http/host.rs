//! Host: the server's name without port.

/// The name in a Host header or `:authority`, without the port: `SERVER_NAME`. An IPv6 address keeps its
/// brackets. Text with several colons and no brackets is taken to be a bare IPv6 address and kept.
#[must_use]
pub fn server_name(host: &[u8]) -> &[u8] {
    let host = host.trim_ascii();
    if host.first() == Some(&b'[')
        && let Some(end) = memchr::memchr(b']', host)
    {
        return host.get(..=end).unwrap_or(host);
    }
    let mut colons = memchr::memchr_iter(b':', host);
    match (colons.next(), colons.next()) {
        (Some(colon), None) => host.get(..colon).unwrap_or(host),
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_the_port() {
        let cases: &[[&[u8]; 2]] = &[
            [b"", b""],
            [b"h.example", b"h.example"],
            [b"h.example:8080", b"h.example"],
            [b" H.Example: ", b"H.Example"],
            [b"10.0.0.1:80", b"10.0.0.1"],
            [b"[2001:db8::1]:443", b"[2001:db8::1]"],
            [b"[2001:db8::1]", b"[2001:db8::1]"],
            [b"2001:db8::1", b"2001:db8::1"],
            [b"[bad:80", b"[bad"],
            [b":80", b""],
        ];
        for [host, name] in cases {
            assert_eq!(server_name(host), *name, "{}", host.escape_ascii());
        }
    }
}
