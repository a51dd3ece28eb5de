//! Rules on bodies that their rule set does not inspect.

use super::{id, name, rules};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::model::{Action, Ctl, EngineMode, Policy, Rule, RuleSet, TargetMode, Variable};

/// Warns of the rules of a set that look at bodies, when nothing lets them see one.
pub(super) fn check(policy: &Policy, set: &RuleSet, out: &mut Vec<Diagnostic>) {
    let settings = &set.settings;
    if settings.engine == EngineMode::Off {
        return;
    }
    if !settings.request_body_access
        && let Some(found) = Found::new(set, Variable::is_of_request_body)
        && !switched_on(policy, |ctl| matches!(ctl, Ctl::RequestBodyAccess(true)))
    {
        let help = "set `process_request_body` to true (in SecLang `SecRequestBodyAccess On`), or take the rules out";
        out.push(found.report("request bodies, and their rule set inspects none", help));
    }
    let of_response = |variable| matches!(variable, Variable::ResponseBody | Variable::OutboundDataError);
    let no_type = settings.response_body_types.as_ref().is_some_and(Vec::is_empty);
    if settings.response_body_access && !no_type {
        return;
    }
    let by_rule = |ctl: &Ctl| match ctl {
        Ctl::ForceResponseBodyVariable(true) => true,
        Ctl::ResponseBodyAccess(true) => !no_type,
        _ => false,
    };
    if let Some(found) = Found::new(set, of_response)
        && !switched_on(policy, by_rule)
    {
        let (what, help) = if no_type {
            let help = "name types such as `text/html` in `response_body_types` (in SecLang `SecResponseBodyMimeType`)";
            ("response bodies, and their rule set inspects those of no media type", help)
        } else {
            let help = "set `process_response_body` to true (in SecLang `SecResponseBodyAccess On`), or take the \
                        rules out";
            ("response bodies, and their rule set inspects none", help)
        };
        out.push(found.report(what, help));
    }
}

/// Whether any rule of the policy changes what is inspected.
fn switched_on(policy: &Policy, by: impl Fn(&Ctl) -> bool) -> bool {
    let links = policy.rule_sets.iter().flat_map(rules).flat_map(|rule| &rule.links);
    links.flat_map(|link| &link.actions).any(|action| matches!(action, Action::Ctl(ctl) if by(ctl)))
}

/// Rules that look at something.
struct Found<'a> {
    first: &'a Rule,
    place: Place,
    count: usize,
}

impl<'a> Found<'a> {
    fn new(set: &'a RuleSet, looks: impl Fn(Variable) -> bool) -> Option<Self> {
        let place = |rule: &'a Rule| {
            let link = rule.links.iter().find(|link| {
                let targets = link.condition.iter().flat_map(|condition| &condition.targets);
                targets.into_iter().any(|one| one.mode != TargetMode::Exclude && looks(one.variable))
            });
            link.map(|link| (rule, link.place))
        };
        let mut found = rules(set).filter_map(place);
        let (first, place) = found.next()?;
        Some(Self { first, place, count: found.count() + 1 })
    }

    fn report(&self, what: &str, help: &str) -> Diagnostic {
        let who = match self.count {
            1 => format!("{} looks", name(self.first)),
            2 => format!("{} and one more look", name(self.first)),
            count => format!("{} and {} more look", name(self.first), count - 1),
        };
        let message = format!("{who} at {what}");
        Diagnostic::new(Code::W0224, message).place(self.place, "").rule(id(self.first)).help(help)
    }
}
