//! Network policies: who may connect, where this proxy may connect to, and which local addresses are used.
//!
//! Rules come from the policy's JSON (`policy::network`) and from ARMR text ([`armr`]); both become a
//! [`NetworkPolicy`]. A [`NetworkPlan`] selects the one rule that governs an operation, in time
//! logarithmic in the number of rules, and [`Event`] writes what is logged about it.

mod address;
pub mod armr;
mod clients;
mod event;
mod flow;
mod index;
mod path;
mod plan;
mod ports;
mod rule;
mod to_json;

pub use address::{Address, AddressProblem, Network};
pub use clients::{Clients, NoClients, RiskAdded, RuleRisk};
pub use event::{Device, Event, RESERVED_KEYS, RequestFacts};
pub use flow::{Admission, FlowControl};
pub use index::Level;
pub(crate) use index::governing;
pub use path::{Api, PathPattern, RequestPath};
pub use plan::{End, Judgement, NetworkPlan, Selected};
pub use ports::{Ports, PortsProblem};
pub use rule::{
    Action, App, Binding, Direction, EventFlow, EventFormat, HttpRequests, LanguageVersion, Message,
    NetworkPolicy, Operation, Rule, Severity,
};
pub use to_json::to_json;
