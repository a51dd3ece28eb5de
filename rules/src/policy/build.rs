//! The policy and its rule sets: from their forms to the model.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::condition;
use super::files::Files;
use super::forms::{ClientAddressForm, ItemForm, PolicyForm, RuleSetForm};
use super::network_build;
use super::report::{Reporter, Spanned, opening};
use super::risk_build;
use super::risk_rule;
use super::rule::{self, Defaults};
use super::text;
use super::values::{ActionName, ByteLimit};
use crate::diagnostic::{Code, Sources};
use crate::geo::Database;
use crate::model::{
    AuditEngine, ClientAddress, EngineMode, Item, MemorySettings, Origin, Policy, RuleSet, Settings,
    UnparsableAction,
};
use crate::operators::AddressSet;
use crate::risk::SetBy;
use crate::seclang::{self, Clients, Document, ForeignItem, Options, Part};

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
    let mut risk_rules =
        form.risk.as_ref().and_then(|risk| risk_rule::rule_set(&risk.value, files, reporter));
    let clients = match &risk {
        Some(risk) => Clients::Watched { rule_blocks: risk.switches.rule_blocks },
        None => Clients::Unwatched,
    };
    let around = Around { files, clients };
    let mut rule_sets = |reporter: &mut Reporter<'_>| {
        form.rule_sets
            .iter()
            .enumerate()
            .map(|(index, set)| {
                let path = format!("rule_sets[{index}]");
                let mut built = rule_set(set, &path, &mut lines, &around, sources, reporter);
                disable(&mut built, set, reporter);
                built
            })
            .collect::<Vec<_>>()
    };
    let rule_sets = rule_sets(reporter);
    if let (Some(set), Some(risk)) = (&mut risk_rules, &form.risk) {
        risk_rule::see_bodies(&mut set.settings, &risk.value, &rule_sets, reporter);
    }
    Policy {
        enforcement: form.enforcement.value,
        repeated_host: form.repeated_host.value,
        client_address: form
            .client_address
            .as_ref()
            .map(|address| client_address(&address.value, countries_of_hops, reporter))
            .unwrap_or_default(),
        // Risk rules come first: what they see does not depend on what other rules allow or refuse.
        rule_sets: risk_rules.into_iter().chain(rule_sets).collect(),
        network: form
            .network
            .as_mut()
            .map(|network| network_build::network(&mut network.value, risk.as_deref(), sources, reporter))
            .unwrap_or_default(),
        risk,
        memory: form.memory.as_ref().map_or_else(MemorySettings::default, |memory| MemorySettings {
            worker_bytes: memory.value.worker_mebibytes.value.0 as usize * 1024 * 1024,
            on_overload: memory.value.on_overload.value,
        }),
    }
}

/// `otherwise` tells whether the hops are trusted in something else.
fn client_address(form: &ClientAddressForm, otherwise: bool, reporter: &mut Reporter<'_>) -> ClientAddress {
    let header = form.header.as_ref().and_then(|name| text::header_name(name, reporter));
    let mut entries = Vec::new();
    for hop in &form.trusted_hops {
        match AddressSet::parse(hop.value.as_bytes()) {
            Ok(hops) => {
                entries.push(hop.value.as_str());
                if is_everyone(&hops) {
                    let message = "everyone is believed: clients choose their addresses themselves";
                    let help = "name the proxies in front of this one, and nobody else";
                    reporter.push(reporter.at(Code::W0811, hop.span, message).help(help));
                }
            }
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

/// Whether a set has addresses that only the network of all of them has together.
fn is_everyone(hops: &AddressSet) -> bool {
    let has = |address: [u8; 4]| hops.contains(Ipv4Addr::from(address).into());
    let has_six = |first: u16| hops.contains(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 1).into());
    (has([8, 8, 8, 8]) && has([203, 0, 113, 1])) || (has_six(0x2001) && has_six(0xfd00))
}

/// What a rule set needs beside its form.
struct Around<'a> {
    files: &'a Files,
    clients: Clients,
}

fn rule_set(
    form: &RuleSetForm,
    path: &str,
    lines: &mut Lines<'_>,
    around: &Around<'_>,
    sources: &mut Sources,
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
    let settings = settings(form, around.files, reporter);
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
                    let item = Item::Marker(mark.value.clone().into_bytes());
                    items.push(Piece::Item(ForeignItem { item, id: None, skip_after: None }));
                }
            }
            ItemForm::Rule(rule) => {
                let line = lines.at(rule.span.start);
                let place = reporter.place(opening(rule));
                let origin = Origin { file: format!("{path}.rules[{index}]").into(), line, place };
                let built = rule::rule(&rule.value, origin, &defaults, around.files, reporter);
                items.extend(built.map(|built| {
                    Piece::Item(ForeignItem {
                        item: Item::Rule(Box::new(built)),
                        id: rule.value.rule_id.map(|id| reporter.label(id.span)),
                        skip_after: rule.value.skip_after.as_ref().map(|to| reporter.label(to.span)),
                    })
                }));
            }
            ItemForm::Raw(raw) => {
                items.extend(
                    raw.raw.as_ref().map(|raw| Piece::Raw(format!("{path}.rules[{index}].raw"), raw)),
                );
            }
        }
    }
    if form.has_seclang() {
        let options = Options {
            assumes_body_access: form.seclang.is_some() && !reporter.is_written(form.process_request_body),
            defaults: defaults.of_seclang(),
            clients: around.clients,
            name,
            settings,
        };
        return with_seclang(form, path, items, options, around.files, sources, reporter);
    }
    let items = items.into_iter().filter_map(|piece| match piece {
        Piece::Item(foreign) => Some(foreign.item),
        Piece::Raw(..) => None,
    });
    RuleSet { name, settings, items: items.collect() }
}

