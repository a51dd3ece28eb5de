//! SecLang read into the model: golden diagnostics, golden models, the Core Rule Set.

mod crs;
mod folder;
mod golden;
mod limits;
mod model;
mod robust;
