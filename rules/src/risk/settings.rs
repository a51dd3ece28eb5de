//! What a policy says about risk. Times are in seconds unless said otherwise.

use super::lists::ListEntry;
use super::rate::ClientLimit;
use super::vocabulary::KillChain;
use crate::challenge;
use crate::collections::StoreSettings;
use crate::geo::Database;
use crate::limits;

/// The risk part of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RiskSettings {
    /// What makes a client.
    pub entity: EntitySettings,
    /// How its score comes about.
    pub score: ScoreSettings,
    /// What the score leads to.
    pub block: BlockSettings,
    /// Whom the operator allows, denies, blocks.
    pub lists: ListSettings,
    /// What is carried out.
    pub switches: Switches,
    /// How clients are slowed down.
    pub tarpit: TarpitSettings,
    /// When clients are challenged.
    pub interrogate: InterrogateSettings,
    /// Where a client's country comes from.
    pub country: GeoSource,
    /// Where it is kept.
    pub store: StoreSettings,
    /// Seconds of the longest window of a rate rule.
    pub longest_window: u32,
    /// Rules with a rate that acts on the client for the rest of its window, by rule.
    pub limits: Vec<ClientLimit>,
}

/// What makes a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntitySettings {
    /// Its address takes part.
    pub address: bool,
    /// Bits of an IPv4 address that count.
    pub ipv4_prefix: u8,
    /// Bits of an IPv6 address that count.
    pub ipv6_prefix: u8,
    /// Its user agent takes part.
    pub user_agent: bool,
    /// Header, lower-case, in which Envoy puts the JA3 fingerprint of the client's TLS.
    pub ja3_header: Option<String>,
    /// The same for JA4.
    pub ja4_header: Option<String>,
    /// Header, lower-case, whose value takes part.
    pub header: Option<String>,
    /// Cookie whose value takes part.
    pub cookie: Option<String>,
    /// The interrogation cookie takes part once it is verified.
    pub interrogation_cookie: bool,
}

impl EntitySettings {
    /// Whether a client is its address and nothing else, so that it is known before its first request.
    #[must_use]
    pub fn is_address(&self) -> bool {
        let marks = [&self.ja3_header, &self.ja4_header, &self.header, &self.cookie];
        self.address
            && !self.user_agent
            && !self.interrogation_cookie
            && marks.into_iter().all(Option::is_none)
    }
}

impl Default for EntitySettings {
    fn default() -> Self {
        Self {
            address: true,
            ipv4_prefix: 32,
            ipv6_prefix: 64,
            user_agent: false,
            ja3_header: None,
            ja4_header: None,
            header: None,
            cookie: None,
            interrogation_cookie: false,
        }
    }
}

/// How the score comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreSettings {
    /// Seconds in which a score halves.
    pub half_life: u32,
    /// Seconds in which there must have been a match of risk 11 or more for the score to block.
    pub live_window: u32,
    /// Gain of rules of risk 0 to 10.
    pub low_gain: f32,
    /// Gain of rules of risk 11 to 90.
    pub medium_gain: f32,
    /// Gain of rules of risk 91 to 100.
    pub high_gain: f32,
    /// Weight of each state, in order of rank.
    pub weights: [f32; 7],
}

impl Default for ScoreSettings {
    fn default() -> Self {
        Self {
            half_life: 900,
            live_window: 3_600,
            low_gain: 0.5,
            medium_gain: 0.7,
            high_gain: 1.0,
            weights: [0.8, 0.85, 0.85, 0.95, 0.95, 1.0, 1.1],
        }
    }
}

impl ScoreSettings {
    /// The weight of a state; 1 without one.
    #[must_use]
    pub fn weight(&self, state: Option<KillChain>) -> f32 {
        state.and_then(|state| self.weights.get(state as usize)).copied().unwrap_or(1.0)
    }
}

