//! ARMR text to tokens. Comments are `#` and `//` to the end of the line, and `/* … */`.

use crate::diagnostic::Span;

/// A token and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A keyword, name, number or version: letters, digits, `_`, `-`, `.`, and `/` before a digit.
    Word(String),
    /// A string's value.
    Text(String),
    /// One of `( ) [ ] { } : ,`.
    Mark(char),
    /// The end of the text.
    End,
}

/// What can't be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LexError {
    pub(super) span: Span,
    pub(super) message: &'static str,
    pub(super) help: &'static str,
}

/// Reads tokens one by one.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next token. After an error the lexer stands behind what it could not read.
    pub(super) fn next(&mut self) -> Result<Token, LexError> {
        self.blanks()?;
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return Ok(Token { kind: TokenKind::End, span: Span { start, end: start } });
        };
        let kind = match first {
            '(' | ')' | '[' | ']' | '{' | '}' | ':' | ',' => {
                self.at += 1;
                TokenKind::Mark(first)
            }
            '"' => TokenKind::Text(self.string()?),
            _ if first.is_ascii() && is_word(first as u8) => {
                let mut length = 0;
                let bytes = rest.as_bytes();
                while let Some(&byte) = bytes.get(length) {
                    let version = byte == b'/' && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
                    if !is_word(byte) && !version {
                        break;
                    }
                    length += 1;
                }
                self.at += length;
                TokenKind::Word(rest.get(..length).unwrap_or_default().to_owned())
            }
            _ => {
                self.at += first.len_utf8();
                return Err(LexError {
                    span: Span { start, end: self.at },
                    message: "a character that stands for nothing here",
                    help: "names are letters and digits, text stands in double quotes",
                });
            }
        };
        Ok(Token { kind, span: Span { start, end: self.at } })
    }

    fn blanks(&mut self) -> Result<(), LexError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || trimmed.starts_with("//") {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                let Some(end) = trimmed.find("*/") else {
                    let span = Span { start: self.at, end: self.at + 2 };
                    self.at = self.text.len();
                    return Err(LexError {
                        span,
                        message: "the comment is not closed",
                        help: "close it with `*/`",
                    });
                };
                self.at += end + 2;
            } else {
                return Ok(());
            }
        }
    }

    fn string(&mut self) -> Result<String, LexError> {
        let start = self.at;
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((offset, character)) = characters.next() {
            match character {
                '"' => {
                    self.at = start + offset + 1;
                    return Ok(value);
                }
                '\n' => break,
                '\\' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, escaped @ ('"' | '\\' | '/'))) => value.push(escaped),
                    Some((_, other)) if other != '\n' => value.extend(['\\', other]),
                    _ => break,
                },
                _ => value.push(character),
            }
        }
        self.at += self.rest().find('\n').unwrap_or_else(|| self.rest().len());
        Err(LexError {
            span: Span { start, end: start + 1 },
            message: "the string is not closed",
            help: "close it on its line with `\"`",
        })
    }

    /// Passes over everything up to a word, which is passed over too. `false` when it doesn't come.
    pub(super) fn skip_raw(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|rest| rest.find(word)) {
            let (start, end) = (from + found, from + found + word.len());
            let bytes = rest.as_bytes();
            let before = start.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|byte| is_word(*byte));
            let after = bytes.get(end).is_some_and(|byte| is_word(*byte));
            if !before && !after {
                self.at += end;
                return true;
            }
            from = end;
        }
        self.at = self.text.len();
        false
    }
}
