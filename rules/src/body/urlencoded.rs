//! Urlencoded forms: the arguments of [`crate::http::arguments`], taken from a body.

use crate::http::Pair;
use crate::http::arguments::{self, Summary};

/// Reports the arguments of a form as [`arguments::split`] does. An escape that the cut of a
/// `truncated` body went through is left out rather than called invalid.
pub fn parse(
    body: &[u8],
    separator: u8,
    limit: usize,
    truncated: bool,
    store: &mut Vec<u8>,
    sink: &mut impl FnMut(Pair),
) -> Summary {
    let body = match body {
        [whole @ .., b'%'] if truncated => whole,
        [whole @ .., b'%', digit] if truncated && digit.is_ascii_hexdigit() => whole,
        _ => body,
    };
    arguments::split(body, separator, limit, store, sink)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_escape_is_not_invalid() {
        let cases: &[(&[u8], bool, &[u8], bool)] = &[
            (b"a=1%4", false, b"1%4", true),
            (b"a=1%4", true, b"1", false),
            (b"a=1%", true, b"1", false),
            (b"a=1%g", true, b"1%g", true),
            (b"a=1%41", true, b"1A", false),
            (b"a=%zz%", true, b"%zz", true),
        ];
        for (body, truncated, value, invalid) in cases {
            let mut store = Vec::new();
            let mut pairs = Vec::new();
            let summary = parse(body, b'&', 9, *truncated, &mut store, &mut |p| pairs.push(p));
            assert_eq!(&store[pairs[0].value.clone()], *value, "{}", body.escape_ascii());
            assert_eq!(summary.invalid_escape, *invalid, "{}", body.escape_ascii());
        }
    }
}
