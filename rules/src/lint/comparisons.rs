//! Comparisons with a text that what is looked at never holds.

use super::{id, rules};
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Condition, RuleSet, Target, TargetMode, Variable};
use crate::operators::OperatorName;
use crate::transforms::Transformation;

/// Warns of comparisons that always come out the same.
pub(super) fn check(set: &RuleSet, out: &mut Vec<Diagnostic>) {
    for rule in rules(set) {
        // Criteria of rules about clients have no place here: they are looked at where they are read.
        for link in rule.all_links().filter(|link| link.place.known().is_some()) {
            let Some(condition) = &link.condition else { continue };
            let Some(Problem { message, help }) = problem(condition) else { continue };
            let outcome = if condition.negated { "always holds" } else { "never holds" };
            let message = format!("the comparison {outcome}: {message}");
            out.push(Diagnostic::new(Code::W0226, message).place(link.place, "").rule(id(rule)).help(help));
        }
    }
}

struct Problem {
    message: String,
    help: String,
}

/// Why what is compared with is never there.
fn problem(condition: &Condition) -> Option<Problem> {
    let name = condition.operator.name();
    let compares = matches!(
        name,
        OperatorName::StrEq
            | OperatorName::BeginsWith
            | OperatorName::EndsWith
            | OperatorName::Contains
            | OperatorName::ContainsWord
            | OperatorName::StrMatch
    );
    if !(compares || name == OperatorName::Within) || condition.multi_match {
        return None;
    }
    let text = condition.operator.argument().as_literal()?;
    let shown = String::from_utf8_lossy(text);
    let inspected = || condition.targets.iter().filter(|target| target.mode != TargetMode::Exclude);
    if compares && let Some(problem) = folded(&condition.transformations, text) {
        return inspected().all(|target| target.mode == TargetMode::Inspect).then_some(problem);
    }
    let only = |variables: &[Variable]| {
        let one =
            |target: &Target| target.mode == TargetMode::Inspect && variables.contains(&target.variable);
        inspected().next().is_some() && inspected().all(one)
    };
    let whole = name == OperatorName::StrEq;
    let start = whole || name == OperatorName::BeginsWith;
    let lower = text.iter().any(u8::is_ascii_lowercase);
    // Transformations may make anything of a value.
    if !condition.transformations.is_empty() {
        return None;
    }
    if only(&[Variable::RequestMethod]) {
        let is_lower = if compares { lower } else { lower && !text.iter().any(u8::is_ascii_uppercase) };
        if is_lower {
            let message = "methods are in upper case".to_owned();
            return Some(Problem { message, help: format!("write `{}`", shown.to_ascii_uppercase()) });
        }
        if whole && text.iter().any(|byte| matches!(byte, b',' | b'|' | b' ')) {
            let message = format!("no method is `{shown}`");
            return Some(Problem { message, help: "use `within` for several methods".to_owned() });
        }
    }
    if compares
        && only(&[Variable::ResponseStatus, Variable::Status])
        && !(text.iter().all(u8::is_ascii_digit) && (!whole || text.len() == 3) && text.len() <= 3)
    {
        let message = format!("a status is three digits, never `{shown}`");
        let help = "compare with a number, or use `rx` for several: `^(?:401|403)$`, `^4`".to_owned();
        return Some(Problem { message, help });
    }
    let paths = [Variable::RequestFilename, Variable::RequestUri, Variable::PathInfo];
    if start && only(&paths) && !matches!(text, [] | [b'/', ..] | b"*") {
        let message = "paths begin with `/`".to_owned();
        return Some(Problem { message, help: format!("write `/{shown}`, or use `contains`") });
    }
    if start && only(&[Variable::RequestFilename, Variable::PathInfo]) && text.contains(&b'?') {
        let message = "the query is no part of the path".to_owned();
        return Some(Problem { message, help: "look at `REQUEST_URI`, or at `ARGS_GET`".to_owned() });
    }
    if compares && only(&[Variable::ServerName]) && text.iter().any(|byte| matches!(byte, b'/' | b',' | b' '))
    {
        let message = "the name of a server has no scheme, path or list".to_owned();
        return Some(Problem { message, help: "write the host name alone".to_owned() });
    }
    None
}

/// Whether values come in one case, and the text is in the other.
fn folded(transformations: &[Transformation], text: &[u8]) -> Option<Problem> {
    let keeps = |one: &&Transformation| {
        matches!(
            one,
            Transformation::Trim
                | Transformation::TrimLeft
                | Transformation::TrimRight
                | Transformation::CompressWhitespace
                | Transformation::RemoveWhitespace
                | Transformation::RemoveNulls
                | Transformation::NormalizePath
                | Transformation::NormalizePathWin
        )
    };
    let last = transformations.iter().rev().find(|one| !keeps(one))?;
    let shown = String::from_utf8_lossy(text);
    let (case, other) = match last {
        Transformation::Lowercase if text.iter().any(u8::is_ascii_uppercase) => {
            ("lower", shown.to_ascii_lowercase())
        }
        Transformation::Uppercase if text.iter().any(u8::is_ascii_lowercase) => {
            ("upper", shown.to_ascii_uppercase())
        }
        _ => return None,
    };
    let message = format!("values are made {case}-case before they are compared");
    Some(Problem { message, help: format!("write `{other}`, or leave the transformation out") })
}
