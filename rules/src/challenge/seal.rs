//! Signed texts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Key, Refused};

/// Bytes of a signature.
const MAC_BYTES: usize = 32;

/// Most characters of a sealed text: longer ones are not even decoded.
const MOST_CHARACTERS: usize = crate::limits::CHALLENGE_TOKEN_CHARACTERS;

fn mac(key: &Key, domain: &[u8], binding: &[u8], payload: &[u8]) -> Option<Hmac<Sha256>> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.secret()).ok()?;
    mac.update(domain);
    mac.update(&(binding.len() as u64).to_be_bytes());
    mac.update(binding);
    mac.update(payload);
    Some(mac)
}

/// A payload with its signature, as text; empty without a key.
pub(super) fn seal(keys: &[Key], domain: &[u8], binding: &[u8], payload: &[u8]) -> String {
    let Some(mac) = keys.first().and_then(|key| mac(key, domain, binding, payload)) else {
        return String::new();
    };
    URL_SAFE_NO_PAD.encode([payload, &mac.finalize().into_bytes()].concat())
}

/// The payload of a text that one of the keys has signed for this binding.
pub(super) fn open<const N: usize>(
    keys: &[Key],
    domain: &[u8],
    binding: &[u8],
    text: &[u8],
) -> Result<[u8; N], Refused> {
    if text.len() > MOST_CHARACTERS {
        return Err(Refused::Malformed);
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Refused::Malformed)?;
    let (payload, signature) = bytes.split_first_chunk::<N>().ok_or(Refused::Malformed)?;
    if signature.len() != MAC_BYTES {
        return Err(Refused::Malformed);
    }
    // Compared in constant time.
    let signed = keys
        .iter()
        .any(|key| mac(key, domain, binding, payload).is_some_and(|mac| mac.verify_slice(signature).is_ok()));
    if signed { Ok(*payload) } else { Err(Refused::NotSigned) }
}
