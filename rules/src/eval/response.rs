//! The response as it comes in.

use super::body::{Intake, element};
use super::gap::{Gap, GapAction};
use super::state::State;
use super::values::Value;
use super::{Disruption, Field, Interruption, ResponseHead};
use crate::http::content_type;
use crate::model::{Phase, ResponseLimitAction, Variable};
use crate::plan::Plan;

impl State {
    pub(crate) fn take_response_head(&mut self, head: &ResponseHead<'_>) {
        let mut digits = itoa::Buffer::new();
        let status = digits.format(head.status).as_bytes();
        let value = self.set_scalar(Variable::ResponseStatus, status);
        self.data.set(Variable::Status, value);
        self.set_scalar(Variable::ResponseProtocol, head.protocol);
        self.set_joined(Variable::StatusLine, &[head.protocol, b" ", status]);
        self.take_response_fields(head.headers);
        let named = head.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
        let media_type = named.map(|(_, value)| content_type::media_type(value)).unwrap_or_default();
        self.set_scalar(Variable::ResponseContentType, &media_type);
    }

    pub(crate) fn take_response_fields(&mut self, fields: &[Field<'_>]) {
        for (name, value) in fields {
            let header = element(&mut self.values, name, value);
            self.data.response_headers.push(header);
        }
    }

    /// Shows each view what it may see of the body.
    pub(crate) fn take_response_body(&mut self, plan: &Plan, body: &Intake) {
        self.set_number(Variable::ResponseContentLength, body.received());
        for (index, view) in plan.views().response().enumerate() {
            if !self.reads_response(view) {
                continue;
            }
            let (seen, over) = body.prefix(self.response_limit(view));
            let seen =
                if over && view.limit_action == ResponseLimitAction::PassUninspected { b"" } else { seen };
            let inspected = seen.len();
            let seen = self.values.add(seen);
            let Some(data) = self.data.views.get_mut(index) else { continue };
            data.scalars.set(Variable::ResponseBody, seen);
            if over {
                data.scalars.set(Variable::OutboundDataError, Value::ONE);
                let refused = view.limit_action == ResponseLimitAction::Reject && self.enforces(plan, index);
                let action = if refused { GapAction::Refused(500) } else { GapAction::Pass };
                let limit = self.response_limit(view);
                let reason = format!("more than {limit} bytes, of which {inspected} are inspected");
                self.gaps.meet(index, Gap::ResponseBody, reason, action);
                if refused {
                    let disruption = Disruption::Deny { status: 500 };
                    self.interrupt(Interruption { rule_id: 0, phase: Phase::ResponseBody, disruption });
                }
            }
        }
    }
}
