//! What `portcullis ftw --format json` prints.

use std::fmt;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::judgement::Natively;

/// Rules that refuse a request, rather than a response, because its score is too high.
const REQUEST_BLOCKERS: [u64; 2] = [949_110, 949_111];

/// A run.
#[derive(Debug, Deserialize)]
pub(crate) struct Results {
    pub(crate) tests: Vec<Test>,
}

/// A test that has run.
#[derive(Debug, Deserialize)]
pub(crate) struct Test {
    pub(crate) id: String,
    result: String,
    pub(crate) stages: Vec<Stage>,
}

/// A request and what came of it.
#[derive(Debug, Deserialize)]
pub(crate) struct Stage {
    #[serde(default)]
    problems: Vec<String>,
    status: Option<u16>,
    rules: Vec<u64>,
    pub(crate) blocked: bool,
    pub(crate) upstream_hits: Option<u64>,
    request_base64: Option<String>,
    #[serde(default)]
    log: Vec<String>,
}

impl Test {
    /// Whether it failed. One that was skipped failed to run.
    pub(crate) fn failed(&self) -> bool {
        self.result != "passed"
    }

    /// What the engine made of it, if these are results of the engine alone.
    pub(crate) fn natively(&self) -> Natively {
        match self.result.as_str() {
            "passed" => Natively::Passed,
            "skipped" => Natively::Skipped,
            _ => Natively::Failed,
        }
    }

    /// The request of the first stage that failed.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn failed_request(&self) -> Result<Vec<u8>> {
        let encoded = self.stages.iter().find_map(|stage| stage.request_base64.as_ref());
        BASE64.decode(encoded.context("a failed test without a request")?).context("the request of a test")
    }
}

impl Stage {
    /// Whether it was refused before there was a response.
    pub(crate) fn refused_as_request(&self) -> bool {
        self.blocked && self.rules.iter().any(|id| REQUEST_BLOCKERS.contains(id))
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        for stage in self.stages.iter().filter(|stage| !stage.problems.is_empty()) {
            for problem in &stage.problems {
                write!(f, "\n  {problem}")?;
            }
            let request = stage.request_base64.as_ref().and_then(|text| BASE64.decode(text).ok());
            let request = request.unwrap_or_default();
            let head = request.split(|byte| *byte == b'\n').take_while(|line| *line != b"\r");
            for line in head {
                let shown: String = line.trim_ascii_end().escape_ascii().take(400).map(char::from).collect();
                write!(f, "\n  > {shown}")?;
            }
            let status = stage.status.map_or("no answer".to_owned(), |status| format!("status {status}"));
            write!(f, "\n  {status}, rules {:?}", stage.rules)?;
            for line in &stage.log {
                let shown: String = line.chars().take(400).collect();
                write!(f, "\n  log: {shown}")?;
            }
        }
        Ok(())
    }
}
