//! SecLang read into the model: golden diagnostics, golden models, the Core Rule Set.

// Helpers of tests may panic as the tests themselves may.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used)]

mod covered;
mod crs;
mod folder;
mod golden;
mod limits;
mod model;
mod robust;
