//! What is masked in a transaction, and where the texts in its records come from. Nothing of this is there when the
//! policy masks nothing.

use rustc_hash::FxHashMap;

use super::gap::GapNote;
use super::lookup::Item;
use super::run::Noted;
use super::state::State;
use super::values::Value;
use crate::audit::{Holder, Masker, Masks, Named, Pieces, Place, Sent, Source, Traced, folded};
use crate::body::BodyProcessor;
use crate::http::content_type;
use crate::limits;
use crate::lua::ScriptEvent;
use crate::model::{Phase, Secret, Shape, Variable};
use crate::plan::{Plan, Text, TextPart, variable_of};

/// What a transaction of a policy that masks something keeps.
#[derive(Debug, Default)]
pub(crate) struct Masking {
    masks: Masks,
    /// Where the elements come from that rules wrote.
    origins: FxHashMap<(Variable, Box<[u8]>), Vec<Place>>,
    /// The last match: where its value came from, and the value before transformations.
    matched: Source,
    raw: Option<Value>,
    /// Where the first match of the current rule came from, before transformations.
    first: Source,
    /// Matches that are not written yet, because a rule to come may mask something in them.
    noted: Vec<Noted>,
    /// The same of what was not inspected.
    gaps: Vec<GapNote>,
    /// What scripts said, as it may be shown.
    scripts: Vec<ScriptEvent>,
}

impl Masking {
    /// Shows each value that is referred to.
    pub(super) fn each_value(&mut self, show: &mut impl FnMut(&mut Value)) {
        self.raw.iter_mut().for_each(show);
    }
}

impl State {
    /// Takes down what records must not show.
    pub(crate) fn keep_secret(&mut self, secret: &Secret) {
        let Some(masking) = &mut self.masking else { return };
        match secret {
            Secret::Argument(name) => masking.masks.add_value(Named::Argument, name.as_bytes()),
            Secret::RequestHeader(name) => masking.masks.add_value(Named::RequestHeader, name.as_bytes()),
            Secret::ResponseHeader(name) => masking.masks.add_value(Named::ResponseHeader, name.as_bytes()),
            Secret::Matched => {
                let value = masking.raw.map_or(&b""[..], |raw| self.values.get(raw));
                for place in &masking.matched.places {
                    masking.masks.add(place, value);
                }
            }
        }
    }

    /// Where the exchange ended, or was let through, before rules came to run that mask something: takes down what they
    /// name.
    fn keep_secrets_left(&mut self, plan: &Plan) {
        let ended = self.decision.interruption.as_ref().map(|end| end.phase);
        let allowed = self.decision.allowed_by.map(|(_, phase)| phase);
        let (Some(from), true) = (ended.into_iter().chain(allowed).min(), self.masking.is_some()) else {
            return;
        };
        for mask in plan.masks_from(from) {
            if mask.secret != Secret::Matched {
                self.keep_secret(&mask.secret);
            }
            let Some(masking) = &mut self.masking else { return };
            for (variable, key) in &mask.targets {
                if let Some(place) = place(*variable, key) {
                    masking.masks.add(&place, b"");
                }
            }
        }
    }

    /// Notes where a match comes from: it stood in `item`, and was tested as `value`. `first` says that it is its
    /// rule's first one.
    #[cold]
    pub(crate) fn note_matched(&mut self, item: &Item, value: Value, first: bool) {
        let source = self.source_of(item);
        let exact = source.exact && item.value == value;
        let Some(masking) = &mut self.masking else { return };
        if first {
            masking.first = source.clone();
        }
        masking.matched = Source { exact, ..source };
        masking.raw = Some(item.value);
    }

    /// Notes that an element was captured in the last match.
    #[cold]
    pub(crate) fn note_captured(&mut self, variable: Variable, key: Value) {
        if let Some(masking) = &self.masking {
            let places = masking.matched.places.clone();
            self.note_origin(variable, key, places, false);
        }
    }

