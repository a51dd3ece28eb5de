//! Every limit with its default and unit. What happens at a limit is said here and is observable.

/// Bytes of request body kept for inspection, when the rule set does not say: 128 KiB, well below
/// [`HOST_BUFFER_BYTES`]. Past it `INBOUND_DATA_ERROR` is 1, `limit.request_body` counts, a line says so, and
/// the rule set's limit action is taken.
pub const REQUEST_BODY_BYTES: usize = 131_072;

/// Bytes of response body kept for inspection. Longer ones are delivered as the rule set says,
/// `OUTBOUND_DATA_ERROR` is 1, `limit.response_body` counts and a line says so. (SKUDONET leaves bodies over
/// this length uninspected.)
pub const RESPONSE_BODY_BYTES: usize = 524_288;

/// Mebibytes of memory that all that a worker has may take together, when the policy does not say: plans, transactions,
/// what is retained, scripts. An exchange that does not fit is refused, or what the policy says (`on_overload`). Envoy's
/// virtual machines end at about 1 GiB; what was freed in between can't always be used again.
pub const WORKER_MEBIBYTES: u32 = 384;

/// Most that this can be set to; the least is 32. The Core Rule Set takes about 20.
pub const WORKER_MEBIBYTES_MOST: u32 = 3_072;

/// Bytes that must be left for an exchange to be begun.
pub const EXCHANGE_BYTES: usize = 1024 * 1024;

/// Bytes that must be left per byte of a body that is about to be judged: for the body, what it is taken apart into, and
/// what rules make of it.
pub const BODY_FACTOR: usize = 8;

/// Bytes that must be left per element of a body: for its name and value, what is worked out about them, and the lists in
/// which they stand.
pub const ELEMENT_BYTES: usize = 512;

/// Seconds after which a client that was refused for want of memory is told to come again (`Retry-After`).
pub const OVERLOAD_SECONDS: u32 = 5;

/// Bytes from which on bodies take turns to be judged, so that many at once don't keep a worker from all else.
pub const LARGE_BODY_BYTES: usize = 64 * 1024;

/// Bytes that a text with macros may have when they are expanded: the value of a `setvar`, a message. What is longer is
/// cut, and counted (`limit.made_texts`).
pub const MADE_TEXT_BYTES: usize = 65_536;

/// Bytes of all such texts of a transaction together; those past it are cut, and counted, as above.
pub const MADE_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a body that Envoy holds unless told otherwise (`per_connection_buffer_limit_bytes`): past it Envoy
/// itself answers 413 or 500, which `limit.host_buffer` counts. Limits above it are reported at load (`W0120`,
/// `N0502`).
pub const HOST_BUFFER_BYTES: usize = 1_048_576;

/// The body limit in bytes that a policy or SecLang writes as `bytes`: 0 is the whole body, up to what the host holds.
#[must_use]
pub const fn body_limit(bytes: usize) -> usize {
    if bytes == 0 { BODY_LIMIT_BYTES as usize } else { bytes }
}

/// Most nesting of a JSON body (`SecRequestBodyJsonDepthLimit`), ModSecurity's recommended value. Deeper ones are
/// not read to their end: `REQBODY_ERROR` is 1, `limit.json_depth` counts, and where rules are enforced the
/// request is refused with 400.
pub const JSON_DEPTH: usize = 512;

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
/// may take. A larger one does not match: `MSC_PCRE_LIMITS_EXCEEDED` is 1, `limit.operators` counts, and a line says
/// so. Less than [`REGEX_BYTES`], because clients can take part in
/// its making.
pub const EXPANDED_REGEX_BYTES: usize = 256 * 1024;

/// Most matches of the expression of a `@verify…` operator that are checked in one value; later ones
/// are not looked at, with the same outcome. Each is one more search, which ends near the match unless the expression goes on
/// looking for more.
pub const VERIFY_CANDIDATES: usize = 10_000;

