//! Our own answers: what a client gets instead of the exchange.

use portcullis_rules::eval::{Disruption, Interruption};
use portcullis_rules::http::escape;
use portcullis_rules::model::Phase;
use portcullis_rules::page;

/// Status of an answer when a rule's own can't be sent.
const FORBIDDEN: u16 = 403;

/// What the refused client is told, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// The form it asked for.
    pub(crate) format: Format,
    /// Whether it speaks gRPC.
    pub(crate) grpc: bool,
    /// The id of its request: graphic ASCII, see [`is_request_id`].
    pub(crate) request_id: Vec<u8>,
}

/// Form of an answer's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `text/html`.
    Html,
    /// `application/problem+json` (RFC 9457).
    Json,
    /// `text/plain`.
    Text,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// HTTP status. The host turns it into 200 for gRPC requests.
    pub(crate) status: u16,
    /// Fields, names in lower case. For gRPC requests the host adds `content-type`.
    pub(crate) headers: Vec<(&'static [u8], Vec<u8>)>,
    /// The page; for gRPC requests the `grpc-message`.
    pub(crate) body: Vec<u8>,
    /// Status of a gRPC answer.
    pub(crate) grpc_status: Option<u8>,
}

/// Most bytes of a request id. A longer one is not used: it would only swell logs and answers.
pub(crate) const REQUEST_ID_BYTES: usize = 128;

/// Whether this can be used as a request id: 1 to [`REQUEST_ID_BYTES`] bytes of graphic ASCII.
pub(crate) fn is_request_id(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= REQUEST_ID_BYTES && id.iter().all(u8::is_ascii_graphic)
}

impl Format {
    /// The form that an `Accept` header likes best: the highest weight, then the more specific range,
    /// then the first (RFC 9110, 12.5.1). Text when there is no header, or for `*/*`.
    pub(crate) fn from_accept(accept: &[u8]) -> Self {
        let mut best = (0, Self::Text);
        for range in accept.split(|&byte| byte == b',') {
            let mut parts = range.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
            let media_type = parts.next().unwrap_or_default();
            let Some((format, specific)) = Self::of_media_type(media_type) else { continue };
            let weight = parts.find_map(weight).unwrap_or(1000);
            // A weight of 0 means "not acceptable".
            let rank = if weight == 0 { 0 } else { weight * 2 + u32::from(specific) };
            if rank > best.0 {
                best = (rank, format);
            }
        }
        best.1
    }

    /// The form that fits a media range, and whether the range is specific.
    fn of_media_type(media_type: &[u8]) -> Option<(Self, bool)> {
        let lower = media_type.to_ascii_lowercase();
        match lower.as_slice() {
            b"text/html" | b"application/xhtml+xml" => Some((Self::Html, true)),
            b"text/plain" => Some((Self::Text, true)),
            b"application/json" => Some((Self::Json, true)),
            b"*/*" | b"text/*" => Some((Self::Text, false)),
            b"application/*" => Some((Self::Json, false)),
            _ if lower.ends_with(b"+json") => Some((Self::Json, true)),
            _ => None,
        }
    }

    const fn content_type(self) -> &'static [u8] {
        match self {
            Self::Html => b"text/html; charset=utf-8",
            Self::Json => b"application/problem+json",
            Self::Text => b"text/plain; charset=utf-8",
        }
    }
}

/// The weight in a `q=0.5` parameter, in thousandths. What is no such parameter is none; a malformed
/// weight counts as 1.
fn weight(parameter: &[u8]) -> Option<u32> {
    let digits = parameter.strip_prefix(b"q=").or_else(|| parameter.strip_prefix(b"Q="))?;
    let text = std::str::from_utf8(digits).ok()?;
    let value: f32 = text.parse().unwrap_or(1.0);
    // A cast saturates and takes NaN as 0.
    Some((value.clamp(0.0, 1.0) * 1000.0) as u32)
}

