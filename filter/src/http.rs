//! One HTTP stream: the host's callbacks become phases of a transaction, verdicts become host calls.
//!
//! # When what is decided
//! | callback | engine | then |
//! | --- | --- | --- |
//! | request headers | phase 1 | phase 2 as well when no body will be inspected |
//! | request body | | takes it in, and phase 2: at the end, or when there is enough |
//! | request trailers | takes them in | phase 2, if still to come |
//! | response headers | phase 3 | phase 4 as well when no body will be inspected |
//! | response body | | takes it in, and phase 4: at the end, or when there is enough |
//! | response trailers | takes them in | phase 4, if still to come |
//! | log | phase 5 | |
//!
//! A body under inspection is held. With strict enforcement so are the headers before it, so that a
//! refused request never reaches the upstream, and a refused response becomes a complete answer of ours.
//! With streaming enforcement headers have gone on: a refused request is answered, though the upstream
//! has seen its head; a response whose body is refused is reset, and nothing of the held body is sent.
//!
//! When a response begins while the request's body is still held (the upstream answers early, or Envoy
//! does itself), phase 2 judges what has come so far, and the rest of that body is held for good.
//!
//! # What is never held
//! Tunnels (`CONNECT`, `Upgrade`), gRPC messages and event streams have no end to wait for. Their bodies
//! are not handed in, and phases 2 and 4 run on the headers. What a client sends into a tunnel before
//! the upstream has agreed to it is held until it has: otherwise an `Upgrade` header would carry a body
//! past the rules to an upstream that ignores it.
//!
//! # When the host fails
//! What can't be read can't be judged. A head, body or trailers that the host fails to hand over get
//! the exchange refused with 500. A missing clock or property is counted and the exchange goes on.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use portcullis_rules::eval::{
    Connection, Disruption, Gap, Interruption, RequestHead, ResponseHead, Transaction, UnixNanos, Verdict,
};
use portcullis_rules::model::Enforcement;
use portcullis_rules::risk::ClientFacts;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, BufferType, LogLevel, MapType, StreamType};

use crate::abi::{self, HostError};
use crate::challenge;
use crate::client::{self, Slowing};
use crate::failing::{now, or_default, refuse_unread, request_id};
use crate::head::{BodyKind, RequestFields, ResponseFields, trailer_fields};
use crate::heap;
use crate::http_network::HttpNetwork;
use crate::intake::read_held;
use crate::metrics::Counter;
use crate::properties::{self, Endpoint};
use crate::reply::{self, Asker, Format, Reply};
use crate::root::Shared;
use crate::tarpit::{Admission, Part};
use crate::turns::{TURN_MILLISECONDS, Turn};

/// The context of one HTTP stream.
#[derive(Debug)]
pub(crate) struct Http {
    shared: Option<Rc<Shared>>,
    context_id: u32,
    /// `HTTP/1.1`, …, until the request headers come.
    protocol: Vec<u8>,
    /// From the request headers on.
    exchange: Option<Rc<RefCell<Exchange>>>,
}

/// What happens to a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// It passes: it is not to be inspected, or was judged.
    Passes,
    /// It is held; this many bytes of it have come.
    Held(usize),
    /// It is held until the upstream agrees to the tunnel.
    AwaitsTunnel,
    /// It is held for good.
    Stopped,
}

impl Body {
    /// How many bytes of it have come while it is held.
    const fn held(self) -> usize {
        match self {
            Self::Held(size) => size,
            _ => 0,
        }
    }
}

/// What the host is to do after a callback.
#[derive(Debug)]
enum Next {
    /// Let it pass.
    Go,
    /// Hold it back.
    Hold,
    /// End the exchange as the engine decided.
    End(Interruption),
    /// Refuse the exchange, because a network rule does.
    Refuse,
}

/// Which way a callback's data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

#[derive(Debug)]
struct Exchange {
    shared: Rc<Shared>,
    transaction: Transaction,
    network: HttpNetwork,
    /// The client's `Accept`: what form its answer would have.
    accept: Vec<u8>,
    /// Whether it expects gRPC answers.
    grpc: bool,
    request_id: Vec<u8>,
    protocol: Vec<u8>,
    request_body: Body,
    response_body: Body,
    /// Whether the request asked for a tunnel.
    tunnel: bool,
    /// Whether it did so by `CONNECT`.
    connect: bool,
    /// Whether response headers have gone on to the client.
    response_begun: bool,
    /// The status in the upstream's response, 0 before it.
    upstream_status: u16,
    /// What finds it when it is its turn.
    own: Weak<RefCell<Exchange>>,
    /// Which body waits for its turn to be judged.
    waits: Option<Side>,
    /// Whether we ended it: callbacks that follow are about our own answer.
    ended: bool,
    /// Whether the host failed us.
    failed: bool,
    /// Whether a network rule refused it.
    refused: bool,
    /// The stream's context.
    stream: u32,
    /// The time, once the current callback has asked for it: reading the clock leaves the virtual machine.
    now: Option<UnixNanos>,
    /// How the answer is slowed down.
    slowing: Slowing,
}

