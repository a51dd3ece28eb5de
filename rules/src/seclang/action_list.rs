//! Action lists: `name`, `name:value` and `name:'value'` with commas between them.

use super::text::Text;
use crate::diagnostic::{Code, Diagnostic, suggest};

/// What an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Accuracy,
    /// What is done about the client.
    Action,
    Allow,
    AuditLog,
    Block,
    Capture,
    Chain,
    Classification,
    Ctl,
    Deny,
    Drop,
    Exec,
    ExpireVar,
    Id,
    InitCol,
    Log,
    LogData,
    Maturity,
    Msg,
    MultiMatch,
    NoAuditLog,
    NoLog,
    Pass,
    Phase,
    Redirect,
    Rev,
    Risk,
    SanitiseArg,
    SanitiseMatched,
    SanitiseRequestHeader,
    SanitiseResponseHeader,
    SetEnv,
    SetRsc,
    SetSid,
    SetUid,
    SetVar,
    Severity,
    Skip,
    SkipAfter,
    State,
    Status,
    T,
    Tag,
    Ver,
    Xmlns,
    /// Accepted; does nothing, for this reason.
    Inert(&'static str),
    /// Refused, for this reason.
    Refused(&'static str),
}

impl Name {
    /// Why an action does nothing here, or, as an error, why it is refused.
    pub(super) fn without_effect(self) -> Option<Result<&'static str, &'static str>> {
        match self {
            Self::Inert(reason) => Some(Ok(reason)),
            Self::Refused(reason) => Some(Err(reason)),
            _ => None,
        }
    }
}

/// Whether an action has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Maybe,
    Value,
}

const CONTENT: Name = Name::Inert("a filter does not change response bodies");

/// Every action of ModSecurity v2, v3 and Coraza, and those about clients, which are our own.
pub(super) const ACTIONS: &[(&str, Name, Takes)] = &[
    ("accuracy", Name::Accuracy, Takes::Value),
    ("action", Name::Action, Takes::Value),
    ("allow", Name::Allow, Takes::Maybe),
    ("append", CONTENT, Takes::Maybe),
    ("auditlog", Name::AuditLog, Takes::Nothing),
    ("block", Name::Block, Takes::Nothing),
    ("capture", Name::Capture, Takes::Nothing),
    ("chain", Name::Chain, Takes::Nothing),
    ("classification", Name::Classification, Takes::Value),
    ("ctl", Name::Ctl, Takes::Value),
    ("deny", Name::Deny, Takes::Nothing),
    ("deprecatevar", Name::Inert("values do not fade; use `expirevar`"), Takes::Maybe),
    ("drop", Name::Drop, Takes::Nothing),
    ("exec", Name::Exec, Takes::Value),
    ("expirevar", Name::ExpireVar, Takes::Value),
    ("id", Name::Id, Takes::Value),
    ("initcol", Name::InitCol, Takes::Value),
    ("log", Name::Log, Takes::Nothing),
    ("logdata", Name::LogData, Takes::Value),
    ("maturity", Name::Maturity, Takes::Value),
    ("msg", Name::Msg, Takes::Value),
    ("multiMatch", Name::MultiMatch, Takes::Nothing),
    ("noauditlog", Name::NoAuditLog, Takes::Nothing),
    ("nolog", Name::NoLog, Takes::Nothing),
    ("pass", Name::Pass, Takes::Nothing),
    ("pause", Name::Inert("a filter does not hold its worker up"), Takes::Maybe),
    ("phase", Name::Phase, Takes::Value),
    ("prepend", CONTENT, Takes::Maybe),
    (
        "proxy",
        Name::Refused("a filter does not choose the upstream; use `redirect` or a route"),
        Takes::Maybe,
    ),
    ("redirect", Name::Redirect, Takes::Value),
    ("rev", Name::Rev, Takes::Value),
    ("risk", Name::Risk, Takes::Value),
    ("sanitiseArg", Name::SanitiseArg, Takes::Value),
    ("sanitiseMatched", Name::SanitiseMatched, Takes::Nothing),
    ("sanitiseMatchedBytes", Name::SanitiseMatched, Takes::Maybe),
    ("sanitiseRequestHeader", Name::SanitiseRequestHeader, Takes::Value),
    ("sanitiseResponseHeader", Name::SanitiseResponseHeader, Takes::Value),
    ("sanitizeArg", Name::SanitiseArg, Takes::Value),
    ("sanitizeMatched", Name::SanitiseMatched, Takes::Nothing),
    ("sanitizeMatchedBytes", Name::SanitiseMatched, Takes::Maybe),
    ("sanitizeRequestHeader", Name::SanitiseRequestHeader, Takes::Value),
    ("sanitizeResponseHeader", Name::SanitiseResponseHeader, Takes::Value),
    ("setenv", Name::SetEnv, Takes::Value),
    ("setrsc", Name::SetRsc, Takes::Value),
    ("setsid", Name::SetSid, Takes::Value),
    ("setuid", Name::SetUid, Takes::Value),
    ("setvar", Name::SetVar, Takes::Value),
    ("severity", Name::Severity, Takes::Value),
    ("skip", Name::Skip, Takes::Value),
    ("skipAfter", Name::SkipAfter, Takes::Value),
    ("state", Name::State, Takes::Value),
    ("status", Name::Status, Takes::Value),
    ("t", Name::T, Takes::Value),
    ("tag", Name::Tag, Takes::Value),
    ("ver", Name::Ver, Takes::Value),
    ("xmlns", Name::Xmlns, Takes::Value),
];

