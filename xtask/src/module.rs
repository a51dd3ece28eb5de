//! Builds the module.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::toolchain::{self, MODULE};
use crate::{process, workspace};

/// Builds the release module and copies it to `target/portcullis.wasm`.
pub(crate) fn build() -> Result<PathBuf> {
    toolchain::provide_targets(&[MODULE])?;
    process::run(&mut workspace::cargo([
        "build",
        "--locked",
        "--release",
        "--package",
        "portcullis-filter",
        "--target",
        MODULE,
    ]))
    .context("the module does not build")?;
    let built = workspace::target().join(MODULE).join("release/portcullis_filter.wasm");
    let module = workspace::target().join("portcullis.wasm");
    // Copied beside its place and renamed: an Envoy that is reading the old one keeps a whole file.
    let partial = module.with_extension("wasm.part");
    fs::copy(&built, &partial).with_context(|| format!("copying {}", built.display()))?;
    fs::rename(&partial, &module).with_context(|| format!("writing {}", module.display()))?;
    Ok(module)
}
