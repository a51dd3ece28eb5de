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

/// Bytes of text up to which `@containsWord` tries every occurrence of it.
pub const WORD_BYTES: usize = 256;

/// Most occurrences of a longer text that `@containsWord` tries in one value, so that its time stays
/// linear where a client supplies both; past them it does not match.
pub const WORD_OCCURRENCES: usize = 1_000;

/// Bytes that the phrases of one `@pm` or `@pmFromFile` may have together; a longer list is refused at
/// load.
pub const PHRASE_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of phrases up to which they are compiled to the fastest automaton, which takes about 256 bytes
/// for each of them.
pub const PHRASE_BYTES_DFA: usize = 512;

/// Bytes that the lazily built automaton of one regular expression may take, per direction of search;
/// past it the automaton is built anew, which is slower. Also the most for a one-pass automaton.
pub const REGEX_CACHE_BYTES: usize = 256 * 1024;

/// Most matches in one value that `@rxGlobal` captures from; later ones do not change the captures.
pub const REGEX_GLOBAL_MATCHES: usize = 100;

/// Expanded forms of a regular expression with macros that are kept compiled, per operator.
pub const EXPANDED_REGEXES: usize = 4;

/// Bytes that a regular expression with macros may have after expansion, and that its compiled form
/// may take. A larger one does not match. Less than [`REGEX_BYTES`], because clients can take part in
/// its making.
pub const EXPANDED_REGEX_BYTES: usize = 256 * 1024;

/// Most matches of the expression of a `@verify…` operator that are checked in one value; later ones
/// are not looked at. Each is one more search, which ends near the match unless the expression goes on
/// looking for more.
pub const VERIFY_CANDIDATES: usize = 10_000;

/// Most bytes that those matches may have together, as a multiple of the value's length. (Matches
/// overlap, because each byte may begin one.)
pub const VERIFY_FACTOR: usize = 64;

/// Bytes that a compiled regular expression may take; a larger pattern is refused at load.
pub const REGEX_BYTES: usize = 10 * 1024 * 1024;

/// Most nesting of SecLang `Include`; deeper is error E0316. Coraza's value.
pub const INCLUDE_DEPTH: usize = 100;

/// Most files that the SecLang of one rule set may include; more is error E0316.
pub const INCLUDE_FILES: usize = 1_000;

/// Bytes of SecLang text in one rule set, included files among them; more is error E0316.
pub const SECLANG_BYTES: usize = 64 * 1024 * 1024;

/// Seconds a persistent collection lives after its last update (`SecCollectionTimeout`).
/// ModSecurity v2's default.
pub const COLLECTION_SECONDS: u32 = 3_600;

/// Total bytes of the names made for the leaves of a JSON body. A name repeats the keys above its leaf,
/// so many leaves below long keys could otherwise take far more memory than the body; past it
/// parsing stops with an error and `REQBODY_ERROR` is 1.
pub const JSON_NAME_BYTES: usize = 1_048_576;

/// Most files of a multipart body (`SecUploadFileLimit`, ModSecurity 2's default); more set
/// `MULTIPART_FILE_LIMIT_EXCEEDED`.
pub const UPLOAD_FILES: usize = 100;

/// Bytes of a Content-Type header that a multipart boundary is looked for in; longer ones are an error.
/// ModSecurity's value.
pub const MULTIPART_CONTENT_TYPE_BYTES: usize = 1_024;

/// Bytes of one header of a multipart part, line ends and folded lines included; longer ones are an
/// error. ModSecurity's value.
pub const MULTIPART_HEADER_BYTES: usize = 4_096;

/// Headers of one multipart part; more are an error and not recorded. They are compared with each other
/// for duplicates. Browsers send two or three.
pub const MULTIPART_PART_HEADERS: usize = 64;

/// Most nesting of elements of an XML body; deeper makes `REQBODY_ERROR` 1. libxml2's value.
pub const XML_DEPTH: usize = 256;

/// Most elements, text nodes, comments and processing instructions of an XML body; more make
/// `REQBODY_ERROR` 1.
pub const XML_NODES: usize = 20_000;

/// Most attributes of an XML body, all elements together; more make `REQBODY_ERROR` 1.
pub const XML_ATTRIBUTES: usize = 10_000;

/// Total bytes of the text and attribute values of an XML body; more make `REQBODY_ERROR` 1.
pub const XML_VALUE_BYTES: usize = 1_048_576;

/// Most steps that the XPath expressions of a policy may take on one XML body, all together: a step is a
/// node that is looked at, or 64 bytes of text. Past it `REQBODY_ERROR` is 1, and what was not found by
/// then is not there. An expression takes a few steps per node of a document.
pub const XPATH_STEPS: usize = 1_000_000;

