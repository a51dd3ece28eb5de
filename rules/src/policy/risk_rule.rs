//! Risk rules, and what other rules say of clients: from their forms to the model.

use rustc_hash::FxHashMap;

use super::files::Files;
use super::forms::{ItemForm, PolicyForm, RuleForm};
use super::report::{Reporter, Spanned};
use super::risk_condition::Reading;
use super::risk_forms::{RiskForm, RiskRuleForm};
use super::risk_rate;
use super::text;
use super::values::{ByteLimit, RuleId};
use crate::diagnostic::{Code, Place, Span};
use crate::limits;
use crate::model::{
    Item, LimitAction, Metadata, Origin, Phase, Resolution, ResponseLimitAction, RiskMark, Rule, RuleSet,
    Settings, UnparsableAction, Variable,
};
use crate::risk::{Classification, RiskAction};
use crate::seclang::parse_form_targets;

/// The name of the rule set that risk rules make.
const SET: &str = "risk";

/// What a rule of a rule set says of the client.
pub(super) fn mark(form: &RuleForm, phase: Phase, reporter: &mut Reporter<'_>) -> Option<RiskMark> {
    if let Some(action) = &form.action {
        report_late(action, phase, reporter);
    }
    let says =
        form.risk.is_some() || form.classification.is_some() || form.state.is_some() || form.action.is_some();
    let plain = RiskMark::default();
    says.then(|| RiskMark {
        risk: form.risk.map_or(plain.risk, |risk| risk.value.0),
        classification: form.classification.map_or(plain.classification, |one| one.value.0),
        state: form.state.map(|state| state.value.0),
        action: form.action.map_or(plain.action, |action| action.value),
        ..plain
    })
}

/// Reports an action that comes too late to do anything.
fn report_late(action: &Spanned<RiskAction>, phase: Phase, reporter: &mut Reporter<'_>) {
    if phase == Phase::Logging && action.value == RiskAction::Block {
        let message = "the action has no effect: in phase 5 nothing can be refused any more";
        let help = "let the rule run in phase 4 or before, or give it a risk";
        reporter.push(reporter.at(Code::W0108, action.span, message).help(help));
    }
}

/// The risk rules as a rule set of their own; `None` when there are none.
pub(super) fn rule_set(form: &RiskForm, files: &Files, reporter: &mut Reporter<'_>) -> Option<RuleSet> {
    let countries = form.country.is_some();
    let rules: Vec<Rule> = form
        .rules
        .iter()
        .enumerate()
        .filter_map(|(index, rule)| self::rule(&rule.value, index, countries, files, reporter))
        .collect();
    if rules.is_empty() {
        return None;
    }
    let looks_at = |phase: Phase| rules.iter().any(|rule| rule.phase == phase);
    let settings = Settings {
        request_body_access: rules.iter().any(|rule| rule.phase >= Phase::RequestBody),
        response_body_access: looks_at(Phase::ResponseBody),
        ..Settings::default()
    };
    let items = rules.into_iter().map(|rule| Item::Rule(Box::new(rule))).collect();
    Some(RuleSet { name: SET.to_owned(), settings, items })
}

/// How much the rules about clients see of bodies, and what comes of those they don't see: what their own settings say,
/// else the same as in the rule set that sees most.
pub(super) fn see_bodies(
    settings: &mut Settings,
    form: &RiskForm,
    sets: &[RuleSet],
    reporter: &mut Reporter<'_>,
) {
    let sets = || sets.iter().map(|set| &set.settings);
    let request = sets().filter(|set| set.request_body_access);
    let request = request
        .map(|set| (set.request_body_limit, set.request_body_limit_action))
        .max_by_key(|(limit, action)| (*limit, *action == LimitAction::Reject));
    let (limit, action) = request.unwrap_or((limits::body_limit(0), LimitAction::ProcessPartial));
    settings.request_body_limit =
        form.request_body_limit.map_or(limit, |limit| ByteLimit::checked(limit, reporter));
    settings.request_body_limit_action = form.request_body_limit_action.map_or(action, |action| action.value);
    let response = sets().filter(|set| set.response_body_access);
    let response = response
        .map(|set| (set.response_body_limit, set.response_body_limit_action))
        .max_by_key(|(limit, action)| (*limit, *action == ResponseLimitAction::Reject));
    let (limit, action) = response.unwrap_or((limits::body_limit(0), ResponseLimitAction::ProcessPartial));
    settings.response_body_limit =
        form.response_body_limit.map_or(limit, |limit| ByteLimit::checked(limit, reporter));
    settings.response_body_limit_action =
        form.response_body_limit_action.map_or(action, |action| action.value);
    // As long as rules refuse nothing, neither does what they can't read.
    if form.switches.as_ref().is_some_and(|switches| switches.value.rule_blocks.value) {
        settings.on_unparsable_body = UnparsableAction::Reject;
    }
}

