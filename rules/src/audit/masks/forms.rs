//! Places in queries, urlencoded forms and cookies.

use super::{Masks, Named, Sink};
use crate::http::percent::{self, Plus};

/// The masked arguments of a query or form that begins at `at`.
pub(super) fn arguments(masks: &Masks, text: &[u8], separator: u8, at: usize, sink: &mut Sink<'_>) {
    let (mut start, mut decoded) = (at, Vec::new());
    for piece in text.split(|&byte| byte == separator) {
        let end = start + piece.len();
        let equals = memchr::memchr(b'=', piece).unwrap_or(piece.len());
        let (name, value) = piece.split_at_checked(equals).unwrap_or((piece, &[]));
        decoded.clear();
        percent::decode(name, Plus::Blank, &mut decoded);
        if masks.hides_name(Named::Argument, &decoded) {
            sink(start..start + name.len(), name);
        }
        if masks.hides_value(Named::Argument, &decoded)
            && let Some(value) = value.get(1..)
        {
            decoded.clear();
            percent::decode(value, Plus::Blank, &mut decoded);
            sink(end - value.len()..end, &decoded);
            sink(end - value.len()..end, value);
        }
        start = end + 1;
    }
}

/// The masked cookies of a Cookie header.
pub(super) fn cookies(masks: &Masks, header: &[u8], sink: &mut Sink<'_>) {
    let mut start = 0;
    for piece in header.split(|&byte| byte == b';') {
        let end = start + piece.len();
        let equals = memchr::memchr(b'=', piece).unwrap_or(piece.len());
        let (name, value) = piece.split_at_checked(equals).unwrap_or((piece, &[]));
        if masks.hides_name(Named::Cookie, name.trim_ascii()) {
            sink(start..start + name.len(), name.trim_ascii());
        }
        if masks.hides_value(Named::Cookie, name.trim_ascii())
            && let Some(value) = value.get(1..)
        {
            sink(end - value.len()..end, value.trim_ascii());
        }
        start = end + 1;
    }
}
