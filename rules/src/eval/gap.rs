//! Gaps: where less of an exchange is inspected than its policy asks for. Each is reported, and most end the request.

use super::state::State;
use super::values::Value;
use super::{Disruption, Interruption};
use crate::audit::{Holder, Masker, Named, Place, Source, escape};
use crate::limits;
use crate::model::{EngineMode, Phase, Variable};
use crate::plan::{Plan, RuleIndex};

macro_rules! gaps {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $what:literal, )+) => {
        /// Why an exchange, or a part of it, was not inspected.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Gap { $( $(#[$doc])* $variant, )+ }

        impl Gap {
            /// All of them, in order of their discriminants.
            pub const ALL: &'static [Gap] = &[ $( Gap::$variant, )+ ];

            /// The name in counters.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Gap::$variant => $name, )+ }
            }

            /// What log lines say.
            const fn what(self) -> &'static str {
                match self { $( Gap::$variant => $what, )+ }
            }
        }
    };
}

gaps! {
    /// A request body is longer than its limit.
    RequestBody "limit.request_body" "the request body is longer than its limit",
    /// A response body is longer than its limit.
    ResponseBody "limit.response_body" "the response body is longer than its limit",
    /// A request body without its files is longer than its limit (`SecRequestBodyNoFilesLimit`).
    NoFiles "limit.request_body_no_files" "the request body without files is longer than its limit",
    /// There are more arguments than `SecArgumentsLimit` says.
    Arguments "limit.arguments" "there are too many arguments",
    /// There are more uploaded files than `SecUploadFileLimit` says.
    Files "limit.files" "there are too many files",
    /// The header of a multipart body or of one of its parts is too long, or has too many fields.
    PartHeaders "limit.part_headers" "a header of the multipart body is too large",
    /// A JSON body is nested too deep.
    JsonDepth "limit.json_depth" "the JSON body is nested too deep",
    /// The names of the values of a JSON body take too much memory.
    JsonNames "limit.json_names" "the names in the JSON body are too long",
    /// An XML body is nested too deep.
    XmlDepth "limit.xml_depth" "the XML body is nested too deep",
    /// An XML body has too many nodes or attributes, or too much text.
    XmlSize "limit.xml_size" "the XML body has too much in it",
    /// The names of the values of an XML body take too much memory.
    XmlNames "limit.xml_names" "the names in the XML body are too long",
    /// XPath expressions take too long on an XML body, or select too much.
    XPath "limit.xpath" "XPath expressions take too long",
    /// A request body is not what its processor reads.
    Unparsable "unparsable_body" "the request body can't be parsed",
    /// There is no memory for an exchange, or for a part of it.
    Memory "limit.memory" "there is no memory for the exchange",
    /// A text that rules put together by macros is too long, or all of them together are.
    MadeTexts "limit.made_texts" "a text with macros is too long and was cut",
    /// An operator gave up: a regular expression with macros is too large or none, or a value holds too many candidates.
    Operators "limit.operators" "an operator gave up",
    /// More matches say something of their client than count.
    ClientMatches "limit.client_matches" "too many matches say something of the client",
}

/// A gap that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapEvent {
    /// Which one.
    pub gap: Gap,
    /// The line for the error log: printable ASCII, without a line end.
    pub line: Vec<u8>,
}

/// What a gap leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GapAction {
    /// The exchange goes on.
    Pass,
    /// It has been refused with this status.
    Refused(u16),
    /// It is refused with this status when the rules of the phase have run, if they decide nothing else.
    Refuse(u16),
}

/// A gap that was met and is not reported yet.
#[derive(Debug)]
struct Met {
    gap: Gap,
    view: usize,
    reason: String,
    action: GapAction,
}

/// The gaps of a transaction.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    met: Vec<Met>,
    events: Vec<GapEvent>,
    /// One bit for each that was reported.
    reported: u32,
    /// What the exchange was refused for.
    refused: Option<Gap>,
    /// The first rule with an operator that gave up, until it is reported.
    gave_up: Option<RuleIndex>,
}

impl Gaps {
    /// Takes down that the rule sets of a view don't see everything.
    pub(crate) fn meet(&mut self, view: usize, gap: Gap, reason: String, action: GapAction) {
        if !self.met.iter().any(|other| other.gap == gap && other.view == view) {
            self.met.push(Met { gap, view, reason, action });
        }
    }

    /// Has a gap reported.
    pub(crate) fn report(&mut self, note: &GapNote) {
        self.events.push(note.event());
    }

    /// The events since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<GapEvent> {
        std::mem::take(&mut self.events)
    }

    /// What the exchange was refused for.
    pub(crate) fn refused(&self) -> Option<Gap> {
        self.refused
    }

    pub(crate) fn clear(&mut self) {
        if self.reported != 0 || !self.met.is_empty() || self.gave_up.is_some() {
            *self = Self::default();
        }
    }
}

impl State {
    /// Takes down that an operator of the current rule did not look at all of a value.
    pub(crate) fn operator_gave_up(&mut self) {
        self.gaps.gave_up = self.gaps.gave_up.or(self.current);
        self.data.set(Variable::MscPcreLimitsExceeded, Value::ONE);
    }

