//! Groups: what follows an opening parenthesis.

use std::ops::Range;

use super::{PatternError, Translator, fail, is_name};

const LOOK_AROUND: &str =
    "matching is linear here; put the other condition into a chained rule, negated if need be";
const LINEAR: &str = "matching is linear here; write the alternatives out, or use several rules";

impl Translator<'_> {
    /// After `(`.
    pub(super) fn group(&mut self) -> Result<(), PatternError> {
        if self.peek() == Some(b'*') && self.source.get(self.at + 1).is_some_and(u8::is_ascii_alphabetic) {
            return fail(self.whole_group(), "verbs such as `(*UTF8)` are not supported", None);
        }
        if !self.eat(b"?") {
            self.open_capture();
            return Ok(());
        }
        if self.eat(b"#") {
            let Some(end) = memchr::memchr(b')', self.rest()) else {
                return fail(self.mark..self.source.len(), "the comment is not closed", None);
            };
            self.at += end + 1;
            return Ok(());
        }
        let rest = self.rest();
        let second = rest.get(1).copied().unwrap_or_default();
        match rest.first().copied().unwrap_or_default() {
            b':' => {
                self.at += 1;
                self.open("(?:");
                Ok(())
            }
            b'>' => {
                self.at += 1;
                self.open("(?:");
                Ok(())
            }
            b'=' | b'!' => fail(self.whole_group(), "look-ahead is not supported", Some(LOOK_AROUND)),
            b'<' if matches!(second, b'=' | b'!') => {
                fail(self.whole_group(), "look-behind is not supported", Some(LOOK_AROUND))
            }
            b'<' => self.named(1, b'>'),
            b'\'' => self.named(1, b'\''),
            b'P' if second == b'<' => self.named(2, b'>'),
            b'P' if second == b'=' => fail(
                self.whole_group(),
                "back-references are not supported",
                Some("use the `capture` action and compare with `%{TX.1}` in a chained rule"),
            ),
            b'P' | b'&' | b'R' | b'0'..=b'9' => {
                fail(self.whole_group(), "recursion is not supported", Some(LINEAR))
            }
            b'+' | b'-' if second.is_ascii_digit() => {
                fail(self.whole_group(), "recursion is not supported", Some(LINEAR))
            }
            b'(' => fail(self.whole_group(), "conditional groups are not supported", Some(LINEAR)),
            b'|' => fail(self.whole_group(), "branch reset groups are not supported", Some("use `(?:`")),
            b'C' => fail(self.whole_group(), "callouts are not supported", None),
            _ => self.flags(),
        }
    }

    fn open(&mut self, text: &str) {
        self.enclosing.push(self.extended);
        self.emit(text);
    }

    fn open_capture(&mut self) {
        self.groups += 1;
        self.open("(");
    }

    /// A named group, whose name begins `skip` bytes further on. Captures are numbered, so the name
    /// is left out.
    fn named(&mut self, skip: usize, close: u8) -> Result<(), PatternError> {
        self.at += skip;
        let length = memchr::memchr(close, self.rest());
        let name = self.rest().get(..length.unwrap_or(0)).unwrap_or_default();
        self.at += length.map_or(0, |n| n + 1);
        if !is_name(name) {
            return fail(
                self.construct(),
                "the group's name is malformed",
                Some("use letters, digits and `_`, and begin with no digit"),
            );
        }
        self.open_capture();
        Ok(())
    }

    /// After `(?`: flags for the rest of the group, or for the group they open.
    fn flags(&mut self) -> Result<(), PatternError> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut extended = self.extended;
        let mut negative = false;
        if self.eat(b"^") {
            off.push_str("ims");
            extended = false;
        }
        let close = loop {
            let Some(byte) = self.next() else {
                return fail(self.construct(), "the group is not closed", None);
            };
            match byte {
                b')' | b':' => break byte,
                b'-' if !negative => negative = true,
                b'i' | b'm' | b's' | b'U' => {
                    let (to, other) = if negative { (&mut off, &mut on) } else { (&mut on, &mut off) };
                    let flag = char::from(byte);
                    other.retain(|c| c != flag);
                    if !to.contains(flag) {
                        to.push(flag);
                    }
                }
                b'x' => extended = !negative,
                // Duplicate names don't matter where names are left out.
                b'J' => {}
                _ => {
                    return fail(
                        self.construct(),
                        "the group is of a kind that is not known",
                        Some("the flags are `i`, `m`, `s`, `x` and `U`; write `\\?` for a question mark"),
                    );
                }
            }
        };
        let mut text = on;
        if !off.is_empty() {
            text.push('-');
            text.push_str(&off);
        }
        if close == b':' {
            self.open(&format!("(?{text}:"));
        } else if !text.is_empty() {
            self.emit(&format!("(?{text})"));
        }
        self.extended = extended;
        Ok(())
    }

    /// The whole group that begins at the mark, for messages.
    fn whole_group(&self) -> Range<usize> {
        let mut depth = 0_usize;
        let mut at = self.mark;
        while let Some(&byte) = self.source.get(at) {
            match byte {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' if depth <= 1 => return self.mark..at + 1,
                b')' => depth -= 1,
                b'[' => {
                    // To the bracket that closes the class; the first may be a member.
                    at += 1;
                    if self.source.get(at) == Some(&b'^') {
                        at += 1;
                    }
                    if self.source.get(at) == Some(&b']') {
                        at += 1;
                    }
                    while let Some(&member) = self.source.get(at) {
                        match member {
                            b'\\' => at += 1,
                            b']' => break,
                            _ => {}
                        }
                        at += 1;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.mark..self.source.len()
    }
}
