//! A policy compiled for evaluation.

use crate::diagnostic::Diagnostic;
use crate::model::{Enforcement, Policy};

/// A policy compiled for evaluation. Immutable and shared by all transactions of a worker.
#[derive(Debug)]
pub struct Plan {
    enforcement: Enforcement,
}

impl Plan {
    /// Compiles a policy.
    ///
    /// # Errors
    /// With everything that is wrong across its rules: duplicate ids, missing skip targets.
    pub fn new(policy: &Policy) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self { enforcement: policy.enforcement })
    }

    /// When headers are held back.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.enforcement
    }
}
