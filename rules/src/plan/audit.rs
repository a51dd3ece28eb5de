//! What the audit log needs to know of a policy, and what records must not show.

use super::rules::{ActionPlan, RulePlan};
use super::targets::Keys;
use crate::audit::Parts;
use crate::model::{
    self, Action, AuditEngine, AuditFormat, Ctl, Item, Phase, Policy, Secret, StatusSet, Variable,
};

/// What a rule set wants in the audit log.
#[derive(Debug)]
pub(crate) struct AuditPlan {
    pub(crate) engine: AuditEngine,
    pub(crate) relevant: Option<StatusSet>,
    pub(crate) parts: Parts,
    pub(crate) format: AuditFormat,
    pub(crate) components: Box<[Box<str>]>,
}

impl AuditPlan {
    pub(crate) fn new(settings: &model::Settings) -> Self {
        Self {
            engine: settings.audit_engine,
            relevant: settings.audit_relevant_status.clone(),
            parts: Parts::of(&settings.audit_parts),
            format: settings.audit_format,
            components: settings.component_signatures.iter().map(|name| name.as_str().into()).collect(),
        }
    }
}

/// Whether any transaction of a policy can come into the audit log.
pub(crate) fn writes_audit_log(policy: &Policy) -> bool {
    let switches_on = |action: &Action| match action {
        Action::Ctl(Ctl::AuditEngine(mode)) => *mode != AuditEngine::Off,
        _ => false,
    };
    policy.rule_sets.iter().any(|set| {
        set.settings.audit_engine != AuditEngine::Off
            || set.items.iter().any(|item| match item {
                Item::Rule(rule) => rule.links.iter().flat_map(|link| &link.actions).any(switches_on),
                Item::Marker(_) => false,
            })
    })
}

/// A rule that masks something.
#[derive(Debug)]
pub(crate) struct MaskPlan {
    pub(crate) phase: Phase,
    pub(crate) secret: Secret,
    /// What it looks at by name, if it masks what it matches.
    pub(crate) targets: Box<[(Variable, Box<[u8]>)]>,
}

/// What rules mask.
pub(crate) fn masks<'r>(rules: impl Iterator<Item = &'r RulePlan>) -> Vec<MaskPlan> {
    let mut masks = Vec::new();
    for rule in rules {
        for link in &rule.links {
            let targets = link.condition.iter().flat_map(|condition| &condition.targets.list);
            let named: Vec<_> = targets
                .filter_map(|target| match &target.keys {
                    Keys::Named(name, _) if !target.count => Some((target.variable, (**name).into())),
                    _ => None,
                })
                .collect();
            for action in &link.actions {
                let ActionPlan::Sanitise(secret) = action else { continue };
                let targets = if *secret == Secret::Matched { named.clone() } else { Vec::new() };
                masks.push(MaskPlan { phase: rule.phase, secret: secret.clone(), targets: targets.into() });
            }
        }
    }
    masks
}