/// Most bytes that those matches may have together, as a multiple of the value's length, with the same outcome.
/// (Matches overlap, because each byte may begin one.)
pub const VERIFY_FACTOR: usize = 64;

/// Bytes that a compiled regular expression may take; a larger pattern is refused at load.
pub const REGEX_BYTES: usize = 10 * 1024 * 1024;

/// Most nesting of SecLang `Include`; deeper is error E0316. Coraza's value.
pub const INCLUDE_DEPTH: usize = 100;

/// Most files that the SecLang of one rule set may include; more is error E0316.
pub const INCLUDE_FILES: usize = 1_000;

/// Bytes of SecLang text in one rule set, included files among them; more is error E0316.
pub const SECLANG_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that the names and values of the host's environment may take together as elements of `ENV`; variables
/// past it are left out, which the filter logs once when it is configured.
pub const ENVIRONMENT_BYTES: usize = 64 * 1024;

/// Seconds a persistent collection lives after its last update (`SecCollectionTimeout`).
/// ModSecurity v2's default.
pub const COLLECTION_SECONDS: u32 = 3_600;

/// Total bytes of the names made for the leaves of a JSON body, beside [`NAME_FACTOR`]. A name repeats the keys
/// above its leaf, so many leaves below long keys could otherwise take far more memory than the body. Past it
/// parsing stops: `REQBODY_ERROR` is 1, `limit.json_names` counts, and where rules are enforced the request is
/// refused with 400.
pub const JSON_NAME_BYTES: usize = 1_048_576;

/// Bytes that the names of a JSON or XML body may have for each byte of the body, beyond [`JSON_NAME_BYTES`] or
/// [`XML_NAME_BYTES`]: a list of digits three levels deep has ten.
pub const NAME_FACTOR: usize = 16;

/// Most files of a multipart body that are nothing special, ModSecurity 2's value; more set
/// `MULTIPART_FILE_LIMIT_EXCEEDED`. All are inspected. More than a rule set allows (`SecUploadFileLimit`) are
/// counted in `limit.files`, and where rules are enforced the request is refused with 400.
pub const UPLOAD_FILES: usize = 100;

/// Bytes of a Content-Type header that a multipart boundary is looked for in. With longer ones, as with the two
/// following limits, `REQBODY_ERROR` is 1, `limit.part_headers` counts, and where rules are enforced the request
/// is refused with 400.
/// ModSecurity's value.
pub const MULTIPART_CONTENT_TYPE_BYTES: usize = 1_024;

/// Bytes of one header of a multipart part, line ends and folded lines included; longer ones are an
/// error. ModSecurity's value.
pub const MULTIPART_HEADER_BYTES: usize = 4_096;

/// Headers of one multipart part; more are an error and not recorded. They are compared with each other
/// for duplicates. Browsers send two or three.
pub const MULTIPART_PART_HEADERS: usize = 64;

/// Most nesting of elements of an XML body, libxml2's value. Deeper ones are not read to their end:
/// `REQBODY_ERROR` is 1, `limit.xml_depth` counts, and where rules are enforced the request is refused with 400.
pub const XML_DEPTH: usize = 256;

/// Most elements, text nodes, comments and processing instructions of an XML body: more than Envoy holds unless
/// told otherwise. Past it `REQBODY_ERROR` is 1, `limit.xml_size` counts, and where rules are enforced the
/// request is refused with 400.
pub const XML_NODES: usize = 500_000;

/// Most attributes of an XML body, all elements together, with the same outcome.
pub const XML_ATTRIBUTES: usize = 500_000;

/// Total bytes of the text and attribute values of an XML body, with the same outcome.
pub const XML_VALUE_BYTES: usize = 4_194_304;

