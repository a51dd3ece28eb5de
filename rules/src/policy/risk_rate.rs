//! Rates of risk rules: what matches are counted by, and what follows when there are too many.

use super::report::{Reporter, Spanned};
use super::risk_forms::{RateForm, RiskRuleForm};
use super::risk_values::Per;
use crate::diagnostic::Code;
use crate::model::{Phase, RateScope, Selector, Shape, Target, TargetMode};
use crate::risk::{ClientLimit, Rate};
use crate::seclang::parse_form_targets;

/// How many matches in which time.
pub(super) fn rate(form: &RateForm) -> Option<Rate> {
    Some(Rate { count: form.count?.value.0, seconds: form.seconds?.value.0 })
}

/// What a rule's rate does to the client, if it is counted by client and acts.
pub(super) fn client_limit(form: &RiskRuleForm) -> Option<ClientLimit> {
    let written = &form.rate.as_ref()?.value;
    let action = written.action?.value;
    let by_client = !form.beta.value && is_client_alone(written);
    by_client.then_some(ClientLimit { rule: form.id?.value.0, rate: rate(written)?, action })
}

/// What matches are counted by; `None` when it is the client alone.
pub(super) fn scope(form: &Spanned<RateForm>, reporter: &mut Reporter<'_>) -> Option<RateScope> {
    let rate = &form.value;
    if is_client_alone(rate) {
        return None;
    }
    let has = |one: Per| parts(rate).any(|part| part == one);
    let account = match &rate.account {
        Some(variables) if has(Per::Account) => account(&variables.value.0, reporter),
        Some(variables) => {
            if let Some(first) = variables.value.0.first() {
                let message = "`account` has no effect: matches are not counted by account";
                let help = "add \"account\" to `per`, or leave `account` out";
                reporter.push(reporter.at(Code::W0108, first.span, message).help(help));
            }
            Vec::new()
        }
        None if has(Per::Account) => {
            let message = "nothing says which account a request is about";
            let help = "name variables in `account`, such as `ARGS:user`";
            reporter.push(reporter.at(Code::E0704, form.span, message).help(help));
            return None;
        }
        None => Vec::new(),
    };
    let known = account.iter().map(|target| target.variable.known_from()).max();
    Some(RateScope {
        phase: known.unwrap_or(Phase::RequestHeaders).max(Phase::RequestHeaders),
        client: has(Per::Client),
        site: has(Per::Site),
        path: has(Per::Path),
        account,
    })
}

/// What is written in `per`, or what stands for it.
fn parts(rate: &RateForm) -> impl Iterator<Item = Per> {
    let written = rate.per.iter().flat_map(|per| per.value.0.iter().map(|part| part.value));
    let otherwise = if rate.account.is_some() { Per::Account } else { Per::Client };
    written.chain(rate.per.is_none().then_some(otherwise))
}

fn is_client_alone(rate: &RateForm) -> bool {
    parts(rate).all(|part| part == Per::Client)
}

/// Variables of the request: a scalar, or one element of a collection.
fn account(names: &[Spanned<String>], reporter: &mut Reporter<'_>) -> Vec<Target> {
    let mut found = Vec::new();
    for name in names {
        let one = parse_form_targets(name.value.as_bytes()).ok().filter(|targets| targets.len() == 1);
        let fits = |target: &Target| {
            let named = matches!(target.selector, Selector::Key(_));
            let whole = matches!(target.selector, Selector::All) && target.variable.shape() == Shape::Scalar;
            target.mode == TargetMode::Inspect
                && (named || whole)
                && target.variable.known_from() <= Phase::RequestBody
        };
        match one.and_then(|mut targets| targets.pop()).filter(fits) {
            Some(target) => found.push(target),
            None => {
                let message = format!("`{}` is no variable that an account could be in", name.value);
                let help = "write one value of the request, such as `ARGS:user`, `REQUEST_COOKIES:user` or `REMOTE_USER`";
                reporter.push(reporter.at(Code::E0704, name.span, message).help(help));
            }
        }
    }
    found
}
