//! Tests that fail behind Envoy because of Envoy: which, why, and the proof.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, bail};
use portcullis_integration::{Gateway, Http1, Seen};
use serde_json::Value;

/// The tests that are known to fail behind Envoy.
const LIST: &str = include_str!("../../../ftw/deviations.yaml");

/// What Envoy does to a request before any filter sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It answers by itself with this status, or 0 when it just closes the connection.
    Refuses(u16),
    /// It changes, removes or adds this header field, or `method`, `target` or `version`.
    Alters(String),
    /// It lets the request pass, where the test wants the server to refuse it.
    Forwards,
}

/// A test that fails behind Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    pub(crate) doing: Doing,
    /// It fails only where rules refuse.
    pub(crate) blocking_only: bool,
    /// In a sentence.
    pub(crate) reason: String,
}

/// The known deviations by test.
///
/// # Errors
/// When the list is malformed.
pub(crate) fn list() -> Result<BTreeMap<String, Deviation>> {
    read(LIST).context("integration/ftw/deviations.yaml")
}

fn read(text: &str) -> Result<BTreeMap<String, Deviation>> {
    let root = portcullis_integration::parse_yaml(text)?;
    let entries = root.as_object().context("not a map")?;
    let mut list = BTreeMap::new();
    for (test, entry) in entries {
        if entry.get("kind").and_then(Value::as_str) != Some("host") {
            bail!("{test}: the only kind of deviation is `host`");
        }
        let reason = entry.get("reason").and_then(Value::as_str).unwrap_or_default();
        let refuses = entry.get("refuses").and_then(Value::as_u64);
        let alters = entry.get("alters").and_then(Value::as_str);
        let forwards = entry.get("forwards").and_then(Value::as_bool);
        let doing = match (refuses, alters, forwards) {
            (Some(status), None, None) => Doing::Refuses(u16::try_from(status)?),
            (None, Some(what), None) => Doing::Alters(what.to_owned()),
            (None, None, Some(true)) => Doing::Forwards,
            _ => bail!("{test} has to say one of `refuses: STATUS`, `alters: PART`, `forwards: true`"),
        };
        if reason.is_empty() {
            bail!("{test} has no reason");
        }
        let blocking_only = entry.get("blocking_only").and_then(Value::as_bool).unwrap_or(false);
        list.insert(test.clone(), Deviation { doing, blocking_only, reason: reason.to_owned() });
    }
    Ok(list)
}

/// What an Envoy without our filter did with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Observed {
    /// It answered by itself with this status, or 0 when it just closed the connection.
    Refused(u16),
    /// It forwarded it, with these parts not as they were sent.
    Forwarded(Vec<String>),
}

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(0) => f.write_str("refuses it without an answer"),
            Self::Refused(status) => write!(f, "refuses it with status {status}"),
            Self::Forwarded(altered) if altered.is_empty() => f.write_str("forwards it as it is"),
            Self::Forwarded(altered) => write!(f, "forwards it with another {}", altered.join(", ")),
        }
    }
}

impl Doing {
    /// Whether Envoy was seen to do it.
    pub(crate) fn is_proved_by(&self, observed: &Observed) -> bool {
        match (self, observed) {
            (Self::Refuses(status), Observed::Refused(seen)) => status == seen,
            (Self::Alters(what), Observed::Forwarded(altered)) => altered.contains(what),
            (Self::Forwards, Observed::Forwarded(_)) => true,
            _ => false,
        }
    }
}

/// Sends a request to an Envoy without our filter.
///
/// # Errors
/// When it can't be reached.
pub(crate) async fn observe(envoy: &Gateway, request: &[u8]) -> Result<Observed> {
    let hits = envoy.upstream().hits();
    let mut client = Http1::connect(envoy.envoy().listener()).await?;
    // It may answer before it has read everything.
    let _ = client.write(request).await;
    let reply = client.receive_head().await;
    let Some(seen) = envoy.upstream().since(hits).into_iter().next() else {
        return Ok(Observed::Refused(reply.status.unwrap_or(0)));
    };
    let mut parts: Vec<String> = ["method", "target", "version"].map(str::to_owned).into();
    for name in field_names(request) {
        if !parts.contains(&name) {
            parts.push(name);
        }
    }
    // A proxy ends each connection by itself; that `close` is not passed on changes nothing about the request.
    parts.retain(|part| {
        let sent = as_sent(request, part);
        sent != as_seen(&seen, part) && !(part == "connection" && sent == [b"close"])
    });
    Ok(Observed::Forwarded(parts))
}

