//! One exchange through the callbacks of a stream, in Envoy's order and with Envoy's buffering.

use std::collections::BTreeMap;

use crate::exchange::{Exchange, Fields, Response, When};
use crate::host::{Host, ROOT};
use crate::observed::{Callback, Downstream, Observed, Upstream, Verdict};
use crate::shown::{is_grpc, properties, request_headers};
use crate::state::{Action, Side};

/// Most ticks that a held stream is given to go on.
const TICKS: u32 = 10_000;

/// How far one direction of the stream has come.
#[derive(Debug, Default)]
struct Way {
    flow: Flow,
    /// Whether the headers have gone on.
    headers_sent: bool,
    /// What is held of the body.
    held: Vec<u8>,
    /// Whether what is held has been shown to the module in a body callback.
    shown: bool,
    /// Whether the end has come in.
    ended: bool,
    /// Trailers that are held.
    trailers: Option<Fields>,
    /// Whether the trailers have been shown to the module.
    trailers_shown: bool,
    /// The callback that ran last.
    last: Option<Callback>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flow {
    /// What comes goes on.
    #[default]
    Open,
    /// What comes is shown and held (`StopIteration`, `StopIterationAndBuffer`).
    Stopped,
    /// What comes is held without being shown (`StopAllIterationAndWatermark`).
    StoppedAll,
}

struct Run<'a> {
    host: &'a mut Host,
    context: u32,
    grpc: bool,
    request: Way,
    response: Way,
    upstream: Upstream,
    downstream: Downstream,
    callbacks: Vec<(Callback, bool)>,
    /// Set once, when it is decided.
    verdict: Option<Verdict>,
}

/// Runs an exchange.
pub(crate) fn run(host: &mut Host, exchange: &Exchange) -> Observed {
    let before = host.metrics();
    let calls_before = host.store.data().host_calls;
    let fuel = host.options.fuel;
    let _ = host.store.set_fuel(fuel);
    let context = host.next_context;
    host.next_context += 1;
    host.store.data_mut().properties = properties(exchange, context, host.store.data().now);

    let mut run = Run {
        host,
        context,
        grpc: is_grpc(&exchange.request.headers),
        request: Way::default(),
        response: Way::default(),
        upstream: Upstream::default(),
        downstream: Downstream::default(),
        callbacks: Vec::new(),
        verdict: None,
    };
    run.lifecycle("proxy_on_context_create", (context, ROOT));
    run.request(exchange);
    run.finish();
    let Run { upstream, downstream, callbacks, verdict, .. } = run;

    let metrics: BTreeMap<String, i64> = host
        .metrics()
        .into_iter()
        .map(|(name, value)| {
            let change = value - before.get(&name).copied().unwrap_or(0);
            (name, change)
        })
        .filter(|(_, change)| *change != 0)
        .collect();
    host.store.data_mut().end_stream();
    Observed {
        verdict: verdict.unwrap_or(Verdict::Continued),
        upstream,
        downstream,
        log: std::mem::take(&mut host.store.data_mut().log),
        metrics,
        fuel: fuel - host.store.get_fuel().unwrap_or(0),
        host_calls: host.store.data().host_calls - calls_before,
        callbacks,
    }
}

const fn headers_map(side: Side) -> usize {
    match side {
        Side::Request => 0,
        Side::Response => 2,
    }
}

const fn body_buffer(side: Side) -> usize {
    match side {
        Side::Request => 0,
        Side::Response => 1,
    }
}

