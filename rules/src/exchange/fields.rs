//! Recorded JSON, read field by field: what can't be used is said with its path, in the words of people who write
//! such lines by hand.

use std::fmt;

use serde_json::{Map, Value};

use crate::diagnostic::did_you_mean;

/// What can't be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unreadable {
    /// Such as `request.headers[0]`; empty for the whole.
    path: String,
    problem: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.problem),
            path => write!(f, "`{path}`: {}", self.problem),
        }
    }
}

impl Unreadable {
    /// A problem with the value that is read.
    #[must_use]
    pub fn new(problem: impl Into<String>) -> Self {
        Self { path: String::new(), problem: problem.into() }
    }

    /// A value of another kind than `what`, which has its article.
    #[must_use]
    pub fn expected(what: &str, found: &Value) -> Self {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        Self::new(format!("expected {what}, found {found}"))
    }

    /// The same, seen from the object or array around it: `step` is a field's name, or a place such as `[3]`.
    #[must_use]
    pub fn within(self, step: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        Self { path: format!("{step}{dot}{}", self.path), problem: self.problem }
    }
}

/// The fields of an object.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'v>(&'v Map<String, Value>);

impl<'v> Fields<'v> {
    /// The fields of `value`, which is `what`.
    ///
    /// # Errors
    /// When it is no object, or has a field that is not among `known`.
    pub fn new(value: &'v Value, what: &str, known: &[&str]) -> Result<Self, Unreadable> {
        let Value::Object(fields) = value else {
            return Err(Unreadable::expected(&format!("{what}, which is an object"), value));
        };
        match fields.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(fields)),
            Some(name) => {
                let help = did_you_mean(name, known).map(|help| format!("; {help}")).unwrap_or_default();
                Err(Unreadable::new(format!("{what} has no field `{name}`{help}")))
            }
        }
    }

    /// The value of a field that is there and not null.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// What `read` makes of a field that may be missing or null.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn optional<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, Unreadable>,
    ) -> Result<Option<T>, Unreadable> {
        self.get(name).map(read).transpose().map_err(|problem| problem.within(name))
    }

    /// What `read` makes of a field that must be there.
    ///
    /// # Errors
    /// When it is missing, and those of `read`.
    pub fn required<T>(
        &self,
        name: &str,
        read: impl FnOnce(&'v Value) -> Result<T, Unreadable>,
    ) -> Result<T, Unreadable> {
        let missing = || Unreadable::new(format!("the field `{name}` is missing"));
        self.optional(name, read)?.ok_or_else(missing)
    }
}

/// A string.
///
/// # Errors
/// For other values.
pub fn text(value: &Value) -> Result<String, Unreadable> {
    value.as_str().map(str::to_owned).ok_or_else(|| Unreadable::expected("a string", value))
}

/// An integer from 0 to the largest that `T` holds.
///
/// # Errors
/// For other values.
pub fn integer<T: TryFrom<u64> + Bounded>(value: &Value) -> Result<T, Unreadable> {
    let wanted = || format!("an integer from 0 to {}", T::MOST);
    if !value.is_number() {
        return Err(Unreadable::expected(&wanted(), value));
    }
    let number = value.as_u64().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| Unreadable::new(format!("expected {}, found {value}", wanted())))
}

/// Types of integers.
pub trait Bounded {
    /// The largest one.
    const MOST: u64;
}

impl Bounded for u8 {
    const MOST: u64 = u8::MAX as u64;
}

impl Bounded for u16 {
    const MOST: u64 = u16::MAX as u64;
}

/// The value that a line holds.
///
/// # Errors
/// When it is no JSON, with the column.
pub fn line(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        let column = error.column();
        if error.is_eof() {
            return Unreadable::new(format!(
                "the JSON ends too early, at column {column}; each line holds a whole object, as `jq -c .` writes it"
            ));
        }
        // The library's message ends with the place.
        let message = error.to_string();
        let reason = message.split(" at line ").next().unwrap_or_default();
        Unreadable::new(format!("not JSON at column {column}: {reason}"))
    })
}
