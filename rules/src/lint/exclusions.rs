//! `ctl` that takes away what is not there, or what has run already.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{id, rules};
use crate::diagnostic::{Code, Diagnostic, Place};
use crate::model::{Action, Ctl, Phase, Policy, Rule, RuleSelector, Selector, Target, TargetMode};
use crate::plan::reaches;

/// When a rule runs: its phase, and its number among all rules.
type Moment = (Phase, usize);

/// Steps that looking for targets may take, all exclusions together; what is left then is not looked at.
const STEPS: usize = 10_000_000;

/// Warns of the exclusions in the rule sets from number `first` on.
pub(super) fn check(policy: &Policy, first: usize, out: &mut Vec<Diagnostic>) {
    let excludes = |rule: &Rule| exclusions(rule).next().is_some();
    if !policy.rule_sets.iter().skip(first).flat_map(rules).any(excludes) {
        return;
    }
    let mut index = Index::new(policy);
    let before: usize = policy.rule_sets.iter().take(first).map(|set| rules(set).count()).sum();
    for (number, rule) in policy.rule_sets.iter().skip(first).flat_map(rules).enumerate() {
        for exclusion in exclusions(rule) {
            index.check(rule, (rule.phase, before + number), &exclusion, out);
        }
    }
}

/// What one `ctl` takes away.
struct Exclusion<'a> {
    rules: &'a RuleSelector,
    /// The elements that no longer count; `None` for the rules as a whole.
    target: Option<&'a Target>,
    place: Place,
}

fn exclusions(rule: &Rule) -> impl Iterator<Item = Exclusion<'_>> {
    let actions = rule.links.iter().flat_map(|link| &link.actions);
    actions.filter_map(|action| match action {
        Action::Ctl(Ctl::RemoveRules(rules, place)) => Some(Exclusion { rules, target: None, place: *place }),
        Action::Ctl(Ctl::RemoveTarget(rules, target, place)) => {
            Some(Exclusion { rules, target: Some(target), place: *place })
        }
        _ => None,
    })
}

/// All rules, by what selects them.
struct Index<'p> {
    rules: Vec<&'p Rule>,
    ids: BTreeMap<u64, usize>,
    tags: FxHashMap<&'p [u8], Vec<usize>>,
    messages: FxHashMap<&'p [u8], Vec<usize>>,
    steps: usize,
}

impl<'p> Index<'p> {
    fn new(policy: &'p Policy) -> Self {
        let rules: Vec<&Rule> = policy.rule_sets.iter().flat_map(rules).collect();
        let mut index = Self {
            rules: Vec::new(),
            ids: BTreeMap::new(),
            tags: FxHashMap::default(),
            messages: FxHashMap::default(),
            steps: STEPS,
        };
        for (number, rule) in rules.iter().enumerate() {
            index.ids.insert(rule.id, number);
            for tag in &rule.meta.tags {
                index.tags.entry(tag.source()).or_default().push(number);
            }
            if let Some(message) = &rule.meta.message {
                index.messages.entry(message.source()).or_default().push(number);
            }
        }
        index.rules = rules;
        index
    }

    /// Looks at an exclusion of `rule`, which runs at `now`.
    fn check(&mut self, rule: &Rule, now: Moment, exclusion: &Exclusion<'_>, out: &mut Vec<Diagnostic>) {
        match exclusion.rules {
            RuleSelector::Ids(ranges) => {
                for (from, to) in ranges {
                    let what = if from == to {
                        format!("rule {from}")
                    } else {
                        format!("the rules from {from} to {to}")
                    };
                    let found: Vec<usize> = self.ids.range(from..=to).map(|(_, number)| *number).collect();
                    let none = if from == to {
                        format!("there is no rule {from}")
                    } else {
                        format!("there is no rule from {from} to {to}")
                    };
                    self.judge(rule, now, exclusion, &found, &what, none, out);
                }
            }
            RuleSelector::Tag(tag) => self.named(rule, now, exclusion, tag, true, out),
            RuleSelector::Message(message) => self.named(rule, now, exclusion, message, false, out),
        }
    }

    fn named(
        &mut self,
        rule: &Rule,
        now: Moment,
        exclusion: &Exclusion<'_>,
        text: &[u8],
        tag: bool,
        out: &mut Vec<Diagnostic>,
    ) {
        let (map, what) = if tag { (&self.tags, "tag") } else { (&self.messages, "message") };
        let text_shown = String::from_utf8_lossy(text).into_owned();
        let found = map.get(text).map(Vec::as_slice).unwrap_or_default();
        let found = found.get(..found.len().min(self.steps)).unwrap_or_default().to_vec();
        let rules = format!("the rules with the {what} `{text_shown}`");
        let none =
            format!("no rule has the {what} `{text_shown}`: the whole text is compared, macros as written");
        self.judge(rule, now, exclusion, &found, &rules, none, out);
    }

    #[expect(clippy::too_many_arguments, reason = "one exclusion, what it selects, and the words for it")]
    fn judge(
        &mut self,
        rule: &Rule,
        now: Moment,
        exclusion: &Exclusion<'_>,
        found: &[usize],
        what: &str,
        none: String,
        out: &mut Vec<Diagnostic>,
    ) {
        let mut report = |code, message: String, help: &str| {
            out.push(Diagnostic::new(code, message).place(exclusion.place, "").rule(id(rule)).help(help));
        };
        if found.is_empty() {
            report(Code::W0411, none, "mend it, or take the `ctl` out");
            return;
        }
        let Some(left) = self.steps.checked_sub(found.len()) else { return };
        self.steps = left;
        let selected = || found.iter().filter_map(|number| Some((*number, *self.rules.get(*number)?)));
        let concerned: Vec<(usize, &Rule)> = match exclusion.target {
            None => selected().collect(),
            Some(target) => selected().filter(|(_, other)| looks_at(other, target)).collect(),
        };
        if concerned.is_empty() {
            let variable = exclusion.target.map(shown).unwrap_or_default();
            let verb = if what.starts_with("the rules") { "do not look" } else { "does not look" };
            let message = format!("{what} {verb} at `{variable}`");
            report(Code::W0411, message, "name the variable as the rule does, or take the `ctl` out");
            return;
        }
        // A rule can still change what its own later links look at.
        let still = |(number, other): &(usize, &Rule)| {
            (other.phase, *number) > now || exclusion.target.is_some() && *number == now.1
        };
        if !concerned.iter().any(still) {
            let verb = if what.starts_with("the rules") { "have" } else { "has" };
            let message = format!("{what} {verb} run before: the exclusion comes too late");
            report(
                Code::W0412,
                message,
                "put the rule with the exclusion in front, or let it run in an earlier phase",
            );
        }
    }
}

/// Whether any condition of a rule looks at what an exclusion takes away.
fn looks_at(rule: &Rule, excluded: &Target) -> bool {
    // What a script reads is not known.
    if rule.runs_scripts() {
        return true;
    }
    let conditions = rule.all_links().filter_map(|link| link.condition.as_ref());
    conditions
        .flat_map(|condition| &condition.targets)
        .any(|target| target.mode != TargetMode::Exclude && reaches(excluded, target))
}

/// A target as it is written.
fn shown(target: &Target) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match &target.selector {
        Selector::All => target.variable.name().to_owned(),
        Selector::Key(key) => format!("{}:{}", target.variable, text(key)),
        Selector::Regex(pattern) => format!("{}:/{}/", target.variable, text(pattern)),
        Selector::XPath(path) => format!("{}:{}", target.variable, text(path)),
    }
}
