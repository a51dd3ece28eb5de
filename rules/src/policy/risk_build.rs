//! The settings of the risk part: from their forms to the model.

use super::files::Files;
use super::report::{Reporter, Spanned};
use super::risk_forms::{
    CountryForm, EntityForm, InterrogateForm, ListEntryForm, ListsForm, RiskForm, ScoreForm, TarpitForm,
};
use super::{risk_rate, text};
use crate::challenge;
use crate::collections::StoreSettings;
use crate::diagnostic::Code;
use crate::geo::Database;
use crate::host::Source as _;
use crate::http::time::parse_rfc3339;
use crate::limits;
use crate::operators::AddressSet;
use crate::risk::{
    BlockSettings, EntitySettings, GeoSource, InterrogateSettings, ListEntry, ListSettings, Reset,
    RiskSettings, ScoreSettings, SetBy, Switches, TarpitSettings,
};

/// The settings. What is wrong with any of them is reported; it then has its default.
/// `hops` tells whether the policy trusts any proxies.
pub(super) fn settings(
    form: &Spanned<RiskForm>,
    files: &Files,
    hops: bool,
    reporter: &mut Reporter<'_>,
) -> RiskSettings {
    let risk = &form.value;
    let block = risk.block.as_ref().map_or_else(BlockSettings::default, |block| BlockSettings {
        threshold: f32::from(block.value.threshold.value.0),
        seconds: block.value.seconds.value.0,
        permanent_after: block.value.permanent_after.value.0,
        forget_after: block.value.forget_after.value.0,
    });
    let switches = risk.switches.as_ref().map_or_else(Switches::default, |switches| Switches {
        rule_blocks: switches.value.rule_blocks.value,
        risk_blocks: switches.value.risk_blocks.value,
        lists: switches.value.lists.value,
    });
    let interrogate =
        risk.interrogate.as_ref().map_or_else(InterrogateSettings::default, |form| InterrogateSettings {
            threshold: form.value.threshold.map(|score| f32::from(score.value.0)),
            seconds: form.value.seconds.value.0,
            challenge: challenge(&form.value, reporter),
        });
    let windows = risk.rules.iter().filter_map(|rule| rule.value.rate.as_ref()?.value.seconds);
    RiskSettings {
        entity: risk.entity.as_ref().map_or_else(EntitySettings::default, |form| entity(form, reporter)),
        score: risk.score.as_ref().map_or_else(ScoreSettings::default, |form| score(&form.value)),
        block,
        lists: risk.lists.as_ref().map(|form| lists(&form.value, reporter)).unwrap_or_default(),
        switches,
        tarpit: risk.tarpit.as_ref().map_or_else(TarpitSettings::default, |form| tarpit(form, reporter)),
        interrogate,
        country: risk.country.as_ref().map(|form| country(form, files, hops, reporter)).unwrap_or_default(),
        store: store(risk, reporter),
        longest_window: windows.map(|seconds| seconds.value.0).max().unwrap_or(0),
        limits: risk.rules.iter().filter_map(|rule| risk_rate::client_limit(&rule.value)).collect(),
    }
}

/// What a challenge is.
fn challenge(form: &InterrogateForm, reporter: &mut Reporter<'_>) -> challenge::Settings {
    let mut keys = Vec::new();
    for secret in &form.keys {
        match challenge::Key::new(secret.value.as_bytes()) {
            Some(key) => keys.push(key),
            None => {
                let least = limits::CHALLENGE_KEY_BYTES;
                let message = format!("a key has {least} bytes or more");
                let help = "take random ones, such as those of `openssl rand -base64 32`";
                reporter.push(reporter.at(Code::E0751, secret.span, message).help(help));
            }
        }
    }
    let defaults = challenge::Settings::default();
    let settings = challenge::Settings {
        keys,
        difficulty: form.difficulty.value.0,
        window_seconds: form.window.value.0,
        cookie_name: form.cookie_name.as_ref().map_or(defaults.cookie_name, |name| name.value.clone()),
        cookie_seconds: form.cookie_seconds.value.0,
    };
    // The numbers have been read with their ranges.
    for (problem, name) in settings.problems().iter().zip(&form.cookie_name) {
        let diagnostic = reporter.at(Code::E0752, name.span, problem.to_string());
        reporter.push(diagnostic.help("leave it out, or write a name such as `portcullis`"));
    }
    settings
}

