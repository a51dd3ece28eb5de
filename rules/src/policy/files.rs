//! Data files whose contents are part of the policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::forms::FileForm;
use super::json::{Kind, Value};
use super::read::{Form, Named};
use super::report::{Reporter, Spanned};
use crate::diagnostic::{Code, Span};
use crate::host::{Source, SourceError, fits_pattern, has_wildcards, resolve};

/// The `files` of a policy, for operators and includes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    contents: BTreeMap<String, Arc<Vec<u8>>>,
}

/// Bytes that were base64 in the policy. They are decoded where they stand: a database takes megabytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Base64(Arc<Vec<u8>>);

impl Files {
    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.contents.keys().map(String::as_str)
    }

    /// Adds files with other names.
    pub(super) fn extend(&mut self, more: BTreeMap<String, Vec<u8>>) {
        for (name, contents) in more {
            self.contents.entry(name).or_insert_with(|| Arc::new(contents));
        }
    }
}

impl Source for Files {
    /// Looks `name` up beside the file that refers to it, then as it is.
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        self.read_shared(name, relative_to).map(|contents| contents.to_vec())
    }

    fn read_shared(&self, name: &str, relative_to: &str) -> Result<Arc<Vec<u8>>, SourceError> {
        let beside = self.contents.get(&resolve(name, relative_to));
        let found = beside.or_else(|| self.contents.get(name));
        found.cloned().ok_or_else(|| SourceError {
            name: name.to_owned(),
            reason: "the policy has no such file; put its contents into `files`".to_owned(),
        })
    }

    /// As [`Files::read`]: what there is beside the file that refers to it, else what there is as it is.
    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        let beside = resolve(pattern, relative_to);
        if !has_wildcards(pattern) {
            let name = if self.contents.contains_key(&beside) { beside } else { pattern.to_owned() };
            return Ok(vec![name]);
        }
        let fitting = |pattern: &str| -> Vec<String> {
            self.names().filter(|name| fits_pattern(pattern, name)).map(str::to_owned).collect()
        };
        let found = fitting(&beside);
        Ok(if found.is_empty() { fitting(pattern) } else { found })
    }
}

impl Form for Base64 {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::String(text) = &value.kind else {
            reporter.wrong_type(value, "a string");
            return None;
        };
        let decoded = STANDARD.decode(text.as_bytes()).or_else(|_| {
            let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
            STANDARD.decode(digits)
        });
        Some(Self(Arc::new(decoded.unwrap_or_else(|_| {
            let foreign =
                |c: char| !(c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || "+/=".contains(c));
            let span = match text.find(foreign) {
                Some(at) => reporter.within(&Spanned { value: (), span: value.span }, at..at + 1),
                None => value.span,
            };
            let help = "use the standard alphabet (`A-Z a-z 0-9 + /`) with padding (`=`)";
            reporter.push(reporter.at(Code::E0105, span, "this is not base64").help(help));
            Vec::new()
        }))))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Base64 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

pub(super) fn build(form: Option<&Named<Spanned<FileForm>>>, reporter: &mut Reporter<'_>) -> Files {
    let mut files = Files::default();
    for (name, file) in form.map_or(&[][..], |files| &files.0) {
        let contents = match (&file.value.text, &file.value.base64) {
            (Some(text), None) => Arc::new(text.value.clone().into_bytes()),
            (None, Some(encoded)) => Arc::clone(&encoded.value.0),
            (Some(text), Some(encoded)) => {
                let diagnostic =
                    reporter.at(Code::E0107, encoded.span, "a file has either `text` or `base64`");
                reporter.push(reporter.also(diagnostic, text.span, "here is its text"));
                Arc::default()
            }
            // A mistake in one of the fields is enough.
            (None, None) if reporter.reported_within(file.span) => Arc::default(),
            (None, None) => {
                let opening = Span { start: file.span.start, end: file.span.start + 1 };
                let diagnostic = reporter.at(Code::E0104, opening, "the file has no contents");
                reporter.push(diagnostic.help("give it a `text`, or `base64` for bytes that are not UTF-8"));
                Arc::default()
            }
        };
        // An erroneous file is there all the same, so that what refers to it is not reported too.
        files.contents.insert(name.value.clone(), contents);
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_up() {
        let contents = [("crs/a.data", "beside"), ("a.data", "top"), ("b.data", "b")]
            .map(|(n, c)| (n.to_owned(), Arc::new(c.into())));
        let files = Files { contents: contents.into_iter().collect() };
        assert_eq!(files.read("a.data", "crs/rules.conf").unwrap(), b"beside");
        assert_eq!(files.read("a.data", "rules.conf").unwrap(), b"top");
        assert_eq!(files.read("b.data", "crs/rules.conf").unwrap(), b"b");
        assert_eq!(files.read("c.data", "").unwrap_err().name, "c.data");
        assert_eq!(files.names().collect::<Vec<_>>(), ["a.data", "b.data", "crs/a.data"]);
        let list = |pattern: &str, relative_to: &str| files.list(pattern, relative_to).unwrap();
        assert_eq!(list("*.data", "crs/rules.conf"), ["crs/a.data"]);
        assert_eq!(list("*.data", "rules.conf"), ["a.data", "b.data"]);
        assert_eq!(list("crs/*.data", "other/rules.conf"), ["crs/a.data"]);
        assert_eq!(list("a.data", "crs/rules.conf"), ["crs/a.data"]);
        assert_eq!(list("b.data", "crs/rules.conf"), ["b.data"]);
        assert!(list("*.conf", "").is_empty());
    }
}
