//! What rules say of clients, compiled: condition trees over the engine's own conditions.

use super::rules::{Compiler, LinkPlan};
use crate::model::{RiskMark, Tree};
use crate::risk::{Classification, KillChain, Rate, RiskAction};

/// A rule's say on the client.
#[derive(Debug)]
pub(crate) struct MarkPlan {
    pub(crate) risk: u8,
    pub(crate) classification: Classification,
    pub(crate) state: Option<KillChain>,
    pub(crate) action: RiskAction,
    pub(crate) beta: bool,
    pub(crate) rate: Option<Rate>,
    pub(crate) tag_name: Box<str>,
    /// The conditions that the tree is made of. They are not the rule's links: those must all match.
    pub(crate) leaves: Box<[LinkPlan]>,
    pub(crate) tree: Option<TreePlan>,
}

/// A condition tree; leaves are places in [`MarkPlan::leaves`].
#[derive(Debug)]
pub(crate) enum TreePlan {
    Leaf(usize),
    And(Box<[TreePlan]>),
    Or(Box<[TreePlan]>),
    Not(Box<[TreePlan]>),
}

impl Compiler<'_> {
    pub(super) fn mark(&mut self, mark: &RiskMark) -> MarkPlan {
        let mut leaves = Vec::new();
        let tree = mark.tree.as_ref().map(|tree| self.tree(tree, &mut leaves));
        MarkPlan {
            risk: mark.risk,
            classification: mark.classification,
            state: mark.state,
            action: mark.action,
            beta: mark.beta,
            rate: mark.rate,
            tag_name: mark.tag_name.as_str().into(),
            leaves: leaves.into(),
            tree,
        }
    }

    /// The depth of trees is bounded when they are read.
    fn tree(&mut self, tree: &Tree, leaves: &mut Vec<LinkPlan>) -> TreePlan {
        let mut all = |parts: &[Tree]| parts.iter().map(|part| self.tree(part, leaves)).collect();
        match tree {
            Tree::And(parts) => TreePlan::And(all(parts)),
            Tree::Or(parts) => TreePlan::Or(all(parts)),
            Tree::Not(parts) => TreePlan::Not(all(parts)),
            Tree::Leaf(link) => {
                let link = self.link(link, None);
                leaves.push(link);
                TreePlan::Leaf(leaves.len() - 1)
            }
        }
    }
}
