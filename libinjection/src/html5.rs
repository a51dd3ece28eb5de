//! Divides input into HTML tokens, as browsers do that meet it in the middle of a document.
//!
//! The states follow the tokenizer of the HTML standard, without what makes no difference to detection, and with
//! some habits of old browsers: back quotes around values, NUL bytes inside names, comments in `<% %>`.

use crate::scan::Scan;

/// The place in a document where the input starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Start {
    /// In text.
    #[default]
    Data,
    /// In a tag, after a value without quotes.
    Tag,
    /// In a value in single quotes.
    SingleQuotes,
    /// In a value in double quotes.
    DoubleQuotes,
    /// In a value in back quotes, which old versions of Internet Explorer know.
    BackQuotes,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    Text,
    /// The name of a tag that opens; also of one that closes, if white space or a slash follows it.
    TagName,
    /// `>` at the end of a tag.
    TagEnd,
    /// `/>` at the end of a tag.
    SelfClosingTagEnd,
    /// The name of a tag that closes.
    ClosingTag,
    /// The name of an attribute.
    AttributeName,
    /// The value of an attribute, without quotes.
    AttributeValue,
    /// The text of a comment, or of something else that browsers do not show.
    Comment,
    /// A document type declaration.
    Doctype,
}

/// A token of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What the token is.
    pub kind: Kind,
    /// Its bytes in the input, whole and not decoded.
    pub text: &'a [u8],
}

/// The tokens of `input`, which starts at `start` in a document.
#[must_use]
pub fn tokens(input: &[u8], start: Start) -> Tokens<'_> {
    let state = match start {
        Start::Data => State::Data,
        Start::Tag => State::BeforeAttributeName,
        Start::SingleQuotes => State::InQuotes(b'\''),
        Start::DoubleQuotes => State::InQuotes(b'"'),
        Start::BackQuotes => State::InQuotes(b'`'),
    };
    Tokens { scan: Scan::new(input), position: 0, state, closing: false }
}

/// An iterator over the tokens of an input.
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    scan: Scan<'a>,
    position: usize,
    state: State,
    /// Whether `</` was read last.
    closing: bool,
}

/// What is expected at the position.
#[derive(Clone, Copy, Debug)]
enum State {
    Data,
    /// After `<`.
    TagOpen,
    TagEnd,
    /// After a slash in a tag.
    AfterSlash,
    BeforeAttributeName,
    AfterAttributeName,
    BeforeAttributeValue,
    /// In a value that the input starts inside of.
    InQuotes(u8),
    AfterQuotes,
    End,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        match self.state {
            State::Data => self.data(),
            State::TagOpen => self.tag_open(),
            State::TagEnd => self.tag_end(),
            State::AfterSlash => self.after_slash(),
            State::BeforeAttributeName => self.before_attribute_name(),
            State::AfterAttributeName => self.after_attribute_name(),
            State::BeforeAttributeValue => self.before_attribute_value(),
            State::InQuotes(quote) => self.quoted_value(quote),
            State::AfterQuotes => self.after_quotes(),
            State::End => None,
        }
    }
}

/// White space of HTML, and the vertical tab of Internet Explorer.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

