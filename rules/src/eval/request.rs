//! The request as it comes in: head, trailers, body.

use std::net::{IpAddr, Ipv4Addr};

use super::body::{Intake, element};
use super::data::Element;
use super::gap::{Gap, GapAction};
use super::parse::BodyView;
use super::rest::WHOLE_REQUEST;
use super::state::State;
use super::values::Value;
use super::{Connection, Disruption, Field, Interruption, RequestHead};
use crate::http::path::{Readings, is_plain};
use crate::http::{arguments, authorization, content_type, cookies, forwarded, host, uri};
use crate::model::{EngineMode, LimitAction, PATH_ALSO, PATH_MEANT, Phase, RepeatedHost, Variable};
use crate::plan::{Plan, RequestView};

/// The address of a connection's peer. Whoever connects to a local socket is on this machine.
fn peer_address(text: &[u8]) -> Option<IpAddr> {
    if matches!(text, [b'/' | b'@', ..]) {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl State {
    pub(crate) fn begin(&mut self, connection: &Connection<'_>, unique_id: &[u8]) {
        self.set_scalar(Variable::UniqueId, unique_id);
        let address = self.set_scalar(Variable::RemoteAddr, connection.client_address);
        self.data.set(Variable::RemoteHost, address);
        self.set_number(Variable::RemotePort, connection.client_port.into());
        self.set_scalar(Variable::ServerAddr, connection.server_address);
        self.set_number(Variable::ServerPort, connection.server_port.into());
    }

    /// Takes the head in; whether it has more than one `Host`.
    pub(crate) fn take_request_head(&mut self, plan: &Plan, head: &RequestHead<'_>) -> bool {
        self.set_scalar(Variable::RequestMethod, head.method);
        self.set_scalar(Variable::RequestProtocol, head.protocol);
        self.set_joined(Variable::RequestLine, &[head.method, b" ", head.target, b" ", head.protocol]);
        self.take_target(plan, head.target);
        self.take_request_fields(head.headers);
        self.take_client_address(plan, head);
        let (mut has_host, mut repeated) = (false, false);
        for (name, value) in head.headers {
            if name.eq_ignore_ascii_case(b"host") {
                // Envoy puts several into one.
                repeated |= has_host || memchr::memchr(b',', value).is_some();
                has_host = true;
                self.set_scalar(Variable::ServerName, host::server_name(value));
            } else if name.eq_ignore_ascii_case(b"authorization") {
                self.set_scalar(Variable::AuthType, authorization::scheme(value));
                self.set_scalar(Variable::RemoteUser, &authorization::basic_user(value).unwrap_or_default());
            } else if name.eq_ignore_ascii_case(b"content-type") {
                self.choose_processor(value);
            }
        }
        repeated
    }

    /// Ends a request with more than one `Host`, if the policy says so and a rule set enforces anything.
    pub(crate) fn refuse_repeated_host(&mut self, plan: &Plan) {
        let enforces = plan.sets().is_empty() || self.control.modes.contains(&EngineMode::On);
        if plan.repeated_host() == RepeatedHost::Refuse && enforces {
            let disruption = Disruption::Deny { status: 400 };
            self.interrupt(Interruption { rule_id: 0, phase: Phase::RequestHeaders, disruption });
        }
    }

    /// The media type chooses a processor, for all rule sets. Rules of phase 1 may choose another.
    fn choose_processor(&mut self, header: &[u8]) {
        if let Some(processor) = content_type::body_processor(header) {
            self.set_scalar(Variable::ReqbodyProcessor, processor.name().as_bytes());
        }
    }

    fn take_target(&mut self, plan: &Plan, target: &[u8]) {
        let parts = uri::Target::parse(target);
        let raw = self.set_scalar(Variable::RequestUriRaw, parts.raw);
        let uri = self.values.add_like(raw, parts.uri);
        self.data.set(Variable::RequestUri, uri);
        self.set_scalar(Variable::QueryString, parts.query);
        let path = self.written(|_, path| {
            parts.decode_path(path);
        });
        self.data.set(Variable::RequestFilename, path);
        self.data.set(Variable::PathInfo, path);
        if plan.reads_paths() {
            self.take_readings(parts.path, path);
        }
        let text = self.values.get(path);
        let (start, end) = (text.len() - uri::basename(text).len(), text.len());
        let name = self.values.add_part(path, start..end);
        self.data.set(Variable::RequestBasename, name);
        self.take_query(plan, parts.query);
    }

    /// Keeps what a path can mean, as it was sent and as it is decoded.
    fn take_readings(&mut self, path: &[u8], decoded: Value) {
        if is_plain(path) {
            let name = self.values.add(PATH_MEANT);
            let reading = Element::new(&mut self.values, name, decoded);
            self.data.paths.push(reading);
            return;
        }
        let Readings { meant, also } = Readings::new(path);
        let named = [(PATH_MEANT, meant), (PATH_ALSO, also)];
        for (name, path) in named.iter().flat_map(|(name, paths)| paths.iter().map(move |path| (name, path)))
        {
            let reading = element(&mut self.values, name, path);
            self.data.paths.push(reading);
        }
    }

    /// The query belongs to all rule sets: it is split as far as any of them wants, and each of them says whether that
    /// is too much.
    fn take_query(&mut self, plan: &Plan, query: &[u8]) {
        let unlimited = |view: &RequestView| view.arguments.unwrap_or(usize::MAX);
        let limit = plan.views().request().map(unlimited).max().unwrap_or(usize::MAX);
        let separator = plan.views().request().next().map_or(b'&', |view| view.separator);
        let mut store = Vec::with_capacity(query.len());
        let mut pairs = Vec::new();
        let summary = arguments::split(query, separator, limit, &mut store, &mut |pair| pairs.push(pair));
        let part = |range: std::ops::Range<usize>| store.get(range).unwrap_or_default();
        let args = pairs.into_iter().map(|pair| element(&mut self.values, part(pair.name), part(pair.value)));
        self.data.query_args = args.collect();
        if summary.invalid_escape {
            self.set_scalar(Variable::UrlencodedError, b"1");
        }
        let count = summary.arguments + summary.dropped;
        for (index, view) in plan.views().request().enumerate() {
            let over = view.arguments.is_some_and(|limit| count > limit);
            if let Some(data) = self.data.views.get_mut(index).filter(|_| over) {
                let (values, gaps) = (&mut self.values, &mut self.gaps);
                let mut seen =
                    BodyView { values, gaps, index, view, body: &[], truncated: false, shown: false };
                seen.too_many_arguments(data, count);
            }
        }
    }

    pub(crate) fn take_request_fields(&mut self, fields: &[Field<'_>]) {
        self.horizon_holds = false;
        for (name, value) in fields {
            let header = element(&mut self.values, name, value);
            self.data.request_headers.push(header);
            if name.eq_ignore_ascii_case(b"cookie") {
                for (name, value) in cookies::cookies(value) {
                    let cookie = element(&mut self.values, name, value);
                    self.data.cookies.push(cookie);
                }
            }
        }
    }

    /// The client is the connection's peer, or whom trusted hops say it is.
    fn take_client_address(&mut self, plan: &Plan, head: &RequestHead<'_>) {
        let source = plan.client_address();
        if source.trusted.is_empty() {
            return;
        }
        let peer = self.data.view(0).map(|view| view.scalars.get(Variable::RemoteAddr));
        let Some(peer) = peer.and_then(|peer| peer_address(self.values.get(peer))) else { return };
        self.from_trusted_hop = source.trusted.contains(peer);
        let Some(header) = &source.header else { return };
        let style = if header == "forwarded" { forwarded::Style::Forwarded } else { forwarded::Style::List };
        let lines: Vec<&[u8]> = head
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case(header.as_bytes()))
            .map(|(_, value)| *value)
            .collect();
        let client =
            forwarded::client_address(peer, style, lines, |address| source.trusted.contains(address));
        let client = self.set_scalar(Variable::RemoteAddr, client.to_string().as_bytes());
        self.data.set(Variable::RemoteHost, client);
    }

    /// Shows each view what it may see of the body, and ends the exchange when a view refuses its length.
    pub(crate) fn take_request_body(&mut self, plan: &Plan, body: Intake) {
        self.horizon_holds &= body.received() == 0;
        self.set_number(Variable::RequestBodyLength, body.received());
        for (index, view) in plan.views().request().enumerate() {
            if !self.reads_request(view) {
                continue;
            }
            let (seen, over) = body.prefix(self.request_limit(view));
            if let Some(data) = self.data.views.get_mut(index) {
                data.body_length = seen.len();
            }
            if over {
                if let Some(data) = self.data.views.get_mut(index) {
                    data.scalars.set(Variable::InboundDataError, Value::ONE);
                }
                let refused = view.limit_action == LimitAction::Reject && self.enforces(plan, index);
                let action = if refused { GapAction::Refused(413) } else { GapAction::Pass };
                let reason = format!(
                    "more than {} bytes, of which {} are inspected",
                    self.request_limit(view),
                    seen.len()
                );
                self.gaps.meet(index, Gap::RequestBody, reason, action);
                if refused {
                    let disruption = Disruption::Deny { status: 413 };
                    self.interrupt(Interruption { rule_id: 0, phase: Phase::RequestBody, disruption });
                    continue;
                }
            }
            if body.received() > 0 {
                self.parse_body(plan, index, seen, over || body.is_cut());
            }
        }
        if self.auditing || self.masking.is_some() || plan.looks_after(Phase::RequestHeaders, WHOLE_REQUEST) {
            self.request_body = body.into_kept();
        }
    }
}
