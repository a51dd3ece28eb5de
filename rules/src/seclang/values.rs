//! Values that several directives and actions share: numbers, choices, ids, macros, variables.

use std::ops::RangeInclusive;

use super::text::Text;
use super::variables::parse_targets;
use crate::diagnostic::{Code, Diagnostic, did_you_mean, suggest};
use crate::lua::ScriptError;
use crate::model::{Selector, Target, TargetMode, Template, UnknownMacro, Variable};
use crate::xpath::{Namespace, XPath};

/// `On` and `Off`.
pub(super) const ON_OFF: &[(&str, bool)] = &[("On", true), ("Off", false)];

/// A text that has to be one of `choices`, in any case. `what` is what it is a value of.
pub(super) fn one_of<T: Copy>(
    text: &Text,
    code: Code,
    what: &str,
    choices: &[(&str, T)],
) -> Result<T, Diagnostic> {
    if let Some((_, value)) =
        choices.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text.bytes()))
    {
        return Ok(*value);
    }
    let written = text.text();
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let mut error = text.report(code, format!("`{what}` can't be `{written}`"));
    error.help = did_you_mean(&written, &names);
    Err(error)
}

/// A whole number within `range`.
pub(super) fn integer(
    text: &Text,
    code: Code,
    what: &str,
    range: RangeInclusive<u64>,
) -> Result<u64, Diagnostic> {
    number(text.bytes()).filter(|n| range.contains(n)).ok_or_else(|| {
        let bounds = if *range.end() == u64::MAX {
            format!("from {} on", range.start())
        } else {
            format!("from {} to {}", range.start(), range.end())
        };
        text.report(code, format!("`{what}` takes a whole number {bounds}, not `{}`", text.text()))
    })
}

/// Digits and nothing else, that fit into 64 bits.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, b| {
        let digit = b.checked_sub(b'0').filter(|d| *d < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Ids and ranges of ids such as `942100 942200-942299`, with blanks or commas between them.
pub(super) fn ids(text: &Text, code: Code) -> Result<Vec<(u64, u64)>, Diagnostic> {
    let mut ids = Vec::new();
    let mut at = 0;
    for item in text.bytes().split(|b| b.is_ascii_whitespace() || *b == b',') {
        let end = at + item.len();
        if !item.is_empty() {
            let pair = match memchr::memchr(b'-', item) {
                Some(dash) => item.get(..dash).and_then(number).zip(item.get(dash + 1..).and_then(number)),
                None => number(item).map(|id| (id, id)),
            };
            let Some((first, last)) = pair.filter(|(first, last)| first <= last) else {
                let message =
                    format!("`{}` is neither a rule id nor a range of ids", String::from_utf8_lossy(item));
                return Err(text
                    .report_part(at..end, code, message)
                    .help("write `942100` or `942100-942199`"));
            };
            ids.push((first, last));
        }
        at = end + 1;
    }
    if ids.is_empty() { Err(text.report(code, "there is no rule id")) } else { Ok(ids) }
}

/// Text with macros.
pub(super) fn template(text: &Text) -> Result<Template, Diagnostic> {
    Template::parse(text.bytes()).map_err(|unknown| unknown_macro(text, &unknown))
}

/// The report of a script that can't be used, named by `text`.
pub(super) fn bad_script(text: &Text, error: &ScriptError) -> Diagnostic {
    let mut diagnostic = text.report(error.code(), error.to_string());
    diagnostic.help = error.help().map(str::to_owned);
    diagnostic
}

/// The report of a macro in `text` that names nothing.
pub(super) fn unknown_macro(text: &Text, unknown: &UnknownMacro) -> Diagnostic {
    let start = unknown.offset;
    let end = memchr::memchr(b'}', text.tail(start)).map_or(text.len(), |n| start + n + 1);
    let error = text.report_part(start..end, Code::E0209, unknown.to_string());
    match suggest(&unknown.name, Variable::ALL.iter().map(|v| v.name())) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// `prefix=URI` of `xmlns`.
pub(super) fn namespace(text: &Text) -> Result<Namespace, Diagnostic> {
    let whole = text.text();
    match whole.split_once('=').map(|(prefix, uri)| (prefix.trim(), uri.trim())) {
        Some((prefix, uri)) if !prefix.is_empty() && !uri.is_empty() => {
            Ok(Namespace { prefix: prefix.to_owned(), uri: uri.to_owned() })
        }
        _ => {
            let error = text.report(Code::E0308, "`xmlns` needs a prefix and a namespace");
            Err(error.help("write `xmlns:soap=http://schemas.xmlsoap.org/soap/envelope/`"))
        }
    }
}

/// Reports prefixes in the XPath expressions of `targets`, which were read from `text`, that are not
/// declared.
pub(super) fn check_prefixes(
    text: &Text,
    targets: &[Target],
    namespaces: &[Namespace],
    out: &mut Vec<Diagnostic>,
) {
    for target in targets.iter().filter(|target| target.mode != TargetMode::Exclude) {
        let Selector::XPath(path) = &target.selector else { continue };
        let checked = XPath::parse(path).and_then(|xpath| xpath.check_prefixes(namespaces));
        let Err(error) = checked else { continue };
        let place = memchr::memmem::find(text.bytes(), path)
            .map_or(0..text.len(), |start| start + error.span.start..start + error.span.end);
        let mut diagnostic = text.report_part(place, Code::E0206, error.to_string());
        diagnostic.help = error.help;
        out.push(diagnostic);
    }
}

/// A list of variables.
pub(super) fn targets(text: &Text, out: &mut Vec<Diagnostic>) -> Option<Vec<Target>> {
    match parse_targets(text.bytes()) {
        Ok(targets) => Some(targets),
        Err(errors) => {
            for error in errors {
                let range = error.span.start..error.span.end;
                let mut diagnostic = text.report_part(range, error.code(), error.to_string());
                diagnostic.help = error.help;
                out.push(diagnostic);
            }
            None
        }
    }
}
