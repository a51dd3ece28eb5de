//! Body processors: urlencoded forms, multipart, JSON, XML.
//!
//! Pure functions over the bytes of a body. Decoded text is appended to a store that the caller owns,
//! and reported as ranges of it. Each takes a flag `truncated` for a body that the inspection limit cut:
//! that it just ends is no error then, and what was begun counts.

mod encoding;
pub mod json;
pub mod multipart;
pub mod urlencoded;
pub mod xml;

/// How a request body is parsed: `REQBODY_PROCESSOR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BodyProcessor {
    /// An urlencoded form; also what `REQUEST_BODY` is set for.
    Urlencoded,
    /// `multipart/form-data`.
    Multipart,
    /// JSON.
    Json,
    /// XML.
    Xml,
    /// Not parsed at all: `REQUEST_BODY` and nothing else. Coraza's; only `ctl` selects it.
    Raw,
}

impl BodyProcessor {
    /// Every processor.
    pub const ALL: [Self; 5] = [Self::Urlencoded, Self::Multipart, Self::Json, Self::Xml, Self::Raw];

    /// The text in `REQBODY_PROCESSOR`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Urlencoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Raw => "RAW",
        }
    }

    /// Looks a name up without regard to case.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        for processor in BodyProcessor::ALL {
            assert_eq!(BodyProcessor::from_name(processor.name().as_bytes()), Some(processor));
            assert_eq!(BodyProcessor::from_name(processor.name().to_lowercase().as_bytes()), Some(processor));
        }
        assert_eq!(BodyProcessor::from_name(b""), None);
    }
}
