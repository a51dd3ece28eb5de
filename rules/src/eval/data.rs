//! What is known of an exchange: the values and collections that rules look at.

use std::ops::Deref;

use super::values::{Value, Values};
use crate::model::Variable;
use crate::plan::{Constant, XmlPlace, has, put};

/// One element of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) key: Value,
    /// The key in lower case.
    pub(crate) folded: Value,
    pub(crate) value: Value,
}

impl Element {
    pub(crate) fn new(values: &mut Values, key: Value, value: Value) -> Self {
        Self { key, folded: values.folded(key), value }
    }

    fn each_value(&mut self, show: &mut impl FnMut(&mut Value)) {
        [&mut self.key, &mut self.folded, &mut self.value].into_iter().for_each(show);
    }
}

/// Headers, and at a glance which names are not among them: rules ask for many that requests don't have.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    fields: Vec<Element>,
    names: Names,
}

impl Headers {
    pub(crate) fn push(&mut self, field: Element) {
        self.names.add(field.folded);
        self.fields.push(field);
    }
}

impl Headers {
    fn each_value(&mut self, show: &mut impl FnMut(&mut Value)) {
        self.names = Names::default();
        for field in &mut self.fields {
            field.each_value(show);
            self.names.add(field.folded);
        }
    }
}

impl Deref for Headers {
    type Target = [Element];

    fn deref(&self) -> &[Element] {
        &self.fields
    }
}

/// One bit for each name that is there, by the lowest bits of its number. Names that the policy asks for have small
/// ones.
#[derive(Clone, Copy, Debug, Default)]
struct Names([u64; 4]);

impl Names {
    /// Of elements of which it is not known.
    const ANY: Self = Self([u64::MAX; 4]);

    fn add(&mut self, name: Value) {
        put(&mut self.0, name.number() % 256);
    }

    fn may_have(&self, name: Value) -> bool {
        has(&self.0, name.number() % 256)
    }
}

/// Values of the scalars, empty until they are known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars([Value; Variable::ALL.len()]);

impl Scalars {
    pub(crate) fn get(&self, variable: Variable) -> Value {
        self.0.get(variable as usize).copied().unwrap_or(Value::EMPTY)
    }

    pub(crate) fn set(&mut self, variable: Variable, value: Value) {
        if let Some(cell) = self.0.get_mut(variable as usize) {
            *cell = value;
        }
    }
}

/// What is known of an exchange.
#[derive(Debug, Default)]
pub(crate) struct Data {
    pub(crate) query_args: Vec<Element>,
    pub(crate) request_headers: Headers,
    pub(crate) cookies: Vec<Element>,
    pub(crate) response_headers: Headers,
    /// Elements of `ARGS_PATH` and `GEO`, which rules fill, and of `ENV`, to which they add.
    pub(crate) path_args: Vec<Element>,
    pub(crate) env: Vec<Element>,
    pub(crate) geo: Vec<Element>,
    /// Readings of the path, where a rule looks at them.
    pub(crate) paths: Vec<Element>,
    /// What depends on how a rule set sees bodies; one per view of the plan.
    pub(crate) views: Vec<ViewData>,
}

/// An exchange as the rule sets of one view see it.
#[derive(Debug, Default)]
pub(crate) struct ViewData {
    pub(crate) scalars: Scalars,
    /// How much of the kept request body may be seen.
    pub(crate) body_length: usize,
    /// How many bytes of `RESPONSE_BODY` were let go of: what no rule looks at any more.
    pub(crate) answer_omitted: usize,
    pub(crate) body_args: Vec<Element>,
    /// Original names of uploaded files by form field.
    pub(crate) files: Vec<Element>,
    pub(crate) files_sizes: Vec<Element>,
    pub(crate) files_contents: Vec<Element>,
    /// Raw `filename` and `name` parameters of multipart parts.
    pub(crate) part_filenames: Vec<Element>,
    pub(crate) part_names: Vec<Element>,
    pub(crate) part_headers: Vec<Element>,
    /// What XPath expressions select, by their places.
    pub(crate) xml: Vec<Vec<Element>>,
}

