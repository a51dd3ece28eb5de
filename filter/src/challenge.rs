//! Challenges: carries out what the engine decides about clients that have to show that they are browsers.

use portcullis_rules::challenge::{ENTROPY_BYTES, Key, Page, problem};
use portcullis_rules::eval::{Refusal, Transaction};
use portcullis_rules::plan::Plan;
use portcullis_rules::risk::ClientFacts;

use crate::abi::{self, HostError};
use crate::metrics::Metrics;
use crate::properties;
use crate::reply::{self, Asker, Format, Reply};

/// Where the workers keep the key that they share.
const SHARED_KEY: &[u8] = b"portcullis.interrogation.key";

/// What the engine has to know before it judges a request, for policies that challenge clients.
pub(crate) fn facts(plan: &Plan, metrics: &Metrics) -> Option<ClientFacts> {
    let settings = plan.risk().filter(|_| plan.may_interrogate())?;
    let mut facts = ClientFacts::default();
    if settings.interrogate.challenge.keys.is_empty() {
        facts.key = shared_key().unwrap_or_else(|error| {
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

/// The key that all workers of this Envoy use; the first one that needs it makes it. It is read anew each time: two
/// workers may make one at once, and the later one stays.
fn shared_key() -> Result<Option<Key>, HostError> {
    if let Some((key, _)) = abi::shared_data(SHARED_KEY)? {
        return Ok(Key::new(&key));
    }
    let Some(key) = random::<32>() else { return Ok(None) };
    abi::set_shared_data(SHARED_KEY, &key, 0)?;
    Ok(abi::shared_data(SHARED_KEY)?.and_then(|(key, _)| Key::new(&key)))
}

fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok().map(|()| bytes)
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
        let mut reply = reply::deny(403, asker);
        reply.headers.push((b"content-security-policy", page.content_security_policy().into_bytes()));
        reply.headers.push((b"referrer-policy", b"same-origin".to_vec()));
        reply.headers.push((b"vary", b"accept, cookie".to_vec()));
        reply.body = page.html().into_bytes();
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
