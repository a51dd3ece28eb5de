//! Authorization: the scheme (`AUTH_TYPE`) and the user of Basic credentials (`REMOTE_USER`).

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Takes what lenient servers take: with or without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The scheme of an Authorization header: its first word, as sent.
#[must_use]
pub fn scheme(header: &[u8]) -> &[u8] {
    header.trim_ascii_start().split(u8::is_ascii_whitespace).next().unwrap_or_default()
}

/// The user name of Basic credentials (RFC 7617): what stands before the first `:` of the decoded
/// text. Nothing for other schemes, text that is not Base64, or text without a `:`.
#[must_use]
pub fn basic_user(header: &[u8]) -> Option<Vec<u8>> {
    let scheme = scheme(header);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let credentials = header.trim_ascii_start().get(scheme.len()..)?.trim_ascii();
    let mut decoded = LENIENT.decode(credentials).ok()?;
    let colon = memchr::memchr(b':', &decoded)?;
    decoded.truncate(colon);
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_authorization() {
        type Case = (&'static [u8], &'static [u8], Option<&'static [u8]>);
        let cases: &[Case] = &[
            (b"", b"", None),
            (b"Basic YWxpY2U6c2VjcmV0", b"Basic", Some(b"alice")),
            (b" basic\tYWxpY2U6czplYw==", b"basic", Some(b"alice")),
            (b"BASIC YWxpY2U6czplYw", b"BASIC", Some(b"alice")),
            (b"Basic OnB3", b"Basic", Some(b"")),
            (b"Basic YWxpY2U=", b"Basic", None),
            (b"Basic !!!", b"Basic", None),
            (b"Basic", b"Basic", None),
            (b"Bearer YWxpY2U6c2VjcmV0", b"Bearer", None),
            (b"Basic /zo=", b"Basic", Some(b"\xff")),
        ];
        for (header, expected, user) in cases {
            assert_eq!(scheme(header), *expected, "{}", header.escape_ascii());
            assert_eq!(basic_user(header).as_deref(), *user, "{}", header.escape_ascii());
        }
    }
}
