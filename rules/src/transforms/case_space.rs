//! Letter case, white space and NUL bytes.

use memchr::memchr;

use super::bytes::{any, copy_to, is_blank, utf8_sequence};
use crate::copy::write;

/// `lowercase`: ASCII only, as ModSecurity in the C locale.
pub(super) fn lowercase(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !any(input, |byte| byte.is_ascii_uppercase()) {
        return false;
    }
    out.extend_from_slice(input);
    out.make_ascii_lowercase();
    true
}

/// `uppercase`: ASCII only.
pub(super) fn uppercase(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !any(input, |byte| byte.is_ascii_lowercase()) {
        return false;
    }
    out.extend_from_slice(input);
    out.make_ascii_uppercase();
    true
}

/// `trim`, `trimLeft` and `trimRight`.
pub(super) fn trim(input: &[u8], left: bool, right: bool, out: &mut Vec<u8>) -> bool {
    let mut kept = input;
    while let (true, [first, rest @ ..]) = (left, kept)
        && is_blank(*first)
    {
        kept = rest;
    }
    while let (true, [rest @ .., last]) = (right, kept)
        && is_blank(*last)
    {
        kept = rest;
    }
    if kept.len() == input.len() {
        return false;
    }
    out.extend_from_slice(kept);
    true
}

/// `removeWhitespace`: also the no-break space, as the byte A0 or the pair C2 A0.
pub(super) fn remove_whitespace(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = input.iter().position(|&byte| is_blank(byte) || byte == 0xA0) else {
        return false;
    };
    // A no-break space may begin one byte earlier.
    let mut rest = copy_to(out, input, Some(first.saturating_sub(1)));
    if rest.is_ascii() {
        write(out, rest.len(), |out| rest.iter().for_each(|&byte| out.put_if(byte, !is_blank(byte))));
        return true;
    }
    out.reserve(rest.len());
    while let [byte, tail @ ..] = rest {
        rest = match (byte, tail) {
            (0xC2, [0xA0, after @ ..]) => after,
            (0xA0, _) => tail,
            (byte, _) => {
                if !is_blank(*byte) {
                    out.push(*byte);
                }
                tail
            }
        };
    }
    true
}

/// `compressWhitespace`: each run becomes one blank. The no-break space counts, as the pair C2 A0 or as
/// a byte A0 that is not part of a UTF-8 sequence.
pub(super) fn compress_whitespace(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !any(input, |byte| byte >= 0x80 || (is_blank(byte) && byte != b' ')) && !any_doubled(input, b' ') {
        return false;
    }
    let mut after_blank = false;
    let first = input.iter().position(|&byte| {
        let doubled = after_blank && byte == b' ';
        after_blank = byte == b' ';
        doubled || byte >= 0x80 || (is_blank(byte) && byte != b' ')
    });
    let Some(first) = first else { return false };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    let mut in_run = out.last() == Some(&b' ');
    if rest.is_ascii() {
        write(out, rest.len(), |out| {
            for &byte in rest {
                let blank = is_blank(byte);
                out.put_if(if blank { b' ' } else { byte }, !(blank && in_run));
                in_run = blank;
            }
        });
        return true;
    }
    while let [byte, ..] = rest {
        // What begins here: ASCII, a valid sequence, or a byte that belongs to none.
        let length = if *byte < 0x80 { 1 } else { utf8_sequence(rest).map_or(1, |(_, length)| length) };
        let (unit, tail) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if is_blank(*byte) || matches!(unit, [0xA0] | [0xC2, 0xA0]) {
            if !in_run {
                out.push(b' ');
            }
            in_run = true;
        } else {
            out.extend_from_slice(unit);
            in_run = false;
        }
        rest = tail;
    }
    true
}

/// `removeNulls`.
pub(super) fn remove_nulls(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(0, input) else { return false };
    let rest = copy_to(out, input, Some(first));
    out.extend(rest.iter().filter(|&&byte| byte != 0));
    true
}

/// `replaceNulls`.
pub(super) fn replace_nulls(input: &[u8], out: &mut Vec<u8>) -> bool {
    if memchr(0, input).is_none() {
        return false;
    }
    out.extend(input.iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
    true
}

/// Whether a byte stands twice in a row, found out as by [`any`].
fn any_doubled(input: &[u8], byte: u8) -> bool {
    let next = input.get(1..).unwrap_or_default();
    let (blocks, rest) = next.as_chunks::<32>();
    let doubled = |(&one, &other): (&u8, &u8)| (one == byte) & (other == byte);
    let (these, _) = input.as_chunks::<32>();
    let mut pairs = these.iter().zip(blocks);
    pairs.any(|(block, next)| block.iter().zip(next).fold(false, |found, pair| found | doubled(pair)))
        || input.iter().skip(next.len() - rest.len()).zip(rest).any(doubled)
}
