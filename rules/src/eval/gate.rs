//! Which rules are worth looking at: what the prefilter says of everything that a sight shows.
//!
//! Both what targets hold and what sights show are worked out once per phase, when first asked for. Most values pass
//! most chains of transformations unchanged. So what can match the elements of a target as they are is worked out
//! first; a sight whose chain changes none of them shows the same.

use super::lookup::Item;
use super::state::State;
use super::values::Value;
use crate::model::Variable;
use crate::plan::{
    Bits, FamilyId, Features, Gate, PhasePlan, Pipeline, Plan, Sight, SightId, Sights, TargetId, ViewId, has,
};

/// What was worked out in this phase.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Number of the phase; what was noted under another is not known.
    epoch: u32,
    /// Per view and target, then per view and sight, then per view and family of targets.
    shown: Vec<Shown>,
    /// Per view and gate, the phase in which something that it shows let it open.
    opened: Vec<u32>,
    /// Those that are open, each once.
    open: Vec<u32>,
    /// Per view and target, whether it is known to have no elements.
    barren: Bits,
    /// Elements of targets, and what each consists of.
    items: Vec<Item>,
    features: Vec<Features>,
    /// Elements of the collections that families look at, but those that matter to none of them.
    living: Vec<Item>,
    /// Positions in `items` of elements that some operator can match.
    hot: Vec<u32>,
    /// Per look, one bit for each operator that can match something.
    found: Vec<u64>,
}

/// What a target or a sight shows.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    epoch: u32,
    /// Of a target, its elements, as a range of [`Horizon::items`]; of a family, of [`Horizon::living`].
    items: Range,
    /// What some operator can match, as a range of [`Horizon::hot`]; of one target only.
    hot: Range,
    /// Where the bits of the operators that can are in [`Horizon::found`]; of one target only.
    found: u32,
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
    fn is_empty(self) -> bool {
        self.from >= self.to
    }

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
        let (sights, views) = (plan.sights(), plan.views().len());
        let places = (sights.targets() + sights.len() + sights.families()) * views;
        let gates = sights.gates() * views;
        // The memory may come from a transaction of another plan.
        if self.shown.len() != places || self.opened.len() != gates || self.epoch == u32::MAX {
            self.epoch = 0;
            self.shown.clear();
            self.shown.resize(places, Shown::default());
            self.opened.clear();
            self.opened.resize(gates, 0);
        }
        self.epoch += 1;
        self.barren.clear_below(sights.targets() * views);
        self.items.clear();
        self.living.clear();
        self.features.clear();
        self.hot.clear();
        self.found.clear();
        self.open.clear();
    }

    /// How much memory is kept for the next transaction, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        (self.items.capacity() + self.living.capacity()) * size_of::<Item>()
            + self.features.capacity() * size_of::<Features>()
            + self.hot.capacity() * size_of::<u32>()
            + self.found.capacity() * size_of::<u64>()
    }

    #[inline]
    fn is_open(&self, gate: usize) -> bool {
        self.opened.get(gate) == Some(&self.epoch)
    }

    #[inline]
    fn known(&self, place: usize) -> Option<&Shown> {
        self.shown.get(place).filter(|shown| shown.epoch == self.epoch)
    }

    /// Whether a chain of transformations may change an element.
    #[inline]
    fn touches(&self, position: u32, pipeline: &Pipeline) -> bool {
        self.features.get(position as usize).is_some_and(|features| features.meet(pipeline.touched_by))
    }

    fn keep(&mut self, place: usize, shown: Shown) -> Shown {
        let shown = Shown { epoch: self.epoch, ..shown };
        self.shown.get_mut(place).into_iter().for_each(|cell| *cell = shown);
        shown
    }

    /// Begins a look: where the bits of what it finds are.
    fn begin_look(&mut self, sights: &Sights) -> u32 {
        let from = self.found.len();
        self.found.resize(from + sights.operator_words(), 0);
        u32::try_from(from).unwrap_or(u32::MAX)
    }

    /// Notes the operators that are in both sets; whether there are any.
    fn note(&mut self, look: u32, candidates: &[u64], wanted: &[u64]) -> bool {
        let found = self.found.get_mut(look as usize..).unwrap_or_default();
        let mut any = 0;
        for ((found, candidates), wanted) in found.iter_mut().zip(candidates).zip(wanted) {
            let both = candidates & wanted;
            *found |= both;
            any |= both;
        }
        any != 0
    }

    /// Opens the gates of a sight whose operators were found by a look.
    fn open(&mut self, sights: &Sights, sight: SightId, look: u32, view: ViewId) {
        let found = self.found.get(look as usize..).unwrap_or_default();
        for (operator, gate) in sights.tests(sight) {
            if !has(found, operator.0 as usize) {
                continue;
            }
            let gate = sights.gate_place(*gate, view);
            if let Some(opened) = self.opened.get_mut(gate).filter(|opened| **opened != self.epoch) {
                *opened = self.epoch;
                self.open.push(u32::try_from(gate).unwrap_or(u32::MAX));
            }
        }
    }
}

