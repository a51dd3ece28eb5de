//! The policy as JSON: what a filter is configured with.
//!
//! [`load`] reads a policy and reports everything that is wrong with it at once, with places. Its shape,
//! with the meaning and default of each field, is declared in `forms.rs`; with the feature `schema` the
//! same declaration yields the JSON Schema.

mod build;
mod checks;
mod condition;
mod criteria;
mod files;
mod forms;
mod json;
mod mistaken;
mod network;
mod network_build;
mod network_risk;
mod read;
mod report;
mod risk_build;
mod risk_condition;
mod risk_forms;
mod risk_rate;
mod risk_rule;
#[cfg(feature = "schema")]
mod risk_schema;
mod risk_values;
mod rule;
#[cfg(feature = "schema")]
mod schema;
mod text;
mod values;

pub use files::Files;
#[cfg(feature = "schema")]
pub use schema::schema;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Sources, Span};
use crate::limits;
use crate::lint;
use crate::model::Policy;
use forms::PolicyForm;
use read::Form;
use report::Reporter;

/// What came of a policy's text.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy; `None` when any diagnostic is an error.
    pub policy: Option<Policy>,
    /// The data files that are part of the policy.
    pub files: Files,
    /// What is to be said about it, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the diagnostics refer to; the policy's own is the first.
    pub sources: Sources,
}

/// Reads a policy; `name` is what reports call the text.
///
/// ```
/// let policy = br#"{"rule_sets": [{"name": "basic", "rules": [{
///     "rule_id": 1, "phase": 1, "resolution": "deny",
///     "matches": [{"variables": "REQUEST_HEADERS:user-agent", "operator": "strContains", "operating": "sqlmap"}]
/// }]}]}"#;
/// let loaded = portcullis_rules::policy::load(policy, "policy.json");
/// assert!(loaded.diagnostics.is_empty());
/// assert_eq!(loaded.policy.unwrap().rule_sets[0].name, "basic");
///
/// let loaded = portcullis_rules::policy::load(b"{\"rule_set\": []}", "policy.json");
/// assert!(loaded.policy.is_none());
/// assert_eq!(
///     loaded.diagnostics[0].one_line(&loaded.sources),
///     "error[E0103] policy.json:1:2 (rule_set): no field `rule_set` here; did you mean `rule_sets`?"
/// );
/// ```
#[must_use]
pub fn load(text: &[u8], name: &str) -> Loaded {
    load_shared(&Arc::from(text), name)
}

/// As [`load`], with data files beside those of the policy, which come first.
#[must_use]
pub fn load_with(text: &[u8], name: &str, files: BTreeMap<String, Vec<u8>>) -> Loaded {
    read(&Arc::from(text), name, files)
}

/// As [`load`], without a copy of the text.
#[must_use]
pub fn load_shared(text: &Arc<[u8]>, name: &str) -> Loaded {
    read(text, name, BTreeMap::new())
}

fn read(text: &Arc<[u8]>, name: &str, more: BTreeMap<String, Vec<u8>>) -> Loaded {
    let mut sources = Sources::default();
    let mut reporter = Reporter::new(text, sources.add(name, Arc::clone(text)));
    if text.len() > limits::POLICY_BYTES {
        let message = format!("the policy has more than {} bytes", limits::POLICY_BYTES);
        let help = "leave out what it does not need, such as data files of rules that are not there";
        reporter.push(reporter.at(Code::E0109, Span::default(), message).help(help));
        let (policy, files) = (None, Files::default());
        return Loaded { policy, files, diagnostics: reporter.finish(None), sources };
    }
    let root = json::parse(text)
        .map_err(|error| {
            let mistaken = mistaken::text(text, &reporter).filter(|_| error.code == Code::E0101);
            let diagnostic = mistaken.unwrap_or_else(|| {
                let mut diagnostic = reporter.at(error.code, error.span, error.message);
                diagnostic.help = error.help.map(str::to_owned);
                diagnostic
            });
            reporter.push(diagnostic);
        })
        .ok();
    let other = root.as_ref().and_then(|root| mistaken::json(root, &reporter));
    let form = match (&root, other) {
        (_, Some(diagnostic)) => {
            reporter.push(diagnostic);
            None
        }
        (root, None) => root.as_ref().and_then(|root| PolicyForm::read(root, &mut reporter)),
    };
    let mut files = Files::default();
    let mut policy = None;
    if let Some(mut form) = form {
        files = files::build(form.files.as_ref().map(|files| &files.value), &mut reporter);
        files.extend(more);
        policy = Some(build::policy(&mut form, text, &files, &mut sources, &mut reporter));
        checks::check(&form, &mut reporter);
        risk_rule::check(&form, &mut reporter);
        if let Some(policy) = policy.as_ref().filter(|_| !reporter.has_errors()) {
            for diagnostic in lint::check(policy, 0) {
                reporter.push(diagnostic);
            }
        }
    }
    let policy = policy.filter(|_| !reporter.has_errors());
    Loaded { policy, files, diagnostics: reporter.finish(root.as_ref()), sources }
}
