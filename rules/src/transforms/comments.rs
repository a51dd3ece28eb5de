//! Comments of SQL, C, HTML and shells.

use memchr::{memchr_iter, memchr2_iter};

use super::bytes::copy_to;

/// `removeComments`: takes `/* … */` and `<!-- … -->` out; `--` and `#` end the value.
///
/// The odd sides are those of both engines, and the shared test vectors ask for them: either closer ends
/// either comment, the byte after a closer is copied unseen (a NUL where the value ends there), and an
/// unterminated comment leaves a blank.
pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = marker(input) else { return false };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    loop {
        rest = match rest {
            [] | [b'#', ..] | [b'-', b'-', ..] => return true,
            [b'/', b'*', comment @ ..] | [b'<', b'!', b'-', b'-', comment @ ..] => match close(comment) {
                Some([next, tail @ ..]) => {
                    out.push(*next);
                    tail
                }
                Some([]) => {
                    out.push(0);
                    return true;
                }
                None => {
                    out.push(b' ');
                    return true;
                }
            },
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
        rest = copy_to(out, rest, marker(rest));
    }
}

/// `removeCommentsChar`: takes the markers `/*`, `*/`, `<!--`, `-->`, `--` and `#` out.
pub(super) fn remove_markers(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = input.iter().position(|byte| matches!(byte, b'/' | b'*' | b'<' | b'-' | b'#')) else {
        return false;
    };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    loop {
        rest = match rest {
            [] => return true,
            [b'/', b'*', tail @ ..]
            | [b'*', b'/', tail @ ..]
            | [b'<', b'!', b'-', b'-', tail @ ..]
            | [b'-', b'-', b'>', tail @ ..]
            | [b'-', b'-', tail @ ..]
            | [b'#', tail @ ..] => tail,
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
}

/// `replaceComments`: each `/* … */` becomes one blank, and so does an unterminated one.
pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = open(input) else { return false };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    while let [_, _, comment @ ..] = rest {
        out.push(b' ');
        let end = memchr_iter(b'*', comment).find(|&at| comment.get(at + 1) == Some(&b'/'));
        rest = end.and_then(|at| comment.get(at + 2..)).unwrap_or_default();
        rest = copy_to(out, rest, open(rest));
    }
    true
}

/// Where a byte is with which something may begin that [`remove`] takes out.
fn marker(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'/' | b'<' | b'-' | b'#'))
}

/// Where the next `/*` is.
fn open(bytes: &[u8]) -> Option<usize> {
    memchr_iter(b'/', bytes).find(|&at| bytes.get(at + 1) == Some(&b'*'))
}

/// What follows the first `*/` or `-->`.
fn close(comment: &[u8]) -> Option<&[u8]> {
    memchr2_iter(b'*', b'-', comment).find_map(|at| match comment.get(at..)? {
        [b'*', b'/', after @ ..] | [b'-', b'-', b'>', after @ ..] => Some(after),
        _ => None,
    })
}
