//! How clients are interrogated.

use std::fmt;

use crate::limits;

/// A secret that signs tokens and cookies. It is not shown, not even by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Box<[u8]>);

impl Key {
    /// A key; `None` for fewer than [`limits::CHALLENGE_KEY_BYTES`] bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= limits::CHALLENGE_KEY_BYTES).then(|| Self(secret.into()))
    }

    pub(super) fn secret(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// How clients are interrogated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The first one signs, all verify. A key is rotated by putting a new one in front, and taking the old one out
    /// when the cookies it signed have expired. Empty: the host makes one up, which does not outlast it.
    pub keys: Vec<Key>,
    /// Zero bits that a proof of work has: each more doubles the work.
    pub difficulty: u8,
    /// Seconds for which an answer to a page is taken.
    pub window_seconds: u32,
    /// Name of the cookie.
    pub cookie_name: String,
    /// Seconds for which the cookie counts.
    pub cookie_seconds: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            difficulty: limits::CHALLENGE_DIFFICULTY,
            window_seconds: limits::CHALLENGE_WINDOW_SECONDS,
            cookie_name: "portcullis".to_owned(),
            cookie_seconds: limits::CHALLENGE_COOKIE_SECONDS,
        }
    }
}

/// A setting has a value it can't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// See [`limits::CHALLENGE_MOST_DIFFICULTY`].
    #[error("the difficulty is 1 to {} bits", limits::CHALLENGE_MOST_DIFFICULTY)]
    Difficulty,
    /// See [`limits::CHALLENGE_MOST_WINDOW_SECONDS`].
    #[error("an answer is taken for 10 to {} seconds", limits::CHALLENGE_MOST_WINDOW_SECONDS)]
    Window,
    /// Not a token of RFC 6265.
    #[error("the name of a cookie has letters, digits, `_` and `-`")]
    CookieName,
    /// See [`limits::CHALLENGE_MOST_COOKIE_SECONDS`].
    #[error("a cookie counts for 60 to {} seconds", limits::CHALLENGE_MOST_COOKIE_SECONDS)]
    CookieSeconds,
}

impl Settings {
    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsError> {
        let name = &self.cookie_name;
        let named = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let checks = [
            ((1..=limits::CHALLENGE_MOST_DIFFICULTY).contains(&self.difficulty), SettingsError::Difficulty),
            (
                (10..=limits::CHALLENGE_MOST_WINDOW_SECONDS).contains(&self.window_seconds),
                SettingsError::Window,
            ),
            (named, SettingsError::CookieName),
            (
                (60..=limits::CHALLENGE_MOST_COOKIE_SECONDS).contains(&self.cookie_seconds),
                SettingsError::CookieSeconds,
            ),
        ];
        checks.into_iter().filter(|(good, _)| !good).map(|(_, error)| error).collect()
    }
}
