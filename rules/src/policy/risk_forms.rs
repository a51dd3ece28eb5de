//! The shape of the risk part of a policy.

use super::forms::MatchForm;
use super::json::{Kind, Value};
use super::read::{Form, OneOrMany, form};
use super::report::{Reporter, Spanned};
use super::risk_values::{
    ActionOnClient, Attribute, BlockNumber, BytesPerSecond, ClassificationName, Comparison, CookieSeconds,
    DifficultyBits, Direction, Factor, HeldBytes, Ipv4Bits, Ipv6Bits, Matches, Mebibytes, Milliseconds, Per,
    RiskNumber, Score, Seconds, StateName, Streams, WindowSeconds,
};
use super::values::{ByteLimit, PhaseName, RuleId, SeverityName, Text};
use crate::diagnostic::Code;
use crate::limits;
use crate::model::{LimitAction, ResponseLimitAction};
use crate::risk::{Fallback, RateAction, RiskAction, SetBy};

form! {
    /// Risk per client. What is not given has its default, also in the parts that are left out.
    RiskForm {
        /// What makes a client.
        optional entity: EntityForm,
        /// How a client's score comes about.
        optional score: ScoreForm,
        /// What the score leads to.
        optional block: BlockForm,
        /// What is carried out. All are off at first: clients are watched.
        optional switches: SwitchesForm,
        /// Whom the operator allows, denies, blocks, forgets.
        optional lists: ListsForm,
        /// How clients are slowed down.
        optional tarpit: TarpitForm,
        /// When clients have to pass a challenge.
        optional interrogate: InterrogateForm,
        /// Where a client's country comes from. Default: nowhere, and criteria on countries are refused.
        optional country: CountryForm,
        /// Where all of it is kept.
        optional store: StoreForm,
        /// Bytes of a request body that the rules about clients look at. 0 is the whole body, up to what Envoy holds. Default: the largest limit of the rule sets that inspect request bodies; the whole body if there are none.
        optional request_body_limit: ByteLimit,
        /// What a request body over that limit leads to. Default: what it leads to in the rule set with that limit.
        optional request_body_limit_action: LimitAction,
        /// The same as `request_body_limit` for response bodies.
        optional response_body_limit: ByteLimit,
        /// What a response body over that limit leads to. Default: what it leads to in the rule set with that limit.
        optional response_body_limit_action: ResponseLimitAction,
        /// Rules about clients, before all rule sets in the order of evaluation.
        list rules: Spanned<RiskRuleForm>,
    }
}

form! {
    /// What makes a client: requests that agree in all of it are one client's.
    EntityForm {
        /// The address takes part, trusted hops removed (see `client_address`).
        default address: bool = true,
        /// Bits of an IPv4 address that count.
        default ipv4_prefix: Ipv4Bits = Ipv4Bits(32),
        /// Bits of an IPv6 address that count. A client usually has all addresses of a /64.
        default ipv6_prefix: Ipv6Bits = Ipv6Bits(64),
        /// The user agent takes part.
        default user_agent: bool = false,
        /// Header in which Envoy puts the JA3 fingerprint (`%TLS_JA3_FINGERPRINT%`); its value takes part.
        optional ja3_header: String,
        /// Header in which Envoy puts the JA4 fingerprint (`%TLS_JA4_FINGERPRINT%`); its value takes part.
        optional ja4_header: String,
        /// Header whose value takes part, such as `x-api-key`.
        optional header: String,
        /// Cookie whose value takes part.
        optional cookie: String,
        /// The interrogation cookie takes part once it is verified.
        default interrogation_cookie: bool = false,
    }
}

form! {
    /// How the score comes about. A match adds c = risk × gain × weight, at most 100, to what is left of the score s: s + (100 − s) × c / 100.
    ScoreForm {
        /// Seconds in which a score halves.
        default half_life: Seconds = Seconds(900),
        /// Seconds in which there must have been a match of risk 11 or more for the score to block.
        default live_window: Seconds = Seconds(3_600),
        /// Gain of rules of risk 0 to 10.
        default low_gain: Factor = Factor(0.5),
        /// Gain of rules of risk 11 to 90.
        default medium_gain: Factor = Factor(0.7),
        /// Gain of rules of risk 91 to 100.
        default high_gain: Factor = Factor(1.0),
        /// Weight of each state. Rules without state have 1.
        optional state_weights: WeightsForm,
    }
}

form! {
    /// Weights of the states.
    WeightsForm {
        /// Weight of Reconnaissance.
        default reconnaissance: Factor = Factor(0.8),
        /// Weight of Scanning.
        default scanning: Factor = Factor(0.85),
        /// Weight of Web Application Mapping.
        default web_application_mapping: Factor = Factor(0.85),
        /// Weight of Brute Force Attack.
        default brute_force_attack: Factor = Factor(0.95),
        /// Weight of Denial of Service.
        default denial_of_service: Factor = Factor(0.95),
        /// Weight of Exploitation.
        default exploitation: Factor = Factor(1.0),
        /// Weight of Malware Communication.
        default malware_communication: Factor = Factor(1.1),
    }
}

