//! The state of a transaction: what is known, what rules stored, what has been decided.

use std::sync::Arc;

use super::body::element;
use super::client::Client;
use super::data::{Data, Element};
use super::gate::Horizon;
use super::lookup::Item;
use super::masking::Masking;
use super::persistent::Persistent;
use super::store::VarStore;
use super::values::{Value, Values};
use super::{Interruption, UnixNanos};
use crate::audit::{AuditMessage, MatchRecord, PartsEdit};
use crate::copy::append;
use crate::http::time::CivilTime;
use crate::lua::Account;
use crate::model::{AllowScope, AuditEngine, EngineMode, Phase, Store, Variable, XmlArguments};
use crate::plan::{Bits, Keys, Plan, RemovedTarget, RuleIndex, RuleSelection, SetPlan, has, put};

/// Everything a transaction changes while it runs. Its memory goes from one transaction to the next.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) values: Values,
    pub(crate) data: Data,
    pub(crate) stores: [VarStore; Store::COUNT],
    pub(crate) matched: Matched,
    pub(crate) control: Control,
    pub(crate) decision: Decision,
    /// What was kept of the request body.
    pub(crate) request_body: Vec<u8>,
    pub(crate) started: UnixNanos,
    pub(crate) now: UnixNanos,
    /// The rule being evaluated.
    pub(crate) current: Option<RuleIndex>,
    pub(crate) matches: Vec<MatchRecord>,
    /// Keep a record of each match, not only of those that are logged.
    pub(crate) record_all: bool,
    /// Whether the transaction can come into the audit log.
    pub(crate) auditing: bool,
    /// Rule sets with a match that makes the transaction relevant for the audit log.
    pub(crate) audited_sets: Vec<u32>,
    /// These matches.
    pub(crate) audit_messages: Vec<AuditMessage>,
    /// How many more there were.
    pub(crate) audit_messages_omitted: usize,
    /// What records must not show; `None` when the policy masks nothing.
    pub(crate) masking: Option<Box<Masking>>,
    /// What scripts have left and what they said.
    pub(crate) scripts: Account,
    /// What the current phase knows of sights.
    pub(crate) horizon: Horizon,
    /// Phase 1 has run, and nothing has come in since: what it knows of sights holds for phase 2.
    pub(crate) horizon_holds: bool,
    /// Held here between uses for its memory.
    pub(crate) items: Vec<Item>,
    /// Memory for what a rule finds.
    pub(crate) found: Vec<Item>,
    /// Memory for texts with macros.
    pub(crate) text: Vec<u8>,
    /// Positions of the rules that the phase will look at; held here for its memory.
    pub(crate) live: Bits,
    /// Collections that outlive the transaction.
    pub(crate) persistent: Persistent,
    /// What is known of the client; `None` when the policy has no risk part.
    pub(crate) client: Option<Box<Client>>,
    /// Whether the connection comes from a proxy that the policy trusts.
    pub(crate) from_trusted_hop: bool,
    /// The status that the client got in place of the upstream's response, if the host says so; 0 for no answer.
    pub(crate) client_got: Option<u16>,
}

/// What the current rule matched.
#[derive(Debug, Default)]
pub(crate) struct Matched {
    pub(crate) last: Option<Item>,
    pub(crate) all: Vec<Item>,
}

/// How the rest of the transaction is handled: what `ctl` changed.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) mode: Option<EngineMode>,
    pub(crate) removed_rules: Vec<Arc<RuleSelection>>,
    pub(crate) removed_targets: Vec<Arc<RemovedTarget>>,
    /// The variables that these are of.
    pub(crate) narrowed: VariableSet,
    pub(crate) audit_engine: Option<AuditEngine>,
    pub(crate) audit_parts: PartsEdit,
    pub(crate) xml_arguments: Option<XmlArguments>,
    pub(crate) request_body_access: Option<bool>,
    pub(crate) request_body_limit: Option<usize>,
    pub(crate) force_request_body: bool,
    pub(crate) response_body_access: Option<bool>,
    pub(crate) response_body_limit: Option<usize>,
    pub(crate) force_response_body: bool,
}

impl Control {
    fn clear(&mut self) {
        let (mut rules, mut targets) =
            (std::mem::take(&mut self.removed_rules), std::mem::take(&mut self.removed_targets));
        rules.clear();
        targets.clear();
        *self = Self { removed_rules: rules, removed_targets: targets, ..Self::default() };
    }
}

/// A set of variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VariableSet([u64; Variable::ALL.len().div_ceil(64)]);

