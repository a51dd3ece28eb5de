//! The rules of a phase, so arranged that evaluation meets only those that have something to do.

use super::SetPlan;
use super::bits::Bits;
use super::grouped::Grouped;
use super::rules::{RuleIndex, RulePlan};
use super::sights::{SightId, Sights, TargetId};
use super::views::{ViewId, Views};

/// The rules of one phase. A rule's position is its place in the order over all sets.
#[derive(Debug, Default)]
pub(crate) struct PhasePlan {
    rules: Box<[RuleIndex]>,
    /// Positions, one bit each, of rules that are looked at whatever the exchange holds.
    pub(crate) plain: Bits,
    /// Of rules behind a gate.
    pub(crate) gated: Bits,
    /// Of rules that always match and do nothing: they are there for who records all matches.
    pub(crate) idle: Bits,
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
        let mut looks: Vec<(usize, SightId)> = Vec::new();
        let mut behind = Vec::new();
        for (position, (_, rule)) in rules.iter().enumerate() {
            let view = sets.get(rule.set as usize).map(|set| set.view);
            let list = if rule.settled.as_ref().is_some_and(|settled| settled.idle) {
                &mut idle
            } else if let Some((gate, view)) = rule.gate.zip(view).filter(|_| rule.settled.is_none()) {
                for (target, sight) in sights.looks(gate.sight) {
                    let known = targets.iter().position(|known| *known == (target, view));
                    let place = known.unwrap_or_else(|| {
                        targets.push((target, view));
                        targets.len() - 1
                    });
                    if !looks.contains(&(place, sight)) {
                        looks.push((place, sight));
                    }
                }
                behind.push((sights.gate_place(gate.id, view), u32::try_from(position).unwrap_or(u32::MAX)));
                &mut gated
            } else {
                &mut plain
            };
            list.insert(position);
        }
        Self {
            behind: Grouped::new(sights.gates() * views.len(), behind),
            rules: rules.iter().map(|(index, _)| *index).collect(),
            plain,
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

    /// The sights that gates are of, of the target at this place in [`PhasePlan::targets`] alone.
    pub(crate) fn sights(&self, place: usize) -> &[SightId] {
        self.sights.get(place)
    }

    /// The positions of the rules behind a gate, by its [place](Sights::gate_place).
    pub(crate) fn behind(&self, gate: usize) -> &[u32] {
        self.behind.get(gate)
    }
}
