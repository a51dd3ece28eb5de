//! Rules: what the JSON forms and SecLang both become.

use std::sync::Arc;

use super::{RiskMark, Target, Template, Tree, XmlArguments};
use crate::diagnostic::Place;
use crate::lua::Script;
use crate::operators::Operator;
use crate::transforms::Transformation;
use crate::xpath::Namespace;

/// The five moments at which rules run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// 1: all request headers are there.
    RequestHeaders = 1,
    /// 2: the request body, or its inspected part, is there.
    RequestBody = 2,
    /// 3: all response headers are there.
    ResponseHeaders = 3,
    /// 4: the response body, or its inspected part, is there.
    ResponseBody = 4,
    /// 5: before the transaction is logged. Nothing can be refused any more.
    Logging = 5,
}

impl Phase {
    /// All phases in order.
    pub const ALL: [Phase; 5] =
        [Self::RequestHeaders, Self::RequestBody, Self::ResponseHeaders, Self::ResponseBody, Self::Logging];

    /// 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// A number from 1 to 5, or `request` (2), `response` (4), `logging` (5) in any case.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "1" => Some(Self::RequestHeaders),
            "2" | "request" => Some(Self::RequestBody),
            "3" => Some(Self::ResponseHeaders),
            "4" | "response" => Some(Self::ResponseBody),
            "5" | "logging" => Some(Self::Logging),
            _ => None,
        }
    }
}

/// Where a rule was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// File, or the JSON path within the policy.
    pub file: Arc<str>,
    /// First line of the rule, from 1.
    pub line: u32,
    /// The rule's beginning.
    pub place: Place,
}

/// A rule: one or more links that must all match, and what follows when they do.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The rule's number; 0 for a `SecAction` without one.
    pub id: u64,
    /// Where it was written.
    pub origin: Origin,
    /// When it runs.
    pub phase: Phase,
    /// The conditions, in order; never empty.
    pub links: Vec<Link>,
    /// What happens to the exchange when it matches.
    pub resolution: Resolution,
    /// Status for deny and redirect, when set.
    pub status: Option<u16>,
    /// How many of the following rules of the phase are skipped.
    pub skip: u32,
    /// Marker, or id of a later rule of the phase, at which evaluation goes on.
    pub skip_after: Option<Vec<u8>>,
    /// Whether a match is written to the error log.
    pub log: bool,
    /// Whether a match makes the transaction relevant for the audit log.
    pub audit: bool,
    /// What is reported.
    pub meta: Metadata,
    /// What a match says of the client.
    pub risk: Option<Box<RiskMark>>,
}

impl Rule {
    /// Its links, and the conditions of its tree.
    pub fn all_links(&self) -> impl Iterator<Item = &Link> {
        let tree = self.risk.iter().filter_map(|mark| mark.tree.as_ref());
        self.links.iter().chain(tree.flat_map(Tree::leaves))
    }

    /// Whether it has a script in any place.
    #[must_use]
    pub fn runs_scripts(&self) -> bool {
        let acts = |link: &Link| link.actions.iter().any(|action| matches!(action, Action::Exec(_)));
        self.all_links().any(|link| link.asks_script() || acts(link))
    }
}

impl Link {
    /// Whether a script decides if it matches.
    #[must_use]
    pub fn asks_script(&self) -> bool {
        let operator = self.condition.as_ref().map(|condition| &condition.operator);
        self.script.is_some() || operator.is_some_and(|operator| operator.script().is_some())
    }
}

/// What a rule says about itself in logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `msg`.
    pub message: Option<Template>,
    /// `logdata`.
    pub data: Option<Template>,
    /// `tag`, in order.
    pub tags: Vec<Template>,
    /// `severity`.
    pub severity: Option<Severity>,
    /// `rev`.
    pub rev: Option<String>,
    /// `ver`.
    pub ver: Option<String>,
    /// `maturity`, 1 to 9.
    pub maturity: Option<u8>,
    /// `accuracy`, 1 to 9.
    pub accuracy: Option<u8>,
}

/// What a matching rule does to the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Nothing: the next rule follows.
    Pass,
    /// Later rules are left out, as far as the scope goes.
    Allow(AllowScope),
    /// The exchange is answered with the rule's status, else 403.
    Deny,
    /// The connection or stream is closed.
    Drop,
    /// The exchange is answered with a redirect to this URL.
    Redirect(Template),
}

/// How far `allow` reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowScope {
    /// This phase and all later ones except logging.
    Transaction,
    /// The rest of this phase.
    Phase,
    /// The rest of this phase and of the request phases.
    Request,
}

/// One condition of a rule with the actions that run as soon as it matches a value.
#[derive(Clone, Debug)]
pub struct Link {
    /// What is tested; `None` always matches once (`SecAction`), unless there is a script.
    pub condition: Option<Condition>,
    /// `SecRuleScript`: matches when the script returns a string, which is the message of a rule without one.
    pub script: Option<Script>,
    /// Whether the operator's captures are stored in `TX:0` to `TX:9`.
    pub capture: bool,
    /// Run for each value that matches, in order.
    pub actions: Vec<Action>,
    /// Where its variables are listed.
    pub place: Place,
}

/// Variables, transformations, operator.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is looked at, in order, exclusions among them.
    pub targets: Vec<Target>,
    /// Applied left to right to each value; `none` is already resolved.
    pub transformations: Vec<Transformation>,
    /// Test the untransformed value and each changed stage, instead of the last only.
    pub multi_match: bool,
    /// The test.
    pub operator: Operator,
    /// Whether the test's outcome is inverted, per value.
    pub negated: bool,
    /// `xmlns`: the prefixes that its XPath expressions use.
    pub namespaces: Vec<Namespace>,
}

/// How bad a match is; 0 is worst, as in syslog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(u8);

