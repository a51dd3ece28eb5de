//! What commands read and write line by line: JSON objects, and what comes of each.

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use portcullis_rules::exchange::fields;
use serde_json::Value;

use crate::output::{Output, say};

/// Judges the objects on the standard input, and prints what `judge` says of each, if anything. A line that can't be
/// used is said with its number, the others are judged all the same.
pub(crate) fn judge_all(
    mut judge: impl FnMut(&Value) -> anyhow::Result<Option<Vec<u8>>>,
) -> anyhow::Result<ExitCode> {
    let mut out = Output::new();
    let mut complete = ExitCode::SUCCESS;
    for (number, line) in std::io::stdin().lock().split(b'\n').enumerate() {
        let line = line.context("can't read the standard input")?;
        match object(&line).and_then(|object| object.as_ref().map_or(Ok(None), &mut judge)) {
            Ok(said) => {
                if let Some(mut said) = said {
                    said.push(b'\n');
                    out.write_all(&said)?;
                }
            }
            Err(problem) => {
                say!("line {}: {problem:#}", number + 1);
                complete = ExitCode::FAILURE;
            }
        }
        if !out.is_read() {
            break;
        }
    }
    Ok(complete)
}

/// The object on a line; `None` for an empty line.
pub(crate) fn object(line: &[u8]) -> anyhow::Result<Option<Value>> {
    let text =
        std::str::from_utf8(line).ok().context("not UTF-8; other bytes are given as {\"base64\": \"…\"}")?;
    if text.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(fields::line(text)?))
}
