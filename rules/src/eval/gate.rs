//! Which rules are worth looking at: what the prefilter says of everything that a sight shows.
//!
//! Both what targets hold and what sights show are worked out once per phase, when first asked for. Most values pass
//! most chains of transformations unchanged. So what can match the elements of a target as they are is worked out
//! first; a sight whose chain changes none of them shows the same.

use super::lookup::Item;
use super::state::State;
use super::values::Value;
use crate::plan::{Features, Gate, GateCheck, Pipeline, Plan, Sight, SightId, TargetId, ViewId, meet};

/// What was worked out in this phase.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Number of the phase; what was noted under another is not known.
    epoch: u32,
    /// Per view and target, then per view and sight.
    shown: Vec<Shown>,
    /// Of each of these, the ways in which operators can match something in it.
    words: Vec<u64>,
    /// Elements of targets.
    items: Vec<Item>,
    /// Positions in `items` of elements that some operator can match.
    hot: Vec<u32>,
}

/// What a target or a sight shows.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    epoch: u32,
    /// Of a target, its elements, as a range of [`Horizon::items`].
    items: Range,
    /// What some operator can match, as a range of [`Horizon::hot`]; of one target only.
    hot: Range,
    /// Of a target, what all its elements together consist of.
    features: Features,
    /// Some operator can match something in it.
    any: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Range {
    from: u32,
    to: u32,
}

impl Range {
    fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.from as usize..self.to as usize).unwrap_or_default()
    }
}

/// The number of elements so far, as the end of a range.
fn end<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

impl Horizon {
    /// Forgets everything: what sights show has changed.
    pub(crate) fn reset(&mut self, plan: &Plan) {
        let places = (plan.sights().targets() + plan.sights().len()) * plan.views().len();
        let words = places * plan.prefilter().words();
        // The memory may come from a transaction of another plan.
        if self.shown.len() != places || self.words.len() != words || self.epoch == u32::MAX {
            self.epoch = 0;
            self.shown.clear();
            self.shown.resize(places, Shown::default());
            self.words.clear();
            self.words.resize(words, 0);
        }
        self.epoch += 1;
        self.items.clear();
        self.hot.clear();
    }

    /// How much memory is kept for the next transaction, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Item>()
            + self.hot.capacity() * size_of::<u32>()
            + self.words.capacity() * size_of::<u64>()
    }

    /// Whether it is known already that nothing opens a gate.
    #[inline]
    pub(crate) fn is_shut(&self, check: GateCheck) -> bool {
        self.shown.get(check.place).is_some_and(|shown| {
            shown.epoch == self.epoch
                && (!shown.any || self.words.get(check.word).is_some_and(|word| word & check.bits == 0))
        })
    }

    fn known(&self, place: usize) -> Option<Shown> {
        self.shown.get(place).copied().filter(|shown| shown.epoch == self.epoch)
    }

    fn keep(&mut self, place: usize, shown: Shown) -> Shown {
        let shown = Shown { epoch: self.epoch, ..shown };
        self.shown.get_mut(place).into_iter().for_each(|cell| *cell = shown);
        shown
    }

    fn words(&self, plan: &Plan, place: usize) -> &[u64] {
        let words = plan.prefilter().words();
        self.words.get(place * words..(place + 1) * words).unwrap_or_default()
    }

    fn clear(&mut self, plan: &Plan, place: usize) {
        let words = plan.prefilter().words();
        self.words.get_mut(place * words..(place + 1) * words).unwrap_or_default().fill(0);
    }

    fn add(&mut self, plan: &Plan, place: usize, more: &[u64]) {
        let words = plan.prefilter().words();
        for (all, word) in self.words.get_mut(place * words..).into_iter().flatten().zip(more) {
            *all |= word;
        }
    }

    /// Adds what one place shows to another.
    fn add_from(&mut self, plan: &Plan, from: usize, place: usize) {
        let words = plan.prefilter().words();
        for offset in 0..words {
            let word = self.words.get(from * words + offset).copied().unwrap_or_default();
            self.words.get_mut(place * words + offset).into_iter().for_each(|all| *all |= word);
        }
    }
}

fn sight_place(plan: &Plan, sight: SightId, view: usize) -> usize {
    plan.sights().place(sight, ViewId(u32::try_from(view).unwrap_or_default()), plan.views().len())
}

impl State {
    /// Whether the gate's operator can match anything that its sight shows to a view.
    pub(crate) fn may_match(&mut self, plan: &Plan, gate: Gate, view: usize) -> bool {
        self.look(plan, gate.sight, view).any
            && plan
                .prefilter()
                .holds(self.horizon.words(plan, sight_place(plan, gate.sight, view)), gate.operator)
    }