impl Severity {
    const NAMES: [&'static str; 8] =
        ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

    /// A number from 0 to 7.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 8 { Some(Self(number)) } else { None }
    }

    /// A number from 0 to 7 or a name in any case.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse() {
            return Self::new(number);
        }
        let position = Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text))?;
        Self::new(u8::try_from(position).ok()?)
    }

    /// 0 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The upper-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("DEBUG")
    }
}

/// What a link does when it matches, beside the rule's resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `setvar`.
    SetVar(SetVar),
    /// `expirevar`: the key is removed this many seconds later.
    ExpireVar {
        /// Whose key.
        collection: Store,
        /// The key.
        key: Template,
        /// Seconds, a number after expansion.
        seconds: Template,
    },
    /// `initcol`, `setsid`, `setuid`, `setrsc`: opens a persistent collection under a key.
    InitCollection {
        /// Which collection.
        collection: Store,
        /// The key of its record.
        key: Template,
    },
    /// `setenv`.
    SetEnv {
        /// The name.
        name: Template,
        /// The value.
        value: Template,
    },
    /// `sanitiseArg` and its like: what the audit log must not show.
    Sanitise(Secret),
    /// `ctl`: changes how the rest of the transaction is handled.
    Ctl(Ctl),
    /// `exec`: the script runs once the whole rule has matched; what it returns does not matter.
    Exec(Script),
}

/// What the audit log masks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The values of arguments with this name, in any case.
    Argument(Box<str>),
    /// The values of request header fields with this name.
    RequestHeader(Box<str>),
    /// The values of response header fields with this name.
    ResponseHeader(Box<str>),
    /// The value that matched, as it was before transformations.
    Matched,
}

/// Collections that rules can write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Store {
    /// The transaction's own.
    Tx,
    /// Persistent, one for all.
    Global,
    /// Persistent, of a client address.
    Ip,
    /// Persistent, of a resource.
    Resource,
    /// Persistent, of a session.
    Session,
    /// Persistent, of a user.
    User,
    /// What is known of the client: `RISK`, `STATE`, `STATUS`, `BLOCKS`. Rules can change `RISK` only.
    Client,
}

/// `setvar:collection.key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVar {
    /// Where.
    pub collection: Store,
    /// The key; compared without regard to case.
    pub key: Template,
    /// What happens to it.
    pub change: Change,
}

/// What `setvar` does to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `!`: the key and all its values go.
    Remove,
    /// The key holds this, and only this. Without a value it is `1`.
    Set(Template),
    /// `=+`: an integer is added; what is no number counts as 0.
    Add(Template),
    /// `=-`: an integer is taken away.
    Subtract(Template),
}

impl Change {
    /// What is set, added or taken away.
    #[must_use]
    pub fn text(&self) -> Option<&Template> {
        match self {
            Self::Remove => None,
            Self::Set(text) | Self::Add(text) | Self::Subtract(text) => Some(text),
        }
    }
}

/// The options of `ctl`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ctl {
    /// `auditEngine`.
    AuditEngine(AuditEngine),
    /// `auditLogParts`: the letters added, removed or set.
    AuditLogParts {
        /// How the letters change the set.
        change: PartsChange,
        /// The letters.
        parts: String,
    },
    /// `debugLogLevel`: accepted; a filter has no debug log.
    DebugLogLevel,
    /// `forceRequestBodyVariable`.
    ForceRequestBodyVariable(bool),
    /// `forceResponseBodyVariable`.
    ForceResponseBodyVariable(bool),
    /// `parseXmlIntoArgs`.
    XmlArguments(XmlArguments),
    /// `requestBodyAccess`.
    RequestBodyAccess(bool),
    /// `requestBodyLimit`, bytes.
    RequestBodyLimit(usize),
    /// `requestBodyProcessor`, upper-case.
    RequestBodyProcessor(String),
    /// `responseBodyAccess`.
    ResponseBodyAccess(bool),
    /// `responseBodyLimit`, bytes.
    ResponseBodyLimit(usize),
    /// `responseBodyProcessor`, upper-case.
    ResponseBodyProcessor(String),
    /// `ruleEngine`.
    RuleEngine(EngineMode),
    /// `ruleRemoveById`, `ruleRemoveByTag`, `ruleRemoveByMsg`.
    RemoveRules(RuleSelector, Place),
    /// `ruleRemoveTargetById`, `…ByTag`, `…ByMsg`: the target no longer counts for those rules. Its mode
    /// is [`TargetMode::Exclude`](super::TargetMode::Exclude).
    RemoveTarget(RuleSelector, Target, Place),
    /// `hashEngine`, `hashEnforcement`: accepted; hashing does not exist here.
    Hash,
}

/// How `ctl:auditLogParts` changes the set of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartsChange {
    /// `+`.
    Add,
    /// `-`.
    Remove,
    /// No sign.
    Set,
}

/// Which rules a removal or update means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleSelector {
    /// Inclusive ranges of ids.
    Ids(Vec<(u64, u64)>),
    /// Rules with this tag, exactly, before macros are expanded.
    Tag(Vec<u8>),
    /// Rules with this message, exactly, before macros are expanded.
    Message(Vec<u8>),
}

/// Whether rules run, and whether what they decide is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EngineMode {
    /// Rules don't run.
    Off,
    /// Rules run, nothing is refused.
    DetectionOnly,
    /// Rules run and refuse.
    #[default]
    On,
}

/// How audit records are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditFormat {
    /// One JSON object.
    #[default]
    Json,
    /// ModSecurity's sections.
    Native,
}

/// Which transactions are written to the audit log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditEngine {
    /// None.
    #[default]
    Off,
    /// Those with a relevant status or a match of an auditing rule.
    RelevantOnly,
    /// All.
    On,
}
