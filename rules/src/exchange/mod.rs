//! Recorded exchanges: what the command line, tests and benchmarks feed to the engine.

pub mod fields;
mod read;

pub use read::moment;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::eval::{
    BodyDemand, Connection, Field, Outcome, RequestHead, ResponseHead, Transaction, UnixNanos, Verdict,
};
use crate::risk::ClientFacts;

/// One HTTP exchange with the connection it came over.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Named in the verdict, and the transaction's unique id.
    pub id: serde_json::Value,
    /// When it happens: seconds since 1970, or RFC 3339 text. Default: now.
    pub time: Option<Moment>,
    /// What a verified interrogation cookie says that the client is; without it the client has not passed a
    /// challenge.
    pub interrogation: Option<String>,
    /// The client's end of the connection.
    pub client: Endpoint,
    /// The local end of the connection.
    pub server: Endpoint,
    /// The request.
    pub request: Request,
    /// The response; without one, phases 3 and 4 don't run.
    pub response: Option<Response>,
}

/// A moment: nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub UnixNanos);

/// One end of a connection.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// Address as text, without port.
    pub address: String,
    /// Port.
    pub port: u16,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Bytes,
    /// The request target as sent.
    pub uri: Bytes,
    /// `HTTP/1.1` unless given.
    pub protocol: Bytes,
    /// Header fields in order.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// The body in base64, instead of `body`.
    pub body_base64: Base64,
}

impl Request {
    /// Gives a body the `Content-Length` without which no HTTP/1 client can send it, unless it says in another way where
    /// it ends.
    pub fn add_content_length(&mut self) {
        let length = body(&self.body, &self.body_base64).len();
        let framed = |(name, _): &(Bytes, Bytes)| {
            [&b"content-length"[..], b"transfer-encoding"]
                .iter()
                .any(|known| name.0.eq_ignore_ascii_case(known))
        };
        if length > 0 && self.protocol.0.starts_with(b"HTTP/1") && !self.headers.iter().any(framed) {
            let value = Bytes(length.to_string().into_bytes());
            self.headers.push((Bytes(b"Content-Length".to_vec()), value));
        }
    }
}

/// A response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` unless given.
    pub protocol: Bytes,
    /// Header fields in order.
    pub headers: Vec<(Bytes, Bytes)>,
    /// The body.
    pub body: Bytes,
    /// The body in base64, instead of `body`.
    pub body_base64: Base64,
}

fn http_1_1() -> Bytes {
    Bytes(b"HTTP/1.1".to_vec())
}

/// Bytes: a string's UTF-8, or `{"base64": "…"}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Text(String),
            Base64 { base64: Base64 },
        }
        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Text(text) => text.into_bytes(),
            Form::Base64 { base64 } => base64.0,
        }))
    }
}

/// Bytes written in base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The body of a request or response: the one given in base64, else the plain one.
fn body<'a>(plain: &'a Bytes, base64: &'a Base64) -> &'a [u8] {
    if base64.0.is_empty() { &plain.0 } else { &base64.0 }
}

fn fields(headers: &[(Bytes, Bytes)]) -> Vec<Field<'_>> {
    headers.iter().map(|(name, value)| (name.0.as_slice(), value.0.as_slice())).collect()
}

impl Exchange {
    /// The id as text.
    #[must_use]
    pub fn unique_id(&self) -> String {
        match &self.id {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => String::new(),
            other => other.to_string(),
        }
    }

    /// The two ends of its connection.
    #[must_use]
    pub fn connection(&self) -> Connection<'_> {
        Connection {
            client_address: self.client.address.as_bytes(),
            client_port: self.client.port,
            server_address: self.server.address.as_bytes(),
            server_port: self.server.port,
        }
    }

    /// Moves `transaction` through all phases, as a host that holds bodies would: what is interrupted goes
    /// no further than the logging phase.
    pub fn run(&self, transaction: &mut Transaction, now: UnixNanos) -> Outcome {
        self.run_with(transaction, now, Transaction::rest)
    }

    /// As [`Exchange::run`]; `wait` is what happens to the transaction whenever a host would wait for one of the ends.
    pub fn run_with(
        &self,
        transaction: &mut Transaction,
        now: UnixNanos,
        wait: impl Fn(&mut Transaction),
    ) -> Outcome {
        if self.run_request(transaction, now, &wait) == Verdict::Continue {
            wait(transaction);
            self.run_response(transaction, now, &wait);
        }
        wait(transaction);
        transaction.finish(now);
        transaction.outcome()
    }

    /// When it happens; `now` unless it says so itself.
    #[must_use]
    pub fn time(&self, now: UnixNanos) -> UnixNanos {
        self.time.map_or(now, |moment| moment.0)
    }

    fn run_request(
        &self,
        transaction: &mut Transaction,
        now: UnixNanos,
        wait: &impl Fn(&mut Transaction),
    ) -> Verdict {
        if let Some(identity) = &self.interrogation {
            let interrogation = Some(identity.clone().into_bytes());
            transaction.client_facts(ClientFacts { interrogation, verified: true, ..ClientFacts::default() });
        }
        let request = &self.request;
        let headers = fields(&request.headers);
        let head = RequestHead {
            method: &request.method.0,
            target: &request.uri.0,
            protocol: &request.protocol.0,
            headers: &headers,
        };
        let verdict = transaction.request_headers(&head, now);
        if verdict != Verdict::Continue {
            return verdict;
        }
        let body = body(&request.body, &request.body_base64);
        if !body.is_empty() && transaction.inspects_request_body() {
            wait(transaction);
            transaction.expect_request_body(body.len());
            let _: BodyDemand = transaction.request_body(body);
        }
        transaction.request_complete(now)
    }

    fn run_response(&self, transaction: &mut Transaction, now: UnixNanos, wait: &impl Fn(&mut Transaction)) {
        let Some(response) = &self.response else { return };
        let headers = fields(&response.headers);
        let head =
            ResponseHead { status: response.status, protocol: &response.protocol.0, headers: &headers };
        if transaction.response_headers(&head, now) != Verdict::Continue {
            return;
        }
        let body = body(&response.body, &response.body_base64);
        if !body.is_empty() && transaction.inspects_response_body() {
            wait(transaction);
            transaction.expect_response_body(body.len());
            let _: BodyDemand = transaction.response_body(body);
        }
        transaction.response_complete(now);
    }
}
