//! Scalars of the risk part.

use super::json::{Kind, Value};
use super::read::{Form, choice};
use super::report::Reporter;
use crate::diagnostic::{Code, did_you_mean};
use crate::limits;
use crate::risk::{Classification, Fallback, KillChain, RateAction, RiskAction, SetBy};

/// Declares a whole number with a range.
macro_rules! whole {
    ($( $(#[$doc:meta])* $name:ident($ty:ty) $least:literal..=$most:expr, $unit:literal; )+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct $name(pub(super) $ty);

        impl Form for $name {
            fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
                whole_number(value, $least, u64::from($most), reporter)
                    .and_then(|number| <$ty>::try_from(number).ok())
                    .map(Self)
            }
        }

        #[cfg(feature = "schema")]
        impl $name {
            pub(super) const LEAST: u64 = $least;
            pub(super) const MOST: u64 = $most as u64;
            pub(super) const UNIT: &'static str = $unit;
        }
    )+ };
}

/// Passes on the list of number types that have a schema.
#[cfg(feature = "schema")]
macro_rules! with_numbers {
    ($then:ident) => {
        $then! {
            RiskNumber, Score, Seconds, Milliseconds, Ipv4Bits, Ipv6Bits, BlockNumber, Streams,
            BytesPerSecond, HeldBytes, Mebibytes, WorkerMebibytes, Matches, DifficultyBits, WindowSeconds, CookieSeconds
        }
    };
}
#[cfg(feature = "schema")]
pub(super) use with_numbers;

whole! {
    /// A rule's risk.
    RiskNumber(u8) 0..=100_u8, "points";
    /// A score.
    Score(u8) 1..=100_u8, "points";
    /// A time.
    Seconds(u32) 1..=31_622_400_u32, "seconds";
    /// How much work a proof of work is.
    DifficultyBits(u8) 1..=limits::CHALLENGE_MOST_DIFFICULTY, "bits";
    /// How long an answer is waited for.
    WindowSeconds(u32) 10..=limits::CHALLENGE_MOST_WINDOW_SECONDS, "seconds";
    /// How long a cookie counts.
    CookieSeconds(u32) 60..=limits::CHALLENGE_MOST_COOKIE_SECONDS, "seconds";
    /// A short time.
    Milliseconds(u32) 1..=600_000_u32, "milliseconds";
    /// Bits of an IPv4 address.
    Ipv4Bits(u8) 1..=32_u8, "bits";
    /// Bits of an IPv6 address.
    Ipv6Bits(u8) 1..=128_u8, "bits";
    /// Number of a block; 0 for never.
    BlockNumber(u8) 0..=250_u8, "blocks";
    /// Number of streams.
    Streams(u32) 1..=100_000_u32, "streams";
    /// Bytes per second.
    BytesPerSecond(u32) 1..=1_000_000_000_u32, "bytes per second";
    /// Bytes that are held.
    HeldBytes(u32) 1_024..=1_073_741_824_u32, "bytes";
    /// Size of the store.
    Mebibytes(u32) 1..=limits::STORE_MEBIBYTES_MOST, "MiB";
    /// Memory of a worker.
    WorkerMebibytes(u32) 32..=limits::WORKER_MEBIBYTES_MOST, "MiB";
    /// A number of matches.
    Matches(u16) 1..=60_000_u16, "matches";
}

fn whole_number(value: &Value<'_>, least: u64, most: u64, reporter: &mut Reporter<'_>) -> Option<u64> {
    let Kind::Number(text) = &value.kind else {
        reporter.wrong_type(value, "a whole number");
        return None;
    };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        let message = format!("{text} is out of range");
        let help = format!("write a whole number from {least} to {most}");
        reporter.push(reporter.at(Code::E0701, value.span, message).help(help));
    }
    number
}

/// A gain, a weight or a growth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Factor(pub(super) f32);

impl Form for Factor {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Number(text) = &value.kind else {
            reporter.wrong_type(value, "a number");
            return None;
        };
        let number: Option<f32> = text.parse().ok().filter(|number| (0.0..=10.0).contains(number));
        if number.is_none() {
            let message = format!("{text} is out of range");
            reporter.push(reporter.at(Code::E0701, value.span, message).help("write a number from 0 to 10"));
        }
        number.map(Self)
    }
}

/// A classification by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClassificationName(pub(super) Classification);

