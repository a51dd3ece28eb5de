//! Where evaluation goes on after a match: `skip` and `skipAfter` as positions.

use super::Placed;
use super::settled::Fate;
use crate::model::{Item, Phase, Policy};

/// Where the rules of each phase stand once the dead ones are gone.
pub(super) struct Positions {
    /// Per phase and position before, how many rules before it are left.
    left: [Vec<u32>; Phase::ALL.len()],
}

impl Positions {
    pub(super) fn new(placed: &[Placed<'_>], fates: &[Fate]) -> Self {
        let mut left: [Vec<u32>; Phase::ALL.len()] = std::array::from_fn(|_| vec![0]);
        for (placed, fate) in placed.iter().zip(fates) {
            if let Some(counts) = left.get_mut(placed.rule.phase as usize - 1) {
                let before = counts.last().copied().unwrap_or_default();
                counts.push(before + u32::from(*fate != Fate::Dead));
            }
        }
        Self { left }
    }

    pub(super) fn of(&self, phase: Phase, position: u32) -> u32 {
        let counts = self.left.get(phase as usize - 1).map_or(&[][..], Vec::as_slice);
        counts.get(position as usize).or(counts.last()).copied().unwrap_or_default()
    }
}

/// Where evaluation can jump to.
pub(super) struct Jumps {
    /// Per set and phase: positions of the phase's rules, with their place in the set and id.
    stops: Vec<[Vec<Stop>; Phase::ALL.len()]>,
    /// Per set: markers with their place in the set.
    markers: Vec<Vec<(usize, Vec<u8>)>>,
    /// Per phase, how many rules there are.
    lengths: [u32; Phase::ALL.len()],
}

struct Stop {
    item: usize,
    position: u32,
    id: u64,
}

impl Jumps {
    pub(super) fn new(policy: &Policy, placed: &[Placed<'_>]) -> Self {
        let mut stops: Vec<[Vec<Stop>; Phase::ALL.len()]> =
            policy.rule_sets.iter().map(|_| Default::default()).collect();
        let mut lengths = [0u32; Phase::ALL.len()];
        for one in placed {
            let phase = one.rule.phase as usize - 1;
            if let Some(list) = stops.get_mut(one.set as usize).and_then(|phases| phases.get_mut(phase)) {
                list.push(Stop { item: one.item, position: one.position, id: one.rule.id });
            }
            if let Some(length) = lengths.get_mut(phase) {
                *length += 1;
            }
        }
        let markers = policy.rule_sets.iter().map(|set| {
            let markers = set.items.iter().enumerate().filter_map(|(at, item)| match item {
                Item::Marker(name) => Some((at, name.clone())),
                Item::Rule(_) => None,
            });
            markers.collect()
        });
        Self { stops, markers: markers.collect(), lengths }
    }

    /// Where evaluation goes on when `placed` has matched.
    pub(super) fn after(&self, placed: &Placed<'_>) -> u32 {
        let skipped = placed.position.saturating_add(1).saturating_add(placed.rule.skip);
        let skipped = skipped.min(self.end_of_set(placed).max(placed.position + 1));
        let target = placed.rule.skip_after.as_deref().map(|name| self.target(placed, name));
        target.map_or(skipped, |target| target.max(skipped))
    }

    fn stops(&self, set: usize, phase: Phase) -> &[Stop] {
        self.stops.get(set).and_then(|phases| phases.get(phase as usize - 1)).map_or(&[], Vec::as_slice)
    }

    fn end_of_set(&self, placed: &Placed<'_>) -> u32 {
        self.stops(placed.set as usize, placed.rule.phase)
            .last()
            .map_or(placed.position, |stop| stop.position)
            + 1
    }

    /// The position behind a marker, or of a rule with that id. Both are looked for in the rule's own set,
    /// then in later ones; a target that is nowhere skips the rest of the own set's phase.
    fn target(&self, placed: &Placed<'_>, name: &[u8]) -> u32 {
        let own = placed.set as usize;
        let id: Option<u64> = std::str::from_utf8(name).ok().and_then(|text| text.parse().ok());
        for set in own..self.stops.len() {
            let after = if set == own { Some(placed.item) } else { None };
            let later = |item: usize| after.is_none_or(|after| item > after);
            let stops = self.stops(set, placed.rule.phase);
            let marker = self.markers.get(set).and_then(|markers| {
                markers.iter().find(|(item, marker)| later(*item) && marker == name).map(|(item, _)| *item)
            });
            if let Some(marker) = marker {
                let next = stops.iter().find(|stop| stop.item > marker).map(|stop| stop.position);
                return next.unwrap_or_else(|| self.first_after(set, placed.rule.phase));
            }
            if let Some(stop) = stops.iter().find(|stop| id == Some(stop.id) && later(stop.item)) {
                return stop.position;
            }
        }
        self.end_of_set(placed)
    }

    /// The position of the phase's first rule in a set behind `set`.
    fn first_after(&self, set: usize, phase: Phase) -> u32 {
        let next = (set + 1..self.stops.len()).find_map(|set| self.stops(set, phase).first());
        next.map_or_else(
            || self.lengths.get(phase as usize - 1).copied().unwrap_or_default(),
            |stop| stop.position,
        )
    }
}
