//! The request target taken apart: `REQUEST_URI_RAW`, `REQUEST_URI`, `REQUEST_FILENAME`,
//! `REQUEST_BASENAME` and `QUERY_STRING`. It cannot fail: whatever is not understood is path.

use super::percent::{self, Plus};

/// The parts of a request target, as sent; nothing in it is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// All of it, fragment included: `REQUEST_URI_RAW`.
    pub raw: &'a [u8],
    /// Without scheme, authority and fragment: `REQUEST_URI`, as ModSecurity 2 documents it.
    pub uri: &'a [u8],
    /// What stands before the query. `/` when an absolute target has no path (RFC 9112, 3.2.1).
    pub path: &'a [u8],
    /// What follows the first `?`, or nothing: `QUERY_STRING`.
    pub query: &'a [u8],
}

impl<'a> Target<'a> {
    /// Takes a target apart, in origin form (`/a?b`), absolute form (`http://host/a?b`), authority form
    /// (`host:443`) or asterisk form (`*`). The last two are all path, as is a target that begins
    /// with `//`: an authority has a scheme before it here.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Self {
        let target = memchr::memchr(b'#', raw).and_then(|at| raw.get(..at)).unwrap_or(raw);
        let after_authority = skip_authority(target);
        let uri = match after_authority {
            Some([]) => b"/",
            Some(rest) => rest,
            None => target,
        };
        let (path, query) = split_at_byte(uri, b'?');
        let path = if path.is_empty() && after_authority.is_some() { b"/" } else { path };
        Self { raw, uri, path, query }
    }

    /// Appends the path, percent-decoded once and without a special meaning of `+`, to `out`:
    /// `REQUEST_FILENAME`. Returns whether all its escapes were valid.
    pub fn decode_path(&self, out: &mut Vec<u8>) -> bool {
        percent::decode(self.path, Plus::Literal, out)
    }
}

/// What follows the last `/` or `\` of a decoded path, `REQUEST_BASENAME`; nothing when there is no
/// separator or it ends the path.
#[must_use]
pub fn basename(path: &[u8]) -> &[u8] {
    memchr::memrchr2(b'/', b'\\', path).and_then(|at| path.get(at + 1..)).unwrap_or_default()
}

/// What follows `scheme://authority`, if the target begins so.
fn skip_authority(target: &[u8]) -> Option<&[u8]> {
    let (first, _) = target.split_first()?;
    if !first.is_ascii_alphabetic() {
        return None;
    }
    let end = target.iter().position(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'+' | b'-' | b'.'))?;
    let authority = target.get(end..)?.strip_prefix(b"://")?;
    let path = authority.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(authority.len());
    authority.get(path..)
}

/// The parts before and after the first `byte`; the second is empty when there is none.
fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], &[u8]) {
    match memchr::memchr(byte, text).and_then(|at| text.split_at_checked(at)) {
        Some((before, after)) => (before, after.get(1..).unwrap_or_default()),
        None => (text, &[]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_targets_apart() {
        // target, REQUEST_URI, REQUEST_FILENAME, REQUEST_BASENAME, QUERY_STRING
        let cases: &[[&[u8]; 5]] = &[
            [b"/", b"/", b"/", b"", b""],
            [b"/a/b.php?x=1&y=/2", b"/a/b.php?x=1&y=/2", b"/a/b.php", b"b.php", b"x=1&y=/2"],
            [b"/a%20b+c/%2e%2E%2f?q=%41+", b"/a%20b+c/%2e%2E%2f?q=%41+", b"/a b+c/../", b"", b"q=%41+"],
            [b"/a%5Cb", b"/a%5Cb", b"/a\\b", b"b", b""],
            [b"/a%zz%4", b"/a%zz%4", b"/a%zz%4", b"a%zz%4", b""],
            [b"/a?b?c", b"/a?b?c", b"/a", b"a", b"b?c"],
            [b"/a#f?x", b"/a", b"/a", b"a", b""],
            [b"/a?b#c#d", b"/a?b", b"/a", b"a", b"b"],
            [b"/a%23b", b"/a%23b", b"/a#b", b"a#b", b""],
            [b"http://h.example:80/a/b?c", b"/a/b?c", b"/a/b", b"b", b"c"],
            [b"HTTP://user:pw@[::1]:80/a", b"/a", b"/a", b"a", b""],
            [b"https://h", b"/", b"/", b"", b""],
            [b"https://h?x=1", b"?x=1", b"/", b"", b"x=1"],
            [b"https://h#f", b"/", b"/", b"", b""],
            [b"*", b"*", b"*", b"", b""],
            [b"", b"", b"", b"", b""],
            [b"h.example:443", b"h.example:443", b"h.example:443", b"", b""],
            [b"//h/a", b"//h/a", b"//h/a", b"a", b""],
            [b"?a=1", b"?a=1", b"", b"", b"a=1"],
            [b"a/b", b"a/b", b"a/b", b"b", b""],
            [b"1http://h/a", b"1http://h/a", b"1http://h/a", b"a", b""],
            [b"/a?u=http://h/b", b"/a?u=http://h/b", b"/a", b"a", b"u=http://h/b"],
            [b"/\xff\x00", b"/\xff\x00", b"/\xff\x00", b"\xff\x00", b""],
        ];
        for [raw, uri, path, base, query] in cases {
            let target = Target::parse(raw);
            let mut decoded = Vec::new();
            target.decode_path(&mut decoded);
            let found = [target.raw, target.uri, decoded.as_slice(), basename(&decoded), target.query];
            assert_eq!(found, [*raw, *uri, *path, *base, *query], "{}", raw.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn path_and_query_make_up_the_uri(raw in prop::collection::vec(prop::sample::select(b"ah:/?#%+.\\@".to_vec()), 0..24)) {
            let target = Target::parse(&raw);
            prop_assert!(!target.uri.contains(&b'#'));
            prop_assert!(!target.path.contains(&b'?'));
            prop_assert!(target.uri.ends_with(target.query));
            prop_assert!(target.uri == b"/" || memchr::memmem::find(&raw, target.uri).is_some());
        }
    }
}
