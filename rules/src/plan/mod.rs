//! A policy compiled for evaluation. Everything that depends on the policy alone happens here, once:
//! chains of transformations are interned, store keys get fixed places, macros become parts, jumps become
//! positions, removals become bit sets. Evaluation looks nothing up by name.

mod audit;
mod bits;
mod client;
mod constants;
mod features;
mod grouped;
mod jumps;
mod phase;
mod pipeline;
mod prefilter;
mod probe;
mod pure;
mod relay;
mod rules;
mod settled;
mod sights;
mod slots;
mod targets;
mod text;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use audit::{AuditPlan, MaskPlan};
pub(crate) use bits::{Bits, has, put, take};
pub(crate) use client::{MarkPlan, ScopedRate, TreePlan};
pub(crate) use constants::{Constant, Constants};
pub(crate) use features::Features;
pub(crate) use phase::PhasePlan;
pub(crate) use pipeline::Pipeline;
pub(crate) use prefilter::{ByteSet, Prefilter, Screened, WaySet};
pub(crate) use probe::{Glance, Probe, Probed, Test};
pub(crate) use pure::Pure;
pub(crate) use relay::RelayPlan;
pub(crate) use rules::*;
pub(crate) use sights::{FamilyId, Sight, SightId, Sights, TargetId};
pub(crate) use slots::{Slot, Slots, StoreKey, XPathPlan, XmlPlace};
pub(crate) use targets::{Keys, TargetPlan, Targets, reaches};
pub(crate) use text::{Text, TextPart, store_of, variable_of};
pub(crate) use views::{RequestView, ResponseView, ViewId, Views};

use crate::collections::StoreSettings;
use crate::diagnostic::{Code, Diagnostic};
use crate::geo::Database;
use crate::model::{
    self, ClientAddress, Enforcement, Item, MemorySettings, Phase, Policy, RepeatedHost, Variable,
};
use crate::operators::OperatorName;
use crate::risk::{GeoSource, RateAction, RiskAction, RiskSettings};
use jumps::{Jumps, Positions};
use pipeline::{PipelineId, Pipelines};
use prefilter::PrefilterBuilder;
use pure::PureOperators;
use settled::{Fate, Live};

/// A policy compiled for evaluation. Immutable and shared by all transactions of a worker.
#[derive(Debug)]
pub struct Plan {
    enforcement: Enforcement,
    repeated_host: RepeatedHost,
    client_address: ClientAddress,
    sets: Vec<SetPlan>,
    /// In order over all sets; `None` for those that can't come to run.
    rules: Vec<Option<RulePlan>>,
    phases: [PhasePlan; Phase::ALL.len()],
    pipelines: Pipelines,
    prefilter: Prefilter,
    pure_operators: usize,
    sights: Sights,
    slots: Slots,
    views: Views,
    audits: bool,
    /// The last phase in which a script runs.
    last_script: Option<Phase>,
    memory: MemorySettings,
    masks: Vec<MaskPlan>,
    risk: Option<Arc<RiskSettings>>,
    /// Whether a rule opens a persistent collection.
    opens_collections: bool,
    slows_down: bool,
    interrogates: bool,
    wants_server: bool,
    shows_request_body: bool,
    /// What `ENV` holds at first: name, value.
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    reads_environment: bool,
    reads_paths: bool,
    scoped_rates: Vec<ScopedRate>,
}

/// What evaluation needs to know of a rule set.
#[derive(Debug)]
pub(crate) struct SetPlan {
    /// For reports.
    pub(crate) name: Box<str>,
    pub(crate) engine: model::EngineMode,
    pub(crate) web_app_id: Box<str>,
    pub(crate) audit: AuditPlan,
    /// Seconds that persistent collections live after their last update.
    pub(crate) collection_timeout: u32,
    /// How the set sees bodies.
    pub(crate) view: ViewId,
    /// What its `@geoLookup` looks in.
    pub(crate) geo: Option<Database>,
}

impl Plan {
    /// Compiles a policy.
    ///
    /// # Errors
    /// With all that is wrong across its rules. Front ends report the same with places; this is the last
    /// line for policies that were built in memory.
    pub fn new(policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        Self::compile(policy, true)
    }

