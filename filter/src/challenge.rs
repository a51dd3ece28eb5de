//! Challenges: carries out what the engine decides about clients that have to show that they are browsers.

use std::cell::OnceCell;

use portcullis_rules::challenge::{ENTROPY_BYTES, Key, Page, problem};
use portcullis_rules::eval::{Refusal, Transaction};
use portcullis_rules::plan::Plan;
use portcullis_rules::risk::ClientFacts;

use crate::abi::HostError;
use crate::metrics::Metrics;
use crate::properties;
use crate::reply::{self, Asker, Format, Reply};
use crate::shared::{self, random};

/// Where the workers keep the key that they share.
const SHARED_KEY: &[u8] = b"portcullis.interrogation.key";

/// What the engine has to know before it judges a request, for policies that challenge clients.
pub(crate) fn facts(plan: &Plan, key: &SharedKey, metrics: &Metrics) -> Option<ClientFacts> {
    let settings = plan.risk().filter(|_| plan.may_interrogate())?;
    let mut facts = ClientFacts::default();
    if settings.interrogate.challenge.keys.is_empty() {
        facts.key = key.get().unwrap_or_else(|error| {
            metrics.failed(error);
            None
        });
    }
    match properties::scheme() {
        Ok(scheme) => facts.ssl = scheme.map(|scheme| scheme.eq_ignore_ascii_case(b"https")),
        Err(error) => metrics.failed(error),
    }
    Some(facts)
}

/// The key that all workers of this Envoy use. Once there it stays, so that a worker asks for it once.
#[derive(Debug, Default)]
pub(crate) struct SharedKey(OnceCell<Key>);

impl SharedKey {
    fn get(&self) -> Result<Option<Key>, HostError> {
        if let Some(key) = self.0.get() {
            return Ok(Some(key.clone()));
        }
        let key = shared::agreed::<32>(SHARED_KEY)?.and_then(|key| Key::new(&key));
        Ok(key.map(|key| self.0.get_or_init(|| key).clone()))
    }
}

/// The answer to a client that is challenged or has passed; `None` for other refusals.
pub(crate) fn answer(refusal: Refusal, transaction: &Transaction, asker: &Asker) -> Option<Reply> {
    match refusal {
        Refusal::Answered => {
            let cookie = transaction.interrogation_cookie()?.as_bytes().to_vec();
            let mut reply = reply::deny(204, asker);
            reply.headers.push((b"set-cookie", cookie));
            Some(reply)
        }
        Refusal::Interrogate => Some(challenge(transaction, asker)),
        _ => None,
    }
}

fn challenge(transaction: &Transaction, asker: &Asker) -> Reply {
    let reference = String::from_utf8_lossy(&asker.request_id);
    let interrogation = random::<ENTROPY_BYTES>().and_then(|entropy| transaction.interrogation(entropy));
    if let (Format::Html, false, Some(interrogation)) = (asker.format, asker.grpc, interrogation) {
        let page = Page {
            token: &interrogation.token,
            difficulty: interrogation.difficulty,
            repeatable: interrogation.repeatable,
            reference: &reference,
        };
        let mut reply = reply::with_page(403, page.html().into_bytes(), asker);
        reply.headers.push((b"content-security-policy", page.content_security_policy().into_bytes()));
        reply.headers.push((b"referrer-policy", b"same-origin".to_vec()));
        reply.headers.push((b"vary", b"accept, cookie".to_vec()));
        return reply;
    }
    // What did not ask for HTML can't run a page's script.
    let mut reply = reply::deny(401, &Asker { format: Format::Json, ..asker.clone() });
    reply.headers.push((b"www-authenticate", b"Portcullis-Interrogation".to_vec()));
    if !asker.grpc {
        reply.body = problem(&reference).into_bytes();
    }
    reply
}
