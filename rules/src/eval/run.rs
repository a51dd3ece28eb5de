//! Rules run: phases, rules, chains, values.

use super::body::element;
use super::lookup::Item;
use super::state::State;
use super::values::Value;
use super::{Disruption, Interruption};
use crate::audit::{
    ErrorLine, LineVerdict, Masker, MatchRecord, MatchedValue, Named, Pieces, Place, Source, Traced,
};
use crate::limits;
use crate::model::{AllowScope, EngineMode, Phase, Store, Variable};
use crate::operators::{Operator, OperatorName, leading_integer};
use crate::plan::{
    ConditionPlan, LinkPlan, MarkPlan, Plan, Pure, ResolutionPlan, RuleIndex, RulePlan, TreePlan, has,
};

/// What a rule's evaluation gathers on the way.
#[derive(Debug, Default)]
struct Progress {
    /// All that matched, in order.
    items: Vec<Item>,
    /// Link and untransformed value of the first match, for the log line.
    first: Option<(usize, Item)>,
    /// Message and data of a rule without chain, as they were at the first match.
    texts: Option<(Traced, Traced)>,
    /// What the script that decided returned: the message of a rule that has none.
    said: Option<Vec<u8>>,
}

/// A rule's match, as it will be reported.
#[derive(Debug)]
pub(crate) struct Noted {
    rule: RuleIndex,
    disrupted: bool,
    message: Vec<u8>,
    data: Vec<u8>,
    tags: Vec<Vec<u8>>,
    /// Names of what matched.
    variables: Vec<Vec<u8>>,
    /// The first value that matched, if the line is wanted.
    found: Option<FirstMatch>,
    /// Where all this comes from, if the policy masks something.
    sources: Option<Box<NotedSources>>,
}

/// The first value that a rule matched.
#[derive(Debug)]
struct FirstMatch {
    /// Place of its link, trees counted after links.
    link: usize,
    name: Vec<u8>,
    /// Before transformations, as much of it as is shown.
    value: Vec<u8>,
    length: usize,
}

/// Where the texts of a match come from, in the same order.
#[derive(Debug, Default)]
struct NotedSources {
    message: Pieces,
    data: Pieces,
    tags: Vec<Pieces>,
    variables: Vec<Pieces>,
    name: Pieces,
    value: Source,
}

impl Noted {
    /// Hides what is masked.
    fn mask(&mut self, masker: &Masker<'_>) {
        let Some(sources) = self.sources.take() else { return };
        masker.mask(&mut self.message, &sources.message);
        masker.mask(&mut self.data, &sources.data);
        let tags = self.tags.iter_mut().zip(&sources.tags);
        let variables = self.variables.iter_mut().zip(&sources.variables);
        tags.chain(variables).for_each(|(text, pieces)| masker.mask(text, pieces));
        if let Some(found) = &mut self.found {
            masker.mask(&mut found.name, &sources.name);
            found.value = masker.piece(&found.value, &sources.value);
        }
    }
}

