//! The directives that set one value.

use std::ops::RangeInclusive;

use regex_automata::meta::Regex;

use super::ctl::{AUDIT_ENGINES, AUDIT_PARTS, ENGINE_MODES, XML_ARGUMENTS};
use super::directive::Check;
use super::text::Text;
use super::values::{ON_OFF, integer, one_of};
use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{AuditFormat, LimitAction, ResponseLimitAction, Settings, StatusSet};

const CODE: Code = Code::E0304;

type Notes = Vec<Diagnostic>;
type Done = Result<(), Diagnostic>;

/// The directive that says whether request bodies are inspected.
pub(super) const BODY_ACCESS: &str = "SecRequestBodyAccess";

/// The settings of SecLang that says nothing: rules are enforced, request bodies are inspected. The request body
/// limit is [`limits::REQUEST_BODY_BYTES`] where Coraza has 128 MiB, because Envoy holds no more than
/// its buffer limit; a longer body is refused (`SecRequestBodyLimitAction Reject`, as everywhere).
/// Of responses the first [`limits::RESPONSE_BODY_BYTES`] of `text/plain` and `text/html` are judged
/// once `SecResponseBodyAccess` is on (ModSecurity's defaults).
#[must_use]
pub fn default_settings() -> Settings {
    Settings {
        request_body_limit_action: LimitAction::Reject,
        response_body_types: Some(vec!["text/plain".to_owned(), "text/html".to_owned()]),
        ..Settings::default()
    }
}

fn number(value: &Text, name: &str, range: RangeInclusive<u64>) -> Result<usize, Diagnostic> {
    integer(value, CODE, name, range).map(|n| usize::try_from(n).unwrap_or(usize::MAX))
}

pub(super) fn engine(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.engine = one_of(value, CODE, name, ENGINE_MODES)?;
    Ok(())
}

pub(super) fn request_body_access(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.request_body_access = one_of(value, CODE, name, ON_OFF)?;
    Ok(())
}

pub(super) fn response_body_access(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    _: &mut Notes,
) -> Done {
    s.response_body_access = one_of(value, CODE, name, ON_OFF)?;
    Ok(())
}

/// A body limit; 0 is the whole body, as in libmodsecurity.
fn body_limit(value: &Text, name: &str, notes: &mut Notes) -> Result<usize, Diagnostic> {
    let limit = number(value, name, 0..=limits::BODY_LIMIT_BYTES)?;
    if limit > limits::HOST_BUFFER_BYTES {
        let held = limits::HOST_BUFFER_BYTES;
        let message = format!("Envoy holds {held} bytes of a body unless it is told otherwise");
        let help = "for longer ones raise its `per_connection_buffer_limit_bytes`; past it Envoy itself answers 413 or 500";
        notes.push(value.report(Code::N0502, message).help(help));
    }
    Ok(limits::body_limit(limit))
}

pub(super) fn request_body_limit(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    notes: &mut Notes,
) -> Done {
    s.request_body_limit = body_limit(value, name, notes)?;
    Ok(())
}

pub(super) fn response_body_limit(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    notes: &mut Notes,
) -> Done {
    s.response_body_limit = body_limit(value, name, notes)?;
    Ok(())
}

pub(super) fn request_body_no_files_limit(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    _: &mut Notes,
) -> Done {
    s.request_body_no_files_limit = Some(number(value, name, 1..=limits::BODY_LIMIT_BYTES)?);
    Ok(())
}

pub(super) fn request_body_limit_action(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    _: &mut Notes,
) -> Done {
    let choices = &[("Reject", LimitAction::Reject), ("ProcessPartial", LimitAction::ProcessPartial)];
    s.request_body_limit_action = one_of(value, CODE, name, choices)?;
    Ok(())
}

pub(super) fn response_body_limit_action(
    s: &mut Settings,
    value: &Text,
    name: &'static str,
    _: &mut Notes,
) -> Done {
    let choices =
        &[("Reject", ResponseLimitAction::Reject), ("ProcessPartial", ResponseLimitAction::ProcessPartial)];
    s.response_body_limit_action = one_of(value, CODE, name, choices)?;
    Ok(())
}

pub(super) fn json_depth_limit(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.json_depth_limit = number(value, name, 1..=u64::from(u32::MAX))?;
    Ok(())
}

pub(super) fn arguments_limit(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.arguments_limit = Some(number(value, name, 1..=u64::from(u32::MAX))?);
    Ok(())
}

pub(super) fn upload_file_limit(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.upload_file_limit = Some(number(value, name, 1..=u64::from(u32::MAX))?);
    Ok(())
}

pub(super) fn collection_timeout(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    let seconds = number(value, name, 1..=u64::from(u32::MAX))?;
    s.collection_timeout = u32::try_from(seconds).unwrap_or(u32::MAX);
    Ok(())
}

fn one_byte(value: &Text, name: &str) -> Result<u8, Diagnostic> {
    match value.bytes() {
        [byte] => Ok(*byte),
        _ => Err(value.report(CODE, format!("`{name}` takes a single character, not `{}`", value.text()))),
    }
}

pub(super) fn argument_separator(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.argument_separator = one_byte(value, name)?;
    Ok(())
}

pub(super) fn cookie_separator(_: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    match one_byte(value, name)? {
        b';' => Ok(()),
        _ => {
            let error = value.report(CODE, "cookies are separated by `;` alone");
            Err(error.help("no browser separates them otherwise; leave the directive out"))
        }
    }
}

