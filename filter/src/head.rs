//! Request and response heads as the engine wants them, from what the host returns: pseudo-headers
//! apart, `Host` among the fields.

use portcullis_rules::eval::Field;

use crate::pairs::Pairs;

/// How a request announces its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// A message body.
    Message,
    /// gRPC messages (`application/grpc…`), which may come as long as the stream lives.
    Grpc,
    /// No body of this exchange, but the client's half of a tunnel: `CONNECT`, or an `Upgrade` that announces no body:
    /// without `Transfer-Encoding`, and without `Content-Length` or with one of 0. An upgrade that announces a body has
    /// a message body, otherwise an `Upgrade` header would carry any body past the rules.
    Tunnel,
}

/// A request's head.
#[derive(Debug)]
pub(crate) struct RequestFields<'a> {
    /// `:method`.
    pub(crate) method: &'a [u8],
    /// `:path`; for `CONNECT`, which has none, `:authority`.
    pub(crate) target: &'a [u8],
    /// Fields in order without pseudo-headers. `:authority`, which may be empty, comes first as `host`. Envoy makes one
    /// of both: a `host` besides is one too many.
    pub(crate) fields: Vec<Field<'a>>,
    /// `host`, the first, or `:authority`.
    pub(crate) host: &'a [u8],
    /// `accept`, the first.
    pub(crate) accept: &'a [u8],
    /// `x-request-id`, the first.
    pub(crate) request_id: &'a [u8],
    /// Whether the client expects gRPC answers. A gRPC-Web client (`application/grpc-web…`) does not: it
    /// is a browser's script, to which Envoy's translation of answers does not apply.
    pub(crate) grpc: bool,
    /// What follows the head, if anything does.
    pub(crate) body: BodyKind,
}

impl<'a> RequestFields<'a> {
    /// Sorts a request's header map.
    pub(crate) fn new(pairs: &'a Pairs) -> Self {
        let (mut method, mut path, mut authority) = (&b""[..], &b""[..], None);
        let (mut accept, mut request_id) = (None, None);
        let (mut host, mut announced) = (None, false);
        let (mut grpc, mut grpc_messages) = (false, false);
        let (mut upgrade, mut connection_upgrade) = (false, false);
        let mut fields = Vec::with_capacity(pairs.len() + 1);
        for (name, value) in pairs.iter() {
            match name {
                b":method" => method = value,
                b":path" => path = value,
                b":authority" => authority = Some(value),
                _ if name.first() == Some(&b':') => {}
                _ => {
                    // Envoy hands names over in lower case.
                    match name {
                        b"host" => host = host.or(Some(value)),
                        b"accept" => accept = accept.or(Some(value)),
                        b"x-request-id" => request_id = request_id.or(Some(value)),
                        b"content-type" => {
                            grpc |= is_grpc(value);
                            grpc_messages |= has_grpc_messages(value);
                        }
                        b"content-length" => announced |= !is_zero(value),
                        b"transfer-encoding" => announced = true,
                        b"upgrade" => upgrade = !value.is_empty(),
                        b"connection" => connection_upgrade |= has_token(value, b"upgrade"),
                        _ => {}
                    }
                    fields.push((name, value));
                }
            }
        }
        if let Some(authority) = authority {
            fields.insert(0, (b"host", authority));
        }
        let body = if method == b"CONNECT" || (upgrade && connection_upgrade && !announced) {
            BodyKind::Tunnel
        } else if grpc_messages {
            BodyKind::Grpc
        } else {
            BodyKind::Message
        };
        Self {
            method,
            target: if path.is_empty() { authority.unwrap_or_default() } else { path },
            fields,
            host: host.or(authority).unwrap_or_default(),
            accept: accept.unwrap_or_default(),
            request_id: request_id.unwrap_or_default(),
            grpc,
            body,
        }
    }

    /// Puts `transfer-encoding: chunked` back, which Envoy takes away. For an HTTP/1.1 request that has a body:
    /// without a length, only chunks can tell where it ends (RFC 9112, 6.3).
    pub(crate) fn restore_transfer_encoding(&mut self) {
        let framed = |(name, _): &Field<'_>| *name == b"content-length" || *name == b"transfer-encoding";
        if self.body != BodyKind::Tunnel && !self.fields.iter().any(framed) {
            self.fields.push((b"transfer-encoding", b"chunked"));
        }
    }
}

