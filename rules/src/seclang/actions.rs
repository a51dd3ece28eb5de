//! What the action list of a rule, a default action or an update says, before it is merged.

use super::action_list::{Item, Name, split};
use super::client::ClientPart;
use super::text::Text;
use super::values::{self, integer, template};
use super::{ctl, setvar};
use crate::diagnostic::{Code, Diagnostic, Label, suggest};
use crate::model::{Action, AllowScope, Metadata, Phase, Resolution, Secret, Severity, Store};
use crate::transforms::Transformation;
use crate::xpath::Namespace;

/// Where an action list stands, which decides what may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A rule of its own, or the first of a chain.
    Rule,
    /// A later rule of a chain, with the chain's phase where it is known.
    Continuation(Option<Phase>),
    /// `SecDefaultAction`.
    Default,
    /// `SecRuleUpdateActionById`.
    Update,
}

/// A disruptive action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Disruptive {
    /// That of the phase's default action.
    Block,
    /// This one.
    Is(Resolution),
}

/// Transformations of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// `t:none`: those inherited are dropped.
    pub(super) reset: bool,
    pub(super) list: Vec<Transformation>,
}

impl Steps {
    /// These after `base`.
    pub(super) fn after(&self, base: &[Transformation]) -> Vec<Transformation> {
        let base = if self.reset { &[] } else { base };
        [base, &self.list].concat()
    }
}

/// What an action list says. `None` is what it does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Actions {
    pub(super) id: Option<(u64, Label)>,
    /// Whether it has an id, if only a bad one.
    pub(super) has_id: bool,
    pub(super) phase: Option<Phase>,
    pub(super) disruptive: Option<Disruptive>,
    pub(super) status: Option<u16>,
    pub(super) skip: Option<u32>,
    pub(super) skip_after: Option<(Vec<u8>, Label)>,
    pub(super) log: Option<bool>,
    pub(super) audit: Option<bool>,
    pub(super) meta: Metadata,
    /// What it says of the client.
    pub(super) client: ClientPart,
    /// Where it says `chain`.
    pub(super) chain: Option<Label>,
    pub(super) capture: bool,
    pub(super) multi_match: bool,
    pub(super) steps: Steps,
    pub(super) run: Vec<Action>,
    /// Names of scripts to run, until they are loaded.
    pub(super) scripts: Vec<Text>,
    /// Prefixes for the XPath expressions of the line.
    pub(super) namespaces: Vec<Namespace>,
    /// What does nothing after a phase: the phase, and where it stands.
    pub(super) timed: Vec<(Phase, Label)>,
}

impl Actions {
    /// These on top of `base`: what is set here wins; tags and actions that accumulate follow those of
    /// `base`. Transformations are left alone.
    pub(super) fn over(self, base: &Self) -> Self {
        Self {
            disruptive: self.disruptive.or_else(|| base.disruptive.clone()),
            status: self.status.or(base.status),
            skip: self.skip.or(base.skip),
            skip_after: self.skip_after.or_else(|| base.skip_after.clone()),
            log: self.log.or(base.log),
            audit: self.audit.or(base.audit),
            meta: over(self.meta, &base.meta),
            capture: self.capture || base.capture,
            multi_match: self.multi_match || base.multi_match,
            run: [base.run.clone(), self.run].concat(),
            ..self
        }
    }

    /// Takes what a later rule of the chain says about the whole: it counts where this one says nothing.
    pub(super) fn complete_with(&mut self, continuation: &Self) {
        self.log = self.log.or(continuation.log);
        self.audit = self.audit.or(continuation.audit);
        let own_tags = std::mem::take(&mut self.meta.tags);
        self.meta = over(std::mem::take(&mut self.meta), &continuation.meta);
        self.meta.tags = [own_tags, continuation.meta.tags.clone()].concat();
        self.timed.extend_from_slice(&continuation.timed);
    }
}

/// `top` on top of `base`.
pub(super) fn over(top: Metadata, base: &Metadata) -> Metadata {
    Metadata {
        message: top.message.or_else(|| base.message.clone()),
        data: top.data.or_else(|| base.data.clone()),
        tags: [base.tags.clone(), top.tags].concat(),
        severity: top.severity.or(base.severity),
        rev: top.rev.or_else(|| base.rev.clone()),
        ver: top.ver.or_else(|| base.ver.clone()),
        maturity: top.maturity.or(base.maturity),
        accuracy: top.accuracy.or(base.accuracy),
    }
}