fn rule(
    form: &RiskRuleForm,
    index: usize,
    countries: bool,
    files: &Files,
    reporter: &mut Reporter<'_>,
) -> Option<Rule> {
    let mut reading = Reading { files, countries, phase: Phase::RequestHeaders, denied: false };
    let tree = form.condition.as_ref().and_then(|condition| reading.tree(&condition.value, 0, reporter));
    let message = form.description.as_ref().and_then(|text| text::one_line(text, reporter));
    let rate = form.rate.as_ref().and_then(|rate| risk_rate::rate(&rate.value));
    let scope = form.rate.as_ref().and_then(|rate| risk_rate::scope(rate, reporter));
    reading.phase = reading.phase.max(scope.as_ref().map_or(reading.phase, |scope| scope.phase));
    let phase = form.phase.map_or(reading.phase, |phase| phase.value.0);
    if let Some(written) = form.phase.filter(|_| phase < reading.phase) {
        let message = format!(
            "the rule never matches in phase {}: what it looks at is known from phase {} on",
            phase.number(),
            reading.phase.number()
        );
        reporter.push(reporter.at(Code::W0803, written.span, message).help("leave `phase` out"));
    }
    report_late(&form.action, phase, reporter);
    let mark = RiskMark {
        risk: form.risk.value.0,
        classification: form.classification.map_or(Classification::CustomerRule, |one| one.value.0),
        state: form.state.map(|state| state.value.0),
        action: form.action.value,
        beta: form.beta.value,
        rate,
        rate_action: form.rate.as_ref().and_then(|rate| rate.value.action).map(|action| action.value),
        scope,
        tag_name: form.tag_name.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
        tree: Some(tree?),
    };
    Some(Rule {
        id: form.id?.value.0,
        origin: Origin { file: format!("risk.rules[{index}]").into(), line: 1, place: Place::default() },
        phase,
        links: Vec::new(),
        resolution: Resolution::Pass,
        status: None,
        skip: 0,
        skip_after: None,
        // Matches have records of their own.
        log: false,
        audit: true,
        meta: Metadata {
            message,
            severity: form.severity.map(|severity| severity.value.0),
            ..Metadata::default()
        },
        risk: Some(Box::new(mark)),
    })
}

/// Where a rule looks at the client.
fn reads_client(rule: &RuleForm) -> Option<Span> {
    let variables = rule.matches.iter().filter_map(|one| one.value.variables.as_ref());
    let client = |text: &&Spanned<String>| {
        let targets = parse_form_targets(text.value.as_bytes());
        targets.is_ok_and(|targets| targets.iter().any(|target| target.variable == Variable::Client))
    };
    variables.flat_map(|variables| &variables.value.0).find(client).map(|text| text.span)
}

