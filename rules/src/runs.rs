//! Texts in which runs of white space become one blank.

use crate::copy::{Writer, write};

const BLOCK: usize = 32;

/// What becomes of the bytes of a text, where white space in a row becomes one blank.
pub(crate) trait Runs {
    /// What stands for a byte; a blank for all white space.
    fn folded(byte: u8) -> u8;

    /// Whether there is no more to a byte than what stands for it: all but one of a run go.
    fn is_plain(byte: u8) -> bool;

    /// Writes what becomes of any byte. `after_blank` says whether the last one written is a blank.
    fn put(out: &mut Writer<'_>, byte: u8, after_blank: &mut bool);
}

/// Appends what becomes of a text. Most blocks are plain and have no runs to shorten: that is found out, and they are
/// written, by vector instructions.
pub(crate) fn append<R: Runs>(text: &[u8], out: &mut Vec<u8>) {
    write(out, text.len(), |out| {
        let mut rest = text;
        let mut after_blank = false;
        while let Some((block, next)) = block_and_next(rest) {
            let is_blank = |byte: u8| R::folded(byte) == b' ';
            let is_simple =
                |(&one, &other): (&u8, &u8)| R::is_plain(one) & !(is_blank(one) & is_blank(other));
            let all_simple = block.iter().zip(next).fold(true, |all, pair| all & is_simple(pair));
            if all_simple & !(after_blank & block.first().is_some_and(|&first| is_blank(first))) {
                out.put_all(block.map(R::folded), BLOCK);
                after_blank = block.last().is_some_and(|&last| is_blank(last));
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