/// A response's head.
#[derive(Debug)]
pub(crate) struct ResponseFields<'a> {
    /// `:status`; 0 when it is no number.
    pub(crate) status: u16,
    /// Fields in order without pseudo-headers.
    pub(crate) fields: Vec<Field<'a>>,
    /// Whether the body is an event stream or gRPC messages, which come as long as the stream lives.
    pub(crate) endless: bool,
}

impl<'a> ResponseFields<'a> {
    /// Sorts a response's header map.
    pub(crate) fn new(pairs: &'a Pairs) -> Self {
        let (mut status, mut endless) = (0, false);
        let mut fields = Vec::with_capacity(pairs.len());
        for (name, value) in pairs.iter() {
            if name == b":status" {
                status = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
            if name.first() == Some(&b':') {
                continue;
            }
            if name == b"content-type" {
                endless |=
                    has_grpc_messages(value) || media_type(value).eq_ignore_ascii_case(b"text/event-stream");
            }
            fields.push((name, value));
        }
        Self { status, fields, endless }
    }
}

/// The fields of a trailer map.
pub(crate) fn trailer_fields(pairs: &Pairs) -> Vec<Field<'_>> {
    pairs.iter().collect()
}

/// A media type without parameters and blanks around it.
fn media_type(value: &[u8]) -> &[u8] {
    value.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii()
}

/// What follows `application/grpc` in a content type; `None` when it is another one.
fn grpc_suffix(value: &[u8]) -> Option<&[u8]> {
    const PREFIX: &[u8] = b"application/grpc";
    let (start, suffix) = media_type(value).split_at_checked(PREFIX.len())?;
    start.eq_ignore_ascii_case(PREFIX).then_some(suffix)
}

/// Whether a content type is `application/grpc`, or that with a format such as `+proto`.
fn is_grpc(value: &[u8]) -> bool {
    grpc_suffix(value).is_some_and(|suffix| matches!(suffix.first(), None | Some(b'+')))
}

/// Whether a content type is gRPC or gRPC-Web.
fn has_grpc_messages(value: &[u8]) -> bool {
    grpc_suffix(value).is_some_and(|suffix| matches!(suffix.first(), None | Some(b'+' | b'-')))
}

/// Whether a length is 0. What is no number is not.
fn is_zero(value: &[u8]) -> bool {
    let digits = value.trim_ascii();
    !digits.is_empty() && digits.iter().all(|byte| *byte == b'0')
}

