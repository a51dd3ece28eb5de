//! What links do when they match, beside the rule's resolution.

use super::data::Element;
use super::state::State;
use super::store::Address;
use super::values::Value;
use crate::collections::Change;
use crate::model::{Store, Variable};
use crate::operators::{Capture, Captures, leading_integer};
use crate::plan::{ActionPlan, ChangePlan, CtlPlan, KeyPlan, Plan, RulePlan, Slots, variable_of};

impl State {
    pub(crate) fn run_actions(&mut self, plan: &Plan, rule: &RulePlan, actions: &[ActionPlan]) {
        for action in actions {
            match action {
                ActionPlan::SetVar { key, change } => self.set_variable(plan, rule, key, change),
                ActionPlan::SetEnv { name, value: text } => {
                    let key = self.expand_value(plan, name, rule.set);
                    let value = self.expand_value(plan, text, rule.set);
                    if self.masking.is_some() {
                        self.note_written(plan, rule.set, Variable::Env, key, text, false);
                    }
                    self.data.env.retain(|element| element.key != key);
                    self.data.env.push(Element::new(&mut self.values, key, value));
                }
                ActionPlan::Sanitise(secret) => self.keep_secret(secret),
                ActionPlan::Ctl(ctl) => self.control(ctl, rule.set),
                ActionPlan::InitCollection { collection, key } => {
                    self.open_collection(plan, rule, *collection, key);
                }
                // Nothing in it expires.
                ActionPlan::ExpireVar { collection: Store::Tx, .. } => {}
                ActionPlan::ExpireVar { collection, key, seconds } => {
                    let name = self.expand_value(plan, key, rule.set);
                    let seconds = self.number(plan, rule, seconds);
                    if seconds > 0 {
                        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
                        self.note_change(*collection, name, |_| Change::ExpireIn(seconds));
                    } else {
                        let address = self.address(plan, *collection, name);
                        self.remove_variable(*collection, address, name);
                    }
                }
            }
        }
    }

    fn set_variable(&mut self, plan: &Plan, rule: &RulePlan, key: &KeyPlan, change: &ChangePlan) {
        let (store, address, name) = match key {
            KeyPlan::Fixed(store, key) => {
                // A key that is there keeps its spelling, which matters where it is written back.
                let known = if *store == Store::Tx {
                    None
                } else {
                    self.stores.get(*store as usize).and_then(|store| store.slot(key.slot))
                };
                (*store, Address::from(key), known.map_or(key.constant.into(), |(name, _)| name))
            }
            KeyPlan::Made(store, text) => {
                let name = self.expand_value(plan, text, rule.set);
                (*store, self.address(plan, *store, name), name)
            }
        };
        if store == Store::Client {
            return self.set_client_risk(plan, rule, change);
        }
        let value = match change {
            ChangePlan::Remove => {
                return self.remove_variable(store, address, name);
            }
            ChangePlan::Set(text) => {
                let value = self.expand_value(plan, text, rule.set);
                self.note_change(store, name, |state| Change::Set(state.values.get(value).to_vec()));
                value
            }
            ChangePlan::Add(text) => {
                let delta = self.number(plan, rule, text);
                self.note_change(store, name, |_| Change::Add(delta));
                self.sum(store, address, delta)
            }
            ChangePlan::Subtract(text) => {
                let delta = self.number(plan, rule, text).saturating_neg();
                self.note_change(store, name, |_| Change::Add(delta));
                self.sum(store, address, delta)
            }
        };
        if self.masking.is_some()
            && let ChangePlan::Set(text) | ChangePlan::Add(text) | ChangePlan::Subtract(text) = change
        {
            let added = !matches!(change, ChangePlan::Set(_));
            self.note_written(plan, rule.set, variable_of(store), name, text, added);
        }
        if let Some(store) = self.stores.get_mut(store as usize) {
            store.set(address, name, value);
        }
    }

    fn remove_variable(&mut self, store: Store, address: Address, name: Value) {
        if let Some(store) = self.stores.get_mut(store as usize) {
            store.remove(address);
        }
        self.note_change(store, name, |_| Change::Remove);
    }

