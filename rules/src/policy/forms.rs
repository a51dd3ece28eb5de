//! The shape of a policy. What stands here is also its reference: the documentation of each field goes
//! into the JSON Schema as it is.

use super::files::Base64;
use super::json::{Kind, Value};
use super::network::NetworkForm;
use super::read::{Form, Named, OneOrMany, form};
use super::report::{Reporter, Spanned};
use super::risk_forms::RiskForm;
use super::risk_values::{ActionOnClient, ClassificationName, RiskNumber, StateName, WorkerMebibytes};
use super::values::{
    ActionName, ByteLimit, Count, PhaseName, RuleAction, RuleId, SeverityName, StatusCode, Switch, Text,
};
use crate::diagnostic::Code;
use crate::limits;
use crate::model::{
    Enforcement, LimitAction, OnOverload, Phase, RepeatedHost, ResponseLimitAction, UnparsableAction,
};

form! {
    /// A policy of the web application firewall: rule sets, evaluated in order, phase by phase.
    PolicyForm {
        /// Where the JSON Schema of policies is, for editors. Without effect.
        #[expect(dead_code, reason = "for editors; only its type is checked")]
        optional schema as "$schema": String,
        /// Whether headers are held back until the body is judged.
        default enforcement: Enforcement = Enforcement::Streaming,
        /// What a request with more than one `Host`, or a comma in it, leads to. It is counted in any case.
        default repeated_host: RepeatedHost = RepeatedHost::Refuse,
        /// Where the client's address comes from. Default: the connection's peer.
        optional client_address: ClientAddressForm,
        /// Contents of data files that operators refer to, by file name. A name is looked up as it is written.
        optional files: Named<Spanned<FileForm>>,
        /// Risk per client: what rules say of clients adds up to a score that leads to slowing, challenging and blocking. Without it no client is watched.
        optional risk: RiskForm,
        /// The rule sets in the order of evaluation. A rule id stands once in all of them.
        list rule_sets: RuleSetForm,
        /// Who may connect, where connections may be made to, and which local addresses are used.
        optional network: NetworkForm,
        /// How much memory a worker may take, and what happens past it.
        optional memory: MemoryForm,
    }
}

form! {
    /// The memory of a worker. All of its exchanges share it with the policy itself and what is retained.
    MemoryForm {
        /// Mebibytes that all of it may take. A worker's virtual machine ends at about 1,024.
        default worker_mebibytes: WorkerMebibytes = WorkerMebibytes(limits::WORKER_MEBIBYTES),
        /// What becomes of an exchange that does not fit. It is counted and logged in any case.
        default on_overload: OnOverload = OnOverload::Refuse,
    }
}

form! {
    /// How the client's address is found behind other proxies.
    ClientAddressForm {
        /// Header with the addresses of client and hops, such as `x-forwarded-for`. It is believed as far as `trusted_hops` goes.
        optional header: String,
        /// Addresses and networks whose word about the client is believed. Of the connection's peer and the addresses in the header, from the right, the first that is not among these is the client. Default: none, so that the peer is the client.
        list trusted_hops: Spanned<String>,
    }
}

form! {
    /// A data file. It has either a text or base64-encoded bytes.
    FileForm {
        /// The contents.
        optional text: String,
        /// The contents, base64-encoded, for bytes that are not UTF-8. Line breaks are passed over.
        optional base64: Base64,
    }
}

