//! What the upstream answers, by path. `?type=` sets the media type where a body is made up.
//!
//! | path | answer |
//! | --- | --- |
//! | `/status/N` | status N, a short text |
//! | `/bytes/N?end=TEXT` | N bytes of text, the last of them TEXT |
//! | `/echo` | JSON: what reached the upstream |
//! | `/trailers?NAME=VALUE` | a short text and these trailer fields |
//! | `/slow-chunks?count=N&pause=MS&bytes=B` | N lines with pauses, of B bytes each or short ones |
//! | `/sse` | an event stream that doesn't end by itself |
//! | `/ws` | an upgrade to WebSocket; then every byte comes back |
//! | `/grpc/…` | an empty gRPC answer, `grpc-status: 0` in the trailers |
//! | `/reflect` | the answer that the JSON body describes: `status`, `headers`, `body` or `encodedBody` |
//! | `/report` | a 24 KB page that ends in a Java stack trace: a backend that leaks |
//! | `/login` | 200 for a body with `pw=right`, else 401 |
//! | `/debug` | a response with an `x-debug-token` field: another leak |
//! | else | 200, a short text |

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::Seen;
use super::answer::{Answer, field_map, streamed, text, whole};

/// Size of the page that `/report` serves, in bytes.
const REPORT_BYTES: usize = 24 * 1024;

/// The end of that page.
const STACK_TRACE: &str =
    "<pre>java.lang.NullPointerException\n\tat com.example.Invoice.total(Invoice.java:42)</pre>\n";

/// Answers that don't wait for the request's body.
pub(super) fn before_body(request: &mut Request<Incoming>) -> Option<Answer> {
    match request.uri().path() {
        "/ws" => Some(upgrade(request)),
        "/sse" => Some(events()),
        _ => None,
    }
}

/// All other answers.
pub(super) fn after_body(seen: &Seen) -> Answer {
    let (path, query) = seen.target.split_once('?').unwrap_or((&seen.target, ""));
    let mut segments = path.trim_start_matches('/').split('/');
    match (segments.next().unwrap_or_default(), segments.next()) {
        ("status", Some(code)) => text(code.parse().unwrap_or(400), format!("status {code}\n")),
        ("bytes", Some(length)) => bytes(length.parse().unwrap_or(0), query),
        ("echo", _) => whole(200, "application/json", echo(seen).to_string()),
        ("trailers", _) => trailers(query),
        ("slow-chunks", _) => slow_chunks(query),
        ("grpc", _) => grpc(),
        ("reflect", _) => reflect(&seen.body),
        ("report", _) => whole(200, "text/html", filler(REPORT_BYTES, STACK_TRACE)),
        ("login", _) if holds(&seen.body, b"pw=right") => text(200, "Welcome.\n"),
        ("login", _) => text(401, "Wrong password.\n"),
        ("debug", _) => {
            let mut answer = text(200, "Here is your page.\n");
            answer.headers_mut().extend(field_map([("x-debug-token", b"4f1d2c".as_slice())]));
            answer
        }
        _ => text(200, "Hello from the upstream.\n"),
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The value of a query parameter, with `+` and nothing else decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(n, _)| *n == name).map(|(_, value)| value.replace('+', " "))
}

/// Text of a length, with a given end.
fn filler(length: usize, end: &str) -> String {
    const LINE: &str = "The quick brown fox jumps over the lazy dog and runs on.\n";
    let mut body: String = LINE.chars().cycle().take(length.saturating_sub(end.len())).collect();
    body.push_str(end);
    body
}

fn bytes(length: usize, query: &str) -> Answer {
    let media_type = parameter(query, "type").unwrap_or_else(|| "text/plain".to_owned());
    whole(200, &media_type, filler(length, &parameter(query, "end").unwrap_or_default()))
}

fn echo(seen: &Seen) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = |fields: &[(String, Vec<u8>)]| -> Vec<Value> {
        fields.iter().map(|(name, value)| json!([name, text(value)])).collect()
    };
    json!({
        "method": seen.method,
        "target": seen.target,
        "protocol": seen.protocol,
        "headers": fields(&seen.headers),
        "body": text(&seen.body),
        "body_bytes": seen.body.len(),
        "trailers": fields(&seen.trailers),
    })
}

