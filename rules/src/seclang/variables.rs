//! Variable lists: `ARGS|!ARGS:token|&REQUEST_HEADERS:Host|TX:/^score_/|XML://@*`.
//!
//! ```text
//! list     = item { ("|" | ",") item }
//! item     = [ "!" | "&" ] NAME [ (":" | ".") selector ]
//! selector = KEY | "'" KEY "'" | "/" regex "/" | "'" "/" regex "/" "'" | XPath
//! ```
//!
//! Commas between items and dots before selectors are ModSecurity v3's. A regular expression ends at the
//! first slash without a backslash before it, a quoted key at the first such quote; separators inside do
//! not count. An unquoted key ends at the next separator, an unquoted XPath (after `XML:`) at the next
//! `|`. Blanks around an item are passed over.

use std::fmt;

use crate::diagnostic::{Code, Span, suggest};
use crate::limits;
use crate::model::{Selector, Shape, Target, TargetMode, Variable};
use crate::xpath::XPath;

/// The name by which the forms of policies call the arguments of JSON bodies.
const ARGS_JSON: &str = "ARGS_JSON";

/// What is wrong with one item of a variable list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct TargetError {
    /// The bytes of the list it is about; empty at the place where something is missing.
    pub span: Span,
    /// What is wrong.
    pub kind: TargetErrorKind,
    /// What to write instead.
    pub help: Option<String>,
}

/// Variables of other engines that do not exist here, with the reason.
pub(super) const UNAVAILABLE: &[(&str, &str)] = &[
    ("JSON", "the leaves of a JSON body are in `ARGS`, as `ARGS:json.key`"),
    ("MULTIPART_SEMICOLON_MISSING", "its name is `MULTIPART_MISSING_SEMICOLON`"),
    ("RESPONSE_ARGS", "response bodies are judged as they are; use `RESPONSE_BODY`"),
    ("RESPONSE_XML", "response bodies are judged as they are; use `RESPONSE_BODY`"),
    ("RES_BODY_ERROR", "response bodies are not parsed"),
    ("RES_BODY_ERROR_MSG", "response bodies are not parsed"),
    ("RES_BODY_PROCESSOR", "response bodies are not parsed"),
    ("RES_BODY_PROCESSOR_ERROR", "response bodies are not parsed"),
    ("RES_BODY_PROCESSOR_ERROR_MSG", "response bodies are not parsed"),
    ("SCRIPT_BASENAME", "there are no files behind a filter; use `REQUEST_BASENAME`"),
    ("SCRIPT_FILENAME", "there are no files behind a filter; use `REQUEST_FILENAME`"),
    ("SCRIPT_GID", "there are no files behind a filter"),
    ("SCRIPT_GROUPNAME", "there are no files behind a filter"),
    ("SCRIPT_MODE", "there are no files behind a filter"),
    ("SCRIPT_UID", "there are no files behind a filter"),
    ("SCRIPT_USERNAME", "there are no files behind a filter"),
    ("STREAM_INPUT_BODY", "bodies are not rewritten; use `REQUEST_BODY`"),
    ("STREAM_OUTPUT_BODY", "bodies are not rewritten; use `RESPONSE_BODY`"),
    ("WEBSERVER_ERROR_LOG", "Envoy's log can't be read; ModSecurity v3 has it neither"),
];

/// Why a variable is always the same; `None` for those that are not.
pub(super) fn constant(variable: Variable) -> Option<&'static str> {
    match variable {
        Variable::FilesTmpNames => Some("always empty: a filter has no files"),
        Variable::MscPcreError => Some("always 0: matching takes linear time and can't fail"),
        _ => None,
    }
}

