//! Limits of includes.

use portcullis_rules::diagnostic::{Code, Sources};
use portcullis_rules::host::{Source, SourceError};
use portcullis_rules::limits::{INCLUDE_DEPTH, INCLUDE_FILES, SECLANG_BYTES};
use portcullis_rules::seclang::{Document, Options, Parsed, parse};

/// Every file `N` includes the files that `of` says, or is `text`.
struct Made<F: Fn(usize) -> String>(F);

impl<F: Fn(usize) -> String> Source for Made<F> {
    fn read(&self, name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        Ok((self.0)(name.parse().unwrap()).into_bytes())
    }
}

fn read(start: &str, source: &dyn Source) -> Parsed {
    let documents = [Document { name: "main.conf", text: start.as_bytes() }];
    parse(&documents, source, &mut Sources::default(), Options::default())
}

fn codes(parsed: &Parsed) -> Vec<Code> {
    parsed.diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn nesting() {
    let nested =
        |last: usize| Made(move |n| if n == last { String::new() } else { format!("Include {}", n + 1) });
    assert_eq!(codes(&read("Include 1", &nested(INCLUDE_DEPTH))), []);
    assert_eq!(codes(&read("Include 1", &nested(INCLUDE_DEPTH + 1))), [Code::E0316]);
}

#[test]
fn number_of_files() {
    let includes = |count: usize| (1..=count).map(|n| format!("Include {n}\n")).collect::<String>();
    let empty = Made(|_| String::new());
    assert_eq!(codes(&read(&includes(INCLUDE_FILES - 1), &empty)), []);
    assert_eq!(codes(&read(&includes(INCLUDE_FILES), &empty)), [Code::E0316]);
}

#[test]
fn bytes_of_text() {
    let half = Made(|_| " ".repeat(SECLANG_BYTES / 2));
    assert_eq!(codes(&read("Include 1", &half)), []);
    assert_eq!(codes(&read("Include 1\nInclude 2\n", &half)), [Code::E0316]);
}

/// Files that include each other twice are read once per place, not without end.
#[test]
fn a_file_that_doubles() {
    let doubling = Made(|n| format!("Include {}\nInclude {}\n", n + 1, n + 2));
    let parsed = read("Include 1", &doubling);
    assert!(parsed.diagnostics.len() < 4 * INCLUDE_FILES);
    assert!(codes(&parsed).iter().all(|code| *code == Code::E0316));
}