/// Most steps that the XPath expressions of a policy may take on one XML body, all together, beside
/// [`XPATH_STEPS_FACTOR`]: a step is a node that is looked at, or 64 bytes of text. An expression takes a few
/// steps per node of a document. Past it what was not found is not there: `REQBODY_ERROR` is 1, `limit.xpath`
/// counts, and where rules are enforced the request is refused with 400.
pub const XPATH_STEPS: usize = 1_000_000;

/// Steps for each byte of the body.
pub const XPATH_STEPS_FACTOR: usize = 16;

/// Most bytes that the values of the selected nodes may have, all together and beside [`XPATH_VALUE_FACTOR`]:
/// elements that are selected within each other have their text each. The outcome is the same.
pub const XPATH_VALUE_BYTES: usize = 2_097_152;

/// Bytes of selected values for each byte of the body.
pub const XPATH_VALUE_FACTOR: usize = 4;

/// Most nesting of predicates and parentheses in an XPath; deeper is refused at load.
pub const XPATH_DEPTH: usize = 16;

/// Total bytes of the names made for the leaves of an XML body (`SecParseXmlIntoArgs`), beside [`NAME_FACTOR`].
/// Past it `REQBODY_ERROR` is 1, `limit.xml_names` counts, and where rules are enforced the request is refused
/// with 400.
pub const XML_NAME_BYTES: usize = 1_048_576;

/// Reports of one kind (one code) about a policy; one more says how many are left out.
pub const DIAGNOSTICS: usize = 100;

/// Bytes of a policy's text, the files in it included; a longer one is refused before it is read (`E0109`).
pub const POLICY_BYTES: usize = 256 * 1024 * 1024;

/// Values of a policy's JSON: objects, arrays, strings, numbers and the like, all together. More are refused
/// (`E0109`). Each takes about 100 bytes while the policy is read.
pub const POLICY_VALUES: usize = 4_000_000;

/// Rules of a policy's forms, or of the SecLang of one rule set; more are refused (`E0109`). The Core Rule Set has 630.
pub const RULES: usize = 200_000;

/// Variables that one condition may list; more are refused (`E0225`).
pub const CONDITION_TARGETS: usize = 10_000;

/// Most nesting of a policy's JSON; deeper is refused at load (`E0101`).
pub const POLICY_DEPTH: usize = 128;

/// Most that a body limit of a policy or of SecLang can be set to, in bytes: 1 GiB, ModSecurity's hard
/// limit.
pub const BODY_LIMIT_BYTES: u64 = 1024 * 1024 * 1024;

/// Bytes of a line in the error log that an operator's parameter, `logdata` or a URI may take; what is longer ends
/// with the number of bytes left out.
pub const LOG_TEXT_BYTES: usize = 200;

/// The same of a value that matched.
pub const LOG_VALUE_BYTES: usize = 100;

/// Bytes of a malformed line of a multipart body that `REQBODY_ERROR_MSG` shows.
pub const MULTIPART_EXCERPT_BYTES: usize = 64;

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

/// Characters of the cookie or token of an interrogation; longer ones are refused.
pub const CHALLENGE_TOKEN_CHARACTERS: usize = 256;

/// Seconds by which the clocks of Envoys may differ: answers to a page from so far in the future are taken.
pub const CHALLENGE_CLOCK_SECONDS: u64 = 5;

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

/// Seconds for which the shared store knows what was said once for all workers, such as a warning in the log; then it
/// is said again.
pub const STORE_NOTE_SECONDS: u32 = 30 * 86_400;

/// Seconds between two records about requests of one client during a block; each says how many requests there were.
pub const BLOCK_RECORD_SECONDS: u32 = 60;

/// Bytes of a header, cookie or user agent that take part in a client's identity; what follows does not.
pub const IDENTITY_BYTES: usize = 1_024;

/// Most nesting of the groups of a risk rule; deeper is error E0707.
pub const GROUP_DEPTH: usize = 16;

/// Most risk matches of one transaction that count; later ones are neither scored nor recorded, which
/// `limit.client_matches` counts and a line says.
pub const CLIENT_MATCHES: usize = 64;
