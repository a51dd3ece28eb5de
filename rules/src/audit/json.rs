//! Audit records as JSON, in the shape of ModSecurity v3, with `is_interrupted`, `messages_omitted` and `files`
//! added.

use super::record::{
    AuditFile, AuditMessage, AuditRecord, CONNECTOR, Excerpt, OwnedField, PRODUCER, cut, cut_headers,
};
use crate::http::time::CivilTime;
use crate::limits;

pub(super) fn render(record: &AuditRecord) -> Vec<u8> {
    let mut out = Writer::default();
    out.object(|out| {
        out.name("transaction");
        out.object(|out| transaction(record, out));
    });
    out.text.into_bytes()
}

fn transaction(record: &AuditRecord, out: &mut Writer) {
    let parts = record.parts;
    out.member("client_ip", &record.client.0, usize::MAX);
    out.member("time_stamp", time_stamp(&record.at).as_bytes(), usize::MAX);
    out.member("server_id", server_id(&record.server.0).as_bytes(), usize::MAX);
    out.number("client_port", &record.client.1);
    out.member("host_ip", &record.server.0, usize::MAX);
    out.number("host_port", &record.server.1);
    out.member("unique_id", &record.unique_id, limits::AUDIT_TEXT_BYTES);
    out.name("request");
    out.object(|out| {
        out.member("method", &record.method, limits::AUDIT_TEXT_BYTES);
        out.number("http_version", record.protocol.strip_prefix(b"HTTP/").unwrap_or(&record.protocol));
        out.member("uri", &record.uri, limits::AUDIT_TEXT_BYTES);
        if record.has_request_body() {
            out.excerpt("body", &record.request_body);
        }
        if parts.has('J') {
            out.name("files");
            out.list(record.files.iter().take(limits::AUDIT_FILES), |out, file| {
                let AuditFile { field, name, size } = file;
                out.object(|out| {
                    out.member("field", field, limits::AUDIT_TEXT_BYTES);
                    out.member("name", name, limits::AUDIT_TEXT_BYTES);
                    out.number("size", size);
                });
            });
        }
        if parts.has('B') {
            headers(&record.request_headers, out);
        }
    });
    out.name("response");
    out.object(|out| {
        if parts.has('E') {
            out.excerpt("body", &record.response_body);
        }
        out.number("http_code", record.status.to_string().as_bytes());
        if parts.has('F') {
            headers(&record.response_headers, out);
        }
    });
    out.name("is_interrupted");
    out.raw(if record.interrupted { "true" } else { "false" });
    if parts.has('H') {
        out.name("producer");
        out.object(|out| {
            out.member("modsecurity", PRODUCER.as_bytes(), usize::MAX);
            out.member("connector", CONNECTOR.as_bytes(), usize::MAX);
            out.member("secrules_engine", record.engine_name().as_bytes(), usize::MAX);
            out.name("components");
            out.list(record.components.iter(), |out, name| out.string(name.as_bytes(), usize::MAX));
        });
    }
    if record.has_messages() {
        out.name("messages");
        out.list(record.messages.iter(), |out, message| self::message(message, out));
        if record.messages_omitted > 0 {
            out.number("messages_omitted", record.messages_omitted.to_string().as_bytes());
        }
    }
}

fn headers(headers: &[OwnedField], out: &mut Writer) {
    let (shown, omitted) = cut_headers(headers);
    out.name("headers");
    out.object(|out| {
        for (name, value) in shown {
            out.comma();
            out.string(name, limits::AUDIT_TEXT_BYTES);
            out.text.push(':');
            out.string(value, limits::AUDIT_TEXT_BYTES);
        }
    });
    if omitted > 0 {
        out.number("headers_omitted", omitted.to_string().as_bytes());
    }
}

fn message(message: &AuditMessage, out: &mut Writer) {
    let number = |number: &dyn ToString| number.to_string().into_bytes();
    out.object(|out| {
        out.member("message", &message.message, limits::AUDIT_TEXT_BYTES);
        out.name("details");
        out.object(|out| {
            out.member("match", &message.matched, limits::AUDIT_TEXT_BYTES);
            out.member("reference", b"", 0);
            out.member("ruleId", &number(&message.rule_id), usize::MAX);
            out.member("file", message.file.as_bytes(), limits::AUDIT_TEXT_BYTES);
            out.member("lineNumber", &number(&message.line_number), usize::MAX);
            out.member("data", &message.data, limits::AUDIT_TEXT_BYTES);
            let severity = message.severity.map(|severity| severity.to_string()).unwrap_or_default();
            out.member("severity", severity.as_bytes(), usize::MAX);
            out.member("ver", message.ver.as_bytes(), limits::AUDIT_TEXT_BYTES);
            out.member("rev", message.rev.as_bytes(), limits::AUDIT_TEXT_BYTES);
            out.name("tags");
            out.list(message.tags.iter(), |out, tag| out.string(tag, limits::AUDIT_TEXT_BYTES));
            out.member("maturity", &number(&message.maturity), usize::MAX);
            out.member("accuracy", &number(&message.accuracy), usize::MAX);
        });
    });
}