/// The lines of a request's head.
fn head_lines(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = request.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.take_while(|line| !line.is_empty())
}

/// The names of the header fields that were sent, in lower case.
fn field_names(request: &[u8]) -> impl Iterator<Item = String> {
    let names = head_lines(request).skip(1).filter_map(|line| line.split(|byte| *byte == b':').next());
    names.map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// A part of a request as it was sent.
fn as_sent(request: &[u8], what: &str) -> Vec<Vec<u8>> {
    let mut lines = head_lines(request);
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ').map(<[u8]>::to_vec);
    match what {
        "method" => words.next().into_iter().collect(),
        "target" => words.nth(1).into_iter().collect(),
        "version" => words.next_back().into_iter().collect(),
        name => {
            let fields = lines.filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let (field, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii();
                field.eq_ignore_ascii_case(name.as_bytes()).then(|| value.to_vec())
            });
            fields.collect()
        }
    }
}

/// A part of a request as it reached the upstream.
fn as_seen(seen: &Seen, what: &str) -> Vec<Vec<u8>> {
    match what {
        "method" => vec![seen.method.as_bytes().to_vec()],
        "target" => vec![seen.target.as_bytes().to_vec()],
        // The upstream always gets HTTP/1.1; this is what the client was taken to speak.
        "version" => seen.header("x-downstream-protocol").map(<[u8]>::to_vec).into_iter().collect(),
        name => {
            let named = seen.headers.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
            named.map(|(_, value)| value.clone()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read() {
        assert!(list().is_ok());
        let text = "1-1: { kind: host, refuses: 400, reason: a }\n\
                    1-2: { kind: host, alters: host, reason: b }\n\
                    1-3: { kind: host, forwards: true, reason: c }";
        let list = read(text).unwrap();
        assert_eq!(list.get("1-1").unwrap().doing, Doing::Refuses(400));
        assert_eq!(list.get("1-2").unwrap().doing, Doing::Alters("host".to_owned()));
        assert_eq!(list.get("1-3").unwrap().doing, Doing::Forwards);
        for broken in [
            "1-1: { kind: host, reason: a }",
            "1-1: { kind: host, refuses: 400 }",
            "1-1: { kind: host, refuses: 1, alters: a, reason: b }",
            "1-1: { refuses: 400, reason: a }",
            "1-1: { kind: engine, refuses: 400, reason: a }",
        ] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn proofs() {
        let altered =
            |parts: &[&str]| Observed::Forwarded(parts.iter().map(|part| (*part).to_owned()).collect());
        let alters = Doing::Alters("host".to_owned());
        assert!(Doing::Refuses(400).is_proved_by(&Observed::Refused(400)));
        assert!(!Doing::Refuses(400).is_proved_by(&Observed::Refused(0)));
        assert!(!Doing::Refuses(400).is_proved_by(&altered(&[])));
        assert!(alters.is_proved_by(&altered(&["target", "host"])));
        assert!(!alters.is_proved_by(&altered(&["target"])));
        assert!(!alters.is_proved_by(&Observed::Refused(400)));
        assert!(Doing::Forwards.is_proved_by(&altered(&[])));
        assert!(!Doing::Forwards.is_proved_by(&Observed::Refused(400)));
    }

    #[test]
    fn parts_of_requests() {
        let request = b"GET /a HTTP/1.0\r\nHost: a\r\nhost:b\r\n\r\nhost: c";
        assert_eq!(as_sent(request, "method"), [b"GET"]);
        assert_eq!(as_sent(request, "target"), [b"/a"]);
        assert_eq!(as_sent(request, "version"), [b"HTTP/1.0"]);
        assert_eq!(as_sent(request, "host"), [b"a", b"b"]);
        assert_eq!(field_names(request).collect::<Vec<_>>(), ["host", "host"]);
        let field = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        let headers = vec![field("host", b"a"), field("x-downstream-protocol", b"HTTP/1.0")];
        let seen = Seen { headers, ..Seen::default() };
        assert_eq!(as_seen(&seen, "Host"), [b"a"]);
        assert_eq!(as_seen(&seen, "version"), [b"HTTP/1.0"]);
    }
}
