//! Compiled modules, and where the module of this workspace is.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use wasmtime::{Config, Engine, InstancePre, Linker};

use crate::state::State;
use crate::{env, wasi};

/// A compiled module. Compiling takes seconds for a large one; starting a host from it does not.
#[derive(Clone)]
pub struct Module {
    pub(crate) engine: Engine,
    pub(crate) instance: InstancePre<State>,
}

impl Module {
    /// Compiles a `.wasm`.
    ///
    /// # Errors
    /// When it is no WebAssembly module.
    pub fn compile(wasm: &[u8]) -> Result<Self> {
        Self::link(wasm).map_err(|error| anyhow!("{error:#}"))
    }

    fn link(wasm: &[u8]) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        env::define(&mut linker)?;
        wasi::define(&mut linker)?;
        linker.define_unknown_imports_as_traps(&module)?;
        let instance = linker.instantiate_pre(&module)?;
        Ok(Self { engine, instance })
    }

    /// Reads and compiles a file.
    ///
    /// # Errors
    /// When it can't be read or is no WebAssembly module.
    pub fn from_file(path: &std::path::Path) -> Result<Self> {
        let wasm = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        Self::compile(&wasm).with_context(|| format!("can't compile {}", path.display()))
    }
}

/// Whether the module of this workspace has been built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModuleFile {
    /// It is here.
    Found(PathBuf),
    /// It isn't; the text says what to do.
    Missing(String),
}

/// Looks for the Portcullis filter: `$PORTCULLIS_WASM`, else the release build in the target directory.
#[must_use]
pub fn portcullis_module() -> ModuleFile {
    let path = std::env::var_os("PORTCULLIS_WASM").map_or_else(
        || {
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
                || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
                PathBuf::from,
            );
            target.join("wasm32-wasip1/release/portcullis_filter.wasm")
        },
        PathBuf::from,
    );
    if path.is_file() {
        return ModuleFile::Found(path);
    }
    ModuleFile::Missing(format!(
        "NO MODULE at {}: run `cargo build --release -p portcullis-filter --target wasm32-wasip1`, \
         or set PORTCULLIS_WASM",
        path.display()
    ))
}
