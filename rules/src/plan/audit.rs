//! What the audit log needs to know of a policy.

use crate::audit::Parts;
use crate::model::{self, Action, AuditEngine, AuditFormat, Ctl, Item, Policy, StatusSet};

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
