//! The one rule model that the JSON forms and SecLang both produce. Data only: names are resolved,
//! defaults are applied, operators are compiled; nothing here evaluates anything.

mod risk;
mod rule;
mod rule_set;
mod target;
mod template;
mod variable;

pub use risk::{RateScope, RiskMark, Tree};
pub use rule::*;
pub use rule_set::*;
pub use target::{Selector, Target, TargetMode};
pub use template::{Part, Template, UnknownMacro};
pub(crate) use variable::{PATH_ALSO, PATH_MEANT};
pub use variable::{Shape, Variable};