fn sight_place(plan: &Plan, sight: SightId, view: usize) -> usize {
    plan.sights().place(sight, view_id(view), plan.views().len())
}

fn view_id(view: usize) -> ViewId {
    ViewId(u32::try_from(view).unwrap_or_default())
}

fn family_place(plan: &Plan, family: FamilyId, view: usize) -> usize {
    let (sights, views) = (plan.sights(), plan.views().len());
    (sights.targets() + sights.len()) * views + view * sights.families() + family.0 as usize
}

#[inline]
fn target_place(plan: &Plan, target: TargetId, view: usize) -> usize {
    view * plan.sights().targets() + target.0 as usize
}

impl State {
    /// Opens the gates of a phase that anything in the exchange opens, and adds the positions of the rules behind them to
    /// `live`. Goes by targets: most have no elements that matter, and then no sight of them is looked at.
    pub(crate) fn open_gates(&mut self, plan: &Plan, phase: &PhasePlan, live: &mut Bits) {
        let sights = plan.sights();
        for (place, &(target, view)) in phase.targets.iter().enumerate() {
            if self.raw(plan, target, view.0 as usize).items.is_empty() {
                continue;
            }
            for &sight in phase.sights(place) {
                let shown = self.look(plan, sight, view.0 as usize);
                for &whole in sights.wholes(sight).iter().filter(|_| shown.any) {
                    self.horizon.open(sights, whole, shown.found, view);
                }
            }
        }
        for &gate in &self.horizon.open {
            phase.behind(gate as usize).iter().for_each(|position| live.insert(*position as usize));
        }
    }

    /// Whether the gate's operator can match anything that its sight shows to a view.
    pub(crate) fn may_match(&mut self, plan: &Plan, gate: Gate, view: usize) -> bool {
        self.look(plan, gate.sight, view).any
            && self.horizon.is_open(plan.sights().gate_place(gate.id, view_id(view)))
    }

