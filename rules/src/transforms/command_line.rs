//! `cmdLine`: what shells of several kinds read as the same command becomes the same bytes.

use super::bytes::copy_to;
use crate::copy::write;

/// What becomes of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Stays,
    /// It goes.
    Dropped,
    /// One blank stands for it and its like.
    Blank,
    /// No blank stands before it.
    Closes,
}

static KINDS: [Kind; 256] = {
    let mut kinds = [Kind::Stays; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::indexing_slicing, reason = "a constant")]
        {
            kinds[byte] = match byte as u8 {
                b'"' | b'\'' | b'\\' | b'^' => Kind::Dropped,
                b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => Kind::Blank,
                b'/' | b'(' => Kind::Closes,
                _ => Kind::Stays,
            };
        }
        byte += 1;
    }
    kinds
};

fn kind(byte: u8) -> Kind {
    KINDS.get(usize::from(byte)).copied().unwrap_or(Kind::Stays)
}

/// `cmdLine`: drops `"`, `'`, `\` and `^`; runs of blanks, commas, semicolons, tabs and line ends become
/// one blank, none before `/` and `(`; ASCII letters become lower-case.
pub(super) fn normalise(input: &[u8], out: &mut Vec<u8>) -> bool {
    let first = input
        .iter()
        .position(|&byte| byte.is_ascii_uppercase() || matches!(kind(byte), Kind::Dropped | Kind::Blank));
    let Some(first) = first else { return false };
    let rest = copy_to(out, input, Some(first));
    write(out, rest.len(), |out| {
        let mut after_blank = false;
        for &byte in rest {
            match kind(byte) {
                Kind::Stays => {
                    out.put(byte.to_ascii_lowercase());
                    after_blank = false;
                }
                Kind::Dropped => {}
                Kind::Blank => {
                    out.put_if(b' ', !after_blank);
                    after_blank = true;
                }
                Kind::Closes => {
                    if after_blank {
                        out.take_back();
                    }
                    out.put(byte);
                    after_blank = false;
                }
            }
        }
    });
    true
}
