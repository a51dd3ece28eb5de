//! Rules compiled: names are numbers, jumps are indexes, templates are parts.

use std::sync::Arc;

use super::Placed;
use super::bits::Bits;
use super::client::MarkPlan;
use super::constants::Constant;
use super::pipeline::{PipelineId, Pipelines};
use super::prefilter::{PrefilterBuilder, Screened};
use super::probe::{Glance, Probe};
use super::pure::{Pure, PureOperators};
use super::relay::RelayPlan;
use super::settled::{Fate, Settled};
use super::sights::{GateId, SightId, Sights};
use super::slots::{Slots, StoreKey};
use super::targets::{Keys, Targets};
use super::text::Text;
use crate::lua::Script;
use crate::model::{
    self, Action, AllowScope, AuditEngine, Change, Ctl, EngineMode, Metadata, Origin, Phase, RuleSelector,
    Severity, Store, Template, Variable,
};
use crate::operators::Operator;

/// Index of a rule within its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RuleIndex(pub(crate) u32);

/// A rule ready to run.
#[derive(Debug)]
pub(crate) struct RulePlan {
    pub(crate) id: u64,
    /// Index of the rule set.
    pub(crate) set: u32,
    pub(crate) phase: Phase,
    pub(crate) origin: Origin,
    pub(crate) links: Box<[LinkPlan]>,
    /// When the rule need not be looked at: where its first link can't match.
    pub(crate) gate: Option<Gate>,
    /// Scripts that run when all links have matched.
    pub(crate) scripts: Box<[Script]>,
    pub(crate) resolution: ResolutionPlan,
    /// Where evaluation goes on after a match, as a position in the phase's list: the next rule, unless
    /// `skip` or `skipAfter` say otherwise.
    pub(crate) next: u32,
    pub(crate) log: bool,
    pub(crate) audit: bool,
    pub(crate) meta: MetaPlan,
    /// What a match says of the client, with the condition tree of a risk rule.
    pub(crate) risk: Option<Box<MarkPlan>>,
    /// What it does, where it always matches.
    pub(crate) settled: Option<SettledPlan>,
    /// It always matches, and does no more than its links' actions.
    pub(crate) assured: bool,
    /// For a chain that hands on to itself what it finds.
    pub(crate) relay: Option<Box<RelayPlan>>,
}

impl RulePlan {
    /// All conditions: of its links, and of the condition tree of a risk rule.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &ConditionPlan> {
        let leaves = self.risk.iter().flat_map(|mark| &mark.leaves);
        self.links.iter().chain(leaves).filter_map(|link| link.condition.as_ref())
    }

    pub(super) fn conditions_mut(&mut self) -> impl Iterator<Item = &mut ConditionPlan> {
        let leaves = self.risk.iter_mut().flat_map(|mark| &mut mark.leaves);
        self.links.iter_mut().chain(leaves).filter_map(|link| link.condition.as_mut())
    }
}

/// A key of a store, and what it holds then; `None` takes it away.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    pub(crate) key: StoreKey,
    pub(crate) value: Option<Constant>,
}

/// What a rule does that always matches, whatever the exchange.
#[derive(Debug)]
pub(crate) struct SettledPlan {
    /// What it writes to `TX`.
    pub(crate) writes: Box<[Write]>,
    /// It does nothing.
    pub(crate) idle: bool,
}

#[derive(Debug)]
pub(crate) struct MetaPlan {
    pub(crate) message: Option<Text>,
    pub(crate) data: Option<Text>,
    pub(crate) tags: Box<[Text]>,
    pub(crate) severity: Option<Severity>,
    pub(crate) rev: Box<str>,
    pub(crate) ver: Box<str>,
    pub(crate) maturity: u8,
    pub(crate) accuracy: u8,
}

#[derive(Debug)]
pub(crate) enum ResolutionPlan {
    Pass,
    Allow(AllowScope),
    Deny { status: u16 },
    Drop,
    Redirect { status: u16, location: Text },
}

#[derive(Debug)]
pub(crate) struct LinkPlan {
    pub(crate) condition: Option<ConditionPlan>,
    /// What decides in place of a condition.
    pub(crate) script: Option<Script>,
    pub(crate) capture: bool,
    pub(crate) actions: Box<[ActionPlan]>,
}