/// Whether a comma-separated list has this token.
fn has_token(value: &[u8], token: &[u8]) -> bool {
    value.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::serialize;

    fn pairs(fields: &[(&str, &str)]) -> Pairs {
        let fields: Vec<Field<'_>> = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        Pairs::parse(serialize(&fields)).unwrap()
    }

    #[test]
    fn pseudo_headers_become_the_request_line_and_host() {
        let pairs = pairs(&[
            (":authority", "shop.example:8080"),
            (":path", "/a?b=c"),
            (":method", "POST"),
            (":scheme", "https"),
            ("accept", "text/html"),
            ("x-request-id", "1234"),
            ("accept", "text/plain"),
        ]);
        let head = RequestFields::new(&pairs);
        assert_eq!(head.method, b"POST");
        assert_eq!(head.target, b"/a?b=c");
        assert_eq!(head.accept, b"text/html");
        assert_eq!(head.request_id, b"1234");
        assert_eq!(head.body, BodyKind::Message);
        assert_eq!(head.fields.len(), 4);
        assert_eq!(head.fields[0], (&b"host"[..], &b"shop.example:8080"[..]));
    }

    #[test]
    fn a_host_header_beside_the_authority_is_seen_as_well() {
        let both = pairs(&[(":authority", "a"), (":path", "/"), ("accept", "*/*"), ("host", "b")]);
        let names: Vec<&[u8]> = RequestFields::new(&both).fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [&b"host"[..], b"accept", b"host"]);
        let alone = pairs(&[(":path", "/"), ("accept", "*/*"), ("host", "b")]);
        assert_eq!(RequestFields::new(&alone).fields.len(), 2);
    }

    #[test]
    fn an_empty_host_is_a_host() {
        let with = pairs(&[(":authority", ""), (":path", "/")]);
        assert_eq!(RequestFields::new(&with).fields, [(&b"host"[..], &b""[..])]);
        let without = pairs(&[(":path", "/")]);
        assert!(RequestFields::new(&without).fields.is_empty());
    }

    #[test]
    fn chunks_are_announced_again() {
        let chunked = (&b"transfer-encoding"[..], &b"chunked"[..]);
        for (fields, expected) in [
            (&[("accept", "*/*")][..], true),
            (&[("content-length", "3")], false),
            (&[("upgrade", "websocket"), ("connection", "upgrade")], false),
            (&[(":method", "CONNECT")], false),
        ] {
            let pairs = pairs(fields);
            let mut head = RequestFields::new(&pairs);
            head.restore_transfer_encoding();
            assert_eq!(head.fields.contains(&chunked), expected, "{fields:?}");
            let count = head.fields.len();
            head.restore_transfer_encoding();
            assert_eq!(head.fields.len(), count, "{fields:?}");
        }
    }

    #[test]
    fn connect_has_its_authority_as_target() {
        let pairs = pairs(&[(":method", "CONNECT"), (":authority", "db.example:5432")]);
        let head = RequestFields::new(&pairs);
        assert_eq!(head.target, b"db.example:5432");
        assert_eq!(head.body, BodyKind::Tunnel);
    }

    #[test]
    fn kinds_of_request_bodies() {
        let cases: &[(&[(&str, &str)], BodyKind)] = &[
            (&[], BodyKind::Message),
            (&[("content-type", "application/json")], BodyKind::Message),
            (&[("content-type", "application/grpc")], BodyKind::Grpc),
            (&[("content-type", "Application/gRPC+proto; charset=x")], BodyKind::Grpc),
            (&[("content-type", "application/grpc-web+proto")], BodyKind::Grpc),
            (&[("content-type", "application/grpcfoo")], BodyKind::Message),
            (&[("upgrade", "websocket"), ("connection", "keep-alive, Upgrade")], BodyKind::Tunnel),
            (&[("upgrade", "websocket")], BodyKind::Message),
            (&[("connection", "upgrade")], BodyKind::Message),
            (
                &[("upgrade", "websocket"), ("connection", "upgrade"), ("content-length", "5")],
                BodyKind::Message,
            ),
            (
                &[("upgrade", "websocket"), ("connection", "upgrade"), ("content-length", "0")],
                BodyKind::Tunnel,
            ),
            (
                &[("content-length", "00 "), ("upgrade", "websocket"), ("connection", "upgrade")],
                BodyKind::Tunnel,
            ),
            (
                &[("upgrade", "websocket"), ("connection", "upgrade"), ("content-length", "")],
                BodyKind::Message,
            ),
            (
                &[
                    ("upgrade", "websocket"),
                    ("connection", "upgrade"),
                    ("content-length", "0"),
                    ("transfer-encoding", "chunked"),
                ],
                BodyKind::Message,
            ),
            (&[("content-length", "0")], BodyKind::Message),
            (
                &[("upgrade", "x"), ("connection", "upgrade"), ("transfer-encoding", "chunked")],
                BodyKind::Message,
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(RequestFields::new(&pairs(fields)).body, *expected, "{fields:?}");
        }
    }

    #[test]
    fn who_expects_grpc_answers() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("Application/GRPC+proto", true),
            ("application/grpc; charset=x", true),
            ("application/grpc-web", false),
            ("application/grpc-web-text+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let pairs = pairs(&[("content-type", content_type)]);
            assert_eq!(RequestFields::new(&pairs).grpc, expected, "{content_type}");
        }
    }

    #[test]
    fn response_heads() {
        for (status, content_type, expected) in [
            ("200", "text/html", (200, false)),
            ("404", "Text/Event-Stream; charset=utf-8", (404, true)),
            ("200", "application/grpc", (200, true)),
            ("200", "application/grpc-web", (200, true)),
            ("", "", (0, false)),
            ("abc", "", (0, false)),
            ("70000", "", (0, false)),
        ] {
            let pairs = pairs(&[(":status", status), ("content-type", content_type)]);
            let head = ResponseFields::new(&pairs);
            assert_eq!((head.status, head.endless), expected, "{status} {content_type}");
            assert_eq!(head.fields, [(&b"content-type"[..], content_type.as_bytes())]);
        }
    }
}