impl Run<'_> {
    fn way(&mut self, side: Side) -> &mut Way {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    fn over(&self) -> bool {
        self.verdict.is_some()
    }

    fn request(&mut self, exchange: &Exchange) {
        let request = &exchange.request;
        let bare = request.body.is_empty() && request.trailers.is_empty();
        self.headers(Side::Request, request_headers(exchange, self.context), bare);
        for (index, piece) in request.body.iter().enumerate() {
            if self.over() || self.downstream.complete {
                return;
            }
            let last = index + 1 == request.body.len() && request.trailers.is_empty();
            self.data(Side::Request, piece, last);
            self.answer_early(exchange);
        }
        self.answer_early(exchange);
        if !request.trailers.is_empty() && !self.over() && !self.downstream.complete {
            self.trailers(Side::Request, request.trailers.clone());
        }
        self.wait(|run| run.upstream.complete || run.downstream.complete);
        if self.over() || self.downstream.complete {
            return;
        }
        if !self.upstream.complete {
            self.stuck(Side::Request);
            return;
        }
        if self.response.last.is_none() {
            self.response_head(&exchange.response, exchange.request.method == "HEAD");
        }
        self.response_rest(&exchange.response);
    }

    fn answer_early(&mut self, exchange: &Exchange) {
        let response = &exchange.response;
        let ready = self.upstream.headers.is_some() && self.response.last.is_none() && !self.over();
        if ready && response.when != When::Complete {
            self.response_head(response, exchange.request.method == "HEAD");
            if response.when == When::Early {
                self.response_rest(response);
            }
        }
    }

    fn response_head(&mut self, response: &Response, bodiless: bool) {
        let mut fields: Fields = vec![(":status".to_owned(), response.status.to_string().into_bytes())];
        fields.extend(response.headers.iter().cloned());
        // An answer to HEAD ends with its head, whatever else it says.
        let end = bodiless || (response.body.is_empty() && response.trailers.is_empty());
        self.headers(Side::Response, fields, end);
    }

    fn response_rest(&mut self, response: &Response) {
        for (index, piece) in response.body.iter().enumerate() {
            if self.over() || self.response.ended {
                break;
            }
            let last = index + 1 == response.body.len() && response.trailers.is_empty();
            self.data(Side::Response, piece, last);
        }
        if !response.trailers.is_empty() && !self.over() && !self.response.ended {
            self.trailers(Side::Response, response.trailers.clone());
        }
        self.wait(|run| run.downstream.complete);
        if !self.over() && !self.downstream.complete {
            self.stuck(Side::Response);
        }
    }

    fn stuck(&mut self, side: Side) {
        let during = self.way(side).last.unwrap_or(Callback::Lifecycle);
        self.verdict = Some(Verdict::Stuck { during });
    }

    /// Lets the timer fire until something is reached, if the module has set one.
    fn wait(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..TICKS {
            if self.over() || reached(self) || self.host.tick_period() == 0 {
                return;
            }
            let shown = self.show_held();
            let ticked = self.host.run_tick();
            self.take_back(shown);
            if let Err(error) = ticked {
                self.trap(Callback::Tick, &error);
                return;
            }
            self.callbacks.push((Callback::Tick, false));
            self.carry_out(Callback::Tick);
        }
    }

    fn headers(&mut self, side: Side, fields: Fields, end: bool) {
        let callback = match side {
            Side::Request => Callback::RequestHeaders,
            Side::Response => Callback::ResponseHeaders,
        };
        if let Some(slot) = self.host.store.data_mut().maps.get_mut(headers_map(side)) {
            *slot = Some(fields);
        }
        self.way(side).ended = end;
        let size = self.map_size(headers_map(side));
        let Some(pause) = self.step(side, callback, (self.context, size, u32::from(end))) else { return };
        if !pause {
            self.send_headers(side);
            self.send_end(side);
        } else if self.way(side).flow == Flow::Open {
            let shown = self.host.options.allow_on_headers_stop_iteration;
            self.way(side).flow = if shown { Flow::Stopped } else { Flow::StoppedAll };
        }
        self.carry_out(callback);
    }

    fn data(&mut self, side: Side, piece: &[u8], end: bool) {
        self.way(side).ended = end;
        self.way(side).held.extend_from_slice(piece);
        if self.way(side).flow == Flow::StoppedAll {
            self.check_limit(side);
            return;
        }
        self.show_body(side);
    }

    /// Runs the body callback on what is held.
    fn show_body(&mut self, side: Side) {
        let callback = match side {
            Side::Request => Callback::RequestBody,
            Side::Response => Callback::ResponseBody,
        };
        let end = self.way(side).ended && self.way(side).trailers.is_none();
        let body = std::mem::take(&mut self.way(side).held);
        let size = u32::try_from(body.len()).unwrap_or(u32::MAX);
        self.set_buffer(side, Some(body));
        let pause = self.step(side, callback, (self.context, size, u32::from(end)));
        let body = self.set_buffer(side, None).unwrap_or_default();
        self.way(side).held = body;
        self.way(side).shown = true;
        match pause {
            None => return,
            Some(true) => {
                if self.way(side).flow == Flow::Open {
                    self.way(side).flow = Flow::Stopped;
                }
                self.check_limit(side);
            }
            Some(false) => self.release(side),
        }
        self.carry_out(callback);
    }

    fn trailers(&mut self, side: Side, fields: Fields) {
        self.way(side).ended = true;
        self.way(side).trailers = Some(fields);
        if self.way(side).flow != Flow::StoppedAll {
            self.show_trailers(side);
        }
    }

    fn show_trailers(&mut self, side: Side) {
        let callback = match side {
            Side::Request => Callback::RequestTrailers,
            Side::Response => Callback::ResponseTrailers,
        };
        let number = headers_map(side) + 1;
        let fields = self.way(side).trailers.take();
        if let Some(slot) = self.host.store.data_mut().maps.get_mut(number) {
            *slot = fields;
        }
        let size = self.map_size(number);
        let pause = self.step(side, callback, (self.context, size));
        let fields = self.host.store.data_mut().maps.get_mut(number).and_then(Option::take);
        self.way(side).trailers = fields;
        self.way(side).trailers_shown = true;
        match pause {
            None => return,
            Some(true) => self.way(side).flow = Flow::Stopped,
            Some(false) => self.release(side),
        }
        self.carry_out(callback);
    }

    /// Bodies that the module held can be read in all callbacks that follow, as in Envoy. Which ones are shown.
    fn show_held(&mut self) -> Vec<Side> {
        let held = |run: &mut Self, side| run.way(side).shown && !run.way(side).held.is_empty();
        let sides: Vec<Side> =
            [Side::Request, Side::Response].into_iter().filter(|side| held(self, *side)).collect();
        for &side in &sides {
            let body = std::mem::take(&mut self.way(side).held);
            self.set_buffer(side, Some(body));
        }
        sides
    }

    fn take_back(&mut self, shown: Vec<Side>) {
        for side in shown {
            self.way(side).held = self.set_buffer(side, None).unwrap_or_default();
        }
    }

    /// Runs a callback of the stream; `Some(true)` for `Pause`, `None` when it trapped.
    fn step<P: wasmtime::WasmParams>(&mut self, side: Side, callback: Callback, params: P) -> Option<bool> {
        let name = match callback {
            Callback::RequestHeaders => "proxy_on_request_headers",
            Callback::RequestBody => "proxy_on_request_body",
            Callback::RequestTrailers => "proxy_on_request_trailers",
            Callback::ResponseHeaders => "proxy_on_response_headers",
            Callback::ResponseBody => "proxy_on_response_body",
            Callback::ResponseTrailers => "proxy_on_response_trailers",
            Callback::Tick | Callback::Lifecycle => return None,
        };
        self.way(side).last = Some(callback);
        let shown = self.show_held();
        let result = self.host.call::<P, u32>(name, params);
        self.take_back(shown);
        match result {
            Ok(action) => {
                let pause = action.unwrap_or(0) != 0;
                self.callbacks.push((callback, pause));
                Some(pause)
            }
            Err(error) => {
                self.trap(callback, &error);
                None
            }
        }
    }

    fn lifecycle<P: wasmtime::WasmParams>(&mut self, name: &str, params: P) {
        if let Err(error) = self.host.call::<P, ()>(name, params) {
            self.trap(Callback::Lifecycle, &error);
        }
    }

    fn trap(&mut self, during: Callback, error: &wasmtime::Error) {
        if self.trapped() {
            return;
        }
        self.verdict = Some(Verdict::Trapped { during, reason: format!("{error:#}") });
    }

    fn trapped(&self) -> bool {
        matches!(self.verdict, Some(Verdict::Trapped { .. }))
    }

    /// Does what the callback asked for.
    fn carry_out(&mut self, during: Callback) {
        for action in std::mem::take(&mut self.host.store.data_mut().actions) {
            if self.over() {
                return;
            }
            match action {
                Action::Continue(side) => self.resume(side),
                Action::Close => self.verdict = Some(Verdict::Closed { during }),
                // There is no such end here.
                Action::CloseConnection => {}
                Action::Reply { status, headers, body, grpc_status, details } => {
                    if self.downstream.status.is_some() {
                        // Too late for an answer: Envoy resets the stream.
                        self.verdict = Some(Verdict::Closed { during });
                        return;
                    }
                    let (sent_status, fields, sent_body) =
                        local_reply(self.grpc, status, &headers, &body, grpc_status);
                    self.verdict =
                        Some(Verdict::LocalReply { during, status, headers, body, grpc_status, details });
                    self.send_reply(sent_status, fields, sent_body);
                }
            }
        }
    }

    /// Sends an answer of this side. While no response has begun it goes through the module's response
    /// callbacks, as in Envoy.
    fn send_reply(&mut self, status: u16, fields: Fields, body: Vec<u8>) {
        let shown = self.response.last.is_none();
        self.response = Way::default();
        if !shown {
            self.downstream = Downstream {
                status: Some(status),
                headers: fields,
                body,
                complete: true,
                ..Downstream::default()
            };
            return;
        }
        let mut all: Fields = vec![(":status".to_owned(), status.to_string().into_bytes())];
        all.extend(fields);
        self.headers(Side::Response, all, body.is_empty());
        if !body.is_empty() && !self.trapped() {
            self.data(Side::Response, &body, true);
        }
        if !self.downstream.complete && !self.trapped() {
            self.stuck(Side::Response);
        }
    }

    /// Goes on with a held direction.
    fn resume(&mut self, side: Side) {
        match self.way(side).flow {
            Flow::Open => {}
            Flow::Stopped => self.release(side),
            Flow::StoppedAll => {
                self.way(side).flow = Flow::Open;
                self.send_headers(side);
                if !self.way(side).held.is_empty() && !self.way(side).shown {
                    self.show_body(side);
                }
                if self.way(side).trailers.is_some() && !self.way(side).trailers_shown && !self.over() {
                    self.show_trailers(side);
                }
                if self.way(side).flow == Flow::Open {
                    self.send_end(side);
                }
            }
        }
    }

    /// Lets go what is held: headers, body, trailers that have been shown.
    fn release(&mut self, side: Side) {
        self.way(side).flow = Flow::Open;
        self.send_headers(side);
        let body = std::mem::take(&mut self.way(side).held);
        match side {
            Side::Request => self.upstream.body.extend(body),
            Side::Response => self.downstream.body.extend(body),
        }
        if self.way(side).trailers_shown {
            let trailers = self.way(side).trailers.take().unwrap_or_default();
            match side {
                Side::Request => self.upstream.trailers = trailers,
                Side::Response => self.downstream.trailers = trailers,
            }
        }
        self.send_end(side);
    }

    fn send_headers(&mut self, side: Side) {
        if self.way(side).headers_sent {
            return;
        }
        self.way(side).headers_sent = true;
        let slot = self.host.store.data_mut().maps.get_mut(headers_map(side));
        let fields = slot.and_then(Option::take).unwrap_or_default();
        match side {
            Side::Request => self.upstream.headers = Some(fields),
            Side::Response => {
                let status = fields.iter().find(|(name, _)| name == ":status");
                self.downstream.status =
                    status.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
                self.downstream.headers =
                    fields.into_iter().filter(|(name, _)| !name.starts_with(':')).collect();
            }
        }
    }

    /// Passes the end on when everything before it has gone.
    fn send_end(&mut self, side: Side) {
        let way = self.way(side);
        if !(way.ended && way.headers_sent && way.held.is_empty() && way.trailers.is_none()) {
            return;
        }
        match side {
            Side::Request => self.upstream.complete = true,
            Side::Response => self.downstream.complete = true,
        }
    }

    /// Answers by itself when more is held than the buffer takes.
    fn check_limit(&mut self, side: Side) {
        if self.over() || self.way(side).held.len() <= self.host.options.buffer_limit {
            return;
        }
        if self.downstream.status.is_some() {
            let during = self.way(side).last.unwrap_or(Callback::Lifecycle);
            self.verdict = Some(Verdict::Closed { during });
            return;
        }
        let (status, text) = match side {
            Side::Request => (413, "Payload Too Large"),
            Side::Response => (500, "Internal Server Error"),
        };
        self.verdict = Some(Verdict::HostReply { status });
        let (status, fields, body) = local_reply(self.grpc, status, &Fields::new(), text.as_bytes(), None);
        self.send_reply(status, fields, body);
    }

    fn map_size(&self, number: usize) -> u32 {
        let count = self.host.store.data().maps.get(number).and_then(Option::as_ref).map_or(0, Vec::len);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    fn set_buffer(&mut self, side: Side, bytes: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let slot = self.host.store.data_mut().buffers.get_mut(body_buffer(side))?;
        std::mem::replace(slot, bytes)
    }

    /// The end of the stream: log, done, delete.
    fn finish(&mut self) {
        let context = self.context;
        self.lifecycle("proxy_on_log", context);
        if let Err(error) = self.host.call::<u32, u32>("proxy_on_done", context) {
            self.trap(Callback::Lifecycle, &error);
        }
        self.lifecycle("proxy_on_delete", context);
    }
}

/// What Envoy makes of an answer: status, fields and body as they are sent.
fn local_reply(
    grpc: bool,
    status: u16,
    headers: &Fields,
    body: &[u8],
    grpc_status: Option<u8>,
) -> (u16, Fields, Vec<u8>) {
    let mut fields = headers.clone();
    let has = |fields: &Fields, wanted: &str| fields.iter().any(|(name, _)| name == wanted);
    if grpc {
        let code = grpc_status.unwrap_or(match status {
            400 => 13,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502 | 503 | 504 => 14,
            _ => 2,
        });
        fields.retain(|(name, _)| name != "content-type");
        fields.push(("content-type".to_owned(), b"application/grpc".to_vec()));
        fields.push(("grpc-status".to_owned(), code.to_string().into_bytes()));
        if !body.is_empty() {
            fields.push(("grpc-message".to_owned(), body.to_vec()));
        }
        return (200, fields, Vec::new());
    }
    if !body.is_empty() {
        fields.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        if !has(&fields, "content-type") {
            fields.push(("content-type".to_owned(), b"text/plain".to_vec()));
        }
    }
    (status, fields, body.to_vec())
}