/// Whether a redirect can have this status.
pub(super) const fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Reads an action list. Whatever is wrong is reported; `None` when it could not be read to its end, so
/// that it is not known what else it says.
pub(super) fn parse(list: &Text, place: Place, out: &mut Vec<Diagnostic>) -> Option<Actions> {
    let items = split(list, out)?;
    let mut actions = Actions::default();
    let mut seen: Vec<(Name, &Item)> = Vec::new();
    let mut status = None;
    for item in &items {
        if let Some(refusal) = misplaced(item, place) {
            out.push(refusal);
            // A chain goes on, whatever else is wrong.
            actions.chain = (item.name == Name::Chain).then(|| item.whole.label("")).or(actions.chain);
            continue;
        }
        if place == Place::Default
            && item.name == Name::Block
            && items.iter().any(|other| decides(other.name))
        {
            // It means the default action, which is the other one.
            continue;
        }
        if let Some(group) = counts_once(item.name) {
            match seen.iter_mut().find(|(known, _)| *known == group) {
                Some((_, earlier)) => {
                    let message = format!("`{}` overrides `{}`", item.spelling, earlier.spelling);
                    let mut warning = item.whole.report(Code::W0404, message);
                    warning.labels.push(earlier.whole.label("this one is overridden"));
                    out.push(warning);
                    *earlier = item;
                }
                None => seen.push((group, item)),
            }
        }
        if item.name == Name::Status {
            status = Some(item);
        }
        if let Err(error) = apply(&mut actions, item, out) {
            out.push(error);
        }
    }
    if let (Some(Disruptive::Is(Resolution::Redirect(_))), Some(code), Some(item)) =
        (&actions.disruptive, actions.status, status)
        && !redirects(code)
    {
        let message = format!("{code} is not the status of a redirect: 302 is sent");
        let help = "use 301, 302, 303, 307 or 308";
        out.push(item.whole.report(Code::W0402, message).help(help));
        actions.status = None;
    }
    Some(actions)
}

/// The action, or the group of actions, of which only the last counts.
fn counts_once(name: Name) -> Option<Name> {
    match name {
        Name::Allow | Name::Block | Name::Deny | Name::Drop | Name::Pass | Name::Redirect => Some(Name::Deny),
        Name::Accuracy
        | Name::Action
        | Name::Classification
        | Name::Id
        | Name::LogData
        | Name::Maturity
        | Name::Msg
        | Name::Phase
        | Name::Rev
        | Name::Risk
        | Name::Severity
        | Name::Skip
        | Name::SkipAfter
        | Name::State
        | Name::Status
        | Name::Ver => Some(name),
        _ => None,
    }
}

/// Whether an action is disruptive, and not what others are.
fn decides(name: Name) -> bool {
    counts_once(name) == Some(Name::Deny) && name != Name::Block
}

/// Why an action can't stand where it does.
fn misplaced(item: &Item, place: Place) -> Option<Diagnostic> {
    let spelling = item.spelling;
    let name = item.name;
    let flow = matches!(name, Name::Skip | Name::SkipAfter | Name::Status | Name::Id);
    let disruptive = counts_once(name) == Some(Name::Deny);
    let client = matches!(name, Name::Risk | Name::Classification | Name::State | Name::Action);
    let (message, help) = match place {
        Place::Rule => return None,
        Place::Continuation(_) if flow || disruptive || client => {
            let help = match name {
                Name::Id => "the rule above says `chain`: take either away",
                _ => "move it to the chain's first rule",
            };
            (format!("`{spelling}` can't stand in a later rule of a chain"), help)
        }
        Place::Continuation(Some(phase))
            if name == Name::Phase && Phase::from_name(&item.value.text()).is_some_and(|p| p != phase) =>
        {
            (format!("the chain runs in phase {}", phase.number()), "only its first rule has a phase")
        }
        Place::Default
            if matches!(
                name,
                Name::Id
                    | Name::Rev
                    | Name::Ver
                    | Name::Accuracy
                    | Name::Maturity
                    | Name::Chain
                    | Name::Xmlns
            ) =>
        {
            (format!("`{spelling}` can't be part of a default action"), "write it in the rules themselves")
        }
        Place::Default if client => {
            let help =
                "write it in the rules themselves: here, rules that only prepare something would count too";
            (format!("`{spelling}` can't be part of a default action"), help)
        }
        Place::Default if name == Name::T && item.value.bytes().eq_ignore_ascii_case(b"none") => {
            ("`t:none` can't be part of a default action".to_owned(), "write it in the rules themselves")
        }
        Place::Update if matches!(name, Name::Id | Name::Phase | Name::Chain) => {
            (format!("`{spelling}` can't be changed by an update"), "change the rule itself")
        }
        _ => return None,
    };
    Some(item.whole.report(Code::E0311, message).help(help))
}

