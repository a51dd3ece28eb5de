//! The Portcullis engine: policies and SecLang become a model, the model a plan, and a plan judges HTTP
//! transactions phase by phase.
//!
//! The engine knows no host: it reads no clock, no file, no environment and draws no random numbers.
//! Whoever embeds it hands in bytes, addresses and the time, and carries out the verdicts.

pub mod audit;
pub mod body;
pub mod budget;
mod bytes;
pub mod challenge;
pub mod collections;
mod copy;
pub mod diagnostic;
pub mod eval;
pub mod exchange;
mod format;
pub mod geo;
pub mod host;
pub mod http;
pub mod limits;
pub mod lint;
pub mod lua;
pub mod model;
pub mod net;
pub mod operators;
pub mod page;
pub mod plan;
pub mod policy;
pub mod risk;
mod runs;
pub mod seclang;
pub mod transforms;
pub mod xpath;