/// `Www Mmm dd hh:mm:ss yyyy`, UTC.
fn time_stamp(at: &CivilTime) -> String {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let day = DAYS.get(usize::from(at.weekday)).copied().unwrap_or_default();
    let month = at.month_name();
    format!("{day} {month} {:02} {:02}:{:02}:{:02} {:04}", at.day, at.hour, at.minute, at.second, at.year)
}

/// The same for all records of a server: a digest of its address.
fn server_id(address: &[u8]) -> String {
    use sha1::Digest as _;
    sha1::Sha1::digest(address).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes JSON in printable ASCII.
#[derive(Default)]
struct Writer {
    text: String,
}

impl Writer {
    fn comma(&mut self) {
        if !self.text.ends_with(['{', '[', ':']) && !self.text.is_empty() {
            self.text.push(',');
        }
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.text.push('{');
        fill(self);
        self.text.push('}');
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Self, T)) {
        self.text.push('[');
        for item in items {
            self.comma();
            write(self, item);
        }
        self.text.push(']');
    }

    /// Begins a member whose name needs no escapes.
    fn name(&mut self, name: &str) {
        self.comma();
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    fn member(&mut self, name: &str, value: &[u8], limit: usize) {
        self.name(name);
        self.string(value, limit);
    }

    fn excerpt(&mut self, name: &str, excerpt: &Excerpt) {
        self.name(name);
        self.shown(&excerpt.text, excerpt.omitted);
    }

    /// A number as it is written; a string if it is none.
    fn number(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        match std::str::from_utf8(value) {
            Ok(text) if is_number(text) => self.text.push_str(text),
            _ => self.string(value, limits::AUDIT_TEXT_BYTES),
        }
    }

    /// A string. Bytes that are not UTF-8 become `\xhh`, as in the error log.
    fn string(&mut self, value: &[u8], limit: usize) {
        let (shown, omitted) = cut(value, limit);
        self.shown(shown, omitted);
    }

    fn shown(&mut self, shown: &[u8], omitted: usize) {
        self.text.push('"');
        for chunk in shown.utf8_chunks() {
            for letter in chunk.valid().chars() {
                self.letter(letter);
            }
            for byte in chunk.invalid() {
                self.text.push_str(&format!("\\\\x{byte:02x}"));
            }
        }
        if omitted > 0 {
            self.text.push_str(&format!(" ({omitted} bytes omitted)"));
        }
        self.text.push('"');
    }

    fn letter(&mut self, letter: char) {
        match letter {
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            ' '..='~' => self.text.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    self.text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

/// Whether a text is a JSON number: digits without a zero in front, and perhaps a fraction.
fn is_number(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && text.len() < 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_printable_ascii() {
        let mut out = Writer::default();
        out.string("a\"\\\r\n\t\u{1}é\u{1f600}".as_bytes(), 100);
        assert_eq!(out.text, r#""a\"\\\r\n\t\u0001\u00e9\ud83d\ude00""#);
        let back: String = serde_json::from_str(&out.text).unwrap();
        assert_eq!(back, "a\"\\\r\n\t\u{1}é\u{1f600}");
        let mut out = Writer::default();
        out.string(b"ab\xff\xc3cdef", 5);
        assert_eq!(out.text, r#""ab\\xff\\xc3c (3 bytes omitted)""#);
    }

    #[test]
    fn numbers() {
        for (text, number) in [
            ("1.1", true),
            ("2", true),
            ("0", true),
            ("", false),
            ("01", false),
            ("1.", false),
            ("-1", false),
        ] {
            assert_eq!(is_number(text), number, "{text}");
        }
    }

    #[test]
    fn time_stamps() {
        assert_eq!(time_stamp(&CivilTime::from_unix(0)), "Thu Jan 01 00:00:00 1970");
    }
}
