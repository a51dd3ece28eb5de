//! The error-log line of a rule match, in the format of ModSecurity v3: names, order and brackets are what
//! log tools and go-ftw look for. Two choices where engines differ: the severity is the upper-case word, and
//! every value is escaped in the same way, so that a line is always one physical line.

use super::AuditMessage;
use crate::limits::LOG_TEXT_BYTES;
use crate::model::{Phase, Severity};

/// What goes into the line.
#[derive(Debug)]
pub(crate) struct ErrorLine<'a> {
    pub(crate) client: &'a [u8],
    pub(crate) verdict: LineVerdict,
    pub(crate) phase: Phase,
    /// `None` for a rule without condition.
    pub(crate) found: Option<MatchedValue<'a>>,
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) id: u64,
    pub(crate) rev: &'a str,
    pub(crate) message: &'a [u8],
    pub(crate) data: &'a [u8],
    pub(crate) severity: Option<Severity>,
    pub(crate) ver: &'a str,
    pub(crate) maturity: u8,
    pub(crate) accuracy: u8,
    pub(crate) tags: &'a [Vec<u8>],
    pub(crate) hostname: &'a [u8],
    pub(crate) uri: &'a [u8],
    pub(crate) unique_id: &'a [u8],
}

/// How the rule's match is introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineVerdict {
    Warning,
    Denied(u16),
    Dropped,
    Redirected(u16),
    Allowed,
}

/// The first value that matched.
#[derive(Debug)]
pub(crate) struct MatchedValue<'a> {
    pub(crate) operator: &'a str,
    pub(crate) negated: bool,
    pub(crate) parameter: &'a [u8],
    pub(crate) variable: &'a [u8],
    /// Before transformations; at most `limits::LOG_VALUE_BYTES` of it.
    pub(crate) value: &'a [u8],
    /// How many there are.
    pub(crate) length: usize,
}

impl ErrorLine<'_> {
    /// The line, with the client in front.
    pub(crate) fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"[client \"");
        escape(&mut out, self.client);
        out.extend_from_slice(b"\"] ");
        self.without_client(&mut out);
        out
    }

    /// What an audit record says of the match.
    pub(crate) fn audit_message(&self, set: u32) -> AuditMessage {
        let (mut line, mut matched) = (Vec::new(), Vec::new());
        self.without_client(&mut line);
        self.matched(&mut matched);
        AuditMessage {
            set,
            message: self.message.to_vec(),
            matched,
            line,
            rule_id: self.id,
            file: self.file.to_owned(),
            line_number: self.line,
            data: self.data.to_vec(),
            severity: self.severity.map(Severity::number),
            ver: self.ver.to_owned(),
            rev: self.rev.to_owned(),
            tags: self.tags.to_vec(),
            maturity: self.maturity,
            accuracy: self.accuracy,
        }
    }

    fn without_client(&self, out: &mut Vec<u8>) {
        let phase = self.phase.number();
        let verdict = match self.verdict {
            LineVerdict::Warning => "Warning. ".to_owned(),
            LineVerdict::Denied(status) => format!("Access denied with code {status} (phase {phase}). "),
            LineVerdict::Dropped => format!("Access denied with connection close (phase {phase}). "),
            LineVerdict::Redirected(status) => {
                format!("Access denied with redirection, status {status} (phase {phase}). ")
            }
            LineVerdict::Allowed => format!("Access allowed (phase {phase}). "),
        };
        out.extend_from_slice(b"ModSecurity: ");
        out.extend_from_slice(verdict.as_bytes());
        self.matched(out);
        field(out, "file", self.file.as_bytes(), usize::MAX);
        field(out, "line", self.line.to_string().as_bytes(), usize::MAX);
        field(out, "id", self.id.to_string().as_bytes(), usize::MAX);
        field(out, "rev", self.rev.as_bytes(), usize::MAX);
        field(out, "msg", self.message, usize::MAX);
        field(out, "data", self.data, LOG_TEXT_BYTES);
        field(out, "severity", self.severity.map_or("", Severity::name).as_bytes(), usize::MAX);
        field(out, "ver", self.ver.as_bytes(), usize::MAX);
        field(out, "maturity", self.maturity.to_string().as_bytes(), usize::MAX);
        field(out, "accuracy", self.accuracy.to_string().as_bytes(), usize::MAX);
        for tag in self.tags {
            field(out, "tag", tag, usize::MAX);
        }
        field(out, "hostname", self.hostname, usize::MAX);
        field(out, "uri", self.uri, LOG_TEXT_BYTES);
        field(out, "unique_id", self.unique_id, usize::MAX);
    }

    fn matched(&self, out: &mut Vec<u8>) {
        let Some(found) = &self.found else {
            out.extend_from_slice(b"Unconditional match in SecAction.");
            return;
        };
        match found.operator {
            "detectSQLi" => out.extend_from_slice(b"detected SQLi using libinjection."),
            "detectXSS" => out.extend_from_slice(b"detected XSS using libinjection."),
            operator => {
                out.extend_from_slice(b"Matched \"Operator `");
                let mut letters = operator.bytes();
                out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
                out.extend(letters);
                out.extend_from_slice(b"' with parameter `");
                if found.negated {
                    out.push(b'!');
                }
                limited(out, found.parameter, LOG_TEXT_BYTES);
                out.extend_from_slice(b"' against variable `");
                escape(out, found.variable);
                out.extend_from_slice(b"' (Value: `");
                escape(out, found.value);
                omitted(out, found.length.saturating_sub(found.value.len()));
                out.extend_from_slice(b"' )");
            }
        }
    }
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8], limit: usize) {
    out.extend_from_slice(b" [");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b" \"");
    limited(out, value, limit);
    out.extend_from_slice(b"\"]");
}

fn limited(out: &mut Vec<u8>, value: &[u8], limit: usize) {
    let shown = value.get(..limit).unwrap_or(value);
    escape(out, shown);
    omitted(out, value.len() - shown.len());
}

fn omitted(out: &mut Vec<u8>, count: usize) {
    if count > 0 {
        out.extend_from_slice(format!(" ({count} characters omitted)").as_bytes());
    }
}

/// Writes `value` so that it can neither end its field nor its line: bytes outside printable ASCII, quotes
/// and backslashes become `\xhh`.
pub(crate) fn escape(out: &mut Vec<u8>, value: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'"' && *byte != b'\\';
    let mut rest = value;
    loop {
        let run = rest.iter().position(|byte| !plain(byte)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(run);
        out.extend_from_slice(run);
        let [byte, after @ ..] = after else { return };
        out.extend_from_slice(b"\\x");
        out.extend(HEX.get(usize::from(byte >> 4)));
        out.extend(HEX.get(usize::from(byte & 15)));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_field_or_the_line() {
        let mut out = Vec::new();
        escape(&mut out, b"a\"]\r\n\\\xff\x00z");
        assert_eq!(out, b"a\\x22]\\x0d\\x0a\\x5c\\xff\\x00z");
    }

    #[test]
    fn long_texts_say_how_much_is_missing() {
        let mut out = Vec::new();
        limited(&mut out, b"abcdef", 4);
        assert_eq!(out, b"abcd (2 characters omitted)");
        out.clear();
        limited(&mut out, b"abcd", 4);
        assert_eq!(out, b"abcd");
    }
}
