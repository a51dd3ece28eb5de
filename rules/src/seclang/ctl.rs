//! The options of `ctl`.

use super::action_list::unquote;
use super::text::Text;
use super::values::{ON_OFF, ids, integer, one_of, targets};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::limits;
use crate::model::{
    AuditEngine, Ctl, EngineMode, PartsChange, Phase, RuleSelector, Target, TargetMode, XmlArguments,
};

/// Values of `SecRuleEngine` and `ctl:ruleEngine`.
pub(super) const ENGINE_MODES: &[(&str, EngineMode)] =
    &[("On", EngineMode::On), ("Off", EngineMode::Off), ("DetectionOnly", EngineMode::DetectionOnly)];

/// Values of `SecAuditEngine` and `ctl:auditEngine`.
pub(super) const AUDIT_ENGINES: &[(&str, AuditEngine)] =
    &[("On", AuditEngine::On), ("Off", AuditEngine::Off), ("RelevantOnly", AuditEngine::RelevantOnly)];

/// Values of `SecParseXmlIntoArgs` and `ctl:parseXmlIntoArgs`.
pub(super) const XML_ARGUMENTS: &[(&str, XmlArguments)] =
    &[("On", XmlArguments::On), ("Off", XmlArguments::Off), ("OnlyArgs", XmlArguments::Only)];

/// The parts of an audit record that can be chosen.
pub(super) const AUDIT_PARTS: &[u8] = b"ABCDEFGHIJKZ";

const PROCESSORS: &[(&str, &str)] = &[
    ("URLENCODED", "URLENCODED"),
    ("MULTIPART", "MULTIPART"),
    ("XML", "XML"),
    ("JSON", "JSON"),
    ("RAW", "RAW"),
];

pub(super) const OPTIONS: &[&str] = &[
    "auditEngine",
    "auditLogParts",
    "debugLogLevel",
    "forceRequestBodyVariable",
    "forceResponseBodyVariable",
    "hashEnforcement",
    "hashEngine",
    "parseXmlIntoArgs",
    "requestBodyAccess",
    "requestBodyLimit",
    "requestBodyProcessor",
    "responseBodyAccess",
    "responseBodyLimit",
    "responseBodyProcessor",
    "ruleEngine",
    "ruleRemoveById",
    "ruleRemoveByMsg",
    "ruleRemoveByTag",
    "ruleRemoveTargetById",
    "ruleRemoveTargetByMsg",
    "ruleRemoveTargetByTag",
];

const CODE: Code = Code::E0314;

/// Parses `option=value`. An option that names several variables gives one change for each.
/// `None` when something is wrong; it is reported to `out`.
pub(super) fn parse(value: &Text, out: &mut Vec<Diagnostic>) -> Option<Vec<Ctl>> {
    let Some(equals) = memchr::memchr(b'=', value.bytes()) else {
        let error = value.report(CODE, format!("`{}` is given no value", value.text()));
        out.push(error.help("write `ctl:option=value`"));
        return None;
    };
    let name = value.slice(0..equals).trimmed();
    let value = match unquote(&value.slice(equals + 1..value.len()).trimmed()) {
        Ok(value) => value,
        Err(error) => {
            out.push(error);
            return None;
        }
    };
    let known = OPTIONS.iter().find(|option| option.as_bytes().eq_ignore_ascii_case(name.bytes()));
    let Some(&option) = known else {
        let mut error = name.report(CODE, format!("unknown ctl option `{}`", name.text()));
        error.help = did_you_mean(&name.text(), OPTIONS);
        out.push(error);
        return None;
    };
    if let Some(rest) = option.strip_prefix("ruleRemoveTarget") {
        return remove_target(rest, &value, out);
    }
    let ctl = single(option, &value).map_err(|error| out.push(error)).ok()?;
    if let Some(reason) = without_effect(option) {
        out.push(name.report(Code::W0402, format!("`{option}` has no effect: {reason}")));
    }
    Some(vec![ctl])
}

/// Why an option does nothing here.
pub(super) fn without_effect(option: &str) -> Option<&'static str> {
    match option {
        "debugLogLevel" => Some("the level of messages is up to the filter's host"),
        "hashEngine" | "hashEnforcement" => Some("links are not signed"),
        "responseBodyProcessor" => Some("response bodies are judged as they are"),
        _ => None,
    }
}

