//! Reads Envoy's log and access log.

use serde_json::Value;

/// A rule that was logged for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedMatch {
    /// The rule.
    pub rule_id: u64,
    /// The whole line.
    pub line: String,
}

/// The rule matches logged for a request, in order.
#[must_use]
pub fn matches(log: &str, request_id: &str) -> Vec<LoggedMatch> {
    let unique_id = format!("[unique_id \"{request_id}\"]");
    let about = log.lines().filter(|line| line.contains("ModSecurity: ") && line.contains(&unique_id));
    about
        .filter_map(|line| {
            let (_, after) = line.split_once("[id \"")?;
            let (id, _) = after.split_once('"')?;
            Some(LoggedMatch { rule_id: id.parse().ok()?, line: line.to_owned() })
        })
        .collect()
}

/// One request as Envoy's access log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `x-request-id`.
    pub request_id: String,
    /// The status, 0 when none was sent.
    pub status: u64,
    /// Why this status: `via_upstream`, …
    pub details: String,
    /// Envoy's response flags, `-` for none.
    pub flags: String,
}

/// The requests in an access log as [`crate::Bootstrap`] sets it up, one JSON object a line.
#[must_use]
pub fn access_records(log: &str) -> Vec<Access> {
    let text =
        |record: &Value, name: &str| record.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    log.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .map(|record: Value| Access {
            request_id: text(&record, "request_id"),
            status: record.get("status").and_then(Value::as_u64).unwrap_or(0),
            details: text(&record, "details"),
            flags: text(&record, "flags"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Access, access_records, matches};

    #[test]
    fn matches_are_found_by_request() {
        let line = |rule: u64, request: &str| {
            format!(
                "[2026-01-01 00:00:00.000][7][warning][wasm] [context.cc:1] wasm log portcullis portcullis: \
                 [client 127.0.0.1] ModSecurity: Warning. Matched \"Operator `Contains'\" \
                 [file \"policy\"] [line \"1\"] [id \"{rule}\"] [msg \"m\"] [unique_id \"{request}\"] [ref \"\"]"
            )
        };
        let log =
            [line(1, "a"), "[id \"9\"] unrelated [unique_id \"a\"]".to_owned(), line(2, "b"), line(3, "a")];
        let found = matches(&log.join("\n"), "a");
        assert_eq!(found.iter().map(|m| m.rule_id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(found[0].line, log[0]);
        assert_eq!(matches(&log.join("\n"), "c"), []);
    }

    #[test]
    fn access_log_lines_are_read() {
        let log = "{\"request_id\":\"a\",\"status\":403,\"details\":\"denied\",\"flags\":\"-\"}\nnot JSON\n\
                   {\"request_id\":\"b\",\"status\":0,\"details\":null,\"flags\":\"DC\"}\n{\"request_id\":\"cut";
        let record = |id: &str, status, details: &str, flags: &str| Access {
            request_id: id.to_owned(),
            status,
            details: details.to_owned(),
            flags: flags.to_owned(),
        };
        assert_eq!(access_records(log), [record("a", 403, "denied", "-"), record("b", 0, "-", "DC")]);
    }
}
