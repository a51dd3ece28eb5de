//! Requests as go-ftw sends them: bytes on a socket, malformed ones included.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::template;
use super::yaml::Input;

const FORM: &str = "application/x-www-form-urlencoded";

/// The bytes that a test's input stands for. `cookies` come from earlier stages.
///
/// # Errors
/// When a template or base64 text can't be read.
pub(super) fn build(input: &Input, cookies: &[String]) -> anyhow::Result<Vec<u8>> {
    if let Some(encoded) = &input.encoded_request {
        return decode(encoded).context("encoded_request");
    }
    let mut body = match (&input.data, &input.encoded_data) {
        (Some(template), _) => template::evaluate(template).context("data")?,
        (None, Some(encoded)) => decode(encoded).context("encoded_data")?,
        (None, None) => Vec::new(),
    };
    let mut headers = headers(input);
    let completes = input.completes_headers();
    if completes && !body.is_empty() {
        if !has(&headers, "content-type") {
            headers.push(("Content-Type".to_owned(), FORM.to_owned()));
        }
        if values(&headers, "content-type").any(|value| value.eq_ignore_ascii_case(FORM)) {
            body = encode_form(body);
        }
    }
    if values(&headers, "content-type").any(|value| value.to_lowercase().contains("multipart/form-data;")) {
        // YAML has line feeds only.
        body = body.split(|&byte| byte == b'\n').collect::<Vec<_>>().join(&b"\r\n"[..]);
    }
    if !cookies.is_empty() && !has(&headers, "cookie") {
        headers.push(("Cookie".to_owned(), cookies.join("; ")));
    }
    let method = input.method.as_deref().unwrap_or("GET");
    if completes {
        if !has(&headers, "connection") {
            headers.push(("Connection".to_owned(), "close".to_owned()));
        }
        if !has(&headers, "content-length") && (!body.is_empty() || usually_has_body(method)) {
            headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
    }
    let target = input.uri.as_deref().unwrap_or("/");
    let version = input.version.as_deref().unwrap_or("HTTP/1.1");
    let mut bytes = format!("{method} {target} {version}\r\n").into_bytes();
    for (name, value) in &headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Base64, in which line breaks don't count.
fn decode(encoded: &str) -> anyhow::Result<Vec<u8>> {
    let digits: Vec<u8> = encoded.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    STANDARD.decode(digits).context("not base64")
}

fn headers(input: &Input) -> Vec<(String, String)> {
    if input.ordered_headers.is_empty() {
        return input.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    }
    input.ordered_headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
}

fn values<'h>(headers: &'h [(String, String)], name: &'h str) -> impl Iterator<Item = &'h str> {
    headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn has(headers: &[(String, String)], name: &str) -> bool {
    values(headers, name).next().is_some()
}

/// go-ftw's idea of methods that announce a length even without a body.
fn usually_has_body(method: &str) -> bool {
    method.starts_with("POST")
        || method.contains("PUT")
        || method.contains("PATCH")
        || method.ends_with("DELETE")
}

/// A form written in the clear is encoded, name by name and value by value. One that holds escapes, or what
/// could be one, is left alone.
fn encode_form(body: Vec<u8>) -> Vec<u8> {
    if body.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return body;
    }
    let mut pieces = Vec::new();
    let text = body.strip_suffix(b"&").unwrap_or(&body);
    for pair in text.split(|&byte| byte == b'&') {
        let mut parts = pair.splitn(2, |&byte| byte == b'=').map(query_escape);
        let name = parts.next().unwrap_or_default();
        pieces.push(parts.next().map_or_else(|| name.clone(), |value| format!("{name}={value}")));
    }
    pieces.join("&").into_bytes()
}

/// As in a query string: blanks become `+`, all but letters, digits and `-_.~` are escaped.
pub(super) fn query_escape(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// A request as a server takes it from a socket, read with tolerance.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) method: Vec<u8>,
    pub(super) target: Vec<u8>,
    pub(super) protocol: Vec<u8>,
    /// In order; blanks around values are gone.
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Without framing. What follows the announced length is no part of it.
    pub(super) body: Vec<u8>,
    /// Why a server answers it by itself, before anything else sees it.
    pub(super) refusal: Option<String>,
}

impl Parsed {
    /// Reads the bytes of a request.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (line, mut rest) = split_line(bytes);
        let mut words = line.splitn(2, |&byte| byte == b' ');
        let method = words.next().unwrap_or_default();
        let after = words.next().unwrap_or_default();
        let blank = after.iter().rposition(|&byte| byte == b' ').unwrap_or(after.len());
        let mut parsed = Self {
            method: method.to_vec(),
            target: after.get(..blank).unwrap_or_default().to_vec(),
            protocol: after.get(blank + 1..).unwrap_or_default().to_vec(),
            ..Self::default()
        };
        loop {
            let line;
            (line, rest) = split_line(rest);
            if line.is_empty() {
                break;
            }
            let mut parts = line.splitn(2, |&byte| byte == b':');
            let name = parts.next().unwrap_or_default();
            match parts.next() {
                Some(value) => parsed.add(name, value.trim_ascii()),
                None => parsed.refuse("a header line without a colon"),
            }
        }
        parsed.refuse_malformed();
        parsed.take_body(rest);
        parsed
    }

    /// The values of a header.
    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        let found = self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }

    /// Adds a header. One that was there before becomes part of it, as in Apache, on which the Core Rule Set is
    /// tested (RFC 9110, 5.3).
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let known = self.headers.iter_mut().find(|(n, _)| n.eq_ignore_ascii_case(name));
        match known {
            Some((_, known)) => {
                let separator: &[u8] = if name.eq_ignore_ascii_case(b"cookie") { b"; " } else { b", " };
                known.extend_from_slice(&[separator, value].concat());
            }
            None => self.headers.push((name.to_vec(), value.to_vec())),
        }
    }

    fn refuse(&mut self, reason: impl Into<String>) {
        self.refusal.get_or_insert_with(|| reason.into());
    }

    fn refuse_malformed(&mut self) {
        let protocol = self.protocol.clone();
        let version = protocol.strip_prefix(b"HTTP/");
        if !version.and_then(|version| version.first()).is_some_and(|digit| (b'1'..=b'9').contains(digit)) {
            self.refuse(format!("the protocol `{}`", protocol.escape_ascii()));
        }
        if self.target.contains(&b'#') {
            self.refuse("a fragment in the request target");
        }
        if self
            .values("content-length")
            .any(|value| value.is_empty() || !value.iter().all(u8::is_ascii_digit))
        {
            self.refuse("a Content-Length that is no number");
        }
        if self.headers.iter().any(|(_, value)| value.iter().any(|byte| matches!(byte, b'\r' | 0))) {
            self.refuse("a CR or NUL in a header's value");
        }
        let hosts: Vec<Vec<u8>> = self.values("host").map(<[u8]>::to_vec).collect();
        if protocol == b"HTTP/1.1" && hosts.iter().any(Vec::is_empty) {
            self.refuse("an empty Host");
        }
        if hosts.iter().any(|host| host.contains(&b'%')) {
            self.refuse("a Host with an escape");
        }
    }

    /// Takes the body off the wire as RFC 9112, 6.3 says: with both kinds of framing, chunks win and the
    /// length is taken out.
    fn take_body(&mut self, rest: &[u8]) {
        let chunked = self.values("transfer-encoding").any(|value| value.eq_ignore_ascii_case(b"chunked"));
        if chunked {
            self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-length"));
            self.body = unchunk(rest);
            return;
        }
        let length = self.values("content-length").next().and_then(|value| std::str::from_utf8(value).ok());
        let length = length.and_then(|text| text.parse().ok()).unwrap_or(0);
        self.body = rest.get(..length).unwrap_or(rest).to_vec();
    }
}