form! {
    /// What the score leads to.
    BlockForm {
        /// Score from which a client is blocked.
        default threshold: Score = Score(70),
        /// Seconds of a block.
        default seconds: Seconds = Seconds(1_800),
        /// The block with this number is for good; 0 for never.
        default permanent_after: BlockNumber = BlockNumber(3),
        /// Seconds after the end of a block until earlier blocks no longer count.
        default forget_after: Seconds = Seconds(86_400),
    }
}

form! {
    /// What is carried out. What is off is still evaluated and recorded.
    SwitchesForm {
        /// Rules whose action is `block` refuse exchanges.
        default rule_blocks: bool = false,
        /// Scores that reach the threshold block clients.
        default risk_blocks: bool = false,
        /// The deny and block lists refuse requests. The allow list works in any case.
        default lists: bool = false,
    }
}

form! {
    /// Lists by address. The allow list comes before the deny list, that before the block list, and all before what scores lead to.
    ListsForm {
        /// Clients that are never refused, whatever rules and scores say.
        list allow: Spanned<ListEntryForm>,
        /// Clients that are denied.
        list deny: Spanned<ListEntryForm>,
        /// Clients that are blocked until their entry ends.
        list block: Spanned<ListEntryForm>,
        /// Clients whose earlier blocks and scores are forgotten: how a permanent block is lifted.
        list reset: Spanned<ResetForm>,
    }
}

form! {
    /// An entry of a list.
    ListEntryForm {
        /// Address or network, IPv4 or IPv6. Bits past a network's length don't matter.
        required address: String,
        /// Why it is there.
        required reason: String,
        /// Who put it there.
        #[expect(dead_code, reason = "for those who keep the list; only its type is checked")]
        optional added_by: String,
        /// When it ends, as `2026-03-01T12:00:00Z`. Default: never.
        optional expires: String,
    }
}

form! {
    /// Forgets what is known of clients.
    ResetForm {
        /// Address or network, IPv4 or IPv6.
        required address: String,
        /// Blocks that began before this time, as `2026-03-01T12:00:00Z`, are lifted, and the score is 0.
        required before: String,
        /// Why it is done.
        optional reason: String,
    }
}

form! {
    /// How clients are slowed down. The n-th slowed answer of a client begins after delay × growth^(n-1), at most `longest`.
    TarpitForm {
        /// Score from which clients are slowed down. Default: only rules slow clients down.
        optional threshold: Score,
        /// Seconds for which a client is slowed after a rule with the action `tarpit` matched.
        default seconds: Seconds = Seconds(300),
        /// Delay of the first answer.
        default delay: Milliseconds = Milliseconds(1_000),
        /// Factor from one answer to the next.
        default growth: Factor = Factor(1.5),
        /// Longest delay.
        default longest: Milliseconds = Milliseconds(10_000),
        /// Bytes of body that pass per second, after the delay. Default: all at once.
        optional bytes_per_second: BytesPerSecond,
        /// Bytes of an answer's body that are held at most; what is larger goes on before its time. Keep it below Envoy's `per_connection_buffer_limit_bytes`, past which Envoy ends the answer.
        default held_bytes: HeldBytes = HeldBytes(limits::TARPIT_HELD_BYTES),
        /// Most answers that a worker holds at once.
        default streams: Streams = Streams(1_000),
        /// What happens to a client that is to be slowed when there are more.
        default fallback: Fallback = Fallback::Pass,
    }
}

form! {
    /// When clients have to pass a challenge.
    InterrogateForm {
        /// Score from which clients are challenged. Default: only rules challenge clients.
        optional threshold: Score,
        /// Seconds for which a client is challenged after a rule with the action `interrogate` matched, unless it has passed.
        default seconds: Seconds = Seconds(3_600),
        /// Secrets of 32 bytes or more that sign pages and cookies: the first signs, all count. To change the key put a new one in front, and take the old one out when its cookies have expired. Default: one that the workers of an Envoy make up, so that cookies don't outlast it.
        list keys: Spanned<String>,
        /// Zero bits of the proof of work: each more doubles a browser's work. 16 take it a fraction of a second.
        default difficulty: DifficultyBits = DifficultyBits(16),
        /// Seconds for which the answer to a page is taken.
        default window: WindowSeconds = WindowSeconds(120),
        /// Name of the cookie that a client gets when it has passed. Default: `portcullis`.
        optional cookie_name: String,
        /// Seconds for which that cookie counts.
        default cookie_seconds: CookieSeconds = CookieSeconds(3_600),
    }
}

form! {
    /// Where a client's country comes from. It has either a header or a database.
    CountryForm {
        /// Request header with the country's two letters.
        optional header: String,
        /// Who sets the header. Clients can send any header: nobody else is believed.
        default set_by: SetBy = SetBy::TrustedHop,
        /// MaxMind database (`.mmdb`) with countries among the policy's `files`.
        optional database: String,
    }
}