impl State {
    /// Runs all rules of a phase.
    pub(crate) fn run_phase(&mut self, plan: &Plan, phase: Phase) {
        if self.decision.allowed == Some(AllowScope::Phase) {
            self.decision.allowed = None;
        }
        let Some(rules) = plan.phase(phase) else { return };
        let holds = std::mem::take(&mut self.horizon_holds) && phase == Phase::RequestBody;
        if !holds {
            self.horizon.reset(plan);
        }
        let mut live = std::mem::take(&mut self.live);
        live.assign(&rules.plain);
        live.add(&rules.gated);
        if self.record_all {
            live.add(&rules.idle);
        }
        let mut gates_asked = false;
        let mut position = 0;
        while let Some(at) = live.next(position) {
            position = at + 1;
            if phase != Phase::Logging && (self.decision.interruption.is_some() || self.is_allowed(phase)) {
                break;
            }
            if let Some((probe, view)) = rules.probe(at)
                && self.fails_at_once(plan, probe, view.0 as usize)
            {
                continue;
            }
            let Some(index) = rules.rule(at) else { break };
            let Some(rule) = plan.rule(index) else { continue };
            if self.values.is_exhausted() {
                break;
            }
            self.values.drop_made();
            let mode = self.mode(rule.set);
            if let Some(settled) = rule.settled.as_ref().filter(|_| !self.record_all) {
                if mode == EngineMode::Off {
                    continue;
                }
                let (writes, next) = match rules.run(at) {
                    Some(run) => (&run.writes, run.next),
                    None => (&settled.writes, rule.next as usize),
                };
                if let Some(tx) = self.stores.get_mut(Store::Tx as usize) {
                    tx.settle(writes);
                }
                position = position.max(next);
                continue;
            }
            if mode == EngineMode::Off
                || self.control.removed_rules.iter().any(|removed| removed.contains(index))
            {
                continue;
            }
            if rule.assured && !self.record_all {
                self.current = Some(index);
                rule.links.iter().for_each(|link| self.run_actions(plan, rule, &link.actions));
                position = position.max(rule.next as usize);
                continue;
            }
            if rule.gate.is_some() && !gates_asked {
                // What gates are of does not change while a phase runs.
                gates_asked = true;
                live.remove(&rules.gated);
                self.open_gates(plan, rules, &mut live);
                position = at;
                continue;
            }
            self.current = Some(index);
            if self.run_rule(plan, rule) {
                position = position.max(rule.next as usize);
            }
        }
        self.current = None;
        self.live = live;
        self.horizon_holds = phase == Phase::RequestHeaders;
    }

    /// Whether an `allow` covers the phase.
    pub(crate) fn is_allowed(&self, phase: Phase) -> bool {
        match self.decision.allowed {
            None => false,
            Some(AllowScope::Transaction | AllowScope::Phase) => true,
            Some(AllowScope::Request) => phase <= Phase::RequestBody,
        }
    }

    /// Evaluates one rule; `true` when all its links matched.
    fn run_rule(&mut self, plan: &Plan, rule: &RulePlan) -> bool {
        let Some(view) = plan.set(rule.set).map(|set| set.view.0 as usize) else { return false };
        if let Some(relay) = &rule.relay
            && self.relays_nothing(plan, rule, relay, view)
        {
            return false;
        }
        self.matched.all.clear();
        let mut progress = Progress { items: std::mem::take(&mut self.found), ..Progress::default() };
        progress.items.clear();
        let matched = self.run_parts(plan, rule, view, &mut progress);
        if matched {
            self.conclude(plan, rule, &mut progress);
        }
        self.found = progress.items;
        matched
    }

    /// Evaluates the links of a rule, and its condition tree if it has one.
    fn run_parts(&mut self, plan: &Plan, rule: &RulePlan, view: usize, progress: &mut Progress) -> bool {
        for (position, link) in rule.links.iter().enumerate() {
            if !self.run_link(plan, rule, link, position, view, progress) {
                return false;
            }
        }
        if let Some(mark) = &rule.risk {
            if let Some(tree) = &mark.tree
                && !self.run_tree(plan, rule, mark, tree, view, progress)
            {
                return false;
            }
            self.note_client_match(plan, rule, mark);
        }
        for script in &rule.scripts {
            self.run_script(plan, rule.id, view, script, None);
        }
        true
    }

    /// Does what follows from a rule's match.
    fn conclude(&mut self, plan: &Plan, rule: &RulePlan, progress: &mut Progress) {
        let disrupted = self.resolve(plan, rule);
        if rule.audit {
            self.mark_audited(rule.set);
        }
        if self.is_recorded(rule) {
            self.record(plan, rule, progress, disrupted);
        }
        if let Some(severity) = rule.meta.severity {
            self.lower_highest_severity(severity.number());
        }
    }