/// The ways in which an item of a variable list can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetErrorKind {
    /// Nothing stands where an item belongs: an empty list, two separators in a row.
    Missing,
    /// No variable has this name.
    UnknownVariable(String),
    /// Both `!` and `&` stand before a name, or one of them twice.
    Prefix,
    /// A variable with one value only has a selector.
    ScalarSelector(Variable),
    /// Nothing stands after the colon, or between quotes or slashes.
    EmptySelector,
    /// A quote or slash is opened and not closed.
    Unclosed(char),
    /// A selector's regular expression can't be used.
    Regex(String),
    /// A selector of `XML` is no XPath, or one that is not known here.
    XPath(String),
    /// Something other than a separator follows an item.
    Trailing,
    /// There are more items than a condition may list.
    TooMany,
}

impl TargetError {
    /// The diagnostic's number: an unknown variable or a bad selector.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self.kind {
            TargetErrorKind::Missing | TargetErrorKind::UnknownVariable(_) | TargetErrorKind::Prefix => {
                Code::E0202
            }
            TargetErrorKind::TooMany => Code::E0225,
            _ => Code::E0206,
        }
    }
}

impl fmt::Display for TargetErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("a variable's name is missing"),
            Self::UnknownVariable(name) => write!(f, "no variable named `{name}`"),
            Self::Prefix => f.write_str("more than one of `!` and `&` before a variable"),
            Self::ScalarSelector(variable) => {
                write!(f, "{variable} has a single value and takes no selector")
            }
            Self::EmptySelector => f.write_str("the selector is empty"),
            Self::Unclosed(mark) => write!(f, "the selector has no closing `{mark}`"),
            Self::Regex(reason) => write!(f, "the selector's regular expression can't be used: {reason}"),
            Self::XPath(reason) => write!(f, "the XPath can't be used: {reason}"),
            Self::Trailing => f.write_str("a separator is expected here"),
            Self::TooMany => write!(f, "there are more than {} variables", limits::CONDITION_TARGETS),
        }
    }
}

/// Reads a variable list.
///
/// # Errors
/// With everything that is wrong in the list; it is never empty.
pub fn parse_targets(text: &[u8]) -> Result<Vec<Target>, Vec<TargetError>> {
    Parser::new(text, false).list()
}

