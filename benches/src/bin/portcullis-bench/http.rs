//! Both ends of Envoy: a client that sends recorded requests over a kept-alive connection, and an upstream that
//! gives the recorded answers. Blocking, with a thread per connection: they cost little beside Envoy.
//!
//! A request says in its `x-request-id` which answer belongs to it. Envoy would make an id of the same form.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use portcullis_benches::Recorded;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
const HEAD_END: &[u8] = b"\r\n\r\n";
const ID: &[u8] = b"x-request-id: ";
/// Hexadecimal digits of the id that name the kind, then of the whole id.
const KIND_DIGITS: usize = 8;
const ID_LENGTH: usize = 36;

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The value of a header in a head, by its lower-case name.
fn header<'h>(head: &'h [u8], name: &str) -> Option<&'h str> {
    let text = std::str::from_utf8(head).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A request as bytes, ready to be sent.
#[derive(Clone)]
pub(crate) struct Wire {
    bytes: Vec<u8>,
    /// Where the changing digits of the id are.
    number: usize,
}

impl Wire {
    /// `kind` is the place in the workload.
    pub(crate) fn new(kind: usize, recorded: &Recorded) -> Self {
        let request = &recorded.exchange.request;
        let mut bytes = [&request.method.0[..], b" ", &request.uri.0, b" HTTP/1.1\r\n"].concat();
        for (name, value) in &request.headers {
            bytes.extend([&name.0[..], b": ", &value.0, b"\r\n"].concat());
        }
        bytes.extend(ID);
        let number = bytes.len() + ID_LENGTH - 12;
        bytes.extend(format!("{kind:08x}-0000-4000-8000-000000000000").into_bytes());
        bytes.extend(HEAD_END);
        bytes.extend(&request.body_base64.0);
        Self { bytes, number }
    }

    /// Gives the request an id that it has not had.
    fn renumber(&mut self, number: u64) {
        let digits = format!("{:012x}", number & 0xffff_ffff_ffff);
        if let Some(place) = self.bytes.get_mut(self.number..self.number + digits.len()) {
            place.copy_from_slice(digits.as_bytes());
        }
    }
}

/// A connection to Envoy.
pub(crate) struct Client {
    address: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    sent: u64,
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        Ok(Self { address, stream: connect(address)?, buffer: Vec::new(), sent: 0 })
    }

    /// Sends a request and reads the whole answer. Its status.
    pub(crate) fn send(&mut self, request: &mut Wire) -> Result<u16> {
        self.sent += 1;
        request.renumber(self.sent);
        self.stream.write_all(&request.bytes)?;
        self.buffer.clear();
        let head = loop {
            match find(&self.buffer, HEAD_END) {
                Some(end) => break end + HEAD_END.len(),
                None => self.read()?,
            }
        };
        let bytes = self.buffer.get(..head).unwrap_or_default();
        let status = std::str::from_utf8(bytes).ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
        let status = status.context("no status")?;
        let close = header(bytes, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if let Some(length) = header(bytes, "content-length") {
            let end = head + length.parse::<usize>().context("content-length")?;
            while self.buffer.len() < end {
                self.read()?;
            }
            ensure!(self.buffer.len() == end, "more than an answer");
        } else if header(bytes, "transfer-encoding").is_some() {
            while !self.buffer.ends_with(b"0\r\n\r\n") {
                self.read()?;
            }
        } else {
            bail!("an answer without length: {}", String::from_utf8_lossy(bytes));
        }
        if close {
            self.stream = connect(self.address)?;
        }
        Ok(status)
    }

    fn read(&mut self) -> Result<()> {
        let mut piece = [0; 32 * 1024];
        let count = self.stream.read(&mut piece).context("waiting for the answer")?;
        ensure!(count > 0, "the connection was closed");
        self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        Ok(())
    }
}

/// Starts the upstream. It ends with the process.
pub(crate) fn upstream(workload: &[Recorded]) -> Result<SocketAddr> {
    let answers: Arc<Vec<Vec<u8>>> = Arc::new(workload.iter().map(answer).collect::<Result<_>>()?);
    let listener = TcpListener::bind("127.0.0.1:0").context("a port for the upstream")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            // How a connection ends shows on the client's side.
            thread::spawn(move || {
                let _ = serve(stream, &answers);
            });
        }
    });
    Ok(address)
}

fn answer(recorded: &Recorded) -> Result<Vec<u8>> {
    let response = recorded.exchange.response.as_ref().context("a recorded exchange has a response")?;
    let mut bytes = format!("HTTP/1.1 {} OK\r\n", response.status).into_bytes();
    for (name, value) in &response.headers {
        bytes.extend([&name.0[..], b": ", &value.0, b"\r\n"].concat());
    }
    bytes.extend(b"\r\n");
    bytes.extend(&response.body_base64.0);
    Ok(bytes)
}

fn serve(mut stream: TcpStream, answers: &[Vec<u8>]) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    let mut piece = [0; 64 * 1024];
    loop {
        let whole = find(&buffer, HEAD_END).map(|end| end + HEAD_END.len()).and_then(|head| {
            let bytes = buffer.get(..head)?;
            let length =
                header(bytes, "content-length").map_or(Some(0), |text| text.parse::<usize>().ok())?;
            let id = header(bytes, "x-request-id")?;
            let kind = usize::from_str_radix(id.get(..KIND_DIGITS)?, 16).ok()?;
            Some((head + length, kind))
        });
        match whole {
            Some((end, kind)) if buffer.len() >= end => {
                stream.write_all(answers.get(kind).context("no such kind")?)?;
                buffer.drain(..end);
            }
            _ => {
                let count = stream.read(&mut piece)?;
                if count == 0 {
                    return Ok(());
                }
                buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
        }
    }
}
