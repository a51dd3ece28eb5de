//! Writes texts without what is masked.

use std::cell::OnceCell;
use std::ops::Range;

use super::{Holder, Masks, Named, Pieces, Place, Sink, Source, forms, json, multipart, xml};
use crate::audit::secrets::Secrets;
use crate::body::BodyProcessor;
use crate::limits;

/// What was sent, as far as places are looked for in it.
#[derive(Debug, Default)]
pub(crate) struct Sent<'a> {
    /// What separates arguments.
    pub(crate) separator: u8,
    pub(crate) target: &'a [u8],
    pub(crate) request_headers: Vec<(&'a [u8], &'a [u8])>,
    /// The body, or its beginning.
    pub(crate) body: &'a [u8],
    /// There was more of it.
    pub(crate) cut: bool,
    /// How rule sets read it.
    pub(crate) processors: Vec<BodyProcessor>,
}

/// Where something is masked.
#[derive(Debug, Default)]
struct Present {
    query: bool,
    body: bool,
    /// Header fields, by name.
    headers: Vec<Box<[u8]>>,
}

/// Writes texts without what is masked.
#[derive(Debug)]
pub(crate) struct Masker<'m> {
    masks: &'m Masks,
    separator: u8,
    content_type: Vec<u8>,
    processors: Vec<BodyProcessor>,
    present: Present,
    /// What was sent in masked places.
    texts: Vec<Vec<u8>>,
    echoes: OnceCell<Secrets>,
}

/// Fields that hold a URL, of which the query may repeat arguments.
const URLS: [&[u8]; 7] = [
    b"referer",
    b"location",
    b"content-location",
    b"x-envoy-original-path",
    b"x-forwarded-uri",
    b"x-original-url",
    b"x-rewrite-url",
];

impl<'m> Masker<'m> {
    pub(crate) fn new(masks: &'m Masks, sent: &Sent<'_>) -> Self {
        let content_type =
            sent.request_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
        let mut masker = Self {
            masks,
            separator: sent.separator,
            content_type: content_type.map(|(_, value)| value.to_vec()).unwrap_or_default(),
            processors: sent.processors.clone(),
            present: Present::default(),
            texts: Vec::new(),
            echoes: OnceCell::new(),
        };
        if !masks.is_empty() {
            masker.look(sent);
        }
        masker
    }

    /// Finds out where something is masked, and what was sent there.
    fn look(&mut self, sent: &Sent<'_>) {
        let mut texts = Vec::new();
        let mut take = |text: &[u8]| {
            if text.len() >= limits::AUDIT_ECHO_BYTES {
                texts.push(text.to_vec());
            }
        };
        let mut present = Present::default();
        self.query(sent.target, 0, &mut |_, text| {
            present.query = true;
            take(text);
        });
        self.body_places(sent.body, 0, &mut |_, text| {
            present.body = true;
            take(text);
        });
        present.body |= sent.cut && self.masks.has_arguments();
        for (name, value) in &sent.request_headers {
            let mut found = false;
            self.header(Named::RequestHeader, name, value, &mut |_, text| {
                found = true;
                take(text);
            });
            if found {
                present.headers.push(name.to_ascii_lowercase().into());
            }
        }
        (self.present, self.texts) = (present, texts);
    }

    /// Whether anything that the client sent is masked.
    pub(crate) fn hides_anything(&self) -> bool {
        !self.masks.is_empty()
            && (self.masks.everything
                || self.masks.path
                || self.masks.response_body
                || self.present.query
                || self.present.body
                || !self.present.headers.is_empty()
                || self.masks.values.get(Named::ResponseHeader as usize).is_some_and(|set| !set.is_empty()))
    }

    /// The target, or the part of it that begins with the path.
    pub(crate) fn target(&self, text: &[u8]) -> Vec<u8> {
        self.within(Holder::Target, text)
    }

    pub(crate) fn within(&self, holder: Holder, text: &[u8]) -> Vec<u8> {
        match holder {
            Holder::ResponseBody if self.masks.response_body || self.masks.everything => hidden(text),
            Holder::ResponseBody => self.without_echoes(text),
            _ => self.hide(text, |masker, sink| masker.holder(holder, text, sink)),
        }
    }