/// What the score leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSettings {
    /// Score from which a client is blocked.
    pub threshold: f32,
    /// Seconds of a block.
    pub seconds: u32,
    /// The block with this number is for good; 0 for never.
    pub permanent_after: u8,
    /// Seconds after the end of a block until earlier blocks no longer count.
    pub forget_after: u32,
}

impl Default for BlockSettings {
    fn default() -> Self {
        Self { threshold: 70.0, seconds: 1_800, permanent_after: 3, forget_after: 86_400 }
    }
}

/// Whom the operator allows, denies, blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListSettings {
    /// Can be neither blocked nor denied.
    pub allow: Vec<ListEntry>,
    /// Denied until taken out.
    pub deny: Vec<ListEntry>,
    /// Blocked until the entry ends.
    pub block: Vec<ListEntry>,
    /// Clients whose earlier blocks and scores no longer count.
    pub reset: Vec<Reset>,
}

/// Forgets what was known of some clients: how a permanent block is lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Whom.
    pub entry: ListEntry,
    /// Second since 1970: blocks that began before it are lifted, and scores from before it are 0.
    pub before: u64,
}

/// What is carried out. What is off is still recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Rules whose action is `block` refuse requests.
    pub rule_blocks: bool,
    /// Scores block clients.
    pub risk_blocks: bool,
    /// Deny and block lists refuse requests.
    pub lists: bool,
}

/// What happens to a client that is to be slowed when too many are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Its answer passes at once.
    #[default]
    Pass,
    /// It is refused.
    Block,
}

/// How clients are slowed down. Delays are in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct TarpitSettings {
    /// Score from which clients are slowed down; `None` leaves that to rules.
    pub threshold: Option<f32>,
    /// Seconds for which a client is slowed after a rule said so.
    pub seconds: u32,
    /// Delay of the first answer.
    pub delay: u32,
    /// Factor from one answer to the next.
    pub growth: f32,
    /// Longest delay.
    pub longest: u32,
    /// Bytes of body per second that pass; `None` for all at once.
    pub bytes_per_second: Option<u32>,
    /// Bytes of one body that are held at most.
    pub held_bytes: u32,
    /// Most answers that a worker holds at once.
    pub streams: u32,
    /// What happens past that.
    pub fallback: Fallback,
}

impl Default for TarpitSettings {
    fn default() -> Self {
        Self {
            threshold: None,
            seconds: 300,
            delay: 1_000,
            growth: 1.5,
            longest: 10_000,
            bytes_per_second: None,
            held_bytes: limits::TARPIT_HELD_BYTES,
            streams: 1_000,
            fallback: Fallback::Pass,
        }
    }
}

/// How an answer is slowed down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tarpit {
    /// Milliseconds before it begins.
    pub delay: u32,
    /// Bytes of body per second.
    pub bytes_per_second: Option<u32>,
    /// Bytes of its body that are held at most.
    pub held_bytes: u32,
    /// Most answers held at once.
    pub streams: u32,
    /// What happens past that.
    pub fallback: Fallback,
}

/// When clients are challenged.
#[derive(Clone, Debug, PartialEq)]
pub struct InterrogateSettings {
    /// Score from which clients are challenged; `None` leaves that to rules.
    pub threshold: Option<f32>,
    /// Seconds for which a client is challenged after a rule said so, unless it has passed.
    pub seconds: u32,
    /// What a challenge is.
    pub challenge: challenge::Settings,
}

impl Default for InterrogateSettings {
    fn default() -> Self {
        Self { threshold: None, seconds: 3_600, challenge: challenge::Settings::default() }
    }
}

/// Who has set a request header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// A trusted hop: the header counts when the connection comes from one.
    TrustedHop,
    /// Envoy itself, which takes away what clients send: the header always counts.
    Envoy,
}

/// Where a client's country comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum GeoSource {
    /// Nowhere.
    #[default]
    None,
    /// A request header, lower-case: two letters.
    Header {
        /// Its name.
        name: String,
        /// Whose word is believed.
        set_by: SetBy,
    },
    /// A MaxMind database.
    Database(Database),
}