    /// Where the value of an item comes from.
    fn source_of(&self, item: &Item) -> Source {
        if item.count {
            return Source::default();
        }
        let key = item.key.map_or(&b""[..], |key| self.values.get(key));
        self.source(item.variable, key)
    }

    /// Where an element of a variable comes from.
    fn source(&self, variable: Variable, key: &[u8]) -> Source {
        let Some(masking) = &self.masking else { return Source::default() };
        match variable {
            Variable::MatchedVar => masking.matched.clone(),
            // Their keys are full names.
            Variable::MatchedVars => match named(key) {
                Some((variable, key)) => Source { exact: false, ..self.source(variable, key) },
                None => Source::default(),
            },
            Variable::MatchedVarName | Variable::MatchedVarsNames => {
                let last = self.matched.last.map(|item| self.name_of(&item));
                let name = if variable == Variable::MatchedVarName { last.as_deref() } else { Some(key) };
                let place = name.and_then(named).and_then(|(variable, key)| name_place(variable, key));
                Source { places: place.into_iter().collect(), exact: false }
            }
            _ => match masking.origins.get(&(variable, folded(key).into())) {
                Some(places) => Source { places: places.clone(), exact: false },
                None => Source {
                    places: place(variable, key).into_iter().collect(),
                    exact: !matches!(
                        variable,
                        Variable::ReqbodyErrorMsg
                            | Variable::ReqbodyProcessorErrorMsg
                            | Variable::RemoteUser
                            | Variable::AuthType
                            | Variable::ServerName
                            | Variable::ResponseContentType
                    ),
                },
            },
        }
    }

    /// Where the value of a macro comes from.
    fn source_of_macro(&self, plan: &Plan, part: &TextPart, set: u32) -> Source {
        match part {
            TextPart::Literal(_) => Source::default(),
            TextPart::Stored(store, key) => {
                self.source(variable_of(*store), self.values.get(key.constant.into()))
            }
            TextPart::Variable(variable, Some(key)) => self.source(*variable, key),
            TextPart::Variable(variable, None) if variable.shape() == Shape::Scalar => {
                self.source(*variable, b"")
            }
            TextPart::Variable(variable, None) => {
                let view = plan.set(set).map_or(0, |set| set.view.0 as usize);
                let first = self.data.collection(*variable, view).and_then(|elements| elements.iter().next());
                match (first, variable) {
                    (Some(element), _) => self.source(*variable, self.values.get(element.key)),
                    (None, Variable::MatchedVars | Variable::MatchedVarsNames) => {
                        let first =
                            self.matched.all.first().map(|item| self.name_of(item)).unwrap_or_default();
                        self.source(*variable, &first)
                    }
                    (None, _) => Source { places: vec![Place::Unknown], exact: false },
                }
            }
        }
    }

    /// As [`State::expand`], with the sources of the text if the policy masks something.
    pub(crate) fn expand_traced(&mut self, plan: &Plan, text: &Text, set: u32) -> Traced {
        let mut traced = Traced::default();
        if self.masking.is_none() {
            traced.text = self.expand(plan, text, set);
            return traced;
        }
        let mut pieces = Vec::new();
        self.expand_pieces(plan, text, set, &mut traced.text, |state, part, range| {
            let source = state.source_of_macro(plan, part, set);
            if !source.places.is_empty() {
                pieces.push((range, source));
            }
        });
        traced.pieces = pieces;
        traced
    }

    /// Notes that a rule of rule set `set` wrote an element from a text, and from what it was if it was `added` to.
    #[cold]
    pub(crate) fn note_written(
        &mut self,
        plan: &Plan,
        set: u32,
        variable: Variable,
        key: Value,
        text: &Text,
        added: bool,
    ) {
        let parts = text.parts.iter();
        let places = parts.flat_map(|part| self.source_of_macro(plan, part, set).places).collect();
        self.note_origin(variable, key, places, added);
    }

