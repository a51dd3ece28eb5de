//! URL encoding.

use memchr::memchr2;

use super::best_fit;
use super::bytes::{copy_to, hex_digit, hex_pair};
use crate::http::percent::{self, Plus};

/// `urlDecode`: `+` and `%HH`. A `%` without two hex digits stays.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !concerns(input) {
        return false;
    }
    percent::decode(input, Plus::Blank, out);
    true
}

/// `urlDecodeUni`: also `%uHHHH`, which gives one byte: the best fit in ASCII, else the low byte of the
/// code. A `%u` without four hex digits stays.
pub(super) fn decode_unicode(input: &[u8], out: &mut Vec<u8>) -> bool {
    if !concerns(input) {
        return false;
    }
    percent::decode_with(input, Plus::Blank, out, |tail, out| match tail {
        [letter @ (b'u' | b'U'), after @ ..] => match code_unit(after) {
            Some((code, after)) => {
                out.push(best_fit::to_ascii(code).unwrap_or(code as u8));
                after
            }
            None => {
                out.extend([b'%', *letter]);
                after
            }
        },
        _ => percent::escape(tail, out).0,
    });
    true
}

/// Whether there is anything to decode.
fn concerns(input: &[u8]) -> bool {
    memchr2(b'%', b'+', input).is_some()
}

/// `urlEncode`: letters, digits and `*` stay, a blank becomes `+`, the rest `%hh`.
pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> bool {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'*';
    let Some(first) = input.iter().position(|&byte| !stays(byte)) else { return false };
    out.reserve(input.len());
    for &byte in copy_to(out, input, Some(first)) {
        match byte {
            b' ' => out.push(b'+'),
            byte if stays(byte) => out.push(byte),
            byte => out.extend([b'%', hex_digit(byte >> 4), hex_digit(byte)]),
        }
    }
    true
}

/// Four hex digits, and what follows them.
fn code_unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let [a, b, c, d, after @ ..] = bytes else { return None };
    Some((u16::from_be_bytes([hex_pair(*a, *b)?, hex_pair(*c, *d)?]), after))
}
