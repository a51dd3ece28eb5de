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
    /// No body of this exchange, but the client's half of a tunnel: `CONNECT`, or an `Upgrade` without
    /// `Content-Length` and `Transfer-Encoding`. An upgrade that announces a body has a message body,
    /// otherwise an `Upgrade` header would carry any body past the rules.
    Tunnel,
}

/// A request's head.
#[derive(Debug)]
pub(crate) struct RequestFields<'a> {
    /// `:method`.
    pub(crate) method: &'a [u8],
    /// `:path`; for `CONNECT`, which has none, `:authority`.
    pub(crate) target: &'a [u8],
    /// Fields in order without pseudo-headers. When there is no `host`, it comes first, from
    /// `:authority`.
    pub(crate) fields: Vec<Field<'a>>,
    /// `accept`, the first.
    pub(crate) accept: &'a [u8],
    /// `x-request-id`, the first.
    pub(crate) request_id: &'a [u8],
    /// What follows the head, if anything does.
    pub(crate) body: BodyKind,
}

impl<'a> RequestFields<'a> {
    /// Sorts a request's header map.
    pub(crate) fn new(pairs: &'a Pairs) -> Self {
        let (mut method, mut path, mut authority) = (&b""[..], &b""[..], &b""[..]);
        let (mut accept, mut request_id) = (None, None);
        let (mut has_host, mut grpc, mut announced) = (false, false, false);
        let (mut upgrade, mut connection_upgrade) = (false, false);
        let mut fields = Vec::with_capacity(pairs.len() + 1);
        for (name, value) in pairs.iter() {
            match name {
                b":method" => method = value,
                b":path" => path = value,
                b":authority" => authority = value,
                _ if name.first() == Some(&b':') => {}
                _ => {
                    // Envoy hands names over in lower case.
                    match name {
                        b"host" => has_host = true,
                        b"accept" => accept = accept.or(Some(value)),
                        b"x-request-id" => request_id = request_id.or(Some(value)),
                        b"content-type" => grpc |= is_grpc(value),
                        b"content-length" | b"transfer-encoding" => announced = true,
                        b"upgrade" => upgrade = !value.is_empty(),
                        b"connection" => connection_upgrade |= has_token(value, b"upgrade"),
                        _ => {}
                    }
                    fields.push((name, value));
                }
            }
        }
        if !has_host && !authority.is_empty() {
            fields.insert(0, (b"host", authority));
        }
        let body = if method == b"CONNECT" || (upgrade && connection_upgrade && !announced) {
            BodyKind::Tunnel
        } else if grpc {
            BodyKind::Grpc
        } else {
            BodyKind::Message
        };
        Self {
            method,
            target: if path.is_empty() { authority } else { path },
            fields,
            accept: accept.unwrap_or_default(),
            request_id: request_id.unwrap_or_default(),
            body,
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
                endless |= is_grpc(value) || media_type(value).eq_ignore_ascii_case(b"text/event-stream");
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

/// Whether a content type is `application/grpc`, or that with a suffix such as `+proto` or `-web`.
fn is_grpc(value: &[u8]) -> bool {
    const PREFIX: &[u8] = b"application/grpc";
    media_type(value).split_at_checked(PREFIX.len()).is_some_and(|(start, rest)| {
        start.eq_ignore_ascii_case(PREFIX) && matches!(rest.first(), None | Some(b'+' | b'-'))
    })
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
    fn a_host_header_stays_where_it_is() {
        let pairs = pairs(&[(":authority", "a"), (":path", "/"), ("accept", "*/*"), ("host", "b")]);
        let names: Vec<&[u8]> = RequestFields::new(&pairs).fields.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, [&b"accept"[..], b"host"]);
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
                &[("upgrade", "x"), ("connection", "upgrade"), ("transfer-encoding", "chunked")],
                BodyKind::Message,
            ),
        ];
        for (fields, expected) in cases {
            assert_eq!(RequestFields::new(&pairs(fields)).body, *expected, "{fields:?}");
        }
    }

    #[test]
    fn response_heads() {
        let cases: &[(&[(&str, &str)], u16, bool)] = &[
            (&[(":status", "200"), ("content-type", "text/html")], 200, false),
            (&[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")], 200, true),
            (&[(":status", "200"), ("content-type", "application/grpc")], 200, true),
            (&[(":status", "abc")], 0, false),
            (&[], 0, false),
        ];
        for (fields, status, endless) in cases {
            let pairs = pairs(fields);
            let head = ResponseFields::new(&pairs);
            assert_eq!((head.status, head.endless), (*status, *endless), "{fields:?}");
            assert!(head.fields.iter().all(|(name, _)| name.first() != Some(&b':')));
        }
    }
}
