//! What goes into an exchange.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Header or trailer fields in order: lower-case name, value.
pub type Fields = Vec<(String, Vec<u8>)>;

/// A request and what the upstream would answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// The server's end.
    pub server: SocketAddr,
    /// What the client sends.
    pub request: Request,
    /// What the upstream answers if it is asked.
    pub response: Response,
    /// Further properties, or other values for known ones: path with NUL between segments, value.
    pub properties: Vec<(String, Vec<u8>)>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// What stands in `:path`; nothing for `CONNECT`.
    pub target: String,
    /// What stands in `:authority`: what HTTP/1.1 sends as `Host`.
    pub authority: String,
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: String,
    /// Fields without pseudo-headers. `x-request-id` is added, as Envoy does, unless it is there.
    pub headers: Fields,
    /// The body in the pieces in which it arrives. Without pieces and trailers the headers end it.
    pub body: Vec<Vec<u8>>,
    /// Trailer fields; when there are any, they end the request.
    pub trailers: Fields,
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Fields without pseudo-headers.
    pub headers: Fields,
    /// The body in the pieces in which it arrives. Without pieces and trailers the headers end it.
    pub body: Vec<Vec<u8>>,
    /// Trailer fields; when there are any, they end the response.
    pub trailers: Fields,
    /// When the upstream answers.
    pub when: When,
}

/// When an upstream answers. It never does before it has the request's head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// When it has the whole request.
    #[default]
    Complete,
    /// After the client has sent the first piece of the body, without waiting for the rest.
    Early,
    /// As a tunnel: its head after the client has sent the first piece, its pieces when the client has
    /// sent all of its own.
    Tunnel,
}

impl Exchange {
    /// A request with this method and target from 192.0.2.1:40000 to 198.51.100.1:80 that would be
    /// answered with a short text.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            client: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 40_000),
            server: SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 80),
            request: Request {
                method: method.to_owned(),
                target: target.to_owned(),
                authority: "www.example.com".to_owned(),
                protocol: "HTTP/1.1".to_owned(),
                headers: Fields::new(),
                body: Vec::new(),
                trailers: Fields::new(),
            },
            response: Response {
                status: 200,
                headers: vec![("content-type".to_owned(), b"text/plain".to_vec())],
                body: vec![b"upstream\n".to_vec()],
                trailers: Fields::new(),
                when: When::Complete,
            },
            properties: Vec::new(),
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST` of a body that arrives in one piece.
    #[must_use]
    pub fn post(target: &str, content_type: &str, body: &[u8]) -> Self {
        let mut exchange = Self::new("POST", target);
        exchange.request.body = vec![body.to_vec()];
        exchange
            .header("content-type", content_type.as_bytes())
            .header("content-length", body.len().to_string().as_bytes())
    }

    /// Adds a request header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &[u8]) -> Self {
        self.request.headers.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Sets the pieces of the request's body.
    #[must_use]
    pub fn body(mut self, pieces: &[&[u8]]) -> Self {
        self.request.body = pieces.iter().map(|piece| piece.to_vec()).collect();
        self
    }

    /// Sets the pieces of the response's body.
    #[must_use]
    pub fn answered_by(mut self, status: u16, pieces: &[&[u8]]) -> Self {
        self.response.status = status;
        self.response.body = pieces.iter().map(|piece| piece.to_vec()).collect();
        self
    }
}
