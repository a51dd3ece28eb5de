//! The variables of SecLang: names, shape, and the phase from which each is known.

use std::fmt;

use super::Phase;

/// Whether a variable holds one value or many keyed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value; takes no selector.
    Scalar,
    /// Any number of `key: value` elements, in order of arrival, keys compared without regard to case.
    Collection,
}

/// Name of the elements of [`Variable::RequestPaths`] that servers take the path for.
pub(crate) const PATH_MEANT: &[u8] = b"MEANT";

/// Name of its other elements.
pub(crate) const PATH_ALSO: &[u8] = b"ALSO";

macro_rules! variables {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $shape:ident, )+) => {
        /// A SecLang variable. The documentation of each says what it holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Variable { $( $(#[$doc])* $variant, )+ }

        impl Variable {
            /// Every variable, in declaration order.
            pub const ALL: &'static [Variable] = &[ $( Variable::$variant, )+ ];

            /// The SecLang spelling.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Variable::$variant => $name, )+ }
            }

            /// Scalar or collection.
            #[must_use]
            pub const fn shape(self) -> Shape {
                match self { $( Variable::$variant => Shape::$shape, )+ }
            }
        }
    };
}

variables! {
    /// All argument values: query string, then body.
    Args "ARGS" Collection,
    /// Sum of the lengths of all argument names and values, files excluded.
    ArgsCombinedSize "ARGS_COMBINED_SIZE" Scalar,
    /// Arguments of the query string.
    ArgsGet "ARGS_GET" Collection,
    /// Names of the query string's arguments.
    ArgsGetNames "ARGS_GET_NAMES" Collection,
    /// Names of all arguments; key and value are the name.
    ArgsNames "ARGS_NAMES" Collection,
    /// Path parameters captured by `@restpath`.
    ArgsPath "ARGS_PATH" Collection,
    /// Arguments of the body: form fields, multipart fields that are not files, JSON leaves.
    ArgsPost "ARGS_POST" Collection,
    /// Names of the body's arguments.
    ArgsPostNames "ARGS_POST_NAMES" Collection,
    /// Scheme word of the Authorization header.
    AuthType "AUTH_TYPE" Scalar,
    /// What is known of the client: `RISK`, `STATE`, `STATUS`, `BLOCKS`, `COUNTRY`. Empty without a `risk` part.
    Client "CLIENT" Collection,
    /// Milliseconds since the transaction began.
    Duration "DURATION" Scalar,
    /// What `setenv` set; a filter has no process environment.
    Env "ENV" Collection,
    /// Client's names of uploaded files; key is the form field.
    Files "FILES" Collection,
    /// Sum of the sizes of uploaded files.
    FilesCombinedSize "FILES_COMBINED_SIZE" Scalar,
    /// Form field names of uploaded files.
    FilesNames "FILES_NAMES" Collection,
    /// Sizes of uploaded files; key is the form field.
    FilesSizes "FILES_SIZES" Collection,
    /// Contents of uploaded files; key is the form field.
    FilesTmpContent "FILES_TMP_CONTENT" Collection,
    /// Temporary names of uploaded files; a filter has no files, so it is always empty.
    FilesTmpNames "FILES_TMPNAMES" Collection,
    /// Request line, headers and body as one text.
    FullRequest "FULL_REQUEST" Scalar,
    /// Length of [`Variable::FullRequest`].
    FullRequestLength "FULL_REQUEST_LENGTH" Scalar,
    /// What `@geoLookup` found.
    Geo "GEO" Collection,
    /// Persistent collection shared by all clients.
    Global "GLOBAL" Collection,
    /// Lowest severity number of the rules matched so far, 255 before any.
    HighestSeverity "HIGHEST_SEVERITY" Scalar,
    /// "1" when the request body was longer than its limit.
    InboundDataError "INBOUND_DATA_ERROR" Scalar,
    /// Persistent collection of a client address.
    Ip "IP" Collection,
    /// Value that matched last, after transformation.
    MatchedVar "MATCHED_VAR" Scalar,
    /// Full name of what matched last.
    MatchedVarName "MATCHED_VAR_NAME" Scalar,
    /// All values matched by the current rule so far.
    MatchedVars "MATCHED_VARS" Collection,
    /// Full names of what the current rule matched so far.
    MatchedVarsNames "MATCHED_VARS_NAMES" Collection,
    /// Numeric version of the engine.
    ModsecBuild "MODSEC_BUILD" Scalar,
    /// "1" when a regular expression failed at run time. Matching here is linear and cannot fail.
    MscPcreError "MSC_PCRE_ERROR" Scalar,
    /// "1" when an operator gave up at a limit. Patterns without macros never do.
    MscPcreLimitsExceeded "MSC_PCRE_LIMITS_EXCEEDED" Scalar,
    /// "1" when the multipart boundary was quoted.
    MultipartBoundaryQuoted "MULTIPART_BOUNDARY_QUOTED" Scalar,
    /// "1" when there were blanks around the boundary parameter.
    MultipartBoundaryWhitespace "MULTIPART_BOUNDARY_WHITESPACE" Scalar,
    /// "1" when both CRLF and LF line ends occurred.
    MultipartCrlfLfLines "MULTIPART_CRLF_LF_LINES" Scalar,
    /// "1" when bytes followed the last boundary.
    MultipartDataAfter "MULTIPART_DATA_AFTER" Scalar,
    /// "1" when bytes stood before the first boundary.
    MultipartDataBefore "MULTIPART_DATA_BEFORE" Scalar,
    /// "1" when there were more files than allowed.
    MultipartFileLimitExceeded "MULTIPART_FILE_LIMIT_EXCEEDED" Scalar,
    /// Raw `filename` parameters of the parts.
    MultipartFilename "MULTIPART_FILENAME" Collection,
    /// "1" when a part header was folded.
    MultipartHeaderFolding "MULTIPART_HEADER_FOLDING" Scalar,
    /// "1" when a part header was folded with something else than blanks.
    MultipartInvalidHeaderFolding "MULTIPART_INVALID_HEADER_FOLDING" Scalar,
    /// "1" when a part was malformed.
    MultipartInvalidPart "MULTIPART_INVALID_PART" Scalar,
    /// "1" when single quotes were used in a part header.
    MultipartInvalidQuoting "MULTIPART_INVALID_QUOTING" Scalar,
    /// "1" when a line ended in LF alone.
    MultipartLfLine "MULTIPART_LF_LINE" Scalar,
    /// "1" when the semicolon before the boundary was missing.
    MultipartMissingSemicolon "MULTIPART_MISSING_SEMICOLON" Scalar,
    /// Raw `name` parameters of the parts.
    MultipartName "MULTIPART_NAME" Collection,
    /// Header lines of the parts; key is the form field.
    MultipartPartHeaders "MULTIPART_PART_HEADERS" Collection,
    /// "1" when any strictness flag is set.
    MultipartStrictError "MULTIPART_STRICT_ERROR" Scalar,
    /// "1" when a boundary-like line was not the boundary, "2" when a proper one followed.
    MultipartUnmatchedBoundary "MULTIPART_UNMATCHED_BOUNDARY" Scalar,
    /// "1" when the response body was longer than its limit.
    OutboundDataError "OUTBOUND_DATA_ERROR" Scalar,
    /// Decoded path without query.
    PathInfo "PATH_INFO" Scalar,
    /// Raw query string without the question mark.
    QueryString "QUERY_STRING" Scalar,
    /// Client address.
    RemoteAddr "REMOTE_ADDR" Scalar,
    /// Client address; a filter has no resolver.
    RemoteHost "REMOTE_HOST" Scalar,
    /// Client port.
    RemotePort "REMOTE_PORT" Scalar,
    /// User of Basic credentials.
    RemoteUser "REMOTE_USER" Scalar,
    /// "1" when the request body could not be parsed.
    ReqbodyError "REQBODY_ERROR" Scalar,
    /// Why the request body could not be parsed.
    ReqbodyErrorMsg "REQBODY_ERROR_MSG" Scalar,
    /// Body processor in use: URLENCODED, MULTIPART, JSON, XML or empty.
    ReqbodyProcessor "REQBODY_PROCESSOR" Scalar,
    /// As [`Variable::ReqbodyError`].
    ReqbodyProcessorError "REQBODY_PROCESSOR_ERROR" Scalar,
    /// As [`Variable::ReqbodyErrorMsg`], without the processor's name.
    ReqbodyProcessorErrorMsg "REQBODY_PROCESSOR_ERROR_MSG" Scalar,
    /// Last segment of the decoded path.
    RequestBasename "REQUEST_BASENAME" Scalar,
    /// Raw request body, for urlencoded bodies or when forced.
    RequestBody "REQUEST_BODY" Scalar,
    /// Bytes of request body received.
    RequestBodyLength "REQUEST_BODY_LENGTH" Scalar,
    /// Cookie values.
    RequestCookies "REQUEST_COOKIES" Collection,
    /// Cookie names.
    RequestCookiesNames "REQUEST_COOKIES_NAMES" Collection,
    /// Decoded path without query.
    RequestFilename "REQUEST_FILENAME" Scalar,
    /// Request header values.
    RequestHeaders "REQUEST_HEADERS" Collection,
    /// Request header names.
    RequestHeadersNames "REQUEST_HEADERS_NAMES" Collection,
    /// Method, target and protocol.
    RequestLine "REQUEST_LINE" Scalar,
    /// Method.
    RequestMethod "REQUEST_METHOD" Scalar,
    /// The path in all its readings: under `MEANT` what servers take it for (decoded once and twice, slashes joined, dots
    /// resolved, parameters cut off), under `ALSO` further spellings of it.
    RequestPaths "REQUEST_PATHS" Collection,
    /// `HTTP/1.1`, `HTTP/2`, …
    RequestProtocol "REQUEST_PROTOCOL" Scalar,
    /// Target without scheme, authority and fragment, as sent.
    RequestUri "REQUEST_URI" Scalar,
    /// Target as sent.
    RequestUriRaw "REQUEST_URI_RAW" Scalar,
    /// Persistent collection of a resource.
    Resource "RESOURCE" Collection,
    /// Response body, when inspected.
    ResponseBody "RESPONSE_BODY" Scalar,
    /// Bytes of response body received.
    ResponseContentLength "RESPONSE_CONTENT_LENGTH" Scalar,
    /// Response media type without parameters.
    ResponseContentType "RESPONSE_CONTENT_TYPE" Scalar,
    /// Response header values.
    ResponseHeaders "RESPONSE_HEADERS" Collection,
    /// Response header names.
    ResponseHeadersNames "RESPONSE_HEADERS_NAMES" Collection,
    /// Protocol of the response.
    ResponseProtocol "RESPONSE_PROTOCOL" Scalar,
    /// Status code.
    ResponseStatus "RESPONSE_STATUS" Scalar,
    /// Metadata of the current rule: id, rev, severity, logdata, msg.
    Rule "RULE" Collection,
    /// Local address.
    ServerAddr "SERVER_ADDR" Scalar,
    /// Host of the request without port.
    ServerName "SERVER_NAME" Scalar,
    /// Local port.
    ServerPort "SERVER_PORT" Scalar,
    /// Persistent collection of a session.
    Session "SESSION" Collection,
    /// What `setsid` set.
    SessionId "SESSIONID" Scalar,
    /// Status code, as [`Variable::ResponseStatus`].
    Status "STATUS" Scalar,
    /// Protocol and status code of the response.
    StatusLine "STATUS_LINE" Scalar,
    /// `hh:mm:ss`, UTC.
    Time "TIME" Scalar,
    /// Day of the month, 1 to 31.
    TimeDay "TIME_DAY" Scalar,
    /// Seconds since 1970.
    TimeEpoch "TIME_EPOCH" Scalar,
    /// Hour, two digits.
    TimeHour "TIME_HOUR" Scalar,
    /// Minute, two digits.
    TimeMin "TIME_MIN" Scalar,
    /// Month, 0 to 11.
    TimeMon "TIME_MON" Scalar,
    /// Second, two digits.
    TimeSec "TIME_SEC" Scalar,
    /// Day of the week, 0 (Sunday) to 6.
    TimeWday "TIME_WDAY" Scalar,
    /// Year, four digits.
    TimeYear "TIME_YEAR" Scalar,
    /// Store of the transaction; `TX:0` to `TX:9` are the captures.
    Tx "TX" Collection,
    /// Id of the transaction, equal to Envoy's request id.
    UniqueId "UNIQUE_ID" Scalar,
    /// "1" when an invalid %-encoding was found in query or form.
    UrlencodedError "URLENCODED_ERROR" Scalar,
    /// Persistent collection of a user.
    User "USER" Collection,
    /// What `setuid` set.
    UserId "USERID" Scalar,
    /// What `SecWebAppId` set.
    WebAppId "WEBAPPID" Scalar,
    /// Values of the XML body selected by an XPath.
    Xml "XML" Collection,
}

