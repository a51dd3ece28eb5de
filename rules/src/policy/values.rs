//! Scalars of the policy that take more than one type or a range.

use super::json::{Kind, Value};
use super::read::{Form, choice};
use super::report::Reporter;
use crate::diagnostic::{Code, did_you_mean};
use crate::limits;
use crate::model::{Enforcement, LimitAction, Phase, RepeatedHost, ResponseLimitAction, Severity};

/// What a rule can do to the exchange, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ActionName {
    Pass,
    Allow,
    Deny,
    Redirect,
    Drop,
}

/// What a rule does: its own action, or `None` for its set's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleAction(pub(super) Option<ActionName>);

choice! { "Enforcement", Enforcement {
    /// Headers pass while the body is judged. Works with any plugin configuration of Envoy.
    "streaming" => Enforcement::Streaming,
    /// Headers are held until the body is judged. Needs `allow_on_headers_stop_iteration: true` in Envoy's plugin configuration.
    "strict" => Enforcement::Strict,
}}

choice! { "RepeatedHost", RepeatedHost {
    /// It is refused with 400, unless all rule sets only log.
    "refuse" => RepeatedHost::Refuse,
    /// The rules judge it. `REQUEST_HEADERS:Host` is what Envoy makes of them: all, with commas between.
    "pass" => RepeatedHost::Pass,
}}

choice! { "RequestLimitAction", LimitAction {
    /// The bytes up to the limit are inspected, the rest passes unseen.
    "process_partial" => LimitAction::ProcessPartial,
    /// The request is refused.
    "reject" => LimitAction::Reject,
}}

choice! { "ResponseLimitAction", ResponseLimitAction {
    /// The body is delivered uninspected.
    "pass" => ResponseLimitAction::PassUninspected,
    /// The bytes up to the limit are inspected, the rest passes unseen.
    "process_partial" => ResponseLimitAction::ProcessPartial,
    /// The response is refused.
    "reject" => ResponseLimitAction::Reject,
}}

choice! { "DefaultAction", ActionName {
    /// The next rule follows.
    "pass" => ActionName::Pass,
    /// The rest of the phase and all later phases but logging are left out.
    "allow" => ActionName::Allow,
    /// The exchange is answered with the rule's status, else 403.
    "deny" => ActionName::Deny,
    /// The exchange is answered with a redirect to `redirect_url`.
    "redirect" => ActionName::Redirect,
    /// The connection or stream is closed without an answer.
    "drop" => ActionName::Drop,
}}

choice! { "Resolution", RuleAction {
    /// What the rule set says in `default_action`.
    "default_action" => RuleAction(None),
    /// The next rule follows.
    "pass" => RuleAction(Some(ActionName::Pass)),
    /// The rest of the phase and all later phases but logging are left out.
    "allow" => RuleAction(Some(ActionName::Allow)),
    /// The exchange is answered with `status`, else 403.
    "deny" => RuleAction(Some(ActionName::Deny)),
    /// The exchange is answered with a redirect to `redirect_url`, with `status`, else 302.
    "redirect" => RuleAction(Some(ActionName::Redirect)),
    /// The connection or stream is closed without an answer.
    "drop" => RuleAction(Some(ActionName::Drop)),
}}

/// An integer, if the value is one that fits.
fn integer(value: &Value<'_>) -> Option<i128> {
    match &value.kind {
        Kind::Number(text) => text.parse().ok(),
        _ => None,
    }
}

/// Reports a value outside of what is allowed.
fn refuse(value: &Value<'_>, reporter: &mut Reporter<'_>, message: &str, help: impl Into<String>) {
    reporter.push(reporter.at(Code::E0105, value.span, message).help(help));
}

/// A body limit in bytes; 0 stands for the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteLimit(pub(super) usize);

impl Form for ByteLimit {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let most = limits::BODY_LIMIT_BYTES;
        let Kind::Number(_) = value.kind else {
            reporter.wrong_type(value, "a number of bytes");
            return None;
        };
        let bytes = integer(value).filter(|n| (0..=i128::from(most)).contains(n));
        if bytes.is_none() {
            let help = "write whole bytes; 0 stands for the default";
            refuse(value, reporter, &format!("a body limit is 0 to {most} bytes"), help);
        }
        usize::try_from(bytes?).ok().map(Self)
    }
}

