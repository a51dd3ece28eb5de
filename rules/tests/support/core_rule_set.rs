//! The Core Rule Set as a policy, for tests that run on it.

use std::path::{Path, PathBuf};

use portcullis_rules::host::{self, Source, SourceError};
use portcullis_rules::model::Policy;
use portcullis_rules::seclang::{self, Document, Options};

struct Disk;

impl Source for Disk {
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(host::resolve(name, relative_to))
            .map_err(|problem| SourceError { name: name.to_owned(), reason: problem.to_string() })
    }
}

/// The shared data folder, if it is there.
pub(crate) fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder =
        std::env::var_os("PORTCULLIS_SHARED").map_or_else(|| root.join("../shared"), |dir| root.join(dir));
    folder.join("crs/rules").is_dir().then_some(folder)
}

/// The policy of the Core Rule Set behind some SecLang of one's own.
pub(crate) fn core_rule_set(shared: &Path, setup: &str) -> Policy {
    let mut names = vec![shared.join("crs/crs-setup.conf.example")];
    names.extend(files(&shared.join("crs/rules"), "conf"));
    let mut texts = vec![("setup.conf".to_owned(), setup.as_bytes().to_vec())];
    for name in names {
        texts.push((name.display().to_string(), std::fs::read(&name).expect("a rule file")));
    }
    let documents: Vec<Document<'_>> = texts.iter().map(|(name, text)| Document { name, text }).collect();
    let parsed = seclang::parse(&documents, &Disk, &mut Default::default(), Options::default());
    Policy { rule_sets: vec![parsed.rule_set], ..Policy::default() }
}

/// The files with an extension below a folder, in order.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
