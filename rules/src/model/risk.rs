//! What a rule says of the client.

use super::{Link, Phase, Target};
use crate::risk::{Classification, KillChain, Rate, RateAction, RiskAction};

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
    /// What it does for the rest of its window, when there are more.
    pub rate_action: Option<RateAction>,
    /// What its matches are counted by; `None` for the client.
    pub scope: Option<RateScope>,
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
            rate_action: None,
            scope: None,
            tag_name: String::new(),
            tree: None,
        }
    }
}

/// What the matches of a rule with a rate are counted by: together, where there are several.
#[derive(Clone, Debug)]
pub struct RateScope {
    /// The phase from which on all of it is known: 1 or 2.
    pub phase: Phase,
    /// The client.
    pub client: bool,
    /// The host of the request.
    pub site: bool,
    /// The path of the request.
    pub path: bool,
    /// The first of these that the request has says which account it is about. Empty when accounts don't take part.
    pub account: Vec<Target>,
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
