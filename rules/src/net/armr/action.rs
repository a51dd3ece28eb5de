//! `detect`, `protect` and `allow`.

use super::app::Reports;
use super::syntax::{Statement, Value, ValueKind, Word};
use super::version::Feature;
use crate::diagnostic::{Code, Span};
use crate::net::{Action, LanguageVersion, Message, Severity};

const PARAMETERS: [&str; 4] = ["message", "severity", "stacktrace", "connection"];

/// What an action says.
pub(super) struct Acts {
    pub(super) action: Action,
    pub(super) message: Message,
    pub(super) severity: Severity,
    pub(super) stacktrace: bool,
    /// Where `connection` is asked for.
    pub(super) connection: Option<Span>,
}

pub(super) fn read(
    statement: &Statement,
    version: LanguageVersion,
    rule: &str,
    reports: &mut Reports,
) -> Acts {
    let action = match statement.name.text.as_str() {
        "detect" => Action::Detect,
        "protect" => Action::Protect,
        _ => Action::Allow,
    };
    let mut acts = Acts {
        action,
        message: Message::Silent,
        severity: Severity::Unknown,
        stacktrace: false,
        connection: None,
    };
    let mut seen: Vec<&Word> = Vec::new();
    let mut has_message = false;
    for parameter in &statement.parameters {
        let value = &parameter.value;
        let Some(name) = &parameter.name else {
            let message = format!("rule \"{rule}\": a parameter of `{}` has no name", statement.name.text);
            reports.error(Code::E0507, value.span, message, "write `message: \"text\", severity: High`");
            continue;
        };
        if let Some(first) = seen.iter().find(|first| first.text == name.text) {
            reports.again(name, first.span);
            continue;
        }
        seen.push(name);
        match name.text.as_str() {
            "message" => {
                has_message = true;
                let text = string(value, "message", rule, reports).unwrap_or_default();
                acts.message = if text.is_empty() { Message::Default } else { Message::Text(text.into()) };
            }
            "severity" => acts.severity = severity(value, rule, reports),
            "stacktrace" => {
                reports.needs(Feature::StackTrace, version, name.span);
                let text = string(value, "stacktrace", rule, reports);
                acts.stacktrace = text.is_some();
                if text.is_some_and(|text| text != "full") {
                    let message = format!("rule \"{rule}\": the only stack trace there is is \"full\"");
                    reports.error(Code::W0606, value.span, message, "write `stacktrace: \"full\"`");
                }
            }
            "connection" => {
                acts.connection = Some(value.span);
                if !matches!(&value.kind, ValueKind::Word(word) if word == "secure" || word == "upgrade-tls")
                {
                    let message = format!("rule \"{rule}\": no such connection");
                    reports.error(Code::E0507, value.span, message, "write `secure` or `upgrade-tls`");
                }
            }
            _ => reports.unknown(name, &PARAMETERS, "parameter"),
        }
    }
    if action == Action::Detect && !has_message {
        let message = format!("rule \"{rule}\": `detect` must have a message");
        reports.error(Code::E0513, statement.name.span, message, "add `message: \"\"` for the default text");
    }
    acts
}

fn string(value: &Value, name: &str, rule: &str, reports: &mut Reports) -> Option<String> {
    if let ValueKind::Text(text) = &value.kind {
        return Some(text.clone());
    }
    let message = format!("rule \"{rule}\": `{name}` must be a string");
    reports.error(Code::E0507, value.span, message, "put it in double quotes");
    None
}

fn severity(value: &Value, rule: &str, reports: &mut Reports) -> Severity {
    let help = "write Low, Medium, High or Very-High, or a number from 0 to 10";
    let ValueKind::Word(word) = &value.kind else {
        reports.error(Code::E0512, value.span, format!("rule \"{rule}\": the severity is malformed"), help);
        return Severity::Unknown;
    };
    let digits = word.strip_prefix('-').unwrap_or(word);
    if digits.starts_with(|first: char| first.is_ascii_digit()) {
        let whole = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let number = word.parse().ok().and_then(Severity::from_number);
        if number.is_none() {
            let problem = if whole { "the severity must be 0 to 10" } else { "the severity is malformed" };
            reports.error(Code::E0512, value.span, format!("rule \"{rule}\": {problem}"), help);
        }
        return number.unwrap_or(Severity::Unknown);
    }
    Severity::from_name(word).unwrap_or_else(|| {
        let message = format!("rule \"{rule}\": `{word}` is no severity, so it is unknown");
        reports.error(Code::W0606, value.span, message, help);
        Severity::Unknown
    })
}
