//! What there is in a policy that matters for what is settled.

use rustc_hash::FxHashMap;

use super::super::Placed;
use super::super::rules::RuleSelection;
use crate::model::{
    self, Action, Condition, Ctl, EngineMode, Part, Resolution, Secret, Selector, SetVar, Store, Template,
    Variable,
};

/// What there is in a policy that matters here.
pub(super) struct Survey {
    /// Literal keys of `TX`, lower-case.
    pub(super) keys: FxHashMap<Vec<u8>, usize>,
    /// What `ctl` removes, one for each such action.
    pub(super) removals: Vec<RuleSelection>,
    /// The first removal of each rule.
    pub(super) first_removal: Vec<usize>,
    /// There are several rule sets.
    several_sets: bool,
    /// A rule can look at what another one matched.
    pub(super) looks_back: bool,
}

fn conditions(rule: &model::Rule) -> impl Iterator<Item = &Condition> {
    rule.links.iter().filter_map(|link| link.condition.as_ref())
}

fn is_match_variable(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::MatchedVar | Variable::MatchedVarName | Variable::MatchedVars | Variable::MatchedVarsNames
    )
}

fn quotes_match(template: &Template) -> bool {
    template
        .parts()
        .iter()
        .any(|part| matches!(part, Part::Macro { variable, .. } if is_match_variable(*variable)))
}

/// Whether what `setvar` writes, or where, depends on what was matched.
fn sets_by_match(setvar: &SetVar) -> bool {
    quotes_match(&setvar.key) || setvar.change.text().is_some_and(quotes_match)
}

/// Whether a rule looks at what an earlier one matched: before or without a match of its own.
pub(super) fn looks_back(rule: &model::Rule) -> bool {
    let Some(first) = rule.links.first() else { return false };
    // What groups of conditions look at is not followed.
    if rule.risk.as_ref().is_some_and(|mark| mark.tree.is_some()) {
        return true;
    }
    match &first.condition {
        Some(condition) => {
            condition.targets.iter().any(|target| is_match_variable(target.variable))
                || quotes_match(condition.operator.argument())
        }
        None => {
            let texts = rule.meta.message.iter().chain(&rule.meta.data).chain(&rule.meta.tags);
            let location = match &rule.resolution {
                Resolution::Redirect(location) => Some(location),
                _ => None,
            };
            let acts = |action: &Action| match action {
                Action::SetVar(setvar) => sets_by_match(setvar),
                Action::ExpireVar { key, seconds, .. } => quotes_match(key) || quotes_match(seconds),
                Action::InitCollection { key, .. } => quotes_match(key),
                Action::SetEnv { name, value } => quotes_match(name) || quotes_match(value),
                Action::Sanitise(secret) => *secret == Secret::Matched,
                Action::Exec(_) => true,
                Action::Ctl(_) => false,
            };
            first.script.is_some()
                || texts.chain(location).any(quotes_match)
                || rule.links.iter().flat_map(|link| &link.actions).any(acts)
        }
    }
}

/// Whether all that the links of a rule do is to write to `TX`, whatever they match.
pub(super) fn only_sets_variables(rule: &model::Rule) -> bool {
    rule.links.iter().all(|link| {
        let is_plain = |action: &Action| match action {
            Action::SetVar(setvar) => setvar.collection == Store::Tx && !sets_by_match(setvar),
            _ => false,
        };
        !link.capture && link.actions.iter().all(is_plain)
    })
}

impl Survey {
    pub(super) fn new(placed: &[Placed<'_>]) -> Self {
        let all: Vec<&model::Rule> = placed.iter().map(|placed| placed.rule).collect();
        let mut survey = Self {
            keys: FxHashMap::default(),
            removals: Vec::new(),
            first_removal: Vec::with_capacity(all.len()),
            several_sets: placed
                .first()
                .is_some_and(|first| placed.iter().any(|other| other.set != first.set)),
            looks_back: super::look_back(placed),
        };
        for (rule, set) in placed.iter().map(|placed| (placed.rule, placed.set)) {
            survey.first_removal.push(survey.removals.len());
            for condition in conditions(rule) {
                let named = condition.targets.iter().filter(|target| target.variable == Variable::Tx);
                for target in named {
                    if let Selector::Key(key) = &target.selector {
                        survey.note(key);
                    }
                }
                survey.note_macros(condition.operator.argument());
            }
            for action in rule.links.iter().flat_map(|link| &link.actions) {
                match action {
                    Action::SetVar(setvar) => {
                        setvar.change.text().into_iter().for_each(|text| survey.note_macros(text));
                        if let Some(key) = setvar.key.as_literal() {
                            survey.note(key);
                        }
                    }
                    Action::Ctl(Ctl::RemoveRules(selector, _)) => {
                        survey.removals.push(RuleSelection::new(&all, selector));
                    }
                    Action::Ctl(Ctl::RuleEngine(EngineMode::Off)) if survey.several_sets => {
                        let own = placed.iter().map(|other| other.set == set);
                        survey.removals.push(RuleSelection::of(own));
                    }
                    _ => {}
                }
            }
        }
        survey
    }

    /// Whether `ctl` takes rules away; each that does is among the removals.
    pub(super) fn removes(&self, ctl: &Ctl) -> bool {
        match ctl {
            Ctl::RemoveRules(..) => true,
            Ctl::RuleEngine(EngineMode::Off) => self.several_sets,
            _ => false,
        }
    }

    fn note(&mut self, key: &[u8]) {
        let next = self.keys.len();
        self.keys.entry(key.to_ascii_lowercase()).or_insert(next);
    }

    fn note_macros(&mut self, template: &Template) {
        for part in template.parts() {
            if let Part::Macro { variable: Variable::Tx, key: Some(key) } = part {
                self.note(key);
            }
        }
    }

    pub(super) fn key(&self, key: &[u8]) -> Option<usize> {
        self.keys.get(key.to_ascii_lowercase().as_slice()).copied()
    }
}
