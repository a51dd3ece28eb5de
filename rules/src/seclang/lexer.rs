//! Logical lines: continued lines joined, comments and blank lines left out.
//!
//! - A line is trimmed on both sides. One that ends in `\` is continued: the backslash goes, the next
//!   line follows trimmed, so its indentation is lost. Blank and comment lines in between are passed
//!   over (Coraza).
//! - A comment is a line of its own that begins with `#`. A commented-out `SecRule` or `SecAction` that
//!   ends in `\` takes the lines along that it is continued on (ModSecurity v3).
//! - CRLF line ends are accepted. When the file ends inside a continued line, what there is of the line
//!   counts.

use super::directive;
use super::text::Text;
use crate::diagnostic::{Code, Diagnostic, SourceId, Sources, Span};

/// A logical line, never empty.
#[derive(Debug)]
pub(super) struct Line {
    /// The text, trimmed.
    pub(super) text: Text,
    /// Number of its first physical line, from 1.
    pub(super) number: u32,
    /// The lines between the backticks of a `SecDataset`.
    pub(super) block: Option<Text>,
}

/// Reads logical lines.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    source: SourceId,
    text: &'a [u8],
    at: usize,
    number: u32,
    /// Where comments were passed over, if anyone asks.
    comments: Option<Vec<Span>>,
}

/// A physical line, trimmed.
struct Physical<'a> {
    text: &'a [u8],
    origin: usize,
    number: u32,
}

impl Physical<'_> {
    fn is_comment(&self) -> bool {
        self.text.starts_with(b"#")
    }

    fn is_continued(&self) -> bool {
        self.text.ends_with(b"\\")
    }

    /// Whether it comments a rule out.
    fn hides_rule(&self) -> bool {
        let start = self.text.iter().position(|b| *b != b'#' && !b.is_ascii_whitespace());
        let rest = start.and_then(|n| self.text.get(n..)).unwrap_or_default();
        [b"SecRule".as_slice(), b"SecAction"]
            .iter()
            .any(|name| rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)))
    }

    fn span(&self) -> Span {
        Span { start: self.origin, end: self.origin + self.text.len() }
    }
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: SourceId, text: &'a [u8]) -> Self {
        Self { source, text, at: 0, number: 0, comments: None }
    }

    fn physical(&mut self) -> Option<Physical<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |n| n + 1);
        let line = rest.get(..end).unwrap_or_default();
        let origin = self.at + (line.len() - line.trim_ascii_start().len());
        self.at += end;
        self.number += 1;
        Some(Physical { text: line.trim_ascii(), origin, number: self.number })
    }

    /// The next logical line; what is odd about the lines read goes to `out`.
    pub(super) fn next(&mut self, out: &mut Vec<Diagnostic>) -> Option<Line> {
        loop {
            let first = self.physical()?;
            if first.is_comment() {
                self.pass_over(&first);
                if first.is_continued() && first.hides_rule() {
                    self.swallow(&first, out);
                }
            } else if !first.text.is_empty() {
                let number = first.number;
                let text = self.join(first, out);
                let (text, block) = self.dataset(text, out);
                // A lone backslash leaves nothing.
                if !text.is_empty() {
                    return Some(Line { text, number, block });
                }
            }
        }
    }

    /// Joins a line with those it is continued on.
    fn join(&mut self, first: Physical<'a>, out: &mut Vec<Diagnostic>) -> Text {
        let mut text = Text::new(self.source, b"", first.origin);
        let mut line = first;
        while let Some(body) = line.text.strip_suffix(b"\\") {
            text.push(body, line.origin);
            let end = line.span().end;
            let Some(next) = self.next_part() else {
                let span = Span { start: end.saturating_sub(1), end };
                let warning = Diagnostic::new(Code::W0407, "the file ends inside a continued line")
                    .at(self.source, span, "")
                    .help("take the backslash away, or restore what is missing");
                out.push(warning);
                return text.trimmed();
            };
            line = next;
        }
        text.push(line.text, line.origin);
        text
    }

    /// The line that a continued one goes on with.
    fn next_part(&mut self) -> Option<Physical<'a>> {
        while let Some(line) = self.physical() {
            if line.is_comment() {
                self.pass_over(&line);
            } else if !line.text.is_empty() {
                return Some(line);
            }
        }
        None
    }

    fn pass_over(&mut self, line: &Physical<'_>) {
        if let Some(comments) = &mut self.comments {
            comments.push(line.span());
        }
    }

    /// Passes over the lines that a commented-out rule is continued on.
    fn swallow(&mut self, comment: &Physical<'_>, out: &mut Vec<Diagnostic>) {
        while let Some(line) = self.physical() {
            self.pass_over(&line);
            if !line.is_comment() {
                let end = line.text.iter().position(u8::is_ascii_whitespace).unwrap_or(line.text.len());
                let name = line.text.get(..end).unwrap_or_default();
                if directive::find(name).is_some() {
                    let message =
                        format!("this line is commented out with the rule on line {}", comment.number);
                    let warning = Diagnostic::new(Code::W0406, message)
                        .at(self.source, line.span(), "")
                        .at(self.source, comment.span(), "continued by its backslash")
                        .help("take the backslash off the end of the comment, or comment this line out too");
                    out.push(warning);
                }
            }
            if !line.is_continued() {
                return;
            }
        }
    }

    /// Reads the block of a `SecDataset` line that ends in a backtick, up to a line that begins with one.
    fn dataset(&mut self, text: Text, out: &mut Vec<Diagnostic>) -> (Text, Option<Text>) {
        let is_dataset = text.bytes().get(..10).is_some_and(|name| name.eq_ignore_ascii_case(b"SecDataset"));
        let Some(head) = text.bytes().strip_suffix(b"`").filter(|_| is_dataset) else {
            return (text, None);
        };
        let head = text.slice(0..head.len());
        let start = self.at;
        loop {
            let before = self.at;
            let Some(line) = self.physical() else {
                let tick = text.report_part(head.len()..text.len(), Code::E0303, "the block is never closed");
                out.push(tick.help("end it with a line that holds a single backtick"));
                return (head.trimmed(), Some(Text::new(self.source, b"", before)));
            };
            if line.text.starts_with(b"`") {
                let block = self.text.get(start..before).unwrap_or_default();
                return (head.trimmed(), Some(Text::new(self.source, block, start)));
            }
        }
    }
}