form! {
    /// Ordered rules with their settings.
    RuleSetForm {
        /// Name of the rule set, for reports: letters, digits, `_`, `-` and `.`. Each has its own.
        required name: String,
        /// Whether request bodies are inspected.
        default process_request_body: bool = true,
        /// Bytes of a request body that are inspected. 0 is the whole body, up to what Envoy holds.
        default request_body_limit: ByteLimit = ByteLimit(limits::REQUEST_BODY_BYTES),
        /// What a request body over its limit leads to. `INBOUND_DATA_ERROR` is 1 in any case.
        default request_body_limit_action: LimitAction = LimitAction::ProcessPartial,
        /// What a request body leads to that can't be parsed, such as JSON with an error in it. `REQBODY_ERROR` is 1 in any case. Default: `reject`; in a set that holds nothing but SecLang `pass`, because there rules decide.
        optional on_unparsable_body: UnparsableAction,
        /// Whether response bodies are inspected.
        default process_response_body: bool = false,
        /// Bytes of a response body that are inspected. 0 is the whole body, up to what Envoy holds.
        default response_body_limit: ByteLimit = ByteLimit(limits::RESPONSE_BODY_BYTES),
        /// What a response body over its limit leads to. `OUTBOUND_DATA_ERROR` is 1 in any case.
        default response_body_limit_action: ResponseLimitAction = ResponseLimitAction::PassUninspected,
        /// Media types such as `text/html` of the response bodies that are inspected. Default: all. An empty array means none.
        optional response_body_types: Vec<Spanned<String>>,
        /// What a matching rule does to the exchange when it doesn't say. With `redirect_url`, `default_phase` and `default_log` it is what `SecDefaultAction` says in raw SecLang, until that has one of its own.
        default default_action: ActionName = ActionName::Pass,
        /// URL of redirects whose rule has none, and of the default action `redirect`: `http://…`, `https://…` or a path. Macros such as `%{REQUEST_URI}` are expanded.
        optional redirect_url: String,
        /// Phase of the rules that name none.
        default default_phase: PhaseName = PhaseName(Phase::RequestBody),
        /// Whether matches of the rules that don't say are logged. An empty string stands for the default.
        default default_log: Switch = Switch(Some(true)),
        /// Rules run and log, but nothing is refused, redirected or allowed early.
        default only_logging: bool = false,
        /// Ids of rules of this set that never match. `skip` still counts them.
        list disable_rules: Spanned<RuleId>,
        /// Whether all transactions are written to the audit log. Without it, none are.
        default audit: bool = false,
        /// MaxMind database (`.mmdb`) among the policy's `files` that `geoLookup` looks in. Default: that of `risk.country`.
        optional geo_database: String,
        /// Rules, markers and raw SecLang in the order of evaluation.
        list rules: ItemForm,
        /// Raw SecLang: one text or several, after `rules` in the order of evaluation. Between rules it stands as `{"raw": …}`.
        optional seclang: OneOrMany<SecLangForm>,
    }
}

impl RuleSetForm {
    /// Whether any of its rules are raw SecLang.
    pub(super) fn has_seclang(&self) -> bool {
        self.seclang.is_some() || self.rules.iter().any(|item| matches!(item, ItemForm::Raw(_)))
    }
}

form! {
    /// A rule: if all its matches apply, its resolution follows.
    RuleForm {
        /// Number of the rule, from 1; an integer or a string of digits. It stands once in all rule sets.
        required rule_id: RuleId,
        /// What a match means, for logs, on one line. Macros such as `%{MATCHED_VAR}` are expanded.
        optional description: String,
        /// When the rule runs: 1 (request headers), 2 or `request` (request body), 3 (response headers), 4 or `response` (response body), 5 or `logging` (before logging, when nothing can be refused). Default: the rule set's `default_phase`.
        optional phase: PhaseName,
        /// What happens to the exchange when the rule matches.
        default resolution: RuleAction = RuleAction(None),
        /// URL of a redirect: `http://…`, `https://…` or a path. Macros are expanded. Default: the rule set's `redirect_url`.
        optional redirect_url: String,
        /// Status code of the answer. For deny 100 to 599, default 403; for redirect 301, 302, 303, 307 or 308, default 302.
        optional status: StatusCode,
        /// How many of the following rules of the phase are left out when this one matches; markers don't count. Not together with `skip_after`.
        default skip: Count = Count(0),
        /// Marker, or id of a later rule of the phase, at which evaluation goes on when this rule matches.
        optional skip_after: Text,
        /// Whether a match is logged. Default, also for an empty string: the rule set's `default_log`.
        optional log: Switch,
        /// Whether a match makes the transaction relevant for the audit log. An empty string stands for the default.
        default audit: Switch = Switch(Some(true)),
        /// Tags for logs and for the selection of rules; one or several. Macros are expanded.
        optional tag: OneOrMany<Spanned<String>>,
        /// How bad a match is: 0 (worst) to 7, or EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG.
        optional severity: SeverityName,
        /// What is logged about the match beside the description. Macros are expanded.
        optional data: String,
        /// Lua script that runs when the rule matches: the name of one of the policy's `files`, which ends in `.lua`. What it returns does not matter.
        optional execute: String,
        /// What a match adds to the client's score, 0 to 100, before the gain of its band and the weight of its state.
        optional risk: RiskNumber,
        /// The kind of attack that a match shows. Default: `CustomerRule`.
        optional classification: ClassificationName,
        /// The stage of an attack that a match shows, such as `Scanning` or `Brute Force Attack`.
        optional state: StateName,
        /// What a match does to the client. `block` refuses the exchange if `risk.switches.rule_blocks` is on.
        optional action: ActionOnClient,
        /// Conditions that must all apply, tested in order. Without any the rule always matches.
        list matches: Spanned<MatchForm>,
    }
}

