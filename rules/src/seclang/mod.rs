//! SecLang, ModSecurity's configuration language.

mod variables;

pub(crate) use variables::parse_form_targets;
pub use variables::{TargetError, TargetErrorKind, parse_targets};
