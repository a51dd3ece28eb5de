//! What body processors find becomes what rules look at.

use std::ops::Range;

use super::body::element;
use super::data::{Element, ViewData};
use super::gap::{Gap, GapAction, Gaps};
use super::state::State;
use super::values::{Value, Values};
use crate::body::json::{self, JsonErrorKind};
use crate::body::multipart::{self, Multipart};
use crate::body::{BodyProcessor, urlencoded};
use crate::budget::{self, Budget};
use crate::http::Pair;
use crate::limits;
use crate::model::{LimitAction, UnparsableAction, Variable};
use crate::plan::{Plan, RequestView};

impl State {
    /// Parses what view number `index` may see of a request body. `truncated` says that its limit cut it.
    pub(crate) fn parse_body(&mut self, plan: &Plan, index: usize, body: &[u8], truncated: bool) {
        let Some(view) = plan.views().request().nth(index) else { return };
        // What it holds is about as long as it is.
        self.values.expect(body.len());
        let (values, gaps) = (&mut self.values, &mut self.gaps);
        let shown = plan.shows_request_body();
        let mut intake = BodyView { values, gaps, index, view, body, truncated, shown };
        let Some(data) = self.data.views.get_mut(index) else { return };
        let named = intake.values.get(data.scalars.get(Variable::ReqbodyProcessor));
        let processor = BodyProcessor::from_name(named);
        let unknown = processor.is_none() && !named.is_empty();
        // A body without processor that a rule wants to see is taken for a form, as Coraza does.
        let forced = processor.is_none() && self.control.force_request_body;
        match processor {
            None if unknown => {
                let name = String::from_utf8_lossy(named).into_owned();
                intake.fail(data, &name, "unknown request body processor", Gap::Unparsable);
            }
            None if forced => {
                let name = intake.values.add(BodyProcessor::Urlencoded.name().as_bytes());
                data.scalars.set(Variable::ReqbodyProcessor, name);
                intake.urlencoded(data, self.data.query_args.len());
            }
            // What is not parsed can be looked at as it is.
            None => intake.show(data),
            Some(BodyProcessor::Urlencoded) => intake.urlencoded(data, self.data.query_args.len()),
            Some(BodyProcessor::Json) => intake.json(data, self.data.query_args.len()),
            Some(BodyProcessor::Multipart) => {
                let content_type = self
                    .data
                    .request_headers
                    .iter()
                    .find(|header| intake.values.get(header.key).eq_ignore_ascii_case(b"content-type"));
                let content_type = content_type.map_or(Value::EMPTY, |header| header.value);
                intake.multipart(data, content_type, self.data.query_args.len());
            }
            Some(BodyProcessor::Xml) => {
                let arguments = self.control.xml_arguments.unwrap_or(view.xml_arguments);
                intake.xml(data, plan.slots().xpaths(), arguments, self.data.query_args.len());
            }
            Some(BodyProcessor::Raw) => intake.show(data),
        }
        if self.control.force_request_body {
            intake.show(data);
        }
    }
}

/// What a parser finds, as far as there is memory for it.
struct Pairs {
    list: Vec<Pair>,
    budget: Budget,
    fit: bool,
}

impl Pairs {
    fn new(budget: Budget) -> Self {
        Self { list: Vec::new(), budget, fit: true }
    }

    fn push(&mut self, pair: Pair) {
        if self.fit
            && (self.list.len() < self.list.capacity() || budget::reserve(&mut self.list, 1, self.budget))
        {
            self.list.push(pair);
        } else {
            self.fit = false;
        }
    }
}

/// A body as one view sees it.
pub(super) struct BodyView<'a> {
    pub(super) values: &'a mut Values,
    pub(super) gaps: &'a mut Gaps,
    /// Number of the view.
    pub(super) index: usize,
    pub(super) view: &'a RequestView,
    pub(super) body: &'a [u8],
    pub(super) truncated: bool,
    /// Whether anything looks at `REQUEST_BODY`.
    pub(super) shown: bool,
}

