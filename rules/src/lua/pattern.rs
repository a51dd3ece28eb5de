//! Lua's patterns (`%a+`, `(.-)=(.*)`, `%b()`, `%f[%w]`), matched under a budget.
//!
//! The matcher that comes with the virtual machine backtracks as the reference manual describes, and counts
//! only a part of what it does. This one counts every byte it looks at, so that no pattern runs longer than
//! the script's budget allows.

use super::meter::{Exhausted, Meter};

/// Most captures of a pattern (`LUA_MAXCAPTURES`).
const MAX_CAPTURES: usize = 32;

/// Most nesting of the search (`MAXCCALLS` of Lua's string library); deeper is an error. It bounds the
/// stack of the machine below.
const MAX_DEPTH: usize = 200;

/// What a pattern captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    /// Bytes `start..end` of the subject.
    Text(usize, usize),
    /// `()`: a position, from 1.
    Position(usize),
}

/// Why a search ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternError {
    /// The pattern makes no sense.
    Malformed(&'static str),
    /// The budget is used up.
    Exhausted,
}

impl From<Exhausted> for PatternError {
    fn from(_: Exhausted) -> Self {
        Self::Exhausted
    }
}

type Found<T> = Result<T, PatternError>;

#[derive(Clone, Copy, Debug)]
enum Open {
    Text(usize),
    Closed(Capture),
}

/// One search of a pattern in a subject.
pub(super) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    meter: &'a Meter,
    captures: Vec<Open>,
    depth: usize,
}

impl<'a> Matcher<'a> {
    /// `pattern` is without its leading `^`.
    pub(super) fn new(subject: &'a [u8], pattern: &'a [u8], meter: &'a Meter) -> Self {
        Self { subject, pattern, meter, captures: Vec::new(), depth: 0 }
    }

    /// The end of the match that begins at `start`, if there is one.
    pub(super) fn at(&mut self, start: usize) -> Found<Option<usize>> {
        self.captures.clear();
        self.depth = 0;
        self.run(start, 0)
    }

    /// The captures of the last match; the whole match, `start..end`, for a pattern without any.
    pub(super) fn captures(&self, start: usize, end: usize) -> Found<Vec<Capture>> {
        if self.captures.is_empty() {
            return Ok(vec![Capture::Text(start, end)]);
        }
        self.captures.iter().map(|capture| closed(*capture)).collect()
    }

