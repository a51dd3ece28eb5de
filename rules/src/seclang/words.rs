//! Arguments of a directive: bare words, or text in double or single quotes.

use super::text::Text;
use crate::diagnostic::{Code, Diagnostic};

/// Splits the arguments of a directive. Each comes without its quotes, and without the backslash in
/// front of a quote inside.
#[derive(Debug)]
pub(super) struct Words<'a> {
    text: &'a Text,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a Text) -> Self {
        Self { text, at: 0 }
    }

    /// Passes over blanks; whether anything follows. A lone `#` at the end of a line is no argument:
    /// SKUDONET marks edited rules with it.
    fn more(&mut self) -> bool {
        let rest = self.text.tail(self.at);
        self.at += rest.len() - rest.trim_ascii_start().len();
        !matches!(self.text.tail(self.at).trim_ascii_end(), b"" | b"#")
    }

    /// The next argument. After an error there are no more.
    pub(super) fn next(&mut self) -> Option<Result<Text, Diagnostic>> {
        if !self.more() {
            return None;
        }
        let word = match self.text.tail(self.at).first() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(*quote),
            _ => Ok(self.bare(bare_length)),
        };
        if word.is_err() {
            self.at = self.text.len();
        }
        Some(word)
    }

    /// The next argument, a list of variables: blanks may stand in a selector's single quotes.
    pub(super) fn next_variables(&mut self) -> Option<Result<Text, Diagnostic>> {
        if !self.more() || matches!(self.text.tail(self.at).first(), Some(b'"' | b'\'')) {
            return self.next();
        }
        Some(Ok(self.bare(variables_length)))
    }

    /// Everything that is left, trimmed.
    pub(super) fn rest(&mut self) -> Option<Text> {
        self.more().then(|| {
            let rest = self.text.slice(self.at..self.text.len()).trimmed();
            self.at = self.text.len();
            rest
        })
    }

    fn bare(&mut self, length: fn(&[u8]) -> usize) -> Text {
        let end = self.at + length(self.text.tail(self.at));
        let word = self.text.slice(self.at..end);
        self.at = end;
        word
    }

    fn quoted(&mut self, quote: u8) -> Result<Text, Diagnostic> {
        let start = self.at + 1;
        let help = format!("write \\{} for a quote inside", char::from(quote));
        let Some(end) = closing(self.text.tail(start), quote).map(|n| start + n) else {
            let message = "the quote opened here is never closed";
            return Err(self.text.report_part(self.at..start, Code::E0303, message).help(help));
        };
        self.at = end + 1;
        if self.text.tail(self.at).first().is_some_and(|b| !b.is_ascii_whitespace()) {
            let message = "a blank is missing after the closing quote";
            return Err(self.text.report_part(end..end + 1, Code::E0302, message).help(help));
        }
        Ok(self.text.slice(start..end).unescaped(quote))
    }
}

/// Where the quote is closed: at the first one without a backslash before it. A single quote has to be
/// followed by a blank or nothing, since those within an action list are not.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(quote, b'\\', text.get(at..)?)?;
        if text.get(at) == Some(&b'\\') {
            at += 2;
        } else if quote == b'"' || text.get(at + 1).is_none_or(u8::is_ascii_whitespace) {
            return Some(at);
        } else {
            at += 1;
        }
    }
}

fn bare_length(text: &[u8]) -> usize {
    text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len())
}

/// As [`bare_length`], but a `'` right after a selector's `:` takes everything up to the next one along.
fn variables_length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if byte.is_ascii_whitespace() {
            return at;
        }
        at += 1;
        if byte == b':' && text.get(at) == Some(&b'\'') {
            let inside = text.get(at + 1..).unwrap_or_default();
            at += memchr::memchr(b'\'', inside).map_or(1, |n| n + 2);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Sources;

    fn words(text: &str, variables: bool) -> Vec<String> {
        let text = Text::new(Sources::default().add("x", *b""), text.as_bytes(), 0);
        let mut words = Words::new(&text);
        let first = if variables { words.next_variables() } else { words.next() };
        let rest = std::iter::from_fn(|| words.next());
        first
            .into_iter()
            .chain(rest)
            .map(|word| match word {
                Ok(word) => word.text(),
                Err(error) => format!("{} at {}", error.code, error.labels[0].span.start),
            })
            .collect()
    }

    #[test]
    fn splitting() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("  a\t b ", &["a", "b"]),
            (r#""a b" 'c d' e"#, &["a b", "c d", "e"]),
            (r#""""#, &[""]),
            (r#""a \" b\\" c"#, &[r#"a " b\\"#, "c"]),
            (r#""a\d\'" b"#, &[r"a\d\'", "b"]),
            (r"'id:1,msg:'a b',phase:2'", &["id:1,msg:'a b',phase:2"]),
            (r"'it\'s' b", &["it's", "b"]),
            (r#"a "b"#, &["a", "E0303 at 2"]),
            (r#""a\""#, &["E0303 at 0"]),
            (r#""a"b c"#, &["E0302 at 2"]),
            ("a b #", &["a", "b"]),
            ("a # b", &["a", "#", "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text, false), *expected, "{text}");
        }
        let lists: &[(&str, &[&str])] = &[
            ("ARGS:'a b'|X:'c d' \"x y\"", &["ARGS:'a b'|X:'c d'", "x y"]),
            ("ARGS:'a \"x\"", &["ARGS:'a", "x"]),
            ("\"ARGS|X\" y", &["ARGS|X", "y"]),
            ("XML://@*|X y", &["XML://@*|X", "y"]),
        ];
        for (text, expected) in lists {
            assert_eq!(words(text, true), *expected, "{text}");
        }
    }
}