impl BodyView<'_> {
    /// Sets `REQUEST_BODY`.
    fn show(&mut self, data: &mut ViewData) {
        if !self.shown {
            return;
        }
        let body = self.values.add(self.body);
        data.scalars.set(Variable::RequestBody, body);
    }

    /// Sets the error variables; the messages are ModSecurity's and Coraza's by form. What comes of it depends on the
    /// gap that the error leaves.
    pub(super) fn fail(&mut self, data: &mut ViewData, processor: &str, reason: &str, gap: Gap) {
        let message = format!("{processor} parsing error: {reason}");
        let (short, long) = (self.values.add(reason.as_bytes()), self.values.add(message.as_bytes()));
        data.scalars.set(Variable::ReqbodyError, Value::ONE);
        data.scalars.set(Variable::ReqbodyErrorMsg, long);
        data.scalars.set(Variable::ReqbodyProcessorError, Value::ONE);
        data.scalars.set(Variable::ReqbodyProcessorErrorMsg, short);
        let action = match gap {
            Gap::Unparsable if self.view.unparsable == UnparsableAction::Pass => GapAction::Pass,
            Gap::NoFiles if self.view.limit_action == LimitAction::ProcessPartial => GapAction::Pass,
            Gap::NoFiles => GapAction::Refuse(413),
            _ => GapAction::Refuse(400),
        };
        self.gaps.meet(self.index, gap, message, action);
    }

    /// How many more arguments there may be.
    pub(super) fn arguments_left(&self, query: usize) -> usize {
        self.view.arguments.map_or(usize::MAX, |limit| limit.saturating_sub(query))
    }

    /// Fails if arguments of the body were dropped.
    pub(super) fn check_arguments(&mut self, data: &mut ViewData, query: usize, dropped: usize) {
        if dropped > 0 {
            self.too_many_arguments(data, query + data.body_args.len() + dropped);
        }
    }

    pub(super) fn too_many_arguments(&mut self, data: &mut ViewData, count: usize) {
        let most = self.view.arguments.unwrap_or(usize::MAX);
        self.fail(data, "Arguments", &format!("{count} arguments, more than {most}"), Gap::Arguments);
    }

    /// Fails if the part of the body that is no file is longer than the rule set allows. It is inspected all the same:
    /// it is within the body limit.
    pub(super) fn check_length(&mut self, data: &mut ViewData, length: usize) {
        if self.view.no_files_limit.is_some_and(|limit| length > limit) {
            let reason = "Request body excluding files is bigger than the maximum expected.";
            self.fail(data, "Request body", reason, Gap::NoFiles);
            data.scalars.set(Variable::InboundDataError, Value::ONE);
        }
    }

    fn urlencoded(&mut self, data: &mut ViewData, query: usize) {
        self.show(data);
        self.check_length(data, self.body.len());
        let (limit, mut store) = (self.arguments_left(query), Vec::with_capacity(self.body.len()));
        let mut pairs = Pairs::new(self.values.budget());
        let (separator, truncated) = (self.view.separator, self.truncated);
        let summary = urlencoded::parse(self.body, separator, limit, truncated, &mut store, &mut |pair| {
            pairs.push(pair);
        });
        data.body_args = self.arguments(&pairs, &store);
        if summary.invalid_escape {
            data.scalars.set(Variable::UrlencodedError, Value::ONE);
        }
        self.check_arguments(data, query, summary.dropped);
    }

    fn json(&mut self, data: &mut ViewData, query: usize) {
        self.check_length(data, self.body.len());
        let options = json::Options {
            depth: self.view.json_depth,
            arguments: self.arguments_left(query),
            name_bytes: (limits::JSON_NAME_BYTES + limits::NAME_FACTOR * self.body.len())
                .min(self.values.budget().left() / 4),
            array_names: json::ArrayNames::Index,
            truncated: self.truncated,
        };
        let mut store = Vec::with_capacity(self.body.len());
        let mut pairs = Pairs::new(self.values.budget());
        let summary = json::flatten(self.body, &options, &mut store, &mut |pair| pairs.push(pair));
        data.body_args = self.arguments(&pairs, &store);
        self.check_arguments(data, query, summary.dropped);
        if let Some(error) = summary.error {
            let gap = match error.kind {
                JsonErrorKind::Depth(_) => Gap::JsonDepth,
                JsonErrorKind::NameBytes(_) => Gap::JsonNames,
                _ => Gap::Unparsable,
            };
            self.fail(data, "JSON", &error.to_string(), gap);
        }
    }

    /// Stores what a parser found; nothing where there is no memory for it, which the values know then.
    fn arguments(&mut self, pairs: &Pairs, store: &[u8]) -> Vec<Element> {
        if !pairs.fit || !self.values.has_room_for_elements(pairs.list.len()) {
            self.values.exhaust();
            return Vec::new();
        }
        let element = |pair: &Pair| self.pair(store, pair.name.clone(), store, pair.value.clone());
        pairs.list.iter().map(element).collect()
    }

    fn multipart(&mut self, data: &mut ViewData, content_type: Value, query: usize) {
        let options = multipart::Options {
            fields: self.arguments_left(query),
            files: self.view.upload_files.unwrap_or(limits::UPLOAD_FILES),
            truncated: self.truncated,
        };
        let mut store = Vec::with_capacity(256);
        let found = multipart::parse(self.values.get(content_type), self.body, &options, &mut store);
        self.check_length(data, found.length_without_files);
        self.parts(data, &found, &store);
        for &variable in Variable::ALL {
            if let Some(text) = found.flags.value(variable) {
                let text = self.values.add(text.as_bytes());
                data.scalars.set(variable, text);
            }
        }
        self.check_arguments(data, query, found.dropped);
        if let Some(limit) = self.view.upload_files.filter(|limit| found.files.len() > *limit) {
            let reason = format!("{} files, more than {limit}", found.files.len());
            self.fail(data, "Multipart", &reason, Gap::Files);
        }
        if let Some(error) = &found.error {
            let gap = if error.is_limit() { Gap::PartHeaders } else { Gap::Unparsable };
            self.fail(data, "Multipart", &error.to_string(), gap);
        }
    }

    fn parts(&mut self, data: &mut ViewData, found: &Multipart, store: &[u8]) {
        let body = self.body;
        for field in &found.fields {
            let element = self.pair(store, field.name.clone(), body, field.value.clone());
            data.body_args.push(element);
            if !field.is_file {
                data.part_names.push(self.pair(store, field.name.clone(), store, field.raw_name.clone()));
            }
        }
        let mut combined = 0usize;
        for file in &found.files {
            let name = self.pair(store, file.field.clone(), store, file.name.clone());
            data.files.push(name);
            data.part_names.push(self.pair(store, file.field.clone(), store, file.raw_field.clone()));
            data.part_filenames.push(self.pair(store, file.field.clone(), store, file.raw_name.clone()));
            if let Some(extended) = &file.extended_name {
                data.files.push(self.pair(store, file.field.clone(), store, extended.clone()));
            }
            let size = self.values.add(file.content.len().to_string().as_bytes());
            data.files_sizes.push(Element { value: size, ..name });
            data.files_contents.push(self.pair(store, file.field.clone(), body, file.content.clone()));
            combined += file.content.len();
        }
        for header in &found.headers {
            data.part_headers.push(self.pair(store, header.field.clone(), store, header.line.clone()));
        }
        let combined = self.values.add(combined.to_string().as_bytes());
        data.scalars.set(Variable::FilesCombinedSize, combined);
    }

    fn pair(&mut self, keys: &[u8], key: Range<usize>, texts: &[u8], text: Range<usize>) -> Element {
        element(self.values, keys.get(key).unwrap_or_default(), texts.get(text).unwrap_or_default())
    }
}
