//! Tokens, their kinds, and the fingerprint that kinds make.

use super::lookup;
use core::fmt;

/// The most tokens of a fingerprint.
pub const MAX_TOKENS: usize = 5;

/// What a token is. Each kind is a letter of the fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A word of SQL that is none of the special ones below.
    Keyword = b'k',
    /// `UNION`, `EXCEPT` and what else joins two queries.
    Union = b'U',
    /// `GROUP BY`, `LIMIT`, `HAVING`, …
    Group = b'B',
    /// `SELECT`, `INSERT` and other starts of a statement.
    Expression = b'E',
    /// The name of a type.
    SqlType = b't',
    /// The name of a function.
    Function = b'f',
    /// A name, or any other word.
    Bareword = b'n',
    /// A number.
    Number = b'1',
    /// A variable, with or without `@`.
    Variable = b'v',
    /// A string.
    String = b's',
    /// An operator.
    Operator = b'o',
    /// `AND`, `OR` and their like.
    LogicOperator = b'&',
    /// A comment.
    Comment = b'c',
    /// `COLLATE`.
    Collate = b'A',
    /// `(`.
    LeftParenthesis = b'(',
    /// `)`.
    RightParenthesis = b')',
    /// `{`.
    LeftBrace = b'{',
    /// `}`.
    RightBrace = b'}',
    /// A dot of its own.
    Dot = b'.',
    /// `,`.
    Comma = b',',
    /// `:`.
    Colon = b':',
    /// `;`.
    Semicolon = b';',
    /// A word that starts a statement in Transact-SQL only.
    TransactSql = b'T',
    /// A byte that means nothing.
    Unknown = b'?',
    /// Something that databases read differently, which nobody writes but an attacker.
    Evil = b'X',
    /// A backslash of its own.
    Backslash = b'\\',
}

impl Kind {
    /// The letter of this kind in a fingerprint.
    #[must_use]
    pub const fn as_byte(self) -> u8 {
        self as u8
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            b'k' => Self::Keyword,
            b'U' => Self::Union,
            b'B' => Self::Group,
            b'E' => Self::Expression,
            b't' => Self::SqlType,
            b'f' => Self::Function,
            b'n' => Self::Bareword,
            b'1' => Self::Number,
            b'v' => Self::Variable,
            b's' => Self::String,
            b'o' => Self::Operator,
            b'&' => Self::LogicOperator,
            b'c' => Self::Comment,
            b'A' => Self::Collate,
            b'(' => Self::LeftParenthesis,
            b')' => Self::RightParenthesis,
            b'{' => Self::LeftBrace,
            b'}' => Self::RightBrace,
            b'.' => Self::Dot,
            b',' => Self::Comma,
            b':' => Self::Colon,
            b';' => Self::Semicolon,
            b'T' => Self::TransactSql,
            b'?' => Self::Unknown,
            b'X' => Self::Evil,
            b'\\' => Self::Backslash,
            _ => return None,
        })
    }
}

/// The longest value a token keeps, in bytes; the rest of a longer one is dropped.
pub(super) const MAX_VALUE: usize = lookup::LONGEST;

/// A token of SQL: its kind, and the start of its text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub(super) kind: Kind,
    length: u8,
    value: [u8; MAX_VALUE],
    pub(super) opened: Option<u8>,
    pub(super) closed: Option<u8>,
    pub(super) at_signs: u8,
}

impl Token {
    pub(super) fn new(kind: Kind, text: &[u8]) -> Self {
        let mut token =
            Self { kind, length: 0, value: [0; MAX_VALUE], opened: None, closed: None, at_signs: 0 };
        token.set_value(text);
        token
    }

    pub(super) fn set_value(&mut self, text: &[u8]) {
        self.length = 0;
        for (to, from) in self.value.iter_mut().zip(text) {
            *to = *from;
            self.length += 1;
        }
    }

    /// What the token is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The text of the token, without quotes and the `@` of a variable: at most 31 bytes, the rest is dropped.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        self.value.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// The quote before a string, a word or a variable; `None` where there is none, or where it was open before the
    /// input started. Strings with a letter before them have that letter instead: `u` and `q`.
    #[must_use]
    pub const fn opened(&self) -> Option<u8> {
        self.opened
    }

    /// The quote after a string, a word or a variable; `None` where the input ended first.
    #[must_use]
    pub const fn closed(&self) -> Option<u8> {
        self.closed
    }

    /// How many `@` stand before a variable: 0 to 2.
    #[must_use]
    pub const fn at_signs(&self) -> u8 {
        self.at_signs
    }

    /// Whether the value is this text, which is in upper case, in any case.
    pub(super) fn is(&self, upper: &str) -> bool {
        self.value().eq_ignore_ascii_case(upper.as_bytes())
    }

    /// Whether the value starts with this text in any case.
    pub(super) fn starts_with(&self, upper: &str) -> bool {
        self.value().get(..upper.len()).is_some_and(|start| start.eq_ignore_ascii_case(upper.as_bytes()))
    }

    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.value(), [b'*' | b'/' | b'-' | b'+' | b'%'])
    }

    pub(super) fn is_unary(&self) -> bool {
        self.kind == Kind::Operator
            && (matches!(self.value(), [b'+' | b'-' | b'!' | b'~'] | [b'!', b'!']) || self.is("NOT"))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind, self.value().escape_ascii())
    }
}

/// The kinds of the tokens of an input, one letter each: what kind of SQL it is.
///
/// At most five bytes, all ASCII. The letters are those of [`Kind`] and of libinjection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint {
    letters: [u8; MAX_TOKENS],
    length: u8,
}

impl Fingerprint {
    /// The fingerprint of input that cannot be read as SQL in one way only.
    pub(super) const EVIL: Self = Self { letters: [Kind::Evil.as_byte(), 0, 0, 0, 0], length: 1 };

    /// The fingerprint of the first five tokens.
    pub(super) fn of(tokens: &[Token]) -> Self {
        let mut fingerprint = Self { letters: [0; MAX_TOKENS], length: 0 };
        for (letter, token) in fingerprint.letters.iter_mut().zip(tokens) {
            *letter = token.kind.as_byte();
            fingerprint.length += 1;
        }
        fingerprint
    }

    /// The letters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.letters.get(..usize::from(self.length)).unwrap_or(&[])
    }

    /// The letters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The letters, followed by NUL up to the full length.
    pub(super) const fn padded(&self) -> &[u8; MAX_TOKENS] {
        &self.letters
    }
}

impl AsRef<[u8]> for Fingerprint {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.as_str())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