/// Takes one action over.
fn apply(actions: &mut Actions, item: &Item, out: &mut Vec<Diagnostic>) -> Result<(), Diagnostic> {
    let value = &item.value;
    let number = |range| integer(value, Code::E0308, item.spelling, range);
    let small = |range| number(range).map(|n| u8::try_from(n).ok());
    match item.name {
        Name::Id => {
            actions.has_id = true;
            actions.id = Some((number(1..=u64::MAX)?, item.whole.label("")));
        }
        Name::Phase => {
            let phase = Phase::from_name(&value.text()).ok_or_else(|| {
                let message = format!("there is no phase `{}`", value.text());
                let help = "phases are 1 to 5, or `request` (2), `response` (4), `logging` (5)";
                value.report(Code::E0308, message).help(help)
            })?;
            actions.phase = Some(phase);
        }
        Name::Msg => actions.meta.message = Some(template(value)?),
        Name::LogData => actions.meta.data = Some(template(value)?),
        Name::Tag => actions.meta.tags.push(template(value)?),
        Name::Rev => actions.meta.rev = Some(value.text()),
        Name::Ver => actions.meta.ver = Some(value.text()),
        Name::Maturity => actions.meta.maturity = small(1..=9)?,
        Name::Accuracy => actions.meta.accuracy = small(1..=9)?,
        Name::Severity => actions.meta.severity = Some(severity(value)?),
        Name::Status => actions.status = Some(self::status(value)?),
        Name::Skip => {
            actions.skip = u32::try_from(number(1..=u64::from(u32::MAX))?).ok();
        }
        Name::SkipAfter => actions.skip_after = Some((marker(value)?, item.whole.label(""))),
        Name::Log => (actions.log, actions.audit) = (Some(true), Some(true)),
        Name::NoLog => (actions.log, actions.audit) = (Some(false), Some(false)),
        Name::AuditLog => actions.audit = Some(true),
        Name::NoAuditLog => actions.audit = Some(false),
        Name::Chain => actions.chain = Some(item.whole.label("")),
        Name::Capture => actions.capture = true,
        Name::MultiMatch => actions.multi_match = true,
        Name::T if value.bytes().eq_ignore_ascii_case(b"none") => {
            actions.steps = Steps { reset: true, list: Vec::new() };
        }
        Name::T => actions.steps.list.push(transformation(value)?),
        Name::Allow | Name::Block | Name::Deny | Name::Drop | Name::Pass | Name::Redirect => {
            actions.disruptive = Some(disruptive(actions, item)?);
        }
        Name::Risk | Name::Classification | Name::State | Name::Action => {
            actions.client.take(item.name, value, &item.whole, &mut actions.timed)?;
        }
        Name::Exec => actions.scripts.push(value.clone()),
        Name::SetVar => {
            let assignment = setvar::setvar(value, out)?;
            if matches!(&assignment, Action::SetVar(set) if set.collection == Store::Client) {
                actions.client.is_about_clients(&item.whole);
            }
            actions.run.push(assignment);
        }
        Name::ExpireVar => actions.run.push(setvar::expirevar(value, out)?),
        Name::InitCol => actions.run.push(setvar::initcol(value)?),
        Name::SetSid => actions.run.push(open(Store::Session, value)?),
        Name::SetUid => actions.run.push(open(Store::User, value)?),
        Name::SetRsc => actions.run.push(open(Store::Resource, value)?),
        Name::SetEnv => actions.run.push(setvar::setenv(value)?),
        Name::SanitiseArg => actions.run.push(Action::Sanitise(Secret::Argument(named(item)?))),
        Name::SanitiseRequestHeader => {
            actions.run.push(Action::Sanitise(Secret::RequestHeader(named(item)?)));
        }
        Name::SanitiseResponseHeader => {
            actions.run.push(Action::Sanitise(Secret::ResponseHeader(named(item)?)));
        }
        Name::SanitiseMatched => {
            if !value.is_empty() {
                let message = format!("`{}` masks the whole value, not a part of it", item.spelling);
                out.push(item.whole.report(Code::W0402, message));
            }
            actions.run.push(Action::Sanitise(Secret::Matched));
        }
        Name::Ctl => {
            for change in ctl::parse(value, out).into_iter().flatten() {
                actions.timed.extend(ctl::last_phase(&change).map(|phase| (phase, item.whole.label(""))));
                actions.run.push(Action::Ctl(change));
            }
        }
        Name::Xmlns => actions.namespaces.push(values::namespace(value)?),
        Name::Inert(reason) => {
            let message = format!("`{}` has no effect: {reason}", item.spelling);
            out.push(item.whole.report(Code::W0402, message));
        }
        Name::Refused(reason) => {
            let message = format!("`{}` is not available: {reason}", item.spelling);
            return Err(item.whole.report(Code::E0309, message));
        }
    }
    Ok(())
}

