//! Text with macros: `%{REMOTE_ADDR}`, `%{tx.score}`, `%{REQUEST_HEADERS.host}`.

use super::Variable;

/// Text in which macros are replaced when it is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    source: Vec<u8>,
    parts: Vec<Part>,
}

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes that stand for themselves.
    Literal(Vec<u8>),
    /// The first element of a variable, or nothing where there is none.
    Macro {
        /// What is looked up.
        variable: Variable,
        /// Key within a collection, as written; compared without regard to case.
        key: Option<Vec<u8>>,
    },
}

/// A macro names a variable that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no variable named `{name}` for the macro")]
pub struct UnknownMacro {
    /// The name as written.
    pub name: String,
    /// Offset of the macro's `%` in the text.
    pub offset: usize,
}

impl Template {
    /// Splits `text` at its macros. An unterminated `%{` is literal text, as is a `%` without a brace.
    ///
    /// # Errors
    /// When a macro names an unknown variable.
    pub fn parse(text: &[u8]) -> Result<Self, UnknownMacro> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            let close = if rest.starts_with(b"%{") { memchr::memchr(b'}', rest) } else { None };
            let Some(inside) = close.and_then(|end| rest.get(2..end)) else {
                let next =
                    memchr::memchr(b'%', rest.get(1..).unwrap_or_default()).map_or(rest.len(), |n| n + 1);
                literal.extend_from_slice(rest.get(..next).unwrap_or_default());
                at += next;
                continue;
            };
            let split = inside.iter().position(|&b| b == b'.' || b == b':');
            let name = split.and_then(|n| inside.get(..n)).unwrap_or(inside);
            let key = split.and_then(|n| inside.get(n + 1..)).map(<[u8]>::to_vec);
            let variable = Variable::from_name(name).ok_or_else(|| UnknownMacro {
                name: String::from_utf8_lossy(name).into_owned(),
                offset: at,
            })?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Macro { variable, key });
            at += inside.len() + 3;
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { source: text.to_vec(), parts })
    }

    /// Text without macros, whatever it holds.
    #[must_use]
    pub fn literal(text: impl Into<Vec<u8>>) -> Self {
        let source = text.into();
        let parts = if source.is_empty() { Vec::new() } else { vec![Part::Literal(source.clone())] };
        Self { source, parts }
    }

    /// The text as written, macros and all.
    #[must_use]
    pub fn source(&self) -> &[u8] {
        &self.source
    }

    /// The pieces in order; adjacent literals are merged.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text, when it has no macros.
    #[must_use]
    pub fn as_literal(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}