impl Http {
    /// A stream that is judged by `shared`; without it everything is refused.
    pub(crate) fn new(shared: Option<Rc<Shared>>, context_id: u32, protocol: Vec<u8>) -> Self {
        Self { shared, context_id, protocol, exchange: None }
    }

    /// Runs one step of the exchange and carries out what comes of it. `size` is what the host holds of the body.
    fn step(
        &mut self,
        side: Side,
        size: usize,
        step: impl FnOnce(&mut Exchange) -> Result<Next, HostError>,
    ) -> Action {
        // Without an exchange the host answers a request by itself that it never showed us.
        let Some(exchange) = &self.exchange else { return Action::Continue };
        // Nothing else has it: no host call re-enters the virtual machine.
        let Ok(mut exchange) = exchange.try_borrow_mut() else { return Action::Pause };
        let exchange = &mut *exchange;
        if exchange.ended {
            // The answer is ours. What is left of the request goes nowhere.
            return if side == Side::Response { Action::Continue } else { Action::Pause };
        }
        if side == Side::Response && exchange.shared.parked.holds(exchange.stream) {
            return Action::Pause;
        }
        let next = step(exchange);
        exchange.carry_out(side, size, next)
    }
}

impl Turn for RefCell<Exchange> {
    fn take(&self) {
        if let Ok(mut exchange) = self.try_borrow_mut() {
            exchange.take_turn();
        }
    }
}

impl Context for Http {}

impl HttpContext for Http {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(shared) = &self.shared else {
            // Envoy doesn't run streams of a plugin whose policy was refused.
            let _ = abi::send_local_response(503, "portcullis_no_policy", &[], b"", None);
            return Action::Pause;
        };
        let head = match abi::header_pairs(MapType::HttpRequestHeaders) {
            Ok(head) => head,
            Err(error) => return refuse_unread(&shared.metrics, error),
        };
        let mut head = RequestFields::new(&head);
        let exchange = Exchange::begin(shared, &head, self.context_id, std::mem::take(&mut self.protocol));
        if !end_of_stream && exchange.protocol == b"HTTP/1.1" {
            head.restore_transfer_encoding();
        }
        let exchange = Rc::new(RefCell::new(exchange));
        if let Ok(mut own) = exchange.try_borrow_mut() {
            own.own = Rc::downgrade(&exchange);
        }
        self.exchange = Some(exchange);
        self.step(Side::Request, 0, |exchange| exchange.request_head(&head, end_of_stream))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.step(Side::Request, size, |exchange| exchange.request_body(size, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        self.step(Side::Request, 0, Exchange::request_trailers)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.step(Side::Response, 0, |exchange| exchange.response_head(end_of_stream))
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let slowed = self.exchange.as_ref().and_then(|own| own.try_borrow_mut().ok()?.slow_body(size));
        if let Some(action) = slowed {
            return action;
        }
        self.step(Side::Response, size, |exchange| exchange.response_body(size, end_of_stream))
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        // What was inspected and held of the body goes on with its trailers.
        let held = self.exchange.as_ref().and_then(|own| Some(own.try_borrow().ok()?.response_body.held()));
        let size = held.unwrap_or(0);
        self.step(Side::Response, size, Exchange::response_trailers)
    }

    fn on_log(&mut self) {
        if let Some(mut exchange) = self.exchange.take().and_then(Rc::into_inner).map(RefCell::into_inner) {
            let Shared { parked, metrics, unshown, .. } = &*exchange.shared;
            unshown.release(exchange.stream);
            if parked.release(exchange.stream, metrics) == Some(Part::Answer) {
                metrics.count(Counter::TarpitAbandoned);
            }
            exchange.finish();
            exchange.transaction.recycle();
        }
    }
}

impl Exchange {
    fn begin(shared: &Rc<Shared>, head: &RequestFields<'_>, context_id: u32, protocol: Vec<u8>) -> Self {
        let metrics = &shared.metrics;
        let now = now(metrics);
        let request_id = request_id(metrics, head.request_id, now, context_id);
        let source = or_default(metrics, properties::source());
        // A property costs as much as some rules do.
        let destination = if shared.plan.wants_server() || head.host.is_empty() {
            or_default(metrics, properties::destination())
        } else {
            Endpoint::default()
        };
        let connection = Connection {
            client_address: &source.address,
            client_port: source.port,
            server_address: &destination.address,
            server_port: destination.port,
        };
        let mut transaction = Transaction::new(Arc::clone(&shared.plan), &connection, &request_id, now);
        if let Some(store) = &shared.store {
            transaction = transaction.with_store(Arc::clone(store));
        }
        heap::set_aside();
        transaction = transaction.with_budget(shared.budget);
        if shared.plan.risk().is_some() {
            transaction.client_facts(
                challenge::facts(&shared.plan, &shared.interrogation_key, metrics).unwrap_or_else(|| {
                    let ssl = properties::encrypted().map_err(|error| metrics.failed(error)).ok();
                    ClientFacts { ssl, ..ClientFacts::default() }
                }),
            );
        }
        Self {
            transaction,
            network: HttpNetwork::default(),
            protocol,
            accept: head.accept.to_vec(),
            grpc: head.grpc,
            request_id,
            request_body: Body::Passes,
            response_body: Body::Passes,
            tunnel: head.body == BodyKind::Tunnel,
            connect: head.method == b"CONNECT",
            response_begun: false,
            upstream_status: 0,
            own: Weak::new(),
            waits: None,
            ended: false,
            failed: false,
            refused: false,
            stream: context_id,
            now: Some(now),
            slowing: Slowing::default(),
            shared: Rc::clone(shared),
        }
    }

