//! Builds the module.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::toolchain::{self, MODULE};
use crate::{process, workspace};

/// Builds the release module and copies it to `target/portcullis.wasm`.
pub(crate) fn build() -> Result<PathBuf> {
    build_as("portcullis.wasm", &[])
}

/// Builds the release module with Lua in it and copies it to `target/portcullis-lua.wasm`.
pub(crate) fn build_with_lua() -> Result<PathBuf> {
    build_as("portcullis-lua.wasm", &["--features", "lua"])
}

fn build_as(name: &str, options: &[&str]) -> Result<PathBuf> {
    toolchain::provide_targets(&[MODULE])?;
    let mut command = workspace::cargo(["build", "--locked", "--release", "--package", "portcullis-filter"]);
    process::run(command.args(["--target", MODULE]).args(options))
        .with_context(|| format!("{name} does not build"))?;
    let built = workspace::target().join(MODULE).join("release/portcullis_filter.wasm");
    let module = workspace::target().join(name);
    // Copied beside its place and renamed: an Envoy that is reading the old one keeps a whole file.
    let partial = module.with_extension("wasm.part");
    fs::copy(&built, &partial).with_context(|| format!("copying {}", built.display()))?;
    fs::rename(&partial, &module).with_context(|| format!("writing {}", module.display()))?;
    Ok(module)
}
