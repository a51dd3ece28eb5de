//! Compares what was seen with what a test expects, as go-ftw does.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::yaml::Output;

/// What came of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// The answer; `None` when there was none.
    pub(super) reply: Option<Reply>,
    /// What was logged for it.
    pub(super) lines: Vec<Vec<u8>>,
    /// How many requests reached the upstream meanwhile, where it says so.
    pub(super) upstream_hits: Option<u64>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    /// Head and body as they came.
    pub(super) raw: Vec<u8>,
}

impl Reply {
    /// The values of a header as text; what isn't UTF-8 is replaced.
    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = String> + 's {
        let found = self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// How go-ftw finds rules in a log: our own lines, and JSON inside of strings.
static TEXT_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"\[id \\?"([0-9]+)\\?"\]|\["id":\s*"?([0-9]+)"?\]"#).ok());

/// The second try, for logs in JSON.
static JSON_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"[{,]\s*"(?:id|ruleId)":\s*"?([0-9]+)"?"#).ok());

impl Evidence {
    /// The rules that were logged, each once, in the order of their first line.
    pub(super) fn ids(&self) -> Vec<u64> {
        let found = self.ids_by(&TEXT_ID);
        if found.is_empty() { self.ids_by(&JSON_ID) } else { found }
    }

    fn ids_by(&self, regex: &LazyLock<Option<Regex>>) -> Vec<u64> {
        let mut ids = Vec::new();
        let Some(regex) = LazyLock::force(regex) else { return ids };
        for captures in self.lines.iter().flat_map(|line| regex.captures_iter(line)) {
            let digits = captures.iter().skip(1).flatten().next();
            let id = digits.and_then(|digits| std::str::from_utf8(digits.as_bytes()).ok()?.parse().ok());
            ids.extend(id.filter(|id| !ids.contains(id)));
        }
        ids
    }
}

/// What differs from what is expected, in go-ftw's order: error, status, answer, log.
pub(super) fn check(expected: &Output, seen: &Evidence) -> Vec<String> {
    match (expected.expect_error, &seen.reply) {
        (true, None) => return Vec::new(),
        (true, Some(reply)) => {
            return vec![format!("expected no answer, got one with status {}", reply.status)];
        }
        (false, None) => return vec!["expected an answer, got none".to_owned()],
        (false, Some(_)) => {}
    }
    let mut wrong = Vec::new();
    if let Some(reply) = &seen.reply {
        if !expected.status.is_empty() && !expected.status.contains(&reply.status) {
            let statuses: Vec<String> = expected.status.iter().map(u16::to_string).collect();
            wrong.push(format!("expected status {}, got {}", statuses.join(" or "), reply.status));
        }
        if let Some(pattern) = &expected.response_contains
            && !found(pattern, std::slice::from_ref(&reply.raw), &mut wrong)
        {
            wrong.push(format!("expected an answer that fits {pattern}"));
        }
    }
    check_log(expected, seen, &mut wrong);
    wrong
}

fn check_log(expected: &Output, seen: &Evidence, wrong: &mut Vec<String>) {
    let log = &expected.log;
    for pattern in [&log.match_regex, &expected.log_contains].into_iter().flatten() {
        if !found(pattern, &seen.lines, wrong) {
            wrong.push(format!("expected a log line that fits {pattern}"));
        }
    }
    let ids = seen.ids();
    for id in log.expect_ids.iter().filter(|id| !ids.contains(id)) {
        wrong.push(format!("expected rule {id} in the log"));
    }
    if expected.isolated && ids.len() != 1 {
        wrong.push(format!("expected one rule in the log, there are {}", ids.len()));
    }
    for pattern in [&log.no_match_regex, &expected.no_log_contains].into_iter().flatten() {
        if found(pattern, &seen.lines, wrong) {
            wrong.push(format!("expected no log line that fits {pattern}"));
        }
    }
    for id in log.no_expect_ids.iter().filter(|id| ids.contains(id)) {
        wrong.push(format!("did not expect rule {id} in the log"));
    }
}

fn found(pattern: &str, texts: &[Vec<u8>], wrong: &mut Vec<String>) -> bool {
    match Regex::new(pattern) {
        Ok(regex) => texts.iter().any(|text| regex.is_match(text)),
        Err(problem) => {
            wrong.push(format!("the test's pattern can't be used: {problem}"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ftw::yaml::Log;

    fn seen(status: u16, lines: &[&str]) -> Evidence {
        let raw = format!("HTTP/1.1 {status} X\r\n\r\nhello").into_bytes();
        Evidence {
            reply: Some(Reply { status, headers: Vec::new(), raw }),
            lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
            upstream_hits: None,
        }
    }

    #[test]
    fn rules_in_a_log() {
        let line = r#"[file "a"] [id "5"] [data "[id \x226\x22]"] [id \"7\"] {"id": 8}"#;
        assert_eq!(seen(200, &[line, line, r#"[id "4"]"#]).ids(), [5, 7, 4]);
        assert_eq!(seen(200, &[r#"{"a":1,"id":9,"x":{"ruleId": "10"}} "id": 3"#]).ids(), [9, 10]);
        assert_eq!(seen(200, &["id 5"]).ids(), [0; 0]);
    }

    #[test]
    fn each_expectation_can_fail() {
        let line = r#"[id "5"] [msg "five"]"#;
        let log = |log: Log| Output { log, ..Output::default() };
        let text = |text: &str| Some(text.to_owned());
        for (expected, holds, fails) in [
            (Output { status: vec![200, 404], ..Output::default() }, seen(404, &[]), seen(403, &[])),
            (Output { response_contains: text("hel+o$"), ..Output::default() }, seen(200, &[]), {
                let mut other = seen(200, &[]);
                other.reply.as_mut().unwrap().raw.clear();
                other
            }),
            (
                Output { log_contains: text(r#"id "5""#), ..Output::default() },
                seen(200, &[line]),
                seen(200, &[]),
            ),
            (
                Output { no_log_contains: text("five"), ..Output::default() },
                seen(200, &[]),
                seen(200, &[line]),
            ),
            (
                log(Log { expect_ids: vec![5], ..Log::default() }),
                seen(200, &[line]),
                seen(200, &["[id \"6\"]"]),
            ),
            (log(Log { no_expect_ids: vec![5], ..Log::default() }), seen(200, &[]), seen(200, &[line])),
            (log(Log { match_regex: text("fi.e"), ..Log::default() }), seen(200, &[line]), seen(200, &[])),
            (log(Log { no_match_regex: text("fi.e"), ..Log::default() }), seen(200, &[]), seen(200, &[line])),
            (log(Log { match_regex: text("f"), ..Log::default() }), seen(200, &[line]), Evidence::default()),
            (
                Output { isolated: true, ..log(Log { expect_ids: vec![5], ..Log::default() }) },
                seen(200, &[line, line]),
                seen(200, &[line, "[id \"6\"]"]),
            ),
            (Output { expect_error: true, ..Output::default() }, Evidence::default(), seen(200, &[])),
            (Output::default(), seen(500, &[]), Evidence::default()),
        ] {
            assert_eq!(check(&expected, &holds), [""; 0], "{expected:?}");
            assert_eq!(check(&expected, &fails).len(), 1, "{expected:?}");
        }
        let broken = Output { log_contains: text("("), ..Output::default() };
        assert!(check(&broken, &seen(200, &[line]))[0].contains("pattern"));
    }
}
