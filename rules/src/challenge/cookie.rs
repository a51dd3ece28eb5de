//! The cookie of a client that has passed.

use super::seal::{open, seal};
use super::{ENTROPY_BYTES, Passed, Refused, Settings};

const DOMAIN: &[u8] = b"portcullis cookie 1\0";
const VERSION: u8 = 1;

/// Who a cookie says its client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The random bytes it was given.
    pub id: [u8; ENTROPY_BYTES],
    /// First bytes of the SHA-256 of what its browser said of itself.
    pub fingerprint: [u8; 8],
}

/// The value of `set-cookie` for a client that has passed. `secure` when it came over TLS: such a cookie is never
/// sent in the clear.
#[must_use]
pub fn set_cookie(settings: &Settings, binding: &[u8], passed: &Passed, now: u64, secure: bool) -> String {
    let mut payload = [0; 17 + ENTROPY_BYTES];
    let fields = [VERSION]
        .into_iter()
        .chain(passed.expires.to_be_bytes())
        .chain(passed.identity)
        .chain(passed.fingerprint);
    payload.iter_mut().zip(fields).for_each(|(to, from)| *to = from);
    let value = seal(&settings.keys, DOMAIN, binding, &payload);
    let left = passed.expires.saturating_sub(now);
    let secure = if secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; Max-Age={left}; HttpOnly; SameSite=Lax{secure}", settings.cookie_name)
}

/// The value of the cookie in a `cookie` header, if it is there; of several the first.
#[must_use]
pub fn find_cookie<'a>(settings: &Settings, header: &'a [u8]) -> Option<&'a [u8]> {
    header
        .split(|byte| *byte == b';')
        .find_map(|pair| pair.trim_ascii().strip_prefix(settings.cookie_name.as_bytes())?.strip_prefix(b"="))
}

/// Checks a cookie's value from the client `binding`, at the second `now`.
///
/// # Errors
/// When it is not this client's, or expired.
pub fn check_cookie(
    settings: &Settings,
    binding: &[u8],
    value: &[u8],
    now: u64,
) -> Result<Identity, Refused> {
    let payload: [u8; 17 + ENTROPY_BYTES] = open(&settings.keys, DOMAIN, binding, value)?;
    let [version, rest @ ..] = payload;
    let (expires, rest) = rest.split_first_chunk::<8>().ok_or(Refused::Malformed)?;
    let (id, fingerprint) = rest.split_first_chunk::<ENTROPY_BYTES>().ok_or(Refused::Malformed)?;
    let fingerprint = <[u8; 8]>::try_from(fingerprint).map_err(|_| Refused::Malformed)?;
    if version != VERSION {
        return Err(Refused::Malformed);
    }
    if now >= u64::from_be_bytes(*expires) {
        return Err(Refused::Expired);
    }
    Ok(Identity { id: *id, fingerprint })
}
