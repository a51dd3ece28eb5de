//! Copies of short texts.

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
