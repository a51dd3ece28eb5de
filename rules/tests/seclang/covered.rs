//! Every name of SecLang that is said to be implemented is used in a scenario, where what it does is seen.

use portcullis_rules::seclang::{Status, coverage};

use super::folder::{names, tests};

/// Names whose effect no exchange shows, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("SecIgnoreRuleCompilationErrors", "golden diagnostics"),
    ("SecResponseBodyMimeTypesClear", "golden models"),
    ("Include", "golden models and diagnostics"),
    ("IncludeOptional", "golden models and diagnostics"),
];

#[test]
fn every_implemented_name_is_in_a_scenario() {
    let root = tests("scenarios");
    let texts =
        names(&root, ".json").into_iter().map(|name| std::fs::read_to_string(root.join(name)).unwrap());
    let text: String = texts.collect::<String>().to_lowercase();
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let used = |name: &str| {
        text.match_indices(&name.to_lowercase()).any(|(at, found)| {
            // After a line break, a JSON string has the letter n.
            let before = text[..at].bytes().next_back().is_none_or(|byte| !is_word(byte))
                || text[..at].ends_with("\\n");
            before && text[at + found.len()..].bytes().next().is_none_or(|byte| !is_word(byte))
        })
    };
    let mut missing = Vec::new();
    for section in coverage() {
        for entry in section.entries.iter().filter(|entry| entry.status == Status::Implemented) {
            if !used(entry.name) && !ELSEWHERE.iter().any(|(name, _)| *name == entry.name) {
                missing.push(format!("{}: {}", section.title, entry.name));
            }
        }
    }
    assert!(missing.is_empty(), "in no scenario:\n{}", missing.join("\n"));
}
