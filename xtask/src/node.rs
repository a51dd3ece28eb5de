//! The vectors of the engine, compiled to Wasm and run by node.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::report::Outcome;
use crate::{process, workspace};

/// Runs `rules/tests/vectors_wasm.rs` under node.
pub(crate) fn vectors() -> Result<Outcome> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).status();
    if !node.is_ok_and(|status| status.success()) {
        return Ok(Outcome::Skipped("no `node` on the PATH".to_owned()));
    }
    // A test that runs in node can't skip itself.
    let folder = workspace::shared().join("vectors");
    if !folder.is_dir() {
        return Ok(Outcome::Skipped(format!("no vectors in {}", folder.display())));
    }
    // Not optimised: building that takes far longer than it saves in a run of a second.
    let mut command = workspace::cargo([
        "test",
        "--locked",
        "--package",
        "portcullis-rules",
        "--target",
        "wasm32-unknown-unknown",
        "--test",
        "vectors_wasm",
        "--config",
        "profile.dev.opt-level=0",
        "--config",
        "profile.dev.debug=false",
        "--config",
        "profile.dev.package.'*'.opt-level=0",
    ]);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner()?);
    let (counts, succeeded) = process::run_tests(&mut command)?;
    Ok(Outcome::Tests(counts, succeeded))
}

/// The runner that fits the `wasm-bindgen` of Cargo.lock; it is installed below `target` when missing.
///
/// Only the one binary of `wasm-bindgen-cli` is built, not optimised, and without TLS, which it needs for
/// browser drivers only: a minute instead of five. No package of npm or Debian holds it ready-made. Its own
/// lock file does not count, because a registry that lags behind may not have all that is named there.
fn runner() -> Result<PathBuf> {
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).context("Cargo.lock")?;
    let version = locked_version(&lock, "wasm-bindgen").context("no wasm-bindgen in Cargo.lock")?;
    let folder = workspace::target().join(format!("tools/wasm-bindgen-{version}"));
    let name = "wasm-bindgen-test-runner";
    let runner = folder.join("bin").join(name);
    if !runner.is_file() {
        let mut command =
            workspace::cargo(["install", "--debug", "--no-default-features", "--bin", name, "--root"]);
        process::run(command.arg(&folder).arg(format!("wasm-bindgen-cli@{version}")))?;
    }
    Ok(runner)
}

fn locked_version<'l>(lock: &'l str, package: &str) -> Option<&'l str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::locked_version;

    #[test]
    fn versions_are_found_in_the_lock_file() {
        let lock = "[[package]]\nname = \"wasm-bindgen-test\"\nversion = \"0.3.80\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "wasm-bindgen-test"), Some("0.3.80"));
        assert_eq!(locked_version(lock, "wasm"), None);
    }
}
