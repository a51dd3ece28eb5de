//! Operators: tests of one value, with an argument compiled when the policy is loaded.
//!
//! Where ModSecurity and Coraza differ, ModSecurity v3 is followed unless an operator's module says
//! otherwise. Testing a value takes time linear in it, or bounded by a limit where an operator searches
//! several times, and no memory but what a regular expression needs to run.

mod addresses;
mod captures;
mod compile;
mod injection;
mod name;
mod numbers;
mod pattern;
mod pcre;
mod phrases;
mod strings;
mod validate;
mod verify;

pub use addresses::{AddressError, AddressSet};
pub use captures::{Capture, Captures};
pub use compile::OperatorCache;
pub use name::OperatorName;
pub(crate) use numbers::{NumberTest, leading_integer};

use std::ops::Range;
use std::sync::Arc;

use regex_syntax::hir::Hir;

use crate::host::Source;
use crate::lua::{Script, ScriptError};
use crate::model::{Template, UnknownMacro};
use pattern::{ExpandedPatterns, Pattern};
use phrases::Phrases;
use validate::ByteRanges;

/// An operator with its argument, ready to test values. Clones share everything.
#[derive(Clone, Debug)]
pub struct Operator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: OperatorName,
    raw_argument: Box<[u8]>,
    argument: Template,
    test: Test,
}

/// An operator with what it was compiled to. `Expanded…` take their argument when macros are expanded.
#[derive(Debug)]
enum Test {
    Always,
    Never,
    Text(strings::Prepared),
    ExpandedText(strings::Comparison),
    Number(NumberTest),
    ExpandedNumber(numbers::Comparison),
    Pattern(Arc<Pattern>, Groups),
    ExpandedPattern(ExpandedPatterns, Groups),
    Path(Pattern),
    Phrases(Arc<Phrases>),
    Addresses(AddressSet),
    Bytes(ByteRanges),
    UrlEncoding,
    Utf8Encoding,
    NumberSearch(verify::Search),
    Script(Script),
    /// Whether a database knows the place of an address.
    Place,
    Sqli,
    Xss,
}

/// Which matches of a regular expression are captured.
#[derive(Clone, Copy, Debug)]
enum Groups {
    OfFirstMatch,
    OfAllMatches,
}

impl Groups {
    fn find(self, pattern: &Pattern, value: &[u8], captures: Option<&mut Captures>) -> bool {
        match (self, captures) {
            (_, None) => pattern.is_match(value),
            (Self::OfFirstMatch, Some(captures)) => pattern.capture(value, captures),
            (Self::OfAllMatches, Some(captures)) => pattern.capture_all(value, captures),
        }
    }
}

