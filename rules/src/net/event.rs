//! Events: what is written when a rule applies, as a CEF line or as JSON with the same fields.
//!
//! A CEF line is an RFC 5424 header, a blank, and ArcSight's Common Event Format:
//! `<PRI>1 TIME HOST portcullis PROCID - - CEF:0|ARMR:app|app|language|rule|Execute Rule|severity|key=value …`.
//! Where the form has numbers for severities it has words here, as in the logs of ARMR agents.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Action, End, EventFlow, EventFormat, Message, Operation, Rule, Severity};
use crate::eval::UnixNanos;
use crate::http::time::CivilTime;

/// Keys of events that the metadata of an app can't set.
pub const RESERVED_KEYS: [&str; 8] =
    ["agentName", "ruleType", "rt", "dvchost", "procid", "nodeid", "appVersion", "securityFeature"];

/// The machine that events come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// Its host name; empty when it is not known.
    pub host: Vec<u8>,
    /// The process id; empty when it is not known.
    pub process: Vec<u8>,
}

/// The request that an operation was part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFacts<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The path.
    pub uri: &'a [u8],
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The rule that applied.
    pub rule: &'a Rule,
    /// The operation.
    pub operation: Operation,
    /// Where it was.
    pub end: End<'a>,
    /// The host that the rule names and that was meant, when it was chosen by one.
    pub host: Option<&'a str>,
    /// The request it was part of.
    pub request: Option<RequestFacts<'a>>,
    /// Which way the connection took, as names and values; written when the rule asks for it.
    pub detail: &'a [(&'a str, Vec<u8>)],
    /// When.
    pub now: UnixNanos,
}

impl Severity {
    /// The priority of RFC 5424: facility 1 (user), severity 1 (alert) to 6 (informational).
    const fn priority(self) -> u8 {
        8 + match self {
            Self::Critical => 1,
            Self::High => 2,
            Self::Medium => 4,
            Self::Low => 5,
            Self::Unknown => 6,
        }
    }
}

impl Event<'_> {
    /// Whether the rule wants it logged.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.rule.message != Message::Silent
    }

    /// The event on one line, without a line end.
    #[must_use]
    pub fn render(&self, format: EventFormat, device: &Device) -> Vec<u8> {
        self.write(format, device, &self.message())
    }

    /// The notice that the rule's events cease for a while, on one line.
    #[must_use]
    pub fn render_notice(&self, format: EventFormat, device: &Device, flow: EventFlow) -> Vec<u8> {
        let message = format!(
            "events of this rule reached the threshold of {}: {} were logged, further ones are not for {} seconds",
            flow.most, flow.most, flow.pause_seconds
        );
        self.write(format, device, message.as_bytes())
    }

    fn write(&self, format: EventFormat, device: &Device, message: &[u8]) -> Vec<u8> {
        let fields = self.fields(device, message);
        match format {
            EventFormat::Cef => self.cef(device, &fields),
            EventFormat::Json => self.json(device, &fields),
        }
    }

    fn message(&self) -> Vec<u8> {
        match &self.rule.message {
            Message::Text(text) => text.as_bytes().to_vec(),
            Message::Silent | Message::Default => {
                let done = match self.rule.action {
                    Action::Detect => "detected",
                    Action::Protect => "refused",
                    Action::Allow => "allowed",
                };
                let what = match self.operation {
                    Operation::Accept => "connection from",
                    Operation::Connect => "connection to",
                    Operation::BindClient => "connection made from local address",
                    Operation::BindServer => "connection accepted on local address",
                };
                let mut text = format!("{what} ").into_bytes();
                let (address, port) = (self.place(), self.end.port);
                if address.contains(&b':') {
                    text.extend([b"[".as_slice(), &address, b"]"].concat());
                } else {
                    text.extend(address);
                }
                text.extend(format!(":{port} {done} by rule {}", self.rule.name).bytes());
                text
            }
        }
    }

    /// The host that was meant, else the address as text, else the first name, else `unknown`.
    fn place(&self) -> Vec<u8> {
        match (self.host, self.end.address, self.end.names.first()) {
            (Some(host), ..) => host.as_bytes().to_vec(),
            (None, Some(address), _) => address.to_canonical().to_string().into_bytes(),
            (None, None, Some(name)) => name.to_vec(),
            (None, None, None) => b"unknown".to_vec(),
        }
    }

    /// The extensions, in order.
    fn fields(&self, device: &Device, message: &[u8]) -> Vec<(String, Vec<u8>)> {
        let app = &self.rule.app;
        let known = |text: &[u8]| if text.is_empty() { b"-".to_vec() } else { text.to_vec() };
        let mut fields: Vec<(String, Vec<u8>)> = Vec::with_capacity(16);
        let mut add = |key: &str, value: Vec<u8>| fields.push((key.to_owned(), value));
        add("rt", receipt_time(self.now).into_bytes());
        add("dvchost", known(&device.host));
        add("procid", known(&device.process));
        add("appVersion", app.version.to_string().into_bytes());
        add("ruleType", b"socket".to_vec());
        add("securityFeature", self.operation.feature().as_bytes().to_vec());
        add("act", self.rule.action.name().as_bytes().to_vec());
        add("msg", message.to_vec());
        if self.rule.connection_detail {
            let frames: Vec<Vec<u8>> = self
                .detail
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| [name.as_bytes(), b": ", value.as_slice()].concat())
                .collect();
            add("stacktrace", frames.join(&b'\n'));
        }
        let (address, port) = if self.operation.is_local() {
            ("localIpAddress", "localPort")
        } else {
            ("remoteIpAddress", "remotePort")
        };
        let ip = self.end.address.map(|address| address.to_canonical().to_string().into_bytes());
        add(address, ip.unwrap_or_else(|| b"-".to_vec()));
        add(port, self.end.port.to_string().into_bytes());
        if let Some(name) = self.host.map(str::as_bytes).or_else(|| self.end.names.first().copied()) {
            add("hostname", name.to_vec());
        }
        if let Some(request) = self.request {
            add("httpRequestUri", request.uri.to_vec());
            add("httpRequestMethod", request.method.to_vec());
        }
        for (key, value) in &app.log {
            add(key, value.clone().into_bytes());
        }
        fields
    }

    fn cef(&self, device: &Device, fields: &[(String, Vec<u8>)]) -> Vec<u8> {
        let (rule, app) = (self.rule, &self.rule.app);
        let mut out = Vec::with_capacity(512);
        out.extend(format!("<{}>1 {} ", rule.severity.priority(), timestamp(self.now)).bytes());
        header_word(&device.host, &mut out);
        out.extend(b" portcullis ");
        header_word(&device.process, &mut out);
        out.extend(b" - - CEF:0|ARMR:");
        header_text(app.name.as_bytes(), &mut out);
        out.push(b'|');
        header_text(app.name.as_bytes(), &mut out);
        out.extend(format!("|{}|", app.language).bytes());
        header_text(rule.name.as_bytes(), &mut out);
        out.extend(format!("|Execute Rule|{}|", rule.severity.event_name()).bytes());
        for (number, (key, value)) in fields.iter().enumerate() {
            if number > 0 {
                out.push(b' ');
            }
            out.extend(key.as_bytes());
            out.push(b'=');
            extension_text(value, &mut out);
        }
        out
    }

    fn json(&self, device: &Device, fields: &[(String, Vec<u8>)]) -> Vec<u8> {
        let (rule, app) = (self.rule, &self.rule.app);
        let mut object = Map::new();
        let mut add = |key: &str, value: Value| object.insert(key.to_owned(), value);
        add("time", timestamp(self.now).into());
        add("host", text(&device.host));
        add("vendor", format!("ARMR:{}", app.name).into());
        add("product", app.name.clone().into());
        add("version", app.language.to_string().into());
        add("rule", rule.name.to_string().into());
        add("event", "Execute Rule".into());
        add("severity", rule.severity.event_name().into());
        for (key, value) in fields {
            let number = matches!(key.as_str(), "remotePort" | "localPort" | "appVersion");
            let parsed = if number {
                std::str::from_utf8(value).ok().and_then(|t| t.parse::<u64>().ok())
            } else {
                None
            };
            add(key, parsed.map_or_else(|| text(value), Value::from));
        }
        serde_json::to_vec(&Value::Object(object)).unwrap_or_default()
    }
}

