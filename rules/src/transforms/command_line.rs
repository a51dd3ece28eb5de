//! `cmdLine`: what shells of several kinds read as the same command becomes the same bytes.

use crate::bytes::per_byte;
use crate::copy::Writer;
use crate::runs::{self, Runs};

/// What becomes of a byte.
#[derive(Clone, Copy, Debug)]
struct Rule {
    /// What stands for it.
    byte: u8,
    /// It goes.
    dropped: bool,
    /// One blank stands for it and its like.
    blank: bool,
    /// No blank stands before it.
    closes: bool,
}

static RULES: [Rule; 256] = per_byte!(from => {
    let blank = matches!(from, b' ' | b',' | b';' | b'\t' | b'\r' | b'\n');
    Rule {
        byte: if blank { b' ' } else { from.to_ascii_lowercase() },
        dropped: matches!(from, b'"' | b'\'' | b'\\' | b'^'),
        blank,
        closes: matches!(from, b'/' | b'('),
    }
});

fn rule(byte: u8) -> Rule {
    #[expect(clippy::indexing_slicing, reason = "there is one for each byte")]
    RULES[usize::from(byte)]
}

/// `cmdLine`: drops `"`, `'`, `\` and `^`; runs of blanks, commas, semicolons, tabs and line ends become
/// one blank, none before `/` and `(`; ASCII letters become lower-case.
pub(super) fn normalise(input: &[u8], out: &mut Vec<u8>) -> bool {
    runs::append::<CommandLine>(input, out);
    true
}

struct CommandLine;

impl Runs for CommandLine {
    /// Compared one by one, as vector instructions can.
    #[inline]
    fn is_plain(byte: u8) -> bool {
        !b"\"'\\^,;\t\r\n/(".iter().fold(false, |found, &other| found | (byte == other))
    }

    #[inline]
    fn plain(byte: u8) -> u8 {
        byte.to_ascii_lowercase()
    }

    #[inline]
    fn of(byte: u8) -> u8 {
        rule(byte).byte
    }

    #[inline]
    fn put(out: &mut Writer<'_>, byte: u8, after_blank: &mut bool) {
        let Rule { byte, dropped, blank, closes } = rule(byte);
        if closes & *after_blank {
            out.take_back();
        }
        // No branch depends on what most texts are full of.
        out.put_if(byte, !(dropped | (blank & *after_blank)));
        *after_blank = blank | (dropped & *after_blank);
    }
}
