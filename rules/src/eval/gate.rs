//! Which rules are worth looking at: what the prefilter says of everything that a sight shows.

use super::lookup::Item;
use super::state::State;
use super::values::Value;
use crate::plan::{Gate, Plan, Sight, SightId, TargetId, holds, meet};

/// What was worked out about sights in this phase.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Per view and sight, the operators that can match something in it.
    words: Vec<u64>,
    /// Per view and sight of a single target, what some operator can match, as a range of `hot`.
    shown: Vec<Option<(usize, usize)>>,
    hot: Vec<Item>,
    /// Per view and target, its elements, as a range of `items`.
    collected: Vec<Option<(usize, usize)>>,
    items: Vec<Item>,
}

impl Horizon {
    /// Forgets everything: what sights show has changed.
    pub(crate) fn reset(&mut self, plan: &Plan) {
        let sights = plan.sights().len() * plan.views().len();
        self.shown.clear();
        self.shown.resize(sights, None);
        self.hot.clear();
        self.collected.clear();
        self.collected.resize(plan.sights().targets() * plan.views().len(), None);
        self.items.clear();
        self.words.clear();
        self.words.resize(sights * plan.prefilter().words(), 0);
    }

    fn place(plan: &Plan, sight: SightId, view: usize) -> usize {
        view * plan.sights().len() + sight.0 as usize
    }

    fn get(&self, plan: &Plan, place: usize) -> &[u64] {
        let words = plan.prefilter().words();
        self.words.get(place * words..(place + 1) * words).unwrap_or_default()
    }

    fn add(&mut self, plan: &Plan, place: usize, more: &[u64]) {
        let words = plan.prefilter().words();
        for (all, word) in self.words.get_mut(place * words..).into_iter().flatten().zip(more) {
            *all |= word;
        }
    }
}

impl State {
    /// Whether the gate's operator can match anything that its sight shows to a view.
    pub(crate) fn may_match(&mut self, plan: &Plan, gate: Gate, view: usize) -> bool {
        self.look(plan, gate.sight, view);
        holds(self.horizon.get(plan, Horizon::place(plan, gate.sight, view)), gate.operator)
    }

    /// Works a sight out, unless that was done before in this phase.
    fn look(&mut self, plan: &Plan, sight: SightId, view: usize) {
        let place = Horizon::place(plan, sight, view);
        match self.horizon.shown.get_mut(place) {
            Some(shown) if shown.is_none() => *shown = Some((0, 0)),
            _ => return,
        }
        match plan.sights().get(sight) {
            Some(Sight::One { target, pipeline, multi_match }) => {
                let Some(pipeline) = plan.pipeline(*pipeline) else { return };
                let (first, last) = self.elements(plan, *target, view);
                let from = self.horizon.hot.len();
                for position in first..last {
                    let Some(&item) = self.horizon.items.get(position) else { break };
                    let mut value = item.value;
                    let hot = if *multi_match {
                        let mut hot = self.show(plan, sight, place, value);
                        for &step in &pipeline.steps {
                            value = self.values.step(value, step);
                            hot |= self.show(plan, sight, place, value);
                        }
                        hot
                    } else {
                        value = self.values.transformed(value, pipeline);
                        self.show(plan, sight, place, value)
                    };
                    if hot {
                        self.horizon.hot.push(item);
                    }
                }
                let shown = (from, self.horizon.hot.len());
                self.horizon.shown.get_mut(place).into_iter().for_each(|place| *place = Some(shown));
            }
            Some(Sight::Many(parts)) => {
                for &part in parts {
                    self.look(plan, part, view);
                    let from = Horizon::place(plan, part, view);
                    let words = plan.prefilter().words();
                    for offset in 0..words {
                        let word = self.horizon.words.get(from * words + offset).copied().unwrap_or_default();
                        if let Some(all) = self.horizon.words.get_mut(place * words + offset) {
                            *all |= word;
                        }
                    }
                }
            }
            None => {}
        }
    }

    /// The elements of a target, as a range of the horizon's items.
    fn elements(&mut self, plan: &Plan, target: TargetId, view: usize) -> (usize, usize) {
        let place = view * plan.sights().targets() + target.0 as usize;
        if let Some(range) = self.horizon.collected.get(place).copied().flatten() {
            return range;
        }
        let Some(plan_of_target) = plan.sights().target_plan(target) else { return (0, 0) };
        let mut items = std::mem::take(&mut self.horizon.items);
        let first = items.len();
        // What `ctl` took away from one rule is still there for others.
        let current = self.current.take();
        self.collect_one(plan, plan_of_target, view, &mut items);
        self.current = current;
        let range = (first, items.len());
        self.horizon.items = items;
        self.horizon.collected.get_mut(place).into_iter().for_each(|place| *place = Some(range));
        range
    }

    /// Adds what can match a value to a sight; whether there is anything. The value is scanned only if its
    /// bytes leave something that rules test on the sight.
    fn show(&mut self, plan: &Plan, sight: SightId, place: usize, value: Value) -> bool {
        if self.values.matches_nothing(value) {
            return false;
        }
        let wanted = plan.sights().wanted(sight);
        if !meet(self.values.by_bytes(value, plan.prefilter()), wanted) {
            return false;
        }
        let candidates = self.values.candidates(value, plan.prefilter());
        if !meet(candidates, wanted) {
            return false;
        }
        self.horizon.add(plan, place, candidates);
        true
    }

    /// Writes what a sight shows to `out`, leaving out what no operator can match, and what `ctl` took away
    /// from the current rule. To be asked after [`State::may_match`].
    pub(crate) fn hot_items(&mut self, plan: &Plan, sight: SightId, view: usize, out: &mut Vec<Item>) {
        out.clear();
        let one = [sight];
        let parts = match plan.sights().get(sight) {
            Some(Sight::Many(parts)) => parts,
            _ => &one[..],
        };
        for &part in parts {
            let shown = self.horizon.shown.get(Horizon::place(plan, part, view)).copied().flatten();
            let (from, to) = shown.unwrap_or_default();
            out.extend_from_slice(self.horizon.hot.get(from..to).unwrap_or_default());
        }
        if self.has_removed_targets() {
            out.retain(|item| !self.is_removed(item.variable, item.key));
        }
    }
}
