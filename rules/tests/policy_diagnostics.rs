//! Golden diagnostics: each `tests/diagnostics/policy/NAME.json` is a policy, `NAME.out` what is said
//! about it. `UPDATE_GOLDEN=1 cargo test -p portcullis-rules --test policy_diagnostics` writes the
//! `.out` files anew; with `--features lua` those of builds that can run scripts, else `NAME.without-lua.out`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use portcullis_rules::diagnostic::{Code, has_errors};
use portcullis_rules::policy::{self, Loaded};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics/policy")
}

/// Name and text of each case, by name.
fn cases() -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    cases.sort();
    cases
}

fn load(name: &str, text: &[u8]) -> Loaded {
    let loaded = policy::load(text, &format!("{name}.json"));
    assert_eq!(loaded.policy.is_none(), has_errors(&loaded.diagnostics), "{name}");
    loaded
}

/// Each diagnostic on a line, with the bytes it is about, and its further places on lines of their own.
fn render(loaded: &Loaded) -> String {
    let mut out = String::new();
    for diagnostic in &loaded.diagnostics {
        writeln!(out, "{}", diagnostic.one_line(&loaded.sources)).unwrap();
        for (index, label) in diagnostic.labels.iter().enumerate() {
            let text = loaded.sources.text(label.source);
            let excerpt = text[label.span.start..label.span.end].escape_ascii();
            let start = loaded.sources.position(label.source, label.span.start);
            match index {
                0 => writeln!(out, "    {excerpt}").unwrap(),
                _ => writeln!(out, "    {}:{} {}: {excerpt}", start.line, start.column, label.text).unwrap(),
            }
        }
    }
    out
}

#[test]
fn golden() {
    let mut wrong = Vec::new();
    for (name, text) in cases() {
        let found = render(&load(&name, &text));
        assert!(!found.is_empty(), "{name}: nothing to report");
        // What is said of scripts depends on whether there is a machine to compile them.
        let without_lua = folder().join(format!("{name}.without-lua.out"));
        let path = if cfg!(feature = "lua") || !without_lua.exists() {
            folder().join(format!("{name}.out"))
        } else {
            without_lua
        };
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}\n--- expected\n{expected}--- found\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cases().len() >= 40);
}

#[test]
fn each_code_has_a_case() {
    let reported: Vec<Code> = cases()
        .iter()
        .flat_map(|(name, text)| load(name, text).diagnostics)
        .map(|diagnostic| diagnostic.code)
        .collect();
    // Only SecLang has rules without an id and with a place of their own for it.
    // What is too large for a file is in `check_limits`; where scripts run, only those who don't know the module ask.
    let mut elsewhere = vec![Code::E0109, Code::E0212, Code::W0214, Code::E0225];
    elsewhere.extend(match cfg!(feature = "lua") {
        true => &[Code::E0215][..],
        false => &[Code::E0218, Code::E0219, Code::E0220],
    });
    let of_policies = |code: &&Code| matches!(code.to_string().get(1..3), Some("01" | "02" | "07" | "08"));
    for code in Code::ALL.iter().filter(of_policies) {
        assert_ne!(reported.contains(code), elsewhere.contains(code), "{code}");
    }
}

#[test]
fn ten_mistakes_are_reported_at_once() {
    let (name, text) = cases().into_iter().find(|(name, _)| name == "ten_mistakes").unwrap();
    let loaded = load(&name, &text);
    assert_eq!(loaded.diagnostics.len(), 10, "{}", render(&loaded));
    let lines: Vec<u32> = loaded
        .diagnostics
        .iter()
        .map(|d| loaded.sources.position(d.labels[0].source, d.labels[0].span.start).line)
        .collect();
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn every_diagnostic_has_a_place() {
    for (name, text) in cases() {
        let loaded = load(&name, &text);
        for diagnostic in &loaded.diagnostics {
            let label = diagnostic.labels.first().unwrap_or_else(|| panic!("{name}: {diagnostic:?}"));
            assert!(
                label.span.start <= label.span.end
                    && label.span.end <= loaded.sources.text(label.source).len(),
                "{name}: {diagnostic:?}"
            );
            // What is not JSON has no paths, and the whole policy has the empty one.
            let in_policy = loaded.sources.name(label.source) == format!("{name}.json");
            let expected = in_policy && diagnostic.code != Code::E0101 && name != "type_top";
            assert_eq!(diagnostic.path.is_some(), expected, "{name}: {diagnostic:?}");
        }
    }
}

/// Cut anywhere, a policy is refused or read, and nothing else happens.
#[test]
fn truncated_texts() {
    for (name, text) in cases() {
        for end in (0..text.len()).step_by(7) {
            let _ = load(&name, &text[..end]);
        }
    }
}
