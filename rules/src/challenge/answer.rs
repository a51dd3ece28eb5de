//! Tokens, and the answers to them.

use sha2::{Digest, Sha256};

use super::seal::{open, seal};
use super::{ENTROPY_BYTES, Refused, Settings};
use crate::limits;

/// The request header in which a page's script answers: `TOKEN:NUMBER:WORDS`.
pub const ANSWER_HEADER: &str = "portcullis-answer";

const DOMAIN: &[u8] = b"portcullis challenge 1\0";
const VERSION: u8 = 1;

/// Seconds that the clocks of workers may differ by.
const CLOCK_SECONDS: u64 = crate::limits::CHALLENGE_CLOCK_SECONDS;

/// A client that has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// What it is known by from now on: random bytes of its token.
    pub identity: [u8; ENTROPY_BYTES],
    /// Second since 1970 from which its cookie no longer counts.
    pub expires: u64,
    /// First bytes of the SHA-256 of what its browser said of itself.
    pub fingerprint: [u8; 8],
}

/// The token of a page for the client `binding`, at the second `now`. Without a key it is empty.
#[must_use]
pub fn issue(settings: &Settings, binding: &[u8], entropy: [u8; ENTROPY_BYTES], now: u64) -> String {
    let mut payload = [0; 10 + ENTROPY_BYTES];
    let (head, random) = payload.split_at_mut(10);
    let fields = [VERSION].into_iter().chain(now.to_be_bytes()).chain([settings.difficulty]);
    head.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    random.copy_from_slice(&entropy);
    seal(&settings.keys, DOMAIN, binding, &payload)
}

/// Whether a number is the proof of work for a token: the SHA-256 of `TOKEN:NUMBER` begins with `difficulty` zero
/// bits.
#[must_use]
pub fn works(token: &[u8], number: &[u8], difficulty: u8) -> bool {
    let mut hash = Sha256::new();
    hash.update(token);
    hash.update(b":");
    hash.update(number);
    let mut zeros = 0;
    for byte in hash.finalize() {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros >= u32::from(difficulty)
}

/// Checks the value of [`ANSWER_HEADER`] from the client `binding`, at the second `now`.
///
/// # Errors
/// When it is not an answer to a page of this client, comes too late, or proves no work.
pub fn check_answer(settings: &Settings, binding: &[u8], answer: &[u8], now: u64) -> Result<Passed, Refused> {
    let mut parts = answer.splitn(3, |byte| *byte == b':');
    let (Some(token), Some(number), Some(words)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Refused::Malformed);
    };
    let digits = (1..=limits::CHALLENGE_NUMBER_DIGITS).contains(&number.len());
    if !digits || !number.iter().all(u8::is_ascii_digit) || words.len() > limits::CHALLENGE_WORDS_BYTES {
        return Err(Refused::Malformed);
    }
    let payload: [u8; 10 + ENTROPY_BYTES] = open(&settings.keys, DOMAIN, binding, token)?;
    let [version, a, b, c, d, e, f, g, h, difficulty, identity @ ..] = payload;
    if version != VERSION {
        return Err(Refused::Malformed);
    }
    let issued = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    if issued > now.saturating_add(CLOCK_SECONDS) {
        return Err(Refused::Early);
    }
    if now > issued.saturating_add(settings.window_seconds.into()) {
        return Err(Refused::Expired);
    }
    if !works(token, number, difficulty) {
        return Err(Refused::NoWork);
    }
    let [a, b, c, d, e, f, g, h, ..]: [u8; 32] = Sha256::digest(words).into();
    // From the token's issue, not from now: handing the answer in again gains no time.
    let expires = issued.saturating_add(settings.cookie_seconds.into());
    Ok(Passed { identity, expires, fingerprint: [a, b, c, d, e, f, g, h] })
}