impl<'a> Tokens<'a> {
    /// The token from the position to `end`; reading goes on at `resume` in `state`.
    #[allow(clippy::unnecessary_wraps, reason = "the result of every state")]
    fn emit(&mut self, kind: Kind, end: usize, resume: usize, state: State) -> Option<Token<'a>> {
        let text = self.scan.slice(self.position, end);
        self.position = resume;
        self.state = state;
        Some(Token { kind, text })
    }

    /// The rest of the input as a token.
    fn emit_rest(&mut self, kind: Kind) -> Option<Token<'a>> {
        self.emit(kind, self.scan.len(), self.scan.len(), State::End)
    }

    fn here(&self) -> Option<u8> {
        self.scan.at(self.position)
    }

    /// Skips white space and NUL; the byte behind.
    fn skip_white(&mut self) -> Option<u8> {
        self.position = self.scan.span(self.position, |byte| is_white(byte) || byte == 0);
        self.here()
    }

    fn data(&mut self) -> Option<Token<'a>> {
        if self.here()? == b'<' {
            self.position += 1;
            self.state = State::TagOpen;
            self.tag_open()
        } else {
            self.text()
        }
    }

    /// Text up to the next tag; at least one byte.
    fn text(&mut self) -> Option<Token<'a>> {
        match self.scan.find(self.position, |byte| byte == b'<') {
            Some(open) => self.emit(Kind::Text, open, open + 1, State::TagOpen),
            None => self.emit_rest(Kind::Text),
        }
    }

    fn tag_open(&mut self) -> Option<Token<'a>> {
        match self.here()? {
            b'!' => {
                self.position += 1;
                self.declaration()
            }
            b'/' => {
                self.position += 1;
                self.closing = true;
                self.closing_tag_open()
            }
            b'?' => {
                self.position += 1;
                self.bogus_comment()
            }
            b'%' => {
                self.position += 1;
                self.percent_comment()
            }
            b'a'..=b'z' | b'A'..=b'Z' | 0 => self.tag_name(),
            _ => {
                self.position -= 1;
                let after = self.position + 1;
                self.emit(Kind::Text, after, after, State::Data)
            }
        }
    }

    fn closing_tag_open(&mut self) -> Option<Token<'a>> {
        match self.here()? {
            b'a'..=b'z' | b'A'..=b'Z' => self.tag_name(),
            // The `>` is text here; so it is in libinjection.
            b'>' => self.text(),
            _ => {
                self.closing = false;
                self.bogus_comment()
            }
        }
    }

    fn tag_name(&mut self) -> Option<Token<'a>> {
        let end = self.scan.find(self.position, |byte| is_white(byte) || matches!(byte, b'/' | b'>'));
        let Some(end) = end else { return self.emit_rest(Kind::TagName) };
        match self.scan.at(end) {
            Some(b'/') => self.emit(Kind::TagName, end, end + 1, State::AfterSlash),
            Some(b'>') if self.closing => {
                self.closing = false;
                self.emit(Kind::ClosingTag, end, end + 1, State::Data)
            }
            Some(b'>') => self.emit(Kind::TagName, end, end, State::TagEnd),
            _ => self.emit(Kind::TagName, end, end + 1, State::BeforeAttributeName),
        }
    }

    fn tag_end(&mut self) -> Option<Token<'a>> {
        self.closing = false;
        self.emit(Kind::TagEnd, self.position + 1, self.position + 1, State::Data)
    }

    fn after_slash(&mut self) -> Option<Token<'a>> {
        match self.here()? {
            b'>' => self.self_closing_tag_end(),
            _ => self.before_attribute_name(),
        }
    }

    fn self_closing_tag_end(&mut self) -> Option<Token<'a>> {
        self.position -= 1;
        self.emit(Kind::SelfClosingTagEnd, self.position + 2, self.position + 2, State::Data)
    }

    fn before_attribute_name(&mut self) -> Option<Token<'a>> {
        loop {
            match self.skip_white()? {
                b'/' => {
                    self.position += 1;
                    if self.here()? == b'>' {
                        return self.self_closing_tag_end();
                    }
                }
                b'>' => {
                    return self.emit(Kind::TagEnd, self.position + 1, self.position + 1, State::Data);
                }
                _ => return self.attribute_name(),
            }
        }
    }

    /// The first byte of a name may be any.
    fn attribute_name(&mut self) -> Option<Token<'a>> {
        let end =
            self.scan.find(self.position + 1, |byte| is_white(byte) || matches!(byte, b'/' | b'=' | b'>'));
        let Some(end) = end else { return self.emit_rest(Kind::AttributeName) };
        let (resume, state) = match self.scan.at(end) {
            Some(b'/') => (end + 1, State::AfterSlash),
            Some(b'=') => (end + 1, State::BeforeAttributeValue),
            Some(b'>') => (end, State::TagEnd),
            _ => (end + 1, State::AfterAttributeName),
        };
        self.emit(Kind::AttributeName, end, resume, state)
    }

    fn after_attribute_name(&mut self) -> Option<Token<'a>> {
        match self.skip_white()? {
            b'/' => {
                self.position += 1;
                self.after_slash()
            }
            b'=' => {
                self.position += 1;
                self.before_attribute_value()
            }
            b'>' => self.tag_end(),
            _ => self.attribute_name(),
        }
    }

    fn before_attribute_value(&mut self) -> Option<Token<'a>> {
        match self.skip_white()? {
            quote @ (b'"' | b'\'' | b'`') => {
                self.position += 1;
                self.quoted_value(quote)
            }
            _ => self.bare_value(),
        }
    }

    fn quoted_value(&mut self, quote: u8) -> Option<Token<'a>> {
        match self.scan.find(self.position, |byte| byte == quote) {
            Some(end) => self.emit(Kind::AttributeValue, end, end + 1, State::AfterQuotes),
            None => self.emit_rest(Kind::AttributeValue),
        }
    }

    fn bare_value(&mut self) -> Option<Token<'a>> {
        let end = self.scan.find(self.position, |byte| is_white(byte) || byte == b'>');
        let Some(end) = end else { return self.emit_rest(Kind::AttributeValue) };
        match self.scan.at(end) {
            Some(b'>') => self.emit(Kind::AttributeValue, end, end, State::TagEnd),
            _ => self.emit(Kind::AttributeValue, end, end + 1, State::BeforeAttributeName),
        }
    }

    fn after_quotes(&mut self) -> Option<Token<'a>> {
        match self.here()? {
            b'/' => {
                self.position += 1;
                self.after_slash()
            }
            _ => self.before_attribute_name(),
        }
    }

    /// After `<!`.
    fn declaration(&mut self) -> Option<Token<'a>> {
        let rest = self.scan.rest(self.position);
        if rest.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"doctype")) {
            self.up_to_tag_end(Kind::Doctype)
        } else if rest.starts_with(b"[CDATA[") {
            self.position += 7;
            self.cdata()
        } else if rest.starts_with(b"--") {
            self.position += 2;
            self.comment()
        } else {
            self.bogus_comment()
        }
    }

    fn bogus_comment(&mut self) -> Option<Token<'a>> {
        self.up_to_tag_end(Kind::Comment)
    }

    fn up_to_tag_end(&mut self, kind: Kind) -> Option<Token<'a>> {
        match self.scan.find(self.position, |byte| byte == b'>') {
            Some(end) => self.emit(kind, end, end + 1, State::Data),
            None => self.emit_rest(kind),
        }
    }

    /// `<% … %>`: a comment in old browsers.
    fn percent_comment(&mut self) -> Option<Token<'a>> {
        match self.scan.find_pair(self.position, self.scan.len(), *b"%>") {
            Some(end) => self.emit(Kind::Comment, end, end + 2, State::Data),
            None => self.emit_rest(Kind::Comment),
        }
    }

    /// Ends with `-->`, `-!>`, or these with NUL bytes after the first dash.
    fn comment(&mut self) -> Option<Token<'a>> {
        let mut from = self.position;
        while let Some(dash) = self.scan.find(from, |byte| byte == b'-') {
            let second = self.scan.span(dash + 1, |byte| byte == 0);
            match (self.scan.at(second), self.scan.at(second + 1)) {
                (Some(b'-' | b'!'), Some(b'>')) => {
                    return self.emit(Kind::Comment, dash, second + 2, State::Data);
                }
                _ => from = dash + 1,
            }
        }
        self.emit_rest(Kind::Comment)
    }

    fn cdata(&mut self) -> Option<Token<'a>> {
        let mut from = self.position;
        while let Some(end) = self.scan.find_pair(from, self.scan.len(), *b"]]") {
            if self.scan.at(end + 2) == Some(b'>') {
                return self.emit(Kind::Text, end, end + 3, State::Data);
            }
            from = end + 1;
        }
        self.emit_rest(Kind::Text)
    }
}
