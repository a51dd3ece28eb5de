//! Transactions: one HTTP exchange judged phase by phase.

mod actions;
mod admission;
mod audit;
mod body;
mod client;
mod client_report;
mod data;
mod gap;
mod gate;
mod index;
mod interrogation;
mod lookup;
mod masking;
mod memory;
mod overload;
mod parse;
mod peers;
mod persistent;
mod probe;
mod relay;
mod request;
mod response;
mod rest;
mod run;
mod script;
mod state;
mod store;
mod text;
mod values;
mod xml;

use std::sync::Arc;

use crate::audit::{AuditRecord, MatchRecord};
use crate::budget::Budget;
use crate::collections::Store;
use crate::lua::ScriptEvent;
use crate::model::{self, Phase};
use crate::plan::Plan;
use crate::risk::{ClientFacts, Tarpit};
pub use client::{ClientCounts, ClientView, Refusal};
pub use gap::{Gap, GapEvent};
pub use interrogation::Interrogation;
pub use peers::Peers;

use body::{Demand, Intake};
use rest::Awake;
use state::State;

/// Nanoseconds since 1970-01-01T00:00:00Z, from the host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixNanos(pub u64);

/// A header or trailer field: name, value. Bytes as received.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// The two ends of the connection the request came over.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// The peer's address as text, without port.
    pub client_address: &'a [u8],
    /// The peer's port.
    pub client_port: u16,
    /// The local address as text, without port.
    pub server_address: &'a [u8],
    /// The local port.
    pub server_port: u16,
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The request target as sent: path and query, an absolute URI, `*` or an authority.
    pub target: &'a [u8],
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a [u8],
    /// Header fields in order, without pseudo-headers; `Host` among them, from `:authority` if need be.
    pub headers: &'a [Field<'a>],
}

/// The head of a response.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1`, `HTTP/2`, …
    pub protocol: &'a [u8],
    /// Header fields in order, without pseudo-headers.
    pub headers: &'a [Field<'a>],
}

/// What the host does now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let the exchange go on.
    Continue,
    /// End it.
    Interrupt(Interruption),
}

/// Why and how an exchange is ended. The first one of a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// The rule that decided; 0 when a limit did, what is known of the client, or in phase 1 a repeated `Host`.
    pub rule_id: u64,
    /// When it decided.
    pub phase: Phase,
    /// What the client gets.
    pub disruption: Disruption,
}

/// What the client gets instead of the exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disruption {
    /// An answer with this status.
    Deny {
        /// 100 to 599; 403 unless set.
        status: u16,
    },
    /// An answer that sends it elsewhere.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The URL; holds no CR, LF or NUL.
        location: Vec<u8>,
    },
    /// No answer: the stream or connection is closed.
    Drop,
    /// An answer with 403, or a challenge, because of what is known of the client.
    Client(Refusal),
}

/// Whether more of a body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyDemand {
    /// Hand in what comes and hold it back.
    More,
    /// The inspection limit is reached: call the phase's `…_complete` now. If it lets the exchange go
    /// on, the rest of the body passes without being handed in.
    Enough,
}

/// How a transaction ended, for counters and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was decided.
    Pass,
    /// An `allow` rule let it through.
    Allow {
        /// The rule.
        rule_id: u64,
        /// When.
        phase: Phase,
    },
    /// It was ended.
    Interrupted(Interruption),
}

/// One HTTP exchange moving through phases 1 to 5.
///
/// The calls follow the exchange: request head, body and trailers, response head, body and trailers, end.
/// What did not happen is left out; a phase that was left out is not made up for, but for the first, in which rule sets
/// set themselves up: without a request head it runs on an empty one.
#[derive(Debug)]
pub struct Transaction {
    plan: Arc<Plan>,
    /// Large, and handed around with the transaction.
    state: Box<State>,
    request: Intake,
    response: Intake,
    /// Whether phase 1 has run.
    begun: bool,
    repeated_host: bool,
    /// The last phase that has run.
    phase: Phase,
    /// While it has a workspace.
    awake: Option<Awake>,
}

