//! The rules of a phase, so arranged that evaluation meets only those that have something to do.

use rustc_hash::{FxHashMap, FxHashSet};

use super::SetPlan;
use super::bits::Bits;
use super::grouped::Grouped;
use super::probe::Probe;
use super::rules::{RuleIndex, RulePlan, Write};
use super::sights::{SightId, Sights, TargetId};
use super::views::{ViewId, Views};

/// Several settled rules of one set that follow each other, and what they come to.
#[derive(Debug)]
pub(crate) struct Run {
    /// Each key once, in the order in which it was first written, and what it holds in the end.
    pub(crate) writes: Box<[Write]>,
    /// The position of the first rule behind them.
    pub(crate) next: usize,
}

/// The rules of one phase. A rule's position is its place in the order over all sets.
#[derive(Debug, Default)]
pub(crate) struct PhasePlan {
    rules: Box<[RuleIndex]>,
    /// Positions, one bit each, of rules that are looked at whatever the exchange holds.
    pub(crate) plain: Bits,
    /// By position, what tells at a glance that such a rule fails, and the view it looks at.
    probes: Box<[Option<(Probe, ViewId)>]>,
    /// Of rules behind a gate.
    pub(crate) gated: Bits,
    /// Of rules that always match and do nothing: they are there for who records all matches.
    pub(crate) idle: Bits,
    /// Runs of settled rules, by the position of the first.
    runs: Box<[(usize, Run)]>,
    /// What the gates look at, each once.
    pub(crate) targets: Box<[(TargetId, ViewId)]>,
    /// Per such target, the sights of it alone that the gates are of.
    sights: Grouped<SightId>,
    /// Per view and gate, the positions of the rules behind it.
    behind: Grouped<u32>,
}

impl PhasePlan {
    /// Arranges rules, which are given in their order.
    pub(super) fn new<'r>(
        rules: impl Iterator<Item = (RuleIndex, &'r RulePlan)>,
        sets: &[SetPlan],
        sights: &Sights,
        views: &Views,
    ) -> Self {
        let rules: Vec<(RuleIndex, &RulePlan)> = rules.collect();
        let [mut plain, mut gated, mut idle] = [rules.len(); 3].map(Bits::below);
        let mut targets: Vec<(TargetId, ViewId)> = Vec::new();
        let mut places: FxHashMap<(TargetId, ViewId), usize> = FxHashMap::default();
        let mut looks: Vec<(usize, SightId)> = Vec::new();
        let mut looked: FxHashSet<(usize, SightId)> = FxHashSet::default();
        let mut behind = Vec::new();
        let mut probes = vec![None; rules.len()];
        for (position, (_, rule)) in rules.iter().enumerate() {
            let view = sets.get(rule.set as usize).map(|set| set.view);
            let list = if rule.settled.as_ref().is_some_and(|settled| settled.idle) {
                &mut idle
            } else if let Some((gate, view)) = rule.gate.zip(view).filter(|_| rule.settled.is_none()) {
                for (target, sight) in sights.looks(gate.sight) {
                    let place = *places.entry((target, view)).or_insert_with(|| {
                        targets.push((target, view));
                        targets.len() - 1
                    });
                    if looked.insert((place, sight)) {
                        looks.push((place, sight));
                    }
                }
                behind.push((sights.gate_place(gate.id, view), u32::try_from(position).unwrap_or(u32::MAX)));
                &mut gated
            } else {
                if let Some(place) =
                    probes.get_mut(position).filter(|_| rule.settled.is_none() && !rule.assured)
                {
                    let first = rule.links.first().and_then(|link| link.condition.as_ref());
                    *place = first.and_then(|first| first.probe).zip(view);
                }
                &mut plain
            };
            list.insert(position);
        }
        Self {
            runs: runs(&rules),
            behind: Grouped::new(sights.gates() * views.len(), behind),
            rules: rules.iter().map(|(index, _)| *index).collect(),
            plain,
            probes: probes.into(),
            gated,
            idle,
            sights: Grouped::new(targets.len(), looks),
            targets: targets.into(),
        }
    }

    /// The rule at a position.
    pub(crate) fn rule(&self, position: usize) -> Option<RuleIndex> {
        self.rules.get(position).copied()
    }

    /// What tells at a glance that the rule at a position fails, and the view it looks at.
    #[inline]
    pub(crate) fn probe(&self, position: usize) -> Option<&(Probe, ViewId)> {
        self.probes.get(position)?.as_ref()
    }

    /// The run of settled rules that begins at a position.
    pub(crate) fn run(&self, position: usize) -> Option<&Run> {
        let place = self.runs.binary_search_by_key(&position, |(first, _)| *first).ok()?;
        self.runs.get(place).map(|(_, run)| run)
    }

    /// The sights that gates are of, of the target at this place in [`PhasePlan::targets`] alone.
    pub(crate) fn sights(&self, place: usize) -> &[SightId] {
        self.sights.get(place)
    }

    /// The positions of the rules behind a gate, by its [place](Sights::gate_place).
    pub(crate) fn behind(&self, gate: usize) -> &[u32] {
        self.behind.get(gate)
    }
}

/// The runs of settled rules, without those into which another one leads.
fn runs(rules: &[(RuleIndex, &RulePlan)]) -> Box<[(usize, Run)]> {
    let mut runs = Vec::new();
    let mut position = 0;
    while position < rules.len() {
        let (run, count) = follow(rules, position);
        let next = run.next.max(position + 1);
        if count > 1 {
            runs.push((position, run));
        }
        position = next;
    }
    runs.into()
}

/// Follows settled rules from a position up to the first other one; how many there are. Those that take a key away end
/// it as well: what a key that comes back was called shows.
fn follow(rules: &[(RuleIndex, &RulePlan)], from: usize) -> (Run, usize) {
    let set = rules.get(from).map(|(_, rule)| rule.set);
    let mut writes: Vec<Write> = Vec::new();
    let (mut next, mut count) = (from, 0);
    while let Some((_, rule)) = rules.get(next)
        && Some(rule.set) == set
        && let Some(settled) = &rule.settled
        && settled.writes.iter().all(|write| write.value.is_some())
    {
        for write in &settled.writes {
            match writes.iter_mut().find(|known| known.key.slot == write.key.slot) {
                Some(known) => known.value = write.value,
                None => writes.push(write.clone()),
            }
        }
        next = (next + 1).max(rule.next as usize);
        count += 1;
    }
    (Run { writes: writes.into(), next }, count)
}
