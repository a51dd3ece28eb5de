//! Arguments of a query string or an urlencoded form.

use super::Pair;
use super::percent::{self, Plus};

/// What splitting found besides the arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Arguments reported.
    pub arguments: usize,
    /// Arguments past the limit, which were not.
    pub dropped: usize,
    /// Whether a `%` of a reported argument was not followed by two hex digits: `URLENCODED_ERROR`.
    pub invalid_escape: bool,
}

/// Splits `input` at each `separator` and reports the arguments in order of arrival, at most `limit`.
///
/// An empty piece is no argument. The first `=` of a piece separates name and value; without one the
/// value is empty; before one the name may be. Both are decoded once: `+` is a blank, `%XX` a
/// byte, an invalid escape itself. (ModSecurity 3 and Coraza, which differ on empty pieces.)
pub fn split(
    input: &[u8],
    separator: u8,
    limit: usize,
    store: &mut Vec<u8>,
    sink: &mut impl FnMut(Pair),
) -> Summary {
    let mut summary = Summary::default();
    let mut rest = input;
    while !rest.is_empty() {
        let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
        let (piece, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
        rest = after.get(1..).unwrap_or_default();
        if piece.is_empty() {
            continue;
        }
        if summary.arguments >= limit {
            summary.dropped += 1;
            continue;
        }
        let equals = piece.iter().position(|&b| b == b'=').unwrap_or(piece.len());
        let (name, value) = piece.split_at_checked(equals).unwrap_or((piece, &[]));
        let start = store.len();
        let name_valid = percent::decode(name, Plus::Blank, store);
        let middle = store.len();
        let value_valid = percent::decode(value.get(1..).unwrap_or_default(), Plus::Blank, store);
        summary.invalid_escape |= !(name_valid && value_valid);
        summary.arguments += 1;
        sink(Pair { name: start..middle, value: middle..store.len() });
    }
    summary
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Found = Vec<(Vec<u8>, Vec<u8>)>;

    fn run(input: &[u8], separator: u8, limit: usize) -> (Found, Summary) {
        let mut store = b"earlier".to_vec();
        let mut pairs = Vec::new();
        let summary = split(input, separator, limit, &mut store, &mut |pair| pairs.push(pair));
        let found = pairs.into_iter().map(|p| (store[p.name].to_vec(), store[p.value].to_vec())).collect();
        (found, summary)
    }

    #[test]
    fn splits_and_decodes() {
        type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])], bool);
        let cases: &[Case] = &[
            (b"", &[], false),
            (b"&&", &[], false),
            (b"a=1", &[(b"a", b"1")], false),
            (b"a=1&b=2&a=3", &[(b"a", b"1"), (b"b", b"2"), (b"a", b"3")], false),
            (b"&a=1&&b&", &[(b"a", b"1"), (b"b", b"")], false),
            (b"=v", &[(b"", b"v")], false),
            (b"=", &[(b"", b"")], false),
            (b"a=b=c", &[(b"a", b"b=c")], false),
            (b"a+b=c+d", &[(b"a b", b"c d")], false),
            (b"%61%3d=%26%3D", &[(b"a=", b"&=")], false),
            (b"a=%", &[(b"a", b"%")], true),
            (b"a%4=1&b=%41", &[(b"a%4", b"1"), (b"b", b"A")], true),
            (b"a=%u0041", &[(b"a", b"%u0041")], true),
            (b"a=1;b=2", &[(b"a", b"1;b=2")], false),
            (b"\xff=\x00", &[(b"\xff", b"\x00")], false),
        ];
        for (input, expected, invalid) in cases {
            let (found, summary) = run(input, b'&', 100);
            let expected: Found = expected.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
            assert_eq!(found, expected, "{}", input.escape_ascii());
            assert_eq!(summary.invalid_escape, *invalid, "{}", input.escape_ascii());
            assert_eq!((summary.arguments, summary.dropped), (expected.len(), 0));
        }
        assert_eq!(run(b"a=1;b=2&c", b';', 9).0.len(), 2);
    }

    #[test]
    fn drops_what_is_past_the_limit() {
        let (found, summary) = run(b"a=1&&b=2&c=%&d", b'&', 2);
        assert_eq!(found.len(), 2);
        assert_eq!(summary, Summary { arguments: 2, dropped: 2, invalid_escape: false });
        assert_eq!(run(b"a=1", b'&', 0).1.dropped, 1);
    }

    proptest! {
        #[test]
        fn encoded_pairs_come_back(pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 0..12)) {
            let encode = |bytes: &[u8]| bytes.iter().map(|b| format!("%{b:02X}")).collect::<String>();
            let text: Vec<String> =
                pairs.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect();
            let (found, summary) = run(text.join("&").as_bytes(), b'&', usize::MAX);
            prop_assert_eq!(found, pairs);
            prop_assert!(!summary.invalid_escape);
        }

        #[test]
        fn never_writes_more_than_it_reads(input: Vec<u8>, separator: u8, limit in 0..20_usize) {
            let (found, summary) = run(&input, separator, limit);
            prop_assert!(found.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>() <= input.len());
            prop_assert_eq!(summary.arguments, found.len());
            prop_assert!(found.len() <= limit);
        }
    }
}
