//! The form of ARMR, without its meaning: statements `name(parameters)`, blocks `name(parameters): …
//! endname`, and values.

use super::lexer::{Lexer, Token, TokenKind};
use crate::diagnostic::{Code, Diagnostic, SourceId, Span};
use crate::limits;

/// A name with its place.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) kind: ValueKind,
    pub(super) span: Span,
}

#[derive(Clone, Debug)]
pub(super) enum ValueKind {
    Word(String),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(Word, Value)>),
}

/// `value` or `name: value`.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: Option<Word>,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) name: Word,
    pub(super) parameters: Vec<Parameter>,
    /// What stands in a block.
    pub(super) body: Option<Vec<Statement>>,
}

/// A block at the top: an app, or what stands in the place of one.
#[derive(Debug)]
pub(super) enum Top {
    Block(Statement),
    /// It can't be read; the diagnostic says why, and the name of the app is given where it is known.
    Broken(Box<Diagnostic>, Option<String>),
}

pub(super) struct Parser<'a> {
    lexer: Lexer<'a>,
    source: SourceId,
    token: Token,
    /// What was read last, for diagnostics at the end.
    depth: usize,
    /// The name of the app that is being read.
    app: Option<String>,
}

type Parsed<T> = Result<T, Box<Diagnostic>>;

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, source: SourceId) -> Self {
        let token = Token { kind: TokenKind::End, span: Span::default() };
        Self { lexer: Lexer::new(text), source, token, depth: 0, app: None }
    }

    /// All blocks of the text.
    pub(super) fn all(mut self) -> Vec<Top> {
        let mut found = Vec::new();
        let mut error = self.advance().err();
        loop {
            if let Some(diagnostic) = error.take() {
                found.push(Top::Broken(diagnostic, self.app.take()));
                // The next app that can be read follows the end of this one.
                if !self.recover() {
                    return found;
                }
            }
            if self.token.kind == TokenKind::End {
                return found;
            }
            self.app = None;
            self.depth = 0;
            match self.statement() {
                Ok(statement) => found.push(Top::Block(statement)),
                Err(diagnostic) => error = Some(diagnostic),
            }
        }
    }

    /// Goes on behind the next `endapp`.
    fn recover(&mut self) -> bool {
        loop {
            let here = matches!(&self.token.kind, TokenKind::Word(word) if word == "endapp");
            if self.token.kind == TokenKind::End {
                return false;
            }
            // What can't be read on the way belongs to the app that is given up.
            while self.advance().is_err() {}
            if here {
                return true;
            }
        }
    }

    fn advance(&mut self) -> Parsed<Token> {
        match self.lexer.next() {
            Ok(next) => Ok(std::mem::replace(&mut self.token, next)),
            Err(error) => {
                // Something that is not the end stands here.
                self.token = Token { kind: TokenKind::Mark(','), span: error.span };
                Err(Box::new(self.error(error.span, error.message).help(error.help)))
            }
        }
    }

    fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Code::E0501, message).at(self.source, span, "")
    }

    fn expected<T>(&self, what: &str) -> Parsed<T> {
        let found = match &self.token.kind {
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Text(_) => "a string".to_owned(),
            TokenKind::Mark(mark) => format!("`{mark}`"),
            TokenKind::End => "the end of the text".to_owned(),
        };
        Err(Box::new(self.error(self.token.span, format!("{what} is expected, not {found}"))))
    }

    fn is_mark(&self, mark: char) -> bool {
        self.token.kind == TokenKind::Mark(mark)
    }

    fn mark(&mut self, mark: char) -> Parsed<()> {
        if !self.is_mark(mark) {
            return self.expected(&format!("`{mark}`"));
        }
        self.advance().map(drop)
    }

    fn word(&mut self, what: &str) -> Parsed<Word> {
        let TokenKind::Word(text) = &self.token.kind else { return self.expected(what) };
        let word = Word { text: text.clone(), span: self.token.span };
        self.advance()?;
        Ok(word)
    }

    fn deeper(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > limits::ARMR_DEPTH {
            let message = format!("the text is nested more than {} deep", limits::ARMR_DEPTH);
            return Err(Box::new(self.error(self.token.span, message)));
        }
        Ok(())
    }

    fn statement(&mut self) -> Parsed<Statement> {
        let name = self.word("the name of a statement")?;
        self.deeper()?;
        self.mark('(')?;
        let mut parameters = Vec::new();
        while !self.is_mark(')') {
            parameters.push(self.parameter()?);
            if !self.is_mark(',') {
                break;
            }
            self.advance()?;
            if self.is_mark(')') {
                return self.expected("a parameter");
            }
        }
        if !self.is_mark(')') {
            return self.expected("`,` or `)`");
        }
        if name.text == "app" {
            self.app = parameters.first().and_then(|first| match &first.value.kind {
                ValueKind::Text(text) => Some(text.clone()),
                _ => None,
            });
        }
        self.advance()?;
        let mut body = None;
        if self.is_mark(':') {
            body = Some(self.body(&name)?);
        }
        self.depth -= 1;
        Ok(Statement { name, parameters, body })
    }

    fn body(&mut self, name: &Word) -> Parsed<Vec<Statement>> {
        let end = format!("end{}", name.text);
        if name.text == "code" {
            // Another language.
            if !self.lexer.skip_raw(&end) {
                return Err(Box::new(
                    self.error(name.span, "the code is not closed").help("close it with `endcode`"),
                ));
            }
            self.advance()?;
            return Ok(Vec::new());
        }
        self.advance()?;
        let mut statements = Vec::new();
        loop {
            match &self.token.kind {
                TokenKind::Word(word) if *word == end => {
                    // `endapp` ends the app even when what follows can't be read.
                    if let Err(error) = self.advance()
                        && name.text != "app"
                    {
                        return Err(error);
                    }
                    return Ok(statements);
                }
                TokenKind::Word(word) if word.starts_with("end") => {
                    let message = format!("`{end}` is expected, not `{word}`");
                    let error = self.error(self.token.span, message);
                    return Err(Box::new(error.at(self.source, name.span, "opened here")));
                }
                TokenKind::End => {
                    let message = format!("`{}` is not closed", name.text);
                    return Err(Box::new(
                        self.error(name.span, message).help(format!("close it with `{end}`")),
                    ));
                }
                _ => statements.push(self.statement()?),
            }
        }
    }

    fn parameter(&mut self) -> Parsed<Parameter> {
        let value = self.value()?;
        if let ValueKind::Word(text) = &value.kind
            && self.is_mark(':')
        {
            let name = Word { text: text.clone(), span: value.span };
            self.advance()?;
            return Ok(Parameter { name: Some(name), value: self.value()? });
        }
        Ok(Parameter { name: None, value })
    }

    fn value(&mut self) -> Parsed<Value> {
        let start = self.token.span;
        let kind = match self.token.kind.clone() {
            TokenKind::Word(word) => ValueKind::Word(word),
            TokenKind::Text(text) => ValueKind::Text(text),
            TokenKind::Mark('[') => return self.list(start),
            TokenKind::Mark('{') => return self.map(start),
            _ => return self.expected("a value"),
        };
        self.advance()?;
        Ok(Value { kind, span: start })
    }

    fn list(&mut self, start: Span) -> Parsed<Value> {
        self.deeper()?;
        self.advance()?;
        let mut items = Vec::new();
        while !self.is_mark(']') {
            items.push(self.value()?);
            if !self.is_mark(',') {
                break;
            }
            self.advance()?;
        }
        let end = self.token.span.end;
        self.mark(']')?;
        self.depth -= 1;
        Ok(Value { kind: ValueKind::List(items), span: Span { start: start.start, end } })
    }

    fn map(&mut self, start: Span) -> Parsed<Value> {
        self.deeper()?;
        self.advance()?;
        let mut members = Vec::new();
        while !self.is_mark('}') {
            let key = match &self.token.kind {
                TokenKind::Text(text) => Word { text: text.clone(), span: self.token.span },
                TokenKind::Word(text) => Word { text: text.clone(), span: self.token.span },
                _ => return self.expected("a key"),
            };
            self.advance()?;
            self.mark(':')?;
            members.push((key, self.value()?));
            if !self.is_mark(',') {
                break;
            }
            self.advance()?;
        }
        let end = self.token.span.end;
        self.mark('}')?;
        self.depth -= 1;
        Ok(Value { kind: ValueKind::Map(members), span: Span { start: start.start, end } })
    }
}