    /// Carries out what came of a step. After it the exchange waits.
    fn carry_out(&mut self, side: Side, size: usize, next: Result<Next, HostError>) -> Action {
        let action = match next {
            Ok(Next::Go) if side == Side::Response => self.begin_answer(size),
            Ok(Next::Go) => Action::Continue,
            Ok(Next::Hold) => Action::Pause,
            Ok(Next::End(interruption)) => self.end(&interruption),
            Ok(Next::Refuse) => self.refuse(),
            Err(error) => self.fail(error),
        };
        self.now = None;
        self.transaction.rest();
        action
    }

    /// The answer, or more of it, would go to the client now: it does, unless its client is slowed down. `size` is what the
    /// host holds of its body.
    fn begin_answer(&mut self, size: usize) -> Action {
        if !self.shared.plan.may_slow_down() {
            return Action::Continue;
        }
        let now = self.now();
        let Shared { parked, metrics, .. } = &*self.shared;
        match self.slowing.begin(&mut self.transaction, parked, metrics, self.stream, size, now) {
            Admission::Pass => Action::Continue,
            Admission::Parked => Action::Pause,
            Admission::Refuse => {
                let answer = reply::deny(403, &self.asker());
                self.answer(Some(answer), "portcullis_client[tarpit_full]")
            }
        }
    }

    /// What happens to a piece of body that is not inspected, or no more; `None` when it is as usual.
    fn slow_body(&mut self, size: usize) -> Option<Action> {
        let applies = self.slowing.is_decided() && self.response_body == Body::Passes;
        if self.ended || !applies {
            return None;
        }
        let Shared { parked, metrics, .. } = &*self.shared;
        let now = now(metrics).0;
        let held = self.slowing.holds_body(parked, metrics, self.stream, size, now);
        Some(if held { Action::Pause } else { Action::Continue })
    }

    fn now(&mut self) -> UnixNanos {
        *self.now.get_or_insert_with(|| now(&self.shared.metrics))
    }

    /// What holding a body means for the headers before it.
    fn hold_headers(&mut self) -> Next {
        if self.shared.plan.enforcement() == Enforcement::Streaming {
            return Next::Go;
        }
        let now = self.now().0;
        self.shared.unshown.hold(self.stream, now);
        Next::Hold
    }

