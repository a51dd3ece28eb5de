//! The Core Rule Set of the shared data folder, for each engine in its own form.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::shared;

/// What stands in front of `crs-setup.conf`.
pub const SETUP: &str = include_str!("../policies/crs.conf");

/// SecLang files in their order and the data files they name.
#[derive(Clone, Debug)]
pub struct CoreRuleSet {
    /// Names and texts, the setup first.
    pub seclang: Vec<(String, String)>,
    /// Names and contents of data files.
    pub data: Vec<(String, Vec<u8>)>,
}

/// The folder that has `rules` and `crs-setup.conf.example`.
#[must_use]
pub fn folder() -> PathBuf {
    shared().join("crs")
}

/// The SecLang files of the Core Rule Set, in the order in which they are to be loaded.
///
/// # Errors
/// When they can't be read.
pub fn files() -> Result<Vec<PathBuf>> {
    let mut files = vec![folder().join("crs-setup.conf.example")];
    let rules = folder().join("rules");
    let entries = fs::read_dir(&rules).with_context(|| {
        format!("no Core Rule Set at {}; set PORTCULLIS_SHARED to the folder that has crs", rules.display())
    })?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            found.push(path);
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "{} holds no rules", rules.display());
    files.extend(found);
    Ok(files)
}

impl CoreRuleSet {
    /// Reads it.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read() -> Result<Self> {
        let mut seclang = vec![("setup.conf".to_owned(), SETUP.to_owned())];
        for file in files()? {
            let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            seclang.push((format!("rules/{name}"), text));
        }
        let mut data = Vec::new();
        for entry in fs::read_dir(folder().join("rules"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "data") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                data.push((format!("rules/{name}"), fs::read(&path)?));
            }
        }
        data.sort();
        Ok(Self { seclang, data })
    }

    /// The policy of the module and the engine, strictly enforced.
    #[must_use]
    pub fn policy(&self) -> Vec<u8> {
        let seclang: Vec<Value> =
            self.seclang.iter().map(|(name, text)| json!({ "file": name, "text": text })).collect();
        let mut files = Map::new();
        for (name, content) in &self.data {
            let content = match std::str::from_utf8(content) {
                Ok(text) => json!({ "text": text }),
                Err(_) => json!({ "base64": STANDARD.encode(content) }),
            };
            files.insert(name.clone(), content);
        }
        let policy = json!({
            "enforcement": "strict",
            "rule_sets": [{ "name": "crs", "seclang": seclang }],
            "files": files,
        });
        policy.to_string().into_bytes()
    }
}