fn single(option: &str, value: &Text) -> Result<Ctl, Diagnostic> {
    let on_off = || one_of(value, CODE, option, ON_OFF);
    let bytes = || {
        let limit = integer(value, CODE, option, 0..=limits::BODY_LIMIT_BYTES)?;
        Ok(limits::body_limit(usize::try_from(limit).unwrap_or(usize::MAX)))
    };
    let processor = || one_of(value, CODE, option, PROCESSORS).map(str::to_owned);
    Ok(match option {
        "auditEngine" => Ctl::AuditEngine(one_of(value, CODE, option, AUDIT_ENGINES)?),
        "auditLogParts" => audit_parts(value)?,
        "debugLogLevel" => integer(value, CODE, option, 0..=9).map(|_| Ctl::DebugLogLevel)?,
        "forceRequestBodyVariable" => Ctl::ForceRequestBodyVariable(on_off()?),
        "forceResponseBodyVariable" => Ctl::ForceResponseBodyVariable(on_off()?),
        "parseXmlIntoArgs" => Ctl::XmlArguments(one_of(value, CODE, option, XML_ARGUMENTS)?),
        "requestBodyAccess" => Ctl::RequestBodyAccess(on_off()?),
        "requestBodyLimit" => Ctl::RequestBodyLimit(bytes()?),
        "requestBodyProcessor" => Ctl::RequestBodyProcessor(processor()?),
        "responseBodyAccess" => Ctl::ResponseBodyAccess(on_off()?),
        "responseBodyLimit" => Ctl::ResponseBodyLimit(bytes()?),
        "responseBodyProcessor" => Ctl::ResponseBodyProcessor(processor()?),
        "ruleEngine" => Ctl::RuleEngine(one_of(value, CODE, option, ENGINE_MODES)?),
        "ruleRemoveById" => Ctl::RemoveRules(RuleSelector::Ids(ids(value, CODE)?), value.place()),
        "ruleRemoveByMsg" => Ctl::RemoveRules(RuleSelector::Message(some(value)?), value.place()),
        "ruleRemoveByTag" => Ctl::RemoveRules(RuleSelector::Tag(some(value)?), value.place()),
        _ => on_off().map(|_| Ctl::Hash)?,
    })
}

fn some(value: &Text) -> Result<Vec<u8>, Diagnostic> {
    if value.is_empty() {
        return Err(value.report(CODE, "there is no text to compare with"));
    }
    Ok(value.bytes().to_vec())
}

fn audit_parts(value: &Text) -> Result<Ctl, Diagnostic> {
    let (change, start) = match value.bytes().first() {
        Some(b'+') => (PartsChange::Add, 1),
        Some(b'-') => (PartsChange::Remove, 1),
        _ => (PartsChange::Set, 0),
    };
    let parts = value.text().get(start..).unwrap_or_default().to_ascii_uppercase();
    if parts.is_empty() || !parts.bytes().all(|b| AUDIT_PARTS.contains(&b)) {
        let message = format!("`{}` are no parts of an audit record", value.text());
        return Err(value.report(CODE, message).help("the parts are the letters A to K and Z"));
    }
    Ok(Ctl::AuditLogParts { change, parts })
}

/// `rules;VARIABLE[:key]`, the variable also with a `!` in front.
fn remove_target(by: &str, value: &Text, out: &mut Vec<Diagnostic>) -> Option<Vec<Ctl>> {
    let Some(semicolon) = memchr::memchr(b';', value.bytes()) else {
        let error = value.report(CODE, "the variable is missing");
        out.push(error.help(format!("write `ctl:ruleRemoveTarget{by}=RULES;VARIABLE:key`")));
        return None;
    };
    let rules = value.slice(0..semicolon).trimmed();
    let selector = match by {
        "ById" => ids(&rules, CODE).map(RuleSelector::Ids),
        "ByTag" => some(&rules).map(RuleSelector::Tag),
        _ => some(&rules).map(RuleSelector::Message),
    };
    let selector = selector.map_err(|error| out.push(error)).ok();
    let targets = targets(&value.slice(semicolon + 1..value.len()).trimmed(), out)?;
    let selector = selector?;
    let exclude = |target| Target { mode: TargetMode::Exclude, ..target };
    Some(
        targets.into_iter().map(|t| Ctl::RemoveTarget(selector.clone(), exclude(t), value.place())).collect(),
    )
}

/// The last phase in which a change still does something; `None` for those that always do.
pub(super) fn last_phase(ctl: &Ctl) -> Option<Phase> {
    match ctl {
        Ctl::XmlArguments(_)
        | Ctl::RequestBodyAccess(_)
        | Ctl::RequestBodyLimit(_)
        | Ctl::RequestBodyProcessor(_)
        | Ctl::ForceRequestBodyVariable(_) => Some(Phase::RequestHeaders),
        Ctl::ResponseBodyAccess(_)
        | Ctl::ResponseBodyLimit(_)
        | Ctl::ResponseBodyProcessor(_)
        | Ctl::ForceResponseBodyVariable(_) => Some(Phase::ResponseHeaders),
        _ => None,
    }
}
