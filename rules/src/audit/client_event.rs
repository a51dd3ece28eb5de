//! Records about clients: one JSON object per line.

use serde_json::{Value, json};

use crate::http::time::CivilTime;
use crate::risk::{Classification, KillChain, RiskAction};

/// A match of a rule that says something of the client.
#[derive(Clone, Debug)]
pub(crate) struct ClientMatch {
    pub(crate) id: u64,
    pub(crate) description: Vec<u8>,
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

fn text(bytes: &[u8]) -> Value {
    String::from_utf8_lossy(bytes).into_owned().into()
}

fn text_or_null(bytes: &[u8]) -> Value {
    if bytes.is_empty() { Value::Null } else { text(bytes) }
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

impl ExchangeFacts {
    fn common(&self, kind: &str) -> Value {
        json!({
            "message": text(&[self.host.as_slice(), &self.uri].concat()),
            "msg_type": kind,
            "timestamp": timestamp(self.timestamp),
            "request_id": text(&self.request_id),
            "client": self.client,
            "user_agent": text_or_null(&self.user_agent),
            "ip": text(&self.ip),
            "dst_host": text(&self.host),
            "uri": text(&self.uri),
            "args": text_or_null(&self.args),
            "risk": rounded(self.risk),
            "random_id": null,
            "tls_fingerprint": text_or_null(&self.tls_fingerprint),
            "cookie": self.cookie.as_deref().map_or(Value::Null, text),
            "js_fingerprint": null,
        })
    }
}

fn extended(mut common: Value, more: Value) -> Vec<u8> {
    if let (Value::Object(all), Value::Object(more)) = (&mut common, more) {
        all.extend(more);
    }
    common.to_string().into_bytes()
}

impl MatchEvent<'_> {
    pub(crate) fn line(&self) -> Vec<u8> {
        let facts = self.facts;
        let matches = self.matches.iter().map(|one| {
            json!({
                "id": one.id,
                "description": text(&one.description),
                "tag_name": one.tag_name,
                "classification": one.classification.name(),
                "state": one.state.map(KillChain::name),
                "contrib_score": rounded(one.contribution),
                "risk": one.risk,
                "action": one.action.name(),
                "blocking": one.blocking,
                "beta": one.beta,
            })
        });
        let more = json!({
            "matches": matches.collect::<Vec<_>>(),
            "status_code": facts.status_code,
            "ssl": facts.ssl,
            "request_method": text(&facts.method),
            "content_type": text_or_null(&facts.content_type),
            "content_length": facts.content_length,
            "response_length": facts.response_length,
            "upstream_response_time": facts.upstream_milliseconds,
            "postblock_event": self.post_block,
        });
        extended(facts.common("MatchEvent"), more)
    }
}

impl BlockEvent<'_> {
    pub(crate) fn line(&self) -> Vec<u8> {
        let rule = (self.rule_id != 0).then_some(self.rule_id);
        let more = json!({ "level": self.level, "reason": self.reason, "rule_id": rule });
        extended(self.facts.common("BlockEvent"), more)
    }
}
