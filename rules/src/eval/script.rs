//! Scripts run on a transaction: what `m` does.

use std::sync::Arc;

use super::lookup::Item;
use super::state::State;
use crate::audit::Place;
use crate::collections::Change;
use crate::lua::{Ended, Host, Named, Script, ScriptEvent};
use crate::model::{Selector, Store, Variable};
use crate::plan::{Keys, Plan, TargetPlan, store_of, variable_of};
use crate::seclang::parse_targets;
use crate::transforms::Transformation;

impl State {
    /// Calls a script's `main` for a rule, with `value` if there is one: what it returned, if that was a
    /// string. A script that is stopped returns nothing, and an event says so.
    pub(crate) fn run_script(
        &mut self,
        plan: &Plan,
        rule_id: u64,
        view: usize,
        script: &Script,
        value: Option<&[u8]>,
    ) -> Option<Vec<u8>> {
        let mut instructions = self.scripts.instructions;
        let mut access = Access { state: self, plan, rule_id, view, script: script.name() };
        let ended = script.run(&mut access, value, &mut instructions);
        self.scripts.instructions = instructions;
        match ended {
            Ended::Returned(text) => text,
            Ended::Stopped(reason) => {
                self.scripts.report(ScriptEvent {
                    rule_id,
                    script: script.name().to_owned(),
                    level: 2,
                    text: reason.into_bytes(),
                    stopped: true,
                });
                None
            }
        }
    }
}

/// A script's way to the transaction.
struct Access<'a> {
    state: &'a mut State,
    plan: &'a Plan,
    rule_id: u64,
    /// How the rule's set sees bodies.
    view: usize,
    script: &'a str,
}

impl Host for Access<'_> {
    fn log(&mut self, level: u8, text: &[u8]) {
        let event = ScriptEvent {
            rule_id: self.rule_id,
            script: self.script.to_owned(),
            level,
            text: text.to_vec(),
            stopped: false,
        };
        self.state.scripts.report(event);
    }

    fn values(
        &mut self,
        variable: &[u8],
        transformations: &[Vec<u8>],
        most: usize,
    ) -> Result<Vec<Named>, String> {
        let mut steps = Vec::new();
        for name in transformations {
            let name = String::from_utf8_lossy(name);
            let name = name.strip_prefix("t:").unwrap_or(&name);
            if name.eq_ignore_ascii_case("none") {
                steps.clear();
            } else {
                let step = Transformation::from_name(name);
                steps.push(step.ok_or_else(|| format!("there is no transformation `{name}`"))?);
            }
        }
        let target = target(variable)?;
        let mut items: Vec<Item> = Vec::new();
        self.state.collect_one(self.plan, &target, self.view, &mut items);
        items.truncate(most);
        let found = items.into_iter().map(|item| {
            let value = steps.iter().fold(item.value, |value, &step| self.state.values.step(value, step));
            (self.state.name_of(&item), self.state.values.get(value).to_vec())
        });
        Ok(found.collect())
    }

    fn set(&mut self, variable: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        let stored = stored(variable).filter(|(store, _)| *store != Store::Client);
        let (store, key) = stored.ok_or_else(|| {
            let name = String::from_utf8_lossy(variable);
            format!(
                "`{name}` can't be set: write `tx.NAME`, or a key of ip, global, resource, session or user"
            )
        })?;
        let name = self.state.values.add(key);
        self.state.note_origin(variable_of(store), name, vec![Place::Unknown], false);
        let address = self.state.address(self.plan, store, name);
        let set = value.map(|value| self.state.values.add(value));
        let change = value.map_or(Change::Remove, |value| Change::Set(value.to_vec()));
        self.state.note_change(store, name, |_| change);
        if let Some(store) = self.state.stores.get_mut(store as usize) {
            match set {
                Some(value) => store.set(address, name, value),
                None => store.remove(address),
            }
        }
        Ok(())
    }
}

/// The store and key of `tx.name` or `TX:name`.
fn stored(variable: &[u8]) -> Option<(Store, &[u8])> {
    let at = variable.iter().position(|byte| matches!(byte, b'.' | b':'))?;
    let name = variable.get(..at)?;
    let key = variable.get(at + 1..).filter(|key| !key.is_empty())?;
    Some((store_of(Variable::from_name(name)?)?, key))
}

/// A single variable, with a key or without.
fn target(variable: &[u8]) -> Result<TargetPlan, String> {
    let written = || String::from_utf8_lossy(variable).into_owned();
    if let Some((store, key)) = stored(variable) {
        // Keys of stores may hold anything, as those that scripts make do.
        return Ok(plain(variable_of(store), Keys::Named(key.into(), None)));
    }
    let parsed = parse_targets(variable).ok().and_then(|list| <[_; 1]>::try_from(list).ok());
    let Some([target]) = parsed else { return Err(format!("there is no variable `{}`", written())) };
    let keys = match target.selector {
        Selector::All => Keys::All,
        Selector::Key(key) => Keys::Named(key.into(), None),
        Selector::Regex(_) | Selector::XPath(_) => {
            return Err(format!("`{}` is a pattern: name a variable, or one of its keys", written()));
        }
    };
    Ok(plain(target.variable, keys))
}

fn plain(variable: Variable, keys: Keys) -> TargetPlan {
    TargetPlan { variable, keys, count: false, excluded: Arc::default(), only_made: false }
}
