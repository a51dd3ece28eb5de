//! Files of the machine, for policies and SecLang that refer to them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portcullis_rules::host::{Source, SourceError, fits_pattern, has_wildcards, resolve};
use portcullis_rules::limits;
use portcullis_rules::seclang::{RECOMMENDED, RECOMMENDED_NAME};

/// The machine's files. Names are looked up beside the file that refers to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk;

impl Source for Disk {
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        let path = resolve(name, relative_to);
        read_file(Path::new(&path))
            .map_err(|problem| SourceError { name: name.to_owned(), reason: problem.to_string() })
    }

    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        let pattern = resolve(pattern, relative_to);
        if !has_wildcards(&pattern) {
            return Ok(vec![pattern]);
        }
        // The folder in front of the first wildcard, and how many levels below it can fit.
        let plain = pattern.find(['*', '?', '[']).and_then(|at| pattern.get(..at)).unwrap_or_default();
        let folder = plain.rfind('/').and_then(|end| pattern.get(..=end)).unwrap_or_default();
        let levels = pattern.get(folder.len()..).unwrap_or_default().matches('/').count();
        let mut found = Vec::new();
        let start = if folder.is_empty() { Path::new(".") } else { Path::new(folder) };
        walk(start, folder, levels, &mut found)
            .map_err(|problem| SourceError { name: pattern.clone(), reason: problem.to_string() })?;
        found.retain(|name| fits_pattern(&pattern, name));
        found.sort();
        Ok(found)
    }
}

/// The contents of a file that a command is given.
pub(crate) fn contents(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_file(path).with_context(|| format!("can't read {}", path.display()))
}

/// The contents of a file. Devices, pipes and the like are not read: they may never end, or wait for somebody. Nor is
/// what is larger than a policy can be.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    let refuse = |reason: String| Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason));
    // Looked at before it is opened, which for a pipe waits for a writer.
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        // The one device of which everybody knows what is in it.
        let nothing = path == Path::new("/dev/null");
        return if nothing { Ok(Vec::new()) } else { refuse("it is no regular file".to_owned()) };
    }
    let too_large = || refuse(format!("it has more than {} bytes", limits::POLICY_BYTES));
    let most = limits::POLICY_BYTES as u64;
    if found.len() > most {
        return too_large();
    }
    let contents = bounded(std::fs::File::open(path)?)?;
    contents.map_or_else(too_large, Ok)
}

/// All that `source` gives; `None` when that is more than a policy can be.
pub(crate) fn bounded(source: impl Read) -> std::io::Result<Option<Vec<u8>>> {
    let mut contents = Vec::new();
    source.take(limits::POLICY_BYTES as u64 + 1).read_to_end(&mut contents)?;
    Ok(Some(contents).filter(|contents| contents.len() <= limits::POLICY_BYTES))
}

/// The machine's files, with a record of what was read.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    files: RefCell<BTreeMap<String, Vec<u8>>>,
}

impl Recorder {
    /// The files that were read, by the names under which they are found again.
    pub(crate) fn into_files(self) -> BTreeMap<String, Vec<u8>> {
        self.files.into_inner()
    }
}

impl Source for Recorder {
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        let contents = Disk.read(name, relative_to)?;
        self.files.borrow_mut().insert(resolve(name, relative_to), contents.clone());
        Ok(contents)
    }

    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        Disk.list(pattern, relative_to)
    }
}

/// Names of the files in a folder and its sub-folders, so many levels down.
fn walk(folder: &Path, prefix: &str, levels: usize, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if levels > 0 {
                walk(&entry.path(), &format!("{name}/"), levels - 1, found)?;
            }
        } else {
            found.push(name);
        }
    }
    Ok(())
}

/// The text of a file of SecLang, or of what goes by a name without a file.
///
/// # Errors
/// When it can't be read.
pub(crate) fn read_seclang(name: &str) -> anyhow::Result<Vec<u8>> {
    if name == RECOMMENDED_NAME {
        return Ok(RECOMMENDED.into());
    }
    contents(Path::new(name))
}

/// The files that the arguments of a command name, wildcards expanded (for shells that were told not to).
///
/// # Errors
/// When a folder can't be read, or a pattern means no file.
pub(crate) fn expand(names: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for name in names {
        let found = Disk.list(&name.to_string_lossy(), "")?;
        anyhow::ensure!(!found.is_empty(), "no file fits {}", name.display());
        files.extend(found);
    }
    Ok(files)
}