    /// What a sight shows.
    fn look(&mut self, plan: &Plan, sight: SightId, view: usize) -> Shown {
        let place = sight_place(plan, sight, view);
        if let Some(known) = self.horizon.known(place) {
            return known;
        }
        let shown = match plan.sights().get(sight) {
            Some(Sight::One { target, pipeline, multi_match }) => match plan.pipeline(*pipeline) {
                Some(pipeline) => self.look_at(plan, sight, *target, (pipeline, *multi_match), view),
                None => Shown::default(),
            },
            Some(Sight::Many(parts)) => {
                self.horizon.clear(plan, place);
                let mut any = false;
                for &part in parts {
                    if self.look(plan, part, view).any {
                        any = true;
                        self.horizon.add_from(plan, sight_place(plan, part, view), place);
                    }
                }
                Shown { any, ..Shown::default() }
            }
            None => Shown::default(),
        };
        self.horizon.keep(place, shown)
    }

    /// What a target shows through a chain of transformations.
    fn look_at(
        &mut self,
        plan: &Plan,
        sight: SightId,
        target: TargetId,
        (pipeline, multi_match): (&Pipeline, bool),
        view: usize,
    ) -> Shown {
        let place = sight_place(plan, sight, view);
        let raw = self.elements(plan, target, view);
        self.horizon.clear(plan, place);
        if !raw.features.meet(pipeline.touched_by) {
            if raw.any {
                self.horizon.add_from(plan, target_place(plan, target, view), place);
            }
            return Shown { hot: raw.hot, any: raw.any, ..Shown::default() };
        }
        let wanted = plan.sights().wanted(sight);
        let from = end(&self.horizon.hot);
        // Those that the chain leaves alone are known already, and few.
        for at in raw.hot.from..raw.hot.to {
            let Some(&position) = self.horizon.hot.get(at as usize) else { break };
            let Some(&Item { value, .. }) = self.horizon.items.get(position as usize) else { break };
            if !self.values.features(value).meet(pipeline.touched_by) && self.show(plan, place, value, wanted)
            {
                self.horizon.hot.push(position);
            }
        }
        let untouched = end(&self.horizon.hot);
        for position in raw.items.from..raw.items.to {
            let Some(&Item { mut value, .. }) = self.horizon.items.get(position as usize) else { break };
            if !self.values.features(value).meet(pipeline.touched_by) {
                continue;
            }
            let mut hot = multi_match && self.show(plan, place, value, wanted);
            for &step in &pipeline.steps {
                value = self.values.step(value, step);
                hot |= multi_match && self.show(plan, place, value, wanted);
            }
            if hot || self.show(plan, place, value, wanted) {
                self.horizon.hot.push(position);
            }
        }
        let hot = Range { from, to: end(&self.horizon.hot) };
        if from < untouched && untouched < hot.to {
            self.horizon.hot.get_mut(from as usize..).unwrap_or_default().sort_unstable();
        }
        Shown { hot, any: hot.from < hot.to, ..Shown::default() }
    }

    /// The elements of a target, and what can match them as they are.
    fn elements(&mut self, plan: &Plan, target: TargetId, view: usize) -> Shown {
        let place = target_place(plan, target, view);
        if let Some(known) = self.horizon.known(place) {
            return known;
        }
        let Some(target) = plan.sights().target_plan(target) else { return Shown::default() };
        let mut items = std::mem::take(&mut self.horizon.items);
        let from = end(&items);
        // What `ctl` took away from one rule is still there for others.
        let current = self.current.take();
        self.collect_one(plan, target, view, &mut items);
        self.current = current;
        let range = Range { from, to: end(&items) };
        self.horizon.clear(plan, place);
        let first_hot = end(&self.horizon.hot);
        let mut features = Features::NONE;
        for (position, item) in (from..).zip(range.of(&items)) {
            features = features.or(self.values.features(item.value));
            if self.show(plan, place, item.value, plan.prefilter().all()) {
                self.horizon.hot.push(position);
            }
        }
        self.horizon.items = items;
        let hot = Range { from: first_hot, to: end(&self.horizon.hot) };
        self.horizon.keep(place, Shown { items: range, hot, features, any: hot.from < hot.to, epoch: 0 })
    }

    /// Adds what can match a value to a place; whether there is anything.
    fn show(&mut self, plan: &Plan, place: usize, value: Value, wanted: &[u64]) -> bool {
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
            let shown = self.horizon.known(sight_place(plan, part, view)).unwrap_or_default();
            let hot = shown.hot.of(&self.horizon.hot).iter();
            out.extend(hot.filter_map(|&position| self.horizon.items.get(position as usize)));
        }
        if self.has_removed_targets() {
            out.retain(|item| !self.is_removed(item.variable, item.key));
        }
    }
}

fn target_place(plan: &Plan, target: TargetId, view: usize) -> usize {
    view * plan.sights().targets() + target.0 as usize
}
