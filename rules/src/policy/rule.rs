//! Rules: from their forms to the model.

use super::condition;
use super::files::Files;
use super::forms::RuleForm;
use super::report::{Reporter, Spanned};
use super::text;
use super::values::{ActionName, StatusCode};
use crate::diagnostic::{Code, did_you_mean};
use crate::lua::Script;
use crate::model::{Action, AllowScope, Link, Metadata, Origin, Phase, Resolution, Rule, Template};
use crate::seclang;

/// What a rule set says for rules that don't.
pub(super) struct Defaults {
    pub(super) action: ActionName,
    /// The URL for redirects; `None` also when it is bad, which has been reported.
    pub(super) redirect_url: Option<Template>,
    /// Whether the rule set has a URL, good or bad.
    pub(super) has_redirect_url: bool,
    pub(super) phase: Phase,
    pub(super) log: bool,
}

impl Defaults {
    /// The same for SecLang: what its `SecDefaultAction` would say.
    pub(super) fn of_seclang(&self) -> seclang::Defaults {
        let resolution = match self.action {
            ActionName::Redirect => self.redirect_url.clone().map_or(Resolution::Pass, Resolution::Redirect),
            ActionName::Pass => Resolution::Pass,
            ActionName::Allow => Resolution::Allow(AllowScope::Transaction),
            ActionName::Deny => Resolution::Deny,
            ActionName::Drop => Resolution::Drop,
        };
        seclang::Defaults { resolution, phase: self.phase, log: self.log }
    }
}

/// A rule in the model. What is wrong with any part of it is reported.
pub(super) fn rule(
    form: &RuleForm,
    origin: Origin,
    defaults: &Defaults,
    files: &Files,
    reporter: &mut Reporter<'_>,
) -> Option<Rule> {
    let phase = form.phase.map_or(defaults.phase, |phase| phase.value.0);
    let resolution = resolution(form, phase, defaults, reporter);
    let status = status(form, defaults, reporter);
    let meta = metadata(form, reporter);
    let script = form.execute.as_ref().and_then(|script| execute(script, files, reporter));
    if let Some(target) = form.skip_after.as_ref().filter(|_| form.skip.value.0 > 0) {
        let diagnostic = reporter.at(Code::E0107, target.span, "a rule has either `skip` or `skip_after`");
        reporter.push(reporter.also(diagnostic, form.skip.span, "here is its skip"));
    }
    let links: Vec<Option<Link>> =
        form.matches.iter().map(|one| condition::link(one, files, reporter)).collect();
    let mut links: Vec<Link> = links.into_iter().collect::<Option<_>>()?;
    if links.is_empty() {
        let place = origin.place;
        links.push(Link { condition: None, script: None, capture: false, actions: Vec::new(), place });
    }
    if let Some(last) = links.last_mut() {
        last.actions.extend(script.map(Action::Exec));
    }
    Some(Rule {
        id: form.rule_id?.value.0,
        origin,
        phase,
        links,
        resolution: resolution?,
        status,
        skip: form.skip.value.0,
        skip_after: form.skip_after.as_ref().map(|target| target.value.0.clone().into_bytes()),
        log: form.log.and_then(|log| log.value.0).unwrap_or(defaults.log),
        audit: form.audit.value.0.unwrap_or(true),
        meta,
        risk: super::risk_rule::mark(form, phase, reporter).map(Box::new),
    })
}

/// The script of `execute`.
fn execute(name: &Spanned<String>, files: &Files, reporter: &mut Reporter<'_>) -> Option<Script> {
    Script::load(&name.value, files, "")
        .map_err(|error| {
            let mut diagnostic = reporter.at(error.code(), name.span, error.to_string());
            diagnostic.help = match error.help() {
                Some(help) => Some(help.to_owned()),
                None => did_you_mean(&name.value, &files.names().collect::<Vec<_>>()),
            };
            reporter.push(diagnostic);
        })
        .ok()
}

fn resolution(
    form: &RuleForm,
    phase: Phase,
    defaults: &Defaults,
    reporter: &mut Reporter<'_>,
) -> Option<Resolution> {
    let own = form.resolution.value.0;
    let action = own.unwrap_or(defaults.action);
    let own_url = form.redirect_url.as_ref().map(|url| text::redirect_url(url, reporter));
    if let Some(url) = form.redirect_url.as_ref().filter(|_| action != ActionName::Redirect) {
        let message = "the URL has no effect: the rule does not redirect";
        let help = "set `resolution` to \"redirect\", or leave the URL out";
        reporter.push(reporter.at(Code::W0108, url.span, message).help(help));
    }
    if phase == Phase::Logging
        && matches!(own, Some(ActionName::Deny | ActionName::Redirect | ActionName::Drop))
    {
        let message = "the resolution has no effect: in phase 5 nothing can be refused any more";
        let help = "let the rule run in phase 4 or before, or set `resolution` to \"pass\"";
        reporter.push(reporter.at(Code::W0108, form.resolution.span, message).help(help));
    }
    match action {
        ActionName::Pass => Some(Resolution::Pass),
        ActionName::Allow => Some(Resolution::Allow(AllowScope::Transaction)),
        ActionName::Deny => Some(Resolution::Deny),
        ActionName::Drop => Some(Resolution::Drop),
        ActionName::Redirect => {
            // Without a URL, a default action has been reported at the rule set.
            if own.is_some() && own_url.is_none() && !defaults.has_redirect_url {
                let help = "give the rule or the rule set a `redirect_url`";
                reporter.push(
                    reporter.at(Code::E0208, form.resolution.span, "the redirect has no URL").help(help),
                );
            }
            own_url.unwrap_or_else(|| defaults.redirect_url.clone()).map(Resolution::Redirect)
        }
    }
}

/// The statuses that send a client elsewhere.
const REDIRECT_STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

fn status(form: &RuleForm, defaults: &Defaults, reporter: &mut Reporter<'_>) -> Option<u16> {
    let status = form.status?;
    let StatusCode(code) = status.value;
    match form.resolution.value.0.unwrap_or(defaults.action) {
        ActionName::Deny => {}
        ActionName::Redirect => {
            if !REDIRECT_STATUSES.contains(&code) {
                let diagnostic = reporter.at(Code::E0211, status.span, format!("{code} does not redirect"));
                reporter.push(diagnostic.help("use 301, 302, 303, 307 or 308"));
            }
        }
        ActionName::Pass | ActionName::Allow | ActionName::Drop => {
            let message = "the status has no effect: the rule sends no answer";
            let help = "set `resolution` to \"deny\" or \"redirect\", or leave the status out";
            reporter.push(reporter.at(Code::W0108, status.span, message).help(help));
        }
    }
    Some(code)
}

fn metadata(form: &RuleForm, reporter: &mut Reporter<'_>) -> Metadata {
    let tags = form.tag.as_ref().map_or(&[][..], |tags| &tags.value.0);
    Metadata {
        message: form.description.as_ref().and_then(|message| text::one_line(message, reporter)),
        data: form.data.as_ref().and_then(|data| text::one_line(data, reporter)),
        tags: tags.iter().filter_map(|tag| text::one_line(tag, reporter)).collect(),
        severity: form.severity.map(|severity| severity.value.0),
        ..Metadata::default()
    }
}