impl VariableSet {
    pub(crate) fn insert(&mut self, variable: Variable) {
        put(&mut self.0, variable as usize);
    }

    #[inline]
    pub(crate) fn contains(&self, variable: Variable) -> bool {
        has(&self.0, variable as usize)
    }
}

/// What has been decided.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    pub(crate) interruption: Option<Interruption>,
    /// How far the `allow` in force reaches.
    pub(crate) allowed: Option<AllowScope>,
    /// The rule that allowed last, and when.
    pub(crate) allowed_by: Option<(u64, Phase)>,
}

impl State {
    /// Begins a transaction with a state of which nothing is known.
    pub(crate) fn start(&mut self, plan: &Plan, now: UnixNanos) {
        self.values.begin(plan.constants(), plan.pure_numbers());
        self.data.begin(plan.views().len());
        if let Some(tx) = self.stores.get_mut(Store::Tx as usize) {
            tx.set_slots(plan.slots().count(Store::Tx));
        }
        self.auditing = plan.audits();
        self.masking = plan.masks().then(Box::default);
        (self.started, self.now) = (now, now);
    }

    /// Forgets everything but [values that keep coming back](super::values). Nothing else may go from one transaction to
    /// another, so each field is named here.
    pub(crate) fn clear(&mut self) {
        let Self {
            values,
            data,
            stores,
            matched: Matched { last, all },
            control,
            decision,
            request_body,
            started,
            now,
            current,
            matches,
            record_all,
            auditing,
            audited_sets,
            audit_messages,
            audit_messages_omitted,
            masking,
            scripts,
            // The first phase clears it.
            horizon: _,
            horizon_holds,
            items,
            found,
            text,
            // Each phase sets it.
            live: _,
            persistent,
            client,
            from_trusted_hop,
            client_got,
        } = self;
        values.settle();
        data.clear();
        stores.iter_mut().for_each(VarStore::clear);
        (*last, *current, *masking, *client_got) = (None, None, None, None);
        (*record_all, *auditing, *from_trusted_hop, *horizon_holds) = (false, false, false, false);
        (*started, *now, *audit_messages_omitted) = (UnixNanos(0), UnixNanos(0), 0);
        all.clear();
        control.clear();
        *decision = Decision::default();
        request_body.clear();
        matches.clear();
        audited_sets.clear();
        audit_messages.clear();
        *scripts = Account::default();
        items.clear();
        found.clear();
        text.clear();
        *persistent = Persistent::default();
        *client = None;
    }

    /// How much memory is kept for the next transaction, in bytes: of what can be large.
    pub(crate) fn kept_bytes(&mut self) -> usize {
        let items = [&self.items, &self.found, &self.matched.all];
        let items: usize = items.iter().map(|items| items.capacity()).sum();
        self.values.kept_bytes()
            + self.horizon.kept_bytes()
            + self.data.kept_bytes()
            + self.stores.iter().map(VarStore::kept_bytes).sum::<usize>()
            + items * size_of::<Item>()
            + self.request_body.capacity()
            + self.text.capacity()
    }

    /// Gives memory back that only large transactions need. After [`State::clear`].
    pub(crate) fn shrink(&mut self) {
        let mut values = std::mem::take(&mut self.values);
        values.shrink();
        *self = Self { values, ..Self::default() };
    }

    /// The engine mode that holds for a rule set now.
    pub(crate) fn mode(&self, set: &SetPlan) -> EngineMode {
        self.control.mode.unwrap_or(set.engine)
    }

    /// Stores a text as the value of a scalar.
    pub(crate) fn set_scalar(&mut self, variable: Variable, text: &[u8]) -> Value {
        let value = self.values.add(text);
        self.data.set(variable, value);
        value
    }

    /// Stores what `fill` writes.
    pub(crate) fn written(&mut self, fill: impl FnOnce(&mut Self, &mut Vec<u8>)) -> Value {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        fill(self, &mut text);
        let value = self.values.add(&text);
        self.text = text;
        value
    }

    /// Stores parts, put together, as the value of a scalar.
    pub(crate) fn set_joined(&mut self, variable: Variable, parts: &[&[u8]]) {
        let value = self.written(|_, text| parts.iter().for_each(|part| append(text, part)));
        self.data.set(variable, value);
    }

    /// Stores a number as the value of a scalar.
    pub(crate) fn set_number(&mut self, variable: Variable, number: usize) -> Value {
        let value = self.values.add_number(i64::try_from(number).unwrap_or(i64::MAX));
        self.data.set(variable, value);
        value
    }

