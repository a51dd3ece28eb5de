//! Interrogation: what a client has to do to show that it is a browser, and the cookie that says it did.
//!
//! A client that is to be interrogated gets a page. Its script looks for a number that, hashed together with the
//! page's token, gives enough zero bits (a proof of work), describes the browser in a few words, and sends both
//! in the header [`ANSWER_HEADER`]. The answer to that is a cookie, with which the original request is made
//! again. Nothing is kept between these steps: token and cookie are signed.
//!
//! # What is signed
//! Both are `base64url(payload ‖ HMAC-SHA-256(key, domain ‖ length of the binding ‖ binding ‖ payload))`. The
//! *binding* is what the client is known by, such as its address; it is not part of the text, so that a token or
//! cookie of another client looks forged. The domain keeps tokens and cookies apart.
//!
//! - A token's payload: version, issue time (seconds, 8 bytes), difficulty (bits, 1 byte), 16 random bytes.
//! - A cookie's payload: version, expiry (seconds, 8 bytes), identity (the token's random bytes), the first 8
//!   bytes of the SHA-256 of what the browser said of itself.
//!
//! # What it proves
//! That the client runs scripts, or spends computing time, and keeps cookies. An answer can be handed in again
//! until its window closes, by the same client; each time it yields a cookie of the same identity and expiry.
//!
//! Everything here is a function of its arguments: time and random bytes are among them.

mod answer;
mod cookie;
mod page;
mod seal;
mod settings;
#[cfg(test)]
mod tests;

pub use answer::{ANSWER_HEADER, Passed, check_answer, issue, works};
pub use cookie::{Identity, check_cookie, find_cookie, set_cookie};
pub use page::{Page, problem};
pub use settings::{Key, Settings, SettingsError};

/// Random bytes of a token.
pub const ENTROPY_BYTES: usize = 16;

/// Why a token, an answer or a cookie does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not of the form of one.
    #[error("malformed")]
    Malformed,
    /// No key has signed it for this client: it is forged, of another client, or its key is gone.
    #[error("not signed for this client")]
    NotSigned,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// It is from the future, by more than clocks differ.
    #[error("from the future")]
    Early,
    /// The number is no proof of work.
    #[error("no proof of work")]
    NoWork,
}