fn entity(form: &Spanned<EntityForm>, reporter: &mut Reporter<'_>) -> EntitySettings {
    let entity = &form.value;
    let mut header =
        |name: &Option<Spanned<String>>| name.as_ref().and_then(|name| text::header_name(name, reporter));
    let settings = EntitySettings {
        address: entity.address.value,
        ipv4_prefix: entity.ipv4_prefix.value.0,
        ipv6_prefix: entity.ipv6_prefix.value.0,
        user_agent: entity.user_agent.value,
        ja3_header: header(&entity.ja3_header),
        ja4_header: header(&entity.ja4_header),
        header: header(&entity.header),
        cookie: entity.cookie.as_ref().map(|name| name.value.clone()),
        interrogation_cookie: entity.interrogation_cookie.value,
    };
    let nothing = !settings.address
        && !settings.user_agent
        && entity.ja3_header.is_none()
        && entity.ja4_header.is_none()
        && entity.header.is_none()
        && entity.cookie.is_none()
        && !settings.interrogation_cookie;
    if nothing {
        let diagnostic = reporter.at(Code::E0708, form.span, "nothing makes a client");
        reporter.push(diagnostic.help("let the address take part, or name a header or a cookie"));
    }
    settings
}

fn score(form: &ScoreForm) -> ScoreSettings {
    let weights = form.state_weights.as_ref().map(|weights| {
        let weights = &weights.value;
        [
            weights.reconnaissance,
            weights.scanning,
            weights.web_application_mapping,
            weights.brute_force_attack,
            weights.denial_of_service,
            weights.exploitation,
            weights.malware_communication,
        ]
        .map(|weight| weight.value.0)
    });
    ScoreSettings {
        half_life: form.half_life.value.0,
        live_window: form.live_window.value.0,
        low_gain: form.low_gain.value.0,
        medium_gain: form.medium_gain.value.0,
        high_gain: form.high_gain.value.0,
        weights: weights.unwrap_or(ScoreSettings::default().weights),
    }
}

fn tarpit(form: &Spanned<TarpitForm>, reporter: &mut Reporter<'_>) -> TarpitSettings {
    let tarpit = &form.value;
    if tarpit.longest.value.0 < tarpit.delay.value.0 {
        let message = "the longest delay is shorter than the first";
        let diagnostic = reporter.at(Code::W0803, tarpit.longest.span, message);
        reporter.push(diagnostic.help("raise `longest`, or lower `delay`"));
    }
    TarpitSettings {
        threshold: tarpit.threshold.map(|score| f32::from(score.value.0)),
        seconds: tarpit.seconds.value.0,
        delay: tarpit.delay.value.0,
        growth: tarpit.growth.value.0,
        longest: tarpit.longest.value.0,
        bytes_per_second: tarpit.bytes_per_second.map(|bytes| bytes.value.0),
        held_bytes: tarpit.held_bytes.value.0,
        streams: tarpit.streams.value.0,
        fallback: tarpit.fallback.value,
    }
}

fn lists(form: &ListsForm, reporter: &mut Reporter<'_>) -> ListSettings {
    let mut list = |entries: &[Spanned<ListEntryForm>]| -> Vec<ListEntry> {
        entries.iter().filter_map(|entry| list_entry(entry, reporter)).collect()
    };
    let (allow, deny, block) = (list(&form.allow), list(&form.deny), list(&form.block));
    let reset = form.reset.iter().filter_map(|reset| {
        let address = reset.value.address.as_ref()?;
        let set = address_set(address, reporter);
        let before = moment(reset.value.before.as_ref()?, reporter);
        let reason = reset.value.reason.as_ref().map(|reason| reason.value.clone()).unwrap_or_default();
        let entry = ListEntry { address: address.value.clone(), set: set?, reason, expires: None };
        Some(Reset { entry, before: before? })
    });
    ListSettings { allow, deny, block, reset: reset.collect() }
}

