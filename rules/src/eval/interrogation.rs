//! The challenge of a transaction's client.

use std::borrow::Cow;

use super::client::{Client, Refusal};
use super::state::State;
use super::{Transaction, UnixNanos};
use crate::challenge::{self, ENTROPY_BYTES, Settings};
use crate::model::Variable;

/// What a client is challenged with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrogation {
    /// Its token.
    pub token: String,
    /// Zero bits of the proof of work.
    pub difficulty: u8,
    /// Whether its request can simply be made again.
    pub repeatable: bool,
}

fn second(now: UnixNanos) -> u64 {
    now.0 / 1_000_000_000
}

impl Client {
    /// The settings, with the host's key where the policy has none.
    fn challenge(&self) -> Cow<'_, Settings> {
        let settings = &self.settings.interrogate.challenge;
        match &self.facts.key {
            Some(key) if settings.keys.is_empty() => {
                Cow::Owned(Settings { keys: vec![key.clone()], ..settings.clone() })
            }
            _ => Cow::Borrowed(settings),
        }
    }

    /// Who a client is that has passed a challenge, by its cookie.
    pub(super) fn passed_before(&self, cookies: &[u8], now: UnixNanos) -> Option<challenge::Identity> {
        let settings = self.challenge();
        let value = challenge::find_cookie(&settings, cookies)?;
        challenge::check_cookie(&settings, &self.binding, value, second(now)).ok()
    }

    /// Takes an answer to a challenge.
    pub(super) fn answer(&mut self, answer: &[u8], now: UnixNanos) -> Refusal {
        let settings = self.challenge();
        let cookie = challenge::check_answer(&settings, &self.binding, answer, second(now)).map(|passed| {
            let secure = self.facts.ssl == Some(true);
            challenge::set_cookie(&settings, &self.binding, &passed, second(now), secure)
        });
        self.cookie = cookie.ok();
        if self.cookie.is_some() { Refusal::Answered } else { Refusal::Interrogate }
    }
}

impl State {
    fn interrogation(&self, entropy: [u8; ENTROPY_BYTES]) -> Option<Interrogation> {
        let client = self.client.as_ref()?;
        let settings = client.challenge();
        let method = self.data.view(0).map(|view| view.scalars.get(Variable::RequestMethod));
        Some(Interrogation {
            token: challenge::issue(&settings, &client.binding, entropy, second(self.now)),
            difficulty: settings.difficulty,
            repeatable: method.is_some_and(|method| self.values.get(method) == b"GET"),
        })
        .filter(|challenge| !challenge.token.is_empty())
    }
}

impl Transaction {
    /// What the client is to be challenged with; `None` when there is no key to sign it with.
    #[must_use]
    pub fn interrogation(&self, entropy: [u8; ENTROPY_BYTES]) -> Option<Interrogation> {
        self.state.interrogation(entropy)
    }

    /// The value of `set-cookie` for a client that has answered its challenge with this request.
    #[must_use]
    pub fn interrogation_cookie(&self) -> Option<&str> {
        self.state.client.as_ref()?.cookie.as_deref()
    }
}
