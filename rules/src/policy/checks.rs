//! What can only be seen across rules: ids and names that stand twice, skips to nowhere.

use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::forms::{ItemForm, PolicyForm, RuleForm, RuleSetForm};
use super::report::{Reporter, Spanned};
use super::values::{RuleId, Text};
use crate::diagnostic::{Code, Span, suggest};
use crate::model::Phase;

/// Checks all rule sets together.
pub(super) fn check(policy: &PolicyForm, reporter: &mut Reporter<'_>) {
    let mut names: FxHashMap<&str, Span> = FxHashMap::default();
    let mut ids: FxHashMap<RuleId, Span> = FxHashMap::default();
    for set in &policy.rule_sets {
        if let Some(name) = &set.name
            && let Some(first) = first_place(&mut names, name.value.as_str(), name.span)
        {
            let diagnostic =
                reporter.at(Code::E0105, name.span, format!("two rule sets are named `{}`", name.value));
            let diagnostic = diagnostic.help("give each rule set its own name");
            reporter.push(reporter.also(diagnostic, first, "first here"));
        }
        for id in rules(set).filter_map(|(_, rule)| rule.rule_id) {
            if let Some(first) = first_place(&mut ids, id.value, id.span) {
                let diagnostic =
                    reporter.at(Code::E0201, id.span, format!("two rules have the id {}", id.value.0));
                let diagnostic =
                    diagnostic.help("rule ids are unique over all rule sets; give this rule another");
                reporter.push(reporter.also(diagnostic, first, "first here"));
            }
        }
        // Where there is raw SecLang, it may hold what is named here: that is checked with it.
        if !set.has_seclang() {
            check_skips(set, reporter);
        }
    }
}

/// The place where `key` was seen first, if it was seen before.
fn first_place<K: Eq + Hash>(places: &mut FxHashMap<K, Span>, key: K, place: Span) -> Option<Span> {
    let first = *places.entry(key).or_insert(place);
    (first != place).then_some(first)
}

fn rules(set: &RuleSetForm) -> impl Iterator<Item = (usize, &RuleForm)> {
    set.rules.iter().enumerate().filter_map(|(index, item)| match item {
        ItemForm::Rule(rule) => Some((index, &rule.value)),
        ItemForm::Marker(_) | ItemForm::Raw(_) => None,
    })
}

fn check_skips(set: &RuleSetForm, reporter: &mut Reporter<'_>) {
    // The last place of each marker: whether one comes later is all that counts.
    let mut markers: FxHashMap<&str, usize> = FxHashMap::default();
    let mut targets: FxHashMap<u64, (usize, Phase)> = FxHashMap::default();
    let phase = |rule: &RuleForm| rule.phase.map_or(set.default_phase.value, |phase| phase.value).0;
    for (index, item) in set.rules.iter().enumerate() {
        match item {
            ItemForm::Marker(marker) => {
                if let Some(mark) = &marker.mark {
                    markers.insert(&mark.value, index);
                }
            }
            ItemForm::Rule(rule) => {
                if let Some(id) = rule.value.rule_id {
                    targets.insert(id.value.0, (index, phase(&rule.value)));
                }
            }
            ItemForm::Raw(_) => {}
        }
    }
    for (index, rule) in rules(set) {
        let Some(Spanned { value: Text(target), span }) = &rule.skip_after else { continue };
        let marker = markers.get(target.as_str()).copied();
        if marker.is_some_and(|marker| marker > index) {
            continue;
        }
        let own_phase = phase(rule);
        let (message, help) = match target.parse().ok().and_then(|id: u64| targets.get(&id)) {
            Some((place, phase)) if *place > index && *phase == own_phase => continue,
            Some((place, _)) if *place <= index => (
                format!("rule {target} does not come later"),
                Some("skip forward, to a later rule or marker".to_owned()),
            ),
            Some((_, phase)) => (
                format!(
                    "rule {target} runs in phase {}, this one in phase {}",
                    phase.number(),
                    own_phase.number()
                ),
                Some("skip to a rule of the same phase, or to a marker".to_owned()),
            ),
            None if marker.is_some() => (
                format!("the marker `{target}` does not come later"),
                Some("skip forward, to a later rule or marker".to_owned()),
            ),
            None => {
                let later = set.rules.iter().skip(index).filter_map(mark);
                let help = match suggest(target, later) {
                    Some(mark) => format!("did you mean `{mark}`?"),
                    None => {
                        format!("put {{\"mark\": \"{target}\"}} where evaluation is to go on")
                    }
                };
                (format!("no marker or rule `{target}` in this rule set"), Some(help))
            }
        };
        let mut diagnostic = reporter.at(Code::E0207, *span, message);
        diagnostic.help = help;
        reporter.push(diagnostic);
    }
}

fn mark(item: &ItemForm) -> Option<&str> {
    match item {
        ItemForm::Marker(marker) => marker.mark.as_ref().map(|mark| mark.value.as_str()),
        ItemForm::Rule(_) | ItemForm::Raw(_) => None,
    }
}
