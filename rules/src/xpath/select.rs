//! Which nodes of a document an expression selects.

use std::borrow::Cow;

use super::tree::{Id, Kind, Node, Tree};
use super::{Axis, Comparison, NamespaceTest, Operand, Path, Place, Predicate, Step, Test, XPath};

/// What evaluation may still cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// Nodes looked at, or [`BYTES_PER_STEP`] bytes of text.
    pub(crate) steps: usize,
    /// Bytes of the values of selected nodes.
    pub(crate) value_bytes: usize,
}

/// The budget is spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

const NOTHING: Cow<'static, [u8]> = Cow::Borrowed(b"");

/// Bytes of text that may be looked at for one step of the budget.
const BYTES_PER_STEP: usize = 64;

impl XPath {
    /// Hands the value of each selected node to `found`, in document order.
    pub(crate) fn select(
        &self,
        tree: &Tree,
        store: &[u8],
        budget: &mut Budget,
        found: &mut impl FnMut(&[u8]),
    ) -> Result<(), Exhausted> {
        let mut selection = Selection { tree, store, budget };
        let mut nodes = Vec::new();
        for path in &self.paths {
            nodes.extend(selection.path(path, 0)?);
        }
        in_order(&mut nodes);
        for id in nodes {
            let value = selection.value(id)?;
            let left = selection.budget.value_bytes.checked_sub(value.len());
            selection.budget.value_bytes = left.ok_or(Exhausted)?;
            found(&value);
        }
        Ok(())
    }
}

/// Sorts by document order and leaves duplicates out.
fn in_order(nodes: &mut Vec<Id>) {
    if !nodes.is_sorted_by(|a, b| a < b) {
        nodes.sort_unstable();
        nodes.dedup();
    }
}

struct Selection<'a> {
    tree: &'a Tree,
    store: &'a [u8],
    budget: &'a mut Budget,
}

