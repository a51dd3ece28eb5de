//! The policy and its rule sets: from their forms to the model.

use std::sync::Arc;

use super::condition;
use super::files::Files;
use super::forms::{ClientAddressForm, ItemForm, PolicyForm, RuleSetForm};
use super::network_build;
use super::report::{Reporter, Spanned};
use super::risk_build;
use super::risk_rule;
use super::rule::{self, Defaults};
use super::text;
use super::values::{ActionName, ByteLimit};
use crate::diagnostic::{Code, Sources};
use crate::geo::Database;
use crate::limits;
use crate::model::{AuditEngine, ClientAddress, EngineMode, Item, Origin, Policy, RuleSet, Settings};
use crate::operators::AddressSet;
use crate::risk::SetBy;
use crate::seclang::{self, Clients, Document, Options};

/// The policy in the model. What is wrong with any part of it is reported; the result then lacks that part.
pub(super) fn policy(
    form: &mut PolicyForm,
    text: &[u8],
    files: &Files,
    sources: &mut Sources,
    reporter: &mut Reporter<'_>,
) -> Policy {
    let mut lines = Lines { text, offset: 0, line: 1 };
    let hops = form.client_address.as_ref().is_some_and(|address| !address.value.trusted_hops.is_empty());
    let country = form.risk.as_ref().and_then(|risk| risk.value.country.as_ref());
    let countries_of_hops = country.is_some_and(|country| {
        country.value.header.is_some() && country.value.set_by.value == SetBy::TrustedHop
    });
    let risk = form.risk.as_ref().map(|risk| Arc::new(risk_build::settings(risk, files, hops, reporter)));
    let risk_rules = form.risk.as_ref().and_then(|risk| risk_rule::rule_set(&risk.value, files, reporter));
    let clients = match &risk {
        Some(risk) => Clients::Watched { rule_blocks: risk.switches.rule_blocks },
        None => Clients::Unwatched,
    };
    let mut rule_sets = |reporter: &mut Reporter<'_>| {
        form.rule_sets
            .iter()
            .enumerate()
            .map(|(index, set)| {
                let path = format!("rule_sets[{index}]");
                let mut built = rule_set(set, &path, &mut lines, files, reporter);
                add_seclang(&mut built, set, &path, clients, files, sources, reporter);
                disable(&mut built, set);
                built
            })
            .collect::<Vec<_>>()
    };
    Policy {
        enforcement: form.enforcement.value,
        repeated_host: form.repeated_host.value,
        client_address: form
            .client_address
            .as_ref()
            .map(|address| client_address(&address.value, countries_of_hops, reporter))
            .unwrap_or_default(),
        // Risk rules come first: what they see does not depend on what other rules allow or refuse.
        rule_sets: risk_rules.into_iter().chain(rule_sets(reporter)).collect(),
        network: form
            .network
            .as_mut()
            .map(|network| network_build::network(&mut network.value, risk.as_deref(), sources, reporter))
            .unwrap_or_default(),
        risk,
    }
}

/// `otherwise` tells whether the hops are trusted in something else.
fn client_address(form: &ClientAddressForm, otherwise: bool, reporter: &mut Reporter<'_>) -> ClientAddress {
    let header = form.header.as_ref().and_then(|name| text::header_name(name, reporter));
    let mut entries = Vec::new();
    for hop in &form.trusted_hops {
        match AddressSet::parse(hop.value.as_bytes()) {
            Ok(_) => entries.push(hop.value.as_str()),
            Err(error) => {
                let span = reporter.within(hop, error.span.clone());
                let help = "write addresses and networks as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`";
                reporter.push(reporter.at(Code::E0105, span, error.message).help(help));
            }
        }
    }
    match (&form.header, form.trusted_hops.first()) {
        (Some(name), None) => {
            let message = "the header has no effect: no hop is trusted, so nobody's word is believed";
            let help = "name the proxies in front of this one in `trusted_hops`";
            reporter.push(reporter.at(Code::W0108, name.span, message).help(help));
        }
        (None, Some(hop)) if !otherwise => {
            let message = "the trusted hops have no effect: no header is read";
            let help = "name the header in `header`, such as `x-forwarded-for`";
            reporter.push(reporter.at(Code::W0108, hop.span, message).help(help));
        }
        _ => {}
    }
    ClientAddress { header, trusted: AddressSet::parse(entries.join(",").as_bytes()).unwrap_or_default() }
}