    fn request_head(&mut self, head: &RequestFields<'_>, end_of_stream: bool) -> Result<Next, HostError> {
        let now = self.now();
        if self.network.request(&self.shared, head, now)? {
            return Ok(Next::Refuse);
        }
        let verdict = self.transaction.request_headers(
            &RequestHead {
                method: head.method,
                target: head.target,
                protocol: &self.protocol,
                headers: &head.fields,
            },
            now,
        );
        if self.transaction.has_repeated_host() {
            self.shared.metrics.count(Counter::RepeatedHost);
        }
        if let Some(end) = self.judged(verdict) {
            return Ok(end);
        }
        if end_of_stream {
            return Ok(self.request_complete());
        }
        match head.body {
            BodyKind::Message if self.transaction.inspects_request_body() => {
                self.request_body = Body::Held(0);
                return Ok(self.hold_headers());
            }
            BodyKind::Message => {}
            BodyKind::Grpc => self.shared.metrics.count(Counter::UninspectedGrpc),
            BodyKind::Tunnel => {
                self.shared.metrics.count(Counter::UninspectedTunnel);
                let next = self.request_complete();
                self.request_body = Body::AwaitsTunnel;
                return Ok(next);
            }
        }
        Ok(self.request_complete())
    }

    fn request_body(&mut self, size: usize, end_of_stream: bool) -> Result<Next, HostError> {
        match self.request_body {
            Body::Passes => return Ok(Next::Go),
            Body::AwaitsTunnel | Body::Stopped => return Ok(Next::Hold),
            Body::Held(_) => self.request_body = Body::Held(size),
        }
        self.shared.unshown.shown();
        if size <= self.transaction.request_body_limit() && !end_of_stream {
            return Ok(Next::Hold);
        }
        if self.waits_for_turn(Side::Request, size) {
            return Ok(Next::Hold);
        }
        self.judge_request_body()
    }

    /// Phase 2, with what has come of the body.
    #[inline(never)]
    fn judge_request_body(&mut self) -> Result<Next, HostError> {
        let size = self.request_body.held();
        self.waits = None;
        self.read_request_body()?;
        let next = self.request_complete();
        self.shared.turns.judged(size, || now(&self.shared.metrics).0);
        Ok(next)
    }

    /// Whether a body has to wait until others have been judged. It is held as long.
    fn waits_for_turn(&mut self, side: Side, size: usize) -> bool {
        let shared = Rc::clone(&self.shared);
        if self.waits.is_none() && shared.turns.are_free(size, || self.now().0) {
            return false;
        }
        if self.waits.replace(side).is_none() {
            let own: Weak<dyn Turn> = self.own.clone();
            if shared.turns.wait(own)
                && let Err(error) = abi::set_tick_period(TURN_MILLISECONDS)
            {
                shared.metrics.failed(error);
            }
        }
        true
    }

    /// Its turn has come: the body that waits is judged.
    fn take_turn(&mut self) {
        let Some(side) = self.waits.take().filter(|_| !self.ended) else { return };
        if let Err(error) = abi::set_effective_context(self.stream) {
            return self.shared.metrics.failed(error);
        }
        let size = self.response_body.held();
        let (next, stream) = match side {
            Side::Request => (self.judge_request_body(), StreamType::HttpRequest),
            Side::Response => (self.judge_response_body(size), StreamType::HttpResponse),
        };
        if self.carry_out(side, size, next) == Action::Continue
            && let Err(error) = abi::continue_stream(stream)
        {
            self.shared.metrics.failed(error);
        }
    }

    /// Hands in what has come of the body, if it is held.
    fn read_request_body(&mut self) -> Result<(), HostError> {
        let Body::Held(size) = self.request_body else { return Ok(()) };
        self.transaction.expect_request_body(size);
        read_held(BufferType::HttpRequestBody, size, |bytes| self.transaction.request_body(bytes))
    }

    fn request_trailers(&mut self) -> Result<Next, HostError> {
        match self.request_body {
            Body::Passes => return Ok(Next::Go),
            Body::AwaitsTunnel | Body::Stopped => return Ok(Next::Hold),
            Body::Held(_) => {}
        }
        self.shared.unshown.shown();
        self.waits = None;
        self.read_request_body()?;
        let trailers = abi::header_pairs(MapType::HttpRequestTrailers)?;
        self.transaction.request_trailers(&trailer_fields(&trailers));
        Ok(self.request_complete())
    }

    /// Phase 2.
    fn request_complete(&mut self) -> Next {
        self.request_body = Body::Passes;
        let now = self.now();
        let verdict = self.transaction.request_complete(now);
        self.judged(verdict).unwrap_or(Next::Go)
    }

