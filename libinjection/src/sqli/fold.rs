//! Drops and merges tokens that do not change what kind of statement it is.
//!
//! A window slides over the tokens. Everything left of it is settled; in it, two and then three tokens are compared
//! with the rules below, in their order. A rule that removes something moves the window back, so that others see
//! the result. When no rule applies, the window moves on by one token, until five are settled.
//!
//! Where a rule drops tokens, it drops those read last. These are the ones it looked at, except where the window
//! moved back over tokens that were read before; libinjection does the same, and its fingerprints depend on it.

use super::lookup::{LONGEST, keyword};
use super::token::{Kind, MAX_TOKENS, Token};
use super::tokenizer::{Tokens, tokens};
use super::{Context, Fingerprint};
use Kind::{
    Backslash, Bareword, Collate, Comma, Comment, Dot, Evil, Expression, Function, Group, Keyword, LeftBrace,
    LeftParenthesis, LogicOperator, Number, Operator, RightBrace, RightParenthesis, Semicolon, SqlType,
    String, TransactSql, Union, Variable,
};

/// One token more than a fingerprint has is kept, because it can settle what the last one is.
const SLOTS: usize = MAX_TOKENS + 1;

/// Reads `input` in `context` and folds its tokens.
pub fn fold(input: &[u8], context: Context) -> Folded {
    Folder::new(tokens(input, context)).run()
}

/// The tokens that are left after folding.
#[derive(Clone, Copy, Debug)]
pub struct Folded {
    slots: [Token; SLOTS],
    length: usize,
    /// The tokens read, which may be many more.
    pub(super) seen: usize,
    /// Whether MySQL reads the input differently.
    pub(super) reads_differently_in_mysql: bool,
}

impl Folded {
    /// The tokens: five at most, or six when the last one is [`Kind::Evil`].
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        self.slots.get(..self.length).unwrap_or(&[])
    }

    /// The fingerprint of the tokens.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        if self.tokens().iter().any(|token| token.kind == Evil) {
            Fingerprint::EVIL
        } else {
            Fingerprint::of(self.tokens())
        }
    }

    /// PHP applications of old took an unclosed back quote at the end for a comment; so does this.
    pub(super) fn with_back_quote_comment(mut self) -> Self {
        if self.length > 2
            && let Some(last) = self.slots.get_mut(self.length - 1)
            && last.kind == Bareword
            && last.opened == Some(b'`')
            && last.closed.is_none()
            && last.value().is_empty()
        {
            last.kind = Comment;
        }
        self
    }
}

/// What a rule did.
enum Step {
    /// Something changed: start over at the window.
    Again,
    /// Nothing that matters here: go on.
    On,
    /// The input is an attack that cannot be folded.
    Stop,
}

struct Folder<'a> {
    source: Tokens<'a>,
    slots: [Token; SLOTS],
    /// The slot of the next token to be read.
    next: usize,
    /// The first slot of the window.
    left: usize,
    /// Whether the source may have more tokens.
    more: bool,
    /// The last token read, if it was a comment.
    comment: Option<Token>,
}

impl<'a> Folder<'a> {
    fn new(source: Tokens<'a>) -> Self {
        Self {
            source,
            slots: [Token::new(Kind::Unknown, &[]); SLOTS],
            next: 0,
            left: 0,
            more: true,
            comment: None,
        }
    }

    fn run(mut self) -> Folded {
        if self.skip_start() {
            self.fold();
        }
        Folded {
            slots: self.slots,
            length: self.left,
            seen: self.source.seen,
            reads_differently_in_mysql: self.source.reads_differently_in_mysql,
        }
    }

    /// Reads the first token that is no comment, left parenthesis, type or unary operator.
    fn skip_start(&mut self) -> bool {
        for token in self.source.by_ref() {
            if !(matches!(token.kind, Comment | LeftParenthesis | SqlType) || token.is_unary()) {
                self.put(0, token);
                self.next = 1;
                return true;
            }
        }
        false
    }

    fn fold(&mut self) {
        loop {
            if self.next >= MAX_TOKENS {
                self.shorten_full_window();
            }
            if !self.more || self.left >= MAX_TOKENS {
                self.left = self.next;
                break;
            }
            if !self.fill(2) {
                self.left = self.next;
                continue;
            }
            match self.fold_two() {
                Step::Again => continue,
                Step::Stop => {
                    self.left += 2;
                    return;
                }
                Step::On => {}
            }
            if !self.fill(3) {
                self.left = self.next;
                continue;
            }
            match self.fold_three() {
                Step::Again => {}
                Step::On | Step::Stop => self.left += 1,
            }
        }
        if self.left < MAX_TOKENS
            && let Some(comment) = self.comment
        {
            self.put(self.left, comment);
            self.left += 1;
        }
        self.left = self.left.min(MAX_TOKENS);
    }