/// As [`parse_targets`], with the forms' `ARGS_JSON`: `ARGS_JSON:user.name` is `ARGS:json.user.name`, and
/// `ARGS_JSON` alone is `ARGS:/^json(\.|$)/`.
///
/// # Errors
/// With everything that is wrong in the list; it is never empty.
pub(crate) fn parse_form_targets(text: &[u8]) -> Result<Vec<Target>, Vec<TargetError>> {
    Parser::new(text, true).list()
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    form: bool,
    targets: Vec<Target>,
    errors: Vec<TargetError>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a [u8], form: bool) -> Self {
        Self { text, at: 0, form, targets: Vec::new(), errors: Vec::new() }
    }

    fn list(mut self) -> Result<Vec<Target>, Vec<TargetError>> {
        loop {
            match self.item() {
                Ok(target) => self.targets.push(target),
                Err(error) => self.errors.push(error),
            }
            self.skip_while(is_blank);
            if self.peek().is_some_and(|b| !is_separator(b)) {
                // What follows a reported mistake is passed over.
                let start = self.at;
                self.skip_while(|b| !is_separator(b));
                if self.errors.last().is_none_or(|last| last.span.end < start) {
                    let help = "separate variables by `|`; quote a key that holds a separator: `ARGS:'a|b'`";
                    self.errors.push(self.error(start, TargetErrorKind::Trailing, help));
                }
            }
            if self.peek().is_none() || self.errors.len() >= limits::DIAGNOSTICS {
                break;
            }
            if self.targets.len() > limits::CONDITION_TARGETS {
                let span = Span { start: self.at, end: self.text.len() };
                let help = Some("select by a pattern such as `ARGS:/^id_/`, or split the rule".to_owned());
                self.errors.push(TargetError { span, kind: TargetErrorKind::TooMany, help });
                break;
            }
            self.at += 1;
        }
        if self.errors.is_empty() { Ok(self.targets) } else { Err(self.errors) }
    }

    fn item(&mut self) -> Result<Target, TargetError> {
        self.skip_while(is_blank);
        let start = self.at;
        let mode = match self.peek() {
            Some(b'!') => TargetMode::Exclude,
            Some(b'&') => TargetMode::Count,
            _ => TargetMode::Inspect,
        };
        self.skip_while(|b| matches!(b, b'!' | b'&'));
        if self.at - start > 1 {
            let help = "`!` takes a variable out of the others, `&` counts it; write one of them";
            return Err(self.error(start, TargetErrorKind::Prefix, help));
        }
        let name_start = self.at;
        self.skip_while(|b| !is_separator(b) && !matches!(b, b':' | b'.') && !is_blank(b));
        let name = self.text.get(name_start..self.at).unwrap_or_default();
        if name.is_empty() {
            return Err(self.error(name_start, TargetErrorKind::Missing, "write a variable such as `ARGS`"));
        }
        let json = self.form && name.eq_ignore_ascii_case(ARGS_JSON.as_bytes());
        let variable = if json { Some(Variable::Args) } else { Variable::from_name(name) };
        let variable = variable.ok_or_else(|| self.unknown(name_start, name));

        let selector_start = self.at;
        let selector = match self.peek() {
            Some(b':' | b'.') => {
                self.at += 1;
                self.selector(variable == Ok(Variable::Xml))
            }
            _ => Ok(Selector::All),
        };
        let (variable, selector) = (variable?, selector?);
        if selector != Selector::All && variable.shape() == Shape::Scalar {
            let help = format!("write `{variable}` alone");
            return Err(self.error(selector_start, TargetErrorKind::ScalarSelector(variable), help));
        }
        let selector = if json { self.json_selector(selector, selector_start)? } else { selector };
        Ok(Target { variable, selector, mode })
    }

    /// Reads what follows the colon or dot.
    fn selector(&mut self, xml: bool) -> Result<Selector, TargetError> {
        let start = self.at;
        let selector = match self.peek() {
            Some(b'\'') => {
                self.at += 1;
                if !xml && self.peek() == Some(b'/') {
                    let regex = self.regex()?;
                    if self.peek() != Some(b'\'') {
                        let help =
                            "close the quote right after the pattern; write a slash within it as `\\/`";
                        return Err(self.error(start, TargetErrorKind::Unclosed('\''), help));
                    }
                    self.at += 1;
                    return Ok(Selector::Regex(regex));
                }
                let key = unquote(self.until(b'\'', start)?);
                if xml { self.xpath(key, start + 1)? } else { Selector::Key(key) }
            }
            Some(b'/') if !xml => return Ok(Selector::Regex(self.regex()?)),
            _ => {
                self.skip_while(|b| b != b'|' && (xml || b != b','));
                let key = self.text.get(start..self.at).unwrap_or_default().trim_ascii().to_vec();
                if xml { self.xpath(key, start)? } else { Selector::Key(key) }
            }
        };
        match &selector {
            Selector::Key(text) | Selector::XPath(text) if text.is_empty() => Err(self.empty(start)),
            _ => Ok(selector),
        }
    }

    /// Checks an XPath that stands at `start`.
    fn xpath(&self, text: Vec<u8>, start: usize) -> Result<Selector, TargetError> {
        if let Some(error) = XPath::parse(&text).err().filter(|_| !text.is_empty()) {
            let span = Span { start: start + error.span.start, end: start + error.span.end };
            return Err(TargetError { span, kind: TargetErrorKind::XPath(error.message), help: error.help });
        }
        Ok(Selector::XPath(text))
    }

    /// Reads `/regex/` and returns what is between the slashes, as written.
    fn regex(&mut self) -> Result<Vec<u8>, TargetError> {
        let open = self.at;
        self.at += 1;
        let pattern = self.until(b'/', open)?;
        if pattern.is_empty() {
            return Err(self.empty(open));
        }
        check_regex(pattern).map_err(|(reason, span)| TargetError {
            span: Span { start: open + 1 + span.start, end: open + 1 + span.end },
            kind: TargetErrorKind::Regex(reason),
            help: Some("the syntax is that of the Rust `regex` crate, close to RE2's".to_owned()),
        })?;
        Ok(pattern.to_vec())
    }

    /// Reads up to the next `mark` without a backslash before it, and past that.
    fn until(&mut self, mark: u8, open: usize) -> Result<&'a [u8], TargetError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == mark {
                let inside = self.text.get(start..self.at).unwrap_or_default();
                self.at += 1;
                return Ok(inside);
            }
            self.at = (self.at + if byte == b'\\' { 2 } else { 1 }).min(self.text.len());
        }
        let mark = char::from(mark);
        Err(self.error(open, TargetErrorKind::Unclosed(mark), format!("close it: `{mark}…{mark}`")))
    }

    /// Maps a selector of `ARGS_JSON` to one of `ARGS`, where JSON leaves are named `json.a.b`.
    fn json_selector(&self, selector: Selector, start: usize) -> Result<Selector, TargetError> {
        match selector {
            Selector::Key(path) => Ok(Selector::Key([b"json.", path.as_slice()].concat())),
            Selector::Regex(_) => {
                let reason = format!("{ARGS_JSON} takes a path");
                let help = "select by the whole name: `ARGS:/^json\\.…/`";
                Err(self.error(start, TargetErrorKind::Regex(reason), help))
            }
            _ => Ok(Selector::Regex(br"^json(\.|$)".to_vec())),
        }
    }

    fn unknown(&self, start: usize, name: &[u8]) -> TargetError {
        let name = String::from_utf8_lossy(name).into_owned();
        let names = Variable::ALL.iter().map(|v| v.name()).chain(self.form.then_some(ARGS_JSON));
        let near = suggest(&name, names);
        let unavailable = UNAVAILABLE.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
        // Forms have `ARGS_JSON`, which is what `JSON` means there.
        let unavailable = unavailable.filter(|_| near.is_none() || !self.form);
        let help = match (unavailable, near) {
            (Some((_, reason)), _) => format!("other engines have it; here {reason}"),
            (None, Some(known)) => format!("did you mean `{known}`?"),
            (None, None) => "write a SecLang variable such as `ARGS` or `REQUEST_HEADERS:host`".to_owned(),
        };
        self.error(start, TargetErrorKind::UnknownVariable(name), help)
    }

    fn empty(&self, start: usize) -> TargetError {
        let help = "name an element, or leave the colon out to take them all";
        self.error(start, TargetErrorKind::EmptySelector, help)
    }

    /// An error about what stands between `start` and here.
    fn error(&self, start: usize, kind: TargetErrorKind, help: impl Into<String>) -> TargetError {
        TargetError { span: Span { start, end: self.at }, kind, help: Some(help.into()) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_while(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }
}

const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'|' | b',')
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Takes the backslash off escaped quotes.
fn unquote(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' || rest.peek() != Some(&b'\'') {
            out.push(byte);
        }
    }
    out
}

