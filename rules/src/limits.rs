//! Every limit with its default and unit. What happens at a limit is said here and is observable.

/// Bytes of request body kept for inspection, when the rule set does not say: 128 KiB, well below
/// Envoy's `per_connection_buffer_limit_bytes` (1 MiB by default), past which Envoy itself answers
/// 413. Past it `INBOUND_DATA_ERROR` is 1 and the rule set's limit action is taken.
pub const REQUEST_BODY_BYTES: usize = 131_072;

/// Bytes of response body kept for inspection. Longer ones are delivered as the rule set says and
/// `OUTBOUND_DATA_ERROR` is 1. (SKUDONET leaves bodies over this length uninspected.)
pub const RESPONSE_BODY_BYTES: usize = 524_288;

/// Most nesting of a JSON body; deeper makes `REQBODY_ERROR` 1. ModSecurity's recommended value.
pub const JSON_DEPTH: usize = 512;

/// Most arguments kept (`SecArgumentsLimit`); further ones are dropped.
pub const ARGUMENTS: usize = 1_000;

/// Bytes that a compiled regular expression may take; a larger pattern is refused at load.
pub const REGEX_BYTES: usize = 10 * 1024 * 1024;

/// Most nesting of SecLang `Include`; deeper is error E0316. Coraza's value.
pub const INCLUDE_DEPTH: usize = 100;

/// Most files that the SecLang of one rule set may include; more is error E0316.
pub const INCLUDE_FILES: usize = 1_000;

/// Bytes of SecLang text in one rule set, included files among them; more is error E0316.
pub const SECLANG_BYTES: usize = 64 * 1024 * 1024;

/// Largest value of the SecLang body limits, in bytes; more is error E0304. Coraza's value.
pub const BODY_LIMIT_MOST: usize = 1024 * 1024 * 1024;

/// Seconds a persistent collection lives after its last update (`SecCollectionTimeout`).
/// ModSecurity v2's default.
pub const COLLECTION_SECONDS: u32 = 3_600;
