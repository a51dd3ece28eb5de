//! Cookies of a Cookie header.

/// The cookies of one Cookie header in order: name, value. Nothing is decoded or unquoted.
///
/// Pieces end at `;` and are trimmed, as is the name; the value is all that follows the first `=`, or
/// nothing. Pieces without a name are passed over; names such as `$Version` are ordinary ones. (As
/// Coraza does it; ModSecurity 3 trims less.)
pub fn cookies(header: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    header.split(|&b| b == b';').filter_map(|piece| {
        let piece = piece.trim_ascii();
        let equals = memchr::memchr(b'=', piece).unwrap_or(piece.len());
        let (name, value) = piece.split_at_checked(equals)?;
        let name = name.trim_ascii_end();
        (!name.is_empty()).then_some((name, value.get(1..).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_cookie_headers() {
        type Case = (&'static [u8], &'static [(&'static [u8], &'static [u8])]);
        let cases: &[Case] = &[
            (b"", &[]),
            (b" ; ;; ", &[]),
            (b"a=1", &[(b"a", b"1")]),
            (b"a=1; b=2 ;c", &[(b"a", b"1"), (b"b", b"2"), (b"c", b"")]),
            (b"a=1; a=2", &[(b"a", b"1"), (b"a", b"2")]),
            (b"a = \"x=%41\" ", &[(b"a", b" \"x=%41\"")]),
            (b"=v; a==b", &[(b"a", b"=b")]),
            (b"$Version=1; a", &[(b"$Version", b"1"), (b"a", b"")]),
            (b"a=1, b=2", &[(b"a", b"1, b=2")]),
            (b"\xff=\x00", &[(b"\xff", b"\x00")]),
        ];
        for (header, expected) in cases {
            assert_eq!(&cookies(header).collect::<Vec<_>>(), expected, "{}", header.escape_ascii());
        }
    }
}
