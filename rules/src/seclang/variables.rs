//! Lists of variables.

use std::fmt;
use std::ops::Range;

use crate::model::{Selector, Shape, Target, TargetMode, Variable};

/// One thing wrong with a list of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    /// Bytes of the list that it is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub kind: TargetErrorKind,
    /// What to write instead.
    pub help: Option<String>,
}

/// What is wrong with a list of variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetErrorKind {
    /// No variable has this name.
    UnknownVariable(String),
    /// The selector is malformed, or the variable takes none.
    Selector(String),
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TargetErrorKind::UnknownVariable(name) => write!(f, "unknown variable `{name}`"),
            TargetErrorKind::Selector(message) => f.write_str(message),
        }
    }
}

/// Parses a list such as `ARGS|!ARGS:id|&REQUEST_HEADERS:/^x-/`.
///
/// # Errors
/// With everything that is wrong in the list.
pub fn parse_targets(text: &[u8]) -> Result<Vec<Target>, Vec<TargetError>> {
    let (mut targets, mut errors, mut at) = (Vec::new(), Vec::new(), 0);
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let length = item_length(rest);
        match item(rest.get(..length).unwrap_or_default()) {
            Ok(target) => targets.push(target),
            Err((kind, help)) => errors.push(TargetError { span: at..at + length, kind, help }),
        }
        at += length + 1;
        if at > text.len() {
            return if errors.is_empty() { Ok(targets) } else { Err(errors) };
        }
    }
}

fn item_length(text: &[u8]) -> usize {
    let colon = memchr::memchr3(b':', b'|', b',', text).unwrap_or(text.len());
    let after = text.get(colon..).unwrap_or_default();
    let xpath = text.get(..colon).unwrap_or_default().trim_ascii().to_ascii_uppercase().ends_with(b"XML");
    let mut at = match after {
        [b':', b'/', regex @ ..] if !xpath => {
            let mut end = 0;
            while regex.get(end).is_some_and(|&b| b != b'/') {
                end += if regex.get(end) == Some(&b'\\') { 2 } else { 1 };
            }
            (colon + 2 + end).min(text.len())
        }
        [b':', b'\'', quoted @ ..] => colon + 2 + memchr::memchr(b'\'', quoted).unwrap_or(quoted.len()),
        _ => colon,
    };
    while text.get(at).is_some_and(|&b| b != b'|' && (b != b',' || xpath)) {
        at += 1;
    }
    at
}

fn item(text: &[u8]) -> Result<Target, (TargetErrorKind, Option<String>)> {
    let text = text.trim_ascii();
    let (mode, text) = match text {
        [b'!', rest @ ..] => (TargetMode::Exclude, rest),
        [b'&', rest @ ..] => (TargetMode::Count, rest),
        _ => (TargetMode::Inspect, text),
    };
    let split = text.iter().position(|&b| b == b':' || b == b'.');
    let name = split.and_then(|n| text.get(..n)).unwrap_or(text);
    let selector = split.and_then(|n| text.get(n + 1..));
    let Some(variable) = Variable::from_name(name) else {
        let name = String::from_utf8_lossy(name).into_owned();
        let names = Variable::ALL.iter().map(|v| v.name());
        let help = crate::diagnostic::suggest(&name, names).map(|near| format!("did you mean `{near}`?"));
        return Err((TargetErrorKind::UnknownVariable(name), help));
    };
    let selector = match selector {
        None => Selector::All,
        Some(_) if variable.shape() == Shape::Scalar => {
            let message = format!("`{variable}` holds one value and takes no selector");
            return Err((TargetErrorKind::Selector(message), None));
        }
        Some(b"") => {
            return Err((TargetErrorKind::Selector("the selector is empty".to_owned()), None));
        }
        Some(path) if variable == Variable::Xml => Selector::XPath(path.to_vec()),
        Some(text) => {
            let inner = text.strip_prefix(b"'").and_then(|t| t.strip_suffix(b"'")).unwrap_or(text);
            match inner.strip_prefix(b"/") {
                None => Selector::Key(inner.to_vec()),
                Some(regex) => match regex.strip_suffix(b"/") {
                    Some(regex) => Selector::Regex(regex.to_vec()),
                    None => {
                        let message = "the regular expression is not closed".to_owned();
                        return Err((TargetErrorKind::Selector(message), None));
                    }
                },
            }
        }
    };
    Ok(Target { variable, selector, mode })
}