    fn response_head(&mut self, end_of_stream: bool) -> Result<Next, HostError> {
        if let Body::Held(_) = self.request_body {
            self.note_host_buffer(b"request_payload_too_large");
            self.waits = None;
            // Where it is not there any more there is nothing to judge: it goes no further.
            if let Err(error) = self.read_request_body() {
                self.shared.metrics.failed(error);
            }
            self.transaction.request_cut();
            let next = self.request_complete();
            self.request_body = Body::Stopped;
            if let Next::End(_) = next {
                return Ok(next);
            }
        }
        let now = self.now();
        if self.network.response(&self.shared, now)? {
            return Ok(Next::Refuse);
        }
        let pairs = abi::header_pairs(MapType::HttpResponseHeaders)?;
        let head = ResponseFields::new(&pairs);
        self.upstream_status = head.status;
        let verdict = self.transaction.response_headers(
            &ResponseHead { status: head.status, protocol: &self.protocol, headers: &head.fields },
            now,
        );
        if let Some(end) = self.judged(verdict) {
            return Ok(end);
        }
        // RFC 9110: an upgrade is agreed to with 101, CONNECT with any 2xx.
        let agreed = if self.connect { matches!(head.status, 200..=299) } else { head.status == 101 };
        let tunnel = self.tunnel && agreed;
        if !end_of_stream && !tunnel && !head.endless && self.transaction.inspects_response_body() {
            self.response_body = Body::Held(0);
            let next = self.hold_headers();
            self.response_begun = matches!(next, Next::Go);
            return Ok(next);
        }
        if head.endless && !end_of_stream {
            self.shared.metrics.count(Counter::UninspectedStream);
        }
        let next = self.response_complete();
        if matches!(next, Next::Go) && self.request_body == Body::AwaitsTunnel {
            self.open_tunnel(tunnel);
        }
        Ok(next)
    }

    /// The upstream has agreed to the tunnel or not: what the client sent into it goes on or doesn't.
    fn open_tunnel(&mut self, agreed: bool) {
        if !agreed {
            self.request_body = Body::Stopped;
            return;
        }
        self.request_body = Body::Passes;
        if let Err(error) = abi::continue_stream(StreamType::HttpRequest) {
            self.shared.metrics.failed(error);
        }
    }

    fn response_body(&mut self, size: usize, end_of_stream: bool) -> Result<Next, HostError> {
        let Body::Held(_) = self.response_body else { return Ok(Next::Go) };
        self.shared.unshown.shown();
        self.response_body = Body::Held(size);
        if size <= self.transaction.response_body_limit() && !end_of_stream {
            return Ok(Next::Hold);
        }
        if self.waits_for_turn(Side::Response, size) {
            return Ok(Next::Hold);
        }
        self.judge_response_body(size)
    }

    /// Phase 4, with what has come of the body.
    #[inline(never)]
    fn judge_response_body(&mut self, size: usize) -> Result<Next, HostError> {
        self.waits = None;
        self.read_response_body(size)?;
        let next = self.response_complete();
        self.shared.turns.judged(size, || now(&self.shared.metrics).0);
        Ok(next)
    }

    /// Hands in what has come of the body.
    fn read_response_body(&mut self, size: usize) -> Result<(), HostError> {
        self.transaction.expect_response_body(size);
        read_held(BufferType::HttpResponseBody, size, |bytes| self.transaction.response_body(bytes))
    }

    fn response_trailers(&mut self) -> Result<Next, HostError> {
        let Body::Held(size) = self.response_body else { return Ok(Next::Go) };
        self.shared.unshown.shown();
        self.waits = None;
        self.read_response_body(size)?;
        let trailers = abi::header_pairs(MapType::HttpResponseTrailers)?;
        self.transaction.response_trailers(&trailer_fields(&trailers));
        Ok(self.response_complete())
    }

    /// Phase 4.
    fn response_complete(&mut self) -> Next {
        self.response_body = Body::Passes;
        let now = self.now();
        let verdict = self.transaction.response_complete(now);
        self.judged(verdict).unwrap_or(Next::Go)
    }

    /// Phase 5.
    fn finish(&mut self) {
        if let Body::Held(_) = self.response_body {
            self.note_host_buffer(b"response_payload_too_large");
        }
        let now = self.now();
        self.transaction.finish(now);
        self.report();
        if self.shared.store.is_some() {
            if self.transaction.doubts_client() {
                client::warn_of_proxy(&self.shared, now);
            }
            client::report(&mut self.transaction, self.shared.store.as_deref(), &self.shared.metrics);
        }
        if let Some(record) = self.transaction.take_audit_record() {
            abi::log(LogLevel::Warn, &record.one_line());
            self.shared.metrics.count(Counter::AuditRecords);
        }
        let counter = match (self.failed, self.refused) {
            (true, _) => Counter::Failed,
            (false, true) => Counter::DenyNetwork,
            (false, false) => Counter::of_outcome(&self.transaction.outcome()),
        };
        self.shared.metrics.count(counter);
        self.shared.metrics.note_memory();
    }