    /// A header field's name and value. A response may repeat what the client sent.
    pub(crate) fn field(&self, named: Named, name: &[u8], value: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let shown = self.hide(value, |masker, sink| masker.header(named, name, value, sink));
        let shown = if named == Named::ResponseHeader { self.without_echoes(&shown) } else { shown };
        let name = if self.masks.hides_name(named, name) && !self.masks.everything {
            hidden(name)
        } else {
            name.to_vec()
        };
        (name, shown)
    }

    /// The value of what has this name.
    pub(crate) fn value(&self, named: Named, name: &[u8], value: &[u8]) -> Vec<u8> {
        if self.hides_value(named, name) { hidden(value) } else { value.to_vec() }
    }

    pub(crate) fn name(&self, named: Named, name: &[u8]) -> Vec<u8> {
        if self.masks.hides_name(named, name) { hidden(name) } else { name.to_vec() }
    }

    /// Hides what is masked in a text of which these are pieces.
    pub(crate) fn mask(&self, text: &mut [u8], pieces: &Pieces) {
        if self.masks.is_empty() {
            return;
        }
        for (range, source) in pieces {
            let Some(piece) = text.get_mut(range.clone()) else { continue };
            let shown = self.piece(piece, source);
            piece.iter_mut().zip(shown).for_each(|(byte, shown)| *byte = shown);
        }
    }

    /// A text from somewhere.
    pub(crate) fn piece(&self, text: &[u8], source: &Source) -> Vec<u8> {
        match source.places.as_slice() {
            [] => text.to_vec(),
            [Place::Within(Holder::ResponseBody)] => self.within(Holder::ResponseBody, text),
            [Place::Within(holder)] if source.exact => self.within(*holder, text),
            [Place::Value(named @ (Named::RequestHeader | Named::ResponseHeader), name)] if source.exact => {
                self.field(*named, name, text).1
            }
            places if places.iter().any(|place| self.touches(place)) => hidden(text),
            _ => text.to_vec(),
        }
    }

    /// Whether anything at a place is masked.
    fn touches(&self, place: &Place) -> bool {
        self.masks.everything
            || match place {
                Place::Value(named, name) => self.hides_value(*named, name),
                Place::Name(named, name) => self.masks.hides_name(*named, name) || self.hides_holder(*named),
                Place::Within(Holder::RequestLine | Holder::Target) => self.present.query || self.masks.path,
                Place::Within(Holder::Query) => self.present.query,
                Place::Within(Holder::Path) => self.masks.path,
                Place::Within(Holder::RequestBody) => self.present.body,
                Place::Within(Holder::ResponseBody) => self.masks.response_body,
                Place::Xml(_) => self.masks.has_xml() || self.present.body,
                Place::Within(Holder::Request) | Place::Unknown => self.hides_anything(),
            }
    }

    fn hides_value(&self, named: Named, name: &[u8]) -> bool {
        let listed = || self.present.headers.iter().any(|header| header.eq_ignore_ascii_case(name));
        self.masks.hides_value(named, name)
            || self.hides_holder(named)
            || match named {
                Named::File => self.masks.hides_value(Named::Argument, name),
                Named::RequestHeader => listed(),
                _ => false,
            }
    }

    /// Whether all that things of a kind stand in is masked as a whole.
    fn hides_holder(&self, named: Named) -> bool {
        match named {
            Named::Argument => self.masks.query || self.masks.request_body,
            Named::File => self.masks.request_body,
            Named::Cookie => self.masks.hides_value(Named::RequestHeader, b"cookie"),
            Named::RequestHeader | Named::ResponseHeader => false,
        }
    }

