//! Escapes: what follows a backslash.

use super::{PatternError, Translator, fail};

/// What one escape or one member of a class stands for.
pub(super) enum Item {
    /// A byte.
    Byte(u8),
    /// A set of bytes, as it is written within a class and, unless it is a POSIX class, alone.
    Set(String),
}

const BACK_REFERENCE: &str = "matching is linear here; use the `capture` action and compare with `%{TX.1}` in a \
                              chained rule";
const WIDE: &str = "patterns match bytes; write the bytes of the character's UTF-8 form, each as `\\xHH`";

impl Translator<'_> {
    /// After a backslash outside a class.
    pub(super) fn escape(&mut self) -> Result<(), PatternError> {
        let Some(letter) = self.next() else {
            return fail(self.construct(), "the pattern ends in a single backslash", Some("write `\\\\`"));
        };
        match letter {
            b'b' => self.emit("\\b"),
            b'B' => self.emit("\\B"),
            // A search begins at the start of the value, so `\G` can only match there.
            b'A' | b'G' => self.emit("\\A"),
            b'z' => self.emit("\\z"),
            b'Z' => self.emit("(?:\\n?\\z)"),
            b'R' => self.emit("(?:\\r\\n|[\\n-\\r\\x85])"),
            b'N' if self.peek() != Some(b'{') || self.counts() => self.emit("[^\\n]"),
            b'C' => self.emit("(?s:.)"),
            b'Q' => {
                let end = memchr::memmem::find(self.rest(), b"\\E");
                let quoted = self.rest().get(..end.unwrap_or(self.rest().len())).unwrap_or_default();
                for &byte in quoted {
                    self.mark = self.at;
                    self.at += 1;
                    self.literal(byte);
                }
                self.eat(b"\\E");
            }
            b'E' => {}
            b'K' => {
                return fail(
                    self.construct(),
                    "`\\K` can't move the start of a match here",
                    Some("leave it out, and use a group with `%{TX.1}` where the captured text matters"),
                );
            }
            b'X' => return fail(self.construct(), "`\\X` needs Unicode, and patterns match bytes", None),
            b'g' | b'k' => {
                let close = match self.peek() {
                    Some(b'{') => Some(b'}'),
                    Some(b'<') => Some(b'>'),
                    Some(b'\'') => Some(b'\''),
                    _ => None,
                };
                let length = match close {
                    Some(close) => {
                        let inside = self.rest().get(1..).unwrap_or_default();
                        memchr::memchr(close, inside).map_or(1, |n| n + 2)
                    }
                    None => self
                        .rest()
                        .iter()
                        .take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'))
                        .count(),
                };
                self.at += length;
                return fail(self.construct(), "back-references are not supported", Some(BACK_REFERENCE));
            }
            b'1'..=b'9' => return self.back_reference(letter),
            _ => match self.plain_escape(letter)? {
                Item::Byte(byte) => self.literal(byte),
                Item::Set(set) => self.emit(&set),
            },
        }
        Ok(())
    }

    /// `\1` and on: PCRE takes a number of two digits and more for an octal one, unless there are
    /// that many groups.
    fn back_reference(&mut self, first: u8) -> Result<(), PatternError> {
        let more = self.rest().iter().take_while(|b| b.is_ascii_digit()).count();
        let digits = self.source.get(self.at - 1..self.at + more).unwrap_or_default();
        let number = digits
            .iter()
            .fold(0_usize, |n, &b| n.saturating_mul(10).saturating_add(usize::from(b.saturating_sub(b'0'))));
        if number >= 10 && number > self.groups && first < b'8' {
            let byte = self.octal(first)?;
            self.literal(byte);
            return Ok(());
        }
        self.at += more;
        fail(self.construct(), "back-references are not supported", Some(BACK_REFERENCE))
    }

    /// An escape that means the same inside and outside a class; `letter` is what follows the
    /// backslash.
    pub(super) fn plain_escape(&mut self, letter: u8) -> Result<Item, PatternError> {
        let set = |text: &str| Ok(Item::Set(text.to_owned()));
        let byte = match letter {
            b'd' | b'D' | b's' | b'S' | b'w' | b'W' => {
                return Ok(Item::Set(format!("\\{}", char::from(letter))));
            }
            b'h' => return set("[\\t \\xA0]"),
            b'H' => return set("[^\\t \\xA0]"),
            b'v' => return set("[\\n-\\r\\x85]"),
            b'V' => return set("[^\\n-\\r\\x85]"),
            b'a' => 0x07,
            b'e' => 0x1b,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'c' => match self.next() {
                Some(letter) => letter.to_ascii_uppercase() ^ 0x40,
                None => return fail(self.construct(), "`\\c` needs a letter", None),
            },
            b'x' => self.hexadecimal()?,
            b'o' => self.braced_octal()?,
            b'0'..=b'7' => self.octal(letter)?,
            b'p' | b'P' => {
                if self.peek() == Some(b'{') {
                    self.at += memchr::memchr(b'}', self.rest()).map_or(1, |n| n + 1);
                } else {
                    self.next();
                }
                return fail(
                    self.construct(),
                    "Unicode properties are not supported: patterns match bytes",
                    Some("list the bytes in a class, or use a POSIX class such as `[[:alpha:]]`"),
                );
            }
            b'N' | b'u' | b'U' | b'l' | b'L' => {
                let message = format!("`\\{}` is not supported", char::from(letter));
                return fail(self.construct(), message, Some("write a byte as `\\xHH`"));
            }
            // Punctuation stands for itself, and so do letters that mean nothing.
            _ => letter,
        };
        Ok(Item::Byte(byte))
    }

    /// After `\x`: up to two digits, or any number in braces.
    fn hexadecimal(&mut self) -> Result<u8, PatternError> {
        if self.peek() == Some(b'{') {
            return self.braced(16, "`\\x{…}`");
        }
        let digits = self.rest().iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
        let value = self.number(digits, 16);
        Ok(u8::try_from(value).unwrap_or_default())
    }

    fn braced_octal(&mut self) -> Result<u8, PatternError> {
        if self.peek() == Some(b'{') {
            return self.braced(8, "`\\o{…}`");
        }
        fail(self.construct(), "`\\o` needs braces", Some("write `\\o{…}`"))
    }

    /// A number in braces.
    fn braced(&mut self, radix: u32, what: &str) -> Result<u8, PatternError> {
        self.at += 1;
        let length = memchr::memchr(b'}', self.rest());
        let digits = self.rest().get(..length.unwrap_or(0)).unwrap_or_default();
        let valid = !digits.is_empty() && digits.iter().all(|&b| char::from(b).is_digit(radix));
        if !valid {
            self.at += length.map_or(0, |n| n + 1);
            return fail(self.construct(), format!("{what} needs digits in its braces"), None);
        }
        let value = self.number(digits.len(), radix);
        self.at += 1;
        u8::try_from(value).or_else(|_| {
            let message = format!("{what} is more than FF, and patterns match bytes");
            let utf8 = char::from_u32(value).map(|c| {
                let mut buffer = [0; 4];
                let bytes: String =
                    c.encode_utf8(&mut buffer).bytes().map(|b| format!("\\x{b:02x}")).collect();
                format!("write the bytes of its UTF-8 form, `{bytes}`")
            });
            fail(self.construct(), message, Some(utf8.as_deref().unwrap_or(WIDE)))
        })
    }

    /// An octal number of up to three digits, of which the first was read.
    fn octal(&mut self, first: u8) -> Result<u8, PatternError> {
        let more = self.rest().iter().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
        let value = u32::from(first.saturating_sub(b'0')) << (3 * more) | self.number(more, 8);
        u8::try_from(value).or_else(|_| {
            fail(self.construct(), "the octal escape is more than 377, and patterns match bytes", Some(WIDE))
        })
    }

    /// Reads `digits` digits; saturates.
    fn number(&mut self, digits: usize, radix: u32) -> u32 {
        let text = self.rest().get(..digits).unwrap_or_default();
        self.at += text.len();
        text.iter()
            .filter_map(|&b| char::from(b).to_digit(radix))
            .fold(0_u32, |value, digit| value.saturating_mul(radix).saturating_add(digit))
    }
}
