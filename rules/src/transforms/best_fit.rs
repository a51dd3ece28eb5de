//! The closest ASCII character of a UTF-16 code unit: Windows code page 20127 (US-ASCII) with
//! best-fit mapping, the table behind ModSecurity's `SecUnicodeMapFile … 20127`. Servers that decode
//! `%uHHHH` apply it, so an accented or full-width letter may reach the application as a plain one.
//!
//! The facts are Microsoft's (the best-fit data of Windows, also in .NET's ASCII encoding); the
//! full stops of East Asian scripts are ModSecurity's additions.

/// U+00A0 to U+00FF; `_` where there is no fit.
const LATIN_1: &[u8; 96] = b"\
    \x20!c_$Y|__Ca<_-R_\
    __23___.,1o>____\
    AAAAAAACEEEEIIII\
    DNOOOOO_OUUUUY__\
    aaaaaaaceeeeiiii\
    _nooooo_ouuuuy_y";

/// U+0100 to U+017F; `_` where there is no fit.
const LATIN_EXTENDED_A: &[u8; 128] = b"\
    AaAaAaCcCcCcCcDd\
    DdEeEeEeEeEeGgGg\
    GgGgHhHhIiIiIiIi\
    Ii__JjKk_LlLlLl_\
    _LlNnNnNn___OoOo\
    OoOoRrRrRrSsSsSs\
    SsTtTtTtUuUuUuUu\
    UuUuWwYyYZzZzZz_";

/// Everything else but the full-width forms, in order of code.
const OTHERS: &[(u16, u8)] = &[
    (0x0180, b'b'),
    (0x0189, b'D'),
    (0x0191, b'F'),
    (0x0192, b'f'),
    (0x0197, b'I'),
    (0x019A, b'l'),
    (0x019F, b'O'),
    (0x01A0, b'O'),
    (0x01A1, b'o'),
    (0x01AB, b't'),
    (0x01AE, b'T'),
    (0x01AF, b'U'),
    (0x01B0, b'u'),
    (0x01B6, b'z'),
    (0x01CD, b'A'),
    (0x01CE, b'a'),
    (0x01CF, b'I'),
    (0x01D0, b'i'),
    (0x01D1, b'O'),
    (0x01D2, b'o'),
    (0x01D3, b'U'),
    (0x01D4, b'u'),
    (0x01D5, b'U'),
    (0x01D6, b'u'),
    (0x01D7, b'U'),
    (0x01D8, b'u'),
    (0x01D9, b'U'),
    (0x01DA, b'u'),
    (0x01DB, b'U'),
    (0x01DC, b'u'),
    (0x01DE, b'A'),
    (0x01DF, b'a'),
    (0x01E4, b'G'),
    (0x01E5, b'g'),
    (0x01E6, b'G'),
    (0x01E7, b'g'),
    (0x01E8, b'K'),
    (0x01E9, b'k'),
    (0x01EA, b'O'),
    (0x01EB, b'o'),
    (0x01EC, b'O'),
    (0x01ED, b'o'),
    (0x01F0, b'j'),
    (0x0261, b'g'),
    (0x02B9, b'\''),
    (0x02BA, b'"'),
    (0x02BC, b'\''),
    (0x02C4, b'^'),
    (0x02C6, b'^'),
    (0x02C8, b'\''),
    (0x02CB, b'`'),
    (0x02CD, b'_'),
    (0x02DC, b'~'),
    (0x0300, b'`'),
    (0x0302, b'^'),
    (0x0303, b'~'),
    (0x030E, b'"'),
    (0x0331, b'_'),
    (0x0332, b'_'),
    (0x2000, b' '),
    (0x2001, b' '),
    (0x2002, b' '),
    (0x2003, b' '),
    (0x2004, b' '),
    (0x2005, b' '),
    (0x2006, b' '),
    (0x2010, b'-'),
    (0x2011, b'-'),
    (0x2013, b'-'),
    (0x2014, b'-'),
    (0x2018, b'\''),
    (0x2019, b'\''),
    (0x201A, b','),
    (0x201C, b'"'),
    (0x201D, b'"'),
    (0x201E, b'"'),
    (0x2022, b'.'),
    (0x2026, b'.'),
    (0x2032, b'\''),
    (0x2035, b'`'),
    (0x2039, b'<'),
    (0x203A, b'>'),
    (0x2122, b'T'),
    (0x3002, b'.'),
    (0xFF61, b'.'),
];