form! {
    /// A place to which `skip_after` can jump.
    MarkerForm {
        /// Name of the place.
        required mark: String,
    }
}

form! {
    /// A condition. It applies if the operator finds any value of the variables, after the transformations.
    MatchForm {
        /// What is tested: variables such as `ARGS`, `REQUEST_HEADERS:host`, `ARGS:/^id_/`, `&ARGS` (their number), `!ARGS:token` (left out); one or several. A string may hold several, separated by `|`. `ARGS_JSON:user.name` is an argument of a JSON body.
        required variables: OneOrMany<Spanned<String>>,
        /// What is done to each value before it is tested, in order, such as `urlDecode`, `lowercase`. `none` takes away what stands before it.
        list transformations: Spanned<String>,
        /// Test the value before the transformations and after each one that changes it, not only at the end.
        default multi_match: bool = false,
        /// How values are tested: the name of an operator, of SecLang or of the forms, with or without `@`. Default: `rx`.
        optional operator: String,
        /// The operator's argument. Default: empty.
        optional operating: Text,
        /// Whether the outcome is inverted, for each value. A variable without values never applies.
        default not_match: bool = false,
        /// Whether what the operator finds is stored in `TX:0` to `TX:9`.
        default capture: bool = false,
    }
}

form! {
    /// Rules written as SecLang. They may refer to the other rules of the set, and settings that they make hold for all of it.
    RawForm {
        /// The SecLang, such as `SecRule ARGS "@rx attack" "id:1,phase:2,deny"`. A chain ends in the text in which it begins.
        required raw: String,
    }
}

/// An item of a rule set.
#[derive(Debug)]
pub(super) enum ItemForm {
    Rule(Box<Spanned<RuleForm>>),
    Marker(MarkerForm),
    Raw(RawForm),
}

impl Form for ItemForm {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Object(members) = &value.kind else {
            reporter.wrong_type(value, "a rule, a marker or raw SecLang");
            return None;
        };
        let kinds = ["mark", "raw", "rule_id"];
        let mut found = members.iter().filter(|member| kinds.contains(&&*member.key));
        let Some(first) =
            found.next().filter(|first| first.key != "rule_id" || found.clone().next().is_some())
        else {
            if !reporter.admits_rule(value.span) {
                return None;
            }
            return Spanned::read(value, reporter).map(|rule| Self::Rule(Box::new(rule)));
        };
        if let Some(other) = found.find(|other| other.key != first.key) {
            let message = "an item is either a rule, or a marker, or raw SecLang";
            let diagnostic = reporter.at(Code::E0107, other.key_span, message);
            let diagnostic = reporter.also(diagnostic, first.key_span, "here is the first of them");
            reporter.push(diagnostic.help("write them as several items"));
            return None;
        }
        match &*first.key {
            "raw" => RawForm::read(value, reporter).map(Self::Raw),
            "mark" => MarkerForm::read(value, reporter).map(Self::Marker),
            _ => Spanned::read(value, reporter).map(|rule| Self::Rule(Box::new(rule))),
        }
    }
}

form! {
    /// SecLang with a name for reports.
    SecLangFile {
        /// Name of the file for reports; includes and data files are looked up beside it.
        required file: String,
        /// The SecLang of the file.
        required text: String,
    }
}

/// A piece of raw SecLang.
#[derive(Debug)]
pub(super) struct SecLangForm {
    /// The file's name, if it has one.
    pub(super) name: Option<String>,
    /// The text.
    pub(super) text: String,
}

impl Form for SecLangForm {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        if let Kind::String(text) = &value.kind {
            return Some(Self { name: None, text: text.clone().into_owned() });
        }
        if !matches!(value.kind, Kind::Object(_)) {
            reporter.wrong_type(value, "SecLang as a string or a file");
            return None;
        }
        let file = SecLangFile::read(value, reporter)?;
        let text = file.text?;
        Some(Self { name: file.file.map(|name| name.value), text: text.value })
    }
}
