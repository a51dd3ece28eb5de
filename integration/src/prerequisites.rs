//! What has to be there before Envoy tests can run.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// The files that Envoy tests need.
#[derive(Clone, Debug)]
pub struct Prerequisites {
    /// Envoy's binary, 1.35 or later.
    pub envoy: PathBuf,
    /// The module.
    pub module: PathBuf,
}

/// Something is missing; says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No Envoy.
    Envoy,
    /// No module.
    Module,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envoy => "no Envoy: neither $ENVOY, nor `envoy` on the PATH, nor target/envoy/envoy",
            Self::Module => "no module: $PORTCULLIS_WASM is not set or names no file",
        })?;
        f.write_str("; `cargo xtask test` provides both")
    }
}

impl std::error::Error for Missing {}

impl Prerequisites {
    /// Looks for Envoy and for the module. The module comes from `$PORTCULLIS_WASM` alone: one that
    /// lies about from an earlier build would be tested in place of the current code.
    ///
    /// # Errors
    /// With what is missing.
    pub fn find() -> Result<Self, Missing> {
        let envoy = find_envoy()?;
        let module = env::var_os("PORTCULLIS_WASM").map(PathBuf::from).filter(|file| file.is_file());
        Ok(Self { envoy, module: module.ok_or(Missing::Module)? })
    }
}

/// Looks for Envoy: `$ENVOY` and nothing else when it is set, else the `PATH`, then what `cargo xtask`
/// keeps in `target/envoy`.
///
/// # Errors
/// When there is none.
pub fn find_envoy() -> Result<PathBuf, Missing> {
    let found = if let Some(named) = env::var_os("ENVOY") {
        Some(PathBuf::from(named)).filter(|file| file.is_file())
    } else {
        let path = env::var_os("PATH").unwrap_or_default();
        let on_path = env::split_paths(&path).map(|folder| folder.join("envoy"));
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/envoy/envoy");
        on_path.chain([kept]).find(|file| file.is_file())
    };
    found.ok_or(Missing::Envoy)
}
