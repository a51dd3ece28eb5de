//! The tokens of JSON: strings, numbers, literals, blanks.

use super::JsonErrorKind;
use crate::http::percent::hex_digit;

/// A place in a JSON text.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes from the start.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Goes past a byte that was peeked at.
    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Goes past blanks to the next byte and looks at it.
    pub(super) fn peek_after_blanks(&mut self) -> Option<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads the literal that begins here and appends what it stands for.
    pub(super) fn literal(
        &mut self,
        literal: &[u8],
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), JsonErrorKind> {
        for &expected in literal {
            match self.peek() {
                Some(byte) if byte == expected => self.at += 1,
                Some(byte) => return Err(JsonErrorKind::Unexpected(byte)),
                None => return Err(JsonErrorKind::UnexpectedEnd),
            }
        }
        out.extend_from_slice(value);
        Ok(())
    }

    /// Reads the number that begins here and appends its text.
    pub(super) fn number(&mut self, out: &mut Vec<u8>) -> Result<(), JsonErrorKind> {
        let start = self.at;
        let read = self.number_end();
        out.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
        read
    }

    fn number_end(&mut self) -> Result<(), JsonErrorKind> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), JsonErrorKind> {
        match self.peek() {
            Some(b'0'..=b'9') => {}
            Some(byte) => return Err(JsonErrorKind::Unexpected(byte)),
            None => return Err(JsonErrorKind::UnexpectedEnd),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    /// Reads the string that begins here with its quote and appends it decoded.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<(), JsonErrorKind> {
        self.at += 1;
        loop {
            let rest = self.rest();
            let (run, special) = rest.split_at_checked(plain_run(rest)).unwrap_or((rest, &[]));
            out.extend_from_slice(run);
            self.at += run.len();
            match special.first() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(out)?,
                Some(&control) => return Err(JsonErrorKind::ControlCharacter(control)),
                None => return Err(JsonErrorKind::UnexpectedEnd),
            }
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonErrorKind> {
        let decoded = match self.text.get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(out),
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(_) => return Err(JsonErrorKind::InvalidEscape),
            None => return Err(JsonErrorKind::UnexpectedEnd),
        };
        out.push(decoded);
        self.at += 2;
        Ok(())
    }

    /// `\uXXXX`, or two of them for a character outside the basic plane.
    fn unicode_escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonErrorKind> {
        let unit = self.code_unit(self.at)?;
        self.at += 6;
        let mut code = u32::from(unit);
        if (0xd800..0xdc00).contains(&unit)
            && let Ok(low @ 0xdc00..0xe000) = self.code_unit(self.at)
        {
            self.at += 6;
            code = 0x1_0000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low) - 0xdc00);
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// The value of a `\uXXXX` that stands at `at`.
    fn code_unit(&self, at: usize) -> Result<u16, JsonErrorKind> {
        let rest = self.text.get(at..).unwrap_or_default();
        let Some(digits) = rest.strip_prefix(b"\\u") else { return Err(JsonErrorKind::InvalidEscape) };
        let mut unit = 0;
        for index in 0..4 {
            let digit = digits.get(index).ok_or(JsonErrorKind::UnexpectedEnd)?;
            unit = unit << 4 | u16::from(hex_digit(*digit).ok_or(JsonErrorKind::InvalidEscape)?);
        }
        Ok(unit)
    }
}

/// How many bytes at the start stand for themselves in a string: all but `"`, `\` and control characters.
/// Eight bytes are looked at together: a byte's top bit in `found` says that it is special. Borrows only
/// run upwards, so the lowest such bit is true.
fn plain_run(text: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let zero_bytes = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let mut run = 0;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        let found = control
            | zero_bytes(word ^ (LOW * u64::from(b'"')))
            | zero_bytes(word ^ (LOW * u64::from(b'\\')));
        if found != 0 {
            return run + found.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run + rest.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_runs_end_at_the_first_special_byte(
            text in prop::collection::vec(
                prop_oneof![Just(b'"'), Just(b'\\'), Just(b'#'), Just(b'!'), Just(0x1f), Just(0x20), any::<u8>()],
                0..40,
            ),
        ) {
            let expected =
                text.iter().position(|&b| b < 0x20 || b == b'"' || b == b'\\').unwrap_or(text.len());
            prop_assert_eq!(plain_run(&text), expected);
        }
    }
}