    /// Notes where an element comes from that a rule wrote.
    pub(crate) fn note_origin(&mut self, variable: Variable, key: Value, places: Vec<Place>, added: bool) {
        let key: Box<[u8]> = folded(self.values.get(key)).into();
        let Some(masking) = &mut self.masking else { return };
        if places.is_empty() && (added || !masking.origins.contains_key(&(variable, key.clone()))) {
            return;
        }
        let known = masking.origins.entry((variable, key)).or_default();
        if !added {
            known.clear();
        }
        for place in places {
            if known.len() >= limits::AUDIT_ORIGINS {
                *known = vec![Place::Unknown];
                return;
            }
            if !known.contains(&place) {
                known.push(place);
            }
        }
    }

    /// Where the name of an item comes from.
    pub(crate) fn pieces_of_name(&self, item: &Item) -> Pieces {
        let Some(key) = item.key.map(|key| self.values.get(key)) else { return Pieces::new() };
        let end = self.name_of(item).len();
        let piece = |place| (end - key.len()..end, Source { places: vec![place], exact: false });
        name_place(item.variable, key).map(piece).into_iter().collect()
    }

    /// Where the first match of the current rule comes from.
    pub(crate) fn source_of_first(&mut self) -> Source {
        self.masking.as_mut().map(|masking| std::mem::take(&mut masking.first)).unwrap_or_default()
    }

    /// Keeps a match until nothing more can be masked in it, or writes it.
    pub(crate) fn note_match(&mut self, plan: &Plan, noted: Noted) {
        match &mut self.masking {
            Some(masking) => masking.noted.push(noted),
            None => self.write_match(plan, noted, None),
        }
    }

    /// Keeps what was not inspected until nothing more can be masked in it, or reports it.
    pub(crate) fn note_gap(&mut self, note: GapNote) {
        match &mut self.masking {
            Some(masking) => masking.gaps.push(note),
            None => self.gaps.report(&note),
        }
    }

    /// After a phase: writes the matches and gaps that no rule to come can mask anything in.
    pub(crate) fn write_matches(&mut self, plan: &Plan, phase: Phase) {
        let Some(masking) = &mut self.masking else { return };
        let settled = plan.masks_until().is_none_or(|last| {
            // After an end nothing but the last phase comes.
            phase >= last || (self.decision.interruption.is_some() && last < Phase::Logging)
        });
        if !settled && phase != Phase::Logging {
            return;
        }
        let (noted, gaps) = (std::mem::take(&mut masking.noted), std::mem::take(&mut masking.gaps));
        let mut scripts = std::mem::take(&mut self.scripts.events);
        if noted.is_empty() && gaps.is_empty() && scripts.is_empty() {
            return;
        }
        self.with_masker(plan, |state, masker| {
            for one in noted {
                state.write_match(plan, one, Some(masker));
            }
            for mut gap in gaps {
                gap.mask(masker);
                state.gaps.report(&gap);
            }
            for event in scripts.iter_mut().filter(|_| masker.hides_anything()) {
                event.text.fill(b'*');
            }
        });
        if let Some(masking) = &mut self.masking {
            masking.scripts.append(&mut scripts);
        }
    }

    /// What scripts said since the last call.
    pub(crate) fn take_script_events(&mut self) -> Vec<ScriptEvent> {
        match &mut self.masking {
            Some(masking) => std::mem::take(&mut masking.scripts),
            None => std::mem::take(&mut self.scripts.events),
        }
    }

