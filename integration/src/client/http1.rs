//! An HTTP/1.1 client on a bare socket: nothing is added, checked or hidden.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{sleep, timeout};

use super::http1_reply::{Reader, Stopped};
use super::{Body, End, PATIENCE, PIECE_PAUSE, Reply, Request};

/// The host of requests that don't name one.
const HOST: &[u8] = b"portcullis.test";

/// One connection.
#[derive(Debug)]
pub struct Http1 {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http1 {
    /// Connects.
    ///
    /// # Errors
    /// When the connection is refused.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Sends a request and reads its reply, both at the same time: a server may answer early.
    pub async fn exchange(&mut self, request: &Request) -> Reply {
        let (mut read, mut write) = self.stream.split();
        let writing = async {
            // A server that has answered may close; what it said is then still to be read.
            let _ = write_request(&mut write, request).await;
            std::future::pending::<Infallible>().await
        };
        let mut reader = Reader::new(&mut read, &mut self.buffer);
        let no_body = request.method == "HEAD";
        tokio::select! {
            reply = reader.reply(no_body) => reply,
            never = writing => match never {},
        }
    }

    /// Sends the head of a request, and its body if it has one, without waiting for a reply.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn send(&mut self, request: &Request) -> io::Result<()> {
        let (_, mut write) = self.stream.split();
        write_request(&mut write, request).await
    }

    /// Sends these bytes as they are.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Reads the head of a reply and leaves its body to [`Http1::read_some`].
    pub async fn receive_head(&mut self) -> Reply {
        let (mut read, _) = self.stream.split();
        let mut reader = Reader::new(&mut read, &mut self.buffer);
        match timeout(PATIENCE, reader.head()).await {
            Err(_) => Reply::nothing(End::TimedOut),
            Ok(Err(Stopped(end))) => Reply::nothing(end),
            Ok(Ok((status, headers))) => {
                Reply { status: Some(status), headers, ..Reply::nothing(End::Complete) }
            }
        }
    }

    /// The next bytes as they come, framing included; `None` at the end of the connection or when
    /// nothing comes for a long time.
    pub async fn read_some(&mut self) -> Option<Vec<u8>> {
        if !self.buffer.is_empty() {
            return Some(std::mem::take(&mut self.buffer));
        }
        let mut piece = vec![0; 16 * 1024];
        match timeout(PATIENCE, self.stream.read(&mut piece)).await {
            Ok(Ok(read)) if read > 0 => {
                piece.truncate(read);
                Some(piece)
            }
            _ => None,
        }
    }
}

async fn write_request(write: &mut WriteHalf<'_>, request: &Request) -> io::Result<()> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    let mut field = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    if !request.headers.iter().any(|(name, _)| name == "host") {
        field("host", HOST);
    }
    for (name, value) in &request.headers {
        field(name, value);
    }
    match &request.body {
        Body::Empty => {}
        Body::Whole(body) => field("content-length", body.len().to_string().as_bytes()),
        Body::Pieces(_) => field("transfer-encoding", b"chunked"),
    }
    head.extend_from_slice(b"\r\n");
    write.write_all(&head).await?;
    match &request.body {
        Body::Empty => {}
        Body::Whole(body) => write.write_all(body).await?,
        Body::Pieces(pieces) => {
            for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                write.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                write.write_all(piece).await?;
                write.write_all(b"\r\n").await?;
                write.flush().await?;
                sleep(PIECE_PAUSE).await;
            }
            let mut end = b"0\r\n".to_vec();
            for (name, value) in &request.trailers {
                end.extend_from_slice(name.as_bytes());
                end.extend_from_slice(b": ");
                end.extend_from_slice(value);
                end.extend_from_slice(b"\r\n");
            }
            end.extend_from_slice(b"\r\n");
            write.write_all(&end).await?;
        }
    }
    write.flush().await
}