/// An operator's argument can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// A macro in the argument names nothing.
    #[error(transparent)]
    Macro(#[from] UnknownMacro),
    /// The argument does not have the form the operator needs.
    #[error("{message}")]
    Argument {
        /// What is wrong.
        message: String,
        /// What to write instead.
        help: Option<String>,
        /// Bytes of the argument the message is about.
        span: Option<Range<usize>>,
    },
    /// The data file can't be had.
    #[error(transparent)]
    File(#[from] crate::host::SourceError),
    /// The script can't be used.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl Operator {
    /// Compiles `argument` for the operator `name`; `file` is the file that holds the rule, relative to
    /// which data files are looked up.
    ///
    /// Regular expressions are only checked, and phrase lists only read: each is compiled when it is
    /// first used.
    ///
    /// # Errors
    /// When the argument does not have the form the operator needs.
    pub fn new(
        name: OperatorName,
        argument: &[u8],
        source: &dyn Source,
        file: &str,
    ) -> Result<Self, OperatorError> {
        Self::with_cache(name, argument, source, file, &mut OperatorCache::default())
    }

    /// As [`Operator::new`], sharing what it can with the operators made with the same cache.
    ///
    /// # Errors
    /// When the argument does not have the form the operator needs.
    pub fn with_cache(
        name: OperatorName,
        argument: &[u8],
        source: &dyn Source,
        file: &str,
        cache: &mut OperatorCache,
    ) -> Result<Self, OperatorError> {
        let (test, template) = compile::compile(name, argument, source, file, cache)?;
        let inner = Inner { name, raw_argument: argument.into(), argument: template, test };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The operator with this in place of its argument, which has macros that always come to it. `None` for those that
    /// are as good with their macros. What is written in reports stays as it was.
    pub(crate) fn with_argument(&self, argument: &[u8]) -> Option<Self> {
        let Inner { name, raw_argument, .. } = &*self.inner;
        let test = match &self.inner.test {
            Test::ExpandedText(comparison) => Test::Text(strings::Prepared::new(*comparison, argument)),
            Test::ExpandedNumber(comparison) => {
                Test::Number(NumberTest::new(*comparison, leading_integer(argument)))
            }
            _ => return None,
        };
        let inner = Inner {
            name: *name,
            raw_argument: raw_argument.clone(),
            argument: Template::literal(argument),
            test,
        };
        Some(Self { inner: Arc::new(inner) })
    }

    /// The operator's name.
    #[must_use]
    pub fn name(&self) -> OperatorName {
        self.inner.name
    }

    /// The argument as text with macros. Only operators that expand macros have any: those that compare
    /// with text or a number, and regular expressions. It is empty for operators that take no text
    /// when they test a value, whatever was written.
    #[must_use]
    pub fn argument(&self) -> &Template {
        &self.inner.argument
    }

    /// The argument as written, for reports.
    #[must_use]
    pub fn raw_argument(&self) -> &[u8] {
        &self.inner.raw_argument
    }

    /// Tests `value`. `argument` is the expanded argument when [`Operator::argument`] has macros;
    /// otherwise it is not looked at.
    ///
    /// Captures are written only on success and only when asked for; what they held is forgotten then.
    /// An operator that captures nothing leaves them alone. What is captured:
    ///
    /// - `@rx`: groups 0 to 9; those that took no part stay empty.
    /// - `@rxGlobal`: of each group 0 to 9 the last match that it took part in (ModSecurity v3).
    /// - `@pm`, `@pmFromFile`: the text that fits the leftmost phrase, the longest that begins there.
    /// - `@verify…`: the number; `@validateNid`: up to ten.
    /// - `@detectSQLi`: the fingerprint; `@detectXSS`: the value.
    /// - `@restpath`: [`Captures::named`] only. They belong in `ARGS_PATH`, so ask for captures even
    ///   when the rule has no `capture` action.
    #[must_use]
    pub fn matches(&self, value: &[u8], argument: &[u8], captures: Option<&mut Captures>) -> bool {
        match &self.inner.test {
            Test::Always => true,
            // These need a transaction: see `Operator::needs_transaction`.
            Test::Never | Test::Script(_) | Test::Place => false,
            Test::Text(prepared) => prepared.holds(value),
            Test::ExpandedText(comparison) => comparison.holds(value, argument),
            Test::Number(test) => test.holds(value),
            Test::ExpandedNumber(comparison) => comparison.holds(value, numbers::leading_integer(argument)),
            Test::Pattern(pattern, groups) => groups.find(pattern, value, captures),
            Test::ExpandedPattern(patterns, groups) => {
                patterns.get(argument).is_some_and(|pattern| groups.find(&pattern, value, captures))
            }
            Test::Path(pattern) => match captures {
                Some(captures) => pattern.capture_parameters(value, captures),
                None => pattern.is_match(value),
            },
            Test::Phrases(phrases) => match captures {
                Some(captures) => {
                    let found = phrases.find(value);
                    if let Some(range) = found.clone() {
                        captures.set_only(Capture::Part(range));
                    }
                    found.is_some()
                }
                None => phrases.is_match(value),
            },
            Test::Addresses(set) => set.contains_text(value),
            Test::Bytes(ranges) => ranges.refuse(value),
            Test::UrlEncoding => validate::has_bad_url_encoding(value),
            Test::Utf8Encoding => validate::has_bad_utf8(value),
            Test::NumberSearch(search) => search.is_match(value, captures),
            Test::Sqli => injection::is_sqli(value, captures),
            Test::Xss => injection::is_xss(value, captures),
        }
    }

    /// Whether the last test that did not match was given up at a limit: a regular expression with macros that is too
    /// large or none, or a number that may be behind more candidates than are looked at.
    pub(crate) fn gave_up(&self, argument: &[u8]) -> bool {
        match &self.inner.test {
            Test::ExpandedPattern(patterns, _) => patterns.get(argument).is_none(),
            Test::NumberSearch(search) => search.gave_up(),
            _ => false,
        }
    }

    /// The comparison with a number that the operator is, if that number is known.
    pub(crate) fn number(&self) -> Option<NumberTest> {
        match self.inner.test {
            Test::Number(test) => Some(test),
            _ => None,
        }
    }

    /// What [`Operator::matches`] captures in a value that is known to match.
    pub(crate) fn captures(&self, value: &[u8], argument: &[u8]) -> Captures {
        let mut captures = Captures::default();
        match &self.inner.test {
            Test::Pattern(pattern, _) if pattern.takes_whole() => {
                captures.set_only(Capture::Part(0..value.len()));
            }
            _ => {
                let _ = self.matches(value, argument, Some(&mut captures));
            }
        }
        captures
    }

    /// The regular expression that must match somewhere in a value for the operator to match, in the
    /// syntax of `regex-syntax` (on bytes, `.` matching line feeds); `None` for operators without one,
    /// and when it has macros.
    #[must_use]
    pub fn pattern(&self) -> Option<&str> {
        self.compiled_pattern().map(Pattern::text)
    }

    /// [`Operator::pattern`] as a tree. The tree that was made to check the pattern goes to the first
    /// caller, or is used up when the pattern is compiled; later it is parsed anew on each call.
    #[must_use]
    pub fn hir(&self) -> Option<Hir> {
        self.compiled_pattern()?.hir()
    }

    /// The phrases of `@pm` and `@pmFromFile`, of which one must be in a value, without regard to ASCII
    /// case, for the operator to match: lower-case, sorted, each once, none empty. `None` for other
    /// operators.
    #[must_use]
    pub fn phrases(&self) -> Option<&[Vec<u8>]> {
        match &self.inner.test {
            Test::Phrases(phrases) => Some(phrases.list()),
            _ => None,
        }
    }

    /// The bytes of which one must be in a value for the operator to match; `None` for operators of which
    /// nothing of the kind is known, and for those with phrases or a regular expression.
    #[must_use]
    pub fn telling_bytes(&self) -> Option<Vec<u8>> {
        match &self.inner.test {
            Test::Bytes(ranges) => Some(ranges.refused().collect()),
            Test::UrlEncoding => Some(b"%".to_vec()),
            Test::Utf8Encoding => Some((0x80..=0xff).collect()),
            // Tags and comments need the one, values of attributes the other.
            Test::Xss => Some(b"<=".to_vec()),
            _ => None,
        }
    }

    /// Whether the operator is run on a transaction and not on a value alone: it does more than to test it.
    #[must_use]
    pub fn needs_transaction(&self) -> bool {
        matches!(self.inner.test, Test::Script(_) | Test::Place)
    }

    /// The script of `@inspectFile`, which a transaction runs in place of [`Operator::matches`].
    #[must_use]
    pub fn script(&self) -> Option<&Script> {
        match &self.inner.test {
            Test::Script(script) => Some(script),
            _ => None,
        }
    }

    /// Whether the regular expression or phrase list could not be compiled when it was first used, so
    /// that the operator never matches. [`Operator::new`] refuses arguments for which that could happen.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        match &self.inner.test {
            Test::Phrases(phrases) => phrases.is_broken(),
            _ => self.compiled_pattern().is_some_and(Pattern::is_broken),
        }
    }

    fn compiled_pattern(&self) -> Option<&Pattern> {
        match &self.inner.test {
            Test::Pattern(pattern, _) => Some(pattern),
            Test::Path(pattern) => Some(pattern),
            Test::NumberSearch(search) => Some(search.pattern()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
