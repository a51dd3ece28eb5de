//! What a byte may start, and which runs of bytes it may belong to.

use crate::tables::CLASSES;

/// What a byte starts when it stands where a token may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// White space and control bytes: nothing.
    White,
    /// A word.
    Word,
    /// A number, or a lone dot.
    Number,
    /// A string in single or double quotes.
    Str,
    /// A word in back quotes.
    Tick,
    /// A variable: `@`.
    Variable,
    /// An amount of money, a PostgreSQL dollar-quoted string, or a lone `$`.
    Money,
    /// A word in brackets.
    Bracket,
    /// A binary literal `b'01'`, or a word.
    BString,
    /// A hexadecimal literal `x'ff'`, or a word.
    XString,
    /// A string with escapes `e'…'`, or a word.
    EString,
    /// A national string `n'…'` or `nq'(…)'`, or a word.
    NqString,
    /// An Oracle string `q'(…)'`, or a word.
    QString,
    /// A Unicode string `u&'…'`, or a word.
    UString,
    /// An operator of one byte.
    Operator1,
    /// An operator of one to three bytes.
    Operator2,
    /// A comment `--`, or minus.
    Dash,
    /// A comment `/* */`, or division.
    Slash,
    /// A comment of MySQL, or an operator.
    Hash,
    /// The number `\N` of MySQL, or a lone backslash.
    Backslash,
    /// A token of its own: parentheses, braces, comma, semicolon; and unknown bytes.
    Single,
}

impl Class {
    #[inline]
    pub(crate) fn of(byte: u8) -> Self {
        CLASSES.get(usize::from(byte)).copied().unwrap_or(Self::White)
    }
}

/// Sets of bytes, one bit each in [`SETS`].
pub(crate) mod set {
    /// White space: after `--` it makes a comment everywhere.
    pub(crate) const WHITE: u8 = 1;
    /// Bytes that end a word.
    pub(crate) const WORD_END: u8 = 1 << 1;
    /// Bytes that end the name of a variable.
    pub(crate) const VARIABLE_END: u8 = 1 << 2;
    /// Decimal digits.
    pub(crate) const DECIMAL: u8 = 1 << 3;
    /// Digits of a binary literal.
    pub(crate) const BINARY: u8 = 1 << 4;
    /// Digits of a hexadecimal literal.
    pub(crate) const HEXADECIMAL: u8 = 1 << 5;
    /// Digits and separators of an amount of money.
    pub(crate) const MONEY: u8 = 1 << 6;
    /// Letters of the tag of a dollar-quoted string.
    pub(crate) const LETTER: u8 = 1 << 7;
}

/// Whether a byte is in one of the sets.
#[inline]
pub(crate) fn in_set(byte: u8, sets: u8) -> bool {
    SETS.get(usize::from(byte)).is_some_and(|found| found & sets != 0)
}

static SETS: [u8; 256] = sets();

/// NUL is a member of every set but the decimal digits. libinjection searches its sets with `strchr`, which finds
/// NUL in each of them; databases differ in what they do with it.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn sets() -> [u8; 256] {
    let members: [(u8, &[u8]); 8] = [
        (set::WHITE, b" \t\n\x0b\x0c\r\xa0\0"),
        (set::WORD_END, b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0"),
        (set::VARIABLE_END, b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r'`\"\0"),
        (set::DECIMAL, b"0123456789"),
        (set::BINARY, b"01\0"),
        (set::HEXADECIMAL, b"0123456789ABCDEFabcdef\0"),
        (set::MONEY, b"0123456789.,\0"),
        (set::LETTER, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\0"),
    ];
    let mut table = [0; 256];
    let mut set = 0;
    while set < members.len() {
        let (bit, bytes) = members[set];
        let mut at = 0;
        while at < bytes.len() {
            table[bytes[at] as usize] |= bit;
            at += 1;
        }
        set += 1;
    }
    table
}
