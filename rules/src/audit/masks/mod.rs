//! What records and log lines must not show (`sanitiseArg` and its like).
//!
//! Masks cover places, not texts: where an argument, a header field, a cookie or a file was sent is hidden, and
//! so is what was made of it. What else reads the same stays. Places are found when something is written, by parsing
//! what was sent once more ([`Masker`]); until then only names are kept.

mod forms;
mod json;
mod masker;
mod multipart;
#[cfg(test)]
mod tests;
mod xml;

use std::borrow::Cow;
use std::ops::Range;

use rustc_hash::FxHashSet;

use crate::limits;
pub(crate) use masker::{Masker, Sent};

/// What has a name in an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Argument,
    Cookie,
    File,
    RequestHeader,
    ResponseHeader,
}

impl Named {
    const COUNT: usize = 5;
}

/// A text that holds named things, and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Method, target and protocol.
    RequestLine,
    /// The request's target, whole or from its path on.
    Target,
    Query,
    Path,
    RequestBody,
    /// Request line, headers and body.
    Request,
    ResponseBody,
}

/// Where a text comes from. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Value(Named, Box<[u8]>),
    Name(Named, Box<[u8]>),
    Within(Holder),
    /// What an XPath expression selects.
    Xml(Box<[u8]>),
    /// Anywhere in the exchange.
    Unknown,
}

/// The places that a text was made from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    pub(crate) places: Vec<Place>,
    /// The text is what stands there, or its beginning, not what was made of it.
    pub(crate) exact: bool,
}

/// Parts of a text, and where they come from.
pub(crate) type Pieces = Vec<(Range<usize>, Source)>;

/// A text, and where parts of it come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traced {
    pub(crate) text: Vec<u8>,
    pub(crate) pieces: Pieces,
}

impl From<Vec<u8>> for Traced {
    /// A text of the policy's own.
    fn from(text: Vec<u8>) -> Self {
        Self { text, pieces: Vec::new() }
    }
}

/// What is masked.
#[derive(Debug, Default)]
pub(crate) struct Masks {
    values: [FxHashSet<Box<[u8]>>; Named::COUNT],
    names: [FxHashSet<Box<[u8]>>; Named::COUNT],
    /// These as a whole.
    query: bool,
    path: bool,
    request_body: bool,
    response_body: bool,
    /// All text of an XML body, and what else was selected in it.
    xml_texts: bool,
    xml_all: bool,
    xml_attributes: FxHashSet<Vec<u8>>,
    xml_selected: Vec<Vec<u8>>,
    /// How many bytes of names and selected values there are.
    bytes: usize,
    any: bool,
    /// There are too many to keep: all that was sent is masked.
    everything: bool,
}

impl Masks {
    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    /// Masks the values of this name.
    pub(crate) fn add_value(&mut self, named: Named, name: &[u8]) {
        let name = folded(name);
        self.any = true;
        if !self.hides_value(named, &name)
            && self.has_room(name.len())
            && let Some(set) = self.values.get_mut(named as usize)
        {
            set.insert(name.into());
        }
    }

    fn add_name(&mut self, named: Named, name: &[u8]) {
        if !self.hides_name(named, name)
            && self.has_room(name.len())
            && let Some(set) = self.names.get_mut(named as usize)
        {
            set.insert(name.into());
        }
    }

    /// Masks where a value came from. A name stands for what it names as well.
    pub(crate) fn add(&mut self, place: &Place, value: &[u8]) {
        self.any = true;
        match place {
            Place::Value(named, name) => self.add_value(*named, name),
            Place::Name(named, name) => {
                self.add_value(*named, name);
                self.add_name(*named, name);
            }
            Place::Within(Holder::RequestLine | Holder::Target) => (self.query, self.path) = (true, true),
            Place::Within(Holder::Query) => self.query = true,
            Place::Within(Holder::Path) => self.path = true,
            Place::Within(Holder::RequestBody) => self.request_body = true,
            Place::Within(Holder::ResponseBody) => self.response_body = true,
            Place::Within(Holder::Request) | Place::Unknown => self.everything = true,
            Place::Xml(key) => self.add_xml(key, value.trim_ascii()),
        }
    }

    fn add_xml(&mut self, key: &[u8], value: &[u8]) {
        if key == b"/*" {
            self.xml_texts = true;
        } else if value.is_empty() || self.xml_attributes.contains(value) {
        } else if value.len() + self.xml_bytes() > limits::AUDIT_XML_SECRET_BYTES {
            self.xml_all = true;
        } else {
            self.xml_attributes.insert(value.to_vec());
            if key != b"//@*" {
                self.xml_selected.push(value.to_vec());
            }
        }
    }

    fn xml_bytes(&self) -> usize {
        self.xml_attributes.iter().map(Vec::len).sum()
    }

    /// Whether one more name can be kept. If not, everything is masked.
    fn has_room(&mut self, length: usize) -> bool {
        let count: usize = self.values.iter().chain(&self.names).map(FxHashSet::len).sum();
        self.bytes = self.bytes.saturating_add(length);
        self.everything |= count >= limits::AUDIT_SECRETS || self.bytes > limits::AUDIT_SECRET_BYTES;
        !self.everything
    }

    fn hides_value(&self, named: Named, name: &[u8]) -> bool {
        self.everything || has(&self.values, named, name)
    }

    fn hides_name(&self, named: Named, name: &[u8]) -> bool {
        self.everything || has(&self.names, named, name)
    }

    /// Whether anything within a body is masked by its name.
    fn has_arguments(&self) -> bool {
        [Named::Argument, Named::File].into_iter().any(|named| {
            [&self.values, &self.names]
                .into_iter()
                .any(|sets| sets.get(named as usize).is_some_and(|set| !set.is_empty()))
        })
    }

    fn has_cookies(&self) -> bool {
        [&self.values, &self.names]
            .into_iter()
            .any(|sets| sets.get(Named::Cookie as usize).is_some_and(|set| !set.is_empty()))
    }

    fn has_xml(&self) -> bool {
        self.xml_texts || self.xml_all || !self.xml_attributes.is_empty()
    }
}

fn has(sets: &[FxHashSet<Box<[u8]>>; Named::COUNT], named: Named, name: &[u8]) -> bool {
    sets.get(named as usize).is_some_and(|set| !set.is_empty() && set.contains(&*folded(name)))
}

/// A name in lower case.
pub(crate) fn folded(name: &[u8]) -> Cow<'_, [u8]> {
    if name.iter().any(u8::is_ascii_uppercase) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Takes ranges that are to be hidden, with the texts that are sent there: as sent or decoded, or both in turn.
type Sink<'s> = dyn FnMut(Range<usize>, &[u8]) + 's;
