//! Letter case, white space and NUL bytes.

use memchr::memchr;

use super::bytes::{copy_to, utf8_sequence};
use crate::bytes::is_blank;
use crate::copy::{Writer, write};
use crate::runs::{self, Runs};

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
        write(out, rest.len(), |out| put_all_but_blanks(out, rest));
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

/// Writes ASCII without its white space: as many bytes of a word at once as have none before them.
fn put_all_but_blanks(out: &mut Writer<'_>, mut text: &[u8]) {
    while let Some((word, tail)) = text.split_first_chunk::<8>() {
        let before = (blanks(u64::from_le_bytes(*word)).trailing_zeros() / 8) as usize;
        out.put_all(*word, before);
        text = if before < 8 { text.get(before + 1..).unwrap_or_default() } else { tail };
    }
    text.iter().for_each(|&byte| out.put_if(byte, !is_blank(byte)));
}

/// The uppermost bit of each byte of a word of ASCII that is white space.
fn blanks(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // A sum has the bit when the byte is at least so large: none carries into the next.
    let at_least = |least: u64| word + EACH * (0x80 - least);
    let within = at_least(9) & !at_least(14);
    let blank = at_least(0x20) & !at_least(0x21);
    (within | blank) & (EACH * 0x80)
}

/// `compressWhitespace`: each run becomes one blank. The no-break space counts, as the pair C2 A0 or as
/// a byte A0 that is not part of a UTF-8 sequence.
pub(super) fn compress_whitespace(input: &[u8], out: &mut Vec<u8>) -> bool {
    if input.is_ascii() {
        runs::append::<Compressed>(input, out);
        return true;
    }
    out.reserve(input.len());
    let mut rest = input;
    let mut in_run = false;
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

/// What `compressWhitespace` makes of ASCII.
struct Compressed;

impl Runs for Compressed {
    #[inline]
    fn is_plain(byte: u8) -> bool {
        !is_blank(byte) | (byte == b' ')
    }

    #[inline]
    fn plain(byte: u8) -> u8 {
        byte
    }

    #[inline]
    fn of(byte: u8) -> u8 {
        if is_blank(byte) { b' ' } else { byte }
    }
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

/// Whether `test` holds for any byte. Whole blocks are tested without a branch per byte, so that the
/// compiler uses vector instructions.
fn any(input: &[u8], test: impl Fn(u8) -> bool) -> bool {
    let (blocks, rest) = input.as_chunks::<32>();
    let in_block = |block: &[u8; 32]| block.iter().fold(false, |found, &byte| found | test(byte));
    blocks.iter().any(in_block) || rest.iter().any(|&byte| test(byte))
}
