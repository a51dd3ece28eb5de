//! Detection of SQL injection, and the stages it is made of.
//!
//! 1. [`tokens`] divides the input into SQL tokens, as a database would that reads it in the middle of a statement.
//! 2. [`fold()`] drops and merges tokens that do not change the nature of the statement, down to five.
//! 3. The kinds of these tokens, one letter each, are the [`Fingerprint`]; it is looked up among the fingerprints of
//!    attacks, and a few short ones are examined more closely because harmless text has them too.
//!
//! [`detect`] does this for each [`Context`] that the input may be pasted into.

mod charclass;
mod check;
mod fold;
mod lookup;
mod token;
mod tokenizer;

pub(crate) use charclass::Class;
pub use check::detect;
pub use fold::{Folded, fold};
pub use token::{Fingerprint, Kind, MAX_TOKENS, Token};
pub use tokenizer::{Tokens, tokens};

/// How the statement reads into which the input is pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Context {
    /// The quotes that are open where the input starts.
    pub quote: Quote,
    /// The family of databases that reads the statement.
    pub dialect: Dialect,
}

impl Context {
    /// A context of these quotes and this dialect.
    #[must_use]
    pub const fn new(quote: Quote, dialect: Dialect) -> Self {
        Self { quote, dialect }
    }
}

/// The quotes that are open where the input starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Quote {
    /// None: the input starts as SQL, such as a number.
    #[default]
    None,
    /// A single quote: the input starts inside a string.
    Single,
    /// A double quote: the input starts inside a string.
    Double,
}

/// The family of databases that reads the statement. They differ in what starts a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Dialect {
    /// `--` starts a comment whatever follows; `#` is an operator.
    #[default]
    Ansi,
    /// `--` starts a comment only before white space or the end; `#` always starts one.
    MySql,
}