/// Looks across rules: ids that stand twice, actions that nothing carries out, marks without a risk part.
pub(super) fn check(policy: &PolicyForm, reporter: &mut Reporter<'_>) {
    let items = policy.rule_sets.iter().flat_map(|set| &set.rules);
    let marked: Vec<&RuleForm> = items
        .filter_map(|item| match item {
            ItemForm::Rule(rule) => Some(&rule.value),
            ItemForm::Marker(_) | ItemForm::Raw(_) => None,
        })
        .collect();
    let Some(risk) = &policy.risk else {
        for rule in marked {
            let places = [
                rule.risk.map(|one| one.span),
                rule.classification.map(|one| one.span),
                rule.state.map(|one| one.span),
                rule.action.map(|one| one.span),
                reads_client(rule),
            ];
            if let Some(span) = places.into_iter().flatten().next() {
                let message = "this has no effect: the policy has no `risk` part, so no client is watched";
                let help = "add `\"risk\": {}` to the policy";
                reporter.push(reporter.at(Code::W0802, span, message).help(help));
            }
        }
        return;
    };
    let mut ids: FxHashMap<RuleId, Span> = FxHashMap::default();
    for rule in &marked {
        if let Some(id) = rule.rule_id {
            ids.entry(id.value).or_insert(id.span);
        }
    }
    for rule in &risk.value.rules {
        let Some(id) = rule.value.id else { continue };
        let first = *ids.entry(id.value).or_insert(id.span);
        if first != id.span {
            let message = format!("two rules have the id {}", id.value.0);
            let diagnostic = reporter.at(Code::E0201, id.span, message);
            let diagnostic = diagnostic.help("rule ids are unique in the policy; give this rule another");
            reporter.push(reporter.also(diagnostic, first, "the other is here"));
        }
    }
    let switches = risk.value.switches.as_ref().map(|switches| &switches.value);
    if !switches.is_some_and(|switches| switches.rule_blocks.value) {
        let own = risk.value.rules.iter().map(|rule| rule.value.action);
        let actions = own.chain(marked.iter().filter_map(|rule| rule.action));
        let blocking = actions.filter(|action| action.value == RiskAction::Block);
        report_off(
            blocking.map(|action| action.span).next(),
            "rule_blocks",
            "rules refuse nothing",
            reporter,
        );
    }
    if !switches.is_some_and(|switches| switches.lists.value) {
        let lists = risk.value.lists.as_ref().map(|lists| &lists.value);
        let entries = lists.into_iter().flat_map(|lists| lists.deny.iter().chain(&lists.block));
        let first: Option<Span> = entries.map(|entry: &Spanned<_>| entry.span).next();
        report_off(first, "lists", "the deny and block lists refuse nothing", reporter);
    }
    // A rule that can't be read says nothing of what it is to do.
    if reporter.has_errors() {
        return;
    }
    if !switches.is_some_and(|switches| switches.risk_blocks.value) {
        report_off(scored(&risk.value, &marked), "risk_blocks", "no score blocks anybody", reporter);
    }
    // What raw rules say of clients is not known here.
    let raw = policy.rule_sets.iter().any(|set| set.seclang.is_some());
    check_unused(&risk.value, &marked, raw, reporter);
}

/// Where somebody counts on scores that block: settings of blocks, or a rule that raises a score when nothing else comes
/// of it and nobody said that blocks are off.
fn scored(risk: &RiskForm, marked: &[&RuleForm]) -> Option<Span> {
    if let Some(block) = &risk.block {
        return Some(block.span);
    }
    let said = risk.switches.as_ref().is_some_and(|form| form.value.risk_blocks.span != form.span);
    let slows = risk.tarpit.as_ref().is_some_and(|form| form.value.threshold.is_some());
    let asks = risk.interrogate.as_ref().is_some_and(|form| form.value.threshold.is_some());
    if said || slows || asks {
        return None;
    }
    let own = risk.rules.iter().filter(|rule| !rule.value.beta.value).map(|rule| rule.value.risk);
    let mut raising = own.chain(marked.iter().filter_map(|rule| rule.risk)).filter(|risk| risk.value.0 > 0);
    raising.next().map(|risk| risk.span)
}

/// Reports settings of what neither a score nor a rule leads to, and rules that change nothing.
fn check_unused(risk: &RiskForm, marked: &[&RuleForm], raw: bool, reporter: &mut Reporter<'_>) {
    let own = risk.rules.iter().map(|rule| rule.value.action.value);
    let actions: Vec<RiskAction> =
        own.chain(marked.iter().filter_map(|rule| Some(rule.action?.value))).collect();
    let slowing = risk.tarpit.as_ref().filter(|form| form.value.threshold.is_none()).map(|form| form.span);
    let asking =
        risk.interrogate.as_ref().filter(|form| form.value.threshold.is_none()).map(|form| form.span);
    for (place, action) in [(slowing, RiskAction::Tarpit), (asking, RiskAction::Interrogate)] {
        let Some(span) = place.filter(|_| !raw && !actions.contains(&action)) else { continue };
        let message = format!(
            "nothing leads to this: there is no `threshold`, and no rule has the action `{}`",
            action.name()
        );
        let help = "give it a `threshold`, or a rule the action";
        reporter.push(reporter.at(Code::W0808, span, message).help(help));
    }
    for rule in &risk.rules {
        let rule = &rule.value;
        let idle = rule.risk.value.0 == 0 && rule.action.value == RiskAction::Track && rule.state.is_none();
        if let Some(id) = rule.id.filter(|_| idle && !rule.beta.value) {
            let message = "the rule changes nothing: it adds no risk, and its action is to track";
            let help = "give it a `risk` or an `action`; or set `beta` to say that it is to record only";
            reporter.push(reporter.at(Code::W0807, id.span, message).help(help));
        }
    }
}

fn report_off(place: Option<Span>, switch: &str, what: &str, reporter: &mut Reporter<'_>) {
    if let Some(span) = place {
        let message = format!("{what}: `risk.switches.{switch}` is off");
        reporter
            .push(reporter.at(Code::W0801, span, message).help("set the switch to true when you are ready"));
    }
}