/// An item of a rule set.
enum Piece<'a> {
    Item(ForeignItem),
    /// SecLang with the name by which it is reported.
    Raw(String, &'a Spanned<String>),
}

/// The rule set with its raw SecLang. What the text says about settings wins over the fields of the set.
fn with_seclang(
    form: &RuleSetForm,
    path: &str,
    pieces: Vec<Piece<'_>>,
    options: Options,
    files: &Files,
    sources: &mut Sources,
    reporter: &mut Reporter<'_>,
) -> RuleSet {
    let raw: Vec<(String, &Spanned<String>)> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Piece::Raw(name, text) => Some((name.clone(), *text)),
            Piece::Item(_) => None,
        })
        .collect();
    let mut texts = raw.iter().map(|(name, text)| Document { name, text: text.value.as_bytes() });
    let inline = format!("{path}.seclang");
    let files_of_set = form.seclang.iter().flat_map(|texts| &texts.value.0).map(|text| {
        Part::Text(Document { name: text.name.as_deref().unwrap_or(&inline), text: text.text.as_bytes() })
    });
    let parts = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Item(item) => Some(Part::Item(item)),
        Piece::Raw(..) => texts.next().map(Part::Text),
    });
    let parsed = seclang::parse_parts(parts.chain(files_of_set), files, sources, options);
    let mut places: Vec<Option<Vec<usize>>> = vec![None; raw.len()];
    for mut diagnostic in parsed.diagnostics {
        for label in &mut diagnostic.labels {
            let name = sources.name(label.source);
            let Some(at) = raw.iter().position(|(raw, _)| raw == name) else { continue };
            let (Some((_, text)), Some(known)) = (raw.get(at), places.get_mut(at)) else { continue };
            let written = known.get_or_insert_with(|| {
                let skipped = if text.value.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
                reporter.offsets(text).split_off(skipped)
            });
            *label = reporter.moved(label.clone(), written);
        }
        reporter.push(diagnostic);
    }
    parsed.rule_set
}

fn settings(form: &RuleSetForm, files: &Files, reporter: &mut Reporter<'_>) -> Settings {
    let types = form.response_body_types.as_ref();
    Settings {
        engine: if form.only_logging.value { EngineMode::DetectionOnly } else { EngineMode::On },
        request_body_access: form.process_request_body.value,
        request_body_limit: ByteLimit::checked(form.request_body_limit, reporter),
        request_body_limit_action: form.request_body_limit_action.value,
        on_unparsable_body: on_unparsable_body(form),
        response_body_access: form.process_response_body.value,
        response_body_limit: ByteLimit::checked(form.response_body_limit, reporter),
        response_body_limit_action: form.response_body_limit_action.value,
        response_body_types: types
            .map(|types| types.value.iter().filter_map(|one| text::media_type(one, reporter)).collect()),
        audit_engine: if form.audit.value { AuditEngine::On } else { AuditEngine::Off },
        geo_database: form.geo_database.as_ref().and_then(|name| geo_database(name, files, reporter)),
        ..Settings::default()
    }
}

/// Forms have no rule that looks at `REQBODY_ERROR`; SecLang usually does, and it says so if not.
fn on_unparsable_body(form: &RuleSetForm) -> UnparsableAction {
    let only_seclang = form.seclang.is_some() && form.rules.is_empty();
    let default = if only_seclang { UnparsableAction::Pass } else { UnparsableAction::Reject };
    form.on_unparsable_body.map_or(default, |action| action.value)
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

/// Makes disabled rules match nothing. They stay in their places, because `skip` counts them.
fn disable(set: &mut RuleSet, form: &RuleSetForm, reporter: &mut Reporter<'_>) {
    if form.disable_rules.is_empty() {
        return;
    }
    let written = form.rules.iter().filter_map(|item| match item {
        ItemForm::Rule(rule) => Some(rule.value.rule_id?.value.0),
        _ => None,
    });
    let mut known: FxHashSet<u64> = written.collect();
    let disabled: FxHashSet<u64> = form.disable_rules.iter().map(|id| id.value.0).collect();
    for item in &mut set.items {
        let Item::Rule(rule) = item else { continue };
        known.insert(rule.id);
        if disabled.contains(&rule.id) {
            rule.links = condition::never().into_iter().collect();
        }
    }
    for id in form.disable_rules.iter().filter(|id| !known.contains(&id.value.0)) {
        let message = format!("this rule set has no rule {}", id.value.0);
        reporter.push(reporter.at(Code::W0213, id.span, message).help("take the id out"));
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
