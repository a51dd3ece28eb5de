//! The Core Rule Set as its tests want it set up.

use std::path::PathBuf;

use anyhow::Context as _;
use portcullis_rules::diagnostic::{Sources, has_errors};
use portcullis_rules::model::Policy;
use portcullis_rules::seclang::{self, Document};

use crate::source::{self, Disk};

/// What stands in front of `crs-setup.conf`.
const SETUP: &str = include_str!("../../../integration/ftw/setup.conf");

/// What stands in front of the rules when they shall refuse.
const BLOCKING: &str = "SecRuleEngine On\n";

/// Rules that refuse because a score is too high: of the request, early and at the end, then of the response.
pub(super) const BLOCKING_RULES: [u64; 4] = [949_111, 949_110, 959_101, 959_100];

/// The folder with the Core Rule Set that is used when no rules are named.
pub(super) fn folder() -> PathBuf {
    let shared =
        std::env::var_os("PORTCULLIS_SHARED").map_or_else(|| PathBuf::from("../shared"), PathBuf::from);
    shared.join("crs")
}

/// Loads the Core Rule Set with the set-up of its tests; what is to be said is printed. `None` when it can't be
/// used.
///
/// # Errors
/// When it can't be read.
pub(super) fn load(blocking: bool) -> anyhow::Result<Option<Policy>> {
    let folder = folder();
    let names = source::expand(&[folder.join("crs-setup.conf.example"), folder.join("rules/*.conf")])
        .context(
            "there is no Core Rule Set; name rules with --policy or --seclang, or set PORTCULLIS_SHARED",
        )?;
    let texts: Vec<Vec<u8>> = names
        .iter()
        .map(|name| std::fs::read(name).with_context(|| format!("can't read {name}")))
        .collect::<anyhow::Result<_>>()?;
    let mut documents = vec![Document { name: "setup.conf", text: SETUP.as_bytes() }];
    if blocking {
        documents.push(Document { name: "blocking.conf", text: BLOCKING.as_bytes() });
    }
    documents.extend(names.iter().zip(&texts).map(|(name, text)| Document { name, text }));
    let mut sources = Sources::default();
    let options = seclang::Options { name: "crs".to_owned(), ..seclang::Options::default() };
    let parsed = seclang::parse(&documents, &Disk, &mut sources, options);
    crate::policy::report(&parsed.diagnostics, &sources);
    if has_errors(&parsed.diagnostics) {
        return Ok(None);
    }
    Ok(Some(Policy { rule_sets: vec![parsed.rule_set], ..Policy::default() }))
}