    /// The capture `number`, from 1, of the last match; 1 is the whole match for a pattern without any.
    pub(super) fn capture(&self, number: usize, start: usize, end: usize) -> Found<Capture> {
        match number.checked_sub(1).and_then(|index| self.captures.get(index)) {
            Some(capture) => closed(*capture),
            None if number == 1 => Ok(Capture::Text(start, end)),
            None => Err(PatternError::Malformed("invalid capture index in a replacement or pattern")),
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.subject.get(at).copied()
    }

    fn symbol(&self, at: usize) -> Option<u8> {
        self.pattern.get(at).copied()
    }

    fn run(&mut self, mut s: usize, mut p: usize) -> Found<Option<usize>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PatternError::Malformed("pattern too complex"));
        }
        let found = loop {
            self.meter.step()?;
            let Some(symbol) = self.symbol(p) else { break Some(s) };
            match (symbol, self.symbol(p + 1)) {
                (b'(', next) => {
                    let (capture, after) = match next {
                        Some(b')') => (Open::Closed(Capture::Position(s + 1)), p + 2),
                        _ => (Open::Text(s), p + 1),
                    };
                    if self.captures.len() >= MAX_CAPTURES {
                        return Err(PatternError::Malformed("too many captures"));
                    }
                    self.captures.push(capture);
                    let found = self.run(s, after)?;
                    if found.is_none() {
                        self.captures.pop();
                    }
                    break found;
                }
                (b')', _) => {
                    let open = self.captures.iter().rposition(|capture| matches!(capture, Open::Text(_)));
                    let Some(cell) = open.and_then(|open| self.captures.get_mut(open)) else {
                        return Err(PatternError::Malformed("invalid pattern capture"));
                    };
                    let before = *cell;
                    if let Open::Text(start) = before {
                        *cell = Open::Closed(Capture::Text(start, s));
                    }
                    let found = self.run(s, p + 1)?;
                    if found.is_none()
                        && let Some(cell) = open.and_then(|open| self.captures.get_mut(open))
                    {
                        *cell = before;
                    }
                    break found;
                }
                (b'$', None) => break (s == self.subject.len()).then_some(s),
                (b'%', Some(b'b')) => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => break None,
                },
                (b'%', Some(b'f')) => {
                    p += 2;
                    if self.symbol(p) != Some(b'[') {
                        return Err(PatternError::Malformed("missing '[' after '%f' in pattern"));
                    }
                    let end = self.item_end(p)?;
                    let before = s.checked_sub(1).and_then(|at| self.byte(at)).unwrap_or(0);
                    let here = self.byte(s).unwrap_or(0);
                    if self.in_set(before, p, end - 1)? || !self.in_set(here, p, end - 1)? {
                        break None;
                    }
                    p = end;
                }
                (b'%', Some(digit @ b'0'..=b'9')) => match self.again(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => break None,
                },
                _ => {
                    let end = self.item_end(p)?;
                    match self.symbol(end) {
                        Some(b'?') => {
                            if self.single(s, p, end)?
                                && let Some(found) = self.run(s + 1, end + 1)?
                            {
                                break Some(found);
                            }
                            p = end + 1;
                        }
                        Some(b'+') => {
                            break if self.single(s, p, end)? { self.greedy(s + 1, p, end)? } else { None };
                        }
                        Some(b'*') => break self.greedy(s, p, end)?,
                        Some(b'-') => break self.lazy(s, p, end)?,
                        _ => {
                            if !self.single(s, p, end)? {
                                break None;
                            }
                            (s, p) = (s + 1, end);
                        }
                    }
                }
            }
        };
        self.depth -= 1;
        Ok(found)
    }

    /// Where the single item that begins at `p` ends.
    fn item_end(&self, p: usize) -> Found<usize> {
        match self.symbol(p) {
            Some(b'%') if self.symbol(p + 1).is_none() => {
                Err(PatternError::Malformed("malformed pattern (ends with '%')"))
            }
            Some(b'%') => Ok(p + 2),
            Some(b'[') => {
                let mut at = p + 1 + usize::from(self.symbol(p + 1) == Some(b'^'));
                let first = at;
                loop {
                    self.meter.step()?;
                    match self.symbol(at) {
                        None => return Err(PatternError::Malformed("malformed pattern (missing ']')")),
                        Some(b']') if at > first => return Ok(at + 1),
                        Some(b'%') => at += 2,
                        Some(_) => at += 1,
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    /// Whether the byte at `s` fits the single item `p..end`.
    fn single(&self, s: usize, p: usize, end: usize) -> Found<bool> {
        self.meter.step()?;
        let Some(byte) = self.byte(s) else { return Ok(false) };
        Ok(match self.symbol(p) {
            Some(b'.') => true,
            Some(b'%') => in_class(byte, self.symbol(p + 1).unwrap_or(b'%')),
            Some(b'[') => self.in_set(byte, p, end - 1)?,
            Some(symbol) => symbol == byte,
            None => false,
        })
    }

    /// Whether a byte is in the set from `[` at `p` to `]` at `last`.
    fn in_set(&self, byte: u8, p: usize, last: usize) -> Found<bool> {
        let negated = self.symbol(p + 1) == Some(b'^');
        let mut at = p + 1 + usize::from(negated);
        while at < last {
            self.meter.step()?;
            let symbol = self.symbol(at).unwrap_or(0);
            if symbol == b'%' {
                if in_class(byte, self.symbol(at + 1).unwrap_or(b'%')) {
                    return Ok(!negated);
                }
                at += 2;
            } else if self.symbol(at + 1) == Some(b'-') && at + 2 < last {
                if (symbol..=self.symbol(at + 2).unwrap_or(0)).contains(&byte) {
                    return Ok(!negated);
                }
                at += 3;
            } else {
                if symbol == byte {
                    return Ok(!negated);
                }
                at += 1;
            }
        }
        Ok(negated)
    }

    fn greedy(&mut self, s: usize, p: usize, end: usize) -> Found<Option<usize>> {
        let mut count = 0;
        while self.single(s + count, p, end)? {
            count += 1;
        }
        loop {
            if let Some(found) = self.run(s + count, end + 1)? {
                return Ok(Some(found));
            }
            match count.checked_sub(1) {
                Some(fewer) => count = fewer,
                None => return Ok(None),
            }
        }
    }

    fn lazy(&mut self, mut s: usize, p: usize, end: usize) -> Found<Option<usize>> {
        loop {
            if let Some(found) = self.run(s, end + 1)? {
                return Ok(Some(found));
            }
            if !self.single(s, p, end)? {
                return Ok(None);
            }
            s += 1;
        }
    }

    /// `%bxy`: from an `x` to the `y` that balances it.
    fn balanced(&self, s: usize, p: usize) -> Found<Option<usize>> {
        let (Some(open), Some(close)) = (self.symbol(p), self.symbol(p + 1)) else {
            return Err(PatternError::Malformed("missing arguments to '%b'"));
        };
        if self.byte(s) != Some(open) {
            return Ok(None);
        }
        let (mut depth, mut at) = (1usize, s + 1);
        while let Some(byte) = self.byte(at) {
            self.meter.step()?;
            at += 1;
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(at));
                }
            } else if byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// `%1`: what that capture holds, once more.
    fn again(&self, s: usize, digit: u8) -> Found<Option<usize>> {
        let index = usize::from(digit.wrapping_sub(b'1'));
        let Some(Open::Closed(Capture::Text(start, end))) = self.captures.get(index) else {
            return Err(PatternError::Malformed("invalid capture index in a replacement or pattern"));
        };
        let text = self.subject.get(*start..*end).unwrap_or_default();
        self.meter.bytes(text.len())?;
        let rest = self.subject.get(s..).unwrap_or_default();
        Ok(rest.starts_with(text).then_some(s + text.len()))
    }
}

fn closed(capture: Open) -> Found<Capture> {
    match capture {
        Open::Closed(capture) => Ok(capture),
        Open::Text(_) => Err(PatternError::Malformed("unfinished capture")),
    }
}

/// Whether a byte is of a class such as `%a`; a class letter in upper case means the opposite, any other byte
/// itself.
fn in_class(byte: u8, class: u8) -> bool {
    let found = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => return class == byte,
    };
    found != class.is_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first match and its captures, as text.
    fn find(subject: &str, pattern: &str) -> Option<(String, Vec<String>)> {
        let (anchored, pattern) = match pattern.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let meter = Meter::new(1_000_000);
        let mut matcher = Matcher::new(subject.as_bytes(), pattern.as_bytes(), &meter);
        for start in 0..=subject.len() {
            if let Some(end) = matcher.at(start).unwrap() {
                let captures = matcher.captures(start, end).unwrap().into_iter().map(|one| match one {
                    Capture::Text(from, to) => subject[from..to].to_owned(),
                    Capture::Position(at) => at.to_string(),
                });
                return Some((subject[start..end].to_owned(), captures.collect()));
            }
            if anchored {
                break;
            }
        }
        None
    }

    #[test]
    fn as_the_reference_manual_says() {
        type Case = (&'static str, &'static str, Option<(&'static str, &'static [&'static str])>);
        let cases: &[Case] = &[
            ("hello world", "o w", Some(("o w", &["o w"]))),
            ("key = value", "^(%w+)%s*=%s*(%w+)$", Some(("key = value", &["key", "value"]))),
            ("aXb", "%u", Some(("X", &["X"]))),
            ("f(a(b)c)d", "%b()", Some(("(a(b)c)", &["(a(b)c)"]))),
            ("THE (quick) fox", "%f[%a]%a+%f[%A]", Some(("THE", &["THE"]))),
            ("abc", "()b()", Some(("b", &["2", "3"]))),
            ("<<a>>", "<(.-)>", Some(("<<a>", &["<a"]))),
            ("<a><b>", "<(.*)>", Some(("<a><b>", &["a><b"]))),
            ("say \"hi\"", "([\"'])(.-)%1", Some(("\"hi\"", &["\"", "hi"]))),
            ("a-z]", "[]%-]", Some(("-", &["-"]))),
            ("x9", "[^%d]", Some(("x", &["x"]))),
            ("abc", "^b", None),
            ("ab", "ac?b", Some(("ab", &["ab"]))),
            ("a$b", "$b", Some(("$b", &["$b"]))),
            ("", ".*", Some(("", &[""]))),
            ("aaa", "a-$", Some(("aaa", &["aaa"]))),
            ("a\u{0}b", "%z", None),
            ("ab", "((a)(b))", Some(("ab", &["ab", "a", "b"]))),
        ];
        for (subject, pattern, expected) in cases {
            let expected = expected.map(|(whole, captures)| {
                (whole.to_owned(), captures.iter().map(|c| (*c).to_owned()).collect())
            });
            assert_eq!(find(subject, pattern), expected, "{pattern} in {subject}");
        }
    }

    #[test]
    fn malformed_patterns_are_errors() {
        for pattern in ["(a", "a)", "[a", "%", "%b", "%bx", "%f", "%1", "(a%1)"] {
            let meter = Meter::new(10_000);
            let found = Matcher::new(b"aaa", pattern.as_bytes(), &meter).at(0).and_then(|end| {
                Matcher::new(b"aaa", pattern.as_bytes(), &meter).captures(0, end.unwrap_or(0))
            });
            let whole = Matcher::new(b"aaa", pattern.as_bytes(), &meter).at(0);
            assert!(pattern == "(a" || whole.is_err(), "{pattern}: {found:?}");
        }
        let meter = Meter::new(10_000);
        let mut open = Matcher::new(b"aaa", b"(a", &meter);
        let end = open.at(0).unwrap().unwrap();
        assert_eq!(open.captures(0, end), Err(PatternError::Malformed("unfinished capture")));
    }

    #[test]
    fn nothing_outlasts_the_budget() {
        let subject = vec![b'a'; 100_000];
        let opening = vec![b'('; 100_000];
        for (subject, pattern) in [
            (&subject, &b".-.-.-.-.-b"[..]),
            (&subject, b"(.*)(.*)(.*)%1b"),
            (&subject, b"[%d%d%d%d%d%d%d%d%d%d%d]*b"),
            (&opening, b"%b()"),
        ] {
            let meter = Meter::new(50_000);
            let mut matcher = Matcher::new(subject, pattern, &meter);
            let ended = (0..=subject.len()).map(|start| matcher.at(start)).find(Result::is_err);
            assert_eq!(ended, Some(Err(PatternError::Exhausted)));
        }
        let meter = Meter::new(1_000_000);
        let long = vec![b'('; 40];
        assert!(Matcher::new(b"a", &long, &meter).at(0).is_err(), "too many captures");
        let deep = b"a?".repeat(300);
        assert!(Matcher::new(&subject, &deep, &meter).at(0).is_err(), "too deep");
    }
}
