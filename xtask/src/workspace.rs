//! Where things are, and how cargo is called.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// The folder with rules and test data that are not part of the project: `$PORTCULLIS_SHARED`, as seen from
/// where we were called, else `../shared`. It need not be there.
pub(crate) fn shared() -> PathBuf {
    let named = env::var_os("PORTCULLIS_SHARED").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| root().join("../shared"));
    std::path::absolute(&folder).unwrap_or(folder)
}

/// The cargo that runs this, in the root of the workspace.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Tests run in the folders of their packages, where a relative path would mean another place.
    command.current_dir(root()).env("PORTCULLIS_SHARED", shared()).args(arguments);
    command
}