impl Variable {
    /// Looks a name up without regard to case. `JSON` and names that exist in no engine are unknown.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|v| v.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The phase from which on all of it is known. What rules set is known as soon as they have.
    #[must_use]
    pub fn known_from(self) -> Phase {
        let name = self.name();
        match self {
            Self::ResponseBody | Self::ResponseContentLength | Self::OutboundDataError => Phase::ResponseBody,
            Self::Status | Self::StatusLine => Phase::ResponseHeaders,
            // Rules of phase 1 look at the processor, and change it.
            Self::ReqbodyProcessor => Phase::RequestHeaders,
            Self::Args
            | Self::ArgsNames
            | Self::ArgsCombinedSize
            | Self::ArgsPost
            | Self::ArgsPostNames
            | Self::FullRequest
            | Self::FullRequestLength
            | Self::InboundDataError
            | Self::RequestBody
            | Self::RequestBodyLength
            | Self::Xml => Phase::RequestBody,
            _ if name.starts_with("RESPONSE_") => Phase::ResponseHeaders,
            _ if name.starts_with("FILES")
                || name.starts_with("MULTIPART")
                || name.starts_with("REQBODY") =>
            {
                Phase::RequestBody
            }
            _ => Phase::RequestHeaders,
        }
    }

    /// Whether a part of it is known before [`Variable::known_from`]: what the head of the request says.
    #[must_use]
    pub const fn is_known_in_part(self) -> bool {
        matches!(
            self,
            Self::Args
                | Self::ArgsNames
                | Self::ArgsCombinedSize
                | Self::FullRequest
                | Self::FullRequestLength
        )
    }

