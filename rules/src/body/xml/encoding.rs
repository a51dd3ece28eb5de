//! The encoding of a document: Unicode, or single bytes.

use std::borrow::Cow;

use super::XmlErrorKind;
use crate::body::encoding::{self, Encoding};

/// A document as UTF-8.
pub(super) struct Decoded<'a> {
    /// Its text, up to what can't be text.
    pub(super) text: Cow<'a, str>,
    /// What follows the text, when it is not the end.
    pub(super) stop: Option<XmlErrorKind>,
}

/// Makes a document UTF-8. Single-byte encodings (ISO 8859, Windows 125x) are all read as ISO 8859-1: they
/// agree on ASCII, which is what attacks on parsers are made of. Other encodings are an error, as a
/// rule would not see what the application sees.
pub(super) fn decode(body: &[u8], truncated: bool) -> Result<Decoded<'_>, XmlErrorKind> {
    if Encoding::detect(body).0 != Encoding::Utf8 {
        return Ok(unicode(body, truncated));
    }
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let control = body.iter().position(|&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'));
    let stop = control.and_then(|at| body.get(at)).map(|&byte| XmlErrorKind::ControlCharacter(byte));
    let body = control.and_then(|at| body.get(..at)).unwrap_or(body);
    match declared(body) {
        None => Ok(utf8(body, truncated, stop)),
        Some(name) if is_any(name, &["utf-8", "utf8", "us-ascii", "ascii"]) => {
            Ok(utf8(body, truncated, stop))
        }
        Some(name)
            if is_any(name, &["latin1"]) || begins(name, "iso-8859-") || begins(name, "windows-125") =>
        {
            let text = body.iter().map(|&b| char::from(b)).collect::<String>();
            Ok(Decoded { text: Cow::Owned(text), stop })
        }
        Some(_) => Err(XmlErrorKind::Encoding),
    }
}

/// A document in UTF-16 or UTF-32, whatever its declaration says.
fn unicode(body: &[u8], truncated: bool) -> Decoded<'_> {
    let decoded = encoding::decode(body, truncated);
    let mut text = decoded.text.into_owned();
    let control = text.bytes().position(|b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r'));
    let byte = control.and_then(|at| text.as_bytes().get(at)).copied();
    text.truncate(control.unwrap_or(text.len()));
    let invalid = decoded.is_invalid.then_some(XmlErrorKind::InvalidUtf8);
    Decoded { text: Cow::Owned(text), stop: byte.map(XmlErrorKind::ControlCharacter).or(invalid) }
}

fn utf8(body: &[u8], truncated: bool, stop: Option<XmlErrorKind>) -> Decoded<'_> {
    match std::str::from_utf8(body) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), stop },
        Err(error) => {
            let valid = body.get(..error.valid_up_to()).unwrap_or_default();
            let text = std::str::from_utf8(valid).unwrap_or_default();
            let cut_sequence = truncated && stop.is_none() && error.error_len().is_none();
            let stop = if cut_sequence { None } else { Some(XmlErrorKind::InvalidUtf8) };
            Decoded { text: Cow::Borrowed(text), stop }
        }
    }
}

/// The encoding that an XML declaration at the start names.
fn declared(body: &[u8]) -> Option<&[u8]> {
    let declaration = body.strip_prefix(b"<?xml")?;
    if !declaration.first()?.is_ascii_whitespace() {
        return None;
    }
    let end = memchr::memmem::find(declaration, b"?>").unwrap_or(declaration.len());
    let declaration = declaration.get(..end)?;
    let at = memchr::memmem::find(declaration, b"encoding")?;
    let value = declaration.get(at + b"encoding".len()..)?.trim_ascii_start().strip_prefix(b"=")?;
    let (quote, value) = value.trim_ascii_start().split_first()?;
    value.get(..memchr::memchr(*quote, value)?)
}

fn is_any(name: &[u8], names: &[&str]) -> bool {
    names.iter().any(|n| n.as_bytes().eq_ignore_ascii_case(name))
}

fn begins(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|n| n.eq_ignore_ascii_case(prefix.as_bytes()))
}
