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

/// Most nesting of a policy's JSON; deeper is refused at load (`E0101`).
pub const POLICY_DEPTH: usize = 128;

/// Most that a body limit of a policy can be set to, in bytes: 1 GiB, ModSecurity's hard limit.
pub const BODY_LIMIT_BYTES: u64 = 1024 * 1024 * 1024;
