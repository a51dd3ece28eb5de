//! What body processors find becomes what rules look at.

use std::ops::Range;

use super::body::element;
use super::data::{Element, ViewData};
use super::state::State;
use super::values::{Value, Values};
use crate::body::multipart::{self, Multipart};
use crate::body::{BodyProcessor, json, urlencoded};
use crate::limits;
use crate::model::Variable;
use crate::plan::{Plan, RequestView};

impl State {
    /// Parses what view number `index` may see of a request body. `truncated` says that its limit cut it.
    pub(crate) fn parse_body(&mut self, plan: &Plan, index: usize, body: &[u8], truncated: bool) {
        let Some(view) = plan.views().request().nth(index) else { return };
        let mut intake = BodyView { values: &mut self.values, view, body, truncated };
        let Some(data) = self.data.views.get_mut(index) else { return };
        let named = intake.values.get(data.scalars.get(Variable::ReqbodyProcessor));
        let processor = BodyProcessor::from_name(named);
        let unknown = processor.is_none() && !named.is_empty();
        // A body without processor that a rule wants to see is taken for a form, as Coraza does.
        let forced = processor.is_none() && self.control.force_request_body;
        match processor {
            None if unknown => {
                let name = String::from_utf8_lossy(named).into_owned();
                intake.fail(data, &name, "unknown request body processor");
            }
            None if forced => {
                let name = intake.values.add(BodyProcessor::Urlencoded.name().as_bytes());
                data.scalars.set(Variable::ReqbodyProcessor, name);
                intake.urlencoded(data, self.data.query_args.len());
            }
            None => {}
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

/// A body as one view sees it.
pub(super) struct BodyView<'a> {
    pub(super) values: &'a mut Values,
    view: &'a RequestView,
    pub(super) body: &'a [u8],
    pub(super) truncated: bool,
}

impl BodyView<'_> {
    /// Sets `REQUEST_BODY`.
    fn show(&mut self, data: &mut ViewData) {
        let body = self.values.add(self.body);
        data.scalars.set(Variable::RequestBody, body);
    }

    /// Sets the error variables; the messages are ModSecurity's and Coraza's by form.
    pub(super) fn fail(&mut self, data: &mut ViewData, processor: &str, reason: &str) {
        let short = self.values.add(reason.as_bytes());
        let long = self.values.add(format!("{processor} parsing error: {reason}").as_bytes());
        data.scalars.set(Variable::ReqbodyError, Value::ONE);
        data.scalars.set(Variable::ReqbodyErrorMsg, long);
        data.scalars.set(Variable::ReqbodyProcessorError, Value::ONE);
        data.scalars.set(Variable::ReqbodyProcessorErrorMsg, short);
    }

    /// How many more arguments there may be.
    pub(super) fn arguments_left(&self, query: usize) -> usize {
        self.view.arguments.saturating_sub(query)
    }

    /// Whether the part of the body that is no file is longer than the rule set allows; then it is not parsed.
    pub(super) fn is_too_long(&mut self, data: &mut ViewData, length: usize) -> bool {
        let too_long = self.view.no_files_limit.is_some_and(|limit| length > limit);
        if too_long {
            self.fail(
                data,
                "Request body",
                "Request body excluding files is bigger than the maximum expected.",
            );
            data.scalars.set(Variable::InboundDataError, Value::ONE);
        }
        too_long
    }

    fn urlencoded(&mut self, data: &mut ViewData, query: usize) {
        self.show(data);
        if self.is_too_long(data, self.body.len()) {
            return;
        }
        let (limit, mut store, mut pairs) =
            (self.arguments_left(query), Vec::with_capacity(self.body.len()), Vec::new());
        let (separator, truncated) = (self.view.separator, self.truncated);
        let summary = urlencoded::parse(self.body, separator, limit, truncated, &mut store, &mut |pair| {
            pairs.push(pair);
        });
        data.body_args =
            pairs.into_iter().map(|pair| self.pair(&store, pair.name, &store, pair.value)).collect();
        if summary.invalid_escape {
            data.scalars.set(Variable::UrlencodedError, Value::ONE);
        }
    }

    fn json(&mut self, data: &mut ViewData, query: usize) {
        if self.is_too_long(data, self.body.len()) {
            return;
        }
        let options = json::Options {
            depth: self.view.json_depth,
            arguments: self.arguments_left(query),
            name_bytes: limits::JSON_NAME_BYTES,
            array_names: json::ArrayNames::Index,
            truncated: self.truncated,
        };
        let (mut store, mut pairs) = (Vec::with_capacity(self.body.len() * 2), Vec::new());
        let summary = json::flatten(self.body, &options, &mut store, &mut |pair| pairs.push(pair));
        data.body_args =
            pairs.into_iter().map(|pair| self.pair(&store, pair.name, &store, pair.value)).collect();
        if let Some(error) = summary.error {
            self.fail(data, "JSON", &error.to_string());
        }
    }

    fn multipart(&mut self, data: &mut ViewData, content_type: Value, query: usize) {
        let options = multipart::Options {
            fields: self.arguments_left(query),
            files: self.view.upload_files.unwrap_or(limits::UPLOAD_FILES),
            truncated: self.truncated,
        };
        let mut store = Vec::with_capacity(256);
        let found = multipart::parse(self.values.get(content_type), self.body, &options, &mut store);
        if !self.is_too_long(data, found.length_without_files) {
            self.parts(data, &found, &store);
        }
        for &variable in Variable::ALL {
            if let Some(text) = found.flags.value(variable) {
                let text = self.values.add(text.as_bytes());
                data.scalars.set(variable, text);
            }
        }
        if let Some(error) = &found.error {
            self.fail(data, "Multipart", &error.to_string());
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
