//! Network rules: selection against tables and a linear scan, ARMR texts with their verdicts, the JSON part
//! of policies, events.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

#[path = "network/armr.rs"]
mod armr;
#[path = "network/events.rs"]
mod events;
#[path = "network/json.rs"]
mod json;
#[path = "network/selection.rs"]
mod selection;
