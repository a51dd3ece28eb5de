//! Reads HTTP/1.1 replies and says how they ended.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::ReadHalf;
use tokio::time::timeout;

use super::{End, Fields, PATIENCE, Reply};

/// Reading stopped before the message was whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped(pub(super) End);

/// Reads from a socket through a buffer that outlives a single reply.
pub(super) struct Reader<'a, 's> {
    socket: &'a mut ReadHalf<'s>,
    buffer: &'a mut Vec<u8>,
}

/// How the end of a body is told.
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(socket: &'a mut ReadHalf<'s>, buffer: &'a mut Vec<u8>) -> Self {
        Self { socket, buffer }
    }

    /// Reads a whole reply. `no_body` is set for replies to HEAD.
    pub(super) async fn reply(&mut self, no_body: bool) -> Reply {
        let mut reply = Reply::nothing(End::TimedOut);
        match timeout(PATIENCE, self.fill(&mut reply, no_body)).await {
            Ok(Ok(())) => reply.end = End::Complete,
            Ok(Err(Stopped(end))) => reply.end = end,
            Err(_) => {}
        }
        reply
    }

    async fn fill(&mut self, reply: &mut Reply, no_body: bool) -> Result<(), Stopped> {
        let (status, headers) = loop {
            let (status, headers) = self.head().await?;
            // 101 is final: what follows is no longer HTTP.
            if status >= 200 || status == 101 {
                break (status, headers);
            }
        };
        reply.status = Some(status);
        reply.headers = headers;
        match framing(status, &reply.headers, no_body) {
            Framing::None => Ok(()),
            Framing::Length(length) => self.take(length, &mut reply.body).await,
            Framing::Chunked => self.chunks(reply).await,
            Framing::UntilClose => loop {
                reply.body.append(self.buffer);
                match self.more().await {
                    Ok(()) => {}
                    Err(Stopped(End::Closed)) => return Ok(()),
                    Err(stopped) => return Err(stopped),
                }
            },
        }
    }

    /// Reads a status line and the header fields.
    pub(super) async fn head(&mut self) -> Result<(u16, Fields), Stopped> {
        let line = self.line().await?;
        let status = line
            .split(|byte| *byte == b' ')
            .nth(1)
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| code.parse().ok())
            .ok_or(Stopped(End::Closed))?;
        Ok((status, self.fields().await?))
    }

    async fn chunks(&mut self, reply: &mut Reply) -> Result<(), Stopped> {
        loop {
            let line = self.line().await?;
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok())
                .ok_or(Stopped(End::Closed))?;
            if size == 0 {
                reply.trailers = self.fields().await?;
                return Ok(());
            }
            self.take(size, &mut reply.body).await?;
            self.line().await?;
        }
    }

    /// Fields up to the empty line.
    async fn fields(&mut self) -> Result<Fields, Stopped> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (name, value) = line.split_at(colon);
            let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
            fields.push((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()));
        }
    }

    /// One line without its end.
    async fn line(&mut self) -> Result<Vec<u8>, Stopped> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.more().await?;
        }
    }

    /// Moves `length` bytes to `out`, as they come.
    async fn take(&mut self, mut length: usize, out: &mut Vec<u8>) -> Result<(), Stopped> {
        while length > 0 {
            if self.buffer.is_empty() {
                self.more().await?;
            }
            let now = length.min(self.buffer.len());
            out.extend(self.buffer.drain(..now));
            length -= now;
        }
        Ok(())
    }

    async fn more(&mut self) -> Result<(), Stopped> {
        match self.socket.read_buf(self.buffer).await {
            Ok(0) => Err(Stopped(End::Closed)),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(Stopped(End::Reset)),
            Err(_) => Err(Stopped(End::Closed)),
        }
    }
}

fn framing(status: u16, headers: &Fields, no_body: bool) -> Framing {
    let value = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice());
    if no_body || status < 200 || status == 204 || status == 304 {
        Framing::None
    } else if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        Framing::Chunked
    } else {
        let length = value("content-length").and_then(|v| std::str::from_utf8(v).ok()?.parse().ok());
        length.map_or(Framing::UntilClose, Framing::Length)
    }
}
