//! Tests that fail behind Envoy because of Envoy: which, why, and the proof.

use std::collections::BTreeMap;

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
}

/// A test that fails behind Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    pub(crate) doing: Doing,
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
        let reason = entry.get("reason").and_then(Value::as_str).unwrap_or_default();
        let refuses = entry.get("refuses").and_then(Value::as_u64);
        let alters = entry.get("alters").and_then(Value::as_str);
        let doing = match (refuses, alters) {
            (Some(status), None) => Doing::Refuses(u16::try_from(status)?),
            (None, Some(what)) => Doing::Alters(what.to_owned()),
            _ => bail!("{test} has to say either `refuses` or `alters`"),
        };
        if reason.is_empty() {
            bail!("{test} has no reason");
        }
        list.insert(test.clone(), Deviation { doing, reason: reason.to_owned() });
    }
    Ok(list)
}

/// Sends a request to an Envoy without our filter and sees whether it does what a deviation says.
///
/// # Errors
/// With what it did instead.
pub(crate) async fn prove(doing: &Doing, envoy: &Gateway, request: &[u8]) -> Result<()> {
    let hits = envoy.upstream().hits();
    let mut client = Http1::connect(envoy.envoy().listener()).await?;
    // It may answer before it has read everything.
    let _ = client.write(request).await;
    let reply = client.receive_head().await;
    let reached = envoy.upstream().since(hits);
    match (doing, reached.first()) {
        (Doing::Refuses(status), None) if reply.status.unwrap_or(0) == *status => Ok(()),
        (Doing::Refuses(status), None) => {
            bail!("without the filter it refuses with {:?} instead of {status}", reply.status)
        }
        (Doing::Refuses(_), Some(_)) => bail!("without the filter it does not refuse the request"),
        (Doing::Alters(_), None) => {
            bail!("without the filter it answers by itself, with {:?}", reply.status)
        }
        (Doing::Alters(what), Some(seen)) => {
            let (sent, came) = (as_sent(request, what), as_seen(seen, what));
            if sent == came {
                bail!("without the filter it lets `{what}` pass as it is");
            }
            Ok(())
        }
    }
}

/// A part of a request as it was sent.
fn as_sent(request: &[u8], what: &str) -> Vec<Vec<u8>> {
    let mut lines = request.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let mut words = first.split(|byte| *byte == b' ').map(<[u8]>::to_vec);
    match what {
        "method" => words.next().into_iter().collect(),
        "target" => words.nth(1).into_iter().collect(),
        "version" => words.next_back().into_iter().collect(),
        name => {
            let fields = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
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
        "version" => vec![seen.protocol.as_bytes().to_vec()],
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
        let text = "1-1: { refuses: 400, reason: a }\n1-2: { alters: host, reason: b }";
        let list = read(text).unwrap();
        assert_eq!(list.get("1-1").unwrap().doing, Doing::Refuses(400));
        assert_eq!(list.get("1-2").unwrap().doing, Doing::Alters("host".to_owned()));
        for broken in
            ["1-1: { reason: a }", "1-1: { refuses: 400 }", "1-1: { refuses: 1, alters: a, reason: b }"]
        {
            assert!(read(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn parts_of_requests() {
        let request = b"GET /a HTTP/1.0\r\nHost: a\r\nhost:b\r\n\r\nhost: c";
        assert_eq!(as_sent(request, "method"), [b"GET"]);
        assert_eq!(as_sent(request, "target"), [b"/a"]);
        assert_eq!(as_sent(request, "version"), [b"HTTP/1.0"]);
        assert_eq!(as_sent(request, "host"), [b"a", b"b"]);
        let headers = vec![("host".to_owned(), b"a".to_vec())];
        assert_eq!(as_seen(&Seen { headers, ..Seen::default() }, "Host"), [b"a"]);
    }
}
