//! XML: text and attribute values, for `XML:/*` and `XML://@*`.
//!
//! quick-xml cuts the document into markup and text; what must hold beyond that is checked here. A
//! document has one root element whose tags match. Nothing is ever fetched or expanded: a document type
//! declaration is passed over, and refused when it would change what is read.

mod doctype;
mod encoding;
mod error;
mod scanner;

pub use error::{XmlError, XmlErrorKind};

use std::ops::Range;

use crate::limits;

/// How much of a document is taken, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most nesting of elements.
    pub depth: usize,
    /// Most elements, text nodes, comments and processing instructions.
    pub nodes: usize,
    /// Most attributes, namespace declarations included.
    pub attributes: usize,
    /// Most bytes of text and attribute values.
    pub value_bytes: usize,
    /// Whether white space is kept: texts are not trimmed, and those of white space alone are reported.
    pub white_space: bool,
    /// Whether the body was cut; that it just ends is no error then.
    pub truncated: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            depth: limits::XML_DEPTH,
            nodes: limits::XML_NODES,
            attributes: limits::XML_ATTRIBUTES,
            value_bytes: limits::XML_VALUE_BYTES,
            white_space: false,
            truncated: false,
        }
    }
}

/// A piece of a document, in document order. Values are ranges of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An element begins; its attributes follow.
    Start {
        /// Its name, prefix included.
        name: &'a str,
    },
    /// An attribute of the element that began last.
    Attribute {
        /// Its name, prefix included.
        name: &'a str,
        /// Its value, references decoded.
        value: Range<usize>,
    },
    /// The text between two tags, trimmed of white space, if any is left, unless white space is kept. Character data sections are
    /// text, references are decoded, comments and processing instructions left out.
    Text(Range<usize>),
    /// The element that began last and has not ended ends.
    End {
        /// Its name, prefix included.
        name: &'a str,
    },
}

/// Reports the pieces of a document to `sink`, their values appended to `store`. Returns what is wrong
/// with it; the pieces before that place have been reported, a begun tag or text as text.
///
/// Named references are the five of XML; others are an error, because nothing can declare them.
pub fn scan(
    body: &[u8],
    options: &Options,
    store: &mut Vec<u8>,
    sink: &mut impl FnMut(Event<'_>),
) -> Option<XmlError> {
    let decoded = match encoding::decode(body, options.truncated) {
        Ok(decoded) => decoded,
        Err(kind) => return Some(XmlError { kind, offset: 0 }),
    };
    let options = Options { truncated: options.truncated && decoded.stop.is_none(), ..*options };
    let error = scanner::scan(&decoded.text, &options, store, sink);
    match (error, decoded.stop) {
        (None | Some(XmlError { kind: XmlErrorKind::UnexpectedEnd, .. }), Some(kind)) => {
            Some(XmlError { kind, offset: decoded.text.len() })
        }
        (error, _) => error,
    }
}

/// Whether an attribute of this name declares a namespace: to XPath those are no attributes.
#[must_use]
pub fn is_namespace_declaration(name: &str) -> bool {
    name == "xmlns" || name.starts_with("xmlns:")
}

#[cfg(test)]
mod tests;