    /// Whether there is something in it only when request bodies are inspected.
    #[must_use]
    pub fn is_of_request_body(self) -> bool {
        self.known_from() == Phase::RequestBody && !self.is_known_in_part()
    }

    /// Whether a scalar's value is not kept, but made when a rule asks for it.
    #[must_use]
    pub const fn is_made_when_asked(self) -> bool {
        matches!(
            self,
            Self::ArgsCombinedSize
                | Self::Duration
                | Self::FullRequest
                | Self::FullRequestLength
                | Self::MatchedVar
                | Self::MatchedVarName
                | Self::Time
                | Self::TimeDay
                | Self::TimeEpoch
                | Self::TimeHour
                | Self::TimeMin
                | Self::TimeMon
                | Self::TimeSec
                | Self::TimeWday
                | Self::TimeYear
                | Self::WebAppId
        )
    }

    /// Whether rules can change it while a phase runs, so that what it holds must be looked up anew
    /// each time.
    #[must_use]
    pub const fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::Tx
                | Self::MatchedVar
                | Self::MatchedVarName
                | Self::MatchedVars
                | Self::MatchedVarsNames
                | Self::HighestSeverity
                | Self::Rule
                | Self::Env
                | Self::Geo
                | Self::ArgsPath
                | Self::Client
                | Self::Global
                | Self::Ip
                | Self::Resource
                | Self::Session
                | Self::SessionId
                | Self::User
                | Self::UserId
                | Self::Duration
                | Self::ReqbodyProcessor
                | Self::MscPcreLimitsExceeded
        )
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
