//! Copies of short texts.

/// Whether two texts are equal. Most are short; the C library's comparison, which Wasm code would call, goes byte by
/// byte.
#[inline]
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    let (one_words, one_rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    one.len() == other.len()
        && one_words.iter().zip(other_words).all(|(one, other)| word(one) == word(other))
        && one_rest.iter().zip(other_rest).all(|(one, other)| one == other)
}

/// Texts up to this length are copied word by word.
const SHORT: usize = 64;

/// Appends a text. Most are short: copied word by word they cost less than a call to copy memory, for which Wasm code
/// leaves the virtual machine.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() > SHORT {
        out.extend_from_slice(text);
        return;
    }
    let (blocks, rest) = text.as_chunks::<16>();
    blocks.iter().for_each(|block| out.extend_from_slice(block));
    let (words, rest) = rest.as_chunks::<4>();
    words.iter().for_each(|word| out.extend_from_slice(word));
    rest.iter().for_each(|byte| out.push(*byte));
}
