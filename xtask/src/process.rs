//! Runs commands. What they print is always passed on.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::report::Counts;

/// Runs a command; its output goes straight to ours.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    announce(command);
    let status = command.status().with_context(|| cannot_run(command))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(command));
    }
    Ok(())
}

/// Runs a command, passes its output on and adds up the `test result:` lines in it. Returns the counts
/// and whether the command succeeded.
pub(crate) fn run_tests(command: &mut Command) -> Result<(Counts, bool)> {
    announce(command);
    if io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| cannot_run(command))?;
    let mut counts = Counts::default();
    let mut reader = BufReader::new(child.stdout.take().context("no pipe to the command")?);
    let mut out = io::stdout().lock();
    let mut bytes = Vec::new();
    while reader.read_until(b'\n', &mut bytes)? > 0 {
        out.write_all(&bytes)?;
        out.flush()?;
        counts.add(Counts::parse(&String::from_utf8_lossy(&bytes)).unwrap_or_default());
        bytes.clear();
    }
    Ok((counts, child.wait()?.success()))
}

fn announce(command: &Command) {
    println!("$ {}", line(command));
}

fn cannot_run(command: &Command) -> String {
    format!("can't run `{}`", command.get_program().display())
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args()).map(OsStr::to_string_lossy);
    words.collect::<Vec<_>>().join(" ")
}
