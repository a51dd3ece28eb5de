//! XML bodies become values of `XML` and, if asked for, arguments.

use std::ops::Range;

use super::body::element;
use super::data::{Element, ViewData};
use super::parse::BodyView;
use crate::body::xml::{self, Event};
use crate::limits;
use crate::model::XmlArguments;
use crate::plan::XPathPlan;
use crate::xpath::{Budget, Tree};

impl BodyView<'_> {
    /// Parses an XML body. `query` is the number of arguments there are already.
    pub(super) fn xml(
        &mut self,
        data: &mut ViewData,
        xpaths: &[XPathPlan],
        arguments: XmlArguments,
        query: usize,
    ) {
        if self.is_too_long(data, self.body.len()) {
            return;
        }
        let options = xml::Options {
            white_space: arguments != XmlArguments::Only,
            truncated: self.truncated,
            ..xml::Options::default()
        };
        let mut store = Vec::with_capacity(self.body.len());
        let (mut texts, mut attributes) = (Vec::new(), Vec::new());
        let mut has_root = false;
        let mut tree = (!xpaths.is_empty()).then(Tree::new);
        let mut leaves = (arguments != XmlArguments::Off).then(|| Leaves::new(self.arguments_left(query)));
        let error = xml::scan(self.body, &options, &mut store, &mut |event| {
            if let Some(tree) = &mut tree {
                tree.take(&event);
            }
            if let Some(leaves) = &mut leaves {
                leaves.take(&event);
            }
            match event {
                Event::Start { .. } => has_root = true,
                Event::Text(text) => texts.push(text),
                Event::Attribute { name, value } if !xml::is_namespace_declaration(name) => {
                    attributes.push(value);
                }
                Event::Attribute { .. } | Event::End { .. } => {}
            }
        });
        let mut reason = error.map(|error| error.to_string());
        if let Some(mut leaves) = leaves {
            leaves.finish();
            let found = leaves.found.iter().map(|(name, text)| {
                let name = leaves.names.get(name.clone()).unwrap_or_default();
                element(self.values, name.as_bytes(), trimmed(&store, text))
            });
            data.body_args = found.collect();
            if leaves.too_long {
                reason.get_or_insert_with(|| format!("more than {} bytes of names", limits::XML_NAME_BYTES));
            }
        }
        if arguments != XmlArguments::Only {
            let texts = if has_root || !texts.is_empty() { self.texts(&store, &texts) } else { Vec::new() };
            let attributes = attributes.into_iter().map(|value| store.get(value).unwrap_or_default());
            data.xml = vec![texts, self.keyed(b"//@*", attributes)];
            if let Some(mut tree) = tree {
                tree.finish();
                if !self.select(data, xpaths, &tree, &store) {
                    reason.get_or_insert_with(|| "XPath expressions take too long".to_owned());
                }
            }
        }
        if let Some(reason) = reason {
            self.fail(data, "XML", &reason);
        }
    }

    /// The values of `XML:/*`: the text of the document as one, which is what the expression selects, and behind it the
    /// texts between tags, each for itself and trimmed, where they are something else. The one shows what is split by
    /// tags, the others what has other text in front.
    fn texts(&mut self, store: &[u8], texts: &[Range<usize>]) -> Vec<Element> {
        let whole: Vec<u8> =
            texts.iter().filter_map(|text| store.get(text.clone())).flatten().copied().collect();
        let pieces = texts.iter().map(|text| trimmed(store, text)).filter(|text| !text.is_empty());
        let pieces = pieces.filter(|piece| *piece != whole);
        self.keyed(b"/*", std::iter::once(whole.as_slice()).chain(pieces))
    }

    /// Evaluates expressions; whether they stayed within the budget.
    fn select(&mut self, data: &mut ViewData, xpaths: &[XPathPlan], tree: &Tree, store: &[u8]) -> bool {
        let mut budget = Budget { steps: limits::XPATH_STEPS, value_bytes: limits::XPATH_VALUE_BYTES };
        xpaths.iter().all(|plan| {
            let key = self.values.add(&plan.text);
            let mut found = Vec::new();
            let result = plan.xpath.select(tree, store, &mut budget, &mut |value| {
                let value = self.values.add(value);
                found.push(Element::new(self.values, key, value));
            });
            data.xml.push(found);
            result.is_ok()
        })
    }

    /// Elements that share a key.
    fn keyed<'a>(&mut self, key: &[u8], texts: impl Iterator<Item = &'a [u8]>) -> Vec<Element> {
        let key = self.values.add(key);
        let mut element = |text| {
            let value = self.values.add(text);
            Element::new(self.values, key, value)
        };
        texts.map(&mut element).collect()
    }
}

fn trimmed<'a>(store: &'a [u8], text: &Range<usize>) -> &'a [u8] {
    store.get(text.clone()).unwrap_or_default().trim_ascii()
}

/// Elements without elements in them, named by the way to them.
struct Leaves {
    /// `xml.`, and the local names of the open elements.
    path: String,
    /// How long the path is without each of the open elements.
    lengths: Vec<usize>,
    /// The text of the element that began last, if it has not ended.
    leaf: Option<Range<usize>>,
    names: String,
    found: Vec<(Range<usize>, Range<usize>)>,
    /// How many more there may be.
    left: usize,
    /// The names took more bytes than they may.
    too_long: bool,
}

impl Leaves {
    fn new(limit: usize) -> Self {
        Self {
            path: "xml".to_owned(),
            lengths: Vec::new(),
            leaf: None,
            names: String::new(),
            found: Vec::new(),
            left: limit,
            too_long: false,
        }
    }

    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { name } => {
                self.lengths.push(self.path.len());
                self.path.push('.');
                self.path.push_str(name.split_once(':').map_or(name, |(_, local)| local));
                self.leaf = Some(0..0);
            }
            Event::Text(text) => {
                if let Some(leaf) = &mut self.leaf {
                    *leaf = text.clone();
                }
            }
            Event::Attribute { .. } => {}
            Event::End { .. } => {
                self.finish();
                self.path.truncate(self.lengths.pop().unwrap_or_default());
            }
        }
    }

    /// Adds the innermost element, if it holds no other.
    fn finish(&mut self) {
        let Some(text) = self.leaf.take() else { return };
        if self.left == 0 || self.too_long {
            return;
        }
        if self.names.len() + self.path.len() > limits::XML_NAME_BYTES {
            self.too_long = true;
            return;
        }
        let start = self.names.len();
        self.names.push_str(&self.path);
        self.found.push((start..self.names.len(), text));
        self.left -= 1;
    }
}
