//! Content-Type: the media type, and the body processor it selects.

use std::borrow::Cow;

use crate::body::BodyProcessor;

/// The media type of a Content-Type header: up to the first `;`, trimmed, in lower case.
#[must_use]
pub fn media_type(header: &[u8]) -> Cow<'_, [u8]> {
    let end = memchr::memchr(b';', header).unwrap_or(header.len());
    let media_type = header.get(..end).unwrap_or(header).trim_ascii();
    if media_type.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(media_type.to_ascii_lowercase())
    } else {
        Cow::Borrowed(media_type)
    }
}

/// The body processor that a request's Content-Type selects without a rule's help: only forms have one.
/// Both are recognised by prefix and without regard to case, as in ModSecurity 3, so that parameters
/// do not turn inspection off.
#[must_use]
pub fn body_processor(header: &[u8]) -> Option<BodyProcessor> {
    let header = header.trim_ascii_start();
    let begins = |prefix: &[u8]| header.get(..prefix.len()).is_some_and(|h| h.eq_ignore_ascii_case(prefix));
    if begins(b"multipart/form-data") {
        Some(BodyProcessor::Multipart)
    } else if begins(b"application/x-www-form-urlencoded") {
        Some(BodyProcessor::Urlencoded)
    } else {
        None
    }
}

/// Whether a Content-Type names JSON: `application/json`, `text/json` or a `+json` suffix (RFC 6839).
#[must_use]
pub fn is_json(header: &[u8]) -> bool {
    let media_type = media_type(header);
    matches!(&*media_type, b"application/json" | b"text/json") || media_type.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_types() {
        use BodyProcessor::{Multipart, Urlencoded};
        let cases: &[(&[u8], &[u8], Option<BodyProcessor>)] = &[
            (b"", b"", None),
            (b"text/HTML ; charset=UTF-8", b"text/html", None),
            (b"application/json", b"application/json", None),
            (b"text/xml", b"text/xml", None),
            (b"application/x-www-form-urlencoded", b"application/x-www-form-urlencoded", Some(Urlencoded)),
            (
                b" Application/X-WWW-Form-URLEncoded; charset=utf-8",
                b"application/x-www-form-urlencoded",
                Some(Urlencoded),
            ),
            (b"multipart/form-data; boundary=A;B", b"multipart/form-data", Some(Multipart)),
            (b"MULTIPART/form-dataX", b"multipart/form-datax", Some(Multipart)),
            (b"multipart/mixed; boundary=x", b"multipart/mixed", None),
            (b";multipart/form-data", b"", None),
        ];
        for (header, expected, processor) in cases {
            assert_eq!(media_type(header).as_ref(), *expected, "{}", header.escape_ascii());
            assert_eq!(body_processor(header), *processor, "{}", header.escape_ascii());
        }
    }
}
