//! Character classes.

use super::escape::Item;
use super::{PatternError, Translator, fail};

/// POSIX class names, the same in both syntaxes.
const POSIX: [&[u8]; 14] = [
    b"alnum", b"alpha", b"ascii", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct",
    b"space", b"upper", b"word", b"xdigit",
];

const QUOTED_RANGE: &str = "quoted text can't be the end of a range";

impl Translator<'_> {
    /// After `[`. Every member is read and written anew, so that brackets, `&&`, `--` and `~~`, which
    /// mean something in the other syntax, stand for themselves.
    pub(super) fn class(&mut self) -> Result<(), PatternError> {
        let open = self.mark;
        let negated = self.eat(b"^");
        self.emit(if negated { "[^" } else { "[" });
        let mut first = true;
        let mut quoted = false;
        loop {
            self.mark = self.at;
            let Some(byte) = self.next() else {
                return fail(
                    open..self.at,
                    "the character class is not closed",
                    Some("close it with `]`, or write `\\[` for a bracket"),
                );
            };
            if quoted {
                if byte == b'\\' && self.eat(b"E") {
                    quoted = false;
                    if self.range_end().is_some() {
                        return fail(
                            self.construct(),
                            QUOTED_RANGE,
                            Some("write the range without `\\Q` and `\\E`"),
                        );
                    }
                } else {
                    self.member(byte);
                }
                continue;
            }
            match byte {
                b']' if !first => break,
                b'\\' if self.eat(b"Q") => quoted = true,
                b'\\' if self.eat(b"E") => {}
                _ => {
                    let item = self.item(byte)?;
                    self.range(item)?;
                }
            }
            first = false;
        }
        self.emit("]");
        Ok(())
    }

    /// Writes an item, and the range it begins if it does.
    fn range(&mut self, low: Item) -> Result<(), PatternError> {
        let item = match low {
            Item::Byte(low) => match self.range_end() {
                None => Item::Byte(low),
                Some((at, next)) => {
                    self.at = at + 1;
                    match self.item(next)? {
                        Item::Byte(high) if low <= high => {
                            self.member(low);
                            self.emit("-");
                            self.member(high);
                            return Ok(());
                        }
                        Item::Byte(_) => {
                            return fail(
                                self.construct(),
                                "the range is the wrong way round",
                                Some("put the smaller end first, or write `\\-` for a hyphen"),
                            );
                        }
                        // A hyphen before a set is a hyphen.
                        set @ Item::Set(_) => {
                            self.member(low);
                            self.member(b'-');
                            set
                        }
                    }
                }
            },
            set @ Item::Set(_) => set,
        };
        match item {
            Item::Byte(byte) => self.member(byte),
            Item::Set(set) => self.emit(&set),
        }
        Ok(())
    }

    /// Where the end of a range begins, and its first byte, if a hyphen that makes a range comes next.
    fn range_end(&self) -> Option<(usize, u8)> {
        let mut at = self.at + 1;
        while self.source.get(at..)?.starts_with(b"\\E") {
            at += 2;
        }
        let next = self.source.get(at).copied()?;
        (self.peek() == Some(b'-') && next != b']').then_some((at, next))
    }

    /// One member whose first byte was read.
    fn item(&mut self, byte: u8) -> Result<Item, PatternError> {
        match byte {
            b'[' => self.posix(),
            b'\\' => match self.next() {
                None => {
                    fail(self.construct(), "the pattern ends in a single backslash", Some("write `\\\\`"))
                }
                Some(b'b') => Ok(Item::Byte(0x08)),
                // Elsewhere in a class it was dealt with before.
                Some(b'Q') => {
                    fail(self.construct(), QUOTED_RANGE, Some("write the range without `\\Q` and `\\E`"))
                }
                Some(letter @ (b'B' | b'R' | b'X')) => {
                    let message = format!("`\\{}` can't stand in a character class", char::from(letter));
                    fail(self.construct(), message, None)
                }
                Some(letter) => self.plain_escape(letter),
            },
            _ => Ok(Item::Byte(byte)),
        }
    }

    /// After `[` within a class: a POSIX class, or a bracket.
    fn posix(&mut self) -> Result<Item, PatternError> {
        let Some(inside) = self.rest().strip_prefix(b":") else { return Ok(Item::Byte(b'[')) };
        let Some(length) = memchr::memmem::find(inside, b":]") else { return Ok(Item::Byte(b'[')) };
        let text = inside.get(..length).unwrap_or_default();
        let (negation, name) = match text.strip_prefix(b"^") {
            Some(name) => ("^", name),
            None => ("", text),
        };
        if name.is_empty() || !name.iter().all(u8::is_ascii_lowercase) {
            return Ok(Item::Byte(b'['));
        }
        self.at += length + 3;
        let name = String::from_utf8_lossy(name);
        if !POSIX.contains(&name.as_bytes()) {
            return fail(self.construct(), format!("no POSIX class is named `{name}`"), None);
        }
        Ok(Item::Set(format!("[:{negation}{name}:]")))
    }

    /// A byte that stands for itself within a class.
    fn member(&mut self, byte: u8) {
        match byte {
            b'[' | b']' | b'\\' | b'^' | b'-' | b'&' | b'~' => {
                self.emit("\\");
                self.emit_char(byte);
            }
            b' '..=b'~' => self.emit_char(byte),
            _ => self.emit(&format!("\\x{byte:02X}")),
        }
    }
}
