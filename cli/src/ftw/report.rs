//! What came of the tests, for people and for programs.

use std::io::{IsTerminal as _, Write};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::check::Evidence;
use crate::output::{say, tell};

/// Longest log line shown to people, in bytes.
const LINE_BYTES: usize = 400;

/// What came of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Passed,
    Failed,
    Skipped,
}

/// A test that has run.
#[derive(Debug, Serialize)]
pub(super) struct TestReport {
    pub(super) id: String,
    pub(super) result: Verdict,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    pub(super) stages: Vec<StageReport>,
}

/// A stage that has run.
#[derive(Debug, Serialize)]
pub(super) struct StageReport {
    /// What differs from what is expected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<String>,
    /// The answer's status, if there was an answer.
    pub(super) status: Option<u16>,
    /// The rules in the log.
    pub(super) rules: Vec<u64>,
    /// Whether a rule refused the exchange.
    pub(super) blocked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upstream_hits: Option<u64>,
    /// Of failed stages only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_base64: Option<String>,
    /// Of failed stages only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) log: Vec<String>,
}

impl StageReport {
    pub(super) fn new(request: &[u8], seen: &Evidence, blocked: bool, problems: Vec<String>) -> Self {
        let failed = !problems.is_empty();
        let lines = seen.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned());
        Self {
            status: seen.reply.as_ref().map(|reply| reply.status),
            rules: seen.ids(),
            blocked,
            upstream_hits: seen.upstream_hits,
            request_base64: failed.then(|| STANDARD.encode(request)),
            log: lines.filter(|_| failed).collect(),
            problems,
        }
    }
}

/// All tests of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    tests: Vec<TestReport>,
    passed: usize,
    failed: usize,
    skipped: usize,
    /// Stages that a rule refused; with `--blocking`.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<usize>,
}

impl Report {
    pub(super) fn new(blocking: bool) -> Self {
        Self { blocked: blocking.then_some(0), ..Self::default() }
    }

    pub(super) fn add(&mut self, test: TestReport) {
        let count = match test.result {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed => &mut self.failed,
            Verdict::Skipped => &mut self.skipped,
        };
        *count += 1;
        if let Some(blocked) = &mut self.blocked {
            *blocked += test.stages.iter().filter(|stage| stage.blocked).count();
        }
        self.tests.push(test);
    }

    pub(super) fn has_failures(&self) -> bool {
        self.failed > 0
    }

    pub(super) fn json(&self, out: &mut impl Write) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)?;
        Ok(())
    }

    /// Failures with what was seen, what was skipped and why, and the closing line.
    pub(super) fn human(&self, out: &mut impl Write) -> anyhow::Result<()> {
        for test in &self.tests {
            match test.result {
                Verdict::Passed => {}
                Verdict::Skipped => {
                    writeln!(out, "skipped {}: {}", test.id, test.reason.as_deref().unwrap_or_default())?;
                }
                Verdict::Failed => failure(out, test)?,
            }
        }
        if let Some(blocked) = self.blocked {
            writeln!(out, "{blocked} requests were refused by a rule")?;
        }
        writeln!(out, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)?;
        Ok(())
    }
}

fn failure(out: &mut impl Write, test: &TestReport) -> std::io::Result<()> {
    for (number, stage) in (1..).zip(&test.stages).filter(|(_, stage)| !stage.problems.is_empty()) {
        let which = if test.stages.len() > 1 { format!(", stage {number}") } else { String::new() };
        writeln!(out, "FAILED {}{which}", test.id)?;
        for problem in &stage.problems {
            writeln!(out, "  {problem}")?;
        }
        let request = stage.request_base64.as_ref().and_then(|text| STANDARD.decode(text).ok());
        let request = request.unwrap_or_default();
        let line = request.split(|&byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
        writeln!(out, "  request: {}", shortened(&line.escape_ascii().to_string()))?;
        match stage.status {
            Some(status) => writeln!(out, "  status: {status}")?,
            None => writeln!(out, "  no answer")?,
        }
        let rules: Vec<String> = stage.rules.iter().map(u64::to_string).collect();
        writeln!(out, "  rules: {}", if rules.is_empty() { "none".to_owned() } else { rules.join(" ") })?;
        for line in &stage.log {
            writeln!(out, "  log: {}", shortened(line))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(LINE_BYTES.min(text.len()));
    match text.get(..end) {
        Some(start) if end < text.len() => format!("{start}… ({} bytes)", text.len()),
        _ => text.to_owned(),
    }
}

/// How often progress is told where the standard error is no terminal.
const PROGRESS_SECONDS: u64 = 10;

/// Says on the standard error how far the run is: in one line that is written over and over where someone sees it,
/// else in a line now and then.
#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    terminal: bool,
    told: Instant,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        Self { total, terminal: std::io::stderr().is_terminal(), told: Instant::now() }
    }

    pub(super) fn step(&mut self, number: usize, id: &str) {
        if self.terminal {
            tell(format_args!("\r\x1b[K{number}/{} {id}", self.total));
        } else if self.told.elapsed().as_secs() >= PROGRESS_SECONDS {
            say!("{number}/{} {id}", self.total);
            self.told = Instant::now();
        }
    }

    pub(super) fn end(&self) {
        if self.terminal {
            tell(format_args!("\r\x1b[K"));
        }
    }
}
