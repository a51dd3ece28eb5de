//! Records about clients: one JSON object per line.

use std::borrow::Cow;

use serde::Serialize;

use super::masks::Traced;
use crate::http::time::CivilTime;
use crate::risk::{Classification, KillChain, RiskAction};

/// A match of a rule that says something of the client.
#[derive(Clone, Debug)]
pub(crate) struct ClientMatch {
    pub(crate) id: u64,
    pub(crate) description: Traced,
    pub(crate) tag_name: String,
    pub(crate) classification: Classification,
    pub(crate) state: Option<KillChain>,
    /// What it added to the score.
    pub(crate) contribution: f32,
    pub(crate) risk: u8,
    pub(crate) action: RiskAction,
    /// Whether it refused the exchange.
    pub(crate) blocking: bool,
    pub(crate) beta: bool,
    /// A rate rule that stayed below its limit: not worth a record.
    pub(crate) below: bool,
}

/// What both kinds of records say of the exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExchangeFacts {
    /// Nanoseconds since 1970.
    pub(crate) timestamp: u64,
    pub(crate) user_agent: Vec<u8>,
    pub(crate) ip: Vec<u8>,
    pub(crate) host: Vec<u8>,
    pub(crate) uri: Vec<u8>,
    pub(crate) args: Vec<u8>,
    pub(crate) request_id: Vec<u8>,
    pub(crate) client: String,
    pub(crate) risk: f32,
    /// The upstream's, 0 when it was not reached.
    pub(crate) status_code: i64,
    pub(crate) ssl: Option<bool>,
    pub(crate) method: Vec<u8>,
    pub(crate) content_type: Vec<u8>,
    pub(crate) content_length: Option<i64>,
    pub(crate) response_length: Option<i64>,
    pub(crate) upstream_milliseconds: Option<u64>,
    pub(crate) tls_fingerprint: Vec<u8>,
    pub(crate) cookie: Option<Vec<u8>>,
}

/// Matches of rules that say something of the client, or a request that came during a block.
#[derive(Clone, Debug)]
pub(crate) struct MatchEvent<'a> {
    pub(crate) facts: &'a ExchangeFacts,
    pub(crate) matches: Vec<&'a ClientMatch>,
    pub(crate) post_block: bool,
}

/// A refused exchange.
#[derive(Clone, Debug)]
pub(crate) struct BlockEvent<'a> {
    pub(crate) facts: &'a ExchangeFacts,
    pub(crate) level: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) rule_id: u64,
}

/// A line of a match; fields in the order of their names.
#[derive(Serialize)]
struct MatchLine<'a> {
    args: Option<Cow<'a, str>>,
    client: &'a str,
    content_length: Option<i64>,
    content_type: Option<Cow<'a, str>>,
    cookie: Option<Cow<'a, str>>,
    dst_host: Cow<'a, str>,
    ip: Cow<'a, str>,
    js_fingerprint: (),
    matches: Vec<OneMatch<'a>>,
    message: String,
    msg_type: &'static str,
    postblock_event: bool,
    random_id: (),
    request_id: Cow<'a, str>,
    request_method: Cow<'a, str>,
    response_length: Option<i64>,
    risk: f64,
    ssl: Option<bool>,
    status_code: i64,
    timestamp: String,
    tls_fingerprint: Option<Cow<'a, str>>,
    upstream_response_time: Option<u64>,
    uri: Cow<'a, str>,
    user_agent: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct OneMatch<'a> {
    action: &'static str,
    beta: bool,
    blocking: bool,
    classification: &'static str,
    contrib_score: f64,
    description: Cow<'a, str>,
    id: u64,
    risk: u8,
    state: Option<&'static str>,
    tag_name: &'a str,
}

/// A line of a refusal; fields in the order of their names.
#[derive(Serialize)]
struct BlockLine<'a> {
    args: Option<Cow<'a, str>>,
    client: &'a str,
    cookie: Option<Cow<'a, str>>,
    dst_host: Cow<'a, str>,
    ip: Cow<'a, str>,
    js_fingerprint: (),
    level: &'static str,
    message: String,
    msg_type: &'static str,
    random_id: (),
    reason: &'static str,
    request_id: Cow<'a, str>,
    risk: f64,
    rule_id: Option<u64>,
    timestamp: String,
    tls_fingerprint: Option<Cow<'a, str>>,
    uri: Cow<'a, str>,
    user_agent: Option<Cow<'a, str>>,
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn text_or_null(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty()).then(|| text(bytes))
}

/// RFC 3339 in UTC, to the millisecond.
fn timestamp(nanoseconds: u64) -> String {
    let time = CivilTime::from_unix(nanoseconds / 1_000_000_000);
    let millisecond = nanoseconds / 1_000_000 % 1_000;
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millisecond:03}Z",
        time.year, time.month, time.day, time.hour, time.minute, time.second
    )
}

/// To one decimal.
fn rounded(score: f32) -> f64 {
    (f64::from(score) * 10.0).round() / 10.0
}

/// The line. Nothing in it can fail to be written.
fn line(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

impl ExchangeFacts {
    fn message(&self) -> String {
        [text(&self.host), text(&self.uri)].concat()
    }
}

impl MatchEvent<'_> {
    pub(crate) fn line(&self) -> Vec<u8> {
        let facts = self.facts;
        let matches = self.matches.iter().map(|one| OneMatch {
            action: one.action.name(),
            beta: one.beta,
            blocking: one.blocking,
            classification: one.classification.name(),
            contrib_score: rounded(one.contribution),
            description: text(&one.description.text),
            id: one.id,
            risk: one.risk,
            state: one.state.map(KillChain::name),
            tag_name: &one.tag_name,
        });
        line(&MatchLine {
            args: text_or_null(&facts.args),
            client: &facts.client,
            content_length: facts.content_length,
            content_type: text_or_null(&facts.content_type),
            cookie: facts.cookie.as_deref().map(text),
            dst_host: text(&facts.host),
            ip: text(&facts.ip),
            js_fingerprint: (),
            matches: matches.collect(),
            message: facts.message(),
            msg_type: "MatchEvent",
            postblock_event: self.post_block,
            random_id: (),
            request_id: text(&facts.request_id),
            request_method: text(&facts.method),
            response_length: facts.response_length,
            risk: rounded(facts.risk),
            ssl: facts.ssl,
            status_code: facts.status_code,
            timestamp: timestamp(facts.timestamp),
            tls_fingerprint: text_or_null(&facts.tls_fingerprint),
            upstream_response_time: facts.upstream_milliseconds,
            uri: text(&facts.uri),
            user_agent: text_or_null(&facts.user_agent),
        })
    }
}

impl BlockEvent<'_> {
    pub(crate) fn line(&self) -> Vec<u8> {
        let facts = self.facts;
        line(&BlockLine {
            args: text_or_null(&facts.args),
            client: &facts.client,
            cookie: facts.cookie.as_deref().map(text),
            dst_host: text(&facts.host),
            ip: text(&facts.ip),
            js_fingerprint: (),
            level: self.level,
            message: facts.message(),
            msg_type: "BlockEvent",
            random_id: (),
            reason: self.reason,
            request_id: text(&facts.request_id),
            risk: rounded(facts.risk),
            rule_id: (self.rule_id != 0).then_some(self.rule_id),
            timestamp: timestamp(facts.timestamp),
            tls_fingerprint: text_or_null(&facts.tls_fingerprint),
            uri: text(&facts.uri),
            user_agent: text_or_null(&facts.user_agent),
        })
    }
}
