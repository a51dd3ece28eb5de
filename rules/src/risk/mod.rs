//! Risk per client: what rules say of a client adds up to a score that fades with time, and the score leads to
//! slowing, challenging and blocking.
//!
//! Everything here is a pure function of what is known of a client ([`ClientState`]), what happened
//! ([`Event`]) and the time. Where the state is kept is the business of
//! [`collections`](crate::collections); when it is asked, that of [`eval`](crate::eval).
//!
//! # The score
//! A match of a rule with risk `r` (0 to 100) and kill-chain state `k` adds
//!
//! ```text
//! c  = min(100, r · gain(r) · weight(k))
//! s₁ = s₀ · 2^(−Δt / half-life) + (100 − s₀ · 2^(−Δt / half-life)) · c / 100
//! ```
//!
//! so the score never passes 100, and each match closes a share of what is left to it. The gain depends on the
//! band of the rule's risk: low (0 to 10), medium (11 to 90), high (91 to 100). With the defaults (gains 0.5,
//! 0.7 and 1, weights 0.8 to 1.1, threshold 70) a high rule blocks at once and a medium rule never does alone.
//! Low rules never block by themselves: a block needs a match of risk 11 or more within the live window.

mod client;
mod entity;
mod lists;
mod rate;
mod settings;
mod simulate;
mod state_format;
mod vocabulary;

pub use client::{Block, ClientState, Consequence, Event};
pub use entity::{ClientFacts, Identity};
pub use lists::{ListEntry, Listed, Lists};
pub use rate::{ClientLimit, Rate, RateAction, Window};
pub use settings::{
    BlockSettings, EntitySettings, Fallback, GeoSource, InterrogateSettings, ListSettings, Reset,
    RiskSettings, ScoreSettings, SetBy, Switches, Tarpit, TarpitSettings,
};
pub use simulate::{Point, curve};
pub use vocabulary::{Classification, KillChain, RiskAction, Standing};
