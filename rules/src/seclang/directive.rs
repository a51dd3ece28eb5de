//! The directives: every one of ModSecurity v3 and Coraza, and the older ones that configurations still
//! carry, each with what becomes of it here.

use super::settings as set;
use super::text::Text;
use crate::diagnostic::Diagnostic;
use crate::model::Settings;

/// Writes one value into the settings. Gets the directive's name for messages.
pub(super) type Setter =
    fn(&mut Settings, &Text, &'static str, &mut Vec<Diagnostic>) -> Result<(), Diagnostic>;

/// By what rules are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Id,
    Tag,
    Message,
}

/// What the value of a directive without effect may be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// Anything.
    Any,
    /// A number from 0 up to this one.
    UpTo(u64),
    /// `On` or `Off`.
    Switch,
    /// One of these words.
    Words(&'static [&'static str]),
    /// File permissions in octal digits, or `default`.
    Mode,
}

/// What becomes of a directive.
#[derive(Clone, Copy)]
pub(super) enum Role {
    Rule,
    Action,
    /// A rule that a script decides.
    Script,
    Marker,
    DefaultAction,
    Include {
        optional: bool,
    },
    Remove(By),
    UpdateTarget(By),
    UpdateAction,
    Dataset,
    /// The database of `@geoLookup`.
    GeoDatabase,
    IgnoreErrors,
    MimeTypes,
    MimeTypesClear,
    /// A setting with one value.
    Set(Setter),
    /// Accepted; has no effect, for this reason. The value is checked all the same.
    Inert(Check, &'static str),
    /// Accepted when `Off`; `On` is refused for this reason.
    OffOnly(&'static str),
    /// Refused for this reason.
    Refused(&'static str),
}

/// A directive.
pub(super) struct Directive {
    /// Usual spelling; compared without regard to case.
    pub(super) name: &'static str,
    pub(super) role: Role,
}

const FILES: &str = "a filter has no files";
const LOG: &str = "where records go is up to the filter's host";
const LINEAR: &str = "matching takes linear time and needs no limits";
const SERVER: &str = "Envoy holds the connections and their limits";
const HASH: &str = "links are not signed";
const LOOKUP: &str = "there is no such database in a filter";
const UNICODE: &str = "the mapping of code page 20127 is built in";
const MODES: &[&str] = &["Serial", "Concurrent", "Parallel", "HTTPS", "Syslog"];
const ANY_NUMBER: Check = Check::UpTo(u64::MAX);

macro_rules! directives {
    ($($name:ident $role:expr,)+) => {
        &[$(Directive { name: stringify!($name), role: $role },)+]
    };
}

use Role::{Inert, OffOnly, Refused, Set};

/// Every directive.
pub(super) const DIRECTIVES: &[Directive] = directives! {
    Include Role::Include { optional: false },
    IncludeOptional Role::Include { optional: true },
    SecAction Role::Action,
    SecArgumentSeparator Set(set::argument_separator),
    SecArgumentsLimit Set(set::arguments_limit),
    SecAuditEngine Set(set::audit_engine),
    SecAuditLog Inert(Check::Any, LOG),
    SecAuditLog2 Inert(Check::Any, LOG),
    SecAuditLogDirMode Inert(Check::Mode, FILES),
    SecAuditLogFileMode Inert(Check::Mode, FILES),
    SecAuditLogFormat Set(set::audit_format),
    SecAuditLogParts Set(set::audit_parts),
    SecAuditLogRelevantStatus Set(set::audit_relevant_status),
    SecAuditLogStorageDir Inert(Check::Any, FILES),
    SecAuditLogType Inert(Check::Words(MODES), LOG),
    SecCacheTransformations Inert(Check::Any, "transformed values are always shared between rules"),
    SecChrootDir Inert(Check::Any, FILES),
    SecCollectionTimeout Set(set::collection_timeout),
    SecComponentSignature Set(set::component_signature),
    SecConnEngine Inert(Check::Any, SERVER),
    SecConnReadStateLimit Inert(Check::Any, SERVER),
    SecConnWriteStateLimit Inert(Check::Any, SERVER),
    SecContentInjection OffOnly("a filter does not change response bodies"),
    SecCookieFormat Set(set::cookie_format),
    SecCookieV0Separator Set(set::cookie_separator),
    SecDataDir Inert(Check::Any, "persistent collections live in the host's shared memory"),
    SecDataset Role::Dataset,
    SecDebugLog Inert(Check::Any, LOG),
    SecDebugLogLevel Inert(Check::UpTo(9), "the level of messages is up to the filter's host"),
    SecDefaultAction Role::DefaultAction,
    SecDisableBackendCompression OffOnly("request headers are not changed; take `accept-encoding` off in a route"),
    SecGeoLookupDb Role::GeoDatabase,
    SecGsbLookupDb Inert(Check::Any, LOOKUP),
    SecGuardianLog Refused("a filter starts no programs"),
    SecHashEngine OffOnly(HASH),
    SecHashKey Inert(Check::Any, HASH),
    SecHashMethodPm Inert(Check::Any, HASH),
    SecHashMethodRx Inert(Check::Any, HASH),
    SecHashParam Inert(Check::Any, HASH),
    SecHttpBlKey Inert(Check::Any, "a filter can't ask name servers"),
    SecIgnoreRuleCompilationErrors Role::IgnoreErrors,
    SecInterceptOnError OffOnly("what happens after an internal error is set in the policy"),
    SecMarker Role::Marker,
    SecParseXmlIntoArgs Set(set::xml_arguments),
    SecPcreMatchLimit Inert(ANY_NUMBER, LINEAR),
    SecPcreMatchLimitRecursion Inert(ANY_NUMBER, LINEAR),
    SecReadStateLimit Inert(Check::Any, SERVER),
    SecRemoteRules Refused("a filter loads no rules from elsewhere; put them into the policy"),
    SecRemoteRulesFailAction Inert(Check::Words(&["Abort", "Warn"]), "no rules are loaded from elsewhere"),
    SecRequestBodyAccess Set(set::request_body_access),
    SecRequestBodyInMemoryLimit Inert(ANY_NUMBER, "bodies are held in memory only"),
    SecRequestBodyJsonDepthLimit Set(set::json_depth_limit),
    SecRequestBodyLimit Set(set::request_body_limit),
    SecRequestBodyLimitAction Set(set::request_body_limit_action),
    SecRequestBodyNoFilesLimit Set(set::request_body_no_files_limit),
    SecResponseBodyAccess Set(set::response_body_access),
    SecResponseBodyLimit Set(set::response_body_limit),
    SecResponseBodyLimitAction Set(set::response_body_limit_action),
    SecResponseBodyMimeType Role::MimeTypes,
    SecResponseBodyMimeTypesClear Role::MimeTypesClear,
    SecRule Role::Rule,
    SecRuleEngine Set(set::engine),
    SecRuleInheritance OffOnly("a rule set has no parent to inherit from"),
    SecRulePerfTime Inert(ANY_NUMBER, "the time rules take is not measured"),
    SecRuleRemoveById Role::Remove(By::Id),
    SecRuleRemoveByMsg Role::Remove(By::Message),
    SecRuleRemoveByTag Role::Remove(By::Tag),
    SecRuleScript Role::Script,
    SecRuleUpdateActionById Role::UpdateAction,
    SecRuleUpdateTargetById Role::UpdateTarget(By::Id),
    SecRuleUpdateTargetByMsg Role::UpdateTarget(By::Message),
    SecRuleUpdateTargetByTag Role::UpdateTarget(By::Tag),
    SecRxPreFilter Inert(Check::Switch, "patterns are always tried by their literals first"),
    SecSensorId Inert(Check::Any, "records carry the name of the node already"),
    SecServerSignature Inert(Check::Any, "set Envoy's `server_name`"),
    SecStatusEngine Inert(Check::Switch, "nothing is sent to anyone"),
    SecStreamInBodyInspection OffOnly("`STREAM_INPUT_BODY` does not exist; use `REQUEST_BODY`"),
    SecStreamOutBodyInspection OffOnly("`STREAM_OUTPUT_BODY` does not exist; use `RESPONSE_BODY`"),
    SecTmpDir Inert(Check::Any, FILES),
    SecTmpSaveUploadedFiles Inert(Check::Switch, "contents of uploaded files are in memory"),
    SecUnicodeCodePage Inert(ANY_NUMBER, UNICODE),
    SecUnicodeMap Inert(Check::Any, UNICODE),
    SecUnicodeMapFile Inert(Check::Any, UNICODE),
    SecUploadDir Inert(Check::Any, FILES),
    SecUploadFileLimit Set(set::upload_file_limit),
    SecUploadFileMode Inert(Check::Mode, FILES),
    SecUploadKeepFiles Inert(Check::Words(&["On", "Off", "RelevantOnly"]), FILES),
    SecWebAppId Set(set::web_app_id),
    SecWriteStateLimit Inert(Check::Any, SERVER),
    SecXmlExternalEntity OffOnly("external entities are never loaded"),
};

/// Looks a directive up without regard to case.
pub(super) fn find(name: &[u8]) -> Option<&'static Directive> {
    DIRECTIVES.iter().find(|d| d.name.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether a directive has this name.
pub(crate) fn is_directive(name: &[u8]) -> bool {
    find(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        for pair in DIRECTIVES.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
        assert!(find(b"secruleengine").is_some());
        assert!(find(b"SecRuleEngin").is_none());
    }
}
