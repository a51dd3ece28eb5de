//! JSON with places: a text becomes a tree in which each value and key knows its bytes. Strict RFC 8259;
//! keys keep their order and may repeat, and numbers stay text, so that whoever reads the tree can tell.

use std::borrow::Cow;

use crate::diagnostic::{Code, Span};
use crate::limits;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Value<'a> {
    pub(super) span: Span,
    pub(super) kind: Kind<'a>,
}

#[derive(Debug)]
pub(super) enum Kind<'a> {
    Null,
    Bool(bool),
    /// As written; valid by JSON's grammar.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Value<'a>>),
    Object(Vec<Member<'a>>),
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) key: Cow<'a, str>,
    /// Of the key with its quotes.
    pub(super) key_span: Span,
    pub(super) value: Value<'a>,
}

impl Kind<'_> {
    /// What it is, with an article, for messages.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Bool(_) => "a boolean",
            Kind::Number(text) if text.contains(['.', 'e', 'E']) => "a decimal number",
            Kind::Number(_) => "an integer",
            Kind::String(_) => "a string",
            Kind::Array(_) => "an array",
            Kind::Object(_) => "an object",
        }
    }
}

/// The text is not JSON, or too much of it.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) code: Code,
    pub(super) span: Span,
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
}

/// Reads a text that holds one value.
pub(super) fn parse(text: &[u8]) -> Result<Value<'_>, Error> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let start = error.valid_up_to();
        let end = error.error_len().map_or(text.len(), |length| start + length);
        Error {
            code: Code::E0101,
            span: Span { start, end },
            message: "the text is not UTF-8".to_owned(),
            help: Some("save it as UTF-8; other bytes can be given base64-encoded in `files`"),
        }
    })?;
    let mut parser = Parser { text, at: 0, depth: 0, left: limits::POLICY_VALUES };
    if text.starts_with('\u{feff}') {
        return Err(parser.error_over(
            3,
            "the text begins with a byte order mark",
            Some("save it without one"),
        ));
    }
    parser.blanks();
    if parser.peek().is_none() {
        return Err(parser.error("the text is empty", Some("the least policy is `{}`")));
    }
    let value = parser.value()?;
    parser.blanks();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("more text follows the value", Some("a policy is one JSON object"))),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    /// How many more values there may be.
    left: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Value<'a>, Error> {
        let start = self.at;
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let message = format!("there are more than {} values in the policy", limits::POLICY_VALUES);
            let help = "join what is alike: several addresses in one rule, several values in one criterion";
            Error { code: Code::E0109, ..self.error(message, Some(help)) }
        })?;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Kind::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.word("true") => Kind::Bool(true),
            _ if self.word("false") => Kind::Bool(false),
            _ if self.word("null") => Kind::Null,
            _ => return Err(self.expected("a value")),
        };
        Ok(Value { span: Span { start, end: self.at }, kind })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Kind<'a>, Error>) -> Result<Kind<'a>, Error> {
        if self.depth == limits::POLICY_DEPTH {
            let message = format!("arrays and objects are nested more than {} deep", limits::POLICY_DEPTH);
            return Err(self.error_over(1, message, None));
        }
        self.at += 1;
        self.depth += 1;
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind<'a>, Error> {
        let mut members = Vec::new();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Kind::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key in double quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            let key_span = Span { start, end: self.at };
            self.blanks();
            if !self.eat(b':') {
                return Err(self.expected("`:` after the key"));
            }
            self.blanks();
            members.push(Member { key, key_span, value: self.value()? });
            self.blanks();
            if self.eat(b'}') {
                return Ok(Kind::Object(members));
            }
            if !self.eat(b',') {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    fn array(&mut self) -> Result<Kind<'a>, Error> {
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Kind::Array(items));
        }
        loop {
            self.blanks();
            items.push(self.value()?);
            self.blanks();
            if self.eat(b']') {
                return Ok(Kind::Array(items));
            }
            if !self.eat(b',') {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn number(&mut self) -> Result<Kind<'a>, Error> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        } else if matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error("a number has no leading zeros", Some("write it in quotes if it is text")));
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Ok(Kind::Number(self.text.get(start..self.at).unwrap_or_default()))
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Error> {
        let open = self.at;
        self.at += 1;
        let mut decoded = String::new();
        let mut copied = self.at;
        loop {
            let rest = self.rest();
            let Some(next) = rest.bytes().position(|b| matches!(b, b'"' | b'\\' | ..0x20)) else {
                self.at = open;
                return Err(self.error_over(1, "the string is not closed", Some("close it with `\"`")));
            };
            self.at += next;
            let plain = self.text.get(copied..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(if copied == open + 1 {
                        Cow::Borrowed(plain)
                    } else {
                        Cow::Owned(decoded + plain)
                    });
                }
                Some(b'\\') => {
                    let (character, length) = unescape(self.rest()).map_err(|(length, message)| {
                        let help = "the escapes are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; a backslash is written `\\\\`";
                        self.error_over(length, message, Some(help))
                    })?;
                    decoded.push_str(plain);
                    decoded.push(character);
                    self.at += length;
                    copied = self.at;
                }
                _ => {
                    let help = match self.peek() {
                        Some(b'\n' | b'\r') => "close the string on its line, or write a line end as `\\n`",
                        _ => "write it as an escape such as `\\t` or `\\u0000`",
                    };
                    return Err(self.error_over(1, "a control character in a string", Some(help)));
                }
            }
        }
    }

    /// Error for something else than `what` standing here.
    fn expected(&self, what: &str) -> Error {
        let Some(found) = self.rest().chars().next() else {
            return self.error(format!("the text ends where {what} is expected"), None);
        };
        let before = self.text.get(..self.at).unwrap_or_default().trim_ascii_end();
        let help = match found {
            '}' | ']' if before.ends_with(',') => Some("take out the comma before it"),
            '/' | '#' => Some("JSON has no comments"),
            '\'' => Some("strings stand in double quotes"),
            '"' | '{' | '[' if what.contains("`,`") => Some("a comma is missing before it"),
            _ => None,
        };
        let message = format!("{what} is expected, not `{}`", found.escape_default());
        self.error_over(found.len_utf8(), message, help)
    }

    fn error(&self, message: impl Into<String>, help: Option<&'static str>) -> Error {
        self.error_over(0, message, help)
    }

    fn error_over(&self, length: usize, message: impl Into<String>, help: Option<&'static str>) -> Error {
        let end = (self.at + length).min(self.text.len());
        Error { code: Code::E0101, span: Span { start: self.at, end }, message: message.into(), help }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn word(&mut self, word: &str) -> bool {
        let there = self.rest().starts_with(word);
        if there {
            self.at += word.len();
        }
        there
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }
}

/// The character that an escape at the start of `text` stands for and the escape's length, or the length
/// of what is wrong and why.
fn unescape(text: &str) -> Result<(char, usize), (usize, &'static str)> {
    let character = match text.as_bytes().get(1) {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let unit = hex4(text).ok_or((2, "`\\u` takes four hex digits"))?;
            let lone = (6, "half of a surrogate pair");
            let second = match unit {
                0xd800..0xdc00 => {
                    let second = text.get(6..).and_then(hex4).filter(|low| (0xdc00..0xe000).contains(low));
                    Some(second.ok_or(lone)?)
                }
                _ => None,
            };
            let code = second.map_or(unit, |low| 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            let length = if second.is_some() { 12 } else { 6 };
            return Ok((char::from_u32(code).ok_or(lone)?, length));
        }
        _ => return Err((1, "no such escape in JSON")),
    };
    Ok((character, 2))
}

/// The number in `\uXXXX` at the start of `text`.
fn hex4(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// Where in a JSON text the byte at `offset` of a string's value is written; `span` is the string with its
/// quotes. An offset past the value is the closing quote.
pub(super) fn offset_in_string(text: &[u8], span: Span, offset: usize) -> usize {
    let inside = text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default();
    let Ok(inside) = std::str::from_utf8(inside) else { return span.start };
    let (mut written, mut decoded) = (0, 0);
    while let Some(rest) = inside.get(written..).filter(|rest| !rest.is_empty()) {
        let character = rest.chars().next().unwrap_or_default();
        let (character, length) = match character {
            '\\' => unescape(rest).unwrap_or((character, 1)),
            _ => (character, character.len_utf8()),
        };
        if decoded + character.len_utf8() > offset {
            break;
        }
        decoded += character.len_utf8();
        written += length;
    }
    span.start + 1 + written
}

/// Where in a JSON text each byte of a string's value is written, and behind them the closing quote: what
/// [`offset_in_string`] says, for many offsets.
pub(super) fn offsets_in_string(text: &[u8], span: Span) -> Vec<usize> {
    let inside = text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default();
    let mut rest = std::str::from_utf8(inside).unwrap_or_default();
    let (mut offsets, mut written) = (Vec::with_capacity(rest.len() + 1), span.start + 1);
    while let Some(character) = rest.chars().next() {
        let (character, length) = match character {
            '\\' => unescape(rest).unwrap_or((character, 1)),
            _ => (character, character.len_utf8()),
        };
        offsets.extend(std::iter::repeat_n(written, character.len_utf8()));
        written += length;
        rest = rest.get(length..).unwrap_or_default();
    }
    offsets.push(written);
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to_serde(value: &Value<'_>) -> serde_json::Value {
        match &value.kind {
            Kind::Null => serde_json::Value::Null,
            Kind::Bool(b) => (*b).into(),
            Kind::Number(text) => serde_json::from_str(text).unwrap(),
            Kind::String(text) => text.as_ref().into(),
            Kind::Array(items) => items.iter().map(to_serde).collect(),
            Kind::Object(members) => serde_json::Value::Object(
                members.iter().map(|m| (m.key.to_string(), to_serde(&m.value))).collect(),
            ),
        }
    }

    /// The same texts are JSON, with the same values, as for another reader; and spans hold what they
    /// belong to.
    fn check(text: &str) {
        let expected: Result<serde_json::Value, _> = serde_json::from_str(text);
        match (parse(text.as_bytes()), expected) {
            (Ok(value), Ok(expected)) => {
                assert_eq!(to_serde(&value), expected, "{text}");
                check_spans(text, &value);
            }
            (Err(_), Err(_)) => {}
            // Out of range for the other reader only: numbers stay text here.
            (Ok(_), Err(error)) if error.to_string().contains("out of range") => {}
            (found, expected) => panic!("{text:?}: {found:?}, {expected:?}"),
        }
    }

    fn check_spans(text: &str, value: &Value<'_>) {
        let own: serde_json::Value = serde_json::from_str(&text[value.span.start..value.span.end]).unwrap();
        assert_eq!(own, to_serde(value));
        match &value.kind {
            Kind::Array(items) => items.iter().for_each(|item| check_spans(text, item)),
            Kind::Object(members) => {
                for member in members {
                    let key: String =
                        serde_json::from_str(&text[member.key_span.start..member.key_span.end]).unwrap();
                    assert_eq!(key, member.key);
                    check_spans(text, &member.value);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn agrees_on_chosen_texts() {
        for text in [
            "{}",
            "[]",
            " [ 1 , -0.5e+10 , 0 , -0 ] ",
            r#"{"a":{"b":[null,true,false,"x"]},"a":2}"#,
            r#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00""#,
            r#""é😀""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\x""#,
            "\"a\nb\"",
            "\"a",
            "01",
            "-",
            "1.",
            "1e",
            ".5",
            "+1",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{\"a\" 1}",
            "{\"a\":}",
            "[1 2]",
            "nul",
            "nullx",
            "// x\n1",
            "1 1",
            "NaN",
            "'a'",
            "[",
            "{",
            "]",
            "\u{b}1",
            "1e400",
        ] {
            check(text);
        }
    }

    #[test]
    fn depth_is_limited() {
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(parse(nested(limits::POLICY_DEPTH).as_bytes()).is_ok());
        let error = parse(nested(limits::POLICY_DEPTH + 1).as_bytes()).unwrap_err();
        assert_eq!(error.span, Span { start: limits::POLICY_DEPTH, end: limits::POLICY_DEPTH + 1 });
        assert!(parse("[".repeat(1_000_000).as_bytes()).is_err());
    }

    #[test]
    fn offsets_within_strings() {
        let text = r#"["a\\b\u00e9\ud83d\ude00é!"]"#;
        let value = parse(text.as_bytes()).unwrap();
        let Kind::Array(items) = &value.kind else { panic!() };
        let Kind::String(decoded) = &items[0].kind else { panic!() };
        let written = |n| &text[offset_in_string(text.as_bytes(), items[0].span, n)..];
        for (what, rest) in [
            ("a", r"a\\b"),
            ("\\", r"\\b"),
            ("b", r"b\u00"),
            ("é", r"\u00e9"),
            ("😀", r"\ud83d\ude00"),
            ("é!", "é!"),
            ("!", "!\""),
        ] {
            assert!(written(decoded.find(what).unwrap()).starts_with(rest), "{what}");
        }
        assert_eq!(written(decoded.len()), "\"]");
        assert_eq!(written(decoded.len() + 9), "\"]");
    }

    proptest! {
        #[test]
        fn agrees_on_any_tokens(tokens in proptest::collection::vec(
            proptest::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\n\"", "1", "-2.5e3", "true", "null", " ", "\"", "\\", "\\u00e9", "x",
            ]), 0..12))
        {
            check(&tokens.concat());
        }

        #[test]
        fn agrees_on_any_text(text in ".{0,40}") {
            check(&text);
            check(&format!("\"{text}\""));
        }

        #[test]
        fn reads_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(&bytes);
        }
    }
}
