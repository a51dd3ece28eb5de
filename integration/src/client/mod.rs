//! Clients that send exactly what a test says and report exactly what came back.

mod http1;
mod http1_reply;
mod http2;

pub use http1::Http1;
pub use http2::Http2;

use std::fmt;
use std::time::Duration;

/// How long a client waits for the end of a reply.
const PATIENCE: Duration = Duration::from_secs(20);

/// The pause after each piece of a body, so that pieces arrive as pieces.
const PIECE_PAUSE: Duration = Duration::from_millis(5);

/// Header or trailer fields in order: lower-case name, value as bytes.
pub type Fields = Vec<(String, Vec<u8>)>;

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, with prior knowledge.
    Http2,
}

impl Protocol {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];
}

/// A request as it goes out.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Fields without `host` (unless a test wants its own), `content-length` and `transfer-encoding`.
    pub headers: Fields,
    /// The body.
    pub body: Body,
    /// Trailer fields; HTTP/1.1 sends them with [`Body::Pieces`] only.
    pub trailers: Fields,
}

/// How a body goes out.
#[derive(Clone, Debug)]
pub enum Body {
    /// None.
    Empty,
    /// At once, with its length declared.
    Whole(Vec<u8>),
    /// Piece by piece with a pause in between, without a declared length.
    Pieces(Vec<Vec<u8>>),
}

impl Request {
    /// A request without fields and body.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Body::Empty,
            trailers: Vec::new(),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST with a body of this media type.
    #[must_use]
    pub fn post(target: &str, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).header("content-type", media_type).body(Body::Whole(body.into()))
    }

    /// A POST of a form, already encoded.
    #[must_use]
    pub fn form(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::post(target, "application/x-www-form-urlencoded", body)
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Sends the body in pieces of at most this many bytes.
    #[must_use]
    pub fn in_pieces_of(mut self, bytes: usize) -> Self {
        if let Body::Whole(whole) = &self.body {
            self.body = Body::Pieces(whole.chunks(bytes.max(1)).map(<[u8]>::to_vec).collect());
        }
        self
    }

    /// Adds a trailer field.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.trailers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }
}

/// How a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The message is whole.
    Complete,
    /// The connection or stream was reset before that.
    Reset,
    /// The connection was closed in an orderly way before that.
    Closed,
    /// Nothing more came for a long time.
    TimedOut,
}

/// What came back.
#[derive(Clone)]
pub struct Reply {
    /// The status; `None` when no head came.
    pub status: Option<u16>,
    /// Header fields.
    pub headers: Fields,
    /// The body, as far as it came, without framing.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Fields,
    /// How it ended.
    pub end: End,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("headers", &readable_fields(&self.headers))
            .field("body", &readable(&self.body))
            .field("trailers", &readable_fields(&self.trailers))
            .field("end", &self.end)
            .finish()
    }
}

/// Bytes as a person reads them in a failed test: escaped, and the beginning of long ones only.
pub(crate) fn readable(bytes: &[u8]) -> String {
    const SHOWN: usize = 300;
    let beginning = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii();
    if bytes.len() > SHOWN {
        format!("{beginning}… ({} bytes)", bytes.len())
    } else {
        beginning.to_string()
    }
}

/// Fields as a person reads them.
pub(crate) fn readable_fields(fields: &Fields) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name}: {}", readable(value))).collect()
}

impl Reply {
    /// A reply of which nothing came.
    const fn nothing(end: End) -> Self {
        Self { status: None, headers: Vec::new(), body: Vec::new(), trailers: Vec::new(), end }
    }

    /// The first value of a header field as text; what isn't UTF-8 is replaced.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        first(&self.headers, name)
    }

    /// The first value of a trailer field as text; what isn't UTF-8 is replaced.
    #[must_use]
    pub fn trailer(&self, name: &str) -> Option<String> {
        first(&self.trailers, name)
    }

    /// The body as text; what isn't UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether connection or stream ended before the message was whole.
    #[must_use]
    pub fn cut_off(&self) -> bool {
        matches!(self.end, End::Reset | End::Closed)
    }
}

fn first(fields: &Fields, name: &str) -> Option<String> {
    fields.iter().find(|(n, _)| n == name).map(|(_, value)| String::from_utf8_lossy(value).into_owned())
}