    /// The text with `*` in the place of what `find` finds.
    fn hide(&self, text: &[u8], find: impl FnOnce(&Self, &mut Sink<'_>)) -> Vec<u8> {
        if self.masks.everything {
            return hidden(text);
        }
        let mut out = text.to_vec();
        if !self.masks.is_empty() {
            find(self, &mut |range: Range<usize>, _| {
                if let Some(part) = out.get_mut(range) {
                    part.fill(b'*');
                }
            });
        }
        out
    }

    fn holder(&self, holder: Holder, text: &[u8], sink: &mut Sink<'_>) {
        match holder {
            Holder::RequestLine => self.request_line(text, sink),
            Holder::Target => self.target_places(text, 0, sink),
            Holder::Query if self.masks.query => sink(0..text.len(), text),
            Holder::Query => forms::arguments(self.masks, text, self.separator, 0, sink),
            Holder::Path if self.masks.path => sink(0..text.len(), text),
            Holder::Path | Holder::ResponseBody => {}
            Holder::RequestBody => self.body_places(text, 0, sink),
            Holder::Request => self.request(text, sink),
        }
    }

    fn request_line(&self, line: &[u8], sink: &mut Sink<'_>) {
        let start = memchr::memchr(b' ', line).map_or(0, |blank| blank + 1);
        let end = memchr::memrchr(b' ', line).filter(|end| *end >= start).unwrap_or(line.len());
        self.target_places(line.get(start..end).unwrap_or_default(), start, sink);
    }

    fn target_places(&self, target: &[u8], at: usize, sink: &mut Sink<'_>) {
        if self.masks.path {
            let path = memchr::memchr(b'?', target).unwrap_or(target.len());
            sink(at..at + path, target.get(..path).unwrap_or_default());
        }
        self.query(target, at, sink);
    }

    /// What follows the `?` of a URL that begins at `at`: a fragment, too, which no argument is in.
    fn query(&self, url: &[u8], at: usize, sink: &mut Sink<'_>) {
        let Some(mark) = memchr::memchr(b'?', url) else { return };
        let query = url.get(mark + 1..).unwrap_or_default();
        let at = at + mark + 1;
        if self.masks.query {
            sink(at..at + query.len(), query);
        } else {
            forms::arguments(self.masks, query, self.separator, at, sink);
        }
    }

    fn body_places(&self, body: &[u8], at: usize, sink: &mut Sink<'_>) {
        if self.masks.request_body && !body.is_empty() {
            return sink(at..at + body.len(), body);
        }
        if !self.masks.has_arguments() && !self.masks.has_xml() {
            return;
        }
        let mut sink = |range: Range<usize>, text: &[u8]| sink(at + range.start..at + range.end, text);
        for processor in &self.processors {
            match processor {
                BodyProcessor::Urlencoded => forms::arguments(self.masks, body, self.separator, 0, &mut sink),
                BodyProcessor::Json => json::places(self.masks, body, &mut sink),
                BodyProcessor::Multipart => {
                    multipart::places(self.masks, &self.content_type, body, &mut sink);
                }
                BodyProcessor::Xml => xml::places(self.masks, body, &mut sink),
                BodyProcessor::Raw => {}
            }
        }
    }

    fn header(&self, named: Named, name: &[u8], value: &[u8], sink: &mut Sink<'_>) {
        if self.masks.hides_value(named, name) {
            return sink(0..value.len(), value);
        }
        if URLS.iter().any(|url| url.eq_ignore_ascii_case(name)) {
            self.query(value, 0, sink);
        }
        if named == Named::RequestHeader && self.masks.has_cookies() && name.eq_ignore_ascii_case(b"cookie") {
            forms::cookies(self.masks, value, sink);
        }
    }

    /// Request line, header lines, an empty line, and the body.
    fn request(&self, text: &[u8], sink: &mut Sink<'_>) {
        let mut at = 0;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            let mut moved = |start: usize, range: Range<usize>, text: &[u8]| {
                sink(at + start + range.start..at + start + range.end, text);
            };
            if at == 0 {
                self.request_line(line, &mut |range, text| moved(0, range, text));
            } else if let Some(colon) = memchr::memchr(b':', line) {
                let (name, value) =
                    (line.get(..colon).unwrap_or_default(), line.get(colon + 2..).unwrap_or_default());
                self.header(Named::RequestHeader, name, value, &mut |range, text| {
                    moved(colon + 2, range, text);
                });
            }
            at += end + 1;
            if line.is_empty() || at >= text.len() {
                break;
            }
        }
        self.body_places(text.get(at..).unwrap_or_default(), at, sink);
    }

    /// What the upstream sent, without what it repeats of masked places.
    fn without_echoes(&self, text: &[u8]) -> Vec<u8> {
        if self.texts.is_empty() {
            return text.to_vec();
        }
        self.echoes.get_or_init(|| Secrets::new(self.texts.clone())).mask(text)
    }
}

fn hidden(text: &[u8]) -> Vec<u8> {
    vec![b'*'; text.len()]
}
