//! How rule sets see bodies. Each set has its own limits; sets with the same settings share a view, so that
//! a body is parsed once for all of them.

use crate::model::{LimitAction, ResponseLimitAction, Settings, UnparsableAction, XmlArguments};

/// Which view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ViewId(pub(crate) u32);

/// How a rule set sees request bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestView {
    pub(crate) access: bool,
    pub(crate) limit: usize,
    pub(crate) no_files_limit: Option<usize>,
    pub(crate) limit_action: LimitAction,
    pub(crate) xml_arguments: XmlArguments,
    pub(crate) json_depth: usize,
    pub(crate) arguments: Option<usize>,
    pub(crate) separator: u8,
    pub(crate) upload_files: Option<usize>,
    pub(crate) unparsable: UnparsableAction,
}

/// How a rule set sees response bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResponseView {
    pub(crate) access: bool,
    pub(crate) limit: usize,
    pub(crate) limit_action: ResponseLimitAction,
    /// Media types, lower-case; `None` means all.
    pub(crate) types: Option<Vec<String>>,
}

/// All views of a plan.
#[derive(Debug, Default)]
pub(crate) struct Views {
    all: Vec<(RequestView, ResponseView)>,
}

impl Views {
    pub(crate) fn intern(&mut self, settings: &Settings) -> ViewId {
        let view = (
            RequestView {
                access: settings.request_body_access,
                limit: settings.request_body_limit,
                no_files_limit: settings.request_body_no_files_limit,
                limit_action: settings.request_body_limit_action,
                xml_arguments: settings.xml_arguments,
                json_depth: settings.json_depth_limit,
                arguments: settings.arguments_limit,
                separator: settings.argument_separator,
                upload_files: settings.upload_file_limit,
                unparsable: settings.on_unparsable_body,
            },
            ResponseView {
                access: settings.response_body_access,
                limit: settings.response_body_limit,
                limit_action: settings.response_body_limit_action,
                types: settings.response_body_types.clone(),
            },
        );
        let position = self.all.iter().position(|other| *other == view).unwrap_or_else(|| {
            self.all.push(view);
            self.all.len() - 1
        });
        ViewId(u32::try_from(position).unwrap_or(u32::MAX))
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn request(&self) -> impl Iterator<Item = &RequestView> {
        self.all.iter().map(|(request, _)| request)
    }

    pub(crate) fn response(&self) -> impl Iterator<Item = &ResponseView> {
        self.all.iter().map(|(_, response)| response)
    }
}