    /// What a sight shows.
    fn look(&mut self, plan: &Plan, sight: SightId, view: usize) -> Shown {
        let place = sight_place(plan, sight, view);
        if let Some(known) = self.horizon.known(place) {
            return *known;
        }
        let sights = plan.sights();
        let shown = match sights.get(sight) {
            None => Shown::default(),
            Some(Sight::One { target, pipeline, multi_match }) => {
                let shown = match plan.pipeline(*pipeline) {
                    Some(pipeline) => self.look_at(plan, sight, *target, (pipeline, *multi_match), view),
                    None => Shown::default(),
                };
                if shown.any {
                    self.horizon.open(sights, sight, shown.found, view_id(view));
                }
                shown
            }
            Some(Sight::Many(parts)) => {
                let mut any = false;
                for &(target, part) in sights.parts(parts) {
                    // Most targets have no elements in most requests.
                    if self.horizon.barren.contains(target_place(plan, target, view)) {
                        continue;
                    }
                    let shown = self.look(plan, part, view);
                    if shown.any {
                        any = true;
                        self.horizon.open(sights, sight, shown.found, view_id(view));
                    }
                }
                Shown { any, ..Shown::default() }
            }
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
        let raw = self.raw(plan, target, view);
        if !raw.features.meet(pipeline.touched_by) {
            return Shown { items: Range::default(), ..raw };
        }
        let wanted = plan.sights().wanted(sight);
        let (from, look) = (end(&self.horizon.hot), self.horizon.begin_look(plan.sights()));
        // Those that the chain leaves alone are known already, and few.
        for at in raw.hot.from..raw.hot.to {
            let Some(&position) = self.horizon.hot.get(at as usize) else { break };
            if self.horizon.touches(position, pipeline) {
                continue;
            }
            let Some(&Item { value, .. }) = self.horizon.items.get(position as usize) else { break };
            if self.show(plan, look, wanted, value) {
                self.horizon.hot.push(position);
            }
        }
        let untouched = end(&self.horizon.hot);
        for position in raw.items.from..raw.items.to {
            if !self.horizon.touches(position, pipeline) {
                continue;
            }
            let Some(&Item { value, .. }) = self.horizon.items.get(position as usize) else { break };
            if self.show_through(plan, look, wanted, value, (pipeline, multi_match)) {
                self.horizon.hot.push(position);
            }
            self.values.drop_made();
        }
        let hot = Range { from, to: end(&self.horizon.hot) };
        if from < untouched && untouched < hot.to {
            self.horizon.hot.get_mut(from as usize..).unwrap_or_default().sort_unstable();
        }
        Shown { hot, found: look, any: !hot.is_empty(), ..Shown::default() }
    }

    /// What a target holds that matters, and what can match it as it is.
    fn raw(&mut self, plan: &Plan, target: TargetId, view: usize) -> Shown {
        match self.horizon.known(target_place(plan, target, view)) {
            Some(known) => *known,
            None => self.elements(plan, target, view),
        }
    }

    /// As [`State::raw`], when it is first asked for.
    fn elements(&mut self, plan: &Plan, id: TargetId, view: usize) -> Shown {
        let place = target_place(plan, id, view);
        let Some(target) = plan.sights().target_plan(id) else { return Shown::default() };
        if self.is_bare(target, view) {
            self.horizon.barren.insert(place);
            return Shown::default();
        }
        let family = plan.sights().family(id).map(|family| self.living(plan, family, target.variable, view));
        let mut items = std::mem::take(&mut self.horizon.items);
        let from = end(&items);
        if let Some(living) = family {
            let wanted = |item: &&Item| {
                let key = item.key.map_or(&[][..], |key| self.values.get(key));
                target.excluded.iter().all(|excluded| !excluded.include(key))
            };
            items.extend(living.of(&self.horizon.living).iter().filter(wanted));
        } else {
            // What `ctl` took away from one rule is still there for others.
            let current = self.current.take();
            self.collect_one(plan, target, view, &mut items);
            self.current = current;
        }
        self.drop_idle(&mut items, from as usize, |state, value| state.is_idle(plan, id, value));
        let range = Range { from, to: end(&items) };
        let mut shown = Shown { items: range, ..Shown::default() };
        if range.is_empty() {
            self.horizon.barren.insert(place);
        } else {
            shown.found = self.horizon.begin_look(plan.sights());
            let first_hot = end(&self.horizon.hot);
            for (position, item) in (from..).zip(range.of(&items)) {
                let candidates = self.values.candidates(item.value, plan.prefilter());
                if self.horizon.note(shown.found, candidates, candidates) {
                    self.horizon.hot.push(position);
                }
                let features = self.values.features(item.value);
                self.horizon.features.push(features);
                shown.features = shown.features.or(features);
            }
            shown.hot = Range { from: first_hot, to: end(&self.horizon.hot) };
            shown.any = !shown.hot.is_empty();
        }
        self.horizon.items = items;
        self.horizon.keep(place, shown)
    }

    /// The elements of a collection that matter to some target of the family that looks at it.
    fn living(&mut self, plan: &Plan, family: FamilyId, variable: Variable, view: usize) -> Range {
        let place = family_place(plan, family, view);
        if let Some(known) = self.horizon.known(place) {
            return known.items;
        }
        let mut living = std::mem::take(&mut self.horizon.living);
        let from = end(&living);
        if let Some(elements) = self.data.collection(variable, view) {
            living.extend(elements.iter().map(|element| Item::new(variable, element)));
        }
        self.drop_idle(&mut living, from as usize, |state, value| state.is_idle_for_all(plan, family, value));
        let items = Range { from, to: end(&living) };
        self.horizon.living = living;
        self.horizon.keep(place, Shown { items, ..Shown::default() }).items
    }

    /// Takes elements from `start` on out that matter nothing: of a value that keeps coming back this is known.
    fn drop_idle(
        &mut self,
        items: &mut Vec<Item>,
        start: usize,
        mut is_idle: impl FnMut(&mut Self, Value) -> bool,
    ) {
        let mut kept = start;
        for at in start..items.len() {
            let Some(&item) = items.get(at) else { break };
            if !is_idle(self, item.value) {
                items.get_mut(kept).into_iter().for_each(|place| *place = item);
                kept += 1;
            }
        }
        items.truncate(kept);
    }

    /// Whether a value matters nothing as an element of any target of a family.
    fn is_idle_for_all(&mut self, plan: &Plan, family: FamilyId, value: Value) -> bool {
        if !self.values.takes_results(value) {
            return false;
        }
        self.remembered(value, plan.idle_for_all(family), |state| {
            let mut members = plan.sights().members(family).iter();
            members.all(|target| state.is_idle(plan, *target, value))
        })
    }

    /// Whether no sight of a target shows any operator that could match a value. It is found out where it can be
    /// remembered: to do so costs as much as all looks.
    fn is_idle(&mut self, plan: &Plan, target: TargetId, value: Value) -> bool {
        if !self.values.takes_results(value) {
            return false;
        }
        self.remembered(value, plan.idle(target), |state| {
            let (sights, look) = (plan.sights(), state.horizon.begin_look(plan.sights()));
            let idle = sights.of_target(target).iter().all(|&sight| {
                let Some(Sight::One { pipeline, multi_match, .. }) = sights.get(sight) else { return false };
                let Some(chain) = plan.pipeline(*pipeline) else { return false };
                !state.show_through(plan, look, sights.wanted(sight), value, (chain, *multi_match))
            });
            state.horizon.found.truncate(look as usize);
            idle
        })
    }

    /// Notes which wanted operators can match a value after a chain of transformations, or at any stage of it; whether there
    /// are any.
    fn show_through(
        &mut self,
        plan: &Plan,
        look: u32,
        wanted: &[u64],
        mut value: Value,
        (pipeline, multi_match): (&Pipeline, bool),
    ) -> bool {
        let mut hot = multi_match && self.show(plan, look, wanted, value);
        for &step in &pipeline.steps {
            value = self.values.next(value, step);
            hot |= multi_match && self.show(plan, look, wanted, value);
        }
        hot || self.show(plan, look, wanted, value)
    }

    /// Notes which wanted operators can match a value; whether there are any.
    fn show(&mut self, plan: &Plan, look: u32, wanted: &[u64], value: Value) -> bool {
        let candidates = self.values.candidates(value, plan.prefilter());
        self.horizon.note(look, candidates, wanted)
    }

    /// Writes what a sight shows to `out`, leaving out what no operator can match, and what `ctl` took away
    /// from the current rule. To be asked after [`State::may_match`].
    pub(crate) fn hot_items(&mut self, plan: &Plan, sight: SightId, view: usize, out: &mut Vec<Item>) {
        out.clear();
        let mut add = |sight: SightId| {
            let shown = self.horizon.known(sight_place(plan, sight, view)).copied().unwrap_or_default();
            let hot = shown.hot.of(&self.horizon.hot).iter();
            out.extend(hot.filter_map(|&position| self.horizon.items.get(position as usize)));
        };
        plan.sights().looks(sight).for_each(|(_, part)| add(part));
        if !self.control.removed_targets.is_empty() {
            out.retain(|item| !self.is_removed(item.variable, item.key));
        }
    }
}