    /// Compiles a policy for evaluation rule by rule: nothing is settled beforehand, and every operator is run on
    /// every value. The results are the same, only slower; meant for tests that prove it.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn literally(policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        Self::compile(policy, false)
    }

    fn compile(policy: &Policy, optimised: bool) -> Result<Self, Vec<Diagnostic>> {
        let placed = placed_rules(policy);
        let mut problems = duplicate_ids(&placed);
        problems.extend(different_separators(policy));
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut views = Views::default();
        let sets = policy.rule_sets.iter().map(|set| SetPlan {
            name: set.name.as_str().into(),
            engine: set.settings.engine,
            web_app_id: set.settings.web_app_id.as_str().into(),
            audit: AuditPlan::new(&set.settings),
            collection_timeout: set.settings.collection_timeout,
            view: views.intern(&set.settings),
            geo: geo_database(policy, set).cloned(),
        });
        let sets: Vec<SetPlan> = sets.collect();
        let all: Vec<&model::Rule> = placed.iter().map(|placed| placed.rule).collect();
        let (mut pipelines, mut slots) = (Pipelines::default(), Slots::new());
        let (mut prefilter, mut sights) = (PrefilterBuilder::default(), Sights::default());
        let mut pure = PureOperators::default();
        let mut compiler = Compiler {
            pure: &mut pure,
            pipelines: &mut pipelines,
            prefilter: &mut prefilter,
            sights: &mut sights,
            slots: &mut slots,
            rules: &all,
            screened: optimised,
        };
        let jumps = Jumps::new(policy, &placed);
        let fates = if optimised {
            settled::fates(policy, &placed, &jumps)
        } else {
            vec![Fate::Live(Live::default()); placed.len()]
        };
        let positions = Positions::new(&placed, &fates);
        let rules = placed.iter().zip(&fates).map(|(placed, fate)| {
            if *fate == Fate::Dead {
                return None;
            }
            let next = positions.of(placed.rule.phase, jumps.after(placed));
            Some(compiler.rule(placed, next, fate))
        });
        let mut rules: Vec<Option<RulePlan>> = rules.collect();
        for condition in rules.iter_mut().flatten().flat_map(RulePlan::conditions_mut) {
            condition.targets.note_keys(&slots);
        }
        let problems = places_without_database(&rules, &sets);
        if !problems.is_empty() {
            return Err(problems);
        }
        let runs_scripts = all.iter().any(|rule| rule.runs_scripts());
        if optimised && !runs_scripts && !settled::look_back(&placed) {
            relay::find(&mut rules, &slots, &mut pure);
        }
        let prefilter = prefilter.build();
        sights.finish(prefilter.operator_words());
        let phases = Phase::ALL.map(|phase| {
            let all =
                (0..).map(RuleIndex).zip(&rules).filter_map(|(index, rule)| Some((index, rule.as_ref()?)));
            PhasePlan::new(all.filter(|(_, rule)| rule.phase == phase), &sets, &sights, &views)
        });
        let actions = || rules.iter().flatten().flat_map(|rule| &rule.links).flat_map(|link| &link.actions);
        let masks = audit::masks(rules.iter().flatten());
        let opens_collections = actions().any(|one| matches!(one, ActionPlan::InitCollection { .. }));
        let slowing = |mark: &MarkPlan| mark.action == RiskAction::Tarpit;
        let slows_down = policy.risk.as_ref().is_some_and(|risk| {
            risk.tarpit.threshold.is_some()
                || rules.iter().flatten().any(|rule| rule.risk.as_deref().is_some_and(slowing))
        });
        let challenging = |mark: &MarkPlan| {
            mark.action == RiskAction::Interrogate || mark.rate_action == Some(RateAction::Interrogate)
        };
        let interrogates = policy.risk.as_ref().is_some_and(|risk| {
            risk.interrogate.threshold.is_some()
                || rules.iter().flatten().any(|rule| rule.risk.as_deref().is_some_and(challenging))
        });
        let audits = audit::writes_audit_log(policy);
        let last_script = all.iter().filter(|rule| rule.runs_scripts()).map(|rule| rule.phase).max();
        let wants_server = audits
            || runs_scripts
            || [Variable::ServerAddr, Variable::ServerPort].into_iter().any(|one| slots.look_at(one));
        let shows_request_body = runs_scripts || slots.look_at(Variable::RequestBody);
        let scoped_rates = ScopedRate::all(&rules, &sets);
        let reads_paths = runs_scripts || slots.look_at(Variable::RequestPaths);
        Ok(Self {
            wants_server,
            shows_request_body,
            reads_environment: runs_scripts || slots.look_at(Variable::Env),
            environment: Vec::new(),
            reads_paths,
            scoped_rates,
            opens_collections,
            slows_down,
            interrogates,
            enforcement: policy.enforcement,
            repeated_host: policy.repeated_host,
            client_address: policy.client_address.clone(),
            sets,
            rules,
            phases,
            pipelines,
            prefilter,
            pure_operators: if optimised { pure.len() } else { 0 },
            sights,
            slots,
            views,
            audits,
            last_script,
            memory: policy.memory,
            masks,
            risk: policy.risk.clone(),
        })
    }

    /// Gives rules the host's environment, as `ENV`: names and values. The number of variables for which there is no
    /// [room](crate::limits::ENVIRONMENT_BYTES). Without rules that look at `ENV` nothing is kept.
    pub fn set_environment(&mut self, variables: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>) -> usize {
        self.environment.clear();
        let (mut taken, mut left_out) = (0usize, 0);
        for (name, value) in variables.into_iter().filter(|_| self.reads_environment) {
            let size = name.len().saturating_add(value.len());
            if taken.saturating_add(size) > crate::limits::ENVIRONMENT_BYTES {
                left_out += 1;
            } else {
                taken += size;
                self.environment.push((name, value));
            }
        }
        left_out
    }

    pub(crate) fn environment(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.environment
    }

    /// When headers are held back.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    /// What a request with more than one `Host` leads to.
    pub(crate) fn repeated_host(&self) -> RepeatedHost {
        self.repeated_host
    }

    /// How many rules there are, chains counted once.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// How many of them can come to run. The policy itself keeps the others from it, as the Core Rule Set does with
    /// those above the paranoia level.
    #[must_use]
    pub fn running_rule_count(&self) -> usize {
        self.rules.iter().flatten().count()
    }

    /// Whether a transaction can come into the audit log.
    pub(crate) fn audits(&self) -> bool {
        self.audits
    }

    /// Whether any rule of a later phase can look at one of these variables. A script can look at all.
    pub(crate) fn looks_after(&self, phase: Phase, variables: &[Variable]) -> bool {
        self.last_script.is_some_and(|last| last > phase)
            || variables.iter().any(|variable| self.slots.look_at_after(phase, *variable))
    }

    /// Whether a transaction can have something that its records must not show. Then what was sent is looked at again
    /// when they are written: the target, header fields, and the beginning of the body
    /// ([`limits::AUDIT_BODY_BYTES`](crate::limits::AUDIT_BODY_BYTES)) are kept until then.
    pub(crate) fn masks(&self) -> bool {
        !self.masks.is_empty()
    }

    /// The last phase in which a rule masks something, if any does.
    pub(crate) fn masks_until(&self) -> Option<Phase> {
        self.masks.iter().map(|mask| mask.phase).max()
    }

    /// What rules of this phase and later ones mask, up to the last one, which always runs.
    pub(crate) fn masks_from(&self, phase: Phase) -> impl Iterator<Item = &MaskPlan> {
        self.masks.iter().filter(move |mask| mask.phase >= phase && mask.phase < Phase::Logging)
    }

    /// How large the store is that the policy needs: for clients, or for persistent collections. `None` when
    /// it needs none.
    #[must_use]
    pub fn store_settings(&self) -> Option<StoreSettings> {
        let settings = self.risk.as_ref().map(|risk| risk.store.clone());
        settings.or_else(|| self.opens_collections.then(StoreSettings::default))
    }

    /// How much memory a worker may take, and what happens past it.
    #[must_use]
    pub fn memory(&self) -> MemorySettings {
        self.memory
    }

    /// Whether answers may have to be held.
    #[must_use]
    pub fn may_slow_down(&self) -> bool {
        self.slows_down
    }

    /// Whether anything looks at the local end of the client's connection: the server's address and port, which are
    /// otherwise used only for log lines of requests without `Host`.
    #[must_use]
    pub fn wants_server(&self) -> bool {
        self.wants_server
    }

    /// Whether anything looks at the request body as a whole.
    pub(crate) fn shows_request_body(&self) -> bool {
        self.shows_request_body
    }

    /// The rates that are not counted by client.
    pub(crate) fn scoped_rates(&self) -> &[ScopedRate] {
        &self.scoped_rates
    }

    /// Whether anything looks at the readings of the path.
    pub(crate) fn reads_paths(&self) -> bool {
        self.reads_paths
    }

    /// Whether any client can come to be challenged.
    #[must_use]
    pub fn may_interrogate(&self) -> bool {
        self.interrogates
    }

    /// What the policy says about risk, if it does.
    #[must_use]
    pub fn risk(&self) -> Option<&Arc<RiskSettings>> {
        self.risk.as_ref()
    }

    pub(crate) fn client_address(&self) -> &ClientAddress {
        &self.client_address
    }

    pub(crate) fn phase(&self, phase: Phase) -> Option<&PhasePlan> {
        self.phases.get(phase as usize - 1)
    }

    pub(crate) fn rule(&self, index: RuleIndex) -> Option<&RulePlan> {
        self.rules.get(index.0 as usize)?.as_ref()
    }

    pub(crate) fn set(&self, index: u32) -> Option<&SetPlan> {
        self.sets.get(index as usize)
    }

    pub(crate) fn sets(&self) -> &[SetPlan] {
        &self.sets
    }

    pub(crate) fn pipeline(&self, id: PipelineId) -> Option<&Pipeline> {
        self.pipelines.get(id)
    }

    pub(crate) fn prefilter(&self) -> &Prefilter {
        &self.prefilter
    }

    /// How many [`Pure`] numbers there are: of operators, then of targets, then of their families.
    pub(crate) fn pure_numbers(&self) -> usize {
        self.pure_operators + self.sights.targets() + self.sights.families()
    }

    /// The question whether a value matters nothing as an element of a target.
    pub(crate) fn idle(&self, target: TargetId) -> Pure {
        Pure(u32::try_from(self.pure_operators).unwrap_or(u32::MAX).saturating_add(target.0))
    }

    /// The question whether a value matters nothing as an element of any target of a family.
    pub(crate) fn idle_for_all(&self, family: FamilyId) -> Pure {
        let first = self.pure_operators + self.sights.targets();
        Pure(u32::try_from(first).unwrap_or(u32::MAX).saturating_add(family.0))
    }

    pub(crate) fn sights(&self) -> &Sights {
        &self.sights
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(crate) fn constants(&self) -> &Constants {
        self.slots.constants()
    }

    pub(crate) fn views(&self) -> &Views {
        &self.views
    }
}