#[derive(Debug)]
pub(crate) struct ConditionPlan {
    pub(crate) targets: Targets,
    pub(crate) pipeline: PipelineId,
    pub(crate) multi_match: bool,
    pub(crate) operator: Operator,
    /// Its number, where its result can be remembered.
    pub(crate) pure: Option<Pure>,
    /// The operator's number in the prefilter and where to look it up, when that can rule it out.
    pub(crate) gate: Option<Gate>,
    /// The operator's argument when it has macros.
    pub(crate) argument: Option<Text>,
    pub(crate) negated: bool,
    /// What tells at a glance that it fails.
    pub(crate) probe: Option<Probe>,
}

/// When a condition need not be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    pub(crate) id: GateId,
    pub(crate) operator: Screened,
    pub(crate) sight: SightId,
}

#[derive(Debug)]
pub(crate) enum ActionPlan {
    SetVar { key: KeyPlan, change: ChangePlan },
    InitCollection { collection: Store, key: Text },
    ExpireVar { collection: Store, key: Text, seconds: Text },
    SetEnv { name: Text, value: Text },
    Sanitise(model::Secret),
    Ctl(CtlPlan),
}

/// A key of a store: known when the policy is loaded, or made of macros.
#[derive(Debug)]
pub(crate) enum KeyPlan {
    Fixed(Store, StoreKey),
    Made(Store, Text),
}

#[derive(Debug)]
pub(crate) enum ChangePlan {
    Remove,
    Set(Text),
    Add(Text),
    Subtract(Text),
}

#[derive(Debug)]
pub(crate) enum CtlPlan {
    AuditEngine(AuditEngine),
    AuditLogParts(model::PartsChange, Box<str>),
    ForceRequestBody(bool),
    XmlArguments(model::XmlArguments),
    RequestBodyAccess(bool),
    RequestBodyLimit(usize),
    RequestBodyProcessor(Box<[u8]>),
    ForceResponseBody(bool),
    ResponseBodyAccess(bool),
    ResponseBodyLimit(usize),
    RuleEngine(EngineMode),
    /// These rules no longer run.
    RemoveRules(Arc<RuleSelection>),
    /// These elements no longer count for those rules.
    RemoveTarget(Arc<RemovedTarget>),
    /// Options without a meaning in a filter.
    Nothing,
}

/// Elements that no longer count for some rules.
#[derive(Debug)]
pub(crate) struct RemovedTarget {
    pub(crate) rules: RuleSelection,
    pub(crate) variable: Variable,
    pub(crate) keys: Keys,
}

/// The rules that a removal means.
#[derive(Debug, Default)]
pub(crate) struct RuleSelection(Bits);

impl RuleSelection {
    pub(crate) fn new(rules: &[&model::Rule], selector: &RuleSelector) -> Self {
        Self::of(rules.iter().map(|rule| selector.selects(rule)))
    }

    /// By what is said of each rule, in order.
    pub(crate) fn of(selected: impl ExactSizeIterator<Item = bool>) -> Self {
        let mut positions = Bits::below(selected.len());
        for (position, _) in selected.enumerate().filter(|(_, selected)| *selected) {
            positions.insert(position);
        }
        Self(positions)
    }

    pub(crate) fn contains(&self, rule: RuleIndex) -> bool {
        self.0.contains(rule.0 as usize)
    }
}

/// What rules are compiled into.
pub(crate) struct Compiler<'a> {
    pub(crate) pipelines: &'a mut Pipelines,
    pub(crate) prefilter: &'a mut PrefilterBuilder,
    pub(crate) sights: &'a mut Sights,
    pub(crate) slots: &'a mut Slots,
    pub(crate) pure: &'a mut PureOperators,
    /// All rules of the policy, in order.
    pub(crate) rules: &'a [&'a model::Rule],
    /// Whether the prefilter is used.
    pub(crate) screened: bool,
}

