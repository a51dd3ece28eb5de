//! Places in XML bodies.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::escape::unescape;
use quick_xml::events::Event as Token;
use quick_xml::reader::Reader;

use super::{Masks, Named, Sink};

/// The masked texts and attributes of a body. What can't be read is masked from there on.
pub(super) fn places(masks: &Masks, body: &[u8], sink: &mut Sink<'_>) {
    // UTF-16 and UTF-32: a byte of a character is nothing to show.
    if let [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, ..] | [_, 0, ..] = body {
        return sink(0..body.len(), &[]);
    }
    match std::str::from_utf8(body) {
        Ok(text) => Scanner::new(masks, text, &|range| range).run(sink),
        Err(_) => {
            // Each byte is a character, as in ISO 8859-1; markup is the same in both.
            let text: String = body.iter().map(|&byte| char::from(byte)).collect();
            let mut places: Vec<usize> = Vec::with_capacity(text.len() + 1);
            for (number, (_, letter)) in text.char_indices().enumerate() {
                places.extend(std::iter::repeat_n(number, letter.len_utf8()));
            }
            places.push(body.len());
            let place = |at: usize| places.get(at).copied().unwrap_or(body.len());
            Scanner::new(masks, &text, &|range: Range<usize>| place(range.start)..place(range.end)).run(sink);
        }
    }
}

struct Scanner<'a> {
    masks: &'a Masks,
    text: &'a str,
    /// From a place in the text to that in the body.
    place: &'a dyn Fn(Range<usize>) -> Range<usize>,
    /// The name of the open element as an argument, and its length without each of the open elements.
    path: Vec<u8>,
    open: Vec<usize>,
    /// How many open elements from the outermost masked one on.
    masked: usize,
    /// The text since the last tag: where its pieces stand, and what they come to.
    run: Vec<Range<usize>>,
    run_text: String,
}

impl<'a> Scanner<'a> {
    fn new(masks: &'a Masks, text: &'a str, place: &'a dyn Fn(Range<usize>) -> Range<usize>) -> Self {
        Self {
            masks,
            text,
            place,
            path: b"xml".to_vec(),
            open: Vec::new(),
            masked: 0,
            run: Vec::new(),
            run_text: String::new(),
        }
    }

    fn run(mut self, sink: &mut Sink<'_>) {
        let mut reader = Reader::from_str(self.text);
        loop {
            let from = position(reader.buffer_position());
            let token = reader.read_event();
            let to = position(reader.buffer_position());
            match token {
                Ok(Token::Eof) => return self.end_run(sink),
                Ok(token) => self.token(&token, from..to, sink),
                Err(_) => {
                    self.end_run(sink);
                    return self.hide(from..self.text.len(), sink);
                }
            }
        }
    }

    fn token(&mut self, token: &Token<'_>, range: Range<usize>, sink: &mut Sink<'_>) {
        let raw = self.text.get(range.clone()).unwrap_or_default();
        match token {
            Token::Text(_) => self.add(range, raw),
            Token::GeneralRef(_) => {
                let decoded = unescape(raw).unwrap_or(Cow::Borrowed(raw)).into_owned();
                self.add(range, &decoded);
            }
            Token::CData(data) => {
                let (start, end) = ("<![CDATA[".len(), "]]>".len());
                self.add(range.start + start..range.end.saturating_sub(end), data);
            }
            Token::Start(tag) => self.start(tag.name().as_ref(), range, sink),
            Token::Empty(tag) => {
                self.start(tag.name().as_ref(), range, sink);
                self.end();
            }
            Token::End(_) => {
                self.end_run(sink);
                self.end();
            }
            // A declaration may hold what references stand for.
            Token::DocType(_) if raw.contains('[') => self.hide(range, sink),
            Token::Comment(_) if self.masked > 0 => self.hide(range, sink),
            Token::Comment(_) | Token::PI(_) | Token::DocType(_) | Token::Decl(_) | Token::Eof => {}
        }
    }

    fn add(&mut self, range: Range<usize>, text: &str) {
        self.run.push(range);
        self.run_text.push_str(text);
    }

    fn start(&mut self, name: &str, range: Range<usize>, sink: &mut Sink<'_>) {
        self.end_run(sink);
        self.open.push(self.path.len());
        self.path.push(b'.');
        self.path.extend_from_slice(name.split_once(':').map_or(name, |(_, local)| local).as_bytes());
        self.masked += usize::from(self.masked > 0 || self.masks.hides_value(Named::Argument, &self.path));
        self.attributes(range, sink);
    }

    fn end(&mut self) {
        self.path.truncate(self.open.pop().unwrap_or_default());
        self.masked = self.masked.saturating_sub(1);
    }

    /// Decides about the text since the last tag.
    fn end_run(&mut self, sink: &mut Sink<'_>) {
        let text = self.run_text.trim_ascii();
        let selected = |one: &Vec<u8>| memchr::memmem::find(one, text.as_bytes()).is_some();
        let hidden = self.masked > 0
            || self.masks.xml_texts
            || self.masks.xml_all
            || (!text.is_empty() && self.masks.xml_selected.iter().any(selected));
        if hidden {
            for range in &self.run {
                sink((self.place)(range.clone()), text.as_bytes());
            }
        }
        self.run.clear();
        self.run_text.clear();
    }

    /// Looks at the attributes of a tag.
    fn attributes(&self, tag: Range<usize>, sink: &mut Sink<'_>) {
        if !self.masks.xml_all && self.masks.xml_attributes.is_empty() {
            return;
        }
        let raw = self.text.get(tag.clone()).unwrap_or_default();
        let mut at = 0;
        while let Some(quote) = raw.get(at..).and_then(|rest| rest.find(['"', '\''])) {
            let open = at + quote + 1;
            let ended = raw.get(at + quote..open).and_then(|quote| raw.get(open..)?.find(quote));
            let end = ended.map_or(raw.len(), |length| open + length);
            let value = raw.get(open..end).unwrap_or_default();
            let decoded = unescape(value).unwrap_or(Cow::Borrowed(value));
            if self.masks.xml_all || self.masks.xml_attributes.contains(decoded.trim_ascii().as_bytes()) {
                sink((self.place)(tag.start + open..tag.start + end), decoded.as_bytes());
            }
            at = end + 1;
        }
    }

    fn hide(&self, range: Range<usize>, sink: &mut Sink<'_>) {
        sink((self.place)(range), &[]);
    }
}

fn position(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