/// Bytes as JSON text; what is not UTF-8 is written as `\xhh`.
fn text(bytes: &[u8]) -> Value {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    Value::String(out)
}

/// `2026-03-22T11:03:42.101Z`.
fn timestamp(now: UnixNanos) -> String {
    let time = CivilTime::from_unix(now.0 / 1_000_000_000);
    let (year, month, day) = (time.year, time.month, time.day);
    let (hour, minute, second) = (time.hour, time.minute, time.second);
    let millis = now.0 / 1_000_000 % 1_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// `Mar 22 2026 11:03:42.1019 +0000`.
fn receipt_time(now: UnixNanos) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = CivilTime::from_unix(now.0 / 1_000_000_000);
    let month = MONTHS.get(usize::from(time.month).saturating_sub(1)).copied().unwrap_or_default();
    let (day, year, hour, minute, second) = (time.day, time.year, time.hour, time.minute, time.second);
    let fraction = now.0 / 100_000 % 10_000;
    format!("{month} {day:02} {year:04} {hour:02}:{minute:02}:{second:02}.{fraction:04} +0000")
}

/// A field of the RFC 5424 header: printable ASCII without blanks, `-` when there is nothing.
fn header_word(word: &[u8], out: &mut Vec<u8>) {
    if word.is_empty() {
        out.push(b'-');
    }
    out.extend(word.iter().map(|byte| if byte.is_ascii_graphic() { *byte } else { b'_' }));
}

/// A field of the CEF header: `|` and `\` are escaped, line ends become blanks.
fn header_text(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out, |byte| match byte {
        b'|' => Some(b"\\|"),
        b'\\' => Some(b"\\\\"),
        b'\n' | b'\r' => Some(b" "),
        _ => None,
    });
}

/// A value of the CEF extension: `=` and `\` are escaped, line ends become `\n` and `\r`.
fn extension_text(bytes: &[u8], out: &mut Vec<u8>) {
    escape(bytes, out, |byte| match byte {
        b'=' => Some(b"\\="),
        b'\\' => Some(b"\\\\"),
        b'\n' => Some(b"\\n"),
        b'\r' => Some(b"\\r"),
        _ => None,
    });
}

/// Writes text with escapes; other control characters, and bytes that are not UTF-8, become `\\xhh`.
fn escape(bytes: &[u8], out: &mut Vec<u8>, special: impl Fn(u8) -> Option<&'static [u8]>) {
    for chunk in bytes.utf8_chunks() {
        for byte in chunk.valid().bytes() {
            match special(byte) {
                Some(escaped) => out.extend(escaped),
                None if byte.is_ascii_control() => out.extend(format!("\\\\x{byte:02x}").bytes()),
                None => out.push(byte),
            }
        }
        for byte in chunk.invalid() {
            out.extend(format!("\\\\x{byte:02x}").bytes());
        }
    }
}