impl ViewData {
    /// Whether XPath expressions select nothing.
    pub(crate) fn has_no_xml(&self) -> bool {
        self.xml.iter().all(Vec::is_empty)
    }

    /// Forgets the parts of a body and their headers, but for the fields, and the names and sizes of files if they are
    /// `recorded`.
    pub(crate) fn clear_parts(&mut self, recorded: bool) {
        let [_, files, sizes, parts @ ..] = self.lists();
        parts.into_iter().for_each(|list| *list = Vec::new());
        if !recorded {
            (*files, *sizes) = (Vec::new(), Vec::new());
        }
    }

    /// What an XPath expression selects.
    pub(crate) fn selected(&self, place: XmlPlace) -> &[Element] {
        self.xml.get(place.0 as usize).map_or(&[], Vec::as_slice)
    }
}

impl Default for Scalars {
    fn default() -> Self {
        Self([Value::EMPTY; Variable::ALL.len()])
    }
}

impl ViewData {
    fn lists(&mut self) -> [&mut Vec<Element>; 7] {
        [
            &mut self.body_args,
            &mut self.files,
            &mut self.files_sizes,
            &mut self.files_contents,
            &mut self.part_filenames,
            &mut self.part_names,
            &mut self.part_headers,
        ]
    }
}

impl Data {
    /// Begins an exchange of which nothing is known beyond the defaults that SecLang gives some scalars.
    pub(crate) fn begin(&mut self, views: usize) {
        let mut scalars = Scalars::default();
        for variable in ZERO_AT_FIRST {
            scalars.set(*variable, Value::ZERO);
        }
        scalars.set(Variable::HighestSeverity, Constant::NO_SEVERITY.into());
        scalars.set(Variable::ModsecBuild, Constant::MODSEC_BUILD.into());
        self.views.resize_with(views.max(1), ViewData::default);
        for view in &mut self.views {
            view.scalars = scalars;
        }
    }

    fn lists(&mut self) -> [&mut Vec<Element>; 8] {
        [
            &mut self.query_args,
            &mut self.request_headers.fields,
            &mut self.cookies,
            &mut self.response_headers.fields,
            &mut self.path_args,
            &mut self.env,
            &mut self.geo,
            &mut self.paths,
        ]
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.lists().into_iter().for_each(Vec::clear);
        (self.request_headers.names, self.response_headers.names) = (Names::default(), Names::default());
        for view in &mut self.views {
            view.lists().into_iter().for_each(Vec::clear);
            view.xml.clear();
            (view.body_length, view.answer_omitted) = (0, 0);
        }
    }

    /// Shows each value that is referred to.
    pub(super) fn each_value(&mut self, show: &mut impl FnMut(&mut Value)) {
        let Self {
            query_args,
            request_headers,
            cookies,
            response_headers,
            path_args,
            paths,
            env,
            geo,
            views,
        } = self;
        request_headers.each_value(show);
        response_headers.each_value(show);
        let lists = [query_args, cookies, path_args, paths, env, geo];
        lists.into_iter().flatten().for_each(|element| element.each_value(show));
        for view in views {
            view.scalars.0.iter_mut().for_each(&mut *show);
            view.lists().into_iter().flatten().for_each(|element| element.each_value(show));
            view.xml.iter_mut().flatten().for_each(|element| element.each_value(show));
        }
    }

    /// How much memory is kept for the next exchange, in bytes.
    pub(crate) fn kept_bytes(&mut self) -> usize {
        let own = self.lists().map(|list| list.capacity());
        let of_views = self.views.iter_mut().flat_map(|view| view.lists().map(|list| list.capacity()));
        own.into_iter().chain(of_views).sum::<usize>() * size_of::<Element>()
    }

    /// Sets a scalar that is the same however bodies are seen.
    pub(crate) fn set(&mut self, variable: Variable, value: Value) {
        for view in &mut self.views {
            view.scalars.set(variable, value);
        }
    }

    pub(crate) fn view(&self, view: usize) -> Option<&ViewData> {
        self.views.get(view)
    }