    /// Does something with what writes texts without what is masked.
    pub(crate) fn with_masker<T>(&mut self, plan: &Plan, act: impl FnOnce(&mut Self, &Masker<'_>) -> T) -> T {
        self.keep_secrets_left(plan);
        let masks =
            self.masking.as_mut().map(|masking| std::mem::take(&mut masking.masks)).unwrap_or_default();
        let result = if masks.is_empty() {
            let masker = Masker::new(&masks, &Sent::default());
            act(self, &masker)
        } else {
            let masker = Masker::new(&masks, &self.sent(plan));
            act(self, &masker)
        };
        if let Some(masking) = &mut self.masking {
            masking.masks = masks;
        }
        result
    }

    /// What was sent, as far as it is known and kept for records.
    fn sent(&self, plan: &Plan) -> Sent<'_> {
        let first = self.data.view(0);
        let target = first.map_or(Value::EMPTY, |view| view.scalars.get(Variable::RequestUriRaw));
        let fields = self.data.request_headers.iter();
        let fields = fields.map(|field| (self.values.get(field.key), self.values.get(field.value)));
        let body = self.request_body.get(..limits::AUDIT_BODY_BYTES).unwrap_or(&self.request_body);
        let content_type = self.header(b"content-type");
        let mut processors = Vec::new();
        for view in &self.data.views {
            let named = self.values.get(view.scalars.get(Variable::ReqbodyProcessor));
            let processor =
                BodyProcessor::from_name(named).or_else(|| content_type::body_processor(content_type));
            processors.extend(processor.filter(|one| !processors.contains(one)));
        }
        Sent {
            separator: plan.views().request().next().map_or(b'&', |view| view.separator),
            target: self.values.get(target),
            request_headers: fields.collect(),
            body,
            cut: self.request_body.len() > body.len(),
            processors,
        }
    }
}

/// The variable and the key of a full name.
fn named(name: &[u8]) -> Option<(Variable, &[u8])> {
    let end = memchr::memchr(b':', name).unwrap_or(name.len());
    let (variable, key) = name.split_at_checked(end)?;
    Some((Variable::from_name(variable)?, key.get(1..).unwrap_or_default()))
}

/// Where the values of a variable stand in an exchange; `None` if nobody sent them.
fn place(variable: Variable, key: &[u8]) -> Option<Place> {
    let value = |named, name: &[u8]| Some(Place::Value(named, folded(name).into()));
    let name = |named| Some(Place::Name(named, folded(key).into()));
    match variable {
        Variable::Args | Variable::ArgsGet | Variable::ArgsPost => value(Named::Argument, key),
        Variable::ArgsNames
        | Variable::ArgsGetNames
        | Variable::ArgsPostNames
        | Variable::FilesNames
        | Variable::MultipartName => name(Named::Argument),
        Variable::RequestCookies => value(Named::Cookie, key),
        Variable::RequestCookiesNames => name(Named::Cookie),
        Variable::RequestHeaders => value(Named::RequestHeader, key),
        Variable::RequestHeadersNames => name(Named::RequestHeader),
        Variable::ResponseHeaders => value(Named::ResponseHeader, key),
        Variable::ResponseHeadersNames => name(Named::ResponseHeader),
        Variable::AuthType | Variable::RemoteUser => value(Named::RequestHeader, b"authorization"),
        Variable::ServerName => value(Named::RequestHeader, b"host"),
        Variable::ResponseContentType => value(Named::ResponseHeader, b"content-type"),
        Variable::Files
        | Variable::FilesTmpContent
        | Variable::MultipartFilename
        | Variable::MultipartPartHeaders => value(Named::File, key),
        Variable::FullRequest => Some(Place::Within(Holder::Request)),
        Variable::RequestLine => Some(Place::Within(Holder::RequestLine)),
        Variable::RequestUri | Variable::RequestUriRaw => Some(Place::Within(Holder::Target)),
        Variable::QueryString => Some(Place::Within(Holder::Query)),
        Variable::ArgsPath | Variable::PathInfo | Variable::RequestBasename | Variable::RequestFilename => {
            Some(Place::Within(Holder::Path))
        }
        Variable::RequestBody | Variable::ReqbodyErrorMsg | Variable::ReqbodyProcessorErrorMsg => {
            Some(Place::Within(Holder::RequestBody))
        }
        Variable::ResponseBody => Some(Place::Within(Holder::ResponseBody)),
        Variable::Xml => Some(Place::Xml(key.into())),
        Variable::Rule => Some(Place::Unknown),
        _ => None,
    }
}

/// Where the key of an element stands.
fn name_place(variable: Variable, key: &[u8]) -> Option<Place> {
    match place(variable, key)? {
        Place::Value(Named::File, name) => Some(Place::Name(Named::Argument, name)),
        Place::Value(named, name) | Place::Name(named, name) => Some(Place::Name(named, name)),
        _ => None,
    }
}