/// The answer for an interruption; `None` for a drop, which gets none. gRPC clients always get an
/// answer, because to them a reset stream is a fault of the transport, which many retry at once.
pub(crate) fn for_interruption(interruption: &Interruption, asker: &Asker) -> Option<Reply> {
    match &interruption.disruption {
        Disruption::Deny { status } => Some(deny(*status, asker)),
        Disruption::Redirect { status, location } => Some(redirect(*status, location, asker)),
        Disruption::Client(_) => Some(deny(FORBIDDEN, asker)),
        Disruption::Drop if asker.grpc => Some(grpc(FORBIDDEN, ABORTED, asker)),
        Disruption::Drop => None,
    }
}

/// An answer with a page that names the request id. A status that can't end an exchange (1xx, or
/// beyond 599) becomes 403.
pub(crate) fn deny(status: u16, asker: &Asker) -> Reply {
    let status = if (200..=599).contains(&status) { status } else { FORBIDDEN };
    if asker.grpc {
        return grpc(status, grpc_status(status), asker);
    }
    // These statuses go without content (RFC 9110, 15.3.5, 15.3.6 and 15.4.5).
    if matches!(status, 204 | 205 | 304) {
        return Reply { status, headers: common_headers(asker), body: Vec::new(), grpc_status: None };
    }
    let mut reply = with_page(status, page(status, asker), asker);
    if asker.format == Format::Html {
        reply.headers.push((b"content-security-policy", CONTENT_SECURITY_POLICY.to_vec()));
    }
    reply
}

/// An answer with a page in the form that the client asked for.
pub(crate) fn with_page(status: u16, page: Vec<u8>, asker: &Asker) -> Reply {
    let mut headers = common_headers(asker);
    headers.push((b"content-type", asker.format.content_type().to_vec()));
    Reply { status, headers, body: page, grpc_status: None }
}

/// A redirect without a page. A location that can't stand in a header is not sent: the answer is 403.
fn redirect(status: u16, location: &[u8], asker: &Asker) -> Reply {
    let sendable = !location.is_empty() && !location.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    if asker.grpc || !sendable || !(300..=399).contains(&status) {
        return deny(FORBIDDEN, asker);
    }
    let mut headers = common_headers(asker);
    headers.push((b"location", location.to_vec()));
    Reply { status, headers, body: Vec::new(), grpc_status: None }
}

const ABORTED: u8 = 10;

/// The gRPC status nearest to an HTTP status of a refusal.
const fn grpc_status(status: u16) -> u8 {
    match status {
        401 => 16,       // UNAUTHENTICATED
        413 | 429 => 8,  // RESOURCE_EXHAUSTED
        500 => 13,       // INTERNAL
        502..=504 => 14, // UNAVAILABLE
        _ => 7,          // PERMISSION_DENIED
    }
}

fn grpc(status: u16, grpc_status: u8, asker: &Asker) -> Reply {
    let mut body = b"request refused, reference ".to_vec();
    body.extend_from_slice(&asker.request_id);
    Reply { status, headers: common_headers(asker), body, grpc_status: Some(grpc_status) }
}

fn common_headers(asker: &Asker) -> Vec<(&'static [u8], Vec<u8>)> {
    vec![(&b"cache-control"[..], b"no-store".to_vec()), (b"x-request-id", asker.request_id.clone())]
}

/// The standard reason phrase of the statuses that refusals commonly have.
const fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        410 => "Gone",
        411 => "Length Required",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        418 => "I'm a teapot",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Request Refused",
    }
}

/// Lets a page show its own style and do nothing else.
const CONTENT_SECURITY_POLICY: &[u8] = b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// What a visitor is told: people who don't know what stands in front of the site, and who may have done nothing wrong.
/// Nothing of it says which rule it was.
struct Words {
    title: &'static str,
    /// What happened.
    what: &'static str,
    /// What the visitor can do.
    help: &'static str,
}

