//! Operators: tests of one value, with an argument compiled when the policy is loaded.

mod addresses;

pub use addresses::{AddressError, AddressSet};

use std::ops::Range;

use crate::host::Source;
use crate::model::{Template, UnknownMacro};

macro_rules! operators {
    ($( $(#[$doc:meta])* $variant:ident $name:literal [$($alias:literal),*], )+) => {
        /// The name of an operator.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum OperatorName { $( $(#[$doc])* $variant, )+ }

        impl OperatorName {
            /// Every operator, in declaration order.
            pub const ALL: &'static [OperatorName] = &[ $( OperatorName::$variant, )+ ];

            /// The SecLang spelling, without `@`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( OperatorName::$variant => $name, )+ }
            }

            /// Other spellings: SecLang's short forms and the names of SKUDONET's forms.
            #[must_use]
            pub const fn aliases(self) -> &'static [&'static str] {
                match self { $( OperatorName::$variant => &[$($alias),*], )+ }
            }
        }
    };
}

operators! {
    /// The value begins with the argument.
    BeginsWith "beginsWith" ["strBegins"],
    /// The argument is in the value.
    Contains "contains" ["strContains"],
    /// The argument is in the value with no letter on either side.
    ContainsWord "containsWord" ["strContainsWord"],
    /// SQL injection, by the libinjection method.
    DetectSqli "detectSQLi" [],
    /// Cross-site scripting, by the libinjection method.
    DetectXss "detectXSS" [],
    /// The value ends with the argument.
    EndsWith "endsWith" ["strEnd", "strEnds"],
    /// Numerically equal.
    Eq "eq" ["intEQ"],
    /// Numerically greater or equal.
    Ge "ge" ["intGE", "GREATER_THAN_OR_EQUAL"],
    /// Looks the address up in a GeoIP database.
    GeoLookup "geoLookup" [],
    /// Numerically greater.
    Gt "gt" ["intGT", "GREATER_THAN"],
    /// The value is an address in the list.
    IpMatch "ipMatch" [],
    /// As ipMatch, the list from a file.
    IpMatchFromFile "ipMatchFromFile" ["ipMatchF"],
    /// Numerically less or equal.
    Le "le" ["intLE", "LESS_THAN_OR_EQUAL"],
    /// Numerically less.
    Lt "lt" ["intLT", "LESS_THAN"],
    /// Never.
    NoMatch "noMatch" ["matchNever"],
    /// Any phrase of the list is in the value, without regard to ASCII case.
    Pm "pm" ["strPhrases"],
    /// As pm, the list from a file.
    PmFromFile "pmFromFile" ["pmf", "strPhrasesFromFile"],
    /// The path fits the template; its variables go to `ARGS_PATH`.
    RestPath "restpath" [],
    /// The regular expression matches somewhere.
    Rx "rx" ["strRegex", "MATCHES"],
    /// As rx, capturing from every match.
    RxGlobal "rxGlobal" [],
    /// Byte for byte equal.
    StrEq "streq" ["strEq", "EQUALS"],
    /// The argument is in the value.
    StrMatch "strmatch" [],
    /// Always.
    UnconditionalMatch "unconditionalMatch" ["matchAllways", "matchAlways"],
    /// A byte lies outside the ranges.
    ValidateByteRange "validateByteRange" [],
    /// A national id number is valid.
    ValidateNid "validateNid" [],
    /// A `%` is not followed by two hex digits.
    ValidateUrlEncoding "validateUrlEncoding" [],
    /// The value is not UTF-8.
    ValidateUtf8Encoding "validateUtf8Encoding" [],
    /// A match of the expression is a credit card number.
    VerifyCc "verifyCC" ["verifyCreditCard"],
    /// A match of the expression is a Brazilian CPF.
    VerifyCpf "verifyCPF" [],
    /// A match of the expression is a US social security number.
    VerifySsn "verifySSN" [],
    /// A match of the expression is an Austrian social insurance number.
    VerifySvnr "verifySVNR" [],
    /// The value is in the argument.
    Within "within" ["strWithin"],
}

impl OperatorName {
    /// Looks a SecLang or form name up without regard to case, with or without `@`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix('@').unwrap_or(name);
        Self::ALL.iter().copied().find(|o| {
            o.name().eq_ignore_ascii_case(name) || o.aliases().iter().any(|a| a.eq_ignore_ascii_case(name))
        })
    }
}

/// An operator with its argument, ready to test values.
#[derive(Clone, Debug)]
pub struct Operator {
    name: OperatorName,
    argument: Template,
}

/// What an operator found in a value, for `TX:0` to `TX:9`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    slots: [Option<Capture>; 10],
}

/// One capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capture {
    /// A part of the value.
    Part(Range<usize>),
    /// Text that is not a part of the value, such as a fingerprint.
    Text(Vec<u8>),
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
}

impl Operator {
    /// Compiles `argument` for the operator `name`; `file` is the file that holds the rule, relative to
    /// which data files are looked up.
    ///
    /// # Errors
    /// When the argument does not have the form the operator needs.
    pub fn new(
        name: OperatorName,
        argument: &[u8],
        source: &dyn Source,
        file: &str,
    ) -> Result<Self, OperatorError> {
        let _ = (source, file);
        Ok(Self { name, argument: Template::parse(argument)? })
    }

    /// The operator's name.
    #[must_use]
    pub fn name(&self) -> OperatorName {
        self.name
    }

    /// The argument as text with macros. Only operators that expand macros have any.
    #[must_use]
    pub fn argument(&self) -> &Template {
        &self.argument
    }

    /// Tests `value`. `argument` is the expanded argument when [`Operator::argument`] has macros, else
    /// its literal text. Captures are written only on success and only when asked for.
    #[must_use]
    pub fn matches(&self, value: &[u8], argument: &[u8], captures: Option<&mut Captures>) -> bool {
        let _ = (value, argument, captures);
        false
    }
}