/// The best fit of `code`, or `None` where the code page has none. ASCII fits itself.
pub(super) fn to_ascii(code: u16) -> Option<u8> {
    let fit =
        |table: &[u8], first: u16| table.get(usize::from(code - first)).copied().filter(|&byte| byte != b'_');
    match code {
        0..=0x7F => Some(code as u8),
        0xA0..=0xFF => fit(LATIN_1, 0xA0),
        0x100..=0x17F => fit(LATIN_EXTENDED_A, 0x100),
        0xFF01..=0xFF5E => Some((code - 0xFEE0) as u8),
        _ => {
            let at = OTHERS.binary_search_by_key(&code, |&(code, _)| code).ok()?;
            OTHERS.get(at).map(|&(_, byte)| byte)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_plain() {
        assert!(OTHERS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(OTHERS.iter().all(|&(code, byte)| code > 0x17F && byte.is_ascii() && byte >= b' '));
        assert!((0..=u16::MAX).filter_map(to_ascii).all(|byte| byte.is_ascii()));
    }

    #[test]
    fn fits() {
        for (code, byte) in [
            (0x41, b'A'),
            (0xA0, b' '),
            (0xA6, b'|'),
            (0xAD, b'-'),
            (0xB2, b'2'),
            (0xB3, b'3'),
            (0xB7, b'.'),
            (0xBB, b'>'),
            (0xC7, b'C'),
            (0xD0, b'D'),
            (0xD1, b'N'),
            (0xE9, b'e'),
            (0xF1, b'n'),
            (0xFF, b'y'),
            (0x100, b'A'),
            (0x111, b'd'),
            (0x131, b'i'),
            (0x134, b'J'),
            (0x142, b'l'),
            (0x14C, b'O'),
            (0x153, b'o'),
            (0x160, b'S'),
            (0x175, b'w'),
            (0x178, b'Y'),
            (0x17E, b'z'),
            (0x2019, b'\''),
            (0x203A, b'>'),
            (0x3002, b'.'),
            (0xFF01, b'!'),
            (0xFF0E, b'.'),
            (0xFF1C, b'<'),
            (0xFF5E, b'~'),
            (0xFF61, b'.'),
        ] {
            assert_eq!(to_ascii(code), Some(byte), "U+{code:04X}");
        }
        for code in [0x80, 0x9F, 0xA3, 0xBF, 0xD7, 0xDE, 0xF0, 0xFE, 0x132, 0x138, 0x140, 0x14A, 0x17F] {
            assert_eq!(to_ascii(code), None, "U+{code:04X}");
        }
        for code in [0x1F60, 0x2007, 0x2020, 0xFF00, 0xFF5F, 0xFFFF] {
            assert_eq!(to_ascii(code), None, "U+{code:04X}");
        }
    }

    /// Each letter with a canonical decomposition into a base letter and accents fits its base letter.
    #[test]
    fn accented_letters_fit_their_base() {
        for (range, bases) in
            [(0xC0..=0xC5, b'A'), (0xC8..=0xCB, b'E'), (0xCC..=0xCF, b'I'), (0xD9..=0xDC, b'U')]
        {
            for code in range {
                assert_eq!(to_ascii(code), Some(bases));
                assert_eq!(to_ascii(code + 0x20), Some(bases.to_ascii_lowercase()));
            }
        }
    }
}
