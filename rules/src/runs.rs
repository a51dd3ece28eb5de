//! Texts in which runs of white space become one blank.

use crate::copy::{Writer, write};

const BLOCK: usize = 32;

/// What becomes of the bytes of a text, where white space in a row becomes one blank.
pub(crate) trait Runs {
    /// Whether there is no more to a byte than what stands for it, and that all but one of the blanks in a row go.
    fn is_plain(byte: u8) -> bool;

    /// What stands for a plain byte, in a way that vector instructions can.
    fn plain(byte: u8) -> u8;

    /// What stands for any byte.
    fn of(byte: u8) -> u8;

    /// Writes what becomes of any byte. `after_blank` says whether the last one written is a blank.
    #[inline]
    fn put(out: &mut Writer<'_>, byte: u8, after_blank: &mut bool) {
        let byte = Self::of(byte);
        let blank = byte == b' ';
        out.put_if(byte, !(blank & *after_blank));
        *after_blank = blank;
    }
}

/// Appends what becomes of a text. Most blocks are plain and have no runs to shorten: that is found out, and they are
/// written, by vector instructions.
pub(crate) fn append<R: Runs>(text: &[u8], out: &mut Vec<u8>) {
    write(out, text.len(), |out| {
        let mut rest = text;
        let mut after_blank = false;
        while let Some((block, next)) = block_and_next(rest) {
            let (folded, after) = (block.map(R::plain), next.map(R::plain));
            let blank = |byte: u8| u8::from(byte == b' ');
            let odd = block.iter().fold(0, |odd, &byte| odd | u8::from(!R::is_plain(byte)));
            let odd = folded.iter().zip(after).fold(odd, |odd, (&one, next)| odd | blank(one) & blank(next));
            let goes_on = after_blank & folded.first().is_some_and(|&first| first == b' ');
            if odd == 0 && !goes_on {
                out.put_all(folded, BLOCK);
                after_blank = folded.last().is_some_and(|&last| last == b' ');
            } else {
                block.iter().for_each(|&byte| R::put(out, byte, &mut after_blank));
            }
            rest = rest.get(BLOCK..).unwrap_or_default();
        }
        rest.iter().for_each(|&byte| R::put(out, byte, &mut after_blank));
    });
}

/// The first block of a text, and the one that begins a byte later.
fn block_and_next(text: &[u8]) -> Option<(&[u8; BLOCK], &[u8; BLOCK])> {
    Some((text.first_chunk()?, text.get(1..)?.first_chunk()?))
}
