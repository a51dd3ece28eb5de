//! What a valid policy says and can't mean: rules that look at what is not there yet or is never there, comparisons that
//! never hold, exclusions that reach nothing, network rules that never govern. All of it loads; each is a warning.
//!
//! This looks at the model, so that it does not matter how a rule was written. What can be told from one form alone is
//! told where the form is read (`policy`, `seclang`).

mod bodies;
mod comparisons;
mod exclusions;
mod network;
mod phases;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Item, Policy, Rule, RuleSet};

/// Looks at a policy: at all of it, or, when rule sets were added to one that was looked at before, at those from number
/// `first` on.
#[must_use]
pub fn check(policy: &Policy, first: usize) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for set in policy.rule_sets.iter().skip(first) {
        phases::check(set, &mut out);
        bodies::check(policy, set, &mut out);
        comparisons::check(set, &mut out);
    }
    exclusions::check(policy, first, &mut out);
    if first == 0 {
        network::check(&policy.network, &mut out);
    }
    out
}

/// A warning for those who don't know which module the policy goes to: it has scripts.
#[must_use]
pub fn scripts(policy: &Policy) -> Option<Diagnostic> {
    let rule = policy.rule_sets.iter().flat_map(rules).find(|rule| rule.runs_scripts())?;
    let message = format!("{} runs a script: a module without scripts refuses the policy", name(rule));
    let help = "load `portcullis-lua.wasm` in Envoy, not `portcullis.wasm`";
    Some(Diagnostic::new(Code::W0214, message).place(rule.origin.place, "").rule(id(rule)).help(help))
}

fn rules(set: &RuleSet) -> impl Iterator<Item = &Rule> {
    set.items.iter().filter_map(|item| match item {
        Item::Rule(rule) => Some(&**rule),
        Item::Marker(_) => None,
    })
}

/// A rule as reports name it.
fn name(rule: &Rule) -> String {
    match rule.id {
        0 => format!("the rule of {} line {}", rule.origin.file, rule.origin.line),
        id => format!("rule {id}"),
    }
}

/// The number of a rule, for reports.
fn id(rule: &Rule) -> Option<u64> {
    (rule.id > 0).then_some(rule.id)
}

/// `a`, `a and b`, `a, b and 3 more`: the first two by name.
fn some<T: std::fmt::Display>(all: &[T]) -> String {
    match all {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [one, two] => format!("`{one}` and `{two}`"),
        [one, two, more @ ..] => format!("`{one}`, `{two}` and {} more", more.len()),
    }
}
