//! Files of a folder as a source, for tests.

use std::path::{Path, PathBuf};

use portcullis_rules::host::{Source, SourceError, fits_pattern, has_wildcards, resolve};

/// Files below `root`; their names are relative to it.
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: impl AsRef<Path>) -> Self {
        Self { root: root.as_ref().to_owned() }
    }
}

impl Source for Folder {
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.root.join(resolve(name, relative_to)))
            .map_err(|_| SourceError { name: name.to_owned(), reason: "no such file".to_owned() })
    }

    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        let pattern = resolve(pattern, relative_to);
        if !has_wildcards(&pattern) {
            return Ok(vec![pattern]);
        }
        let folder = pattern.rsplit_once('/').map_or("", |(folder, _)| folder);
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names: Vec<String> = std::fs::read_dir(self.root.join(folder))
            .into_iter()
            .flatten()
            .map(|entry| format!("{prefix}{}", entry.unwrap().file_name().to_str().unwrap()))
            .filter(|name| fits_pattern(&pattern, name))
            .collect();
        names.sort();
        Ok(names)
    }
}

/// The files with this ending in `root`, by name.
pub(crate) fn names(root: &Path, ending: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .filter(|name| name.ends_with(ending))
        .collect();
    names.sort();
    names
}

/// A folder of this crate's tests.
pub(crate) fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// Compares with `NAME.out` beside `NAME.conf`; with `UPDATE_GOLDEN=1` writes it instead. Returns what
/// differs.
pub(crate) fn compare(root: &Path, conf: &str, found: &str) -> Option<String> {
    let path = root.join(conf.replace(".conf", ".out"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
        return None;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    (expected != found).then(|| format!("{conf}\n--- expected\n{expected}--- found\n{found}"))
}
