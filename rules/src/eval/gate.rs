//! Which rules are worth looking at: what the prefilter says of everything that a sight shows.
//!
//! Both what targets hold and what sights show are worked out once per phase, when first asked for. Most values pass
//! most chains of transformations unchanged. So what can match the elements of a target as they are is worked out
//! first; a sight whose chain changes none of them shows the same.

use super::lookup::Item;
use super::state::State;
use super::values::Value;
use crate::plan::{
    Bits, Features, Gate, ListId, PhasePlan, Pipeline, Plan, Screened, Sight, SightId, Sights, TargetId,
    Tests, ViewId,
};

/// What was worked out in this phase.
#[derive(Debug, Default)]
pub(crate) struct Horizon {
    /// Number of the phase; what was noted under another is not known.
    epoch: u32,
    /// Per view and target, then per view and sight.
    shown: Vec<Shown>,
    /// Per view and gate, the phase in which something that it shows let it open.
    opened: Vec<u32>,
    /// Those that are open, each once.
    open: Vec<u32>,
    /// Per view and list of targets, those of them that have elements, as a range of `fertile`.
    lists: Vec<(u32, Range)>,
    /// Positions in lists of targets.
    fertile: Vec<u32>,
    /// Elements of targets.
    items: Vec<Item>,
    /// Positions in `items` of elements that some operator can match.
    hot: Vec<u32>,
    /// Operators that can match something, each once for what was looked at.
    found: Vec<Screened>,
    /// Per operator, which look it was found by last.
    found_by: Vec<u32>,
    /// Number of the look.
    looks: u32,
}