fn rule_set(
    form: &RuleSetForm,
    path: &str,
    lines: &mut Lines<'_>,
    files: &Files,
    reporter: &mut Reporter<'_>,
) -> RuleSet {
    let name = form.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
    if let Some(written) = &form.name {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if name.is_empty() || !name.bytes().all(good) {
            let diagnostic = reporter.at(Code::E0105, written.span, "not a name for a rule set");
            reporter.push(diagnostic.help("use letters, digits, `_`, `-` and `.`"));
        }
    }
    let settings = settings(form, files, reporter);
    let defaults = defaults(form, reporter);
    let mut items = Vec::new();
    for (index, item) in form.rules.iter().enumerate() {
        match item {
            ItemForm::Marker(marker) => {
                if let Some(mark) = &marker.mark {
                    if mark.value.is_empty() {
                        let diagnostic = reporter.at(Code::E0105, mark.span, "the marker has no name");
                        reporter.push(diagnostic.help("name it, and name it in `skip_after`"));
                    }
                    items.push(Item::Marker(mark.value.clone().into_bytes()));
                }
            }
            ItemForm::Rule(rule) => {
                let line = lines.at(rule.span.start);
                let origin = Origin { file: format!("{path}.rules[{index}]").into(), line };
                let built = rule::rule(&rule.value, origin, &defaults, files, reporter);
                items.extend(built.map(|rule| Item::Rule(Box::new(rule))));
            }
        }
    }
    RuleSet { name, settings, items }
}

fn settings(form: &RuleSetForm, files: &Files, reporter: &mut Reporter<'_>) -> Settings {
    let limit = |ByteLimit(bytes): ByteLimit, default: usize| if bytes == 0 { default } else { bytes };
    let types = form.response_body_types.as_ref();
    Settings {
        engine: if form.only_logging.value { EngineMode::DetectionOnly } else { EngineMode::On },
        request_body_access: form.process_request_body.value,
        request_body_limit: limit(form.request_body_limit.value, limits::REQUEST_BODY_BYTES),
        request_body_limit_action: form.request_body_limit_action.value,
        response_body_access: form.process_response_body.value,
        response_body_limit: limit(form.response_body_limit.value, limits::RESPONSE_BODY_BYTES),
        response_body_limit_action: form.response_body_limit_action.value,
        response_body_types: types
            .map(|types| types.value.iter().filter_map(|one| text::media_type(one, reporter)).collect()),
        json_by_content_type: form.seclang.is_none(),
        audit_engine: if form.audit.value { AuditEngine::On } else { AuditEngine::Off },
        geo_database: form.geo_database.as_ref().and_then(|name| geo_database(name, files, reporter)),
        ..Settings::default()
    }
}

fn geo_database(name: &Spanned<String>, files: &Files, reporter: &mut Reporter<'_>) -> Option<Database> {
    let found = risk_build::database(name, files);
    found
        .map_err(|message| {
            let help = "put a MaxMind database (`.mmdb`) into `files`";
            reporter.push(reporter.at(Code::E0221, name.span, message).help(help));
        })
        .ok()
}

fn defaults(form: &RuleSetForm, reporter: &mut Reporter<'_>) -> Defaults {
    if form.default_action.value == ActionName::Redirect && form.redirect_url.is_none() {
        let diagnostic = reporter.at(Code::E0208, form.default_action.span, "the redirect has no URL");
        reporter.push(diagnostic.help("give the rule set a `redirect_url`"));
    }
    Defaults {
        action: form.default_action.value,
        redirect_url: form.redirect_url.as_ref().and_then(|url| text::redirect_url(url, reporter)),
        has_redirect_url: form.redirect_url.is_some(),
        phase: form.default_phase.value.0,
        log: form.default_log.value.0.unwrap_or(true),
    }
}

/// Adds the rules of the set's raw SecLang behind its own. What the text says about settings wins over the
/// fields of the set.
fn add_seclang(
    set: &mut RuleSet,
    form: &RuleSetForm,
    path: &str,
    clients: Clients,
    files: &Files,
    sources: &mut Sources,
    reporter: &mut Reporter<'_>,
) {
    let Some(texts) = &form.seclang else { return };
    let inline = format!("{path}.seclang");
    let documents: Vec<Document<'_>> = texts
        .value
        .0
        .iter()
        .map(|text| Document { name: text.name.as_deref().unwrap_or(&inline), text: text.text.as_bytes() })
        .collect();
    let options = Options { name: set.name.clone(), settings: set.settings.clone(), clients };
    let parsed = seclang::parse(&documents, files, sources, options);
    for diagnostic in parsed.diagnostics {
        reporter.push(diagnostic);
    }
    set.settings = parsed.rule_set.settings;
    set.items.extend(parsed.rule_set.items);
}

/// Makes disabled rules match nothing. They stay in their places, because `skip` counts them.
fn disable(set: &mut RuleSet, form: &RuleSetForm) {
    for item in &mut set.items {
        let Item::Rule(rule) = item else { continue };
        if form.disable_rules.iter().any(|id| id.value.0 == rule.id) {
            rule.links = condition::never().into_iter().collect();
        }
    }
}

/// Line numbers of ever later places, in one pass over the text.
struct Lines<'a> {
    text: &'a [u8],
    offset: usize,
    line: u32,
}

impl Lines<'_> {
    fn at(&mut self, offset: usize) -> u32 {
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        let breaks = memchr::memchr_iter(b'\n', passed).count();
        self.line = self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
        self.offset = offset;
        self.line
    }
}
