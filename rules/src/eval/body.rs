//! Bodies: how much of them is kept, and what rule sets see of what was kept.

use super::BodyDemand;
use super::data::Element;
use super::state::State;
use super::values::{Value, Values};
use crate::model::{EngineMode, LimitAction, ResponseLimitAction, Variable};
use crate::plan::{Plan, RequestView, ResponseView};

/// How much of a body is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Demand {
    /// Bytes to keep: the longest limit of a view that sees the body.
    keep: usize,
    /// Past this nothing more has to be known: the body is refused, or too long for every view.
    enough: usize,
}

impl Demand {
    /// The length past which nothing more has to be known.
    pub(crate) fn limit(demand: Option<Self>) -> usize {
        demand.map_or(0, |demand| demand.enough)
    }

    /// The demand of views with these limits; `decisive` says that passing the limit ends the exchange.
    fn of(limits: impl Iterator<Item = (usize, bool)>) -> Option<Self> {
        limits.fold(None, |demand, (limit, decisive)| {
            let one = Self { keep: limit, enough: limit };
            Some(demand.map_or(one, |all: Self| Self {
                keep: all.keep.max(limit),
                enough: if decisive { all.enough.min(limit) } else { all.enough.max(limit) },
            }))
        })
    }
}

/// A body while it comes in.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    kept: Vec<u8>,
    received: usize,
    /// No more comes, although it has not ended.
    cut: bool,
}

impl Intake {
    /// Makes room for a body of this length, as far as it will be kept; whether there is.
    pub(crate) fn expect(&mut self, length: usize, demand: Option<Demand>) -> bool {
        self.kept.try_reserve_exact(demand.map_or(0, |demand| demand.keep.min(length))).is_ok()
    }

    pub(crate) fn take(&mut self, chunk: &[u8], demand: Option<Demand>) -> BodyDemand {
        self.received = self.received.saturating_add(chunk.len());
        let Some(demand) = demand else { return BodyDemand::Enough };
        let room = demand.keep.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(chunk.get(..room).unwrap_or(chunk));
        if self.received > demand.enough { BodyDemand::Enough } else { BodyDemand::More }
    }

    /// The first bytes up to `limit`, and whether there were more.
    pub(crate) fn prefix(&self, limit: usize) -> (&[u8], bool) {
        (self.kept.get(..limit).unwrap_or(&self.kept), self.received > limit)
    }

    pub(crate) fn cut(&mut self) {
        self.cut = true;
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    pub(crate) fn received(&self) -> usize {
        self.received
    }
}

impl State {
    /// How much of the request body is wanted; `None` when no rule set looks at it.
    pub(crate) fn request_demand(&self, plan: &Plan) -> Option<Demand> {
        let views = plan.views().request().enumerate();
        let views = views.filter(|(index, view)| self.reads_request(view) && self.is_awake(plan, *index));
        Demand::of(views.map(|(index, view)| {
            let decisive = view.limit_action == LimitAction::Reject && self.enforces(plan, index);
            (self.request_limit(view), decisive)
        }))
    }

    pub(crate) fn reads_request(&self, view: &RequestView) -> bool {
        self.control.request_body_access.unwrap_or(view.access)
    }

    pub(crate) fn request_limit(&self, view: &RequestView) -> usize {
        self.control.request_body_limit.unwrap_or(view.limit)
    }

    /// How much of the response body is wanted; `None` when no rule set looks at it.
    pub(crate) fn response_demand(&self, plan: &Plan) -> Option<Demand> {
        let views = plan.views().response().enumerate();
        let views = views.filter(|(index, view)| self.reads_response(view) && self.is_awake(plan, *index));
        Demand::of(views.map(|(index, view)| {
            let decisive = view.limit_action == ResponseLimitAction::Reject && self.enforces(plan, index);
            (self.response_limit(view), decisive)
        }))
    }

    pub(crate) fn reads_response(&self, view: &ResponseView) -> bool {
        let access = self.control.response_body_access.unwrap_or(view.access);
        let media_type =
            self.data.view(0).map_or(Value::EMPTY, |view| view.scalars.get(Variable::ResponseContentType));
        let media_type = self.values.get(media_type);
        let listed = view.types.as_ref().is_none_or(|types| {
            types.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(media_type))
        });
        access && (listed || self.control.force_response_body)
    }

    pub(crate) fn response_limit(&self, view: &ResponseView) -> usize {
        self.control.response_body_limit.unwrap_or(view.limit)
    }

    /// Whether a rule set of this view refuses what it finds, rather than only reporting it.
    pub(crate) fn enforces(&self, plan: &Plan, view: usize) -> bool {
        self.modes(plan, view).any(|mode| mode == EngineMode::On)
    }

    /// Whether a rule set of this view runs at all.
    pub(crate) fn is_awake(&self, plan: &Plan, view: usize) -> bool {
        self.modes(plan, view).any(|mode| mode != EngineMode::Off)
    }
}

/// Stores a key with its value.
pub(crate) fn element(values: &mut Values, key: &[u8], value: &[u8]) -> Element {
    let (key, value) = (values.add(key), values.add(value));
    Element::new(values, key, value)
}
