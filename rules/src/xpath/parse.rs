//! From the text of an expression to its steps.

use std::ops::Range;

use super::{Axis, Comparison, NamespaceTest, Operand, Path, Place, Predicate, Step, Test, XPath};
use crate::limits;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct XPathError {
    /// What is wrong.
    pub message: String,
    /// Bytes of the expression; empty where something is missing.
    pub span: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl XPathError {
    fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self { message: message.into(), span, help: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    pub(super) fn undeclared(prefix: &str, span: Range<usize>) -> Self {
        Self::new(format!("the prefix `{prefix}` is not declared"), span).help(format!(
            "declare it in the rule with the action `xmlns:{prefix}=URI`, or write `*[local-name()='NAME']`"
        ))
    }
}

const KNOWN: &str = "paths of elements and attributes with predicates are known, such as \
                     `//item[@type='a']/name/text()`";

pub(super) fn parse(text: &[u8]) -> Result<XPath, XPathError> {
    let text = std::str::from_utf8(text)
        .map_err(|error| XPathError::new("the XPath is not UTF-8", error.valid_up_to()..text.len()))?;
    let mut parser = Parser { text, at: 0, depth: 0, prefixes: Vec::new() };
    let mut paths = Vec::new();
    loop {
        parser.refuse_value()?;
        paths.push(parser.path()?);
        if !parser.take("|") {
            break;
        }
    }
    parser.blanks();
    if parser.at < text.len() {
        let error = XPathError::new("this can't follow in an XPath", parser.at..text.len());
        return Err(error.help(KNOWN));
    }
    Ok(XPath { paths, prefixes: parser.prefixes })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// How many predicates and parentheses are open.
    depth: usize,
    /// The prefixes used, and where.
    prefixes: Vec<(String, Range<usize>)>,
}

type Parsed<T> = Result<T, XPathError>;

impl<'a> Parser<'a> {
    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_ascii_start().len();
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// What follows after blanks.
    fn ahead(&self) -> &'a str {
        self.rest().trim_ascii_start()
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.ahead().starts_with(token);
        if found {
            self.blanks();
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.take(token) { Ok(()) } else { Err(self.missing(&format!("`{token}`"))) }
    }

    /// An error about what stands here instead of `what`.
    fn missing(&mut self, what: &str) -> XPathError {
        self.blanks();
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        XPathError::new(format!("{what} is missing here"), self.at..self.at + length).help(KNOWN)
    }

    /// The name that stands here, without moving on.
    fn name_ahead(&self) -> &'a str {
        let ahead = self.ahead();
        let start = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
        if !ahead.starts_with(start) {
            return "";
        }
        let end = ahead.find(|c: char| !(start(c) || c.is_ascii_digit() || matches!(c, '-' | '.')));
        ahead.get(..end.unwrap_or(ahead.len())).unwrap_or_default()
    }

    fn take_name(&mut self) -> Option<(&'a str, Range<usize>)> {
        let name = self.name_ahead();
        self.blanks();
        let start = self.at;
        self.at += name.len();
        (!name.is_empty()).then_some((name, start..self.at))
    }

    /// Takes a word such as `and`, if it stands here as a whole.
    fn take_word(&mut self, word: &str) -> bool {
        self.name_ahead() == word && self.take(word)
    }

    /// Takes `name(`, if it stands here.
    fn take_call(&mut self, name: &str) -> bool {
        let rest = self.ahead().strip_prefix(name).map(str::trim_ascii_start);
        let found = self.name_ahead() == name && rest.is_some_and(|rest| rest.starts_with('('));
        found && self.take(name) && self.take("(")
    }

    /// Refuses what gives a value instead of nodes.
    fn refuse_value(&mut self) -> Parsed<()> {
        let name = self.name_ahead();
        let called =
            self.ahead().strip_prefix(name).is_some_and(|rest| rest.trim_ascii_start().starts_with('('));
        if !name.is_empty() && called && !matches!(name, "text" | "node") {
            self.blanks();
            let message = format!("`{name}()` gives no nodes to look at");
            return Err(XPathError::new(message, self.at..self.at + name.len()).help(KNOWN));
        }
        Ok(())
    }

    fn path(&mut self) -> Parsed<Path> {
        let mut path = Path { absolute: false, steps: Vec::new() };
        if self.take("//") {
            path.absolute = true;
            self.below(&mut path.steps)?;
        } else if self.take("/") {
            path.absolute = true;
            if !self.begins_step() {
                return Ok(path);
            }
            path.steps.push(self.step()?);
        } else {
            path.steps.push(self.step()?);
        }
        loop {
            if self.take("//") {
                self.below(&mut path.steps)?;
            } else if self.take("/") {
                path.steps.push(self.step()?);
            } else {
                return Ok(path);
            }
        }
    }

    fn begins_step(&self) -> bool {
        self.ahead().starts_with(['.', '@', '*']) || !self.name_ahead().is_empty()
    }

    /// The step after `//`.
    fn below(&mut self, steps: &mut Vec<Step>) -> Parsed<()> {
        let mut step = self.step()?;
        // `//a` is every `a` below, unless it says which `a` of its parent.
        if step.axis == Axis::Child && !step.predicates.iter().any(Predicate::is_positional) {
            step.axis = Axis::Descendant;
        } else {
            steps.push(Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() });
        }
        steps.push(step);
        Ok(())
    }

    fn step(&mut self) -> Parsed<Step> {
        let plain = |axis| Step { axis, test: Test::Node, predicates: Vec::new() };
        if self.take("..") {
            return Ok(plain(Axis::Parent));
        }
        if self.take(".") {
            return Ok(plain(Axis::This));
        }
        let axis = if self.take("@") { Axis::Attribute } else { self.axis()? };
        let test = self.test()?;
        let mut predicates = Vec::new();
        while self.take("[") {
            predicates.push(self.nested(Self::predicate)?);
            self.expect("]")?;
        }
        Ok(Step { axis, test, predicates })
    }

    fn axis(&mut self) -> Parsed<Axis> {
        let name = self.name_ahead();
        let rest = self.ahead().strip_prefix(name).unwrap_or_default();
        if name.is_empty() || !rest.trim_ascii_start().starts_with("::") {
            return Ok(Axis::Child);
        }
        let axis = match name {
            "child" => Axis::Child,
            "descendant" => Axis::Descendant,
            "descendant-or-self" => Axis::DescendantOrSelf,
            "attribute" => Axis::Attribute,
            "self" => Axis::This,
            "parent" => Axis::Parent,
            _ => {
                self.blanks();
                let span = self.at..self.at + name.len();
                let help = "the axes are `child`, `descendant`, `descendant-or-self`, `attribute`, `self` \
                            and `parent`";
                return Err(XPathError::new(format!("the axis `{name}` is not known"), span).help(help));
            }
        };
        self.take(name);
        self.take("::");
        Ok(axis)
    }

    fn test(&mut self) -> Parsed<Test> {
        if self.take("*") {
            return Ok(Test::Name { namespace: NamespaceTest::Any, local: None });
        }
        for (name, test) in [("text", Test::Text), ("node", Test::Node)] {
            if self.take_call(name) {
                self.expect(")")?;
                return Ok(test);
            }
        }
        let Some((name, span)) = self.take_name() else {
            return Err(self.missing("the name of an element or attribute"));
        };
        if self.ahead().starts_with('(') {
            let error = XPathError::new(format!("`{name}()` selects no nodes that are kept"), span);
            return Err(error.help("`text()` and `node()` are known"));
        }
        // The name goes on right after a colon; `::` would be an axis.
        let Some(rest) = self.rest().strip_prefix(':') else {
            let namespace = NamespaceTest::Uri(String::new());
            return Ok(Test::Name { namespace, local: Some(name.to_owned()) });
        };
        self.prefixes.push((name.to_owned(), span));
        self.at += 1;
        let namespace = NamespaceTest::Prefix(name.to_owned());
        if rest.starts_with('*') {
            self.at += 1;
            return Ok(Test::Name { namespace, local: None });
        }
        match self.take_name() {
            Some((local, _)) => Ok(Test::Name { namespace, local: Some(local.to_owned()) }),
            None => Err(self.missing("the name after the prefix")),
        }
    }

    /// Parses what is within brackets or parentheses.
    fn nested<T>(&mut self, inner: fn(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == limits::XPATH_DEPTH {
            let message = format!("predicates are nested deeper than {}", limits::XPATH_DEPTH);
            return Err(XPathError::new(message, self.at..self.at));
        }
        self.depth += 1;
        let result = inner(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn predicate(&mut self) -> Parsed<Predicate> {
        if let Some(number) = self.number()? {
            return Ok(Predicate::Position(Comparison::Equal, Place::Number(number)));
        }
        if self.take_call("last") {
            self.expect(")")?;
            return Ok(Predicate::Position(Comparison::Equal, Place::Last));
        }
        self.any_of()
    }

    fn any_of(&mut self) -> Parsed<Predicate> {
        let first = self.all_of()?;
        let mut more = Vec::new();
        while self.take_word("or") {
            more.push(self.all_of()?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(Predicate::Or(more))
    }

    fn all_of(&mut self) -> Parsed<Predicate> {
        let first = self.condition()?;
        let mut more = Vec::new();
        while self.take_word("and") {
            more.push(self.condition()?);
        }
        if more.is_empty() {
            return Ok(first);
        }
        more.insert(0, first);
        Ok(Predicate::And(more))
    }

    fn condition(&mut self) -> Parsed<Predicate> {
        if self.take_call("not") {
            let inner = self.nested(Self::any_of)?;
            self.expect(")")?;
            return Ok(Predicate::Not(Box::new(inner)));
        }
        if self.take("(") {
            let inner = self.nested(Self::any_of)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.take_call("position") {
            self.expect(")")?;
            return self.position();
        }
        for (name, make) in [
            ("contains", Predicate::Contains as fn(Operand, String) -> Predicate),
            ("starts-with", Predicate::StartsWith),
        ] {
            if self.take_call(name) {
                let operand = self.operand()?;
                self.expect(",")?;
                let literal = self.literal()?;
                self.expect(")")?;
                return Ok(make(operand, literal));
            }
        }
        let operand = self.operand()?;
        let negated = self.take("!=");
        if negated || self.take("=") {
            return Ok(Predicate::Equals { operand, literal: self.literal()?, negated });
        }
        match operand {
            Operand::Path(path) => Ok(Predicate::Exists(path)),
            _ => Err(self.missing("`=`")),
        }
    }

    fn position(&mut self) -> Parsed<Predicate> {
        let comparisons = [
            ("=", Comparison::Equal),
            ("!=", Comparison::Unequal),
            ("<=", Comparison::LessOrEqual),
            ("<", Comparison::Less),
            (">=", Comparison::GreaterOrEqual),
            (">", Comparison::Greater),
        ];
        let Some((_, comparison)) = comparisons.into_iter().find(|(token, _)| self.take(token)) else {
            return Err(self.missing("a comparison"));
        };
        if self.take_call("last") {
            self.expect(")")?;
            return Ok(Predicate::Position(comparison, Place::Last));
        }
        match self.number()? {
            Some(number) => Ok(Predicate::Position(comparison, Place::Number(number))),
            None => Err(self.missing("a number or `last()`")),
        }
    }

    fn operand(&mut self) -> Parsed<Operand> {
        for (name, operand) in [
            ("name", Operand::Name),
            ("local-name", Operand::LocalName),
            ("namespace-uri", Operand::NamespaceUri),
        ] {
            if self.take_call(name) {
                self.expect(")")?;
                return Ok(operand);
            }
        }
        let name = self.name_ahead();
        if !matches!(name, "" | "text" | "node") && self.take_call(name) {
            let span = self.at.saturating_sub(name.len() + 1)..self.at.saturating_sub(1);
            let help = "the functions are `contains`, `last`, `local-name`, `name`, `namespace-uri`, `not`, \
                        `position` and `starts-with`";
            return Err(XPathError::new(format!("the function `{name}()` is not known"), span).help(help));
        }
        self.path().map(Operand::Path)
    }

    fn literal(&mut self) -> Parsed<String> {
        let quote = match self.ahead().chars().next() {
            Some(quote @ ('\'' | '"')) => quote,
            _ => {
                let error = self.missing("a text in quotes");
                return Err(error.help("only text is compared: write `'1'` for 1"));
            }
        };
        self.blanks();
        let open = self.at;
        self.at += 1;
        let Some(length) = self.rest().find(quote) else {
            return Err(XPathError::new("the quote opened here is never closed", open..open + 1));
        };
        let literal = self.rest().get(..length).unwrap_or_default().to_owned();
        self.at += length + 1;
        Ok(literal)
    }

    fn number(&mut self) -> Parsed<Option<usize>> {
        let ahead = self.ahead();
        let length = ahead.find(|c: char| !c.is_ascii_digit()).unwrap_or(ahead.len());
        if length == 0 {
            return Ok(None);
        }
        self.blanks();
        let span = self.at..self.at + length;
        self.at = span.end;
        match self.text.get(span.clone()).and_then(|digits| digits.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(XPathError::new("the number is too large", span)),
        }
    }
}
