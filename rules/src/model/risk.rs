//! What a rule says of the client.

use super::Link;
use crate::risk::{Classification, KillChain, Rate, RiskAction};

/// What a match of a rule says of the client.
#[derive(Clone, Debug)]
pub struct RiskMark {
    /// 0 to 100.
    pub risk: u8,
    /// The kind of attack.
    pub classification: Classification,
    /// The stage of an attack.
    pub state: Option<KillChain>,
    /// What is done about it.
    pub action: RiskAction,
    /// It is recorded, and neither scored nor acted on.
    pub beta: bool,
    /// For a rate rule: how many matches are still fine.
    pub rate: Option<Rate>,
    /// Short label for reports.
    pub tag_name: String,
    /// The condition of a risk rule, beside the rule's links.
    pub tree: Option<Tree>,
}

impl Default for RiskMark {
    /// A match is recorded and adds nothing.
    fn default() -> Self {
        Self {
            risk: 0,
            classification: Classification::CustomerRule,
            state: None,
            action: RiskAction::Track,
            beta: false,
            rate: None,
            tag_name: String::new(),
            tree: None,
        }
    }
}

/// A condition of groups.
#[derive(Clone, Debug)]
pub enum Tree {
    /// A single condition.
    Leaf(Box<Link>),
    /// All are true.
    And(Vec<Tree>),
    /// Any is true.
    Or(Vec<Tree>),
    /// None is true.
    Not(Vec<Tree>),
}

impl Tree {
    /// Its conditions, in order.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Link> {
        match self {
            Self::Leaf(link) => vec![link],
            Self::And(parts) | Self::Or(parts) | Self::Not(parts) => {
                parts.iter().flat_map(Self::leaves).collect()
            }
        }
    }
}
