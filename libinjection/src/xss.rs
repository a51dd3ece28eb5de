//! Detection of cross-site scripting.

mod names;

use crate::html5::{Kind, Start, Token, tokens};
use crate::scan::Scan;
use names::{Danger, Name};

/// Whether `input`, put into an HTML document, runs script or changes where script comes from.
///
/// The input is read as it would be in text, in a tag, and in a value of an attribute in each kind of quotes; one
/// reading with something dangerous is enough. Empty input is harmless.
///
/// ```
/// assert!(portcullis_libinjection::xss(b"' onmouseover='alert(1)"));
/// assert!(portcullis_libinjection::xss(b"<a href=\"&#106;avascript:alert(1)\">"));
/// assert!(!portcullis_libinjection::xss(b"<a href=\"https://example.com/\">example</a>"));
/// ```
#[must_use]
pub fn detect(input: &[u8]) -> bool {
    let has = |byte| Scan::new(input).find(0, |found| found == byte).is_some();
    // Tags and comments need the one, values of attributes the other.
    if !has(b'<') && !has(b'=') {
        return false;
    }
    // What starts in quotes is one harmless value unless it closes them.
    is_dangerous(input, Start::Data)
        || is_dangerous(input, Start::Tag)
        || (has(b'\'') && is_dangerous(input, Start::SingleQuotes))
        || (has(b'"') && is_dangerous(input, Start::DoubleQuotes))
        || (has(b'`') && is_dangerous(input, Start::BackQuotes))
}

fn is_dangerous(input: &[u8], start: Start) -> bool {
    let mut attribute = Danger::None;
    tokens(input, start).any(|Token { kind, text }| {
        let of_value = core::mem::replace(&mut attribute, Danger::None);
        match kind {
            Kind::Doctype => true,
            Kind::TagName => Name::new(text).is_dangerous_tag(),
            Kind::AttributeName => {
                attribute = Name::new(text).attribute();
                false
            }
            Kind::AttributeValue => match of_value {
                Danger::None => false,
                Danger::Always => true,
                Danger::Url => is_script_url(text),
                Danger::NamesAttribute => Name::new(text).attribute() != Danger::None,
            },
            Kind::Comment => is_dangerous_comment(text),
            Kind::Text | Kind::TagEnd | Kind::SelfClosingTagEnd | Kind::ClosingTag => false,
        }
    })
}

/// Comments that Internet Explorer ends early or obeys, and XML in disguise.
fn is_dangerous_comment(text: &[u8]) -> bool {
    let name = Name::new(text);
    let starts = |longer_than, prefix: &[u8]| text.len() > longer_than && name.starts_with(prefix);
    Scan::new(text).find(0, |byte| byte == b'`').is_some()
        || starts(3, b"[IF")
        || starts(3, b"XML")
        || starts(5, b"IMPORT")
        || starts(5, b"ENTITY")
}

/// Whether a URL runs script, carries a document of its own, or shows source.
///
/// White space, control bytes and bytes outside ASCII before the scheme are skipped. Character references are
/// decoded; NUL and line feed are skipped, as browsers do.
fn is_script_url(url: &[u8]) -> bool {
    let scan = Scan::new(url);
    let mut position = scan.span(0, |byte| !matches!(byte, 33..=126));
    let mut scheme = [0; "VIEW-SOURCE".len()];
    let mut length = 0;
    while let Some(place) = scheme.get_mut(length) {
        let Some((character, next)) = decode(&scan, position) else { break };
        position = next;
        if (length == 0 && character <= 32) || matches!(character, 0 | 10) {
            continue;
        }
        // Of a larger character the low byte counts, as in libinjection.
        let [byte, ..] = character.to_le_bytes();
        *place = if character < 128 { byte.to_ascii_uppercase() } else { byte };
        length += 1;
    }
    let scheme = scheme.get(..length).unwrap_or(&[]);
    // `JAVA` is for `javascript:` however it goes on.
    [&b"DATA"[..], b"VIEW-SOURCE", b"VBSCRIPT", b"JAVA"].iter().any(|dangerous| scheme.starts_with(dangerous))
}

/// The largest character reference that is decoded.
const MAX_REFERENCE: u32 = 0x10_00ff;

/// The character at `position`, decoded if it is a numeric character reference, and the position behind it.
fn decode(scan: &Scan<'_>, position: usize) -> Option<(u32, usize)> {
    let first = scan.at(position)?;
    let plain = Some((u32::from(first), position + 1));
    if first != b'&' || scan.at(position + 1) != Some(b'#') {
        return plain;
    }
    let (radix, start) = match scan.at(position + 2) {
        Some(b'x' | b'X') => (16, position + 3),
        _ => (10, position + 2),
    };
    let mut value = 0;
    let mut next = start;
    while let Some(digit) = scan.at(next).and_then(|byte| char::from(byte).to_digit(radix)) {
        value = value * radix + digit;
        if value > MAX_REFERENCE {
            return plain;
        }
        next += 1;
    }
    if next == start {
        return plain;
    }
    Some((value, next + usize::from(scan.at(next) == Some(b';'))))
}
