//! What a request head says: target, arguments, cookies, credentials, client, and the date.
//!
//! Pure functions over bytes. Decoded text is appended to a store that the caller owns, and reported as
//! ranges of it, so that each value is copied once.

pub mod arguments;
pub mod authorization;
pub mod content_type;
pub mod cookies;
pub mod escape;
pub mod forwarded;
pub mod host;
pub mod path;
pub mod percent;
pub mod time;
pub mod uri;

use std::ops::Range;

/// A name and its value, as ranges of the store that they were written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The name.
    pub name: Range<usize>,
    /// The value.
    pub value: Range<usize>,
}