fn trailers(query: &str) -> Answer {
    let fields: Vec<(&str, &[u8])> =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(n, v)| (n, v.as_bytes())).collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let trailers = field_map(fields.iter().copied());
    let (mut answer, mut sender) = streamed("text/plain");
    // Without this announcement HTTP/1.1 leaves them out.
    answer.headers_mut().extend(field_map([("trailer", names.join(",").as_bytes())]));
    tokio::spawn(async move {
        let _ = sender.send_data(Bytes::from_static(b"Trailers follow.\n")).await;
        let _ = sender.send_trailers(trailers).await;
    });
    answer
}

fn slow_chunks(query: &str) -> Answer {
    let number = |name, default| parameter(query, name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let (count, pause) = (number("count", 5), Duration::from_millis(number("pause", 20)));
    let bytes = parameter(query, "bytes").and_then(|bytes| bytes.parse().ok());
    let media_type = parameter(query, "type").unwrap_or_else(|| "text/plain".to_owned());
    let (answer, mut sender) = streamed(&media_type);
    tokio::spawn(async move {
        for line in 0..count {
            let short = format!("line {line}\n");
            let line = bytes.map_or(short.clone(), |bytes| filler(bytes, &short));
            if sender.send_data(Bytes::from(line)).await.is_err() {
                return;
            }
            sleep(pause).await;
        }
    });
    answer
}

fn events() -> Answer {
    let (answer, mut sender) = streamed("text/event-stream");
    tokio::spawn(async move {
        for number in 0_u64.. {
            if sender.send_data(Bytes::from(format!("data: event {number}\n\n"))).await.is_err() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    answer
}

fn grpc() -> Answer {
    let (answer, mut sender) = streamed("application/grpc");
    tokio::spawn(async move {
        let mut trailers = HeaderMap::new();
        trailers.extend(field_map([("grpc-status", b"0".as_slice())]));
        // An empty message: not compressed, no bytes.
        let _ = sender.send_data(Bytes::from_static(&[0; 5])).await;
        let _ = sender.send_trailers(trailers).await;
    });
    answer
}

fn upgrade(request: &mut Request<Incoming>) -> Answer {
    let upgrading = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrading.await {
            let (mut read, mut write) = tokio::io::split(TokioIo::new(upgraded));
            let _ = tokio::io::copy(&mut read, &mut write).await;
        }
    });
    let mut answer = text(101, "");
    let fields: [(&str, &[u8]); 2] = [("connection", b"upgrade"), ("upgrade", b"websocket")];
    answer.headers_mut().extend(field_map(fields));
    answer
}

/// Builds the answer that a body describes, or says why it can't.
fn reflect(body: &[u8]) -> Answer {
    describe(body).unwrap_or_else(|| text(400, "the body doesn't describe an answer\n"))
}

fn describe(body: &[u8]) -> Option<Answer> {
    let wanted: Value = serde_json::from_slice(body).ok()?;
    let status = wanted.get("status").map_or(Some(200), |status| u16::try_from(status.as_u64()?).ok())?;
    let content = match (wanted.get("encodedBody"), wanted.get("body")) {
        (Some(encoded), _) => BASE64.decode(encoded.as_str()?).ok()?,
        (None, Some(plain)) => plain.as_str()?.as_bytes().to_vec(),
        (None, None) => Vec::new(),
    };
    // A server guesses the media type of a text when nobody says one.
    let binary = content.iter().any(|byte| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31));
    let guessed = match (content.is_empty(), binary) {
        (true, _) => "",
        (false, true) => "application/octet-stream",
        (false, false) => "text/plain; charset=utf-8",
    };
    let mut answer: Response<_> = whole(200, guessed, content);
    *answer.status_mut() = StatusCode::from_u16(status).ok()?;
    if let Some(headers) = wanted.get("headers").and_then(Value::as_object) {
        let fields =
            headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.as_bytes())));
        for (name, value) in &field_map(fields) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    Some(answer)
}