    /// A body was held when the answer came, or the end: perhaps the host could not hold more of it.
    fn note_host_buffer(&self, details: &[u8]) {
        match properties::response_details() {
            Ok(found) if found == details => self.shared.metrics.host_buffer_full(),
            Ok(_) => {}
            Err(error) => self.shared.metrics.failed(error),
        }
    }

    /// After a phase: reports its matches, and says what its verdict means if it ends the exchange.
    fn judged(&mut self, verdict: Verdict) -> Option<Next> {
        self.report();
        match verdict {
            Verdict::Continue => None,
            Verdict::Interrupt(interruption) => Some(Next::End(interruption)),
        }
    }

    fn report(&mut self) {
        for event in self.transaction.take_script_events() {
            let level = match event.level {
                1 => LogLevel::Error,
                2 => LogLevel::Warn,
                3 | 4 => LogLevel::Info,
                _ => LogLevel::Debug,
            };
            abi::log(level, &event.line());
            if event.stopped {
                self.shared.metrics.count(Counter::ScriptStopped);
            }
        }
        for event in self.transaction.take_gaps() {
            abi::log(LogLevel::Warn, &event.line);
            self.shared.metrics.count(Counter::of_gap(event.gap));
        }
        let matches = self.transaction.take_matches();
        if matches.is_empty() {
            return;
        }
        for record in &matches {
            if let Some(line) = &record.log_line {
                // Warnings and above are what meshes print by default.
                let error = record.severity.is_some_and(|severity| severity.number() <= 3);
                abi::log(if error { LogLevel::Error } else { LogLevel::Warn }, line);
            }
        }
        self.shared.metrics.add(Counter::RuleMatches, u32::try_from(matches.len()).unwrap_or(u32::MAX));
    }

    /// Whom an answer of ours is for. Made when there is one: most exchanges have none.
    fn asker(&self) -> Asker {
        Asker {
            format: Format::from_accept(&self.accept),
            grpc: self.grpc,
            request_id: self.request_id.clone(),
        }
    }

    fn end(&mut self, interruption: &Interruption) -> Action {
        let asker = self.asker();
        let challenge = match interruption.disruption {
            Disruption::Client(refusal) => challenge::answer(refusal, &self.transaction, &asker),
            _ => None,
        };
        let mut answer = challenge.or_else(|| reply::for_interruption(interruption, &asker));
        let gap = self.transaction.refused_for();
        if gap == Some(Gap::Memory) {
            answer = answer.map(reply::come_again);
        }
        self.answer(answer, &reply::details(interruption, gap))
    }

    /// Answers in place of what a network rule refuses.
    fn refuse(&mut self) -> Action {
        self.refused = true;
        let answer = reply::deny(403, &self.asker());
        self.answer(Some(answer), "portcullis_deny[network]")
    }

    fn fail(&mut self, error: HostError) -> Action {
        self.shared.metrics.failed(error);
        self.failed = true;
        let answer = reply::deny(500, &self.asker());
        self.answer(Some(answer), "portcullis_host_error")
    }

    /// Ends the exchange with an answer or, without one or when it is too late for one, by a reset.
    fn answer(&mut self, answer: Option<Reply>, details: &str) -> Action {
        self.ended = true;
        let answer = answer.filter(|_| !self.response_begun);
        let status = answer.as_ref().map(|reply| reply.status);
        let sent = answer.map(|reply| {
            let headers: Vec<(&[u8], &[u8])> =
                reply.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
            abi::send_local_response(reply.status, details, &headers, &reply.body, reply.grpc_status)
        });
        if let (Some(Ok(())), Some(status)) = (sent, status) {
            self.transaction.client_got(status);
            return Action::Pause;
        }
        if let Some(Err(error)) = sent {
            self.shared.metrics.failed(error);
        }
        // A response that is reset has begun with the upstream's status.
        self.transaction.client_got(if self.response_begun { self.upstream_status } else { 0 });
        let stream = if self.response_begun { StreamType::HttpResponse } else { StreamType::HttpRequest };
        if let Err(error) = abi::close_stream(stream) {
            self.shared.metrics.failed(error);
        }
        Action::Pause
    }
}
