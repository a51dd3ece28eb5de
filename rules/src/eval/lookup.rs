//! From targets to the elements they mean.

use super::data::{Element, ViewData};
use super::state::State;
use super::store::VarStore;
use super::values::Value;
use crate::model::{Store, Variable};
use crate::plan::{Keys, Plan, TargetPlan, Targets, XmlPlace, store_of};

/// One value to test, with the name it goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) variable: Variable,
    /// `None` for scalars.
    pub(crate) key: Option<Value>,
    pub(crate) value: Value,
    /// The value is a number of elements.
    pub(crate) count: bool,
}

impl Item {
    pub(crate) fn new(variable: Variable, element: Element) -> Self {
        Self { variable, key: Some(element.key), value: element.value, count: false }
    }
}

impl State {
    /// Writes what `targets` mean now to `out`, in order.
    pub(crate) fn collect(&mut self, plan: &Plan, targets: &Targets, view: usize, out: &mut Vec<Item>) {
        out.clear();
        for target in &targets.list {
            if target.is_void() {
                continue;
            }
            let from = out.len();
            self.collect_one(plan, target, view, out);
            if target.count {
                let count = match &target.keys {
                    // The expression selects one node, whatever else of it is looked at.
                    Keys::XPath(_, Some(XmlPlace::TEXTS)) => (out.len() - from).min(1),
                    _ => out.len() - from,
                };
                out.truncate(from);
                let key = self.selector_name(&target.keys);
                let value = self.values.add_number(i64::try_from(count).unwrap_or(i64::MAX));
                out.push(Item { variable: target.variable, key, value, count: true });
            }
        }
    }

    pub(crate) fn collect_one(&mut self, plan: &Plan, target: &TargetPlan, view: usize, out: &mut Vec<Item>) {
        let variable = target.variable;
        if target.is_scalar() {
            if !self.is_removed(variable, None) {
                let value = self.scalar(plan, variable, view);
                out.push(Item { variable, key: None, value, count: false });
            }
            return;
        }
        if let Keys::Stored(store, key) = &target.keys {
            let found = self.stores.get(*store as usize).and_then(|store| store.slot(key.slot));
            let found = found.map(stored_element).filter(|element| self.counts(target, element));
            out.extend(found.map(|element| Item::new(variable, element)));
            return;
        }
        if let Some(elements) = self.data.collection(variable, view) {
            let is_whole = target.excluded.is_empty() && !self.is_narrowed(variable);
            let name = self.name_of_keys(&target.keys);
            let item = |element| Item::new(variable, element);
            match (name, &target.keys) {
                (Some(name), _) if is_whole => out.extend(elements.named(name).map(item)),
                (_, Keys::All) if is_whole => out.extend(elements.iter().map(item)),
                _ => out.extend(elements.iter().filter(|element| self.wants(target, element)).map(item)),
            }
            return;
        }
        if let Keys::XPath(_, place) = &target.keys {
            let selected =
                self.data.view(view).zip(*place).map_or(&[][..], |(view, place)| view.selected(place));
            let selected = selected.iter().filter(|element| self.counts(target, element));
            out.extend(selected.map(|element| Item::new(variable, *element)));
            return;
        }
        if let Some(store) = store_of(variable) {
            let has_made = self.stores.get(store as usize).is_some_and(VarStore::has_made);
            if target.only_made && !has_made {
                return;
            }
            let elements = self.stored(store).filter(|element| self.wants(target, element));
            out.extend(elements.map(|element| Item::new(variable, element)));
            return;
        }
        for element in self.special(plan, variable) {
            if self.wants(target, &element) {
                out.push(Item::new(variable, element));
            }
        }
    }

    /// Whether a collection is known to have no elements, or none but those that the policy names if it is a store.
    pub(crate) fn has_none(&self, variable: Variable, view: usize) -> bool {
        match store_of(variable) {
            Some(store) => self.stores.get(store as usize).is_some_and(|store| !store.has_made()),
            None if variable == Variable::Xml => self.data.view(view).is_some_and(ViewData::has_no_xml),
            None => self.data.collection(variable, view).is_some_and(|elements| elements.len() == 0),
        }
    }

    /// Whether a target is known at a glance to have no elements.
    pub(crate) fn is_bare(&self, target: &TargetPlan, view: usize) -> bool {
        // A look at a key of a store tells as much.
        if target.is_scalar() || target.count || matches!(target.keys, Keys::Stored(..)) {
            return false;
        }
        match self.name_of_keys(&target.keys) {
            Some(name) => {
                let elements = self.data.collection(target.variable, view);
                elements.is_some_and(|elements| elements.named(name).next().is_none())
            }
            None => {
                (store_of(target.variable).is_none() || target.only_made)
                    && self.has_none(target.variable, view)
            }
        }
    }