/// A rule with its place among its like.
struct Placed<'a> {
    rule: &'a model::Rule,
    set: u32,
    /// Position among the items of the set.
    item: usize,
    /// Position within its phase, over all sets.
    position: u32,
}

fn placed_rules(policy: &Policy) -> Vec<Placed<'_>> {
    let mut counts = [0u32; Phase::ALL.len()];
    let mut placed = Vec::new();
    for (set, rule_set) in policy.rule_sets.iter().enumerate() {
        for (item, entry) in rule_set.items.iter().enumerate() {
            let Item::Rule(rule) = entry else { continue };
            let Some(count) = counts.get_mut(rule.phase as usize - 1) else { continue };
            placed.push(Placed { rule, set: u32::try_from(set).unwrap_or(u32::MAX), item, position: *count });
            *count += 1;
        }
    }
    placed
}

fn duplicate_ids(placed: &[Placed<'_>]) -> Vec<Diagnostic> {
    let mut seen = BTreeMap::new();
    let mut problems = Vec::new();
    for Placed { rule, .. } in placed.iter().filter(|placed| placed.rule.id != 0) {
        if let Some(first) = seen.insert(rule.id, &rule.origin) {
            let message = format!(
                "rule id {} is used twice: {} line {} and {} line {}",
                rule.id, first.file, first.line, rule.origin.file, rule.origin.line
            );
            problems.push(
                Diagnostic::new(Code::E0201, message)
                    .rule(Some(rule.id))
                    .help("give each rule an id of its own"),
            );
        }
    }
    problems
}

/// Rule sets look at the same arguments of the query, so they have to agree on what separates them.
fn different_separators(policy: &Policy) -> Option<Diagnostic> {
    let mut sets = policy.rule_sets.iter();
    let first = sets.next()?;
    let other = sets.find(|set| set.settings.argument_separator != first.settings.argument_separator)?;
    let message =
        format!("the rule sets `{}` and `{}` have different argument separators", first.name, other.name);
    Some(
        Diagnostic::new(Code::E0318, message)
            .help("all rule sets share the query's arguments: set the same `SecArgumentSeparator` in each"),
    )
}

/// What the rules of a set look places up in.
fn geo_database<'p>(policy: &'p Policy, set: &'p model::RuleSet) -> Option<&'p Database> {
    let of_clients = || match &policy.risk.as_ref()?.country {
        GeoSource::Database(database) => Some(database),
        _ => None,
    };
    set.settings.geo_database.as_ref().or_else(of_clients)
}

/// Rules with `@geoLookup` in sets that have no database.
fn places_without_database(rules: &[Option<RulePlan>], sets: &[SetPlan]) -> Vec<Diagnostic> {
    let without = rules.iter().flatten().filter(|rule| {
        rule.conditions().any(|condition| condition.operator.name() == OperatorName::GeoLookup)
            && sets.get(rule.set as usize).is_none_or(|set| set.geo.is_none())
    });
    let problem = |rule: &RulePlan| {
        let (id, file, line) = (rule.id, &rule.origin.file, rule.origin.line);
        let message = format!("rule {id} ({file}, line {line}) looks places up, and there is no database");
        Diagnostic::new(Code::E0221, message)
            .help("name one in `SecGeoLookupDb`, in the rule set's `geo_database` or in `risk.country`")
    };
    without.map(problem).collect()
}
