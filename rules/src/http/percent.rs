//! Percent-decoding, once, of what is valid; the rest stays as it is.

use memchr::memchr;

/// What a `+` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plus {
    /// Itself, as in a path.
    Literal,
    /// A blank, as in a form or a query.
    Blank,
}

/// Appends `input` to `out`, each valid `%XX` as the byte it stands for. An invalid or cut-off escape is
/// kept as it is.
///
/// Returns whether all escapes were valid.
pub fn decode(input: &[u8], plus: Plus, out: &mut Vec<u8>) -> bool {
    let mut valid = true;
    decode_with(input, plus, out, |after, out| {
        let (rest, whole) = escape(after, out);
        valid &= whole;
        rest
    });
    valid
}

/// Appends `input` to `out`; what follows each `%` goes to `escape`, which appends what it stands for and returns the rest.
pub(crate) fn decode_with<'a>(
    input: &'a [u8],
    plus: Plus,
    out: &mut Vec<u8>,
    mut escape: impl FnMut(&'a [u8], &mut Vec<u8>) -> &'a [u8],
) {
    let blank = if plus == Plus::Blank { b'+' } else { b' ' };
    out.reserve(input.len());
    let mut rest = input;
    loop {
        let (plain, found) = rest.split_at(memchr(b'%', rest).unwrap_or(rest.len()));
        out.extend(plain.iter().map(|&byte| if byte == blank { b' ' } else { byte }));
        let [_, after @ ..] = found else { return };
        rest = escape(after, out);
    }
}

/// Appends the byte that two digits after a `%` spell, or the `%` itself; the rest, and whether there were two.
pub(crate) fn escape<'a>(after: &'a [u8], out: &mut Vec<u8>) -> (&'a [u8], bool) {
    if let [high, low, rest @ ..] = after
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        out.push(high << 4 | low);
        return (rest, true);
    }
    out.push(b'%');
    (after, false)
}

/// The value of a hexadecimal digit.
#[must_use]
pub const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_is_valid() {
        let cases: &[(&[u8], Plus, &[u8], bool)] = &[
            (b"", Plus::Blank, b"", true),
            (b"plain", Plus::Blank, b"plain", true),
            (b"a+b%20c", Plus::Blank, b"a b c", true),
            (b"a+b%20c", Plus::Literal, b"a+b c", true),
            (b"%00%fF%2B", Plus::Blank, b"\x00\xff+", true),
            (b"%2525", Plus::Blank, b"%25", true),
            (b"100%", Plus::Blank, b"100%", false),
            (b"%4", Plus::Blank, b"%4", false),
            (b"%zz%41", Plus::Blank, b"%zzA", false),
            (b"%%41", Plus::Blank, b"%A", false),
            (b"%u0041", Plus::Blank, b"%u0041", false),
            (b"%+1", Plus::Blank, b"% 1", false),
            (b"\xc3\xa4%", Plus::Literal, b"\xc3\xa4%", false),
        ];
        for (input, plus, expected, valid) in cases {
            let mut out = b"before:".to_vec();
            assert_eq!(decode(input, *plus, &mut out), *valid, "{input:?}");
            assert_eq!(out.strip_prefix(b"before:"), Some(*expected), "{input:?}");
        }
    }
}