/// The words that fit a status.
const fn words(status: u16) -> Words {
    match status {
        400 | 411 | 415 | 417 | 422 => Words {
            title: "Your request could not be read",
            what: "What this site received was incomplete or malformed, so it was not passed on.",
            help: "Please go back and try again.",
        },
        401 | 407 => Words {
            title: "Please sign in",
            what: "This part of the site is for people who have signed in.",
            help: "Please sign in and try again.",
        },
        404 | 410 => Words {
            title: "Page not found",
            what: "There is nothing at this address.",
            help: "Please check the address, or go back.",
        },
        413 | 414 | 431 => Words {
            title: "Your request is too large",
            what: "It is larger than this site accepts, so it was not passed on.",
            help: "Please try again with less: a shorter text, for example, or a smaller file.",
        },
        429 => Words {
            title: "Too many requests",
            what: "This site got more requests from you than it answers at a time.",
            help: "Please wait a few minutes, then try again.",
        },
        408 | 500..=599 => Words {
            title: "This page is not available right now",
            what: "The site could not give an answer to your request.",
            help: "Please try again in a few minutes.",
        },
        _ => Words {
            title: "Your request was not let through",
            what: "Something about it looks unsafe to this site. That can be a mistake.",
            help: "Please go back and try again, perhaps in other words.",
        },
    }
}

/// What the request id is good for.
const REFERENCE: &str = "If this keeps happening, please tell the site's operator this reference:";

fn page(status: u16, asker: &Asker) -> Vec<u8> {
    let (reason, Words { title, what, help }) = (reason(status), words(status));
    let id = String::from_utf8_lossy(&asker.request_id);
    let text = match asker.format {
        Format::Html => html(&words(status), &escape::html(&id)),
        Format::Json => format!(
            "{{\"type\":\"about:blank\",\"title\":\"{reason}\",\"status\":{status},\
             \"detail\":\"{title}. {what} {help}\",\"request_id\":\"{}\"}}\n",
            escape::json(&id)
        ),
        Format::Text => {
            format!("{status} {reason}\n\n{title}. {what}\n{help}\n\n{REFERENCE} {id}\n")
        }
    };
    text.into_bytes()
}

/// The page for people, in the look of the page that interrogates. `id` is escaped.
fn html(words: &Words, id: &str) -> String {
    let (Words { title, what, help }, style) = (words, page::STYLE);
    let reference = escape::html(REFERENCE);
    format!(
        "<!doctype html>\n\
<html lang=\"en\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"robots\" content=\"noindex\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>{title}</title>\n\
<style>\n{style}</style>\n\
</head>\n\
<body>\n\
<main>\n\
<h1>{title}</h1>\n\
<p>{what}</p>\n\
<p>{help}</p>\n\
<p class=\"small\">{reference} <code>{id}</code></p>\n\
</main>\n\
</body>\n\
</html>\n"
    )
}

