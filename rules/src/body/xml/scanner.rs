//! From quick-xml's events to ours.

use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::{BytesStart, Event as Token};
use quick_xml::reader::Reader;

use super::{Event, Options, XmlError, XmlErrorKind, doctype};

/// Reports the pieces of a document; see [`super::scan`].
pub(super) fn scan(
    text: &str,
    options: &Options,
    store: &mut Vec<u8>,
    sink: &mut impl FnMut(Event<'_>),
) -> Option<XmlError> {
    let mut reader = Reader::from_str(text);
    let mut scanner = Scanner {
        options,
        values_start: store.len(),
        text_start: store.len(),
        store,
        sink,
        depth: 0,
        nodes: 0,
        attributes: 0,
        root: Root::Before,
        doctype: false,
    };
    let mut first = true;
    loop {
        let at = position(reader.buffer_position());
        let step = match reader.read_event() {
            Ok(Token::Eof) => break scanner.end(text.len()),
            Ok(Token::Decl(_)) if !first => Err(XmlErrorKind::Declaration),
            Ok(Token::DocType(_)) => {
                let end = position(reader.buffer_position());
                scanner.doctype(text.get(at..end).unwrap_or_default())
            }
            Ok(token) => scanner.token(&token),
            Err(error) => {
                let at = position(reader.error_position()).max(at);
                break scanner.give_up(&error, at, text);
            }
        };
        if let Err(kind) = step {
            scanner.flush_text();
            break Some(XmlError { kind, offset: at });
        }
        first = false;
    }
}

/// Where the scanner is with respect to the root element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    Before,
    Within,
    After,
}

struct Scanner<'a, F> {
    options: &'a Options,
    store: &'a mut Vec<u8>,
    sink: &'a mut F,
    /// Where in the store the values of this document begin.
    values_start: usize,
    /// Where in the store the text since the last tag begins.
    text_start: usize,
    depth: usize,
    nodes: usize,
    attributes: usize,
    root: Root,
    /// Whether there is a document type declaration.
    doctype: bool,
}