/// A count of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Count(pub(super) u32);

impl Form for Count {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Number(_) = value.kind else {
            reporter.wrong_type(value, "an integer");
            return None;
        };
        let count = integer(value).and_then(|n| u32::try_from(n).ok());
        if count.is_none() {
            refuse(value, reporter, "not a number of rules", "write an integer from 0");
        }
        count.map(Self)
    }
}

/// A rule's number: an integer from 1, or its digits in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RuleId(pub(super) u64);

impl Form for RuleId {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let id = match &value.kind {
            Kind::Number(_) => integer(value).and_then(|n| u64::try_from(n).ok()),
            Kind::String(text) => {
                Some(text).filter(|t| t.bytes().all(|b| b.is_ascii_digit())).and_then(|t| t.parse().ok())
            }
            _ => {
                reporter.wrong_type(value, "a rule id");
                return None;
            }
        };
        let id = id.filter(|id| *id > 0);
        if id.is_none() {
            refuse(value, reporter, "not a rule id", "a rule id is an integer from 1, such as 1001");
        }
        id.map(Self)
    }
}

/// A status code; which ones make sense depends on the resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusCode(pub(super) u16);

impl Form for StatusCode {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Number(_) = value.kind else {
            reporter.wrong_type(value, "a status code");
            return None;
        };
        let status = integer(value).and_then(|n| u16::try_from(n).ok()).filter(|n| (100..=599).contains(n));
        if status.is_none() {
            let diagnostic = reporter.at(Code::E0211, value.span, "not a status code");
            reporter.push(diagnostic.help("write an integer from 100 to 599, such as 403"));
        }
        status.map(Self)
    }
}

/// A phase by number or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PhaseName(pub(super) Phase);

impl Form for PhaseName {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let phase = match &value.kind {
            Kind::Number(text) => Phase::from_name(text),
            Kind::String(text) => Phase::from_name(text),
            _ => {
                reporter.wrong_type(value, "a phase");
                return None;
            }
        };
        if phase.is_none() {
            let help = "a phase is 1 (request headers), 2 or `request`, 3 (response headers), 4 or `response`, 5 or `logging`";
            refuse(value, reporter, "not a phase", help);
        }
        phase.map(Self)
    }
}

/// True, false, or the empty string for "not set".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Switch(pub(super) Option<bool>);

impl Form for Switch {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::Bool(on) => Some(Self(Some(*on))),
            Kind::String(text) if text.is_empty() => Some(Self(None)),
            Kind::String(_) => {
                let help = "write true, false, or \"\" to leave it unset";
                refuse(value, reporter, "neither true, false nor empty", help);
                None
            }
            _ => {
                reporter.wrong_type(value, "a boolean or an empty string");
                None
            }
        }
    }
}

/// A severity by number or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SeverityName(pub(super) Severity);

impl Form for SeverityName {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let text = match &value.kind {
            Kind::Number(text) => text,
            Kind::String(text) => text.as_ref(),
            _ => {
                reporter.wrong_type(value, "a severity");
                return None;
            }
        };
        let severity = Severity::from_name(text);
        if severity.is_none() {
            let names: Vec<&str> = (0..8).filter_map(|n| Some(Severity::new(n)?.name())).collect();
            let help = match text {
                "8" | "9" => {
                    "SKUDONET's 8 and 9 are on no scale; the mildest severity is 7 (DEBUG)".to_owned()
                }
                _ => did_you_mean(text, &names).unwrap_or_default(),
            };
            refuse(value, reporter, "a severity is 0 (EMERGENCY) to 7 (DEBUG)", help);
        }
        severity.map(Self)
    }
}

/// Text, which may also be written as an integer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text(pub(super) String);

impl Form for Text {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::String(text) => Some(Self(text.clone().into_owned())),
            Kind::Number(text) if integer(value).is_some() => Some(Self((*text).to_owned())),
            _ => {
                reporter.wrong_type(value, "a string or an integer");
                None
            }
        }
    }
}
