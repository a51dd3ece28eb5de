//! Rules that run before what they look at is there.

use std::collections::BTreeSet;

use super::{id, name, rules, some};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::model::{
    Action, Change, Link, Part, Phase, Rule, RuleSet, SetVar, TargetMode, Template, Variable,
};

/// Warns of variables and macros that come too late for their rules.
pub(super) fn check(set: &RuleSet, out: &mut Vec<Diagnostic>) {
    let mut partly = Partly::default();
    for rule in rules(set) {
        // A rule about clients may name a phase itself, which is looked at where it is read.
        for link in &rule.links {
            let seen: BTreeSet<Variable> = looked_at(link).collect();
            let late = late(rule, seen.iter().copied());
            if !late.is_empty() {
                out.push(not_there(rule, link.place, &late, false));
            }
            let late = self::late(rule, macros(link));
            if !late.is_empty() {
                out.push(not_there(rule, link.place, &late, true));
            }
            let early =
                |variable: &&Variable| variable.is_known_in_part() && rule.phase < variable.known_from();
            if let Some(variable) = seen.iter().find(early) {
                partly.add(rule, link.place, *variable);
            }
        }
    }
    out.extend(partly.report());
}

/// The variables of a link's condition.
fn looked_at(link: &Link) -> impl Iterator<Item = Variable> {
    let targets = link.condition.iter().flat_map(|condition| &condition.targets);
    targets.filter(|target| target.mode != TargetMode::Exclude).map(|target| target.variable)
}

/// The variables of which the link compares with, or keeps, what they hold.
fn macros(link: &Link) -> impl Iterator<Item = Variable> {
    let argument = link.condition.iter().map(|condition| condition.operator.argument());
    let kept = link.actions.iter().filter_map(|action| match action {
        Action::SetVar(SetVar {
            change: Change::Set(text) | Change::Add(text) | Change::Subtract(text),
            ..
        }) => Some(text),
        _ => None,
    });
    let parts = argument.chain(kept).flat_map(Template::parts);
    let variables: BTreeSet<Variable> = parts
        .filter_map(|part| match part {
            Part::Macro { variable, .. } => Some(*variable),
            Part::Literal(_) => None,
        })
        .collect();
    variables.into_iter()
}

/// Those of which nothing is known yet when the rule runs.
fn late(rule: &Rule, variables: impl Iterator<Item = Variable>) -> Vec<Variable> {
    let late = |variable: &Variable| rule.phase < variable.known_from() && !variable.is_known_in_part();
    variables.filter(late).collect()
}

fn not_there(rule: &Rule, place: Place, late: &[Variable], macros: bool) -> Diagnostic {
    let from = late.iter().map(|variable| variable.known_from()).max().unwrap_or(rule.phase);
    let message = format!(
        "{}{} {} not there yet in phase {}, only from phase {} on",
        if macros { "the value of " } else { "" },
        some(late),
        if late.len() == 1 || macros { "is" } else { "are" },
        rule.phase.number(),
        from.number()
    );
    let help = format!("let the rule run in phase {}", from.number());
    Diagnostic::new(Code::W0222, message).place(place, "").rule(id(rule)).help(help)
}

/// Rules that see a part of what they look at: one note for all of them.
#[derive(Default)]
struct Partly<'a> {
    first: Option<(&'a Rule, Place, Variable)>,
    rules: BTreeSet<usize>,
}

impl<'a> Partly<'a> {
    fn add(&mut self, rule: &'a Rule, place: Place, variable: Variable) {
        self.first.get_or_insert((rule, place, variable));
        self.rules.insert(std::ptr::from_ref(rule).addr());
    }

    fn report(self) -> Option<Diagnostic> {
        let (rule, place, variable) = self.first?;
        let others = self.rules.len().saturating_sub(1);
        let others = match others {
            0 => String::new(),
            1 => "; so for one more rule".to_owned(),
            _ => format!("; so for {others} more rules"),
        };
        let message = format!(
            "in phase {} {} sees of `{variable}` what the head of the request holds, not the body{others}",
            rule.phase.number(),
            name(rule),
        );
        let help = format!("let it run in phase {} to see the body too", Phase::RequestBody.number());
        Some(Diagnostic::new(Code::N0223, message).place(place, "").rule(id(rule)).help(help))
    }
}
