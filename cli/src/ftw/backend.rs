//! The backend behind the rules when they are tested in-process: answers as the one that the Core Rule Set is
//! tested with (albedo) would give.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::request::Parsed;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// The body of a request to `/reflect`: the answer that is wanted.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wanted {
    status: u16,
    headers: std::collections::BTreeMap<String, String>,
    body: String,
    encoded_body: String,
}

/// What the backend answers: `POST /reflect` gives what its body describes, `/status/N` that status, all
/// else 200.
pub(super) fn answer(request: &Parsed) -> Answer {
    let path = request.target.split(|&byte| byte == b'?').next().unwrap_or_default();
    if request.method == b"POST" && (path == b"/reflect" || path.starts_with(b"/reflect/")) {
        return reflect(&request.body);
    }
    let status = path.strip_prefix(b"/status/").and_then(|code| std::str::from_utf8(code).ok()?.parse().ok());
    match status {
        Some(status @ 200..=599) => whole(status, format!("status {status}\n").into_bytes()),
        Some(_) => whole(400, b"no such status\n".to_vec()),
        None => whole(200, b"ok\n".to_vec()),
    }
}

fn reflect(body: &[u8]) -> Answer {
    let Ok(wanted) = serde_json::from_slice::<Wanted>(body) else {
        return whole(400, b"Invalid JSON in request body".to_vec());
    };
    let status = if wanted.status == 0 { 200 } else { wanted.status };
    if !(100..=599).contains(&status) {
        return whole(400, b"Invalid status code".to_vec());
    }
    let body = if wanted.body.is_empty() {
        match STANDARD.decode(&wanted.encoded_body) {
            Ok(body) => body,
            Err(_) => return whole(400, b"Invalid base64".to_vec()),
        }
    } else {
        wanted.body.into_bytes()
    };
    let mut answer = whole(status, body);
    for (name, value) in wanted.headers {
        answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name.as_bytes()));
        answer.headers.push((name.into_bytes(), value.into_bytes()));
    }
    answer
}

/// An answer with its length, and the media type that a server guesses when nothing else is said.
fn whole(status: u16, body: Vec<u8>) -> Answer {
    let mut headers = vec![(b"Content-Length".to_vec(), body.len().to_string().into_bytes())];
    if !body.is_empty() {
        let binary = body.iter().any(|byte| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31));
        let media_type: &[u8] =
            if binary { b"application/octet-stream" } else { b"text/plain; charset=utf-8" };
        headers.push((b"Content-Type".to_vec(), media_type.to_vec()));
    }
    Answer { status, headers, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(head: &str, body: &str) -> Answer {
        let length = body.len();
        answer(&Parsed::read(format!("{head} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes()))
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a [u8]> {
        let found = answer.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| value.as_slice())
    }

    #[test]
    fn answers() {
        assert_eq!(ask("GET /status/404", "").status, 404);
        assert_eq!(ask("GET /status/99", "").status, 400);
        assert_eq!(ask("GET /anything?x=/reflect", "").status, 200);
        assert_eq!(ask("GET /reflect", "{\"status\": 500}").status, 200);
        assert_eq!(ask("POST /reflect", "{\"status\": 500}").status, 500);
        assert_eq!(ask("POST /reflect", "{\"status\": 700}").status, 400);
        assert_eq!(ask("POST /reflect", "<").status, 400);
    }

    #[test]
    fn reflected_answers() {
        let plain = ask("POST /reflect/x?y", r#"{"body": "text", "headers": {"X": "1"}, "logMessage": "m"}"#);
        assert_eq!((plain.status, plain.body.as_slice()), (200, &b"text"[..]));
        assert_eq!(header(&plain, "content-type"), Some(&b"text/plain; charset=utf-8"[..]));
        assert_eq!(header(&plain, "x"), Some(&b"1"[..]));
        let encoded = ask("POST /reflect", r#"{"encodedBody": "AAE=", "headers": {"content-type": "a/b"}}"#);
        assert_eq!(encoded.body, b"\0\x01");
        assert_eq!(header(&encoded, "content-type"), Some(&b"a/b"[..]));
        let guessed = ask("POST /reflect", r#"{"encodedBody": "AAE="}"#);
        assert_eq!(header(&guessed, "content-type"), Some(&b"application/octet-stream"[..]));
    }
}