/// What a target or a sight shows.
#[derive(Clone, Copy, Debug, Default)]
struct Shown {
    epoch: u32,
    /// Of a target, its elements, as a range of [`Horizon::items`].
    items: Range,
    /// What some operator can match, as a range of [`Horizon::hot`]; of one target only.
    hot: Range,
    /// The operators that can, as a range of [`Horizon::found`]; of one target only.
    found: Range,
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
        let (places, gates) = ((sights.targets() + sights.len()) * views, sights.gates() * views);
        // The memory may come from a transaction of another plan.
        if self.shown.len() != places || self.opened.len() != gates || self.epoch == u32::MAX {
            self.epoch = 0;
            self.shown.clear();
            self.shown.resize(places, Shown::default());
            self.opened.clear();
            self.opened.resize(gates, 0);
            self.lists.clear();
        }
        self.lists.resize(sights.lists() * views, (0, Range::default()));
        if self.looks > u32::MAX / 2 || self.found_by.len() != sights.operators() {
            self.looks = 0;
            self.found_by.clear();
            self.found_by.resize(sights.operators(), 0);
        }
        self.epoch += 1;
        self.items.clear();
        self.hot.clear();
        self.found.clear();
        self.open.clear();
        self.fertile.clear();
    }

    /// How much memory is kept for the next transaction, in bytes.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.items.capacity() * size_of::<Item>()
            + (self.hot.capacity() + self.found.capacity()) * size_of::<u32>()
    }

    #[inline]
    fn is_open(&self, gate: usize) -> bool {
        self.opened.get(gate) == Some(&self.epoch)
    }

    #[inline]
    fn known(&self, place: usize) -> Option<&Shown> {
        self.shown.get(place).filter(|shown| shown.epoch == self.epoch)
    }

    fn keep(&mut self, place: usize, shown: Shown) -> Shown {
        let shown = Shown { epoch: self.epoch, ..shown };
        self.shown.get_mut(place).into_iter().for_each(|cell| *cell = shown);
        shown
    }

    /// Notes the operators among `candidates` that are tested; whether there are any.
    fn note(&mut self, candidates: &[Screened], is_tested: impl Fn(Screened) -> bool) -> bool {
        let mut any = false;
        for &operator in candidates.iter().filter(|operator| is_tested(**operator)) {
            any = true;
            if let Some(found_by) = self.found_by.get_mut(operator.0 as usize)
                && *found_by != self.looks
            {
                *found_by = self.looks;
                self.found.push(operator);
            }
        }
        any
    }

    /// Opens the gates of the operators that were found.
    fn open(&mut self, sights: &Sights, tests: &Tests, found: Range, view: ViewId) {
        for operator in found.of(&self.found) {
            if let Some(gate) = tests.gate(*operator).map(|gate| sights.gate_place(gate, view))
                && let Some(opened) = self.opened.get_mut(gate)
                && *opened != self.epoch
            {
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

#[inline]
fn target_place(plan: &Plan, target: TargetId, view: usize) -> usize {
    view * plan.sights().targets() + target.0 as usize
}

impl State {
    /// Opens the gates of a phase that anything in the exchange opens, and adds the positions of the rules behind them to
    /// `live`.
    pub(crate) fn open_gates(&mut self, plan: &Plan, phase: &PhasePlan, live: &mut Bits) {
        for &(sight, view) in &phase.sights {
            self.look(plan, sight, view.0 as usize);
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
        let (Some(looked_at), Some(tests)) = (plan.sights().get(sight), plan.sights().tests(sight)) else {
            return Shown::default();
        };
        let view_id = view_id(view);
        let shown = match looked_at {
            Sight::One { target, pipeline, multi_match } => {
                let shown = match plan.pipeline(*pipeline) {
                    Some(pipeline) => self.look_at(plan, tests, *target, (pipeline, *multi_match), view),
                    None => Shown::default(),
                };
                self.horizon.open(plan.sights(), tests, shown.found, view_id);
                shown
            }
            Sight::Many { list, parts } => {
                let mut any = false;
                let fertile = self.fertile(plan, *list, view);
                for at in fertile.from..fertile.to {
                    let part = self.horizon.fertile.get(at as usize).and_then(|at| parts.get(*at as usize));
                    let Some(part) = part else { break };
                    let shown = self.look(plan, *part, view);
                    any |= shown.any;
                    self.horizon.open(plan.sights(), tests, shown.found, view_id);
                }
                Shown { any, ..Shown::default() }
            }
        };
        self.horizon.keep(place, shown)
    }

    /// The targets of a list that have elements: most have none in most requests.
    fn fertile(&mut self, plan: &Plan, list: ListId, view: usize) -> Range {
        let place = view * plan.sights().lists() + list.0 as usize;
        let known = self.horizon.lists.get(place).filter(|(epoch, _)| *epoch == self.horizon.epoch);
        if let Some((_, known)) = known {
            return *known;
        }
        let from = end(&self.horizon.fertile);
        for (position, target) in (0..).zip(plan.sights().list_targets(list)) {
            if !self.elements(plan, *target, view).1.is_empty() {
                self.horizon.fertile.push(position);
            }
        }
        let range = Range { from, to: end(&self.horizon.fertile) };
        let epoch = self.horizon.epoch;
        self.horizon.lists.get_mut(place).into_iter().for_each(|list| *list = (epoch, range));
        range
    }

    /// What a target shows through a chain of transformations.
    fn look_at(
        &mut self,
        plan: &Plan,
        tests: &Tests,
        target: TargetId,
        (pipeline, multi_match): (&Pipeline, bool),
        view: usize,
    ) -> Shown {
        let (place, _) = self.elements(plan, target, view);
        let raw = self.horizon.known(place).copied().unwrap_or_default();
        if !raw.features.meet(pipeline.touched_by) {
            return Shown { hot: raw.hot, found: raw.found, any: raw.any, ..Shown::default() };
        }
        self.horizon.looks += 1;
        let (from, first_found) = (end(&self.horizon.hot), end(&self.horizon.found));
        // Those that the chain leaves alone are known already, and few.
        for at in raw.hot.from..raw.hot.to {
            let Some(&position) = self.horizon.hot.get(at as usize) else { break };
            let Some(&Item { value, .. }) = self.horizon.items.get(position as usize) else { break };
            if !self.values.features(value).meet(pipeline.touched_by) && self.show(plan, tests, value) {
                self.horizon.hot.push(position);
            }
        }
        let untouched = end(&self.horizon.hot);
        for position in raw.items.from..raw.items.to {
            let Some(&Item { mut value, .. }) = self.horizon.items.get(position as usize) else { break };
            if !self.values.features(value).meet(pipeline.touched_by) {
                continue;
            }
            let mut hot = multi_match && self.show(plan, tests, value);
            for &step in &pipeline.steps {
                value = self.values.step(value, step);
                hot |= multi_match && self.show(plan, tests, value);
            }
            if hot || self.show(plan, tests, value) {
                self.horizon.hot.push(position);
            }
        }
        let hot = Range { from, to: end(&self.horizon.hot) };
        if from < untouched && untouched < hot.to {
            self.horizon.hot.get_mut(from as usize..).unwrap_or_default().sort_unstable();
        }
        let found = Range { from: first_found, to: end(&self.horizon.found) };
        Shown { hot, found, any: hot.from < hot.to, ..Shown::default() }
    }

    /// The place of a target, and the range of its elements; they, and what can match them as they are, are known then.
    fn elements(&mut self, plan: &Plan, target: TargetId, view: usize) -> (usize, Range) {
        let place = target_place(plan, target, view);
        if let Some(known) = self.horizon.known(place) {
            return (place, known.items);
        }
        let Some(target) = plan.sights().target_plan(target) else { return (place, Range::default()) };
        let mut items = std::mem::take(&mut self.horizon.items);
        let from = end(&items);
        // What `ctl` took away from one rule is still there for others.
        let current = self.current.take();
        self.collect_one(plan, target, view, &mut items);
        self.current = current;
        let range = Range { from, to: end(&items) };
        self.horizon.looks += 1;
        let (first_hot, first_found) = (end(&self.horizon.hot), end(&self.horizon.found));
        let mut features = Features::NONE;
        for (position, item) in (from..).zip(range.of(&items)) {
            let candidates = self.values.candidates(item.value, plan.prefilter());
            if self.horizon.note(candidates, |_| true) {
                self.horizon.hot.push(position);
            }
            features = features.or(self.values.features(item.value));
        }
        self.horizon.items = items;
        let hot = Range { from: first_hot, to: end(&self.horizon.hot) };
        let found = Range { from: first_found, to: end(&self.horizon.found) };
        let any = hot.from < hot.to;
        self.horizon.keep(place, Shown { items: range, hot, found, features, any, epoch: 0 });
        (place, range)
    }

    /// Notes what of the tests can match a value; whether there is anything.
    fn show(&mut self, plan: &Plan, tests: &Tests, value: Value) -> bool {
        let candidates = self.values.candidates(value, plan.prefilter());
        self.horizon.note(candidates, |operator| tests.want(operator))
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
        match plan.sights().get(sight) {
            Some(Sight::Many { parts, .. }) => parts.iter().for_each(|part| add(*part)),
            _ => add(sight),
        }
        if self.has_removed_targets() {
            out.retain(|item| !self.is_removed(item.variable, item.key));
        }
    }
}