pub(super) fn cookie_format(_: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    match number(value, name, 0..=1)? {
        0 => Ok(()),
        _ => Err(value.report(CODE, "version 1 cookies are not read").help("no browser sends them; use 0")),
    }
}

pub(super) fn xml_arguments(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.xml_arguments = one_of(value, CODE, name, XML_ARGUMENTS)?;
    Ok(())
}

pub(super) fn audit_engine(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    s.audit_engine = one_of(value, CODE, name, AUDIT_ENGINES)?;
    Ok(())
}

pub(super) fn audit_format(s: &mut Settings, value: &Text, name: &'static str, notes: &mut Notes) -> Done {
    let choices = &[
        ("JSON", (AuditFormat::Json, true)),
        ("Native", (AuditFormat::Native, true)),
        ("JsonLegacy", (AuditFormat::Json, false)),
        ("OCSF", (AuditFormat::Json, false)),
    ];
    let (format, known) = one_of(value, CODE, name, choices)?;
    if !known {
        let message = format!("records are not written as {}, but as JSON like ModSecurity's", value.text());
        notes.push(value.report(Code::N0503, message));
    }
    s.audit_format = format;
    Ok(())
}

pub(super) fn audit_parts(s: &mut Settings, value: &Text, _: &'static str, _: &mut Notes) -> Done {
    let letters = value.text().to_ascii_uppercase();
    let mut parts = String::new();
    for (at, letter) in letters.char_indices() {
        if !u8::try_from(letter).is_ok_and(|b| AUDIT_PARTS.contains(&b)) {
            let message = format!("`{letter}` is no part of an audit record");
            let error = value.report_part(at..at + letter.len_utf8(), CODE, message);
            return Err(error.help("the parts are the letters A to K and Z"));
        }
        if !parts.contains(letter) {
            parts.push(letter);
        }
    }
    if !parts.starts_with('A') || !parts.ends_with('Z') {
        return Err(value.report(CODE, "the parts of an audit record begin with A and end with Z"));
    }
    s.audit_parts = parts;
    Ok(())
}

/// A pattern with the one look-ahead that ModSecurity's stock configuration has (a status that begins
/// with 4 but isn't 404) written without it.
fn without_lookahead(pattern: &str) -> String {
    pattern.replace("4(?!04)", "(?:4[1-9]|40[0-35-9])")
}

pub(super) fn audit_relevant_status(s: &mut Settings, value: &Text, _: &'static str, _: &mut Notes) -> Done {
    let regex = Regex::new(&without_lookahead(&value.text())).map_err(|error| {
        let reason = match error.syntax_error() {
            Some(regex_syntax::Error::Parse(error)) => error.kind().to_string(),
            Some(regex_syntax::Error::Translate(error)) => error.kind().to_string(),
            _ => error.to_string(),
        };
        value.report(CODE, format!("the pattern can't be used: {reason}"))
    })?;
    s.audit_relevant_status = Some(StatusSet::new(|status| regex.is_match(status.to_string().as_str())));
    Ok(())
}

pub(super) fn component_signature(s: &mut Settings, value: &Text, _: &'static str, _: &mut Notes) -> Done {
    s.component_signatures.push(value.text());
    Ok(())
}

pub(super) fn web_app_id(s: &mut Settings, value: &Text, name: &'static str, _: &mut Notes) -> Done {
    if value.is_empty() {
        return Err(value.report(CODE, format!("`{name}` needs a name")));
    }
    s.web_app_id = value.text();
    Ok(())
}

/// Checks the value of a directive that has no effect.
pub(super) fn check(value: &Text, name: &'static str, check: Check) -> Done {
    match check {
        Check::Any => Ok(()),
        Check::UpTo(most) => integer(value, CODE, name, 0..=most).map(|_| ()),
        Check::Switch => one_of(value, CODE, name, ON_OFF).map(|_| ()),
        Check::Words(words) => {
            let choices: Vec<(&str, ())> = words.iter().map(|word| (*word, ())).collect();
            one_of(value, CODE, name, &choices)
        }
        Check::Mode => {
            let octal =
                (3..=4).contains(&value.len()) && value.bytes().iter().all(|b| (b'0'..=b'7').contains(b));
            if octal || value.bytes().eq_ignore_ascii_case(b"default") {
                return Ok(());
            }
            let error = value.report(CODE, format!("`{}` are no file permissions", value.text()));
            Err(error.help("write them as octal digits such as `0600`, or `default`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    #[test]
    fn stock_relevant_statuses() {
        for (pattern, relevant, irrelevant) in [
            ("^(?:5|4(?!04))", &[400, 403, 405, 410, 499, 500, 503][..], &[404, 200, 302][..]),
            ("^(?:(5|4)(0|1)[0-9])$", &[400, 404, 418, 500], &[420, 200, 599]),
        ] {
            let text = Text::new(Sources::default().add("x", *b""), pattern.as_bytes(), 0);
            let mut settings = default_settings();
            audit_relevant_status(&mut settings, &text, "", &mut Vec::new()).unwrap();
            let set = settings.audit_relevant_status.unwrap();
            assert!(relevant.iter().all(|s| set.contains(*s)), "{pattern}");
            assert!(!irrelevant.iter().any(|s| set.contains(*s)), "{pattern}");
        }
    }
}
