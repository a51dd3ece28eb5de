//! A backend inside the test process that keeps what reaches it. HTTP/1.1 and HTTP/2 without TLS on one
//! port; `endpoints.rs` says what it answers.

mod answer;
mod endpoints;
mod record;

pub use record::Seen;

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use answer::Answer;
use record::Recorder;

/// The first bytes of an HTTP/2 connection with prior knowledge.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// A running backend; it stops when dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    recorder: Recorder,
    accepting: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Upstream {
    /// Starts a backend on a free port of the loopback address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("a port for the upstream")?;
        let address = listener.local_addr()?;
        let recorder = Recorder::default();
        let accepting = tokio::spawn(accept(listener, recorder.clone()));
        Ok(Self { address, recorder, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have reached it.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.recorder.count()
    }

    /// What has reached it after the first so many requests.
    #[must_use]
    pub fn since(&self, hits: usize) -> Vec<Seen> {
        self.recorder.all().into_iter().skip(hits).collect()
    }

    /// What has reached it with this request id.
    #[must_use]
    pub fn seen(&self, request_id: &str) -> Vec<Seen> {
        self.recorder
            .all()
            .into_iter()
            .filter(|seen| seen.request_id.as_deref() == Some(request_id))
            .collect()
    }
}

async fn accept(listener: TcpListener, recorder: Recorder) {
    // Connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, recorder.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, recorder: Recorder) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| respond(request, recorder.clone()));
    // How a connection ends is the tests' business, not the upstream's.
    if speaks_http2(&stream).await {
        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    } else {
        let builder = hyper::server::conn::http1::Builder::new();
        let _ = builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }
}

/// Looks at the first bytes without taking them.
async fn speaks_http2(stream: &TcpStream) -> bool {
    let mut start = [0; HTTP2_PREFACE.len()];
    loop {
        match stream.peek(&mut start).await {
            Ok(read) if read == start.len() => return start == HTTP2_PREFACE,
            Ok(read) if read > 0 && HTTP2_PREFACE.starts_with(start.get(..read).unwrap_or_default()) => {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            _ => return false,
        }
    }
}

/// Records the head at once, then the body as it comes, then answers.
async fn respond(mut request: http::Request<Incoming>, recorder: Recorder) -> Result<Answer, Infallible> {
    let number = recorder.begin(&request);
    if let Some(answer) = endpoints::before_body(&mut request) {
        return Ok(answer);
    }
    let mut body = Vec::new();
    let mut incoming = request.into_body();
    while let Some(frame) = incoming.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                body.extend_from_slice(&data);
                recorder.body(number, &data);
            }
            Ok(Err(frame)) => {
                if let Ok(trailers) = frame.into_trailers() {
                    recorder.trailers(number, &trailers);
                }
            }
            Err(_) => return Ok(answer::text(400, "the request was cut off")),
        }
    }
    let seen = recorder.complete(number);
    Ok(answer::numbered(endpoints::after_body(&seen), number + 1))
}