impl Compiler<'_> {
    pub(super) fn rule(&mut self, placed: &Placed<'_>, next: u32, fate: &Fate) -> RulePlan {
        let (rule, set) = (placed.rule, placed.set);
        self.slots.begin_rule(rule.phase);
        let (live, settled) = match fate {
            Fate::Live(live) => (Some(live), None),
            Fate::Settled(settled) => (None, Some(settled)),
            Fate::Dead => (None, None),
        };
        let known = |link: usize| live.and_then(|live| live.arguments.get(link)?.as_deref());
        let links = rule.links.iter().enumerate().map(|(number, link)| self.link(link, known(number)));
        let links: Box<[LinkPlan]> = links.collect();
        let first = links.first().and_then(|link| link.condition.as_ref());
        RulePlan {
            id: rule.id,
            set,
            phase: rule.phase,
            origin: rule.origin.clone(),
            gate: first.filter(|condition| !condition.negated).and_then(|condition| condition.gate),
            links,
            scripts: rule.links.iter().flat_map(scripts).cloned().collect(),
            resolution: self.resolution(rule),
            next,
            log: rule.log,
            audit: rule.audit,
            meta: self.meta(&rule.meta),
            risk: rule.risk.as_ref().map(|mark| Box::new(self.mark(mark))),
            settled: settled.map(|settled| self.settled(settled)),
            assured: live.is_some_and(|live| live.assured),
            relay: None,
        }
    }

    fn settled(&mut self, settled: &Settled) -> SettledPlan {
        let writes = settled.writes.iter().map(|(key, value)| Write {
            key: self.slots.intern(Store::Tx, key),
            value: value.as_ref().map(|value| self.slots.constant(value)),
        });
        SettledPlan { writes: writes.collect(), idle: settled.idle }
    }

    fn text(&mut self, template: &Template) -> Text {
        Text::new(template, self.slots)
    }

    fn value(&mut self, template: &Template) -> Text {
        Text::value(template, self.slots)
    }

    fn meta(&mut self, meta: &Metadata) -> MetaPlan {
        MetaPlan {
            message: meta.message.as_ref().map(|text| self.text(text)),
            data: meta.data.as_ref().map(|text| self.text(text)),
            tags: meta.tags.iter().map(|tag| self.text(tag)).collect(),
            severity: meta.severity,
            rev: meta.rev.as_deref().unwrap_or_default().into(),
            ver: meta.ver.as_deref().unwrap_or_default().into(),
            maturity: meta.maturity.unwrap_or_default(),
            accuracy: meta.accuracy.unwrap_or_default(),
        }
    }

    fn resolution(&mut self, rule: &model::Rule) -> ResolutionPlan {
        match &rule.resolution {
            model::Resolution::Pass => ResolutionPlan::Pass,
            model::Resolution::Allow(scope) => ResolutionPlan::Allow(*scope),
            model::Resolution::Deny => ResolutionPlan::Deny { status: rule.status.unwrap_or(403) },
            model::Resolution::Drop => ResolutionPlan::Drop,
            model::Resolution::Redirect(location) => ResolutionPlan::Redirect {
                status: rule
                    .status
                    .filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308))
                    .unwrap_or(302),
                location: self.text(location),
            },
        }
    }

    /// Compiles a link; `argument` is what its condition's argument always comes to, where that is known.
    pub(super) fn link(&mut self, link: &model::Link, argument: Option<&[u8]>) -> LinkPlan {
        LinkPlan {
            condition: link.condition.as_ref().map(|condition| self.condition(condition, argument)),
            script: link.script.clone(),
            capture: link.capture,
            actions: link.actions.iter().filter_map(|action| self.action(action)).collect(),
        }
    }

    fn condition(&mut self, condition: &model::Condition, argument: Option<&[u8]>) -> ConditionPlan {
        let settled = argument.and_then(|text| condition.operator.with_argument(text));
        let operator = settled.unwrap_or_else(|| condition.operator.clone());
        let argument = operator.argument();
        let pipeline = self.pipelines.intern(&condition.transformations);
        // Sights go by the text of targets, which says nothing of the namespaces behind prefixes.
        let sight = if self.screened && condition.namespaces.is_empty() {
            self.sights.intern(&condition.targets, pipeline, condition.multi_match, self.slots)
        } else {
            None
        };
        let targets = Targets::new(&condition.targets, &condition.namespaces, self.slots);
        let pure = self.pure.number(&operator);
        let chain = self.pipelines.get(pipeline).filter(|_| !condition.multi_match);
        let glance = chain.and_then(|chain| {
            Glance::new(&targets, &operator, pure, condition.negated, (pipeline, chain.touched_by))
        });
        let probe = Probe::new(&targets, glance).filter(|_| self.screened);
        ConditionPlan {
            targets,
            probe,
            pure,
            gate: sight.and_then(|sight| {
                let operator = self.prefilter.screen(&operator)?;
                Some(Gate { id: self.sights.gate(sight, operator), operator, sight })
            }),
            pipeline,
            multi_match: condition.multi_match,
            argument: argument.as_literal().is_none().then(|| self.text(argument)),
            operator,
            negated: condition.negated,
        }
    }

    fn key(&mut self, store: Store, key: &Template) -> KeyPlan {
        match key.as_literal() {
            Some(name) => KeyPlan::Fixed(store, self.slots.intern(store, name)),
            None => KeyPlan::Made(store, self.text(key)),
        }
    }

    fn action(&mut self, action: &Action) -> Option<ActionPlan> {
        Some(match action {
            Action::SetVar(setvar) => ActionPlan::SetVar {
                key: self.key(setvar.collection, &setvar.key),
                change: match &setvar.change {
                    Change::Remove => ChangePlan::Remove,
                    Change::Set(text) => ChangePlan::Set(self.value(text)),
                    Change::Add(text) => ChangePlan::Add(self.value(text)),
                    Change::Subtract(text) => ChangePlan::Subtract(self.value(text)),
                },
            },
            Action::ExpireVar { collection, key, seconds } => ActionPlan::ExpireVar {
                collection: *collection,
                key: self.text(key),
                seconds: self.text(seconds),
            },
            // Scripts run once for the whole rule.
            Action::Exec(_) => return None,
            Action::InitCollection { collection, key } => {
                ActionPlan::InitCollection { collection: *collection, key: self.text(key) }
            }
            Action::SetEnv { name, value } => {
                ActionPlan::SetEnv { name: self.text(name), value: self.text(value) }
            }
            Action::Sanitise(secret) => ActionPlan::Sanitise(secret.clone()),
            Action::Ctl(ctl) => ActionPlan::Ctl(self.ctl(ctl)?),
        })
    }

    fn ctl(&mut self, ctl: &Ctl) -> Option<CtlPlan> {
        Some(match ctl {
            Ctl::AuditEngine(mode) => CtlPlan::AuditEngine(*mode),
            Ctl::AuditLogParts { change, parts } => CtlPlan::AuditLogParts(*change, parts.as_str().into()),
            Ctl::DebugLogLevel | Ctl::Hash | Ctl::ResponseBodyProcessor(_) => CtlPlan::Nothing,
            Ctl::ForceRequestBodyVariable(on) => CtlPlan::ForceRequestBody(*on),
            Ctl::ForceResponseBodyVariable(on) => CtlPlan::ForceResponseBody(*on),
            Ctl::XmlArguments(which) => CtlPlan::XmlArguments(*which),
            Ctl::RequestBodyAccess(on) => CtlPlan::RequestBodyAccess(*on),
            Ctl::RequestBodyLimit(bytes) => CtlPlan::RequestBodyLimit(*bytes),
            Ctl::RequestBodyProcessor(name) => CtlPlan::RequestBodyProcessor(name.as_bytes().into()),
            Ctl::ResponseBodyAccess(on) => CtlPlan::ResponseBodyAccess(*on),
            Ctl::ResponseBodyLimit(bytes) => CtlPlan::ResponseBodyLimit(*bytes),
            Ctl::RuleEngine(mode) => CtlPlan::RuleEngine(*mode),
            Ctl::RemoveRules(selector, _) => {
                CtlPlan::RemoveRules(Arc::new(RuleSelection::new(self.rules, selector)))
            }
            Ctl::RemoveTarget(selector, target, _) => CtlPlan::RemoveTarget(Arc::new(RemovedTarget {
                rules: RuleSelection::new(self.rules, selector),
                variable: target.variable,
                keys: Keys::new(target.variable, &target.selector, self.slots)?,
            })),
        })
    }
}

/// The scripts that a link has run when its rule matches.
fn scripts(link: &model::Link) -> impl Iterator<Item = &Script> {
    link.actions.iter().filter_map(|action| match action {
        Action::Exec(script) => Some(script),
        _ => None,
    })
}

impl RuleSelector {
    /// Whether `rule` is meant. Tags and messages are compared exactly, before macros are expanded.
    #[must_use]
    pub fn selects(&self, rule: &model::Rule) -> bool {
        match self {
            Self::Ids(ranges) => ranges.iter().any(|&(from, to)| (from..=to).contains(&rule.id)),
            Self::Tag(tag) => rule.meta.tags.iter().any(|own| own.source() == tag.as_slice()),
            Self::Message(message) => {
                rule.meta.message.as_ref().is_some_and(|own| own.source() == message.as_slice())
            }
        }
    }
}