form! {
    /// The store that all workers of an Envoy share. Persistent collections are kept in it as well.
    StoreForm {
        /// Mebibytes that it may take. Where it is full the least valuable client goes, never a blocked one while there are others.
        default mebibytes: Mebibytes = Mebibytes(limits::STORE_MEBIBYTES),
        /// Policies with the same name share what is stored: letters, digits, `_`, `-` and `.`. Default: `portcullis`.
        optional name: String,
    }
}

form! {
    /// A rule about clients.
    RiskRuleForm {
        /// Number of the rule, from 1. It stands once in the policy.
        required id: RuleId,
        /// What a match means, on one line. Macros are expanded.
        optional description: String,
        /// Short label.
        optional tag_name: String,
        /// The kind of attack. Default: `CustomerRule`.
        optional classification: ClassificationName,
        /// The stage of an attack.
        optional state: StateName,
        /// What a match adds to the score. 0 to 10 never blocks alone, 91 to 100 nearly at once.
        default risk: RiskNumber = RiskNumber(0),
        /// What a match does to the client.
        default action: ActionOnClient = RiskAction::Track,
        /// Matches are recorded, and neither scored nor acted on.
        default beta: bool = false,
        /// The rule fires when there are more matches than this, and then for each further one. It is scored once per window.
        optional rate: RateForm,
        /// When the rule runs. Default: as soon as all is known that its conditions look at.
        optional phase: PhaseName,
        /// How bad a match is, for logs.
        optional severity: SeverityName,
        /// When the rule matches.
        required condition: ConditionForm,
    }
}

form! {
    /// More than so many matches in so many seconds.
    RateForm {
        /// Matches that are still fine.
        required count: Matches,
        /// Seconds of the window. Matches are counted for at least as long, and for at most an eighth more.
        required seconds: Seconds,
        /// What happens to what the matches are counted by, once there are more, for the rest of the window: before the upstream sees the request. Default: nothing but what the rule's own `action` does about each match.
        optional action: RateAction,
        /// What the matches are counted by: of several, by all of them together. Default: `client`; with `account` given, `account`.
        optional per: OneOrMany<Spanned<Per>>,
        /// Variables that say which account a request is about, such as `ARGS:user` or `REQUEST_HEADERS:x-user`: the first one that a request has. Accounts are compared without regard to case and to blanks around them. A request without an account is not counted.
        optional account: OneOrMany<Spanned<String>>,
    }
}

form! {
    /// A criterion on an attribute.
    CriterionForm {
        /// What is looked at.
        required attribute: Attribute,
        /// How it is compared. Lists of addresses and countries have no operator.
        default operator: Comparison = Comparison::Equals,
        /// What it is compared with; of several, any will do. Lists of addresses, countries, methods and statuses may also stand in one string, parted by commas; statuses also as `500-504` and `4xx`.
        required value: OneOrMany<Spanned<Text>>,
        /// Name of the argument, for `named_argument`.
        optional name: String,
        /// Name of the header, for `header`.
        optional field: String,
        /// Which way the header goes, for `header`.
        default direction: Direction = Direction::Request,
        /// Letters are compared without regard to case.
        default ignore_case: bool = false,
    }
}

/// A condition of a risk rule.
#[derive(Debug)]
pub(super) enum ConditionForm {
    And(Spanned<Vec<ConditionForm>>),
    Or(Spanned<Vec<ConditionForm>>),
    Not(Spanned<Vec<ConditionForm>>),
    Criterion(Box<Spanned<CriterionForm>>),
    Match(Box<Spanned<MatchForm>>),
    /// It could not be read, which has been reported.
    Unread,
}

impl Form for ConditionForm {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Object(members) = &value.kind else {
            reporter.wrong_type(value, "a condition");
            return None;
        };
        let has = |key: &str| members.iter().any(|member| member.key == key);
        let group = members.iter().find(|member| matches!(member.key.as_ref(), "and" | "or" | "not"));
        let read = if let Some(group) = group {
            if let Some(other) = members.iter().find(|member| member.key != group.key) {
                let message = format!("a group `{}` has no other fields", group.key);
                let diagnostic = reporter.at(Code::E0107, other.key_span, message);
                reporter.push(diagnostic.help("put what stands beside it into the group"));
            }
            let parts = Spanned::<Vec<ConditionForm>>::read(&group.value, reporter);
            parts.map(|parts| match group.key.as_ref() {
                "and" => Self::And(parts),
                "or" => Self::Or(parts),
                _ => Self::Not(parts),
            })
        } else if has("variables") {
            Spanned::read(value, reporter).map(|form| Self::Match(Box::new(form)))
        } else {
            Spanned::read(value, reporter).map(|form| Self::Criterion(Box::new(form)))
        };
        Some(read.unwrap_or(Self::Unread))
    }
}
