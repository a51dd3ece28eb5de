//! What can be wrong with an XML body.

use std::fmt;

/// Why and where an XML body was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    /// Why.
    pub kind: XmlErrorKind,
    /// Where, in bytes from the start of the document as UTF-8 without byte order mark.
    pub offset: usize,
}

/// Why an XML body was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlErrorKind {
    /// A `<` begins nothing that is markup.
    Malformed,
    /// The document ends inside markup or an element, or has no element.
    UnexpectedEnd,
    /// An end tag is not that of the open element.
    EndTag,
    /// An element or attribute has a name that is none.
    Name,
    /// An attribute is malformed.
    Attribute,
    /// An element has two attributes of a name.
    DuplicateAttribute,
    /// A reference is not closed, names nothing or stands for no character.
    Reference,
    /// There is text or an element outside the root element.
    OutsideRoot,
    /// A document type declaration is not before the root element, or is malformed.
    Doctype,
    /// The document type declaration declares entities.
    Entities,
    /// The document type declaration refers to parameter entities.
    ParameterEntities,
    /// The document type declaration gives attributes values.
    AttributeDefaults,
    /// The document type is declared elsewhere.
    ExternalSubset,
    /// An XML declaration is not at the start.
    Declaration,
    /// The encoding can't be read.
    Encoding,
    /// A control character that XML forbids.
    ControlCharacter(u8),
    /// The text is not UTF-8.
    InvalidUtf8,
    /// Nested deeper than this.
    Depth(usize),
    /// More nodes than this.
    Nodes(usize),
    /// More attributes than this.
    Attributes(usize),
    /// More bytes of text and attribute values than this.
    ValueBytes(usize),
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            XmlErrorKind::Malformed => f.write_str("malformed markup")?,
            XmlErrorKind::UnexpectedEnd => f.write_str("unexpected end")?,
            XmlErrorKind::EndTag => f.write_str("end tag without its start tag")?,
            XmlErrorKind::Name => f.write_str("invalid name")?,
            XmlErrorKind::Attribute => f.write_str("malformed attribute")?,
            XmlErrorKind::DuplicateAttribute => f.write_str("duplicate attribute")?,
            XmlErrorKind::Reference => f.write_str("invalid or undefined reference")?,
            XmlErrorKind::OutsideRoot => f.write_str("content outside the root element")?,
            XmlErrorKind::Doctype => f.write_str("misplaced or malformed document type declaration")?,
            XmlErrorKind::Entities => f.write_str("entity declarations are not allowed")?,
            XmlErrorKind::ParameterEntities => f.write_str("parameter entities are not allowed")?,
            XmlErrorKind::AttributeDefaults => f.write_str("default values of attributes are not allowed")?,
            XmlErrorKind::ExternalSubset => {
                f.write_str("external document type declarations are not allowed")?;
            }
            XmlErrorKind::Declaration => f.write_str("XML declaration not at the start")?,
            XmlErrorKind::Encoding => f.write_str("unsupported encoding")?,
            XmlErrorKind::ControlCharacter(byte) => write!(f, "control character {byte:#04x}")?,
            XmlErrorKind::InvalidUtf8 => f.write_str("invalid UTF-8")?,
            XmlErrorKind::Depth(limit) => write!(f, "nested deeper than {limit}")?,
            XmlErrorKind::Nodes(limit) => write!(f, "more than {limit} nodes")?,
            XmlErrorKind::Attributes(limit) => write!(f, "more than {limit} attributes")?,
            XmlErrorKind::ValueBytes(limit) => write!(f, "more than {limit} bytes of values")?,
        }
        write!(f, " at offset {}", self.offset)
    }
}

impl std::error::Error for XmlError {}
