//! The Core Rule Set as a policy for Envoy: its files in the JSON, set up as its tests want it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

/// What stands in front of `crs-setup.conf`; `portcullis ftw` uses the same.
const SETUP: &str = include_str!("../../../ftw/setup.conf");

/// What comes after it when the rules shall refuse.
const BLOCKING: &str = "SecRuleEngine On\n";

/// The policy with the rules of the folder `crs`.
///
/// # Errors
/// When they can't be read.
pub(crate) fn of(crs: &Path, blocking: bool) -> Result<Value> {
    let mut seclang = vec![json!({ "file": "setup.conf", "text": SETUP })];
    if blocking {
        seclang.push(json!({ "file": "blocking.conf", "text": BLOCKING }));
    }
    let setup = crs.join("crs-setup.conf.example");
    let text = fs::read_to_string(&setup).with_context(|| format!("reading {}", setup.display()))?;
    seclang.push(json!({ "file": "crs-setup.conf", "text": text }));
    let folder = crs.join("rules");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    let mut files = Map::new();
    for name in names {
        let bytes = fs::read(folder.join(&name)).with_context(|| format!("reading {name}"))?;
        let file = format!("rules/{name}");
        if name.ends_with(".conf") {
            let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
            seclang.push(json!({ "file": file, "text": text }));
        } else if name.ends_with(".data") {
            let content = match String::from_utf8(bytes) {
                Ok(text) => json!({ "text": text }),
                Err(other) => json!({ "base64": BASE64.encode(other.as_bytes()) }),
            };
            files.insert(file, content);
        }
    }
    ensure!(!files.is_empty(), "{} holds no Core Rule Set", crs.display());
    Ok(json!({ "rule_sets": [{ "name": "crs", "seclang": seclang }], "files": files }))
}