    /// Reads until the window has `count` tokens; whether it could.
    fn fill(&mut self, count: usize) -> bool {
        while self.more && self.next < SLOTS && self.next < self.left + count {
            match self.source.next() {
                Some(token) if token.kind == Comment => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.put(self.next, token);
                    self.next += 1;
                }
                None => self.more = false,
            }
        }
        self.next >= self.left + count
    }

    /// Five tokens that are an expression and nothing else are cut down to the first one.
    fn shorten_full_window(&mut self) {
        let [a, b, c, d, e, last] = self.slots;
        let expression = matches!(
            (a.kind, b.kind, c.kind, d.kind, e.kind),
            (Number, Operator | Comma, LeftParenthesis, Number, RightParenthesis)
                | (Bareword, Operator, LeftParenthesis, Bareword | Number, RightParenthesis)
                | (Number, RightParenthesis, Comma, LeftParenthesis, Number)
                | (Bareword, RightParenthesis, Operator, LeftParenthesis, Bareword)
        );
        if expression {
            self.left = 0;
            self.next = if self.next > MAX_TOKENS {
                self.put(1, last);
                2
            } else {
                1
            };
        }
    }

    /// The rules on two tokens.
    fn fold_two(&mut self) -> Step {
        let (Some(a), Some(b)) = (self.token(self.left), self.token(self.left + 1)) else { return Step::On };
        match (a.kind, b.kind) {
            // Strings side by side are one; so are semicolons.
            (String, String) | (Semicolon, Semicolon) => self.drop_last(1, self.left),
            (Operator | LogicOperator, kind) if kind == SqlType || b.is_unary() => self.drop_last(1, 0),
            (LeftParenthesis, _) if b.is_unary() => self.drop_last(1, self.left.saturating_sub(1)),
            _ if self.merge_words(&a, &b) => self.drop_last(1, self.left.saturating_sub(1)),
            // `; IF` is a statement in Transact-SQL, and a function elsewhere.
            (Semicolon, Function) if b.starts_with("IF") => self.retype(self.left + 1, TransactSql),
            (Bareword | Variable, LeftParenthesis) if is_function_before_parenthesis(&a) => {
                self.retype(self.left, Function)
            }
            // An operator before a list, or part of a phrase such as `IN BOOLEAN MODE`.
            (Keyword, kind) if a.is("IN") || a.is("NOT IN") => {
                self.retype(self.left, if kind == LeftParenthesis { Operator } else { Bareword })
            }
            (Operator, kind) if a.is("LIKE") || a.is("NOT LIKE") => {
                if kind == LeftParenthesis {
                    self.retype(self.left, Function);
                }
                Step::On
            }
            // A cast: the value counts.
            (SqlType, Bareword | Number | SqlType | LeftParenthesis | Function | Variable | String) => {
                self.put(self.left, b);
                self.drop_last(1, 0)
            }
            // Collations are too many for a table, but their names have an underscore.
            (Collate, Bareword) => {
                if b.value().contains(&b'_') {
                    self.retype(self.left + 1, SqlType);
                    self.left = 0;
                }
                Step::On
            }
            // Transact-SQL reads `\%1` as `0 % 1`, and `\1` as `1`.
            (Backslash, _) if b.is_arithmetic() => {
                self.retype(self.left, Number);
                self.drop_last(0, 0)
            }
            (Backslash, _) => {
                self.put(self.left, b);
                self.drop_last(1, 0)
            }
            (LeftParenthesis, LeftParenthesis) | (RightParenthesis, RightParenthesis) => self.drop_last(1, 0),
            // MySQL takes ``{``.``.id}`` for a column. Nobody writes that.
            (LeftBrace, Bareword) if b.value().is_empty() => {
                self.retype(self.left + 1, Evil);
                Step::Stop
            }
            // `{name expression}` of ODBC is the expression.
            (LeftBrace, Bareword) => self.drop_last(2, 0),
            (_, RightBrace) => self.drop_last(1, 0),
            _ => Step::On,
        }
    }

    /// The rules on three tokens.
    fn fold_three(&mut self) -> Step {
        let (Some(a), Some(b), Some(c)) =
            (self.token(self.left), self.token(self.left + 1), self.token(self.left + 2))
        else {
            return Step::On;
        };
        match (a.kind, b.kind, c.kind) {
            // Arithmetic, lists and conditions are as their first part.
            (Number, Operator, Number) => self.drop_last(2, 0),
            (Operator, middle, Operator) if middle != LeftParenthesis => self.drop_last(2, 0),
            (LogicOperator, _, LogicOperator) => self.drop_last(2, 0),
            (Variable, Operator, Variable | Number | Bareword) => self.drop_last(2, 0),
            (Bareword | Number, Operator, Number | Bareword) => self.drop_last(2, 0),
            (Bareword | Number | Variable | String, Operator, SqlType) if b.value() == b"::" => {
                self.drop_last(2, 0)
            }
            (Bareword | Number | String | Variable, Comma, Number | Bareword | String | Variable) => {
                self.drop_last(2, 0)
            }
            // Unary operators go.
            (Expression | Group | Comma, _, LeftParenthesis) if b.is_unary() => self.drop_middle(c, 1),
            (Keyword | Expression | Group, _, Number | Bareword | Variable | String | Function)
                if b.is_unary() =>
            {
                self.drop_middle(c, 1)
            }
            // `1, -1` is a list: read it again without the rest of it.
            (Comma, _, Number | Bareword | Variable | String) if b.is_unary() => self.drop_middle(c, 3),
            (Comma, _, Function) if b.is_unary() => self.drop_middle(c, 1),
            // `schema.table` is a name.
            (Bareword, Dot, Bareword) => self.drop_last(2, 0),
            (Expression, Dot, Bareword) => self.drop_middle(c, 1),
            // A function without arguments that is given some is another one's name.
            (Function, LeftParenthesis, kind) if kind != RightParenthesis && a.is("USER") => {
                self.retype(self.left, Bareword);
                Step::On
            }
            _ => Step::On,
        }
    }

    fn token(&self, slot: usize) -> Option<Token> {
        self.slots.get(slot).copied()
    }

    fn put(&mut self, slot: usize, token: Token) {
        if let Some(place) = self.slots.get_mut(slot) {
            *place = token;
        }
    }

    fn retype(&mut self, slot: usize, kind: Kind) -> Step {
        if let Some(token) = self.slots.get_mut(slot) {
            token.kind = kind;
        }
        Step::Again
    }

    /// Drops the tokens read last and moves the window to `left`.
    fn drop_last(&mut self, count: usize, left: usize) -> Step {
        self.next = self.next.saturating_sub(count);
        self.left = left;
        Step::Again
    }

    /// Replaces the second token of the window by its third, `c`; drops, and moves the window to the start.
    fn drop_middle(&mut self, c: Token, count: usize) -> Step {
        self.put(self.left + 1, c);
        self.drop_last(count, 0)
    }

    /// Makes the first token of the window of two words that are a phrase of SQL, such as `UNION ALL`.
    fn merge_words(&mut self, a: &Token, b: &Token) -> bool {
        let is_word = |kind| {
            matches!(
                kind,
                Keyword | Bareword | Operator | Union | Function | Expression | TransactSql | SqlType
            )
        };
        if !is_word(a.kind) || !(is_word(b.kind) || b.kind == LogicOperator) {
            return false;
        }
        let mut phrase = [0; LONGEST];
        let length = a.value().len() + 1 + b.value().len();
        let Some(phrase) = phrase.get_mut(..length) else { return false };
        for (to, from) in phrase.iter_mut().zip(a.value().iter().chain(b" ").chain(b.value())) {
            *to = *from;
        }
        let Some(kind) = keyword(phrase) else { return false };
        if let Some(token) = self.slots.get_mut(self.left) {
            token.kind = kind;
            token.set_value(phrase);
        }
        true
    }
}

/// Names that are functions before a parenthesis, and otherwise names of columns or variables without `@`.
fn is_function_before_parenthesis(token: &Token) -> bool {
    [
        "USER_ID",
        "USER_NAME",
        "DATABASE",
        "PASSWORD",
        "USER",
        "CURRENT_USER",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "LOCALTIME",
        "LOCALTIMESTAMP",
    ]
    .iter()
    .any(|name| token.is(name))
}
