//! Divides input into SQL tokens.
//!
//! The grammar is that of several databases at once: a construct of any of them is read as that database would.
//! A method that is named after a token starts at the first byte of that token and leaves the position behind it.

use super::charclass::{Class, in_set, set};
use super::lookup::keyword;
use super::token::{Kind, MAX_VALUE, Token};
use super::{Context, Dialect, Quote};
use crate::scan::Scan;

/// The tokens of `input` in `context`, comments included, white space dropped.
pub fn tokens(input: &[u8], context: Context) -> Tokens<'_> {
    Tokens {
        scan: Scan::new(input),
        context,
        position: 0,
        word_end: 0,
        seen: 0,
        reads_differently_in_mysql: false,
    }
}

/// An iterator over the tokens of an input.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    pub(super) scan: Scan<'a>,
    context: Context,
    position: usize,
    /// Where the word around `position` ends, if it is behind `position`. A keyword before a dot is a token of its
    /// own, and what follows is part of the same run of bytes: it must not be scanned again for each dot.
    word_end: usize,
    /// The tokens returned so far.
    pub(super) seen: usize,
    /// Whether something was seen that MySQL takes for a comment where others do not, or the other way round.
    pub(super) reads_differently_in_mysql: bool,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let open = match self.context.quote {
            Quote::Single if self.position == 0 => Some(b'\''),
            Quote::Double if self.position == 0 => Some(b'"'),
            _ => None,
        };
        let token = match open {
            Some(quote) if self.scan.len() > 0 => Some(self.string_from(0, quote, None)),
            _ => self.read(),
        };
        self.seen += usize::from(token.is_some());
        token
    }
}

