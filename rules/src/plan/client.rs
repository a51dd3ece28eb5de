//! What rules say of clients, compiled: condition trees over the engine's own conditions.

use super::rules::{Compiler, LinkPlan};
use super::views::ViewId;
use super::{RulePlan, SetPlan};
use crate::model::{RateScope, RiskMark, Tree};
use crate::risk::{Classification, KillChain, Rate, RateAction, RiskAction};

/// A rule's say on the client.
#[derive(Debug)]
pub(crate) struct MarkPlan {
    pub(crate) risk: u8,
    pub(crate) classification: Classification,
    pub(crate) state: Option<KillChain>,
    pub(crate) action: RiskAction,
    pub(crate) beta: bool,
    pub(crate) rate: Option<Rate>,
    /// Whether its rate acts for the rest of its window.
    pub(crate) rate_action: Option<RateAction>,
    pub(crate) scope: Option<RateScope>,
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

/// A rule with a rate whose matches are not counted by the client alone.
#[derive(Debug)]
pub(crate) struct ScopedRate {
    pub(crate) rule: u64,
    pub(crate) rate: Rate,
    pub(crate) action: Option<RateAction>,
    pub(crate) scope: RateScope,
    pub(crate) view: ViewId,
}

impl ScopedRate {
    /// The rates of the rules, in their order.
    pub(super) fn all(rules: &[Option<RulePlan>], sets: &[SetPlan]) -> Vec<Self> {
        let scoped = |rule: &RulePlan| {
            let mark = rule.risk.as_deref()?;
            let (rate, scope) = (mark.rate?, mark.scope.clone()?);
            let view = sets.get(rule.set as usize)?.view;
            Some(Self { rule: rule.id, rate, action: mark.rate_action, scope, view })
        };
        rules.iter().flatten().filter_map(scoped).collect()
    }
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
            rate_action: mark.rate_action,
            scope: mark.scope.clone(),
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
