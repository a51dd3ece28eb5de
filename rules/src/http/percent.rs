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
    let blank = if plus == Plus::Blank { b'+' } else { b' ' };
    out.reserve(input.len());
    let mut rest = input;
    loop {
        let (plain, escape) =
            memchr(b'%', rest).and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, &[]));
        out.extend(plain.iter().map(|&byte| if byte == blank { b' ' } else { byte }));
        rest = match escape {
            [] => return valid,
            [_, high, low, after @ ..] if hex_digit(*high).is_some() && hex_digit(*low).is_some() => {
                let digit = |byte: u8| hex_digit(byte).unwrap_or_default();
                out.push(digit(*high) << 4 | digit(*low));
                after
            }
            [sign, after @ ..] => {
                valid = false;
                out.push(*sign);
                after
            }
        };
    }
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
