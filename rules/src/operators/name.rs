//! Names of operators.

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
    /// A database knows the place of the address; `GEO` then holds it.
    GeoLookup "geoLookup" [],
    /// Numerically greater.
    Gt "gt" ["intGT", "GREATER_THAN"],
    /// A Lua script's `main`, called with the value, returns a string.
    InspectFile "inspectFile" [],
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

    /// Whether the argument names a file: equal arguments of different folders may differ in what they mean.
    #[must_use]
    pub const fn names_file(self) -> bool {
        matches!(self, Self::IpMatchFromFile | Self::PmFromFile)
    }

    /// Why an operator that ModSecurity or Coraza has does not exist here; `None` for the name of any
    /// other. The name is looked up as by [`OperatorName::from_name`].
    #[must_use]
    pub fn unsupported(name: &str) -> Option<&'static str> {
        let name = name.strip_prefix('@').unwrap_or(name);
        let (_, reason) = UNSUPPORTED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(reason)
    }
}

/// Operators of ModSecurity and Coraza that are refused, and why.
const UNSUPPORTED: [(&str, &str); 9] = [
    ("fuzzyHash", "similarity hashes need a library that a filter does not have"),
    ("gsbLookup", "a filter can't ask Google Safe Browsing; ModSecurity v3 has it neither"),
    ("ipMatchFromDataset", "there are no datasets; use @ipMatchFromFile with a file of the policy"),
    ("pmFromDataset", "there are no datasets; use @pmFromFile with a file of the policy"),
    ("rbl", "a filter makes no DNS queries; use @ipMatchFromFile with a list of addresses"),
    ("rsub", "bodies are not rewritten; ModSecurity v3 has it neither"),
    ("validateDTD", "there is no DTD validation; test the elements with XML:/* and @rx"),
    ("validateHash", "links are not signed; ModSecurity v3 has it neither"),
    ("validateSchema", "there is no schema validation; test the elements with XML:/* or ARGS and @rx"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases_are_found_in_any_case() {
        for name in OperatorName::ALL {
            for spelling in name.aliases().iter().chain(&[name.name()]) {
                for text in [(*spelling).to_owned(), spelling.to_ascii_uppercase(), format!("@{spelling}")] {
                    assert_eq!(OperatorName::from_name(&text), Some(*name));
                    assert_eq!(OperatorName::unsupported(&text), None);
                }
            }
        }
        assert_eq!(OperatorName::from_name("@@rx"), None);
        assert_eq!(OperatorName::from_name(""), None);
    }

    #[test]
    fn unsupported_operators_are_known_but_not_accepted() {
        for (name, reason) in UNSUPPORTED {
            assert_eq!(OperatorName::from_name(name), None);
            assert_eq!(OperatorName::unsupported(&format!("@{}", name.to_ascii_lowercase())), Some(reason));
        }
        assert_eq!(OperatorName::unsupported("nonsense"), None);
    }
}
