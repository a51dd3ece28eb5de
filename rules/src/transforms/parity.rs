//! Parity of seven-bit characters.

/// `parityEven7bit`: the top bit makes the number of ones even.
pub(super) fn even(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend(input.iter().map(|byte| with_parity(byte & 0x7F, 1)));
    true
}

/// `parityOdd7bit`: the top bit makes the number of ones odd.
pub(super) fn odd(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend(input.iter().map(|byte| with_parity(byte & 0x7F, 0)));
    true
}

/// `parityZero7bit`: the top bit is clear.
pub(super) fn zero(input: &[u8], out: &mut Vec<u8>) -> bool {
    if input.is_ascii() {
        return false;
    }
    out.extend(input.iter().map(|byte| byte & 0x7F));
    true
}

/// Sets the top bit when the number of ones leaves `rest` on division by two.
const fn with_parity(low: u8, rest: u32) -> u8 {
    if low.count_ones() % 2 == rest { low | 0x80 } else { low }
}
