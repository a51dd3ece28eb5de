//! Matches: from their forms to the links of a rule.

use super::files::Files;
use super::forms::MatchForm;
use super::report::{Reporter, Spanned};
use super::text;
use crate::diagnostic::{Code, Place, did_you_mean};
use crate::limits;
use crate::model::{Condition, Link, Selector, Target, TargetMode, Template};
use crate::operators::{Operator, OperatorError, OperatorName};
use crate::seclang::{TargetErrorKind, parse_form_targets};
use crate::transforms::Transformation;
use crate::xpath::XPath;

/// A match as a link. What is wrong with any part of it is reported.
pub(super) fn link(form: &Spanned<MatchForm>, files: &Files, reporter: &mut Reporter<'_>) -> Option<Link> {
    let operator = operator(form, files, reporter);
    let place = reporter.place(form.value.variables.as_ref().map_or(form.span, |variables| variables.span));
    let form = &form.value;
    let targets = targets(form, reporter);
    let transformations = transformations(form, reporter);
    let condition = Condition {
        targets: targets?,
        transformations: transformations?,
        multi_match: form.multi_match.value,
        operator: operator?,
        negated: form.not_match.value,
        namespaces: Vec::new(),
    };
    Some(Link {
        condition: Some(condition),
        script: None,
        capture: form.capture.value,
        actions: Vec::new(),
        place,
    })
}

/// A link that never matches, in place of a disabled rule's.
pub(super) fn never() -> Option<Link> {
    let operator = Operator::new(OperatorName::NoMatch, b"", &Files::default(), "").ok()?;
    let condition = Condition {
        targets: Vec::new(),
        transformations: Vec::new(),
        multi_match: false,
        operator,
        negated: false,
        namespaces: Vec::new(),
    };
    Some(Link {
        condition: Some(condition),
        script: None,
        capture: false,
        actions: Vec::new(),
        place: Place::default(),
    })
}

fn targets(form: &MatchForm, reporter: &mut Reporter<'_>) -> Option<Vec<Target>> {
    let variables = form.variables.as_ref()?;
    let mut targets = Vec::new();
    let mut good = true;
    for list in &variables.value.0 {
        if targets.len() > limits::CONDITION_TARGETS {
            let message = TargetErrorKind::TooMany.to_string();
            let help = "select by a pattern such as `ARGS:/^id_/`, or split the rule";
            reporter.push(reporter.at(Code::E0225, list.span, message).help(help));
            return None;
        }
        match parse_form_targets(list.value.as_bytes()) {
            Ok(some) => {
                good &= prefixes_are_known(&some, list, reporter);
                targets.extend(some);
            }
            Err(errors) => {
                good = false;
                for error in errors {
                    let span = reporter.within(list, error.span.start..error.span.end);
                    let mut diagnostic = reporter.at(error.code(), span, error.to_string());
                    diagnostic.help = error.help;
                    reporter.push(diagnostic);
                }
            }
        }
    }
    if good && targets.iter().all(|target| target.mode == TargetMode::Exclude) {
        let message =
            if targets.is_empty() { "no variable is tested" } else { "all variables are taken out" };
        let help =
            "name what is to be tested, such as `ARGS`; for a rule that always matches leave `matches` out";
        reporter.push(reporter.at(Code::E0105, variables.span, message).help(help));
        good = false;
    }
    good.then_some(targets)
}

/// The forms have no place to declare prefixes for XPath expressions.
fn prefixes_are_known(targets: &[Target], list: &Spanned<String>, reporter: &mut Reporter<'_>) -> bool {
    let unknown = targets.iter().find_map(|target| match &target.selector {
        Selector::XPath(path) => XPath::parse(path).and_then(|xpath| xpath.check_prefixes(&[])).err(),
        _ => None,
    });
    let Some(error) = unknown else { return true };
    let help = "write `*[local-name()='NAME']`, or the rule in SecLang with the action `xmlns`";
    reporter.push(reporter.at(Code::E0206, list.span, error.to_string()).help(help));
    false
}

fn transformations(form: &MatchForm, reporter: &mut Reporter<'_>) -> Option<Vec<Transformation>> {
    let mut transformations = Vec::new();
    let mut good = true;
    for name in &form.transformations {
        if name.value.eq_ignore_ascii_case("none") {
            transformations.clear();
        } else if let Some(transformation) = transformation(&name.value) {
            transformations.push(transformation);
        } else {
            good = false;
            let names: Vec<&str> = Transformation::ALL.iter().map(|t| t.name()).chain(["none"]).collect();
            let mut diagnostic =
                reporter.at(Code::E0204, name.span, format!("no transformation named `{}`", name.value));
            let bare = name.value.strip_prefix("t:").unwrap_or(&name.value);
            let other = "use a transformation of SecLang, such as `lowercase` or `urlDecodeUni`";
            diagnostic.help = did_you_mean(bare, &names).or_else(|| Some(other.to_owned()));
            reporter.push(diagnostic);
        }
    }
    good.then_some(transformations)
}

