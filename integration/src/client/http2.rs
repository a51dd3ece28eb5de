//! An HTTP/2 client without TLS.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Either, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Body, End, Fields, PATIENCE, PIECE_PAUSE, Reply, Request};

/// The authority of requests without a `host` field.
const AUTHORITY: &str = "portcullis.test";

/// Without a body the stream ends with the head, as browsers do it.
type Outgoing = Either<Empty<Bytes>, Channel<Bytes>>;

/// One connection.
#[derive(Debug)]
pub struct Http2 {
    sender: SendRequest<Outgoing>,
    connection: JoinHandle<()>,
}

impl Drop for Http2 {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Http2 {
    /// Connects and exchanges settings.
    ///
    /// # Errors
    /// When the connection is refused or the server doesn't speak HTTP/2.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.context("HTTP/2 handshake")?;
        let connection = tokio::spawn(async move {
            // How it ended shows in the replies.
            let _ = connection.await;
        });
        Ok(Self { sender, connection })
    }

    /// Sends a request and reads its reply.
    ///
    /// # Errors
    /// When the request can't be expressed: a bad method, target or field.
    pub async fn exchange(&mut self, request: &Request) -> Result<Reply> {
        let (mut body_sender, channel) = Channel::new(1);
        let empty = matches!(request.body, Body::Empty) && request.trailers.is_empty();
        let outgoing =
            outgoing(request, if empty { Either::Left(Empty::new()) } else { Either::Right(channel) })?;
        let trailers = field_map(&request.trailers)?;
        let body = request.body.clone();
        let replying = self.sender.send_request(outgoing);
        let writing = tokio::spawn(async move {
            // A reply may come early, and the stream be reset; the reply tells.
            let _ = write_body(&mut body_sender, body, trailers).await;
        });
        let mut reply = Reply::nothing(End::TimedOut);
        let reading = async {
            let Ok(response) = replying.await else { return End::Reset };
            let (head, mut incoming) = response.into_parts();
            reply.status = Some(head.status.as_u16());
            reply.headers = fields(&head.headers);
            while let Some(frame) = incoming.frame().await {
                let Ok(frame) = frame else { return End::Reset };
                match frame.into_data() {
                    Ok(data) => reply.body.extend_from_slice(&data),
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            reply.trailers = fields(&trailers);
                        }
                    }
                }
            }
            End::Complete
        };
        let end = timeout(PATIENCE, reading).await.unwrap_or(End::TimedOut);
        reply.end = end;
        writing.abort();
        Ok(reply)
    }
}

fn outgoing(request: &Request, body: Outgoing) -> Result<http::Request<Outgoing>> {
    let named = request.headers.iter().find(|(name, _)| name == "host");
    let authority = named.map_or(Ok(AUTHORITY), |(_, value)| std::str::from_utf8(value))?;
    let mut builder = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("http://{authority}{}", request.target));
    for (name, value) in request.headers.iter().filter(|(name, _)| name != "host") {
        builder = builder.header(name.as_str(), HeaderValue::from_bytes(value)?);
    }
    if let Body::Whole(whole) = &request.body {
        builder = builder.header(http::header::CONTENT_LENGTH, whole.len());
    }
    builder.body(body).context("a request that can't be expressed in HTTP/2")
}

async fn write_body(
    sender: &mut Sender<Bytes>,
    body: Body,
    trailers: HeaderMap,
) -> Result<(), http_body_util::channel::SendError> {
    match body {
        Body::Empty => {}
        Body::Whole(whole) => sender.send_data(whole.into()).await?,
        Body::Pieces(pieces) => {
            for piece in pieces {
                sender.send_data(piece.into()).await?;
                sleep(PIECE_PAUSE).await;
            }
        }
    }
    if !trailers.is_empty() {
        sender.send_trailers(trailers).await?;
    }
    Ok(())
}

fn field_map(fields: &Fields) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value)?);
    }
    Ok(map)
}

fn fields(map: &HeaderMap) -> Fields {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}