impl<'a> Selection<'a> {
    fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.budget.steps = self.budget.steps.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }

    /// The nodes that a path leads to from `from`, in order.
    fn path(&mut self, path: &Path, from: Id) -> Result<Vec<Id>, Exhausted> {
        let mut nodes = vec![if path.absolute { 0 } else { from }];
        for step in &path.steps {
            nodes = self.step(step, &nodes)?;
        }
        Ok(nodes)
    }

    fn step(&mut self, step: &Step, from: &[Id]) -> Result<Vec<Id>, Exhausted> {
        let mut out = Vec::new();
        if step.predicates.iter().any(Predicate::is_positional) {
            for id in from {
                let mut group = Vec::new();
                self.axis(step, std::slice::from_ref(id), &mut group)?;
                self.filter(&step.predicates, &mut group)?;
                out.append(&mut group);
            }
            in_order(&mut out);
        } else {
            self.axis(step, from, &mut out)?;
            in_order(&mut out);
            self.filter(&step.predicates, &mut out)?;
        }
        Ok(out)
    }

    /// The nodes on the step's axis that pass its test. `from` is in order.
    fn axis(&mut self, step: &Step, from: &[Id], out: &mut Vec<Id>) -> Result<(), Exhausted> {
        let tree = self.tree;
        // What lies below a node was seen when it lay below an earlier one, too.
        let mut seen = 0;
        for &id in from {
            self.spend(1)?;
            match step.axis {
                Axis::Child => {
                    for child in tree.children(id) {
                        self.consider(step, child, out)?;
                    }
                }
                Axis::Descendant | Axis::DescendantOrSelf => {
                    let first = if step.axis == Axis::Descendant { id + 1 } else { id };
                    let end = tree.node(id).map_or(0, |node| node.end);
                    for below in first.max(seen)..end {
                        let attribute = tree.node(below).is_some_and(|node| node.kind == Kind::Attribute);
                        if !attribute || below == id {
                            self.consider(step, below, out)?;
                        } else {
                            self.spend(1)?;
                        }
                    }
                    seen = seen.max(end);
                }
                Axis::Attribute => {
                    for attribute in tree.attributes(id) {
                        self.consider(step, attribute, out)?;
                    }
                }
                Axis::This => self.consider(step, id, out)?,
                Axis::Parent => {
                    if let Some(node) = tree.node(id).filter(|_| id != 0) {
                        self.consider(step, node.parent, out)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn consider(&mut self, step: &Step, id: Id, out: &mut Vec<Id>) -> Result<(), Exhausted> {
        self.spend(1)?;
        let Some(node) = self.tree.node(id) else { return Ok(()) };
        let passes = match &step.test {
            Test::Node => true,
            Test::Text => node.kind == Kind::Text,
            Test::Name { namespace, local } => {
                let principal = if step.axis == Axis::Attribute { Kind::Attribute } else { Kind::Element };
                node.kind == principal
                    && local.as_ref().is_none_or(|local| local == self.tree.local_name(node))
                    && self.is_in(node, namespace)?
            }
        };
        if passes {
            out.push(id);
        }
        Ok(())
    }

    fn is_in(&mut self, node: &Node, namespace: &NamespaceTest) -> Result<bool, Exhausted> {
        match namespace {
            NamespaceTest::Any => Ok(true),
            NamespaceTest::Uri(uri) => Ok(self.namespace(node)? == uri.as_bytes()),
            NamespaceTest::Prefix(_) | NamespaceTest::Never => Ok(false),
        }
    }

    fn namespace(&mut self, node: &Node) -> Result<&'a [u8], Exhausted> {
        let (uri, looked_at) = self.tree.namespace(node, self.store);
        self.spend(looked_at)?;
        Ok(uri)
    }

    fn filter(&mut self, predicates: &[Predicate], nodes: &mut Vec<Id>) -> Result<(), Exhausted> {
        for predicate in predicates {
            let last = nodes.len();
            let mut kept = Vec::with_capacity(last);
            for (&id, position) in nodes.iter().zip(1..) {
                if self.holds(predicate, id, position, last)? {
                    kept.push(id);
                }
            }
            *nodes = kept;
        }
        Ok(())
    }

    fn holds(
        &mut self,
        predicate: &Predicate,
        id: Id,
        position: usize,
        last: usize,
    ) -> Result<bool, Exhausted> {
        self.spend(1)?;
        match predicate {
            Predicate::Position(comparison, place) => {
                let place = match place {
                    Place::Number(number) => *number,
                    Place::Last => last,
                };
                Ok(comparison.holds(position, place))
            }
            Predicate::Exists(path) => Ok(!self.path(path, id)?.is_empty()),
            Predicate::Equals { operand, literal, negated } => {
                let equal = |value: &[u8]| (value == literal.as_bytes()) != *negated;
                match operand {
                    Operand::Path(path) => {
                        for node in self.path(path, id)? {
                            if equal(&self.value(node)?) {
                                return Ok(true);
                            }
                        }
                        Ok(false)
                    }
                    _ => Ok(equal(&self.text(operand, id)?)),
                }
            }
            Predicate::Contains(operand, literal) => {
                let text = self.text(operand, id)?;
                Ok(memchr::memmem::find(&text, literal.as_bytes()).is_some())
            }
            Predicate::StartsWith(operand, literal) => {
                Ok(self.text(operand, id)?.starts_with(literal.as_bytes()))
            }
            Predicate::Not(inner) => Ok(!self.holds(inner, id, position, last)?),
            Predicate::And(all) => {
                for one in all {
                    if !self.holds(one, id, position, last)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Predicate::Or(all) => {
                for one in all {
                    if self.holds(one, id, position, last)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    /// An operand as text: of several nodes the first.
    fn text(&mut self, operand: &Operand, id: Id) -> Result<Cow<'a, [u8]>, Exhausted> {
        let tree = self.tree;
        let Some(node) = tree.node(id) else { return Ok(NOTHING) };
        self.spend(tree.full_name(node).len() / BYTES_PER_STEP)?;
        match operand {
            Operand::Path(path) => match self.path(path, id)?.first() {
                Some(&first) => self.value(first),
                None => Ok(NOTHING),
            },
            Operand::Name => Ok(tree.full_name(node).as_bytes().into()),
            Operand::LocalName => Ok(tree.local_name(node).as_bytes().into()),
            Operand::NamespaceUri => match node.kind {
                Kind::Element | Kind::Attribute => Ok(self.namespace(node)?.into()),
                Kind::Document | Kind::Text => Ok(NOTHING),
            },
        }
    }

    /// The value of a node: that of an attribute or text, else all text within it.
    fn value(&mut self, id: Id) -> Result<Cow<'a, [u8]>, Exhausted> {
        let (tree, store) = (self.tree, self.store);
        let text = |node: &Node| store.get(node.value.clone()).unwrap_or_default();
        let Some(node) = tree.node(id) else { return Ok(NOTHING) };
        if matches!(node.kind, Kind::Attribute | Kind::Text) {
            let value = text(node);
            self.spend(value.len() / BYTES_PER_STEP)?;
            return Ok(value.into());
        }
        self.spend(node.end - id)?;
        let mut value = Vec::new();
        for below in (id..node.end).filter_map(|id| tree.node(id)).filter(|node| node.kind == Kind::Text) {
            let piece = text(below);
            self.spend(piece.len() / BYTES_PER_STEP)?;
            value.extend_from_slice(piece);
        }
        Ok(value.into())
    }
}

impl Comparison {
    fn holds(self, a: usize, b: usize) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Unequal => a != b,
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
        }
    }
}