    /// Whether a condition tree is true. Parts are tested in order, and only as long as they matter.
    fn run_tree(
        &mut self,
        plan: &Plan,
        rule: &RulePlan,
        mark: &MarkPlan,
        tree: &TreePlan,
        view: usize,
        progress: &mut Progress,
    ) -> bool {
        match tree {
            TreePlan::Leaf(place) => {
                let Some(link) = mark.leaves.get(*place) else { return false };
                self.run_link(plan, rule, link, rule.links.len() + place, view, progress)
            }
            TreePlan::And(parts) => {
                parts.iter().all(|part| self.run_tree(plan, rule, mark, part, view, progress))
            }
            TreePlan::Or(parts) => {
                parts.iter().any(|part| self.run_tree(plan, rule, mark, part, view, progress))
            }
            TreePlan::Not(parts) => {
                let seen = progress.items.len();
                let found = parts.iter().any(|part| self.run_tree(plan, rule, mark, part, view, progress));
                // What must not be there is nothing that the rule has found.
                progress.items.truncate(seen);
                !found
            }
        }
    }

    /// Tests each value a link looks at, and runs the link's actions for each that matches.
    fn run_link(
        &mut self,
        plan: &Plan,
        rule: &RulePlan,
        link: &LinkPlan,
        position: usize,
        view: usize,
        progress: &mut Progress,
    ) -> bool {
        let Some(condition) = &link.condition else {
            if let Some(script) = &link.script {
                let Some(text) = self.run_script(plan, rule.id, view, script, None) else { return false };
                progress.said = Some(text);
            }
            self.run_actions(plan, rule, &link.actions);
            self.keep_texts(plan, rule, progress);
            return true;
        };
        // For the first link of a rule without gate this was asked before.
        if let Some(probe) = condition.probe.as_ref().filter(|_| position > 0)
            && self.fails_at_once(plan, probe, view)
        {
            return false;
        }
        let mut items = std::mem::take(&mut self.items);
        let asked = position == 0 && rule.gate.is_some();
        match condition.gate.filter(|_| !condition.negated) {
            // For the first link this was asked before, as the gate of the rule.
            Some(gate) if !asked && !self.may_match(plan, gate, view) => items.clear(),
            Some(gate) => self.hot_items(plan, gate.sight, view, &mut items),
            None => self.collect(plan, &condition.targets, view, &mut items),
        }
        if items.is_empty() {
            self.items = items;
            return false;
        }
        let mut matched = false;
        // Nothing but a match can change what the argument comes to.
        let mut argument = None;
        let mut test = |state: &mut Self, item: Item, value: Value| {
            if argument.is_none() {
                argument = condition.argument.as_ref().map(|text| state.expand_value(plan, text, rule.set));
            }
            if state.test(plan, rule, link, condition, position, item, value, argument, progress) {
                (matched, argument) = (true, None);
            }
        };
        for item in &items {
            if condition.multi_match {
                let mut value = item.value;
                test(self, *item, value);
                let steps = plan.pipeline(condition.pipeline).map_or(&[][..], |pipeline| &pipeline.steps);
                for &step in steps {
                    let next = self.values.step(value, step);
                    if next != value {
                        value = next;
                        test(self, *item, value);
                    }
                }
            } else {
                let value = self.transformed(plan, condition, item.value);
                test(self, *item, value);
            }
            self.values.drop_made();
        }
        self.items = items;
        matched
    }

    /// Whether a condition's operator matches a value.
    pub(crate) fn holds(&mut self, condition: &ConditionPlan, value: Value, argument: Option<Value>) -> bool {
        let find_out = |state: &mut Self| {
            let argument = state.argument(&condition.operator, argument);
            let matches = condition.operator.matches(state.values.get(value), argument, None);
            if !matches && condition.operator.gave_up(argument) {
                state.operator_gave_up();
            }
            matches
        };
        match condition.pure {
            Some(question) => self.remembered(value, question, find_out),
            None => find_out(self),
        }
    }

