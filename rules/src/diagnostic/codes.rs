//! The registry of diagnostic numbers. Numbers are never reused.

use super::Level;
use std::fmt;

macro_rules! codes {
    ($( $(#[$doc:meta])* $code:ident $level:ident $title:literal, )+) => {
        /// Number of a diagnostic: E refuses the policy, W warns, N notes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $( $(#[$doc])* $code, )+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[ $( Code::$code, )+ ];

            /// What it is about, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $( Code::$code => $title, )+ }
            }

            /// How bad it is.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $( Code::$code => Level::$level, )+ }
            }

            const fn number(self) -> &'static str {
                match self { $( Code::$code => stringify!($code), )+ }
            }
        }
    };
}

codes! {
    // E01xx: the policy's JSON
    /// The text is not JSON.
    E0101 Error "not JSON",
    /// A value has the wrong type.
    E0102 Error "wrong type",
    /// A field is not known here.
    E0103 Error "unknown field",
    /// A field that must be there is missing.
    E0104 Error "missing field",
    /// A value is not one of those allowed.
    E0105 Error "value not allowed",
    /// A field stands twice in one object.
    E0106 Error "duplicate field",
    /// Fields that exclude each other.
    E0107 Error "conflicting fields",
    /// A value changes nothing where it stands.
    W0108 Warning "without effect",
    // E02xx: rules, however written
    /// A rule id is used twice.
    E0201 Error "duplicate rule id",
    /// No variable has this name.
    E0202 Error "unknown variable",
    /// No operator has this name.
    E0203 Error "unknown operator",
    /// No transformation has this name.
    E0204 Error "unknown transformation",
    /// An operator's argument can't be used.
    E0205 Error "bad operator argument",
    /// A selector is malformed or the variable takes none.
    E0206 Error "bad selector",
    /// skip_after names nothing that comes later.
    E0207 Error "missing skip target",
    /// A redirect has no URL, or a bad one.
    E0208 Error "bad redirect",
    /// A macro names an unknown variable.
    E0209 Error "unknown macro",
    /// A data file or script can't be had.
    E0210 Error "missing file",
    /// A status is not one an answer can have.
    E0211 Error "bad status",
    /// A rule has no id.
    E0212 Error "missing rule id",
    /// A disabled rule does not exist.
    W0213 Warning "no such rule",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}