/// The text with its comments taken out, commented-out rules among them. Their lines stay, empty, so that
/// what is left keeps its line numbers.
#[must_use]
pub fn without_comments(text: &[u8]) -> Vec<u8> {
    let source = Sources::default().add("", *b"");
    let mut lexer = Lexer { comments: Some(Vec::new()), ..Lexer::new(source, text) };
    while lexer.next(&mut Vec::new()).is_some() {}
    let mut left = Vec::with_capacity(text.len());
    let mut from = 0;
    for comment in lexer.comments.unwrap_or_default() {
        left.extend_from_slice(text.get(from..comment.start).unwrap_or_default());
        from = comment.end;
    }
    left.extend_from_slice(text.get(from..).unwrap_or_default());
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> (Vec<(u32, String)>, Vec<Code>) {
        let mut sources = Sources::default();
        let id = sources.add("x", text);
        let (mut lexer, mut out, mut lines) = (Lexer::new(id, text), Vec::new(), Vec::new());
        while let Some(line) = lexer.next(&mut out) {
            let block = line.block.map(|b| format!("`{}`", b.text())).unwrap_or_default();
            lines.push((line.number, line.text.text() + &block));
        }
        (lines, out.iter().map(|d| d.code).collect())
    }

    #[test]
    fn comments_can_be_taken_out() {
        for (text, expected) in [
            ("", ""),
            ("# a\nB", "\nB"),
            ("B # c\n", "B # c\n"),
            ("A \\\r\n  # note\r\n  b\r\n#", "A \\\r\n  \r\n  b\r\n"),
            ("#SecRule A \\\n  \"x\" \\\n  \"y\"\nB", "\n  \n  \nB"),
            ("SecDataset x `\n# data\n`\n# note", "SecDataset x `\n# data\n`\n"),
        ] {
            let left = without_comments(text.as_bytes());
            assert_eq!(left, expected.as_bytes(), "{text}");
            assert_eq!(lines(&left).0, lines(text.as_bytes()).0, "{text}");
        }
    }

    #[test]
    fn logical_lines() {
        type Case = (&'static [u8], &'static [(u32, &'static str)], &'static [Code]);
        let cases: &[Case] = &[
            (b"", &[], &[]),
            (b"  A b  \r\n\r\n\tC\n", &[(1, "A b"), (3, "C")], &[]),
            (b"A \\\n   b\\\n  c\nD", &[(1, "A bc"), (4, "D")], &[]),
            (b"A \\\r\n   b\r\n", &[(1, "A b")], &[]),
            (b"A \\  \n\n# note\n  b\nC", &[(1, "A b"), (5, "C")], &[]),
            (b"A b\\\\\nc", &[(1, "A b\\c")], &[]),
            (b"A b \\\n", &[(1, "A b")], &[Code::W0407]),
            (b"A b \\", &[(1, "A b")], &[Code::W0407]),
            (b"A b \\\n# end\n", &[(1, "A b")], &[Code::W0407]),
            (b"\\\n", &[], &[Code::W0407]),
            (b"# A \\\nB", &[(2, "B")], &[]),
            (b"#SecRule A \\\n  \"x\" \\\n  \"y\"\nB", &[(4, "B")], &[]),
            (b"  ## secaction \\\n#  \"x\"\nB", &[(3, "B")], &[]),
            (b"# SecRule A \\\n\nB", &[(3, "B")], &[]),
            (b"# SecRule A \\\nSecMarker X\nB", &[(3, "B")], &[Code::W0406]),
            (b"# SecRule A", &[], &[]),
            (b"SecDataset x `\n a\nb \n`\nC", &[(1, "SecDataset x` a\nb \n`"), (5, "C")], &[]),
            (b"SecDataset x `\n a", &[(1, "SecDataset x``")], &[Code::E0303]),
            (b"Sec x `\n a", &[(1, "Sec x `"), (2, "a")], &[]),
        ];
        for (text, expected, codes) in cases {
            let (found, reported) = lines(text);
            let expected: Vec<(u32, String)> = expected.iter().map(|&(n, t)| (n, t.to_owned())).collect();
            assert_eq!((found, &reported), (expected, &codes.to_vec()), "{}", text.escape_ascii());
        }
    }
}