    /// The answer to a question that a value's bytes alone decide, found out unless it is known.
    pub(crate) fn remembered(
        &mut self,
        value: Value,
        question: Pure,
        find_out: impl FnOnce(&mut Self) -> bool,
    ) -> bool {
        self.values.result(value, question).unwrap_or_else(|| {
            let answer = find_out(self);
            self.values.note_result(value, question, answer);
            answer
        })
    }

    /// What a condition's operator is given of a value.
    pub(crate) fn transformed(&mut self, plan: &Plan, condition: &ConditionPlan, value: Value) -> Value {
        plan.pipeline(condition.pipeline).map_or(value, |pipeline| self.values.transformed(value, pipeline))
    }

    /// What an operator compares with: its argument with macros replaced, or as it is written.
    pub(crate) fn argument<'a>(&'a self, operator: &'a Operator, expanded: Option<Value>) -> &'a [u8] {
        let expanded = expanded.map(|argument| self.values.get(argument));
        expanded.or_else(|| operator.argument().as_literal()).unwrap_or_default()
    }

    /// Tests one value.
    #[expect(
        clippy::too_many_arguments,
        reason = "the inner loop; a struct of these would be built per value"
    )]
    fn test(
        &mut self,
        plan: &Plan,
        rule: &RulePlan,
        link: &LinkPlan,
        condition: &ConditionPlan,
        position: usize,
        item: Item,
        value: Value,
        argument: Option<Value>,
        progress: &mut Progress,
    ) -> bool {
        let operator = &condition.operator;
        let path = operator.name() == OperatorName::RestPath;
        let possible = condition.gate.is_none_or(|gate| {
            has(self.values.candidates(value, plan.prefilter()), gate.operator.0 as usize)
        });
        let found = possible
            && match operator.script() {
                None if operator.name() == OperatorName::GeoLookup => self.look_up_place(plan, rule, value),
                None => self.holds(condition, value, argument),
                Some(script) => {
                    let view = plan.set(rule.set).map_or(0, |set| set.view.0 as usize);
                    let text = self.values.get(value).to_vec();
                    let said = self.run_script(plan, rule.id, view, script, Some(&text));
                    let found = said.is_some();
                    progress.said = said.or(progress.said.take());
                    found
                }
            };
        if let Some(gate) = condition.gate.filter(|_| possible && !found) {
            self.values.refute(value, gate.operator);
        }
        if found == condition.negated {
            return false;
        }
        if self.masking.is_some() {
            self.note_matched(&item, value, progress.first.is_none());
        }
        if found && (link.capture || path) && !operator.needs_transaction() {
            let captures = operator.captures(self.values.get(value), self.argument(operator, argument));
            if !captures.is_empty() {
                self.store_captures(value, &captures, link.capture);
            }
        }
        let seen = Item { value, ..item };
        self.values.pin(value);
        self.matched.last = Some(seen);
        self.matched.all.push(seen);
        progress.items.push(seen);
        progress.first.get_or_insert((position, item));
        self.run_actions(plan, rule, &link.actions);
        self.keep_texts(plan, rule, progress);
        true
    }

    /// Looks the place of an address up. `GEO` holds what was found, and nothing else.
    fn look_up_place(&mut self, plan: &Plan, rule: &RulePlan, value: Value) -> bool {
        let database = plan.set(rule.set).and_then(|set| set.geo.as_ref());
        let address =
            std::str::from_utf8(self.values.get(value)).ok().and_then(|text| text.trim().parse().ok());
        let place = database.zip(address).and_then(|(database, address)| database.place(address));
        self.data.geo.clear();
        for (name, text) in place.iter().flatten() {
            let found = element(&mut self.values, name.as_bytes(), text);
            self.data.geo.push(found);
        }
        place.is_some()
    }

    /// Whether a match of the rule is reported anywhere.
    fn is_recorded(&self, rule: &RulePlan) -> bool {
        rule.log || self.record_all || (rule.audit && self.auditing)
    }

    /// A rule without chain reports what it saw at its first match; a chain what it saw at the end.
    fn keep_texts(&mut self, plan: &Plan, rule: &RulePlan, progress: &mut Progress) {
        if rule.links.len() == 1 && progress.texts.is_none() && self.is_recorded(rule) {
            progress.texts = Some(self.texts(plan, rule));
        }
    }

    fn texts(&mut self, plan: &Plan, rule: &RulePlan) -> (Traced, Traced) {
        let message = rule.meta.message.as_ref().map(|text| self.expand_traced(plan, text, rule.set));
        let data = rule.meta.data.as_ref().map(|text| self.expand_traced(plan, text, rule.set));
        (message.unwrap_or_default(), data.unwrap_or_default())
    }

    /// Carries a matched rule's resolution out; `true` when it disrupts the exchange. The engine mode is the one that
    /// the rule's own `ctl` may have set.
    fn resolve(&mut self, plan: &Plan, rule: &RulePlan) -> bool {
        if self.mode(rule.set) != EngineMode::On || rule.phase == Phase::Logging || self.is_exempt() {
            return false;
        }
        let disruption = match &rule.resolution {
            ResolutionPlan::Pass => return false,
            ResolutionPlan::Allow(scope) => {
                self.decision.allowed = Some(*scope);
                self.decision.allowed_by = Some((rule.id, rule.phase));
                return true;
            }
            ResolutionPlan::Deny { status } => Disruption::Deny { status: *status },
            ResolutionPlan::Drop => Disruption::Drop,
            ResolutionPlan::Redirect { status, location } => {
                let location = self.expand(plan, location, rule.set);
                if location.is_empty() || location.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
                    // What a client sent must not end the header line; without a place to go it is refused.
                    Disruption::Deny { status: 403 }
                } else {
                    Disruption::Redirect { status: *status, location }
                }
            }
        };
        self.interrupt(Interruption { rule_id: rule.id, phase: rule.phase, disruption });
        true
    }

    /// Ends the exchange, unless that was decided before.
    pub(crate) fn interrupt(&mut self, interruption: Interruption) {
        self.decision.interruption.get_or_insert(interruption);
    }

    /// Takes down what is to be reported of a rule's match.
    fn record(&mut self, plan: &Plan, rule: &RulePlan, progress: &mut Progress, disrupted: bool) {
        let Some(index) = self.current else { return };
        let (mut message, data) = match progress.texts.take() {
            Some(texts) => texts,
            None => self.texts(plan, rule),
        };
        if rule.meta.message.is_none()
            && let Some(said) = progress.said.take()
        {
            let source = Source { places: vec![Place::Unknown], exact: false };
            message = Traced { pieces: vec![(0..said.len(), source)], text: said };
        }
        let (tags, tag_sources) = self.tags(plan, rule);
        let variables = progress.items.iter().map(|item| self.name_of(item)).collect();
        let wants_line = rule.log || (rule.audit && self.auditing);
        let first = progress.first.filter(|_| wants_line);
        let found = first.map(|(link, item)| {
            let name = self.name_of(&item);
            let value = self.values.get(item.value);
            let shown = value.get(..limits::LOG_VALUE_BYTES).unwrap_or(value).to_vec();
            FirstMatch { link, name, value: shown, length: value.len() }
        });
        let sources = self.masking.is_some().then(|| {
            Box::new(NotedSources {
                message: message.pieces,
                data: data.pieces,
                tags: tag_sources,
                variables: progress.items.iter().map(|item| self.pieces_of_name(item)).collect(),
                name: first.map(|(_, item)| self.pieces_of_name(&item)).unwrap_or_default(),
                value: self.source_of_first(),
            })
        });
        let (message, data) = (message.text, data.text);
        self.note_match(
            plan,
            Noted { rule: index, disrupted, message, data, tags, variables, found, sources },
        );
    }

    /// The tags of a rule, and where parts of them come from if the policy masks something.
    fn tags(&mut self, plan: &Plan, rule: &RulePlan) -> (Vec<Vec<u8>>, Vec<Pieces>) {
        let tags = rule.meta.tags.iter();
        if self.masking.is_none() {
            return (tags.map(|tag| self.expand(plan, tag, rule.set)).collect(), Vec::new());
        }
        let traced = tags.map(|tag| self.expand_traced(plan, tag, rule.set));
        traced.map(|traced| (traced.text, traced.pieces)).unzip()
    }

    /// Writes a match: the line for the error log, what the audit record says of it, and the record. `masker` is there
    /// when the policy masks something.
    pub(crate) fn write_match(&mut self, plan: &Plan, mut noted: Noted, masker: Option<&Masker<'_>>) {
        let Some(rule) = plan.rule(noted.rule) else { return };
        if let Some(masker) = masker {
            noted.mask(masker);
        }
        let Noted { disrupted, message, data, tags, variables, found, .. } = noted;
        let scalar = |state: &mut Self, variable| {
            let value = state.scalar(plan, variable, 0);
            state.values.get(value).to_vec()
        };
        let audited = rule.audit && self.auditing;
        let mut log_line = None;
        if rule.log || audited {
            let found = found.as_ref().and_then(|found| {
                let mut links = rule.links.iter().chain(rule.risk.iter().flat_map(|mark| &mark.leaves));
                let condition = links.nth(found.link)?.condition.as_ref()?;
                Some(MatchedValue {
                    operator: condition.operator.name().name(),
                    negated: condition.negated,
                    parameter: condition.operator.raw_argument(),
                    variable: &found.name,
                    value: &found.value,
                    length: found.length,
                })
            });
            let mut host = scalar(self, Variable::ServerName);
            let mut uri = scalar(self, Variable::RequestUri);
            if let Some(masker) = masker {
                host = masker.value(Named::RequestHeader, b"host", &host);
                uri = masker.target(&uri);
            }
            let host = if host.is_empty() { scalar(self, Variable::ServerAddr) } else { host };
            let client = scalar(self, Variable::RemoteAddr);
            let unique_id = scalar(self, Variable::UniqueId);
            let line = ErrorLine {
                client: &client,
                verdict: if disrupted { LineVerdict::of(&rule.resolution) } else { LineVerdict::Warning },
                phase: rule.phase,
                found,
                file: &rule.origin.file,
                line: rule.origin.line,
                id: rule.id,
                rev: &rule.meta.rev,
                message: &message,
                data: &data,
                severity: rule.meta.severity,
                ver: &rule.meta.ver,
                maturity: rule.meta.maturity,
                accuracy: rule.meta.accuracy,
                tags: &tags,
                hostname: &host,
                uri: &uri,
                unique_id: &unique_id,
            };
            log_line = rule.log.then(|| line.render());
            if audited && self.audit_messages.len() < limits::AUDIT_MESSAGES {
                self.audit_messages.push(line.audit_message(rule.set));
            } else {
                self.audit_messages_omitted += usize::from(audited);
            }
        }
        if !rule.log && !self.record_all {
            return;
        }
        self.matches.push(MatchRecord {
            rule_id: rule.id,
            phase: rule.phase,
            message,
            data,
            severity: rule.meta.severity,
            tags,
            variables,
            log_line,
        });
    }

    fn lower_highest_severity(&mut self, severity: u8) {
        let highest =
            self.data.view(0).map_or(Value::EMPTY, |view| view.scalars.get(Variable::HighestSeverity));
        if i64::from(severity) < leading_integer(self.values.get(highest)) {
            self.set_scalar(Variable::HighestSeverity, severity.to_string().as_bytes());
        }
    }
}

impl LineVerdict {
    fn of(resolution: &ResolutionPlan) -> Self {
        match resolution {
            ResolutionPlan::Pass => Self::Warning,
            ResolutionPlan::Allow(_) => Self::Allowed,
            ResolutionPlan::Deny { status } => Self::Denied(*status),
            ResolutionPlan::Drop => Self::Dropped,
            ResolutionPlan::Redirect { status, .. } => Self::Redirected(*status),
        }
    }
}