impl<F: FnMut(Event<'_>)> Scanner<'_, F> {
    fn token(&mut self, token: &Token<'_>) -> Result<(), XmlErrorKind> {
        match token {
            Token::Text(text) => self.text(text),
            Token::CData(text) => {
                self.inside_root()?;
                self.append(text)
            }
            Token::GeneralRef(reference) => {
                self.inside_root()?;
                append_reference(reference, self.store)?;
                self.check_value_bytes()
            }
            Token::Start(tag) => self.start(tag),
            Token::Empty(tag) => {
                self.start(tag)?;
                self.close(tag.name().as_ref());
                Ok(())
            }
            Token::End(tag) => {
                self.flush_text();
                self.check_nodes()?;
                self.close(tag.name().as_ref());
                Ok(())
            }
            Token::Comment(_) | Token::PI(_) => self.count_node(),
            Token::DocType(_) | Token::Decl(_) | Token::Eof => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), XmlErrorKind> {
        if self.root != Root::Within {
            let blank = text.bytes().all(|b| b.is_ascii_whitespace());
            return if blank { Ok(()) } else { Err(XmlErrorKind::OutsideRoot) };
        }
        self.append(text)
    }

    fn append(&mut self, text: &str) -> Result<(), XmlErrorKind> {
        self.store.extend_from_slice(text.as_bytes());
        self.check_value_bytes()
    }

    fn inside_root(&self) -> Result<(), XmlErrorKind> {
        if self.root == Root::Within { Ok(()) } else { Err(XmlErrorKind::OutsideRoot) }
    }

    fn check_value_bytes(&self) -> Result<(), XmlErrorKind> {
        if self.store.len() - self.values_start > self.options.value_bytes {
            return Err(XmlErrorKind::ValueBytes(self.options.value_bytes));
        }
        Ok(())
    }

    fn count_node(&mut self) -> Result<(), XmlErrorKind> {
        self.nodes += 1;
        self.check_nodes()
    }

    fn check_nodes(&self) -> Result<(), XmlErrorKind> {
        if self.nodes > self.options.nodes {
            return Err(XmlErrorKind::Nodes(self.options.nodes));
        }
        Ok(())
    }

    /// Reports the text since the last tag, if it is more than blanks or those are wanted. Blanks don't
    /// count as a node.
    fn flush_text(&mut self) {
        let text = self.store.get(self.text_start..).unwrap_or_default();
        let start = self.text_start + text.len() - text.trim_ascii_start().len();
        let length = text.trim_ascii().len();
        self.nodes += usize::from(length > 0);
        if self.options.white_space && !text.is_empty() {
            (self.sink)(Event::Text(self.text_start..self.store.len()));
        } else if length > 0 {
            (self.sink)(Event::Text(start..start + length));
        } else {
            self.store.truncate(self.text_start);
        }
        self.text_start = self.store.len();
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), XmlErrorKind> {
        self.flush_text();
        self.count_node()?;
        match self.root {
            Root::After => return Err(XmlErrorKind::OutsideRoot),
            Root::Before => self.root = Root::Within,
            Root::Within => {}
        }
        self.depth += 1;
        if self.depth > self.options.depth {
            return Err(XmlErrorKind::Depth(self.options.depth));
        }
        let name = tag.name();
        check_name(name.as_ref())?;
        (self.sink)(Event::Start { name: name.as_ref() });
        let mut names = Vec::new();
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.map_err(|_| XmlErrorKind::Attribute)?;
            self.attributes += 1;
            if self.attributes > self.options.attributes {
                return Err(XmlErrorKind::Attributes(self.options.attributes));
            }
            let start = self.store.len();
            let result = append_attribute(&attribute.value, self.store);
            let value = start..self.store.len();
            self.text_start = value.end;
            let name = attribute.key.into_inner();
            (self.sink)(Event::Attribute { name, value });
            result?;
            check_name(name)?;
            self.check_value_bytes()?;
            names.push(name);
        }
        names.sort_unstable();
        if names.array_windows().any(|[a, b]| a == b) {
            return Err(XmlErrorKind::DuplicateAttribute);
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        (self.sink)(Event::End { name });
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.root = Root::After;
        }
    }

    fn doctype(&mut self, markup: &str) -> Result<(), XmlErrorKind> {
        if self.root != Root::Before || self.doctype {
            return Err(XmlErrorKind::Doctype);
        }
        self.doctype = true;
        doctype::check(markup)
    }

    /// The document ends between two pieces of markup.
    fn end(&mut self, offset: usize) -> Option<XmlError> {
        self.flush_text();
        let complete = self.root == Root::After || self.options.truncated;
        (!complete).then_some(XmlError { kind: XmlErrorKind::UnexpectedEnd, offset })
    }

    /// quick-xml refuses what stands at `at`. When that is markup that the document's end cuts off, the
    /// rest is reported as text, so that nothing in it goes unseen.
    fn give_up(&mut self, error: &Error, at: usize, text: &str) -> Option<XmlError> {
        let rest = text.get(at..).unwrap_or_default();
        let kind = match error {
            Error::Syntax(error) if is_cut(error, rest) => XmlErrorKind::UnexpectedEnd,
            Error::IllFormed(IllFormedError::UnclosedReference)
                if memchr::memchr3(b'&', b'<', b';', rest.get(1..).unwrap_or_default().as_bytes())
                    .is_none() =>
            {
                XmlErrorKind::UnexpectedEnd
            }
            Error::IllFormed(IllFormedError::UnclosedReference) => XmlErrorKind::Reference,
            Error::IllFormed(IllFormedError::MissingDoctypeName) => XmlErrorKind::Doctype,
            Error::IllFormed(_) => XmlErrorKind::EndTag,
            _ => XmlErrorKind::Malformed,
        };
        if kind == XmlErrorKind::UnexpectedEnd {
            self.store.extend_from_slice(rest.as_bytes());
        }
        self.flush_text();
        if kind == XmlErrorKind::UnexpectedEnd && self.options.truncated {
            return None;
        }
        Some(XmlError { kind, offset: at })
    }
}

/// Whether the markup that begins `rest` is fine but for its missing end.
fn is_cut(error: &SyntaxError, rest: &str) -> bool {
    let begun = |whole: &str| {
        let length = rest.len().min(whole.len());
        rest.get(..length).is_some_and(|r| whole.get(..length).is_some_and(|w| r.eq_ignore_ascii_case(w)))
    };
    match error {
        SyntaxError::InvalidBangMarkup => rest == "<!",
        SyntaxError::UnclosedComment => begun("<!--"),
        SyntaxError::UnclosedCData => begun("<![CDATA["),
        SyntaxError::UnclosedDoctype => begun("<!DOCTYPE"),
        SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl => !rest.starts_with("<?>"),
        _ => true,
    }
}

/// Appends the value of an attribute, its references decoded.
fn append_attribute(raw: &str, store: &mut Vec<u8>) -> Result<(), XmlErrorKind> {
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('&') {
        store.extend_from_slice(before.as_bytes());
        let (reference, after) = after.split_once(';').ok_or(XmlErrorKind::Reference)?;
        append_reference(reference, store)?;
        rest = after;
    }
    store.extend_from_slice(rest.as_bytes());
    if raw.contains('<') { Err(XmlErrorKind::Attribute) } else { Ok(()) }
}

/// Appends what a reference, given without `&` and `;`, stands for.
fn append_reference(reference: &str, store: &mut Vec<u8>) -> Result<(), XmlErrorKind> {
    let character = match reference {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "apos" => '\'',
        "quot" => '"',
        _ => {
            let number = reference.strip_prefix('#');
            number.and_then(numbered_character).ok_or(XmlErrorKind::Reference)?
        }
    };
    store.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(())
}

/// The character with a decimal number, or a hexadecimal one after `x`, if XML allows it.
fn numbered_character(number: &str) -> Option<char> {
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    let character = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
    let allowed = matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
    allowed.then_some(character)
}

fn check_name(name: &str) -> Result<(), XmlErrorKind> {
    if is_name(name) { Ok(()) } else { Err(XmlErrorKind::Name) }
}

/// Whether `name` is a name as far as ASCII goes; all other characters are let through.
pub(super) fn is_name(name: &str) -> bool {
    let start = |b: u8| b.is_ascii_alphabetic() || matches!(b, b'_' | b':') || b >= 0x80;
    name.bytes().next().is_some_and(start)
        && name.bytes().all(|b| start(b) || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
