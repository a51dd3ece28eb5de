//! What of the Rust toolchain `rust-toolchain.toml` asks for and is not there yet.
//!
//! rustup installs all of it by itself, unless it was told not to or the toolchain was there before the file
//! was written; then the first build would end in "can't find crate for `core`".

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::process;

/// The target of the module that ships.
pub(crate) const MODULE: &str = "wasm32-wasip1";
/// The target of the engine in a browser or node.
pub(crate) const ENGINE: &str = "wasm32-unknown-unknown";

/// Installs the targets that are missing.
pub(crate) fn provide_targets(targets: &[&str]) -> Result<()> {
    let sysroot = sysroot()?;
    let missing: Vec<&str> = targets
        .iter()
        .copied()
        .filter(|target| !sysroot.join("lib/rustlib").join(target).join("lib").is_dir())
        .collect();
    add("target", &missing)
}

/// Installs `rustfmt` and `clippy` where they are missing.
pub(crate) fn provide_components() -> Result<()> {
    let here = |tool: &str| {
        let mut command = Command::new("cargo");
        command.args([tool, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let missing: Vec<&str> = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(tool, _)| !here(tool))
        .map(|(_, component)| component)
        .collect();
    add("component", &missing)
}

fn add(what: &str, names: &[&str]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names_in_words = names.join(", ");
    process::run(Command::new("rustup").args([what, "add"]).args(names)).with_context(|| {
        format!("{names_in_words} missing: install Rust with rustup, or this {what} of the toolchain by hand")
    })
}

fn sysroot() -> Result<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().context("can't run `rustc`")?;
    let text = String::from_utf8(output.stdout).context("the sysroot's path")?;
    Ok(PathBuf::from(text.trim()))
}