/// The line up to CRLF or LF, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let line = bytes.get(..end).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), bytes.get(end + 1..).unwrap_or_default())
}

/// The data in chunks, as far as they are whole.
pub(super) fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let size;
        (size, rest) = split_line(rest);
        let digits = size.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits).ok().and_then(|hex| usize::from_str_radix(hex, 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { return body };
        body.extend_from_slice(rest.get(..size).unwrap_or(rest));
        (_, rest) = split_line(rest.get(size..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftw::yaml::Header;

    fn text(input: &Input) -> String {
        String::from_utf8(build(input, &[]).unwrap()).unwrap()
    }

    fn input(method: &str, headers: &[(&str, &str)], data: &str) -> Input {
        Input {
            method: Some(method.to_owned()),
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            data: (!data.is_empty()).then(|| data.to_owned()),
            ..Input::default()
        }
    }

    #[test]
    fn headers_are_sorted_and_completed() {
        let sent = text(&input("GET", &[("b", "2"), ("A", "1")], ""));
        assert_eq!(sent, "GET / HTTP/1.1\r\nA: 1\r\nb: 2\r\nConnection: close\r\n\r\n");
        let sent = text(&input("POST", &[("Host", "h")], ""));
        assert_eq!(sent, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let mut bare = input("POST", &[("Host", "h")], "a b");
        bare.autocomplete_headers = Some(false);
        assert_eq!(text(&bare), "POST / HTTP/1.1\r\nHost: h\r\n\r\na b");
        let named = |name: &str| Header { name: name.to_owned(), value: "1".to_owned() };
        let ordered = Input { ordered_headers: vec![named("b"), named("A"), named("b")], ..bare };
        assert_eq!(text(&ordered), "POST / HTTP/1.1\r\nb: 1\r\nA: 1\r\nb: 1\r\n\r\na b");
    }

    #[test]
    fn forms_in_the_clear_are_encoded() {
        for (data, expected) in [
            ("a=<b c>&d", "a=%3Cb+c%3E&d"),
            ("a=1=2&", "a=1%3D2"),
            ("a=%3C", "a=%3C"),
            ("a=1+1", "a=1+1"),
            ("a=100%", "a=100%"),
            ("x\n", "x%0A"),
        ] {
            let sent = text(&input("POST", &[], data));
            let head =
                format!("Content-Type: {FORM}\r\nConnection: close\r\nContent-Length: {}", expected.len());
            assert!(sent.contains(&head), "{sent}");
            assert!(sent.ends_with(&format!("\r\n\r\n{expected}")), "{sent}");
        }
        let json = text(&input("POST", &[("Content-Type", "application/json")], "{\"a\": 1}"));
        assert!(json.ends_with("\r\n\r\n{\"a\": 1}"), "{json}");
    }

    #[test]
    fn multipart_lines_end_in_crlf() {
        let sent =
            text(&input("POST", &[("Content-Type", "Multipart/Form-Data; boundary=b")], "--b\n\nx\n--b--\n"));
        assert!(sent.ends_with("Content-Length: 17\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"), "{sent}");
    }

    #[test]
    fn cookies_of_earlier_stages() {
        let cookies = ["a=1".to_owned(), "b=2".to_owned()];
        let sent = build(&input("GET", &[], ""), &cookies).unwrap();
        assert!(String::from_utf8(sent).unwrap().contains("\r\nCookie: a=1; b=2\r\n"));
        let sent = build(&input("GET", &[("cookie", "c=3")], ""), &cookies).unwrap();
        assert!(String::from_utf8(sent).unwrap().contains("\r\ncookie: c=3\r\nConnection"));
    }

    #[test]
    fn requests_are_read() {
        let parsed = Parsed::read(b"POST /a b HTTP/1.1\r\nX:  y \r\nContent-Length: 3\r\nx: z\r\n\r\nabcdef");
        assert_eq!(parsed.target, b"/a b");
        assert_eq!(parsed.headers.first(), Some(&(b"X".to_vec(), b"y, z".to_vec())));
        assert_eq!((parsed.body.as_slice(), parsed.refusal), (&b"abc"[..], None));
        let parsed = Parsed::read(
            b"POST / HTTP/1.1\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
        );
        assert_eq!(parsed.body, b"abcde");
        assert_eq!(parsed.values("content-length").count(), 0);
    }

    #[test]
    fn what_a_server_refuses() {
        for (request, reason) in [
            ("GET / \r\nHost: a\r\n\r\n", Some("protocol")),
            ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", Some("protocol")),
            ("GET / JUNK/1.0\r\nHost: a\r\n\r\n", Some("protocol")),
            ("GET / HTTP/4.0\r\nHost: a\r\n\r\n", None),
            ("GET / HTTP/2\r\nHost: a\r\n\r\n", None),
            ("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", Some("fragment")),
            ("GET / HTTP/1.1\r\nContent-Length: 3;\r\n\r\n", Some("Content-Length")),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Some("CR")),
            ("GET / HTTP/1.1\r\nHost: \r\n\r\n", Some("Host")),
            ("GET / HTTP/1.0\r\nHost:\r\n\r\n", None),
            ("GET / HTTP/1.1\r\nHost: a%1F\r\n\r\n", Some("Host")),
            ("GET / HTTP/1.1\r\nnonsense\r\n\r\n", Some("colon")),
        ] {
            let refusal = Parsed::read(request.as_bytes()).refusal;
            assert_eq!(refusal.is_some(), reason.is_some(), "{request:?}: {refusal:?}");
            assert!(refusal.unwrap_or_default().contains(reason.unwrap_or_default()), "{request:?}");
        }
    }
}
