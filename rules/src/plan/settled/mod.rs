//! What the policy alone decides.
//!
//! Rule sets configure themselves by rules. The Core Rule Set begins with dozens that give `TX` its defaults, and in
//! each of its files rules on `TX:DETECTION_PARANOIA_LEVEL` leave out what is above the level. What such rules do is
//! the same for every transaction. It is worked out once, when the plan is built:
//!
//! - Rules that can't come to run are *dead*. They are left out of the plan, and with them their literals, patterns
//!   and sights.
//! - Rules that always match and do no more than set keys of `TX` are *settled*: what they write is known, and
//!   nothing is tested any more.
//! - Rules that always match and do no more than that, but write what depends on the exchange, are *assured*: their
//!   conditions are not tested any more.
//! - Of the others, arguments such as `%{tx.allowed_methods}` are replaced by what they always come to.
//!
//! This is constant propagation over the rules in the order in which they run, jumps followed forwards. For each key
//! of `TX` that rules name it is known what it holds, or that this depends on the exchange. Where paths meet, what
//! they disagree on is unknown.
//!
//! `ctl` can take rules away while a transaction runs. A rule that may have been taken away does not make what is
//! behind its jump dead, except for rules that every such `ctl` takes away as well: `ruleRemoveByTag=OWASP_CRS` takes
//! the rules above the paranoia level away together with the one that jumps over them. `ctl:ruleEngine=Off` takes all
//! rules of its own set away, which matters only to other sets: where there are none, nothing depends on it.

mod state;
mod survey;

use std::collections::BTreeMap;

use super::jumps::Jumps;
use super::{Placed, RuleIndex};
use crate::model::{
    self, Action, AllowScope, Condition, Ctl, EngineMode, Link, Phase, Policy, Resolution, Store, Variable,
};
use crate::operators::OperatorName;
use state::{Reach, State, Writes};
use survey::Survey;

/// What becomes of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is to be evaluated.
    Live(Live),
    /// It can't come to run, or can't match.
    Dead,
    /// It always matches, and then does this and nothing else.
    Settled(Settled),
}

/// What is known of a rule that is to be evaluated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Live {
    /// Per link, what the argument of its condition always comes to, where it has macros and that is known.
    pub(super) arguments: Vec<Option<Vec<u8>>>,
    /// It always matches, and does no more than to write to `TX`, but not always the same.
    pub(super) assured: bool,
}

/// What a rule does that always matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Settled {
    /// What it writes to `TX`.
    pub(super) writes: Writes,
    /// It writes nothing, and all that it jumps over is dead: it can be passed over, unless matches are recorded.
    pub(super) idle: bool,
}

/// What becomes of each rule, in their order.
pub(super) fn fates(policy: &Policy, placed: &[Placed<'_>], jumps: &Jumps) -> Vec<Fate> {
    let survey = Survey::new(placed);
    let mut flow = Flow {
        policy,
        placed,
        jumps,
        fates: vec![Fate::Live(Live::default()); placed.len()],
        begins: Default::default(),
        survey: &survey,
    };
    flow.begin(Phase::RequestHeaders, State::new(&survey));
    for phase in Phase::ALL {
        flow.run(phase);
    }
    flow.fates
}

/// Whether a rule looks at what another one matched.
pub(super) fn look_back(placed: &[Placed<'_>]) -> bool {
    placed.iter().any(|placed| survey::looks_back(placed.rule))
}

/// Whether a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Always,
    Never,
    Maybe,
}

/// A rule that always matches, as long as it is not taken away.
struct Constant {
    number: usize,
    /// Positions of the rule and of where evaluation goes on.
    from: u32,
    to: u32,
    removable: bool,
}

/// The way through all phases.
struct Flow<'a, 'p> {
    policy: &'a Policy,
    placed: &'a [Placed<'p>],
    jumps: &'a Jumps,
    fates: Vec<Fate>,
    /// The state in which each phase begins, by what was followed so far.
    begins: [Option<State>; Phase::ALL.len()],
    survey: &'a Survey,
}

impl Flow<'_, '_> {
    fn begin(&mut self, phase: Phase, state: State) {
        if let Some(place) = self.begins.get_mut(phase as usize - 1) {
            State::meet(place, state);
        }
    }

