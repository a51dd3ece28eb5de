//! Removals and updates of rules. They are applied when everything is read, so that it makes no
//! difference whether they stand before or after the rules they are about (ModSecurity v3). Updates come
//! before removals. An update of a chain changes its first link; variables that it excludes are excluded in all.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::actions::{Actions, Disruptive, over};
use super::parser::Entry;
use super::rule::{Draft, fit_status, report_late};
use super::text::Text;
use super::values;
use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Phase, RuleSelector, Target, TargetMode};
use crate::plan::reaches;

/// A removal or update.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) rules: RuleSelector,
    pub(super) change: Change,
    /// What names the rules.
    pub(super) at: Text,
}

/// What happens to the rules.
#[derive(Debug)]
pub(super) enum Change {
    Remove,
    Targets(Vec<Target>),
    Actions(Box<Actions>),
}

/// Places of rules among the entries, by what selects them.
#[derive(Default)]
struct Index {
    ids: BTreeMap<u64, usize>,
    tags: FxHashMap<Vec<u8>, Vec<usize>>,
    messages: FxHashMap<Vec<u8>, Vec<usize>>,
}

impl Index {
    fn new(entries: &[Entry]) -> Self {
        let mut index = Self::default();
        for (place, entry) in entries.iter().enumerate() {
            let Entry::Rule(Draft { rule, .. }) = entry else { continue };
            if rule.id > 0 {
                index.ids.insert(rule.id, place);
            }
            for tag in &rule.meta.tags {
                let places = index.tags.entry(tag.source().to_vec()).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
            if let Some(message) = &rule.meta.message {
                index.messages.entry(message.source().to_vec()).or_default().push(place);
            }
        }
        index
    }

    /// The places of the rules that `update` is about. What matches nothing is reported.
    fn find(&self, update: &Update, out: &mut Vec<Diagnostic>) -> Vec<usize> {
        let named =
            |map: &FxHashMap<Vec<u8>, Vec<usize>>, text: &Vec<u8>| map.get(text).cloned().unwrap_or_default();
        let (places, what) = match &update.rules {
            RuleSelector::Ids(ranges) => {
                let mut places = Vec::new();
                for (first, last) in ranges {
                    let before = places.len();
                    places.extend(self.ids.range(first..=last).map(|(_, place)| *place));
                    if places.len() == before {
                        let message = if first == last {
                            format!("there is no rule {first}")
                        } else {
                            format!("there are no rules from {first} to {last}")
                        };
                        out.push(update.at.report(Code::W0213, message));
                    }
                }
                return places;
            }
            RuleSelector::Tag(tag) => (named(&self.tags, tag), "tag"),
            RuleSelector::Message(message) => (named(&self.messages, message), "message"),
        };
        if places.is_empty() {
            let message = format!("no rule has the {what} `{}`", update.at.text());
            out.push(
                update.at.report(Code::W0213, message).help("the whole text is compared, macros as written"),
            );
        }
        places
    }
}

/// Applies all updates, then all removals.
pub(super) fn apply(entries: &mut Vec<Entry>, updates: Vec<Update>, out: &mut Vec<Diagnostic>) {
    if updates.is_empty() {
        return;
    }
    let index = Index::new(entries);
    let mut removed = vec![false; entries.len()];
    for update in updates {
        let places = index.find(&update, out);
        if let Change::Targets(targets) = &update.change {
            report_unreached(entries, &places, targets, &update.at, out);
        }
        for place in places {
            if matches!(update.change, Change::Remove)
                && let Some(flag) = removed.get_mut(place)
            {
                *flag = true;
            }
            if let Some(Entry::Rule(draft)) = entries.get_mut(place) {
                match &update.change {
                    Change::Remove => {}
                    Change::Targets(targets) => add_targets(draft, targets, &update.at, out),
                    Change::Actions(actions) => add_actions(draft, actions, out),
                }
            }
        }
    }
    shorten_skips(entries, &removed);
    let mut flags = removed.into_iter();
    entries.retain(|_| !flags.next().unwrap_or(false));
}

/// Takes removed rules out of the counts of `skip`: they are counted as if they were there
/// (ModSecurity v3).
fn shorten_skips(entries: &mut [Entry], removed: &[bool]) {
    for phase in Phase::ALL {
        // How many of the phase's first rules are removed.
        let mut before = vec![0u32];
        let mut gone = 0;
        for (entry, removed) in entries.iter().zip(removed) {
            if matches!(entry, Entry::Rule(draft) if draft.rule.phase == phase) {
                gone += u32::from(*removed);
                before.push(gone);
            }
        }
        let mut next = 0usize;
        for entry in entries.iter_mut() {
            let Entry::Rule(Draft { rule, .. }) = entry else { continue };
            if rule.phase == phase {
                next += 1;
                let end = next.saturating_add(usize::try_from(rule.skip).unwrap_or(usize::MAX));
                let (from, to) = (before.get(next), before.get(end).or(before.last()));
                rule.skip -= from.zip(to).map_or(0, |(from, to)| to - from);
            }
        }
    }
}

/// Reports what is taken out of variables at which none of the rules looks.
fn report_unreached(
    entries: &[Entry],
    places: &[usize],
    targets: &[Target],
    at: &Text,
    out: &mut Vec<Diagnostic>,
) {
    let rules = || {
        places.iter().filter_map(|place| match entries.get(*place) {
            Some(Entry::Rule(draft)) => Some(&draft.rule),
            _ => None,
        })
    };
    let conditions = || rules().flat_map(|rule| &rule.links).filter_map(|link| link.condition.as_ref());
    if conditions().next().is_none() {
        return;
    }
    for excluded in targets.iter().filter(|target| target.mode == TargetMode::Exclude) {
        let mut looked_at = conditions().flat_map(|condition| &condition.targets).chain(targets);
        if looked_at.any(|target| target.mode != TargetMode::Exclude && reaches(excluded, target)) {
            continue;
        }
        let who = match places {
            [_] => "the rule does not look".to_owned(),
            _ => format!("none of the {} rules looks", places.len()),
        };
        let message = format!("{who} at what is taken out of `{}`", excluded.variable);
        let id = rules().next().map(|rule| rule.id).filter(|_| places.len() == 1);
        let help = "name the variable as the rule does, or take the update out";
        out.push(at.report(Code::W0409, message).rule(id).help(help));
    }
}

/// Adds targets to the first link of a rule. Exclusions reach all its links, as those of `ctl` do.
fn add_targets(draft: &mut Draft, targets: &[Target], at: &Text, out: &mut Vec<Diagnostic>) {
    let mut reached = false;
    for (number, link) in draft.rule.links.iter_mut().enumerate() {
        let Some(condition) = &mut link.condition else { continue };
        let fits = |target: &&Target| number == 0 || target.mode == TargetMode::Exclude;
        let fitting: Vec<Target> = targets.iter().filter(fits).cloned().collect();
        values::check_prefixes(at, &fitting, &condition.namespaces, out);
        reached |= !fitting.is_empty();
        condition.targets.extend(fitting);
    }
    if !reached {
        let message = format!("rule {} is a SecAction and has no variables", draft.rule.id);
        out.push(at.report(Code::W0409, message).rule(Some(draft.rule.id)));
    }
}

/// What the update says wins; tags and actions that accumulate follow those of the rule.
fn add_actions(draft: &mut Draft, actions: &Actions, out: &mut Vec<Diagnostic>) {
    let rule = &mut draft.rule;
    report_late(&actions.timed, rule.phase, out);
    match &actions.disruptive {
        Some(Disruptive::Is(resolution)) => rule.resolution = resolution.clone(),
        Some(Disruptive::Block) => rule.resolution = draft.default.clone(),
        None => {}
    }
    rule.status = actions.status.or(rule.status);
    rule.skip = actions.skip.unwrap_or(rule.skip);
    if let Some((name, label)) = &actions.skip_after {
        rule.skip_after = Some(name.clone());
        draft.skip_after = Some(label.clone());
    }
    rule.log = actions.log.unwrap_or(rule.log);
    rule.audit = actions.audit.unwrap_or(rule.audit);
    rule.meta = over(actions.meta.clone(), &rule.meta);
    actions.client.change(&mut rule.risk);
    if let Some(link) = rule.links.first_mut() {
        link.capture |= actions.capture;
        link.actions.extend_from_slice(&actions.run);
        if let Some(condition) = &mut link.condition {
            condition.namespaces.extend_from_slice(&actions.namespaces);
            condition.multi_match |= actions.multi_match;
            condition.transformations = actions.steps.after(&condition.transformations);
        }
    }
    fit_status(rule);
}
