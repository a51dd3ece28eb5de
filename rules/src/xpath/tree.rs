//! A document as a tree: nodes in document order, each with the place where what it holds ends.

use std::ops::Range;

use crate::body::xml::{Event, is_namespace_declaration};

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Document,
    Element,
    Attribute,
    Text,
}

/// Number of a node; its attributes follow an element, then what it holds.
pub(super) type Id = usize;

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) parent: Id,
    /// The first node behind its attributes.
    content: Id,
    /// The first node behind it and all it holds.
    pub(super) end: Id,
    /// Bytes of [`Tree::names`]: prefix and local name.
    name: Range<usize>,
    /// Bytes of the store: the value of an attribute or text.
    pub(super) value: Range<usize>,
    /// The innermost namespace declaration in force.
    scope: Option<usize>,
}

/// A namespace declaration, and the one that was in force before it.
#[derive(Debug)]
struct Declaration {
    prefix: Range<usize>,
    uri: Range<usize>,
    outer: Option<usize>,
}

/// A document. Values stay in the store that the scan wrote them to.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    names: String,
    declarations: Vec<Declaration>,
    /// The innermost element that has not ended.
    open: Id,
}

/// The namespace of the prefix `xml`, which is always declared.
const XML_URI: &[u8] = b"http://www.w3.org/XML/1998/namespace";

impl Tree {
    /// An empty document.
    pub(crate) fn new() -> Self {
        let document = Node {
            kind: Kind::Document,
            parent: 0,
            content: 1,
            end: 1,
            name: 0..0,
            value: 0..0,
            scope: None,
        };
        Self { nodes: vec![document], names: String::new(), declarations: Vec::new(), open: 0 }
    }

    /// Adds what the scan reports.
    pub(crate) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { name } => {
                let name = self.name(name);
                self.open = self.push(Kind::Element, name, 0..0);
            }
            Event::Attribute { name, value } if is_namespace_declaration(name) => {
                let prefix = name.strip_prefix("xmlns:").unwrap_or_default();
                let prefix = self.name(prefix);
                let Some(element) = self.nodes.get_mut(self.open) else { return };
                let outer = element.scope.replace(self.declarations.len());
                self.declarations.push(Declaration { prefix, uri: value.clone(), outer });
            }
            Event::Attribute { name, value } => {
                let name = self.name(name);
                let behind = self.push(Kind::Attribute, name, value.clone()) + 1;
                if let Some(element) = self.nodes.get_mut(self.open) {
                    element.content = behind;
                }
            }
            Event::Text(value) => {
                self.push(Kind::Text, 0..0, value.clone());
            }
            Event::End { .. } => self.close(),
        }
    }

    /// Ends what has not ended.
    pub(crate) fn finish(&mut self) {
        while self.open != 0 {
            self.close();
        }
        self.close();
    }

    fn close(&mut self) {
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(self.open) {
            node.end = end;
            self.open = node.parent;
        }
    }

    fn name(&mut self, name: &str) -> Range<usize> {
        let start = self.names.len();
        self.names.push_str(name);
        start..self.names.len()
    }

    fn push(&mut self, kind: Kind, name: Range<usize>, value: Range<usize>) -> Id {
        let id = self.nodes.len();
        let scope = self.nodes.get(self.open).and_then(|parent| parent.scope);
        self.nodes.push(Node { kind, parent: self.open, content: id + 1, end: id + 1, name, value, scope });
        id
    }

    pub(super) fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// The name as written, prefix included; empty for what has none.
    pub(super) fn full_name(&self, node: &Node) -> &str {
        self.names.get(node.name.clone()).unwrap_or_default()
    }

    /// The name without its prefix.
    pub(super) fn local_name(&self, node: &Node) -> &str {
        let name = self.full_name(node);
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    /// The namespace of an element or attribute, empty when it has none, and how many declarations were
    /// looked at.
    pub(super) fn namespace<'a>(&self, node: &Node, store: &'a [u8]) -> (&'a [u8], usize) {
        let prefix = self.full_name(node).split_once(':').map_or("", |(prefix, _)| prefix);
        if prefix == "xml" {
            return (XML_URI, 0);
        }
        // Attributes without prefix are in no namespace. Those of an element may stand before its
        // declarations, so what is in force is asked of the element.
        let holder = match node.kind {
            Kind::Attribute if prefix.is_empty() => return (b"", 0),
            Kind::Attribute => self.nodes.get(node.parent),
            _ => Some(node),
        };
        let (mut scope, mut looked_at) = (holder.and_then(|holder| holder.scope), 0);
        while let Some(declaration) = scope.and_then(|scope| self.declarations.get(scope)) {
            looked_at += 1;
            if self.names.get(declaration.prefix.clone()) == Some(prefix) {
                return (store.get(declaration.uri.clone()).unwrap_or_default(), looked_at);
            }
            scope = declaration.outer;
        }
        (b"", looked_at)
    }

    /// The nodes right below one, attributes left out.
    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> {
        let (mut next, end) = self.node(id).map_or((0, 0), |node| (node.content, node.end));
        std::iter::from_fn(move || {
            let child = (next < end).then_some(next)?;
            next = self.node(child)?.end;
            Some(child)
        })
    }

    /// The attributes of an element.
    pub(super) fn attributes(&self, id: Id) -> Range<Id> {
        self.node(id).map_or(0..0, |node| id + 1..node.content)
    }
}