    /// The elements of a store.
    fn stored(&self, store: Store) -> impl Iterator<Item = Element> {
        let entries = self.stores.get(store as usize).into_iter().flat_map(VarStore::iter);
        entries.map(stored_element)
    }

    /// Whether a target means an element.
    fn wants(&self, target: &TargetPlan, element: &Element) -> bool {
        self.is_meant(&target.keys, element) && self.counts(target, element)
    }

    /// Whether an element with this key is neither excluded by the rule nor removed by `ctl`.
    #[inline]
    fn counts(&self, target: &TargetPlan, element: &Element) -> bool {
        target.excluded.iter().all(|excluded| !self.is_meant(excluded, element))
            && !self.is_removed(target.variable, Some(element.key))
    }

    /// Whether an element has one of these keys.
    fn is_meant(&self, keys: &Keys, element: &Element) -> bool {
        match self.name_of_keys(keys) {
            Some(name) => element.folded == name,
            None => keys.include(self.values.get(element.key)),
        }
    }

    /// The name that keys are, where elements can be told by its number: where values are crowded, equal names may have
    /// different ones.
    #[inline]
    fn name_of_keys(&self, keys: &Keys) -> Option<Value> {
        match keys {
            Keys::Named(_, Some(name)) if !self.values.is_crowded() => Some(Value::from(*name)),
            _ => None,
        }
    }

    /// Elements of collections that rules or the engine itself change while a phase runs.
    fn special(&mut self, plan: &Plan, variable: Variable) -> Vec<Element> {
        if let Some(store) = store_of(variable) {
            return self.stored(store).collect();
        }
        match variable {
            Variable::MatchedVars | Variable::MatchedVarsNames => self.matched_vars(variable),
            Variable::Rule => self.rule_elements(plan),
            _ => Vec::new(),
        }
    }

    fn matched_vars(&mut self, variable: Variable) -> Vec<Element> {
        let matched = std::mem::take(&mut self.matched.all);
        let elements = matched.iter().map(|item| {
            let key = self.full_name(item);
            let value = if variable == Variable::MatchedVars { item.value } else { key };
            Element::new(&mut self.values, key, value)
        });
        let elements = elements.collect();
        self.matched.all = matched;
        elements
    }

    fn selector_name(&mut self, keys: &Keys) -> Option<Value> {
        match keys {
            Keys::Named(name, _) | Keys::XPath(name, _) => Some(self.values.add(name)),
            Keys::Stored(_, key) => Some(key.constant.into()),
            Keys::All | Keys::Pattern(_) => None,
        }
    }

    /// The name an element goes by in logs and in `MATCHED_VAR_NAME`: `ARGS:user`, `REQUEST_URI`, `&ARGS`.
    pub(crate) fn full_name(&mut self, item: &Item) -> Value {
        let name = self.name_of(item);
        self.values.add(&name)
    }

    /// As [`State::full_name`], as bytes.
    pub(crate) fn name_of(&self, item: &Item) -> Vec<u8> {
        let mut name = Vec::with_capacity(32);
        if item.count {
            name.push(b'&');
        }
        name.extend_from_slice(item.variable.name().as_bytes());
        if let Some(key) = item.key {
            name.push(b':');
            name.extend_from_slice(self.values.get(key));
        }
        name
    }

    /// The first element of a variable, or the first with this key: what a macro stands for.
    pub(crate) fn first(
        &mut self,
        plan: &Plan,
        variable: Variable,
        key: Option<&[u8]>,
        view: usize,
    ) -> Option<Value> {
        if variable.shape() == crate::model::Shape::Scalar {
            return Some(self.scalar(plan, variable, view));
        }
        let wanted = |state: &Self, element: &Element| {
            key.is_none_or(|key| state.values.get(element.key).eq_ignore_ascii_case(key))
        };
        if let Some(elements) = self.data.collection(variable, view) {
            return elements.iter().find(|element| wanted(self, element)).map(|element| element.value);
        }
        let elements = self.special(plan, variable);
        elements.into_iter().find(|element| wanted(self, element)).map(|element| element.value)
    }
}

/// An element of a store. Its key is compared by its bytes only.
fn stored_element((key, value): (Value, Value)) -> Element {
    Element { key, folded: key, value }
}