    /// The elements of an ordinary collection: two runs, and whether the keys are looked at instead of the
    /// values. `None` for scalars and for what is kept elsewhere.
    pub(crate) fn collection(&self, variable: Variable, view: usize) -> Option<Elements<'_>> {
        let seen = self.views.get(view)?;
        let query = self.query_args.as_slice();
        let body = seen.body_args.as_slice();
        let mut there = &Names::ANY;
        let (first, second, names): (&[Element], &[Element], bool) = match variable {
            Variable::Args => (query, body, false),
            Variable::ArgsNames => (query, body, true),
            Variable::ArgsGet => (query, &[], false),
            Variable::ArgsGetNames => (query, &[], true),
            Variable::ArgsPost => (body, &[], false),
            Variable::ArgsPostNames => (body, &[], true),
            Variable::ArgsPath => (&self.path_args, &[], false),
            Variable::Env => (&self.env, &[], false),
            Variable::RequestHeaders | Variable::RequestHeadersNames => {
                there = &self.request_headers.names;
                (&self.request_headers, &[], variable == Variable::RequestHeadersNames)
            }
            Variable::RequestCookies => (&self.cookies, &[], false),
            Variable::RequestCookiesNames => (&self.cookies, &[], true),
            Variable::ResponseHeaders | Variable::ResponseHeadersNames => {
                there = &self.response_headers.names;
                (&self.response_headers, &[], variable == Variable::ResponseHeadersNames)
            }
            Variable::Files => (&seen.files, &[], false),
            Variable::FilesNames => (&seen.files, &[], true),
            Variable::FilesSizes => (&seen.files_sizes, &[], false),
            Variable::FilesTmpContent => (&seen.files_contents, &[], false),
            Variable::FilesTmpNames => (&[], &[], false),
            Variable::Geo => (&self.geo, &[], false),
            Variable::RequestPaths => (&self.paths, &[], false),
            Variable::MultipartFilename => (&seen.part_filenames, &[], false),
            Variable::MultipartName => (&seen.part_names, &[], false),
            Variable::MultipartPartHeaders => (&seen.part_headers, &[], false),
            _ => return None,
        };
        Some(Elements { first, second, names, there })
    }
}

/// The elements of a collection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a> {
    first: &'a [Element],
    second: &'a [Element],
    names: bool,
    there: &'a Names,
}

impl<'a> Elements<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = Element> + 'a {
        self.first.iter().chain(self.second).map(move |element| self.shown(element))
    }

    /// What is looked at of an element.
    #[inline]
    fn shown(self, element: &Element) -> Element {
        if self.names { Element { value: element.key, ..*element } } else { *element }
    }

    /// Those with a name, which is in lower case. Where [values are crowded](Values::is_crowded), equal names may have
    /// different numbers, and some are missed.
    pub(crate) fn named(self, name: Value) -> impl Iterator<Item = Element> + 'a {
        let (first, second) =
            if self.there.may_have(name) { (self.first, self.second) } else { (&[][..], &[][..]) };
        let named = first.iter().chain(second).filter(move |element| element.folded == name);
        named.map(move |element| self.shown(element))
    }

    pub(crate) fn len(self) -> usize {
        self.first.len() + self.second.len()
    }
}

/// Flags and sizes that are "0" as long as nothing was found.
const ZERO_AT_FIRST: &[Variable] = &[
    Variable::FilesCombinedSize,
    Variable::InboundDataError,
    Variable::MscPcreError,
    Variable::MscPcreLimitsExceeded,
    Variable::MultipartBoundaryQuoted,
    Variable::MultipartBoundaryWhitespace,
    Variable::MultipartCrlfLfLines,
    Variable::MultipartDataAfter,
    Variable::MultipartDataBefore,
    Variable::MultipartFileLimitExceeded,
    Variable::MultipartHeaderFolding,
    Variable::MultipartInvalidHeaderFolding,
    Variable::MultipartInvalidPart,
    Variable::MultipartInvalidQuoting,
    Variable::MultipartLfLine,
    Variable::MultipartMissingSemicolon,
    Variable::MultipartStrictError,
    Variable::MultipartUnmatchedBoundary,
    Variable::OutboundDataError,
    Variable::ReqbodyError,
    Variable::ReqbodyProcessorError,
    Variable::RequestBodyLength,
    Variable::ResponseContentLength,
    Variable::UrlencodedError,
];
