//! HTML character references.

use memchr::memchr;

use super::bytes::{copy_to, hex_value, push_utf8};

/// Names that decode without a semicolon as well.
const BARE: &[(&[u8], u8)] =
    &[(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xA0)];

/// Names that need the semicolon: HTML's other names of ASCII characters.
const CLOSED: &[(&[u8], u8)] = &[
    (b"Tab", b'\t'),
    (b"NewLine", b'\n'),
    (b"excl", b'!'),
    (b"num", b'#'),
    (b"dollar", b'$'),
    (b"percnt", b'%'),
    (b"apos", b'\''),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"ast", b'*'),
    (b"midast", b'*'),
    (b"plus", b'+'),
    (b"comma", b','),
    (b"period", b'.'),
    (b"sol", b'/'),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"equals", b'='),
    (b"quest", b'?'),
    (b"commat", b'@'),
    (b"lsqb", b'['),
    (b"lbrack", b'['),
    (b"bsol", b'\\'),
    (b"rsqb", b']'),
    (b"rbrack", b']'),
    (b"Hat", b'^'),
    (b"lowbar", b'_'),
    (b"UnderBar", b'_'),
    (b"grave", b'`'),
    (b"DiacriticalGrave", b'`'),
    (b"lcub", b'{'),
    (b"lbrace", b'{'),
    (b"verbar", b'|'),
    (b"vert", b'|'),
    (b"VerticalLine", b'|'),
    (b"rcub", b'}'),
    (b"rbrace", b'}'),
    (b"NonBreakingSpace", 0xA0),
];

/// Length of the longest name.
const LONGEST: usize = 16;

/// `htmlEntityDecode`: numeric references of any length, with or without the semicolon, and the names of
/// ASCII characters and the no-break space, without regard to case (ModSecurity's habit). Codes up to FF
/// give one byte, greater ones UTF-8. What is not recognised stays.
pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(b'&', input) else { return false };
    out.reserve(input.len());
    let mut rest = copy_to(out, input, Some(first));
    while let [_, tail @ ..] = rest {
        rest = match reference(tail) {
            Some((code, after)) => {
                match u8::try_from(code) {
                    Ok(byte) => out.push(byte),
                    Err(_) => push_utf8(out, code),
                }
                after
            }
            None => {
                out.push(b'&');
                tail
            }
        };
        rest = copy_to(out, rest, memchr(b'&', rest));
    }
    true
}

/// The code of the reference after an `&`, and what follows it.
fn reference(tail: &[u8]) -> Option<(u32, &[u8])> {
    match tail {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => named(tail),
    }
}

fn number(digits: &[u8], base: u8) -> Option<(u32, &[u8])> {
    let value = |&byte: &u8| hex_value(byte).filter(|&digit| digit < base);
    let (code, length) = digits.iter().map_while(value).fold((0u32, 0), |(code, length), digit| {
        // Whatever is too great for a character stays so.
        (code.saturating_mul(base.into()).saturating_add(digit.into()), length + 1)
    });
    let after = digits.get(length..).filter(|_| length > 0)?;
    Some((code, after.strip_prefix(b";").unwrap_or(after)))
}

fn named(tail: &[u8]) -> Option<(u32, &[u8])> {
    let length = tail.iter().take(LONGEST + 1).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (name, after) = tail.split_at_checked(length)?;
    let find = |names: &[(&[u8], u8)]| {
        names.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, byte)| u32::from(byte))
    };
    match after.strip_prefix(b";") {
        Some(after) => Some((find(BARE).or_else(|| find(CLOSED))?, after)),
        None => Some((find(BARE)?, after)),
    }
}