/// Looks a transformation up by its name, or by the one that only SKUDONET's documentation has.
fn transformation(name: &str) -> Option<Transformation> {
    if name.eq_ignore_ascii_case("toLowercase") {
        return Some(Transformation::Lowercase);
    }
    Transformation::from_name(name)
}

fn operator(form: &Spanned<MatchForm>, files: &Files, reporter: &mut Reporter<'_>) -> Option<Operator> {
    let name = operator_name(form.value.operator.as_ref(), reporter)?;
    // An absent operand is reported at the operator, else at the match.
    let absent =
        || Spanned { value: String::new(), span: form.value.operator.as_ref().map_or(form.span, |o| o.span) };
    let operand = form
        .value
        .operating
        .as_ref()
        .map_or_else(absent, |operand| Spanned { value: operand.value.0.clone(), span: operand.span });

    if compares_integers(name) && !is_integer(&operand.value) {
        let message = format!("`{}` compares with an integer", name.name());
        let help = "put an integer or a macro such as `%{tx.limit}` into `operating`";
        reporter.push(reporter.at(Code::E0205, operand.span, message).help(help));
        return None;
    }
    if takes_no_argument(name) && !operand.value.is_empty() {
        let message = format!("`{}` takes no argument", name.name());
        reporter.push(reporter.at(Code::W0108, operand.span, message).help("leave `operating` out"));
    }
    match Operator::new(name, operand.value.as_bytes(), files, "") {
        Ok(operator) => Some(operator),
        Err(error) => {
            report_operator(error, &operand, form.value.operating.is_some(), files, reporter);
            None
        }
    }
}

fn operator_name(name: Option<&Spanned<String>>, reporter: &mut Reporter<'_>) -> Option<OperatorName> {
    let Some(name) = name else { return Some(OperatorName::Rx) };
    let found = OperatorName::from_name(&name.value);
    if found.is_none() {
        let text = name.value.as_str();
        let word = text.trim_start_matches(['!', ' ']);
        let word = word.split_ascii_whitespace().next().unwrap_or_default();
        let bare = word.strip_prefix('@').unwrap_or(word);
        let names: Vec<&str> = OperatorName::ALL
            .iter()
            .flat_map(|o| [o.name()].into_iter().chain(o.aliases().iter().copied()))
            .collect();
        let other =
            "use an operator of SecLang, such as `rx` or `contains`, or of the forms, such as `strContains`";
        let help = match OperatorName::from_name(word) {
            Some(known) if text.starts_with('!') => {
                Some(format!("write `{}` and set `not_match` to true", known.name()))
            }
            Some(known) => Some(format!("write `{}` and put its argument into `operating`", known.name())),
            None => did_you_mean(bare, &names).or_else(|| Some(other.to_owned())),
        };
        let mut diagnostic = reporter.at(Code::E0203, name.span, format!("no operator named `{text}`"));
        diagnostic.help = help;
        reporter.push(diagnostic);
    }
    found
}

fn report_operator(
    error: OperatorError,
    operand: &Spanned<String>,
    given: bool,
    files: &Files,
    reporter: &mut Reporter<'_>,
) {
    let diagnostic = match error {
        OperatorError::Macro(error) => text::unknown_macro(&error, operand, reporter),
        OperatorError::Argument { message, help, span } => {
            let span = span.filter(|_| given).map_or(operand.span, |bytes| reporter.within(operand, bytes));
            let mut diagnostic = reporter.at(Code::E0205, span, message);
            diagnostic.help = help;
            diagnostic
        }
        OperatorError::Script(error) => {
            let mut diagnostic = reporter.at(error.code(), operand.span, error.to_string());
            diagnostic.help = error.help().map(str::to_owned);
            diagnostic
        }
        OperatorError::File(error) => {
            let names: Vec<&str> = files.names().collect();
            let mut diagnostic = reporter.at(Code::E0210, operand.span, error.to_string());
            diagnostic.help = did_you_mean(&error.name, &names);
            diagnostic
        }
    };
    reporter.push(diagnostic);
}

/// An integer, or a text with macros that may become one.
fn is_integer(operand: &str) -> bool {
    match Template::parse(operand.as_bytes()) {
        Ok(template) if template.as_literal().is_some() => operand.trim().parse::<i64>().is_ok(),
        // Unknown macros are reported when the operator is compiled.
        _ => true,
    }
}

const fn compares_integers(name: OperatorName) -> bool {
    matches!(
        name,
        OperatorName::Eq | OperatorName::Ge | OperatorName::Gt | OperatorName::Le | OperatorName::Lt
    )
}

const fn takes_no_argument(name: OperatorName) -> bool {
    matches!(
        name,
        OperatorName::DetectSqli
            | OperatorName::DetectXss
            | OperatorName::NoMatch
            | OperatorName::UnconditionalMatch
            | OperatorName::ValidateUrlEncoding
            | OperatorName::ValidateUtf8Encoding
    )
}
