//! What is implemented of SecLang, by name: read off the tables that the parser works with.

use super::action_list::ACTIONS;
use super::ctl;
use super::directive::{DIRECTIVES, Role};
use super::operator::{FROM_DATASET, UNAVAILABLE};
use super::variables;
use crate::model::Variable;
use crate::operators::OperatorName;
use crate::transforms::Transformation;

/// One kind of name with all that have it.
#[derive(Clone, Debug)]
pub struct Section {
    /// What they are, in the plural.
    pub title: &'static str,
    /// In alphabetical order.
    pub entries: Vec<Entry>,
}

/// A name of SecLang.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The usual spelling; case does not matter.
    pub name: &'static str,
    /// Other spellings.
    pub aliases: &'static [&'static str],
    /// What becomes of it.
    pub status: Status,
}

/// What becomes of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is carried out.
    Implemented,
    /// It is accepted, and reported as having no effect for this reason.
    NoEffect(&'static str),
    /// Only `Off` is accepted, for this reason.
    OffOnly(&'static str),
    /// It is refused for this reason.
    Refused(&'static str),
}

/// Everything that ModSecurity and Coraza have a name for, and what becomes of it here.
#[must_use]
pub fn coverage() -> Vec<Section> {
    let entry = |name, status| Entry { name, aliases: &[], status };
    let refused = |list: &'static [(&'static str, &'static str)]| {
        list.iter().map(move |(name, reason)| entry(name, Status::Refused(reason)))
    };
    let directives = DIRECTIVES.iter().map(|directive| {
        let status = match directive.role {
            Role::Inert(_, reason) => Status::NoEffect(reason),
            Role::OffOnly(reason) => Status::OffOnly(reason),
            Role::Refused(reason) => Status::Refused(reason),
            _ => Status::Implemented,
        };
        entry(directive.name, status)
    });
    let variables = Variable::ALL.iter().map(|variable| {
        let status = variables::constant(*variable).map_or(Status::Implemented, Status::NoEffect);
        entry(variable.name(), status)
    });
    let operators = OperatorName::ALL.iter().map(|operator| Entry {
        name: operator.name(),
        aliases: operator.aliases(),
        status: Status::Implemented,
    });
    let datasets = FROM_DATASET.iter().map(|(name, _)| entry(name, Status::Implemented));
    let transformations = Transformation::ALL.iter().map(|transformation| Entry {
        name: transformation.name(),
        aliases: transformation.aliases(),
        status: Status::Implemented,
    });
    let actions = ACTIONS.iter().map(|(name, action, _)| {
        let status = match action.without_effect() {
            Some(Ok(reason)) => Status::NoEffect(reason),
            Some(Err(reason)) => Status::Refused(reason),
            None => Status::Implemented,
        };
        entry(name, status)
    });
    let options = ctl::OPTIONS
        .iter()
        .map(|name| entry(name, ctl::without_effect(name).map_or(Status::Implemented, Status::NoEffect)));
    vec![
        section("Directives", directives),
        section("Variables", variables.chain(refused(variables::UNAVAILABLE))),
        section("Operators", operators.chain(datasets).chain(refused(UNAVAILABLE))),
        section("Transformations", transformations.chain([entry("none", Status::Implemented)])),
        section("Actions", actions),
        section("Options of ctl", options),
    ]
}

fn section(title: &'static str, entries: impl Iterator<Item = Entry>) -> Section {
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_by_key(|entry| entry.name.to_ascii_lowercase());
    Section { title, entries }
}
