//! The folder of vectors on this machine: `$PORTCULLIS_SHARED/vectors`, else `../shared/vectors` from the
//! project's root; the variable's path may be relative to the root as well. Another folder may hold other
//! vectors.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::vectors::{self, Files, Vector};

/// A folder of vectors.
pub(crate) struct Folder(PathBuf);

/// What was found.
pub(crate) struct Given {
    pub(crate) folder: Folder,
    pub(crate) vectors: Vec<Vector>,
    /// Whether it is the folder that was asked for by name, which the list of deviations need not fit.
    pub(crate) chosen: bool,
}

impl Files for Folder {
    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let path = self.0.join(folder);
        let entries = path
            .read_dir()
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = self.0.join(path);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}

/// Reads all vectors. Where there is no folder, or it can't be read, a test that says so stands for them:
/// an ignored one, or a failing one.
#[expect(clippy::print_stderr, reason = "what is run is to be seen")]
pub(crate) fn load() -> Result<Given, Trial> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let chosen = std::env::var_os("PORTCULLIS_SHARED");
    let folder = root.join(chosen.as_deref().unwrap_or("../shared".as_ref())).join("vectors");
    if chosen.is_none() && !folder.is_dir() {
        eprintln!("NO VECTORS RUN: there is no {}; set PORTCULLIS_SHARED", folder.display());
        let missing = || Err("there is no shared folder; set PORTCULLIS_SHARED".into());
        return Err(Trial::test("NO_VECTORS_RUN_without_the_shared_folder", missing).with_ignored_flag(true));
    }
    let folder = Folder(folder);
    match vectors::load(&folder) {
        Ok(vectors) => {
            eprintln!("{}: {}", folder.0.display(), vectors::counts(&vectors));
            Ok(Given { folder, vectors, chosen: chosen.is_some() })
        }
        Err(error) => Err(Trial::test("vectors_can_be_read", move || Err(error.into()))),
    }
}