/// Checks the syntax of a pattern that is matched against bytes. Returns what is wrong and where.
fn check_regex(pattern: &[u8]) -> Result<(), (String, Span)> {
    // Bytes beyond ASCII are written as escapes, so that patterns in any encoding can be read.
    let mut text = String::with_capacity(pattern.len());
    for &byte in pattern {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    let mut parser =
        regex_syntax::ParserBuilder::new().utf8(false).unicode(false).case_insensitive(true).build();
    let Err(error) = parser.parse(&text) else { return Ok(()) };
    let (reason, span) = match &error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), Some(error.span())),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), Some(error.span())),
        _ => (error.to_string(), None),
    };
    let whole = Span { start: 0, end: pattern.len() };
    let span = span
        .filter(|_| pattern.is_ascii())
        .map_or(whole, |span| Span { start: span.start.offset, end: span.end.offset });
    Err((reason, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(target: &Target) -> String {
        let mode = match target.mode {
            TargetMode::Inspect => "",
            TargetMode::Count => "&",
            TargetMode::Exclude => "!",
        };
        let selector = match &target.selector {
            Selector::All => String::new(),
            Selector::Key(text) => format!(" key {}", String::from_utf8_lossy(text)),
            Selector::Regex(text) => format!(" regex {}", String::from_utf8_lossy(text)),
            Selector::XPath(text) => format!(" xpath {}", String::from_utf8_lossy(text)),
        };
        format!("{mode}{}{selector}", target.variable)
    }

    fn check(text: &str, expected: &[&str]) {
        let targets = parse_targets(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        assert_eq!(targets.iter().map(show).collect::<Vec<_>>(), expected, "{text}");
    }

    /// `expected`: the bytes each error is about, and its message.
    fn check_errors(text: &str, expected: &[(&str, &str)]) {
        let errors = parse_targets(text.as_bytes()).expect_err(text);
        let found: Vec<_> = errors.iter().map(|e| (&text[e.span.start..e.span.end], e.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(at, message)| (*at, (*message).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn lists() {
        check("ARGS", &["ARGS"]);
        check("args|Args_Names", &["ARGS", "ARGS_NAMES"]);
        check("ARGS,ARGS_NAMES", &["ARGS", "ARGS_NAMES"]);
        check(" ARGS | !ARGS:a | &TX:b ", &["ARGS", "!ARGS key a", "&TX key b"]);
        check("&REQUEST_HEADERS:Host", &["&REQUEST_HEADERS key Host"]);
        check("&REQUEST_URI", &["&REQUEST_URI"]);
        check("TX.score", &["TX key score"]);
        check("ARGS:json.a.b", &["ARGS key json.a.b"]);
        check("ARGS:a b|ARGS_GET", &["ARGS key a b", "ARGS_GET"]);
        check("ARGS:a,ARGS:b", &["ARGS key a", "ARGS key b"]);
        check("ARGS:'a|b,c'|ARGS_GET", &["ARGS key a|b,c", "ARGS_GET"]);
        check(r"ARGS:'it\'s'", &["ARGS key it's"]);
    }

    #[test]
    fn regular_expressions() {
        check("TX:/^a|b,c/|ARGS", &["TX regex ^a|b,c", "ARGS"]);
        check(r"ARGS:/a\/b/", &[r"ARGS regex a\/b"]);
        check(r"ARGS:/a\\/", &[r"ARGS regex a\\"]);
        check("ARGS:'/a b|c/',TX", &["ARGS regex a b|c", "TX"]);
        check(r"REQUEST_COOKIES:/\x22?\x24Version/", &[r"REQUEST_COOKIES regex \x22?\x24Version"]);
        check(
            r"!ARGS_NAMES:/^[\w]+\[[\w\-]+\]\[[\w\-]*?\]$/",
            &[r"!ARGS_NAMES regex ^[\w]+\[[\w\-]+\]\[[\w\-]*?\]$"],
        );
        check(r"!REQUEST_COOKIES:/^_ga(?:_\w+)?$/", &[r"!REQUEST_COOKIES regex ^_ga(?:_\w+)?$"]);
        check("TX:/é[ü]/", &["TX regex é[ü]"]);
        let latin1 = parse_targets(b"TX:/\xe9/").unwrap();
        assert_eq!(latin1[0].selector, Selector::Regex(vec![0xe9]));
    }

    const XPATH_NAME_MISSING: &str =
        "the XPath can't be used: the name of an element or attribute is missing here";

    #[test]
    fn xpaths() {
        check("XML:/*", &["XML xpath /*"]);
        check("XML://@*|ARGS", &["XML xpath //@*", "ARGS"]);
        check("XML:/a[b='c,d']/text()", &["XML xpath /a[b='c,d']/text()"]);
        check("XML:'//a|//b'|ARGS", &["XML xpath //a|//b", "ARGS"]);
        check("XML:/a[contains(b, 'x')] | ARGS", &["XML xpath /a[contains(b, 'x')]", "ARGS"]);
        check_errors("!XML:/*,&XML", &[(",&XML", "the XPath can't be used: this can't follow in an XPath")]);
        check_errors("XML: //a[|ARGS", &[("", XPATH_NAME_MISSING)]);
        check_errors("XML:'//a[b>1]'", &[(">", "the XPath can't be used: `]` is missing here")]);
        check("XML", &["XML"]);
    }

    #[test]
    fn mistakes() {
        check_errors("", &[("", "a variable's name is missing")]);
        check_errors("ARGS|", &[("", "a variable's name is missing")]);
        check_errors(
            "|ARGS||TX",
            &[("", "a variable's name is missing"), ("", "a variable's name is missing")],
        );
        check_errors("!", &[("", "a variable's name is missing")]);
        check_errors("ARG|TX", &[("ARG", "no variable named `ARG`")]);
        check_errors("ARG:/a|b/|TX", &[("ARG", "no variable named `ARG`")]);
        check_errors("ARGS TX", &[("TX", "a separator is expected here")]);
        check_errors("ARGS-X", &[("ARGS-X", "no variable named `ARGS-X`")]);
        check_errors(
            "!&ARGS|&&TX",
            &[
                ("!&", "more than one of `!` and `&` before a variable"),
                ("&&", "more than one of `!` and `&` before a variable"),
            ],
        );
        check_errors(
            "REQUEST_URI:foo|ARGS",
            &[(":foo", "REQUEST_URI has a single value and takes no selector")],
        );
        check_errors("ARGS:|TX", &[("", "the selector is empty")]);
        check_errors("ARGS:''", &[("''", "the selector is empty")]);
        check_errors("ARGS://|TX", &[("//", "the selector is empty")]);
        check_errors("ARGS:/a|b", &[("/a|b", "the selector has no closing `/`")]);
        check_errors("ARGS:'a|b", &[("'a|b", "the selector has no closing `'`")]);
        check_errors("ARGS:'/a/b/'|TX", &[("'/a/", "the selector has no closing `'`")]);
        check_errors("ARGS:/a/b", &[("b", "a separator is expected here")]);
        check_errors("XML:", &[("", "the selector is empty")]);
        check_errors(
            "ARGS:/a(b/|FOO|TX",
            &[
                ("(", "the selector's regular expression can't be used: unclosed group"),
                ("FOO", "no variable named `FOO`"),
            ],
        );
        check_errors(
            "ARGS:/é(/",
            &[("é(", "the selector's regular expression can't be used: unclosed group")],
        );
        check_errors(
            r"ARGS:/(?=a)/",
            &[(
                "(?=",
                "the selector's regular expression can't be used: look-around, including look-ahead and look-behind, is not supported",
            )],
        );
    }

    #[test]
    fn helps() {
        let help = |text: &str| parse_form_targets(text.as_bytes()).expect_err(text)[0].help.clone().unwrap();
        assert_eq!(help("REQUEST_HEADER"), "did you mean `REQUEST_HEADERS`?");
        assert_eq!(help("ARGS_JSN:a"), "did you mean `ARGS_JSON`?");
        assert_eq!(help("FROB"), "write a SecLang variable such as `ARGS` or `REQUEST_HEADERS:host`");
    }

    #[test]
    fn json_arguments_of_forms() {
        let form =
            |text: &str| parse_form_targets(text.as_bytes()).unwrap().iter().map(show).collect::<Vec<_>>();
        assert_eq!(form("ARGS_JSON:user.name|!args_json:a"), ["ARGS key json.user.name", "!ARGS key json.a"]);
        assert_eq!(form("&ARGS_JSON"), [r"&ARGS regex ^json(\.|$)"]);
        assert!(parse_form_targets(b"ARGS_JSON:/a/").is_err());
        check_errors("ARGS_JSON:a", &[("ARGS_JSON", "no variable named `ARGS_JSON`")]);
    }

    #[test]
    fn any_bytes_are_read_to_the_end() {
        for first in 0..=255 {
            for second in [b'|', b':', b'/', b'\'', b'\\', 0xff] {
                let _ = parse_form_targets(&[first, second]);
                let _ = parse_form_targets(&[b"ARGS:", [first, second].as_slice()].concat());
                let _ = parse_form_targets(&[b"XML:/", [second, first].as_slice()].concat());
            }
        }
    }
}