    pub(crate) fn number(&mut self, plan: &Plan, rule: &RulePlan, text: &crate::plan::Text) -> i64 {
        let value = self.expand_value(plan, text, rule.set);
        leading_integer(self.values.get(value))
    }

    fn sum(&mut self, store: Store, address: Address, delta: i64) -> Value {
        let old = self.stores.get(store as usize).and_then(|store| store.get(address));
        let old = old.map_or(0, |(_, value)| leading_integer(self.values.get(value)));
        self.values.add_number(old.saturating_add(delta))
    }

    /// `initcol`, `setsid`, `setuid`, `setrsc`.
    fn open_collection(&mut self, plan: &Plan, rule: &RulePlan, collection: Store, key: &crate::plan::Text) {
        let name = self.expand(plan, key, rule.set);
        let id = match collection {
            Store::Session => Some(Variable::SessionId),
            Store::User => Some(Variable::UserId),
            _ => None,
        };
        if let Some(variable) = id {
            self.set_scalar(variable, &name);
            if self.masking.is_some() {
                self.note_written(plan, rule.set, variable, Value::EMPTY, key, false);
            }
        }
        self.open_record(plan, rule.set, collection, &name);
    }

    fn control(&mut self, ctl: &CtlPlan, set: u32) {
        let control = &mut self.control;
        match ctl {
            CtlPlan::AuditEngine(mode) => control.audit_engine = Some(*mode),
            CtlPlan::AuditLogParts(change, parts) => control.audit_parts.change(*change, parts),
            CtlPlan::ForceRequestBody(on) => control.force_request_body = *on,
            CtlPlan::XmlArguments(which) => control.xml_arguments = Some(*which),
            CtlPlan::RequestBodyAccess(on) => control.request_body_access = Some(*on),
            CtlPlan::RequestBodyLimit(bytes) => control.request_body_limit = Some(*bytes),
            CtlPlan::RequestBodyProcessor(name) => {
                self.set_scalar(Variable::ReqbodyProcessor, name);
            }
            CtlPlan::ForceResponseBody(on) => control.force_response_body = *on,
            CtlPlan::ResponseBodyAccess(on) => control.response_body_access = Some(*on),
            CtlPlan::ResponseBodyLimit(bytes) => control.response_body_limit = Some(*bytes),
            CtlPlan::RuleEngine(mode) => {
                // For want of memory the rest may go uninspected, whatever rules want.
                if let Some(place) = control.modes.get_mut(set as usize).filter(|_| !self.is_overloaded) {
                    *place = *mode;
                }
            }
            CtlPlan::RemoveRules(rules) => control.removed_rules.push(rules.clone()),
            CtlPlan::RemoveTarget(target) => {
                control.removed_targets.push(target.clone());
                control.narrowed.insert(target.variable);
            }
            CtlPlan::Nothing => {}
        }
    }

    /// Stores what an operator captured in `value`: path parameters in `ARGS_PATH`, and, when the rule
    /// captures, the rest in `TX:0` to `TX:9`, of which places that it did not fill are emptied. They come from where
    /// the last match does.
    pub(crate) fn store_captures(&mut self, value: Value, captures: &Captures, numbered: bool) {
        for (name, range) in captures.named() {
            let (key, value) = (self.values.add(name.as_bytes()), self.values.add_part(value, range));
            let parameter = Element::new(&mut self.values, key, value);
            if self.masking.is_some() {
                self.note_captured(Variable::ArgsPath, key);
            }
            self.data.path_args.retain(|known| known.key != parameter.key);
            self.data.path_args.push(parameter);
        }
        for number in (0..Captures::SLOTS as u8).filter(|_| numbered) {
            let (slot, key) = Slots::capture(number);
            let slot = Address::Slot(slot);
            let text = captures.get(usize::from(number)).map(|capture| match capture {
                Capture::Part(range) => self.values.add_part(value, range.clone()),
                Capture::Text(text) => self.values.add(text),
            });
            if self.masking.is_some() {
                self.note_captured(Variable::Tx, key.into());
            }
            let Some(tx) = self.stores.get_mut(Store::Tx as usize) else { return };
            match text {
                Some(text) => tx.set(slot, key.into(), text),
                None => tx.remove(slot),
            }
        }
    }
}
