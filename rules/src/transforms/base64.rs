//! Base64, decoded as leniently as attackers' targets do.

/// What a byte means to a decoder.
enum Step {
    /// Six bits.
    Bits(u8),
    /// Nothing; go on.
    Skip,
    /// The end of what can be decoded.
    Stop,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `base64Decode`: up to the first byte outside the alphabet, line ends passed over. Whole bytes of an
/// incomplete last group count. Coraza's reading; ModSecurity v3 would empty an imperfect value.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    decode_with(input, out, |byte| match byte {
        b'\r' | b'\n' => Step::Skip,
        _ => bits(byte).map_or(Step::Stop, Step::Bits),
    })
}

/// `base64DecodeExt`: bytes outside the alphabet are passed over, the URL-safe letters `-` and `_` are
/// taken as well, and the first `=` is the end.
pub(super) fn decode_ext(input: &[u8], out: &mut Vec<u8>) -> bool {
    decode_with(input, out, |byte| match byte {
        b'=' => Step::Stop,
        b'-' => Step::Bits(62),
        b'_' => Step::Bits(63),
        _ => bits(byte).map_or(Step::Skip, Step::Bits),
    })
}

/// `base64Encode`: the standard alphabet, padded, in one line.
pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(input.len().div_ceil(3).saturating_mul(4));
    let digit =
        |group: u32, shift: u32| ALPHABET.get((group >> shift) as usize & 0x3F).copied().unwrap_or(b'=');
    for group in input.chunks(3) {
        match *group {
            [a, b, c] => {
                let group = u32::from_be_bytes([0, a, b, c]);
                out.extend([digit(group, 18), digit(group, 12), digit(group, 6), digit(group, 0)]);
            }
            [a, b] => {
                let group = u32::from_be_bytes([0, a, b, 0]);
                out.extend([digit(group, 18), digit(group, 12), digit(group, 6), b'=']);
            }
            [a] => {
                let group = u32::from_be_bytes([0, a, 0, 0]);
                out.extend([digit(group, 18), digit(group, 12), b'=', b'=']);
            }
            _ => {}
        }
    }
    true
}

fn decode_with(input: &[u8], out: &mut Vec<u8>, step: impl Fn(u8) -> Step) -> bool {
    out.reserve(input.len() / 4 * 3 + 3);
    let mut pending = 0u32;
    let mut pending_bits = 0;
    for &byte in input {
        match step(byte) {
            Step::Bits(bits) => {
                pending = pending << 6 | u32::from(bits);
                pending_bits += 6;
                if pending_bits >= 8 {
                    pending_bits -= 8;
                    out.push((pending >> pending_bits) as u8);
                }
            }
            Step::Skip => {}
            Step::Stop => break,
        }
    }
    true
}

const fn bits(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
