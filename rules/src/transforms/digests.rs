//! What stands for a value: its digests and its length. An empty value has them too.

use std::io::Write as _;

use md5::{Digest as _, Md5};
use sha1::Sha1;

/// `md5`: 16 raw bytes (RFC 1321).
pub(super) fn md5(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&Md5::digest(input));
    true
}

/// `sha1`: 20 raw bytes (RFC 3174).
pub(super) fn sha1(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.extend_from_slice(&Sha1::digest(input));
    true
}

/// `length`: the number of bytes, as decimal text.
pub(super) fn length(input: &[u8], out: &mut Vec<u8>) -> bool {
    // Writing to memory does not fail.
    write!(out, "{}", input.len()).is_ok()
}
