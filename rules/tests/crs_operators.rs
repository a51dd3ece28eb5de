//! Every operator of the OWASP Core Rule Set compiles. The rules are read crudely: what is tested is
//! the operators.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests outside #[test] functions"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portcullis_rules::host::{Source, SourceError};
use portcullis_rules::operators::{Operator, OperatorCache, OperatorName};

/// The rules beside the repository; `None` where they are not there.
fn rules_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/crs/rules");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: there is no {}", folder.display());
    None
}

/// Files of a folder.
struct Folder(PathBuf);

impl Source for Folder {
    fn read(&self, name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.0.join(name))
            .map_err(|error| SourceError { name: name.to_owned(), reason: error.to_string() })
    }
}

/// Operator text of each `SecRule`, in which `\"` is a quotation mark.
fn operators(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim_start).filter(|line| line.starts_with("SecRule "));
    lines
        .map(|line| {
            let (_, after) = line["SecRule ".len()..].split_once(" \"").expect("an operator");
            let mut out = String::new();
            let mut characters = after.chars();
            loop {
                match characters.next().expect("a closing quotation mark") {
                    '"' => return out,
                    '\\' => match characters.next() {
                        Some('"') => out.push('"'),
                        other => out.extend(['\\'].into_iter().chain(other)),
                    },
                    other => out.push(other),
                }
            }
        })
        .collect()
}

/// File, name and argument of each operator.
fn all_operators(folder: &Path) -> Vec<(String, OperatorName, String)> {
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|e| e == "conf"));
    files.sort();
    let mut out = Vec::new();
    for file in files {
        for text in operators(&std::fs::read_to_string(&file).unwrap()) {
            let text = text.strip_prefix('!').unwrap_or(&text);
            let (name, argument) = match text.strip_prefix('@') {
                Some(text) => text.split_once(' ').unwrap_or((text, "")),
                None => ("rx", text),
            };
            let name = OperatorName::from_name(name).unwrap_or_else(|| panic!("no operator {name}"));
            out.push((file.file_name().unwrap().to_string_lossy().into_owned(), name, argument.to_owned()));
        }
    }
    out
}

#[test]
fn every_operator_compiles() {
    let Some(folder) = rules_folder() else { return };
    let source = Folder(folder.clone());
    let mut cache = OperatorCache::default();
    let mut compiled = Vec::new();
    let mut took = BTreeMap::new();
    for (file, name, argument) in &all_operators(&folder) {
        let start = Instant::now();
        let operator = Operator::with_cache(*name, argument.as_bytes(), &source, file, &mut cache)
            .unwrap_or_else(|error| panic!("{file}: @{} {argument}: {error}", name.name()));
        let (count, time) = took.entry(*name).or_insert((0, Duration::ZERO));
        *count += 1;
        *time += start.elapsed();
        compiled.push(operator);
    }
    for (name, (count, time)) in &took {
        println!("{:>4} @{:<22} {time:?}", count, name.name());
    }
    assert_eq!(took[&OperatorName::Rx].0, 318);
    assert_eq!(took[&OperatorName::PmFromFile].0, 21);

    // The programs, which are built when they are first used.
    let start = Instant::now();
    for operator in &compiled {
        let _ = operator.matches(b"", b"", None);
        assert!(!operator.is_broken());
    }
    println!("building all programs took {:?}", start.elapsed());
}