impl Form for ClassificationName {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::String(text) = &value.kind else {
            reporter.wrong_type(value, "the name of a classification");
            return None;
        };
        let found = Classification::from_name(text);
        if found.is_none() {
            let names: Vec<&str> = Classification::ALL.iter().map(|one| one.name()).collect();
            let message = format!("no classification is named `{text}`");
            let mut diagnostic = reporter.at(Code::E0702, value.span, message);
            diagnostic.help = did_you_mean(text, &names).or_else(|| Some(Classification::HELP.to_owned()));
            reporter.push(diagnostic);
        }
        found.map(Self)
    }
}

/// A kill-chain state by name, in either spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StateName(pub(super) KillChain);

impl Form for StateName {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::String(text) = &value.kind else {
            reporter.wrong_type(value, "the name of a state");
            return None;
        };
        let found = KillChain::from_name(text);
        if found.is_none() {
            let names: Vec<&str> = KillChain::ALL.iter().map(|one| one.name()).collect();
            let mut diagnostic = reporter.at(Code::E0703, value.span, format!("no state is named `{text}`"));
            let other = format!("use one of {}", names.join(", "));
            diagnostic.help = did_you_mean(text, &names).or(Some(other));
            reporter.push(diagnostic);
        }
        found.map(Self)
    }
}

/// What a rule does to the client.
pub(super) type ActionOnClient = RiskAction;

choice! { "ActionOnClient", RiskAction {
    /// It is scored.
    "track" => RiskAction::Track,
    /// It is scored, and the exchange is refused if `risk.switches.rule_blocks` is on.
    "block" => RiskAction::Block,
    /// It is scored, and its answers are slowed down for a while.
    "tarpit" => RiskAction::Tarpit,
    /// It is scored, and has to pass a challenge.
    "interrogate" => RiskAction::Interrogate,
}}

choice! { "RateAction", RateAction {
    /// Requests are refused, if `risk.switches.rule_blocks` is on.
    "block" => RateAction::Block,
    /// Clients have to pass a challenge, unless they have.
    "interrogate" => RateAction::Interrogate,
}}

/// What matches are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    Client,
    Site,
    Path,
    Account,
}

choice! { "Per", Per {
    /// The client.
    "client" => Per::Client,
    /// The host of the request.
    "site" => Per::Site,
    /// The path of the request.
    "path" => Per::Path,
    /// The account that the request is about, as `account` says.
    "account" => Per::Account,
}}

choice! { "SetBy", SetBy {
    /// A proxy of `client_address.trusted_hops` sets it. On connections from others the header does not count.
    "trusted_hop" => SetBy::TrustedHop,
    /// This Envoy sets it, and takes away what clients send: whatever arrives counts.
    "envoy" => SetBy::Envoy,
}}

choice! { "TarpitFallback", Fallback {
    /// The answer passes at once.
    "pass" => Fallback::Pass,
    /// The exchange is refused.
    "block" => Fallback::Block,
}}

/// What a criterion looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attribute {
    SourceIp,
    Countries,
    Hostname,
    Uri,
    Arguments,
    NamedArgument,
    Method,
    Header,
    ResponseCode,
}

choice! { "Attribute", Attribute {
    /// The client's address is among these addresses and networks, IPv4 or IPv6.
    "source_ip" => Attribute::SourceIp,
    /// The client's country is one of these: two letters (ISO 3166).
    "countries" => Attribute::Countries,
    /// The host of the request, without port and regardless of case.
    "hostname" => Attribute::Hostname,
    /// The path, decoded, without query.
    "uri" => Attribute::Uri,
    /// The query string or the form in the body, as sent.
    "arguments" => Attribute::Arguments,
    /// An argument of query or body with this `name`, decoded.
    "named_argument" => Attribute::NamedArgument,
    /// The method.
    "method" => Attribute::Method,
    /// The value of the header named in `field`, of the request or, by `direction`, of the response.
    "header" => Attribute::Header,
    /// The status of the response.
    "response_code" => Attribute::ResponseCode,
}}

/// How a criterion compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equals,
    Contains,
    StartsWith,
    Regex,
}

choice! { "Comparison", Comparison {
    /// Both are the same.
    "equals" => Comparison::Equals,
    /// The value is found anywhere.
    "contains" => Comparison::Contains,
    /// It begins with the value.
    "starts_with" => Comparison::StartsWith,
    /// The regular expression is found anywhere; write `^…$` for all of it.
    "regex" => Comparison::Regex,
}}

/// Which way a header goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Response,
}

choice! { "HeaderSide", Direction {
    /// Of the request.
    "request" => Direction::Request,
    /// Of the response.
    "response" => Direction::Response,
}}
