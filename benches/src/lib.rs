//! Recorded exchanges for benchmarks: the workload `perf/requests.json` of the shared data folder, whose
//! place is `$PORTCULLIS_SHARED`, else `../shared` beside the project; the Core Rule Set from there; and what
//! samples come to.

pub mod crs;
pub mod grown;
pub mod stats;

use std::path::PathBuf;

use portcullis_rules::exchange::{Base64, Bytes, Endpoint, Exchange, Request, Response};
use serde::Deserialize;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its short name, such as `a_get_plain`.
    pub id: String,
    /// Whether the Core Rule Set at paranoia level 1 must refuse it.
    pub attack: bool,
    /// The exchange.
    pub exchange: Exchange,
}

#[derive(Deserialize)]
struct File {
    requests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    attack: bool,
    client: Address,
    server: Address,
    method: String,
    uri: String,
    http_version: String,
    headers: Vec<(Bytes, Bytes)>,
    body_base64: Base64,
    response: Answer,
}

#[derive(Deserialize)]
struct Address {
    ip: String,
    port: u16,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(Bytes, Bytes)>,
    body_base64: Base64,
}

/// The shared data folder: `$PORTCULLIS_SHARED`, else `../shared` beside the project.
#[must_use]
pub fn shared() -> PathBuf {
    std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from)
}

/// Reads the workload.
///
/// # Errors
/// When the file is not there or is not a workload.
pub fn workload() -> Result<Vec<Recorded>, Box<dyn std::error::Error>> {
    let path = shared().join("perf/requests.json");
    let text = std::fs::read(&path).map_err(|problem| format!("{}: {problem}", path.display()))?;
    let file: File = serde_json::from_slice(&text)?;
    Ok(file.requests.into_iter().map(Recorded::from).collect())
}

impl From<Entry> for Recorded {
    fn from(entry: Entry) -> Self {
        let protocol = Bytes(format!("HTTP/{}", entry.http_version).into_bytes());
        let endpoint = |address: Address| Endpoint { address: address.ip, port: address.port };
        Self {
            attack: entry.attack,
            exchange: Exchange {
                time: None,
                interrogation: None,
                id: serde_json::Value::String(entry.id.clone()),
                client: endpoint(entry.client),
                server: endpoint(entry.server),
                request: Request {
                    method: Bytes(entry.method.into_bytes()),
                    uri: Bytes(entry.uri.into_bytes()),
                    protocol: protocol.clone(),
                    headers: entry.headers,
                    body: Bytes::default(),
                    body_base64: entry.body_base64,
                },
                response: Some(Response {
                    status: entry.response.status,
                    protocol,
                    headers: entry.response.headers,
                    body: Bytes::default(),
                    body_base64: entry.response.body_base64,
                }),
            },
            id: entry.id,
        }
    }
}
