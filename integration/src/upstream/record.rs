//! What reached the upstream.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Request, Version};

use crate::client::{Fields, readable, readable_fields};

/// One request as it reached the upstream.
#[derive(Clone, Default)]
pub struct Seen {
    /// `x-request-id`.
    pub request_id: Option<String>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// Header fields, lower-case names.
    pub headers: Fields,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Fields,
    /// Whether the request came to its end.
    pub complete: bool,
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen")
            .field("request", &format!("{} {} {}", self.method, self.target, self.protocol))
            .field("headers", &readable_fields(&self.headers))
            .field("body", &readable(&self.body))
            .field("trailers", &readable_fields(&self.trailers))
            .field("complete", &self.complete)
            .finish_non_exhaustive()
    }
}

impl Seen {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }
}

/// Shared by all connections of an upstream.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Mutex<Vec<Seen>>>);

impl Recorder {
    /// Takes a head in and numbers it.
    pub(super) fn begin<B>(&self, request: &Request<B>) -> usize {
        let headers = fields(request.headers());
        let request_id = request.headers().get("x-request-id");
        let seen = Seen {
            request_id: request_id.map(|id| String::from_utf8_lossy(id.as_bytes()).into_owned()),
            method: request.method().to_string(),
            target: request.uri().path_and_query().map(ToString::to_string).unwrap_or_default(),
            protocol: if request.version() == Version::HTTP_2 { "HTTP/2" } else { "HTTP/1.1" },
            headers,
            ..Seen::default()
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(seen);
        all.len() - 1
    }

    pub(super) fn body(&self, number: usize, data: &[u8]) {
        self.change(number, |seen| seen.body.extend_from_slice(data));
    }

    pub(super) fn trailers(&self, number: usize, trailers: &HeaderMap) {
        self.change(number, |seen| seen.trailers = fields(trailers));
    }

    /// Marks a request as complete and returns it.
    pub(super) fn complete(&self, number: usize) -> Seen {
        self.change(number, |seen| seen.complete = true)
    }

    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, number: usize, change: impl FnOnce(&mut Seen)) -> Seen {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_mut(number).map_or_else(Seen::default, |seen| {
            change(seen);
            seen.clone()
        })
    }
}

fn fields(map: &HeaderMap) -> Fields {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