    /// After the rules of a phase: what was met is carried out and reported, each kind once. What the request's head
    /// held waits for phase 2, so that rules come first.
    pub(crate) fn settle_gaps(&mut self, plan: &Plan, phase: Phase) {
        if let Some(rule) = self.gaps.gave_up.take().and_then(|rule| plan.rule(rule)) {
            let view = plan.set(rule.set).map_or(0, |set| set.view.0 as usize);
            self.gaps.meet(view, Gap::Operators, format!("in rule {}", rule.id), GapAction::Pass);
        }
        if self.gaps.met.is_empty() || phase == Phase::RequestHeaders && self.decision.interruption.is_none()
        {
            return;
        }
        let met = std::mem::take(&mut self.gaps.met);
        let seen: Vec<(Met, Option<u16>)> = met
            .into_iter()
            // For want of memory rules may be off.
            .filter(|one| one.gap == Gap::Memory || self.is_awake(plan, one.view))
            .map(|one| {
                let status = self.refusal(plan, phase, &one);
                (one, status)
            })
            .collect();
        let (refused, passed): (Vec<_>, Vec<_>) = seen.into_iter().partition(|(_, status)| status.is_some());
        for (one, status) in refused.into_iter().chain(passed) {
            if let Some(status) = status {
                let disruption = Disruption::Deny { status };
                self.interrupt(Interruption { rule_id: 0, phase, disruption });
                self.gaps.refused.get_or_insert(one.gap);
            }
            let bit = 1 << one.gap as u32;
            if self.gaps.reported & bit == 0 {
                self.gaps.reported |= bit;
                let note = self.gap_note(plan, one, status);
                self.note_gap(note);
            }
        }
    }

    /// The status with which the exchange is refused for this gap.
    fn refusal(&self, plan: &Plan, phase: Phase, met: &Met) -> Option<u16> {
        match met.action {
            GapAction::Pass => None,
            GapAction::Refused(status) => Some(status),
            GapAction::Refuse(status) => {
                let open = self.decision.interruption.is_none() && !self.is_allowed(phase);
                (open && phase == Phase::RequestBody && self.enforces(plan, met.view)).then_some(status)
            }
        }
    }

    fn gap_note(&self, plan: &Plan, met: Met, refused: Option<u16>) -> GapNote {
        let outcome = match (refused, &self.decision.interruption) {
            (Some(status), _) => format!("refused with {status}"),
            (None, Some(interruption)) if interruption.rule_id != 0 => {
                format!("refused by rule {}", interruption.rule_id)
            }
            (None, Some(_)) => "refused".to_owned(),
            (None, None) => "not refused".to_owned(),
        };
        let sets = (0..).zip(plan.sets()).filter(|(_, set)| set.view.0 as usize == met.view);
        let set = sets.max_by_key(|(index, _)| self.mode(*index) == EngineMode::On);
        let scalar = |variable| {
            let value = self.data.view(0).map(|view| view.scalars.get(variable));
            let text = value.map_or(&b""[..], |value| self.values.get(value));
            text.get(..limits::LOG_TEXT_BYTES).unwrap_or(text).to_vec()
        };
        GapNote {
            gap: met.gap,
            reason: met.reason.into_bytes(),
            outcome,
            set: set.map(|(_, set)| set.name.clone()).unwrap_or_default(),
            client: scalar(Variable::RemoteAddr),
            host: scalar(Variable::ServerName),
            uri: scalar(Variable::RequestUri),
            unique_id: scalar(Variable::UniqueId),
        }
    }
}

/// What the line of a gap says.
#[derive(Debug)]
pub(crate) struct GapNote {
    gap: Gap,
    reason: Vec<u8>,
    outcome: String,
    set: Box<str>,
    client: Vec<u8>,
    host: Vec<u8>,
    uri: Vec<u8>,
    unique_id: Vec<u8>,
}

impl GapNote {
    /// Hides what is masked. Why a body can't be parsed may quote it.
    pub(crate) fn mask(&mut self, masker: &Masker<'_>) {
        self.host = masker.value(Named::RequestHeader, b"host", &self.host);
        self.uri = masker.target(&self.uri);
        if self.gap == Gap::Unparsable {
            let source = Source { places: vec![Place::Within(Holder::RequestBody)], exact: false };
            self.reason = masker.piece(&self.reason, &source);
        }
    }

    fn event(&self) -> GapEvent {
        let mut line = format!("portcullis: {}: ", self.gap.what()).into_bytes();
        escape(&mut line, &self.reason);
        line.extend_from_slice(format!("; {}", self.outcome).as_bytes());
        for (name, value) in [
            ("limit", self.gap.name().as_bytes()),
            ("rule_set", self.set.as_bytes()),
            ("client", &self.client),
            ("hostname", &self.host),
            ("uri", &self.uri),
            ("unique_id", &self.unique_id),
        ] {
            line.extend_from_slice(format!(" [{name} \"").as_bytes());
            escape(&mut line, value);
            line.extend_from_slice(b"\"]");
        }
        GapEvent { gap: self.gap, line }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_bit() {
        for (index, gap) in Gap::ALL.iter().enumerate() {
            assert_eq!(*gap as usize, index);
        }
        assert!(Gap::ALL.len() <= 32);
    }
}
