//! Requests sent to a running Envoy over sockets, as they are; what is logged for them is found between two
//! marker requests, as go-ftw does.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};

use super::check::{Evidence, Reply};
use super::request;

/// The header that marks a line of the log, as it is written there.
const MARKER_HEADER: &str = "x-crs-test";

/// How often a marker is sent until the log has it.
const MARKER_TRIES: u64 = 20;

/// How long a marker may take to show up before it is sent again.
const LOG_PATIENCE: Duration = Duration::from_millis(100);

const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// A running Envoy and its log.
#[derive(Debug)]
pub(super) struct Remote {
    address: SocketAddr,
    log: PathBuf,
    /// How much of the log is behind us, in bytes.
    offset: u64,
    /// Makes the markers of this run its own.
    run: u128,
    markers: u64,
}

/// A marker that is in the log.
#[derive(Debug)]
struct Marked {
    /// The lines before it, since the last one.
    lines: Vec<Vec<u8>>,
    /// How many requests the upstream has had with this one, if it tells.
    hits: Option<u64>,
    /// How often it was sent.
    sent: u64,
}

impl Remote {
    /// # Errors
    /// When the target is no `http://` URL of a host, or there is no such log.
    pub(super) fn new(target: &str, log: &Path) -> anyhow::Result<Self> {
        let Some(authority) = target.strip_prefix("http://") else {
            bail!("the target `{target}` doesn't begin with http://");
        };
        let authority = authority.trim_end_matches('/');
        ensure!(!authority.contains('/'), "the target `{target}` has a path");
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port { authority.to_owned() } else { format!("{authority}:80") };
        let mut addresses = authority.to_socket_addrs().with_context(|| format!("the target `{target}`"))?;
        let address = addresses.next().with_context(|| format!("`{target}` has no address"))?;
        let length = std::fs::metadata(log).with_context(|| format!("the log {}", log.display()))?.len();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self { address, log: log.to_owned(), offset: length, run: now.as_nanos(), markers: 0 })
    }

    /// Sends a request and gathers what is logged for it. `host` is the `Host` of the markers.
    ///
    /// # Errors
    /// When the target can't be reached, or its log never shows the markers.
    pub(super) fn run(&mut self, test: &str, host: &str, bytes: &[u8]) -> anyhow::Result<Evidence> {
        self.markers += 1;
        let marker = format!("{test}-{:x}-{}", self.run, self.markers);
        let start = self.mark(host, &format!("{marker}-s"))?;
        let reply = self.exchange(bytes).with_context(|| format!("test {test}"))?;
        let end = self.mark(host, &format!("{marker}-e"))?;
        let hits = end.hits.zip(start.hits).map(|(after, before)| after.saturating_sub(before + end.sent));
        Ok(Evidence { reply, lines: end.lines, upstream_hits: hits })
    }

    /// Sends a marker until the log has it.
    fn mark(&mut self, host: &str, marker: &str) -> anyhow::Result<Marked> {
        let request = format!(
            "GET /status/200 HTTP/1.1\r\nAccept: */*\r\nUser-Agent: go-ftw test agent\r\nHost: {host}\r\n\
             X-CRS-Test: {marker}\r\nConnection: close\r\n\r\n"
        );
        for sent in 1..=MARKER_TRIES {
            let reply = self.exchange(request.as_bytes())?.context("a marker request got no answer")?;
            let hits = reply.values("x-upstream-hits").next().and_then(|count| count.parse().ok());
            let since = Instant::now();
            loop {
                if let Some(lines) = self.lines_before(marker)? {
                    return Ok(Marked { lines, hits, sent });
                }
                if since.elapsed() >= LOG_PATIENCE {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        bail!(
            "the log {} has no line with {MARKER_HEADER} and {marker}: is it the target's log, and does the \
             policy have a rule that logs this header?",
            self.log.display()
        )
    }

    /// The lines of the log up to the last one with the marker, other markers left out; `None` when there is
    /// none yet.
    fn lines_before(&mut self, marker: &str) -> anyhow::Result<Option<Vec<Vec<u8>>>> {
        let context = || format!("reading the log {}", self.log.display());
        let mut file = File::open(&self.log).with_context(context)?;
        file.seek(SeekFrom::Start(self.offset)).with_context(context)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(context)?;
        let Some((lines, length)) = split_at_marker(&text, marker) else { return Ok(None) };
        self.offset += u64::try_from(length)?;
        Ok(Some(lines))
    }

    /// Sends bytes over a new connection and reads the answer; `None` when what comes is none.
    fn exchange(&self, bytes: &[u8]) -> anyhow::Result<Option<Reply>> {
        let mut stream = TcpStream::connect_timeout(&self.address, CONNECT_PATIENCE)
            .with_context(|| format!("connecting to {}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_PATIENCE))?;
        // A server may answer and close before it has read everything.
        let _ = stream.write_all(bytes);
        let reply = read_reply(&mut stream, bytes.starts_with(b"HEAD "));
        let _ = stream.shutdown(Shutdown::Both);
        Ok(reply)
    }
}

/// The lines before the last line with the marker, and the length of all of it.
fn split_at_marker(text: &[u8], marker: &str) -> Option<(Vec<Vec<u8>>, usize)> {
    let is_marker = |line: &[u8]| contains(&line.to_ascii_lowercase(), MARKER_HEADER.as_bytes());
    let (mut lines, mut length, mut found) = (Vec::new(), 0, None);
    for line in text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        length += line.len();
        if !is_marker(line) {
            lines.push(line.strip_suffix(b"\n").unwrap_or(line).to_vec());
        } else if contains(line, marker.as_bytes()) {
            found = Some((lines.len(), length));
        }
    }
    let (count, length) = found?;
    lines.truncate(count);
    Some((lines, length))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Reads one answer, whole or as far as it comes.
fn read_reply(stream: &mut impl io::Read, head_only: bool) -> Option<Reply> {
    let mut raw = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(reply) = parse_reply(&raw, head_only, false) {
            return Some(reply);
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return parse_reply(&raw, head_only, true),
            Ok(count) => raw.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
}

/// The answer in `raw` once it is whole; at the end of the connection, as far as it came.
fn parse_reply(raw: &[u8], head_only: bool, ended: bool) -> Option<Reply> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = request::Parsed::read(raw.get(..end + 4)?);
    // A status line has the shape of a request line.
    let status: u16 = std::str::from_utf8(&head.target).ok()?.split(' ').next()?.parse().ok()?;
    if !head.method.starts_with(b"HTTP/") {
        return None;
    }
    if (100..200).contains(&status) && status != 101 {
        return parse_reply(raw.get(end + 4..)?, head_only, ended);
    }
    let body = raw.get(end + 4..).unwrap_or_default();
    let length = head.values("content-length").next().and_then(|text| std::str::from_utf8(text).ok());
    let length = length.and_then(|text| text.parse::<usize>().ok());
    let chunked = head.values("transfer-encoding").any(|coding| coding.eq_ignore_ascii_case(b"chunked"));
    let whole = if head_only || matches!(status, 101 | 204 | 304) {
        true
    } else if chunked {
        body.starts_with(b"0\r\n") || contains(body, b"\r\n0\r\n")
    } else {
        length.is_some_and(|length| body.len() >= length)
    };
    if !whole && !ended {
        return None;
    }
    let body = if chunked { request::unchunk(body) } else { body.to_vec() };
    let named =
        |(name, value): &(Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(name).into_owned(), value.clone());
    let headers = head.headers.iter().map(named).collect();
    Some(Reply { status, headers, raw: [raw.get(..end + 4)?, &body].concat() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_between_markers() {
        let log = b"a\nx [msg \"X-CRS-Test m-s\"]\nb\nX-CRS-Test m-s\nc\nd\nX-CRS-TEST m-e\ne\nX-CRS-Test m-e\nhalf";
        let (lines, start) = split_at_marker(log, "m-s").unwrap();
        assert_eq!(lines, [b"a", b"b"]);
        let (lines, length) = split_at_marker(log.get(start..).unwrap(), "m-e").unwrap();
        assert_eq!(lines, [b"c", b"d", b"e"]);
        assert_eq!(start + length, log.len() - 4);
        assert!(split_at_marker(log, "other").is_none());
        assert!(split_at_marker(b"X-CRS-Test m-s", "m-s").is_none());
    }

    #[test]
    fn answers_are_read_to_their_end() {
        let read = |text: &str, head_only| read_reply(&mut text.as_bytes(), head_only);
        let reply = read("HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nokJUNK", false).unwrap();
        assert_eq!((reply.status, reply.values("a").next().as_deref()), (200, Some("b")));
        let reply =
            read("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", false);
        assert!(reply.unwrap().raw.ends_with(b"\r\n\r\nabc"));
        assert_eq!(read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 \r\n\r\n", false).unwrap().status, 404);
        assert_eq!(read("HTTP/1.0 500\r\n\r\n", true).unwrap().status, 500);
        assert!(read("nonsense\r\n\r\n", false).is_none());
        assert!(read("HTTP/1.1 200 OK\r\n", false).is_none());
    }

    #[test]
    fn targets() {
        let log = std::env::current_exe().unwrap();
        let target = |text: &str| Remote::new(text, &log).map(|remote| remote.address.to_string());
        assert_eq!(target("http://127.0.0.1:8080/").unwrap(), "127.0.0.1:8080");
        assert_eq!(target("http://127.0.0.1").unwrap(), "127.0.0.1:80");
        assert!(target("https://127.0.0.1").is_err());
        assert!(target("http://127.0.0.1/path").is_err());
        assert!(Remote::new("http://127.0.0.1", Path::new("/nonexistent/log")).is_err());
    }
}
