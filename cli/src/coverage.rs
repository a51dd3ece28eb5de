//! What is implemented of SecLang, as tables in Markdown.

use portcullis_rules::seclang::{self, Status};

/// A table for each kind of name.
pub(crate) fn markdown() -> String {
    let mut out = String::new();
    for section in seclang::coverage() {
        let count = |implemented| {
            let entries = section.entries.iter();
            entries.filter(|entry| (entry.status == Status::Implemented) == implemented).count()
        };
        out.push_str(&format!(
            "\n## {}\n\n{} are implemented, {} are not.\n\n| name | | why |\n| --- | --- | --- |\n",
            section.title,
            count(true),
            count(false)
        ));
        for entry in &section.entries {
            let names: Vec<String> =
                [entry.name].iter().chain(entry.aliases).map(|name| format!("`{name}`")).collect();
            let (what, why) = match entry.status {
                Status::Implemented => ("implemented", ""),
                Status::NoEffect(why) => ("no effect here", why),
                Status::OffOnly(why) => ("`Off` only; `On` is refused", why),
                Status::Refused(why) => ("refused", why),
            };
            out.push_str(&format!("| {} | {what} | {why} |\n", names.join(", ")));
        }
    }
    out
}
