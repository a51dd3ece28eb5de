//! `cmdLine`: what shells of several kinds read as the same command becomes the same bytes.

use super::bytes::copy_to;

/// `cmdLine`: drops `"`, `'`, `\` and `^`; runs of blanks, commas, semicolons, tabs and line ends become
/// one blank, none before `/` and `(`; ASCII letters become lower-case.
pub(super) fn normalise(input: &[u8], out: &mut Vec<u8>) -> bool {
    let first = input.iter().position(|byte| {
        matches!(byte, b'"' | b'\'' | b'\\' | b'^' | b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' | b'A'..=b'Z')
    });
    let Some(first) = first else { return false };
    out.reserve(input.len());
    let mut after_blank = false;
    for &byte in copy_to(out, input, Some(first)) {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !after_blank {
                    out.push(b' ');
                }
                after_blank = true;
            }
            _ => {
                if after_blank && matches!(byte, b'/' | b'(') {
                    out.pop();
                }
                out.push(byte.to_ascii_lowercase());
                after_blank = false;
            }
        }
    }
    true
}