impl Transaction {
    /// Begins a transaction. `unique_id` is the request id that the log lines and answers carry.
    #[must_use]
    pub fn new(plan: Arc<Plan>, connection: &Connection<'_>, unique_id: &[u8], now: UnixNanos) -> Self {
        let mut state = State::take(&plan);
        state.start(&plan, now);
        state.begin(connection, unique_id);
        Self {
            plan,
            state,
            request: Intake::default(),
            response: Intake::default(),
            begun: false,
            repeated_host: false,
            phase: Phase::RequestHeaders,
            awake: Some(Awake::new()),
        }
    }

    /// Tells that nothing comes for a while: the exchange waits for one of its ends. What later phases can't look at is
    /// let go of, and a transaction that is large, or one of many, leaves what it works with to others until it is
    /// called again.
    pub fn rest(&mut self) {
        if self.awake.is_some() && self.state.rest_if_worthwhile(&self.plan, self.phase) {
            self.awake = None;
        }
    }

    /// As [`Transaction::rest`], whatever it holds. For tests: what it holds then must not be told from what it held.
    pub fn rest_now(&mut self) {
        if self.awake.take().is_some() {
            self.state.release(&self.plan, self.phase);
            self.state.rest();
        }
    }

    /// The state, with all that is needed to work on it.
    fn woken(&mut self) -> &mut State {
        if self.awake.is_none() {
            self.state.wake(&self.plan);
            self.awake = Some(Awake::new());
        }
        &mut self.state
    }

    /// Leaves its memory, emptied, to the next transaction on this thread, and with it what was worked out about values
    /// that keep coming back. A transaction that is dropped instead gives its memory back, and the next one costs more.
    pub fn recycle(self) {
        if self.awake.is_some() {
            self.state.leave();
        }
    }

    /// Keeps what outlives the transaction in this store: what is known of clients, and persistent collections.
    /// Without one, both last as long as the transaction.
    #[must_use]
    pub fn with_store(mut self, store: Arc<Store>) -> Self {
        self.state.persistent.store = Some(store);
        self
    }