/// What the access log is told: `portcullis_deny[rule_942100_phase_2]`. Rule 0 is a body limit, in phase 1 a repeated
/// `Host`.
pub(crate) fn details(interruption: &Interruption) -> String {
    let kind = match interruption.disruption {
        Disruption::Client(refusal) => {
            return match interruption.rule_id {
                0 => format!("portcullis_client[{}]", refusal.name()),
                id => format!("portcullis_client[{}_rule_{id}]", refusal.name()),
            };
        }
        Disruption::Deny { .. } => "deny",
        Disruption::Redirect { .. } => "redirect",
        Disruption::Drop => "drop",
    };
    let phase = interruption.phase.number();
    match interruption.rule_id {
        0 if interruption.phase == Phase::RequestHeaders => format!("portcullis_{kind}[repeated_host]"),
        0 => format!("portcullis_{kind}[body_limit_phase_{phase}]"),
        id => format!("portcullis_{kind}[rule_{id}_phase_{phase}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(format: Format) -> Asker {
        Asker { format, grpc: false, request_id: b"id-1".to_vec() }
    }

    fn interruption(disruption: Disruption) -> Interruption {
        Interruption { rule_id: 942_100, phase: Phase::RequestBody, disruption }
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        let (_, value) = reply.headers.iter().find(|(n, _)| *n == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }

    #[test]
    fn accept_headers() {
        let cases: &[(&str, Format)] = &[
            ("", Format::Text),
            ("*/*", Format::Text),
            ("image/png", Format::Text),
            ("text/html", Format::Html),
            ("TEXT/HTML ; level=1", Format::Html),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Html),
            ("application/json, text/plain, */*", Format::Json),
            ("application/vnd.api+json", Format::Json),
            ("*/*, text/html", Format::Html),
            ("text/html;q=0.5, application/json", Format::Json),
            ("text/html;q=0.5, application/json;q=0.4", Format::Html),
            ("application/json;q=0, text/html;q=0.1", Format::Html),
            ("text/html;q=0", Format::Text),
            ("text/html;q=NaN, application/json;q=0.1", Format::Json),
            ("text/html;q=nonsense", Format::Html),
            ("text/html;q=99, application/json;q=1", Format::Html),
            ("application/*", Format::Json),
            (";;;,,,q=", Format::Text),
        ];
        for (accept, expected) in cases {
            assert_eq!(Format::from_accept(accept.as_bytes()), *expected, "{accept}");
        }
        assert_eq!(Format::from_accept(b"\xff/\xfe, text/html;\xff"), Format::Html);
    }

    #[test]
    fn a_denial_says_what_it_is_in_each_form() {
        for (format, content_type, expected) in [
            (Format::Html, "text/html; charset=utf-8", "<h1>Your request was not let through</h1>"),
            (Format::Json, "application/problem+json", "\"status\":403"),
            (Format::Text, "text/plain; charset=utf-8", "403 Forbidden\n"),
        ] {
            let reply = deny(403, &asker(format));
            let body = String::from_utf8(reply.body.clone()).unwrap();
            assert_eq!(reply.status, 403);
            assert_eq!(header(&reply, "content-type"), Some(content_type));
            assert_eq!(header(&reply, "cache-control"), Some("no-store"));
            assert_eq!(header(&reply, "x-request-id"), Some("id-1"));
            assert!(body.contains(expected) && body.contains("id-1"), "{body}");
            assert_eq!(reply.grpc_status, None);
        }
    }

    /// What a page says must mean something to a visitor, and nothing to an attacker.
    #[test]
    fn the_words_are_for_visitors() {
        for status in 200..=599 {
            for format in [Format::Html, Format::Json, Format::Text] {
                let reply = deny(status, &asker(format));
                let body = String::from_utf8(reply.body).unwrap();
                if matches!(status, 204 | 205 | 304) {
                    continue;
                }
                let words = words(status);
                for text in [words.title, words.what, words.help, "id-1"] {
                    assert!(body.contains(text), "{status}: {body}");
                }
                let lower = body.to_ascii_lowercase();
                for insider in ["portcullis", "exchange", "waf", "firewall", "rule", "modsecurity"] {
                    assert!(!lower.contains(insider), "{status}: {insider} in {body}");
                }
                if format == Format::Json {
                    assert!(!words.what.contains(['"', '\\']) && !words.help.contains(['"', '\\']));
                }
            }
        }
        let title = |status| words(status).title;
        assert_eq!(title(400), "Your request could not be read");
        assert_eq!(title(413), "Your request is too large");
        assert_eq!(title(429), "Too many requests");
        assert_eq!(title(503), "This page is not available right now");
        assert_eq!(title(403), title(406));
    }

    #[test]
    fn a_page_loads_nothing_and_may_do_nothing() {
        let reply = deny(403, &asker(Format::Html));
        let body = String::from_utf8(reply.body.clone()).unwrap();
        for outside in ["http:", "https:", "//", "src=", "<link", "<script", "@import", "url("] {
            assert!(!body.contains(outside), "{outside}");
        }
        let policy = header(&reply, "content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert_eq!(header(&deny(403, &asker(Format::Json)), "content-security-policy"), None);
    }

    #[test]
    fn the_request_id_is_escaped() {
        let id = b"<script>\"'&\\".to_vec();
        let body = |format| {
            let asker = Asker { format, grpc: false, request_id: id.clone() };
            String::from_utf8(deny(403, &asker).body).unwrap()
        };
        assert!(body(Format::Html).contains("<code>&lt;script&gt;&quot;&#39;&amp;\\</code>"));
        assert!(body(Format::Json).contains(r#""request_id":"<script>\"'&\\"}"#));
    }

    #[test]
    fn request_ids() {
        for id in [&b"a"[..], b"7c9e6679-7425-40de-944b-e07fc1f90ae7", &[b'x'; 128]] {
            assert!(is_request_id(id));
        }
        for id in [&b""[..], b"a b", b"a\r\nset-cookie: x", b"a\0", b"\xff", b"\x7f", &[b'x'; 129]] {
            assert!(!is_request_id(id), "{id:?}");
        }
    }

    #[test]
    fn statuses_that_cannot_be_sent_become_403() {
        for status in [0, 100, 101, 199, 600, u16::MAX] {
            assert_eq!(deny(status, &asker(Format::Text)).status, 403, "{status}");
        }
        for status in [200, 404, 500, 599] {
            assert_eq!(deny(status, &asker(Format::Text)).status, status);
        }
    }

    #[test]
    fn statuses_without_content_have_none() {
        for status in [204, 205, 304] {
            let reply = deny(status, &asker(Format::Html));
            assert_eq!((reply.status, reply.body.len()), (status, 0));
            assert_eq!(header(&reply, "content-type"), None);
        }
    }

    #[test]
    fn redirects() {
        let redirect = |status, location: &[u8]| {
            let disruption = Disruption::Redirect { status, location: location.to_vec() };
            for_interruption(&interruption(disruption), &asker(Format::Text)).unwrap()
        };
        let reply = redirect(307, b"https://example.com/blocked?x=1");
        assert_eq!(reply.status, 307);
        assert_eq!(header(&reply, "location"), Some("https://example.com/blocked?x=1"));
        assert!(reply.body.is_empty());
        for location in [&b"/a\r\nset-cookie: x=1"[..], b"/a\nb", b"/a\0b", b""] {
            let reply = redirect(302, location);
            assert_eq!((reply.status, header(&reply, "location")), (403, None), "{location:?}");
        }
        assert_eq!(redirect(200, b"/").status, 403);
    }

    #[test]
    fn grpc_clients_get_a_grpc_status() {
        let asker = Asker { format: Format::Html, grpc: true, request_id: b"id-1".to_vec() };
        let status_of = |disruption| {
            let reply = for_interruption(&interruption(disruption), &asker).unwrap();
            assert_eq!(header(&reply, "content-type"), None);
            assert_eq!(header(&reply, "location"), None);
            assert_eq!(reply.body, b"request refused, reference id-1");
            reply.grpc_status
        };
        assert_eq!(status_of(Disruption::Deny { status: 403 }), Some(7));
        assert_eq!(status_of(Disruption::Deny { status: 401 }), Some(16));
        assert_eq!(status_of(Disruption::Deny { status: 429 }), Some(8));
        assert_eq!(status_of(Disruption::Deny { status: 503 }), Some(14));
        assert_eq!(status_of(Disruption::Redirect { status: 302, location: b"/".to_vec() }), Some(7));
        assert_eq!(status_of(Disruption::Drop), Some(10));
    }

    #[test]
    fn a_drop_has_no_answer() {
        assert_eq!(for_interruption(&interruption(Disruption::Drop), &asker(Format::Html)), None);
    }

    #[test]
    fn details_hold_no_blanks() {
        let deny = interruption(Disruption::Deny { status: 403 });
        assert_eq!(details(&deny), "portcullis_deny[rule_942100_phase_2]");
        let limit = Interruption { rule_id: 0, ..deny };
        assert_eq!(details(&limit), "portcullis_deny[body_limit_phase_2]");
        let host = Interruption { phase: Phase::RequestHeaders, ..limit };
        assert_eq!(details(&host), "portcullis_deny[repeated_host]");
        assert_eq!(details(&interruption(Disruption::Drop)), "portcullis_drop[rule_942100_phase_2]");
    }
}