    /// The phase `phase` may be left in this state; those behind it for which `follows` may come next.
    fn leave(&mut self, phase: Phase, state: &State, follows: impl Fn(Phase) -> bool) {
        for later in Phase::ALL.into_iter().filter(|later| *later > phase && follows(*later)) {
            self.begin(later, state.clone());
        }
    }

    fn run(&mut self, phase: Phase) {
        let Some(begin) = self.begins.get_mut(phase as usize - 1).and_then(Option::take) else { return };
        let mut current = Some(begin);
        // States in which evaluation jumps to a position.
        let mut jumped: BTreeMap<u32, State> = BTreeMap::new();
        let mut constants = Vec::new();
        let rules: Vec<(usize, &Placed<'_>)> =
            self.placed.iter().enumerate().filter(|(_, placed)| placed.rule.phase == phase).collect();
        for &(number, placed) in &rules {
            if let Some(state) = jumped.remove(&placed.position) {
                State::meet(&mut current, state);
            }
            let Some(state) = current.take() else {
                self.decide(number, Fate::Dead);
                continue;
            };
            current = self.step((number, placed), state, &mut jumped, &mut constants);
        }
        for state in jumped.into_values() {
            State::meet(&mut current, state);
        }
        for constant in constants {
            let between = rules.get(constant.from as usize + 1..constant.to as usize).unwrap_or_default();
            let idle = between.iter().all(|(number, _)| self.fates.get(*number) == Some(&Fate::Dead));
            self.close(&constant, idle);
        }
        if let Some(end) = current {
            // Each phase but the first may be left out.
            self.leave(phase, &end, |_| true);
        }
    }

    fn decide(&mut self, number: usize, fate: Fate) {
        if let Some(place) = self.fates.get_mut(number) {
            *place = fate;
        }
    }

    /// Decides about a constant rule when it is known whether it jumps over dead rules only.
    fn close(&mut self, constant: &Constant, only_dead: bool) {
        let Some(Fate::Settled(settled)) = self.fates.get_mut(constant.number) else { return };
        settled.idle = settled.writes.is_empty() && only_dead;
        if constant.removable && !settled.idle {
            self.decide(constant.number, Fate::Live(Live { assured: true, ..Live::default() }));
        }
    }

    /// Follows one rule; the state in which evaluation comes to the next one, if it does.
    fn step(
        &mut self,
        (number, placed): (usize, &Placed<'_>),
        mut state: State,
        jumped: &mut BTreeMap<u32, State>,
        constants: &mut Vec<Constant>,
    ) -> Option<State> {
        let rule = placed.rule;
        let takes = |removal: &usize| {
            let index = RuleIndex(u32::try_from(number).unwrap_or(u32::MAX));
            self.survey.removals.get(*removal).is_some_and(|removed| removed.contains(index))
        };
        let removed = matches!(&state.reach, Reach::After(needed) if needed.iter().all(takes));
        let set = self.policy.rule_sets.get(placed.set as usize);
        let is_off = set.is_some_and(|set| set.settings.engine == EngineMode::Off);
        // What is off stays off: only its own rules could switch it on.
        if removed || is_off {
            self.decide(number, Fate::Dead);
            return Some(state);
        }
        let removals: Vec<usize> = state.removals.iter().copied().filter(takes).collect();
        let mut arguments = Vec::new();
        let stays = removals.is_empty();
        let (outcome, writes) = self.effects(number, rule, &mut state, stays, &mut arguments);
        let assured = outcome == Outcome::Always && self.is_silent(rule) && survey::only_sets_variables(rule);
        self.decide(number, Fate::Live(Live { arguments, assured }));
        if outcome == Outcome::Never {
            if writes.is_some_and(|writes| writes.is_empty()) {
                self.decide(number, Fate::Dead);
            }
            return Some(state);
        }
        let later: fn(Phase) -> bool = match &rule.resolution {
            Resolution::Pass => |_| false,
            Resolution::Allow(AllowScope::Phase) => |_| true,
            Resolution::Allow(AllowScope::Request) => |phase| phase > Phase::RequestBody,
            Resolution::Allow(AllowScope::Transaction)
            | Resolution::Deny
            | Resolution::Drop
            | Resolution::Redirect(_) => |phase| phase == Phase::Logging,
        };
        self.leave(rule.phase, &state, later);
        let next = self.jumps.after(placed);
        let removable = !removals.is_empty();
        if let Some(writes) = writes.filter(|_| outcome == Outcome::Always && self.is_silent(rule)) {
            self.decide(number, Fate::Settled(Settled { writes, idle: false }));
            constants.push(Constant { number, from: placed.position, to: next, removable });
        }
        if next == placed.position + 1 {
            return Some(state);
        }
        let mut target = jumped.remove(&next);
        if outcome == Outcome::Always && !removable {
            State::meet(&mut target, state);
            jumped.extend(target.map(|state| (next, state)));
            return None;
        }
        State::meet(&mut target, state.clone());
        jumped.extend(target.map(|state| (next, state)));
        if outcome == Outcome::Always {
            state.reach = Reach::After(removals);
        }
        Some(state)
    }

    /// Whether a match of a rule shows nowhere, as far as it does not act.
    fn is_silent(&self, rule: &model::Rule) -> bool {
        rule.resolution == Resolution::Pass
            && !rule.log
            && !rule.audit
            && rule.meta.severity.is_none()
            && rule.risk.is_none()
            && !self.survey.looks_back
    }

    /// Lets a rule act on a state. Whether it matches, and what it writes; no writes when it does, or may do,
    /// anything else. `stays` says that nothing can have taken it away. Notes what arguments come to.
    fn effects(
        &self,
        number: usize,
        rule: &model::Rule,
        state: &mut State,
        stays: bool,
        arguments: &mut Vec<Option<Vec<u8>>>,
    ) -> (Outcome, Option<Writes>) {
        let mut outcome = Outcome::Always;
        let mut writes = Some(Writes::new());
        let mut removal = self.survey.first_removal.get(number).copied().unwrap_or_default();
        for link in &rule.links {
            arguments.push(argument(self.survey, state, link).filter(|text| {
                let mut after = state.clone();
                link.actions.iter().for_each(|action| after.act(self.survey, action));
                argument(self.survey, &after, link).as_ref() == Some(text)
            }));
            match (link_holds(self.survey, state, link), outcome) {
                (Some(false), _) => return (Outcome::Never, writes),
                (None, _) => outcome = Outcome::Maybe,
                (Some(true), _) => {}
            }
            if link.asks_script() {
                state.forget(self.survey, |_| true);
            }
            if captures(link) || self.survey.looks_back {
                writes = None;
            }
            let sure = stays && outcome == Outcome::Always;
            for action in &link.actions {
                match action {
                    Action::SetVar(setvar) if setvar.collection == Store::Tx => {
                        let write = state.set_variable(self.survey, setvar, sure);
                        match (&mut writes, write) {
                            (Some(writes), Some(write)) if outcome == Outcome::Always => writes.push(write),
                            _ => writes = None,
                        }
                        continue;
                    }
                    Action::Ctl(ctl) if self.survey.removes(ctl) => {
                        state.removals.push(removal);
                        removal += 1;
                    }
                    Action::Ctl(Ctl::RemoveTarget(_, target, _)) => {
                        state.narrowed |= target.variable == Variable::Tx;
                    }
                    _ => {}
                }
                writes = None;
            }
        }
        if rule.risk.as_ref().is_some_and(|mark| mark.tree.is_some()) {
            outcome = Outcome::Maybe;
        }
        // What `exec` runs comes last, and scripts can write to `TX`.
        if rule.runs_scripts() {
            state.forget(self.survey, |_| true);
            writes = None;
        }
        (outcome, writes)
    }
}

/// What the argument of a link's condition comes to, where it has macros and that is the same for every transaction.
fn argument(survey: &Survey, state: &State, link: &Link) -> Option<Vec<u8>> {
    let argument = link.condition.as_ref()?.operator.argument();
    state.text(survey, argument).filter(|_| argument.as_literal().is_none())
}

/// Whether a match of the link's condition stores something by itself.
fn captures(link: &Link) -> bool {
    let stores = |condition: &Condition| {
        matches!(condition.operator.name(), OperatorName::RestPath | OperatorName::GeoLookup)
    };
    link.capture || link.condition.as_ref().is_some_and(stores)
}

/// Whether a link matches, when that is the same for every transaction.
fn link_holds(survey: &Survey, state: &State, link: &Link) -> Option<bool> {
    match &link.condition {
        None => link.script.is_none().then_some(true),
        Some(_) if captures(link) => None,
        Some(condition) => state.holds(survey, condition),
    }
}
