//! Texts with a form of their own: templates, URLs, header names, media types.

use super::report::{Reporter, Spanned};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::model::{Template, UnknownMacro, Variable};

/// Splits a text at its macros.
pub(super) fn template(text: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<Template> {
    match Template::parse(text.value.as_bytes()) {
        Ok(template) => Some(template),
        Err(error) => {
            reporter.push(unknown_macro(&error, text, reporter));
            None
        }
    }
}

/// The diagnostic for a macro that names nothing; `text` is what holds it.
pub(super) fn unknown_macro(
    error: &UnknownMacro,
    text: &Spanned<String>,
    reporter: &Reporter<'_>,
) -> Diagnostic {
    let rest = text.value.get(error.offset..).unwrap_or_default();
    let length = rest.find('}').map_or(rest.len(), |end| end + 1);
    let span = reporter.within(text, error.offset..error.offset + length);
    let names: Vec<&str> = Variable::ALL.iter().map(|v| v.name()).collect();
    let mut diagnostic = reporter.at(Code::E0209, span, error.to_string());
    let other = "name a variable, such as `%{REMOTE_ADDR}` or `%{tx.score}`";
    diagnostic.help = did_you_mean(&error.name, &names).or_else(|| Some(other.to_owned()));
    diagnostic
}

/// A text that goes into one line of a log.
pub(super) fn one_line(text: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<Template> {
    if let Some(at) = text.value.find(['\r', '\n']) {
        let span = reporter.within(text, at..at + 1);
        reporter.push(
            reporter.at(Code::E0105, span, "a line break in a text for the log").help("write it on one line"),
        );
        return None;
    }
    template(text, reporter)
}

/// The target of a redirect: an absolute `http` or `https` URL, or a path.
pub(super) fn redirect_url(url: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<Template> {
    let text = url.value.as_str();
    let refuse = |reporter: &mut Reporter<'_>, span, message: &str, help: &str| {
        reporter.push(reporter.at(Code::E0208, span, message).help(help));
        None
    };
    if let Some(at) = text.find(|c: char| c.is_ascii_control()) {
        let span = reporter.within(url, at..at + 1);
        return refuse(
            reporter,
            span,
            "a control character in the URL",
            "write it percent-encoded, or leave it out",
        );
    }
    let scheme_end = text.find("://").map(|end| end + 3);
    let scheme = scheme_end.and_then(|end| text.get(..end)).unwrap_or_default();
    let absolute = ["http://", "https://"].iter().any(|known| known.eq_ignore_ascii_case(scheme));
    let host_missing = absolute
        && text.get(scheme.len()..).is_none_or(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']));
    let path = text.starts_with('/') && !text.get(1..).is_some_and(|rest| rest.starts_with(['/', '\\']));
    if host_missing || !(absolute || path || text.starts_with("%{")) {
        let help = "begin it with `https://` or `http://` and a host, with a single `/`, or with a macro";
        return refuse(reporter, url.span, "neither an http or https URL nor a path", help);
    }
    template(url, reporter)
}

/// A header's name, lower-case.
pub(super) fn header_name(name: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<String> {
    let good = !name.value.is_empty() && name.value.bytes().all(is_token);
    if !good {
        let help = "write a name such as `x-forwarded-for`, without a colon";
        reporter.push(reporter.at(Code::E0105, name.span, "not the name of a header").help(help));
    }
    good.then(|| name.value.to_ascii_lowercase())
}

/// A media type without parameters, lower-case.
pub(super) fn media_type(text: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<String> {
    let part = |part: &str| !part.is_empty() && part != "*" && part.bytes().all(is_token);
    let good = text.value.split_once('/').is_some_and(|(kind, subtype)| part(kind) && part(subtype));
    if !good {
        let help =
            "write type and subtype, such as `text/html`; there are no wildcards, and parameters don't count";
        reporter.push(reporter.at(Code::E0105, text.span, "not a media type").help(help));
    }
    good.then(|| text.value.to_ascii_lowercase())
}

/// Whether the byte may stand in a token (RFC 9110, section 5.6.2).
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
