//! Paths: repeated slashes, `.` and `..` resolved without a file system, as ModSecurity does.

use memchr::{memchr2, memrchr};

/// `normalizePath`: `/` separates.
///
/// A path that begins with `/` is never left through `..`; one that does not keeps the `..` it can't
/// resolve. A trailing slash stays, unless nothing else does.
pub(super) fn normalise(input: &[u8], out: &mut Vec<u8>) -> bool {
    resolve(input, b'/', out)
}

/// `normalizePathWin`: `\` separates as well, and becomes `/`.
pub(super) fn normalise_windows(input: &[u8], out: &mut Vec<u8>) -> bool {
    resolve(input, b'\\', out)
}

/// Resolves a path in which `/` separates, and another byte as well.
fn resolve(input: &[u8], other: u8, out: &mut Vec<u8>) -> bool {
    let separates = |byte: u8| byte == b'/' || byte == other;
    if !needs_work(input, other) {
        return false;
    }
    out.reserve(input.len());
    let absolute = input.first().is_some_and(|&byte| separates(byte));
    if absolute {
        out.push(b'/');
    }
    // How many segments `..` may still take away.
    let mut depth = 0usize;
    for segment in input.split(|&byte| separates(byte)) {
        match segment {
            b"" | b"." => {}
            b".." if depth > 0 => {
                depth -= 1;
                let end = memrchr(b'/', out).unwrap_or(0).max(usize::from(absolute));
                out.truncate(end);
            }
            b".." if absolute => {}
            _ => {
                depth += usize::from(segment != b"..");
                if !matches!(out.last(), None | Some(b'/')) {
                    out.push(b'/');
                }
                out.extend_from_slice(segment);
            }
        }
    }
    let trailing = input.last().is_some_and(|&byte| separates(byte));
    if trailing && !matches!(out.last(), None | Some(b'/')) {
        out.push(b'/');
    }
    true
}

/// Whether a separator is not a slash, or a segment is `.`, `..` or empty in the middle.
fn needs_work(input: &[u8], other: u8) -> bool {
    let mut rest = input;
    loop {
        let found = memchr2(b'/', other, rest);
        let (segment, tail) = rest.split_at(found.unwrap_or(rest.len()));
        let is_first = rest.len() == input.len();
        match (segment, tail) {
            (b"." | b"..", _) => return true,
            (b"", [_, ..]) if !is_first => return true,
            (_, [separator, ..]) if *separator != b'/' => return true,
            (_, []) => return false,
            (_, [_, after @ ..]) => rest = after,
        }
    }
}
