//! Portcullis in a real Envoy.
//!
//! [`Scenario`] takes a policy and starts Envoy with the module in front of an [`Upstream`] that keeps
//! what reaches it. [`Gateway::send`] sends one request and returns an [`Exchange`]: what the client got,
//! what the upstream saw of it, and which rules were logged for it.
//!
//! Nothing here depends on the engine: the harness knows the module as a file and the policy as JSON.

mod admin;
mod bootstrap;
mod client;
mod envoy;
mod log;
mod prerequisites;
mod scenario;
mod upstream;

pub use admin::Admin;
pub use bootstrap::{Bootstrap, Enforcement, Module, TEMPLATE, parse_yaml};
pub use client::{Body, End, Fields, Http1, Http2, Protocol, Reply, Request};
pub use envoy::{Envoy, EnvoyOptions, StartError};
pub use log::{Access, LoggedMatch, access_records, matches};
pub use prerequisites::{Missing, Prerequisites, find_envoy};
pub use scenario::{Exchange, Gateway, Scenario};
pub use upstream::{Seen, Upstream};
