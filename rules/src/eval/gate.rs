//! Which rules are worth looking at: what the prefilter says of everything that a sight shows.

use super::lookup::Item;
use super::state::State;
use crate::plan::{Gate, Plan, Sight, SightId, holds};

/// What was worked out about sights in this phase.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Per view and sight, the operators that can match something in it.
    words: Vec<u64>,
    known: Vec<bool>,
    items: Vec<Item>,
}

impl Horizon {
    /// Forgets everything: what sights show has changed.
    pub(crate) fn reset(&mut self, plan: &Plan) {
        let sights = plan.sights().len() * plan.views().len();
        self.known.clear();
        self.known.resize(sights, false);
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
        match self.horizon.known.get_mut(place) {
            Some(known) if !*known => *known = true,
            _ => return,
        }
        match plan.sights().get(sight) {
            Some(Sight::One { target, pipeline, multi_match }) => {
                let Some(pipeline) = plan.pipeline(*pipeline) else { return };
                let mut items = std::mem::take(&mut self.horizon.items);
                items.clear();
                // What `ctl` took away from one rule is still there for others.
                let current = self.current.take();
                self.collect_one(plan, target, view, &mut items);
                self.current = current;
                for item in &items {
                    let mut value = item.value;
                    if *multi_match {
                        self.show(plan, place, value);
                        for &step in &pipeline.steps {
                            value = self.values.step(value, step);
                            self.show(plan, place, value);
                        }
                    } else {
                        value = self.values.transformed(value, pipeline);
                        self.show(plan, place, value);
                    }
                }
                self.horizon.items = items;
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

    fn show(&mut self, plan: &Plan, place: usize, value: super::values::Value) {
        let candidates = self.values.candidates(value, plan.prefilter());
        if !candidates.is_empty() {
            self.horizon.add(plan, place, candidates);
        }
    }
}