    /// Whether `ctl` took elements of a variable away from any rule.
    #[inline]
    pub(crate) fn is_narrowed(&self, variable: Variable) -> bool {
        self.control.narrowed.contains(variable)
    }

    /// Whether `ctl` took this element away from the current rule.
    #[inline]
    pub(crate) fn is_removed(&self, variable: Variable, key: Option<Value>) -> bool {
        let mut removed = self.control.removed_targets.iter();
        self.is_narrowed(variable)
            && removed.any(|removed| {
                removed.variable == variable
                    && self.current.is_some_and(|rule| removed.rules.contains(rule))
                    && key.map_or(matches!(removed.keys, Keys::All), |key| {
                        removed.keys.include(self.values.get(key))
                    })
            })
    }

    /// The value of a scalar. Some are made when they are asked for.
    pub(crate) fn scalar(&mut self, plan: &Plan, variable: Variable, view: usize) -> Value {
        let text: Vec<u8> = match variable {
            Variable::MatchedVar => return self.matched.last.map_or(Value::EMPTY, |item| item.value),
            Variable::MatchedVarName => match self.matched.last {
                Some(item) => return self.full_name(&item),
                None => return Value::EMPTY,
            },
            Variable::Duration => {
                let nanos = self.now.0.saturating_sub(self.started.0);
                (nanos / 1_000_000).to_string().into_bytes()
            }
            Variable::Time
            | Variable::TimeDay
            | Variable::TimeEpoch
            | Variable::TimeHour
            | Variable::TimeMin
            | Variable::TimeMon
            | Variable::TimeSec
            | Variable::TimeWday
            | Variable::TimeYear => {
                let mut text = Vec::new();
                CivilTime::from_unix(self.started.0 / 1_000_000_000).write(variable, &mut text);
                text
            }
            Variable::WebAppId => return self.web_app_id(plan),
            Variable::ArgsCombinedSize => self.args_combined_size(view).to_string().into_bytes(),
            Variable::FullRequest => self.full_request(view),
            Variable::FullRequestLength => self.full_request(view).len().to_string().into_bytes(),
            _ => return self.data.view(view).map_or(Value::EMPTY, |view| view.scalars.get(variable)),
        };
        self.values.add(&text)
    }

    fn web_app_id(&mut self, plan: &Plan) -> Value {
        let rule = self.current.and_then(|rule| plan.rule(rule));
        match rule.and_then(|rule| plan.set(rule.set)) {
            Some(set) => self.values.add(set.web_app_id.as_bytes()),
            None => Value::EMPTY,
        }
    }

    fn args_combined_size(&self, view: usize) -> usize {
        let elements = self.data.collection(Variable::Args, view);
        let length = |value| self.values.get(value).len();
        elements.map_or(0, |all| all.iter().map(|element| length(element.key) + length(element.value)).sum())
    }

    /// Request line, header lines, an empty line, and the body as far as it is inspected.
    fn full_request(&self, view: usize) -> Vec<u8> {
        let Some(seen) = self.data.view(view) else { return Vec::new() };
        let mut text = self.values.get(seen.scalars.get(Variable::RequestLine)).to_vec();
        text.push(b'\n');
        for header in self.data.request_headers.iter() {
            text.extend_from_slice(self.values.get(header.key));
            text.extend_from_slice(b": ");
            text.extend_from_slice(self.values.get(header.value));
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend_from_slice(self.request_body.get(..seen.body_length).unwrap_or_default());
        text
    }

    /// The elements of `RULE`: metadata of the current rule.
    pub(crate) fn rule_elements(&mut self, plan: &Plan) -> Vec<Element> {
        let Some(rule) = self.current.and_then(|rule| plan.rule(rule)) else { return Vec::new() };
        let severity = rule.meta.severity.map(|severity| severity.number().to_string()).unwrap_or_default();
        // A message that quotes RULE itself would never end; within one, RULE has no texts.
        let current = self.current.take();
        let message =
            rule.meta.message.as_ref().map(|text| self.expand(plan, text, rule.set)).unwrap_or_default();
        let data = rule.meta.data.as_ref().map(|text| self.expand(plan, text, rule.set)).unwrap_or_default();
        self.current = current;
        let id = rule.id.to_string();
        let texts: [(&str, &[u8]); 5] = [
            ("id", id.as_bytes()),
            ("rev", rule.meta.rev.as_bytes()),
            ("severity", severity.as_bytes()),
            ("logdata", &data),
            ("msg", &message),
        ];
        texts.map(|(key, text)| element(&mut self.values, key.as_bytes(), text)).to_vec()
    }
}