/// Most bytes that the values of the selected nodes may have, all together: elements that are selected
/// within each other have their text each. Past it `REQBODY_ERROR` is 1, as above.
pub const XPATH_VALUE_BYTES: usize = 2_097_152;

/// Most nesting of predicates and parentheses in an XPath; deeper is refused at load.
pub const XPATH_DEPTH: usize = 16;

/// Total bytes of the names made for the leaves of an XML body (`SecParseXmlIntoArgs`); past it
/// `REQBODY_ERROR` is 1.
pub const XML_NAME_BYTES: usize = 1_048_576;

/// Most nesting of a policy's JSON; deeper is refused at load (`E0101`).
pub const POLICY_DEPTH: usize = 128;

/// Most that a body limit of a policy or of SecLang can be set to, in bytes: 1 GiB, ModSecurity's hard
/// limit.
pub const BODY_LIMIT_BYTES: u64 = 1024 * 1024 * 1024;

/// Bytes of each body in an audit record. What is longer ends with the number of bytes left out, here and in
/// the following limits.
pub const AUDIT_BODY_BYTES: usize = 16_384;

/// Bytes of any other text in an audit record: a header's name or value, the URI, a message.
pub const AUDIT_TEXT_BYTES: usize = 1_024;

/// Header fields of a request or response in an audit record; `headers_omitted` counts the others.
pub const AUDIT_HEADERS: usize = 128;

/// Uploaded files named in an audit record; others are left out. The default of [`UPLOAD_FILES`].
pub const AUDIT_FILES: usize = UPLOAD_FILES;

/// Rule matches in an audit record; `messages_omitted` counts the others.
pub const AUDIT_MESSAGES: usize = 100;

/// Most names of what records mask (`sanitiseArg` and its like) in one transaction. With more, everything is
/// masked that client or upstream sent.
pub const AUDIT_SECRETS: usize = 1_000;

/// Most bytes of these names, all together; with more, everything is masked as well. Also most bytes of masked values
/// that are looked for in a response; with more, the response is masked.
pub const AUDIT_SECRET_BYTES: usize = 262_144;

/// Most bytes of what XPath expressions select in a body and `sanitiseMatched` masks; with more, all texts and
/// attributes of the body are masked.
pub const AUDIT_XML_SECRET_BYTES: usize = 4_096;

/// Bytes that a masked value has at least when what a response repeats of it is masked: shorter ones may stand
/// anywhere.
pub const AUDIT_ECHO_BYTES: usize = 4;

/// Most places that the value of a variable is known to have been made from; with more it counts as made from
/// anything that is masked.
pub const AUDIT_ORIGINS: usize = 16;

/// Bytes of a Lua script; longer ones are refused at load (`E0217`).
pub const SCRIPT_BYTES: usize = 64 * 1024;

/// Instructions that one run of a script may execute, and steps that the library functions it calls may
/// take: a byte that a pattern looks at, an element moved, 16 bytes copied. Past either the run is stopped:
/// it matches nothing, a warning says so, and `script.stopped` counts it.
pub const SCRIPT_INSTRUCTIONS: u64 = 100_000;

/// Instructions that all runs of scripts in one transaction may execute; past it they are stopped, as above.
pub const SCRIPT_TRANSACTION_INSTRUCTIONS: u64 = 500_000;

/// Bytes of memory that one run of a script may hold, the strings it reads among them; past it the run is
/// stopped, as above. It is checked every few instructions: one of them may go past it by a few times as much.
pub const SCRIPT_MEMORY_BYTES: usize = 1024 * 1024;

/// Values that `string.byte` and `table.unpack` return at most; more are an error of the script.
pub const SCRIPT_RESULTS: usize = 4_096;

/// What the scripts of one transaction may say with `m.log`, and how often they may be stopped, before the
/// rest is left out.
pub const SCRIPT_EVENTS: usize = 32;

/// Bytes of one message of `m.log`, and of the text that `main` returns; what is longer is cut.
pub const SCRIPT_EVENT_BYTES: usize = 1_024;

/// Most addresses of all network rules of a policy together; more are error E0516.
pub const NETWORK_ADDRESSES: usize = 1_000_000;

/// Bytes of ARMR text in a policy; more are error E0516.
pub const ARMR_BYTES: usize = 64 * 1024 * 1024;

/// Most nesting of blocks and values in ARMR text; deeper is error E0501.
pub const ARMR_DEPTH: usize = 32;