    /// Takes its memory from this budget; without one, it takes what it needs.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.state.budget = budget;
        self.state.values.set_budget(budget);
        self
    }

    /// What the host knows of the client beside its request. To be told before the request head.
    pub fn client_facts(&mut self, facts: ClientFacts) {
        if self.plan.risk().is_some() {
            self.woken();
            self.state.client_facts(&self.plan, facts);
        }
    }

    /// How the answer is to be slowed down, asked once when it is about to go to the client.
    pub fn slow_down(&mut self, now: UnixNanos) -> Option<Tarpit> {
        let state = self.woken();
        state.now = now;
        state.slow_down()
    }

    /// What is known of the client, for reports; `None` when the policy has no risk part.
    #[must_use]
    pub fn client(&self) -> Option<ClientView> {
        self.state.client_view()
    }

    /// What happened to the client since the last call, for counters.
    pub fn take_client_counts(&mut self) -> ClientCounts {
        self.state.take_client_counts()
    }

    /// Whether the client has an address that proxies have, and no trusted hop said so: all clients behind such a proxy
    /// would be one client.
    #[must_use]
    pub fn doubts_client(&self) -> bool {
        self.state.doubts_client()
    }

    /// The lines about the client since the last call: one JSON object each, MatchEvent or BlockEvent. They
    /// are made when the transaction ends.
    pub fn take_client_lines(&mut self) -> Vec<Vec<u8>> {
        self.woken().take_client_lines()
    }

    /// Keeps a record of every match from now on, also of rules that don't log.
    pub fn record_all(&mut self) {
        self.state.record_all = true;
    }

    /// Takes the request head in and runs phase 1.
    pub fn request_headers(&mut self, head: &RequestHead<'_>, now: UnixNanos) -> Verdict {
        self.woken();
        self.repeated_host = self.state.take_request_head(&self.plan, head);
        if self.repeated_host {
            self.state.refuse_repeated_host(&self.plan);
        }
        self.run(Phase::RequestHeaders, now)
    }

    /// Whether the request has more than one `Host`.
    #[must_use]
    pub fn has_repeated_host(&self) -> bool {
        self.repeated_host
    }

    /// Whether the request body is to be held and handed in. Known after phase 1.
    #[must_use]
    pub fn inspects_request_body(&self) -> bool {
        self.state.decision.interruption.is_none() && self.state.request_demand(&self.plan).is_some()
    }

    /// The length of a request body past which nothing more of it has to be handed in.
    #[must_use]
    pub fn request_body_limit(&self) -> usize {
        Demand::limit(self.state.request_demand(&self.plan))
    }

    /// Tells how much of the request body is about to be handed in, so that room for it is made at once.
    /// Where there is no memory for it, nothing is kept of it, and phase 2 says what becomes of the exchange.
    pub fn expect_request_body(&mut self, length: usize) {
        self.woken();
        let demand = self.state.request_demand(&self.plan);
        if !self.state.has_memory_for_body(length) || !self.request.expect(length, demand) {
            self.state.overload(&self.plan, Phase::RequestBody, "the request body");
        }
    }

    /// Takes a piece of the request body in.
    pub fn request_body(&mut self, chunk: &[u8]) -> BodyDemand {
        let demand = self.state.request_demand(&self.plan).filter(|_| !self.state.is_overloaded);
        self.request.take(chunk, demand)
    }

    /// Takes the request's trailer fields in; they join `REQUEST_HEADERS` before phase 2.
    pub fn request_trailers(&mut self, fields: &[Field<'_>]) {
        self.woken().take_request_fields(fields);
    }

    /// Says that no more of the request body comes, although it has not ended, as when the upstream answers early: that it
    /// just ends is no error then.
    pub fn request_cut(&mut self) {
        self.request.cut();
    }

    /// Parses what was received of the request body and runs phase 2. Call it once, also without a body.
    pub fn request_complete(&mut self, now: UnixNanos) -> Verdict {
        let body = std::mem::take(&mut self.request);
        self.woken();
        self.state.take_request_body(&self.plan, body);
        self.run(Phase::RequestBody, now)
    }

    /// Takes the response head in and runs phase 3.
    pub fn response_headers(&mut self, head: &ResponseHead<'_>, now: UnixNanos) -> Verdict {
        self.woken().take_response_head(head);
        self.run(Phase::ResponseHeaders, now)
    }

    /// Whether the response body is to be held and handed in. Known after phase 3.
    #[must_use]
    pub fn inspects_response_body(&mut self) -> bool {
        self.woken();
        self.state.decision.interruption.is_none() && self.state.response_demand(&self.plan).is_some()
    }

    /// The length of a response body past which nothing more of it has to be handed in.
    pub fn response_body_limit(&mut self) -> usize {
        self.woken();
        Demand::limit(self.state.response_demand(&self.plan))
    }

    /// Tells how much of the response body is about to be handed in, so that room for it is made at once.
    pub fn expect_response_body(&mut self, length: usize) {
        self.woken();
        let demand = self.state.response_demand(&self.plan);
        if !self.state.has_memory_for_body(length) || !self.response.expect(length, demand) {
            self.state.overload(&self.plan, Phase::ResponseBody, "the response body");
        }
    }

    /// Takes a piece of the response body in.
    pub fn response_body(&mut self, chunk: &[u8]) -> BodyDemand {
        self.woken();
        let demand = self.state.response_demand(&self.plan).filter(|_| !self.state.is_overloaded);
        self.response.take(chunk, demand)
    }

    /// Takes the response's trailer fields in; they join `RESPONSE_HEADERS` before phase 4.
    pub fn response_trailers(&mut self, fields: &[Field<'_>]) {
        self.woken().take_response_fields(fields);
    }

    /// Runs phase 4. Call it once, also without a body.
    pub fn response_complete(&mut self, now: UnixNanos) -> Verdict {
        let body = std::mem::take(&mut self.response);
        self.woken();
        self.state.take_response_body(&self.plan, &body);
        drop(body);
        self.run(Phase::ResponseBody, now)
    }

    /// What the client got when it was not the upstream's response to its end: the status of an answer in its place, or
    /// 0 for none. Records say so. To be told before [`Transaction::finish`]; unless told, records say what was decided.
    pub fn client_got(&mut self, status: u16) {
        self.state.client_got = Some(status);
    }

    /// Runs phase 5. Call it once, at the very end, also after an interruption.
    pub fn finish(&mut self, now: UnixNanos) {
        self.run(Phase::Logging, now);
    }

    /// Called from many places, of which each would become as large as it is.
    #[inline(never)]
    fn run(&mut self, phase: Phase, now: UnixNanos) -> Verdict {
        self.woken().now = now;
        self.phase = phase;
        if phase > Phase::RequestHeaders && !self.begun {
            self.run(Phase::RequestHeaders, now);
            self.phase = phase;
        }
        if phase == Phase::RequestHeaders {
            self.begun = true;
            if !self.state.has_memory(0) {
                self.state.overload(&self.plan, phase, "the exchange");
            }
            self.state.meet_client(&self.plan);
        }
        if phase <= Phase::RequestBody {
            self.state.meet_rates(&self.plan, phase);
        }
        self.state.run_phase(&self.plan, phase);
        if self.state.values.is_exhausted() {
            self.state.overload(&self.plan, phase, "what the exchange holds");
        }
        self.state.settle_gaps(&self.plan, phase);
        self.state.write_collections(&self.plan);
        self.state.judge_client(&self.plan, phase);
        if self.state.masking.is_some() {
            self.state.write_matches(&self.plan, phase);
        }
        self.state.decision.interruption.clone().map_or(Verdict::Continue, Verdict::Interrupt)
    }

    /// How it ended, or stands so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let decision = &self.state.decision;
        match (&decision.interruption, decision.allowed_by) {
            (Some(interruption), _) => Outcome::Interrupted(interruption.clone()),
            (None, Some((rule_id, phase))) => Outcome::Allow { rule_id, phase },
            (None, None) => Outcome::Pass,
        }
    }

    /// The rule matches since the last call, in order: of rules that log, or of all after
    /// [`Transaction::record_all`]. Where the policy masks something, they come once no rule that is still to run can
    /// mask anything in them.
    pub fn take_matches(&mut self) -> Vec<MatchRecord> {
        std::mem::take(&mut self.state.matches)
    }

    /// The audit record, if the policy wants one of this transaction. Call it once, after
    /// [`Transaction::finish`].
    pub fn take_audit_record(&mut self) -> Option<AuditRecord> {
        self.woken();
        self.state.audit_record(&self.plan)
    }

    /// What was not inspected as the policy asks, since the last call: each kind once.
    pub fn take_gaps(&mut self) -> Vec<GapEvent> {
        self.state.gaps.take_events()
    }

    /// What the exchange was refused for, when a limit did it and no rule.
    #[must_use]
    pub fn refused_for(&self) -> Option<Gap> {
        self.state.gaps.refused()
    }

    /// What scripts said since the last call, and which of them were stopped, in order.
    pub fn take_script_events(&mut self) -> Vec<ScriptEvent> {
        self.state.take_script_events()
    }

    /// What `TX` holds, in order of insertion: name, value. Without [`Transaction::record_all`], keys are left out that
    /// nothing but the chain that would write them could look at.
    #[must_use]
    pub fn tx(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let values = &self.state.values;
        let store = self.state.stores.get(model::Store::Tx as usize);
        let entries = store.into_iter().flat_map(store::VarStore::iter);
        entries.map(|(key, value)| (values.get(key).to_vec(), values.get(value).to_vec())).collect()
    }
}
