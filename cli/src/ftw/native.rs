//! Requests judged in this process.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_rules::diagnostic::Diagnostic;
use portcullis_rules::eval::{Disruption, Outcome, Transaction, UnixNanos};
use portcullis_rules::exchange::{Base64, Bytes, Endpoint, Exchange, Request, Response};
use portcullis_rules::model::Policy;
use portcullis_rules::plan::Plan;
use serde_json::{Value, json};

use super::backend::{self, Answer};
use super::check::{Evidence, Reply};
use super::request::Parsed;

/// The engine with its rules.
#[derive(Clone, Debug)]
pub(super) struct Native {
    plan: Arc<Plan>,
}

impl Native {
    /// # Errors
    /// When no plan can be made of the policy.
    pub(super) fn new(policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { plan: Arc::new(Plan::new(policy)?) })
    }

    /// Judges a request and the backend's answer to it.
    pub(super) fn run(&self, request: &Parsed) -> Evidence {
        let answer = backend::answer(request);
        let exchange = exchange(request, &answer);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = UnixNanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        let id = format!("{:016x}", now.0);
        let mut transaction =
            Transaction::new(Arc::clone(&self.plan), &exchange.connection(), id.as_bytes(), now);
        let reply = match exchange.run(&mut transaction, now) {
            Outcome::Pass | Outcome::Allow { .. } => Some(reply(answer.status, &answer)),
            Outcome::Interrupted(interruption) => {
                let empty = Answer { status: 0, headers: Vec::new(), body: Vec::new() };
                match interruption.disruption {
                    Disruption::Deny { status } => Some(reply(status, &empty)),
                    Disruption::Redirect { status, location } => {
                        let headers = vec![(b"Location".to_vec(), location)];
                        Some(reply(status, &Answer { headers, ..empty }))
                    }
                    Disruption::Client(_) => Some(reply(403, &empty)),
                    Disruption::Drop => None,
                }
            }
        };
        let lines = transaction.take_matches().into_iter().filter_map(|found| found.log_line).collect();
        transaction.recycle();
        Evidence { reply, lines, upstream_hits: None }
    }
}

/// A request and the backend's answer to it as `portcullis eval` reads them.
pub(super) fn recorded(id: &str, request: &Parsed) -> Value {
    let exchange = exchange(request, &backend::answer(request));
    let end = |end: &Endpoint| json!({ "address": end.address, "port": end.port });
    let fields = |fields: &[(Bytes, Bytes)]| -> Vec<Value> {
        fields.iter().map(|(name, value)| json!([text(&name.0), text(&value.0)])).collect()
    };
    let sent = &exchange.request;
    let response = exchange.response.as_ref().map(|response| {
        json!({
            "status": response.status,
            "headers": fields(&response.headers),
            "body_base64": STANDARD.encode(&response.body.0),
        })
    });
    json!({
        "id": id,
        "client": end(&exchange.client),
        "server": end(&exchange.server),
        "request": {
            "method": text(&sent.method.0),
            "uri": text(&sent.uri.0),
            "protocol": text(&sent.protocol.0),
            "headers": fields(&sent.headers),
            "body_base64": STANDARD.encode(&sent.body.0),
        },
        "response": response,
    })
}

/// Bytes as an exchange holds them.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

fn exchange(request: &Parsed, answer: &Answer) -> Exchange {
    let fields = |fields: &[(Vec<u8>, Vec<u8>)]| {
        fields.iter().map(|(name, value)| (Bytes(name.clone()), Bytes(value.clone()))).collect()
    };
    let local = |port| Endpoint { address: "127.0.0.1".to_owned(), port };
    Exchange {
        time: None,
        interrogation: None,
        id: serde_json::Value::Null,
        client: local(40_000),
        server: local(80),
        request: Request {
            method: Bytes(request.method.clone()),
            uri: Bytes(request.target.clone()),
            protocol: Bytes(request.protocol.clone()),
            headers: fields(&request.headers),
            body: Bytes(request.body.clone()),
            body_base64: Base64::default(),
        },
        response: Some(Response {
            status: answer.status,
            protocol: Bytes(b"HTTP/1.1".to_vec()),
            headers: fields(&answer.headers),
            body: Bytes(if request.method == b"HEAD" { Vec::new() } else { answer.body.clone() }),
            body_base64: Base64::default(),
        }),
    }
}

/// The answer as a client gets it.
fn reply(status: u16, answer: &Answer) -> Reply {
    let mut raw = format!("HTTP/1.1 {status} \r\n").into_bytes();
    for (name, value) in &answer.headers {
        raw.extend_from_slice(&[name.as_slice(), b": ", value, b"\r\n"].concat());
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(&answer.body);
    let named =
        |(name, value): &(Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(name).into_owned(), value.clone());
    Reply { status, headers: answer.headers.iter().map(named).collect(), raw }
}