/// What an action that masks something in the audit log names.
fn named(item: &Item) -> Result<Box<str>, Diagnostic> {
    if item.value.is_empty() {
        return Err(item.whole.report(Code::E0308, format!("`{}` needs a name", item.spelling)));
    }
    Ok(item.value.text().into())
}

fn severity(value: &Text) -> Result<Severity, Diagnostic> {
    Severity::from_name(&value.text()).ok_or_else(|| {
        let message = format!("there is no severity `{}`", value.text());
        let names: Vec<&str> = (0..8).filter_map(Severity::new).map(Severity::name).collect();
        let mut error = value.report(Code::E0308, message);
        error.help = crate::diagnostic::did_you_mean(&value.text(), &names);
        error
    })
}

fn status(value: &Text) -> Result<u16, Diagnostic> {
    integer(value, Code::E0211, "status", 100..=599).map(|n| u16::try_from(n).unwrap_or(403))
}

fn marker(value: &Text) -> Result<Vec<u8>, Diagnostic> {
    if value.is_empty() {
        return Err(value.report(Code::E0308, "`skipAfter` needs the name of a marker or the id of a rule"));
    }
    Ok(value.bytes().to_vec())
}

fn transformation(value: &Text) -> Result<Transformation, Diagnostic> {
    let name = value.text();
    Transformation::from_name(&name).ok_or_else(|| {
        let error = value.report(Code::E0204, format!("unknown transformation `{name}`"));
        let names = Transformation::ALL.iter().map(|t| t.name()).chain(["none"]);
        match suggest(&name, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    })
}

fn disruptive(actions: &mut Actions, item: &Item) -> Result<Disruptive, Diagnostic> {
    let value = &item.value;
    let resolution = match item.name {
        Name::Block => return Ok(Disruptive::Block),
        Name::Pass => return Ok(Disruptive::Is(Resolution::Pass)),
        Name::Allow => {
            return Ok(Disruptive::Is(Resolution::Allow(match value.text().to_ascii_lowercase().as_str() {
                "" => AllowScope::Transaction,
                "phase" => AllowScope::Phase,
                "request" => AllowScope::Request,
                other => {
                    let error = value.report(Code::E0308, format!("`allow` can't be `{other}`"));
                    return Err(error.help("use `allow`, `allow:phase` or `allow:request`"));
                }
            })));
        }
        Name::Redirect => Resolution::Redirect(url(value)?),
        Name::Drop => Resolution::Drop,
        _ => Resolution::Deny,
    };
    actions.timed.push((Phase::ResponseBody, item.whole.label("")));
    Ok(Disruptive::Is(resolution))
}

fn url(value: &Text) -> Result<crate::model::Template, Diagnostic> {
    if value.is_empty() {
        return Err(value.report(Code::E0208, "`redirect` needs a URL"));
    }
    let bad = value.bytes().iter().position(|b| b.is_ascii_control() || *b == b' ');
    if let Some(at) = bad {
        let message = "a URL holds no blanks and control characters";
        return Err(value.report_part(at..at + 1, Code::E0208, message));
    }
    template(value)
}

fn open(collection: Store, key: &Text) -> Result<Action, Diagnostic> {
    Ok(Action::InitCollection { collection, key: template(key)? })
}