fn list_entry(form: &Spanned<ListEntryForm>, reporter: &mut Reporter<'_>) -> Option<ListEntry> {
    let address = form.value.address.as_ref()?;
    let set = address_set(address, reporter);
    let expires = match &form.value.expires {
        Some(text) => Some(moment(text, reporter)?),
        None => None,
    };
    let reason = form.value.reason.as_ref()?.value.clone();
    Some(ListEntry { address: address.value.clone(), set: set?, reason, expires })
}

fn address_set(text: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<AddressSet> {
    match AddressSet::parse(text.value.as_bytes()) {
        Ok(set) if !set.is_empty() => Some(set),
        Ok(_) => {
            let diagnostic = reporter.at(Code::E0706, text.span, "the entry has no address");
            reporter.push(diagnostic.help("write an address or a network"));
            None
        }
        Err(error) => {
            let span = reporter.within(text, error.span.clone());
            let help = "write an address or a network as `192.0.2.1`, `192.0.2.0/24` or `2001:db8::/32`";
            reporter.push(reporter.at(Code::E0706, span, error.message).help(help));
            None
        }
    }
}

/// Seconds since 1970.
fn moment(text: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<u64> {
    let moment = parse_rfc3339(&text.value);
    if moment.is_none() {
        let diagnostic = reporter.at(Code::E0706, text.span, format!("`{}` is no time", text.value));
        reporter.push(diagnostic.help("write it as `2026-03-01T12:00:00Z`"));
    }
    moment.map(|nanoseconds| nanoseconds / 1_000_000_000)
}

fn country(form: &Spanned<CountryForm>, files: &Files, hops: bool, reporter: &mut Reporter<'_>) -> GeoSource {
    let set_by = form.value.set_by.value;
    match (&form.value.header, &form.value.database) {
        (Some(name), None) => {
            if set_by == SetBy::TrustedHop && !hops {
                let message = "nobody is believed what the header says: no hop is trusted";
                let help = "name the proxies that set it in `client_address.trusted_hops`; or, where this Envoy sets it \
                            and takes away what clients send, write `\"set_by\": \"envoy\"`";
                reporter.push(reporter.at(Code::E0709, name.span, message).help(help));
            }
            text::header_name(name, reporter)
                .map_or(GeoSource::None, |name| GeoSource::Header { name, set_by })
        }
        (None, Some(name)) => match database(name, files) {
            Ok(database) => GeoSource::Database(database),
            Err(message) => {
                let help = "put the database into `files`, or name a header with the country in `header`";
                reporter.push(reporter.at(Code::E0709, name.span, message).help(help));
                GeoSource::None
            }
        },
        (header, _) => {
            let message = if header.is_some() {
                "countries come either from a header or from a database"
            } else {
                "nothing says where countries come from"
            };
            let diagnostic = reporter.at(Code::E0709, form.span, message);
            reporter.push(diagnostic.help("give either `header` or `database`"));
            GeoSource::None
        }
    }
}

/// A database among the files.
pub(super) fn database(name: &Spanned<String>, files: &Files) -> Result<Database, String> {
    files.read_shared(&name.value, "").map_err(|error| error.to_string()).and_then(Database::new)
}

fn store(form: &RiskForm, reporter: &mut Reporter<'_>) -> StoreSettings {
    let mut settings = StoreSettings::default();
    if let Some(store) = &form.store {
        settings.mebibytes = store.value.mebibytes.value.0;
        if let Some(name) = &store.value.name {
            let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
            if name.value.is_empty() || !name.value.bytes().all(good) {
                let diagnostic = reporter.at(Code::E0105, name.span, "not a name for a store");
                reporter.push(diagnostic.help("use letters, digits, `_`, `-` and `.`"));
            } else {
                settings.name.clone_from(&name.value);
            }
        }
    }
    settings
}