impl Tokens<'_> {
    fn read(&mut self) -> Option<Token> {
        loop {
            let byte = self.scan.at(self.position)?;
            return Some(match Class::of(byte) {
                Class::White => {
                    self.position += 1;
                    continue;
                }
                Class::Number => match self.number(byte) {
                    Some(token) => token,
                    None => continue,
                },
                Class::Word => self.word(),
                Class::Str => self.string_from(self.position + 1, byte, Some(byte)),
                Class::Tick => self.back_quoted(),
                Class::Variable => self.variable(),
                Class::Money => self.money(),
                Class::Bracket => self.bracketed(),
                Class::BString => self.literal(set::BINARY),
                Class::XString => self.literal(set::HEXADECIMAL),
                Class::EString => self.escaped_string(),
                Class::NqString => self.national_string(),
                Class::QString => self.oracle_string(0),
                Class::UString => self.unicode_string(),
                Class::Operator1 => self.take(Kind::Operator, 1),
                Class::Operator2 => self.operator(byte),
                Class::Dash => self.dash(),
                Class::Slash => self.slash(),
                Class::Hash => self.hash(),
                Class::Backslash => self.backslash(),
                Class::Single => self.take(Kind::from_byte(byte).unwrap_or(Kind::Unknown), 1),
            });
        }
    }

    /// The byte `distance` after the position.
    fn ahead(&self, distance: usize) -> Option<u8> {
        self.scan.at(self.position + distance)
    }

    /// The next `length` bytes as a token.
    fn take(&mut self, kind: Kind, length: usize) -> Token {
        self.take_to(kind, self.position + length)
    }

    /// The bytes up to `end` as a token.
    fn take_to(&mut self, kind: Kind, end: usize) -> Token {
        let start = core::mem::replace(&mut self.position, end);
        Token::new(kind, self.scan.slice(start, end))
    }

    /// The bytes from `start` as a string that ends before `close`, whose delimiter has `width` bytes, or with the
    /// input.
    fn delimited(&mut self, start: usize, close: Option<usize>, width: usize, mark: u8) -> Token {
        let end = close.unwrap_or(self.scan.len());
        let mut token = Token::new(Kind::String, self.scan.slice(start, end));
        token.opened = Some(mark);
        token.closed = close.map(|_| mark);
        self.position = close.map_or(end, |close| close + width);
        token
    }

    /// A string whose text begins at `start`. A quote is part of it when it is doubled, or when an odd number of
    /// backslashes stands before it.
    fn string_from(&mut self, start: usize, quote: u8, opened: Option<u8>) -> Token {
        let mut from = start;
        let close = loop {
            let Some(found) = self.scan.find(from, |byte| byte == quote) else { break None };
            if self.scan.run_before(start, found, b'\\') % 2 == 1 {
                from = found + 1;
            } else if self.scan.at(found + 1) == Some(quote) {
                from = found + 2;
            } else {
                break Some(found);
            }
        };
        let mut token = self.delimited(start, close, 1, quote);
        token.opened = opened;
        token
    }

    /// `e'…'` of PostgreSQL, and `n'…'`.
    fn escaped_string(&mut self) -> Token {
        match (self.ahead(1), self.ahead(2)) {
            (Some(b'\''), Some(_)) => self.string_from(self.position + 2, b'\'', Some(b'\'')),
            _ => self.word(),
        }
    }

    /// `u&'…'` of the standard.
    fn unicode_string(&mut self) -> Token {
        match (self.ahead(1), self.ahead(2)) {
            (Some(b'&'), Some(b'\'')) => {
                let mut token = self.string_from(self.position + 3, b'\'', Some(b'u'));
                token.closed = token.closed.map(|_| b'u');
                token
            }
            _ => self.word(),
        }
    }

    /// `n'…'`, or `nq'(…)'` of Oracle.
    fn national_string(&mut self) -> Token {
        match (self.ahead(1), self.ahead(2)) {
            (Some(b'\''), Some(_)) => self.escaped_string(),
            _ => self.oracle_string(1),
        }
    }

    /// `q'(…)'` of Oracle, where any visible ASCII character, or a pair of brackets, delimits the text.
    fn oracle_string(&mut self, prefix: usize) -> Token {
        let delimiter = match (self.ahead(prefix), self.ahead(prefix + 1), self.ahead(prefix + 2)) {
            (Some(b'q' | b'Q'), Some(b'\''), Some(delimiter @ 33..=127)) => delimiter,
            _ => return self.word(),
        };
        let closing = match delimiter {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            other => other,
        };
        let start = self.position + prefix + 3;
        let close = self.scan.find_pair(start, self.scan.len(), [closing, b'\'']);
        self.delimited(start, close, 2, b'q')
    }

    /// `b'01'` or `x'ff'`.
    fn literal(&mut self, digits: u8) -> Token {
        if self.ahead(1) == Some(b'\'') && self.ahead(2).is_some() {
            let end = self.scan.span(self.position + 2, |byte| in_set(byte, digits));
            if self.scan.at(end) == Some(b'\'') {
                return self.take_to(Kind::Number, end + 1);
            }
        }
        self.word()
    }

    /// `[…]` of SQL Server.
    fn bracketed(&mut self) -> Token {
        let close = self.scan.find(self.position, |byte| byte == b']');
        self.take_to(Kind::Bareword, close.map_or(self.scan.len(), |close| close + 1))
    }

    /// A word: a keyword, or a name. A keyword before a dot or a back quote is a token of its own.
    fn word(&mut self) -> Token {
        let start = self.position;
        if start >= self.word_end {
            self.word_end = self.scan.span(start, |byte| !in_set(byte, set::WORD_END));
        }
        let mut token = self.take_to(Kind::Bareword, self.word_end);
        let value = token.value();
        for (length, byte) in value.iter().enumerate() {
            if matches!(byte, b'.' | b'`') {
                let before = value.get(..length).unwrap_or(&[]);
                if let Some(kind) = keyword(before).filter(|kind| *kind != Kind::Bareword) {
                    self.position = start + length;
                    return Token::new(kind, before);
                }
            }
        }
        if self.position - start <= MAX_VALUE {
            token.kind = keyword(value).unwrap_or(Kind::Bareword);
        }
        token
    }

    /// A word in back quotes, as MySQL has them. The name of a function stays one.
    fn back_quoted(&mut self) -> Token {
        let mut token = self.string_from(self.position + 1, b'`', Some(b'`'));
        token.kind = match keyword(token.value()) {
            Some(Kind::Function) => Kind::Function,
            _ => Kind::Bareword,
        };
        token
    }

    /// `@name`, `@@name`, and quoted names behind these.
    fn variable(&mut self) -> Token {
        let at_signs = if self.ahead(1) == Some(b'@') { 2 } else { 1 };
        self.position += usize::from(at_signs);
        let mut token = match self.scan.at(self.position) {
            Some(b'`') => self.back_quoted(),
            Some(quote @ (b'\'' | b'"')) => self.string_from(self.position + 1, quote, Some(quote)),
            _ => {
                let end = self.scan.span(self.position, |byte| !in_set(byte, set::VARIABLE_END));
                self.take_to(Kind::Variable, end)
            }
        };
        token.kind = Kind::Variable;
        token.at_signs = at_signs;
        token
    }

    /// `$1,000.00`, `$$…$$` and `$tag$…$tag$` of PostgreSQL, or `$` alone.
    fn money(&mut self) -> Token {
        let start = self.position;
        let digits_end = self.scan.span(start + 1, |byte| in_set(byte, set::MONEY));
        if digits_end > start + 1 {
            return match self.scan.slice(start + 1, digits_end) {
                b"." => self.word(),
                _ => self.take_to(Kind::Number, digits_end),
            };
        }
        if self.ahead(1) == Some(b'$') {
            let close = self.scan.find_pair(start + 2, self.scan.len(), *b"$$");
            return self.delimited(start + 2, close, 2, b'$');
        }
        let tag_end = self.scan.span(start + 1, |byte| in_set(byte, set::LETTER));
        if tag_end == start + 1 || self.scan.at(tag_end) != Some(b'$') {
            return self.take(Kind::Bareword, 1);
        }
        let tag = self.scan.slice(start, tag_end + 1);
        let close = self.scan.find_text(tag_end + 1, tag);
        self.delimited(tag_end + 1, close, tag.len(), b'$')
    }

    /// A number in any notation. `None` for a number with an empty exponent, such as `1.e`: MySQL skips it.
    fn number(&mut self, first: u8) -> Option<Token> {
        let digits = match (first, self.ahead(1)) {
            (b'0', Some(b'x' | b'X')) => Some(set::HEXADECIMAL),
            (b'0', Some(b'b' | b'B')) => Some(set::BINARY),
            _ => None,
        };
        if let Some(digits) = digits {
            let start = self.position + 2;
            let end = self.scan.span(start, |byte| in_set(byte, digits));
            return Some(self.take_to(if end == start { Kind::Bareword } else { Kind::Number }, end));
        }

        let start = self.position;
        let mut end = self.decimal_end(start);
        if self.scan.at(end) == Some(b'.') {
            end = self.decimal_end(end + 1);
            if end - start == 1 {
                return Some(self.take(Kind::Dot, 1));
            }
        }
        let mut empty_exponent = false;
        if matches!(self.scan.at(end), Some(b'e' | b'E')) {
            end += 1;
            end += usize::from(matches!(self.scan.at(end), Some(b'+' | b'-')));
            let exponent = end;
            end = self.decimal_end(exponent);
            empty_exponent = end == exponent;
        }
        // Oracle marks floats and doubles by a letter. `1FROM` is no float, but `1fUNION` is.
        if matches!(self.scan.at(end), Some(b'd' | b'D' | b'f' | b'F')) {
            let marked = match self.scan.at(end + 1) {
                None | Some(b';' | b'u' | b'U') => true,
                Some(after) => in_set(after, set::WHITE),
            };
            end += usize::from(marked);
        }
        let token = self.take_to(Kind::Number, end);
        (!empty_exponent).then_some(token)
    }

    fn decimal_end(&self, start: usize) -> usize {
        self.scan.span(start, |byte| in_set(byte, set::DECIMAL))
    }

    /// An operator of one byte, or of two that are in the table of keywords, or `<=>`.
    fn operator(&mut self, first: u8) -> Token {
        let Some(second) = self.ahead(1) else { return self.take(Kind::Operator, 1) };
        if (first, second, self.ahead(2)) == (b'<', b'=', Some(b'>')) {
            return self.take(Kind::Operator, 3);
        }
        match keyword(&[first, second]) {
            Some(kind) => self.take(kind, 2),
            None if first == b':' => self.take(Kind::Colon, 1),
            None => self.take(Kind::Operator, 1),
        }
    }

    /// `--` and its comment, or minus.
    fn dash(&mut self) -> Token {
        if self.ahead(1) != Some(b'-') {
            return self.take(Kind::Operator, 1);
        }
        match self.ahead(2) {
            None => self.line_comment(),
            Some(after) if in_set(after, set::WHITE) => self.line_comment(),
            Some(_) if self.context.dialect == Dialect::Ansi => {
                self.reads_differently_in_mysql = true;
                self.line_comment()
            }
            Some(_) => self.take(Kind::Operator, 1),
        }
    }

    /// `#` and its comment in MySQL, or an operator.
    fn hash(&mut self) -> Token {
        self.reads_differently_in_mysql = true;
        match self.context.dialect {
            Dialect::MySql => self.line_comment(),
            Dialect::Ansi => self.take(Kind::Operator, 1),
        }
    }

    fn line_comment(&mut self) -> Token {
        let end = self.scan.find(self.position, |byte| byte == b'\n');
        let token = self.take_to(Kind::Comment, end.unwrap_or(self.scan.len()));
        self.position += usize::from(end.is_some());
        token
    }

    /// `/* … */`, or division. Databases disagree on comments inside comments and on the `/*! … */` of MySQL.
    fn slash(&mut self) -> Token {
        if self.ahead(1) != Some(b'*') {
            return self.take(Kind::Operator, 1);
        }
        let text = self.position + 2;
        let close = self.scan.find_pair(text, self.scan.len(), *b"*/");
        let nested = close.is_some_and(|close| self.scan.find_pair(text, close + 1, *b"/*").is_some());
        let kind = if nested || self.scan.at(text) == Some(b'!') { Kind::Evil } else { Kind::Comment };
        self.take_to(kind, close.map_or(self.scan.len(), |close| close + 2))
    }

    /// `\N`, which is NULL in MySQL, or a backslash.
    fn backslash(&mut self) -> Token {
        match self.ahead(1) {
            Some(b'N') => self.take(Kind::Number, 2),
            _ => self.take(Kind::Backslash, 1),
        }
    }
}