/// Network rules that have counters of their own, the first ones of the policy; the others share one per
/// action. Envoy never forgets a counter.
pub const NETWORK_RULE_COUNTERS: usize = 200;

/// Bytes that a key of interrogations has at least (`E0751`).
pub const CHALLENGE_KEY_BYTES: usize = 32;

/// Zero bits of an interrogation's proof of work, unless set: 65,536 hashes on average, a fraction of a second in
/// a browser.
pub const CHALLENGE_DIFFICULTY: u8 = 16;

/// Most that the difficulty can be set to: 16 million hashes, about a minute.
pub const CHALLENGE_MOST_DIFFICULTY: u8 = 24;

/// Seconds for which the answer to an interrogation is taken, unless set; later ones are refused.
pub const CHALLENGE_WINDOW_SECONDS: u32 = 120;

/// Most that the window can be set to, in seconds.
pub const CHALLENGE_MOST_WINDOW_SECONDS: u32 = 3_600;

/// Seconds for which the cookie of a client that passed counts, unless set; then it is interrogated again.
pub const CHALLENGE_COOKIE_SECONDS: u32 = 3_600;

/// Most that the cookie's time can be set to, in seconds: 30 days.
pub const CHALLENGE_MOST_COOKIE_SECONDS: u32 = 2_592_000;

/// Digits of the number in an answer; longer ones are refused.
pub const CHALLENGE_NUMBER_DIGITS: usize = 16;

/// Bytes of what a browser says of itself in an answer; longer ones are refused.
pub const CHALLENGE_WORDS_BYTES: usize = 512;

/// Bytes of a database of countries; a larger one is refused at load. Each worker has it in its memory.
pub const GEO_DATABASE_BYTES: usize = 64 * 1_024 * 1_024;

/// Bytes of a text in a record of such a database, such as a city's name; a longer one is not there.
pub const GEO_TEXT_BYTES: usize = 1_024;

/// Bytes of the body of a slowed answer that are held at most, when the policy does not say. More goes on before its
/// time. Well below Envoy's buffer of 1 MiB, past which Envoy ends the answer.
pub const TARPIT_HELD_BYTES: u32 = 256 * 1_024;

/// Seconds for which one piece of a slowed answer's body is held at most, whatever the rate. Envoy ends streams that
/// are idle for five minutes.
pub const TARPIT_PIECE_SECONDS: u32 = 240;

/// Seconds for which a head is held, with strict enforcement, before its body that has not come is taken for one that
/// Envoy doesn't show. Such streams count in `held.unshown_body`, and the first is logged.
pub const UNSHOWN_BODY_SECONDS: u64 = 5;

/// Bytes of one bucket of the shared store: what one read or write moves. An entry that does not fit is not
/// kept, which `store.oversize` counts.
pub const STORE_BUCKET_BYTES: usize = 4_096;

/// Mebibytes that the shared store may take, when the policy does not say. Where it is full the least
/// valuable entry goes, which `store.evictions` counts.
pub const STORE_MEBIBYTES: u32 = 32;

/// Most mebibytes that a policy can give the shared store: 2^18 buckets.
pub const STORE_MEBIBYTES_MOST: u32 = 1_024;

/// Buckets of the shared store that are looked after each second, by all workers together: what has faded goes, and
/// the gauges of clients come to be right. The default store takes half a minute.
pub const STORE_TENDED: u32 = 256;

/// How often an update of a bucket is tried when other workers keep changing it; past that the update is
/// lost, which `store.losses` counts.
pub const STORE_TRIES: u32 = 256;

/// Most variables of one persistent collection; further ones are not kept, which `store.oversize` counts.
pub const COLLECTION_VARIABLES: usize = 64;

/// Bytes that the name of a variable of a persistent collection may have; a longer one is not kept.
pub const COLLECTION_NAME_BYTES: usize = 128;

/// Bytes that the variables of one persistent collection may take together; those beyond are not kept. Half
/// a bucket, so that two always fit.
pub const COLLECTION_BYTES: usize = STORE_BUCKET_BYTES / 2 - 64;

/// Most rate rules whose windows are kept for one client; with more, the window that was still for longest
/// is forgotten.
pub const CLIENT_WINDOWS: usize = 16;

/// Bytes of a header, cookie or user agent that take part in a client's identity; what follows does not.
pub const IDENTITY_BYTES: usize = 1_024;

/// Most nesting of the groups of a risk rule; deeper is error E0707.
pub const GROUP_DEPTH: usize = 16;

/// Most risk matches of one transaction that count; later ones are neither scored nor recorded.
pub const CLIENT_MATCHES: usize = 64;
