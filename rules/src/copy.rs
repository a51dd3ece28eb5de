//! Copies of short texts, and whether two are equal.

/// What a text holds behind its whole words of eight bytes, as a number. With the length and those words it says what the
/// text is. It takes as many bytes as it can at once, some of them for the second time.
#[inline]
pub(crate) fn tail(text: &[u8]) -> u64 {
    if text.len().is_multiple_of(8) {
        0
    } else if let Some(last) = text.last_chunk::<8>() {
        u64::from_le_bytes(*last)
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
    } else {
        text.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
    }
}

/// Whether two texts are equal. Most are short; the C library's comparison, which Wasm code would call, goes byte by
/// byte.
#[inline]
pub(crate) fn equal(one: &[u8], other: &[u8]) -> bool {
    let words = |text| <[u8]>::as_chunks::<8>(text).0.iter().map(|word| u64::from_le_bytes(*word));
    one.len() == other.len() && words(one).eq(words(other)) && tail(one) == tail(other)
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

/// A place for bytes that are written one by one, where `Vec::push` would ask for room each time.
pub(crate) struct Writer<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Writer<'_> {
    /// Writes a byte if it is to be there; no branch depends on that.
    #[inline]
    pub(crate) fn put_if(&mut self, byte: u8, wanted: bool) {
        if let Some(place) = self.room.get_mut(self.length) {
            *place = byte;
            self.length += usize::from(wanted);
        }
    }

    /// Writes the first `count` of some bytes, if there is room for all of them.
    #[inline]
    pub(crate) fn put_all<const N: usize>(&mut self, bytes: [u8; N], count: usize) {
        if let Some(place) = self.room.get_mut(self.length..).and_then(|room| room.first_chunk_mut()) {
            *place = bytes;
            self.length += count.min(N);
        }
    }

    /// Takes the last byte back.
    #[inline]
    pub(crate) fn take_back(&mut self) {
        self.length = self.length.saturating_sub(1);
    }
}

/// Appends what `fill` writes, which is at most `most` bytes: what is more is lost.
#[inline]
pub(crate) fn write(out: &mut Vec<u8>, most: usize, fill: impl FnOnce(&mut Writer<'_>)) {
    let start = out.len();
    out.resize(start + most, 0);
    let mut writer = Writer { room: out.get_mut(start..).unwrap_or_default(), length: 0 };
    fill(&mut writer);
    let end = start + writer.length;
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_equal_if_all_their_bytes_are() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..=text.len() {
            let one = &text[..length];
            assert!(equal(one, &Vec::from(one)), "{length}");
            assert!(!equal(one, &text[..text.len() - length]) || length == 20, "{length}");
            for changed in 0..length {
                let mut other = one.to_vec();
                other[changed] ^= 0x80;
                assert!(!equal(one, &other), "{length} {changed}");
            }
        }
    }
}
