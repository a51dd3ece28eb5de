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

/// The body processor that a request's Content-Type selects without a rule's help. Forms are recognised by
/// prefix, as in ModSecurity 3, and whatever follows the name of a media type, it is recognised, so that no
/// parameter and no second type behind it turns inspection off.
#[must_use]
pub fn body_processor(header: &[u8]) -> Option<BodyProcessor> {
    let header = header.trim_ascii_start();
    let begins = |prefix: &[u8]| header.get(..prefix.len()).is_some_and(|h| h.eq_ignore_ascii_case(prefix));
    if begins(b"multipart/form-data") {
        return Some(BodyProcessor::Multipart);
    }
    if begins(b"application/x-www-form-urlencoded") {
        return Some(BodyProcessor::Urlencoded);
    }
    let end =
        header.iter().position(|byte| matches!(byte, b';' | b',' | b' ' | b'\t')).unwrap_or(header.len());
    let media_type = header.get(..end).unwrap_or(header).to_ascii_lowercase();
    let has_suffix = |suffix: &[u8]| media_type.ends_with(suffix);
    match &*media_type {
        b"application/json" | b"text/json" => Some(BodyProcessor::Json),
        b"application/xml" | b"text/xml" => Some(BodyProcessor::Xml),
        // RFC 6839 and RFC 7303.
        _ if has_suffix(b"+json") => Some(BodyProcessor::Json),
        _ if has_suffix(b"+xml") => Some(BodyProcessor::Xml),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_content_types() {
        use BodyProcessor::{Json, Multipart, Urlencoded, Xml};
        let cases: &[(&[u8], &[u8], Option<BodyProcessor>)] = &[
            (b"", b"", None),
            (b"text/HTML ; charset=UTF-8", b"text/html", None),
            (b"application/json", b"application/json", Some(Json)),
            (b"Text/JSON;charset=utf-8", b"text/json", Some(Json)),
            (b"application/json, text/plain", b"application/json, text/plain", Some(Json)),
            (b"application/vnd.api+JSON ; a=b", b"application/vnd.api+json", Some(Json)),
            (b"application/json-seq", b"application/json-seq", None),
            (b"text/xml", b"text/xml", Some(Xml)),
            (b"application/xml,x", b"application/xml,x", Some(Xml)),
            (b"application/soap+xml; action=\"a\"", b"application/soap+xml", Some(Xml)),
            (b"application/xml-dtd", b"application/xml-dtd", None),
            (b"text/plain; x=+json", b"text/plain", None),
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
