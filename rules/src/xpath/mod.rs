//! XPath for `XML:` selectors: the part of XPath 1.0 that selects nodes in one pass per step.
//!
//! ```text
//! expression = path { "|" path }
//! path       = [ "/" | "//" ] step { ("/" | "//") step } | "/"
//! step       = ( "." | ".." | [ "@" | axis "::" ] test ) { "[" predicate "]" }
//! axis       = "child" | "descendant" | "descendant-or-self" | "attribute" | "self" | "parent"
//! test       = NAME | PREFIX ":" NAME | PREFIX ":*" | "*" | "text()" | "node()"
//! predicate  = NUMBER | "last()" | any
//! any        = all { "or" all }
//! all        = condition { "and" condition }
//! condition  = "not(" any ")" | "(" any ")"
//!            | "position()" ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) ( NUMBER | "last()" )
//!            | ( "contains" | "starts-with" ) "(" operand "," LITERAL ")"
//!            | operand ( "=" | "!=" ) LITERAL | path
//! operand    = path | "name()" | "local-name()" | "namespace-uri()"
//! ```
//!
//! Meanings are those of [XPath 1.0](https://www.w3.org/TR/1999/REC-xpath-19991116/). The value of an
//! element is all text within it. A name without prefix means names in no namespace; prefixes are those
//! that the rule declares (`xmlns`), whatever the document calls them. Comments and processing
//! instructions are not part of the tree. Everything else of XPath is refused when a policy is loaded:
//! expressions that give a number or text instead of nodes, variables, arithmetic, and the axes that look
//! back or sideways.
//!
//! Evaluation is bounded by a `Budget`: each node that is looked at counts, and so do the bytes of text
//! that are compared.

mod parse;
mod select;
mod tree;

pub use parse::XPathError;
pub(crate) use select::Budget;
pub(crate) use tree::Tree;

use std::ops::Range;

/// A prefix that a rule declares for a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// The prefix.
    pub prefix: String,
    /// The namespace's name.
    pub uri: String,
}

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XPath {
    paths: Vec<Path>,
    prefixes: Vec<(String, Range<usize>)>,
}

impl XPath {
    /// Parses an expression.
    ///
    /// # Errors
    /// When it is none, or not in the part of XPath that is known here.
    pub fn parse(text: &[u8]) -> Result<Self, XPathError> {
        parse::parse(text)
    }

    /// The first prefix that is not declared.
    ///
    /// # Errors
    /// When there is one.
    pub fn check_prefixes(&self, namespaces: &[Namespace]) -> Result<(), XPathError> {
        let declared = |prefix: &str| namespaces.iter().any(|namespace| namespace.prefix == prefix);
        match self.prefixes.iter().find(|(prefix, _)| !declared(prefix)) {
            Some((prefix, span)) => Err(XPathError::undeclared(prefix, span.clone())),
            None => Ok(()),
        }
    }

    /// With its prefixes resolved. Names whose prefix is not declared select nothing.
    pub(crate) fn resolved(mut self, namespaces: &[Namespace]) -> Self {
        for path in &mut self.paths {
            path.resolve(namespaces);
        }
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    /// Begins at the document rather than at the node in question.
    absolute: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Predicate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Attribute,
    This,
    Parent,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    /// `node()`
    Node,
    /// `text()`
    Text,
    /// Elements, or attributes on their axis.
    Name { namespace: NamespaceTest, local: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum NamespaceTest {
    /// `*`
    Any,
    /// The prefix, before it is resolved.
    Prefix(String),
    /// The namespace; empty means none.
    Uri(String),
    /// A prefix that is not declared.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Predicate {
    Position(Comparison, Place),
    Exists(Path),
    /// Whether some node of the operand is equal, or not equal.
    Equals {
        operand: Operand,
        literal: String,
        negated: bool,
    },
    Contains(Operand, String),
    StartsWith(Operand, String),
    Not(Box<Predicate>),
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Number(usize),
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    Path(Path),
    Name,
    LocalName,
    NamespaceUri,
}

impl Path {
    fn resolve(&mut self, namespaces: &[Namespace]) {
        for step in &mut self.steps {
            if let Test::Name { namespace, .. } = &mut step.test
                && let NamespaceTest::Prefix(prefix) = namespace
            {
                let found = namespaces.iter().find(|namespace| namespace.prefix == *prefix);
                *namespace =
                    found.map_or(NamespaceTest::Never, |found| NamespaceTest::Uri(found.uri.clone()));
            }
            for predicate in &mut step.predicates {
                predicate.resolve(namespaces);
            }
        }
    }
}

impl Predicate {
    fn resolve(&mut self, namespaces: &[Namespace]) {
        match self {
            Self::Position(..) => {}
            Self::Exists(path) => path.resolve(namespaces),
            Self::Equals { operand, .. } | Self::Contains(operand, _) | Self::StartsWith(operand, _) => {
                if let Operand::Path(path) = operand {
                    path.resolve(namespaces);
                }
            }
            Self::Not(inner) => inner.resolve(namespaces),
            Self::And(all) | Self::Or(all) => all.iter_mut().for_each(|one| one.resolve(namespaces)),
        }
    }

    /// Whether the outcome depends on where among its fellows a node stands.
    fn is_positional(&self) -> bool {
        match self {
            Self::Position(..) => true,
            Self::Not(inner) => inner.is_positional(),
            Self::And(all) | Self::Or(all) => all.iter().any(Self::is_positional),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