fn find(name: &[u8]) -> Option<&'static (&'static str, Name, Takes)> {
    ACTIONS.iter().find(|(known, _, _)| known.as_bytes().eq_ignore_ascii_case(name))
}

/// One action of a list.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) name: Name,
    /// The name as it is usually spelt.
    pub(super) spelling: &'static str,
    /// Name and value, for labels.
    pub(super) whole: Text,
    /// The value without quotes; empty where there is none.
    pub(super) value: Text,
}

/// Splits a list, which may be empty. Items that make no sense are reported and left out; `None` when
/// the list's end can't be told, because a quote is not closed.
pub(super) fn split(list: &Text, out: &mut Vec<Diagnostic>) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    if list.bytes().trim_ascii().is_empty() {
        return Some(items);
    }
    let (mut start, mut at, mut quote) = (0, 0, None);
    while let Some(found) = memchr::memchr3(b',', b'\'', b'\\', list.tail(at)) {
        at += found;
        match (list.tail(at).first(), quote) {
            (Some(b'\\'), _) => at += 1,
            (Some(b'\''), None) => quote = Some(at),
            (Some(b'\''), Some(_)) => quote = None,
            (_, None) => {
                items.extend(report(item(&list.slice(start..at)), out));
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if let Some(open) = quote {
        let error = list.report_part(open..open + 1, Code::E0303, "the quote opened here is never closed");
        out.push(error.help(r"write \' for a quote inside"));
        return None;
    }
    items.extend(report(item(&list.slice(start..list.len())), out));
    Some(items)
}

fn report(item: Result<Item, Diagnostic>, out: &mut Vec<Diagnostic>) -> Option<Item> {
    item.map_err(|error| out.push(error)).ok()
}

fn item(text: &Text) -> Result<Item, Diagnostic> {
    let whole = text.trimmed();
    if whole.is_empty() {
        return Err(text
            .report(Code::E0307, "there is no action between the commas")
            .help("take a comma away"));
    }
    let colon = memchr::memchr(b':', whole.bytes());
    let name = whole.slice(0..colon.unwrap_or(whole.len())).trimmed();
    let Some(&(spelling, known, takes)) = find(name.bytes()) else {
        return Err(unknown(&name));
    };
    let written = colon.map(|n| whole.slice(n + 1..whole.len()).trimmed());
    let value = match (written, takes) {
        (Some(value), Takes::Nothing) => {
            return Err(value.report(Code::E0307, format!("`{spelling}` takes no value")));
        }
        (None, Takes::Value) => {
            let help = format!("write `{spelling}:VALUE`");
            return Err(name.report(Code::E0307, format!("`{spelling}` needs a value")).help(help));
        }
        (Some(value), _) => unquote(&value)?,
        (None, _) => whole.slice(whole.len()..whole.len()),
    };
    Ok(Item { name: known, spelling, whole, value })
}

fn unknown(name: &Text) -> Diagnostic {
    let text = name.text();
    let error = name.report(Code::E0306, format!("unknown action `{text}`"));
    let first = text.split_ascii_whitespace().next().filter(|first| first.len() < text.len());
    if first.is_some_and(|first| find(first.as_bytes()).is_some()) {
        return error.help("separate actions with commas");
    }
    match suggest(&text, ACTIONS.iter().map(|(name, _, _)| *name)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

/// Takes the single quotes off a value.
pub(super) fn unquote(value: &Text) -> Result<Text, Diagnostic> {
    if value.bytes().first() != Some(&b'\'') {
        return Ok(value.clone().unescaped(b'\''));
    }
    let mut at = 1;
    while let Some(found) = memchr::memchr2(b'\'', b'\\', value.tail(at)) {
        at += found;
        if value.tail(at).starts_with(b"'") {
            if at + 1 == value.len() {
                return Ok(value.slice(1..at).unescaped(b'\''));
            }
            let rest = value.slice(at + 1..value.len()).trimmed();
            let error = rest.report(Code::E0307, "text follows the closing quote");
            return Err(error.help(r"put a comma between actions, or write \' for a quote inside"));
        }
        at += 2;
    }
    let error = value.report_part(0..1, Code::E0303, "the quote opened here is never closed");
    Err(error.help(r"write \' for a quote inside"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    fn parse(text: &str) -> (Vec<(String, String)>, Vec<String>) {
        let text = Text::new(Sources::default().add("x", *b""), text.as_bytes(), 0);
        let mut out = Vec::new();
        let items = split(&text, &mut out).unwrap_or_default();
        (
            items.iter().map(|i| (i.spelling.to_owned(), i.value.text())).collect(),
            out.iter().map(|d| format!("{}@{}", d.code, d.labels[0].span.start)).collect(),
        )
    }

    #[test]
    fn lists() {
        type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);
        let cases: &[Case] = &[
            ("id:1", &[("id", "1")], &[]),
            (" ID : '1' ,\tPASS", &[("id", "1"), ("pass", "")], &[]),
            ("msg:'a, b:c',t:none", &[("msg", "a, b:c"), ("t", "none")], &[]),
            (r"msg:'it\'s \d',pass", &[("msg", r"it's \d"), ("pass", "")], &[]),
            (r"msg:a\,b,pass", &[("msg", r"a\,b"), ("pass", "")], &[]),
            ("ctl:ruleRemoveTargetById=1;ARGS:x", &[("ctl", "ruleRemoveTargetById=1;ARGS:x")], &[]),
            ("setvar:tx.a='b,c'", &[("setvar", "tx.a='b,c'")], &[]),
            ("msg:", &[("msg", "")], &[]),
            ("id:1,,pass", &[("id", "1"), ("pass", "")], &["E0307@5"]),
            ("id:1,", &[("id", "1")], &["E0307@5"]),
            (" ", &[], &[]),
            ("id:1,msg:'a,pass", &[("id", "1")], &["E0303@9"]),
            ("msg:'a' tag:'b',pass", &[("pass", "")], &["E0307@8"]),
            (r"msg:'a\',pass", &[], &["E0303@4"]),
            ("deny:403,msg", &[], &["E0307@5", "E0307@9"]),
            ("foo:1,nolog pass", &[], &["E0306@0", "E0306@6"]),
        ];
        for (text, items, errors) in cases {
            let (found, reported) = parse(text);
            let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            // What is known of a list whose end can't be told is not used.
            if !errors.iter().any(|e| e.starts_with("E0303")) {
                assert_eq!(found, *items, "{text}");
            }
            assert_eq!(reported, *errors, "{text}");
        }
    }
}
