//! Phrase lists: `@pm`, `@pmFromFile`.

use std::ops::Range;
use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::OperatorError;
use crate::bytes::is_blank;
use crate::limits;

/// Phrases that are looked for all at once, without regard to ASCII case. The automaton is built when it
/// is first used.
#[derive(Debug)]
pub(super) struct Phrases {
    list: Vec<Vec<u8>>,
    /// `None` within when building it failed, which [`Phrases::new`] rules out.
    automaton: OnceLock<Option<AhoCorasick>>,
}

impl Phrases {
    /// Takes a list from [`parse_argument`] or [`parse_file`].
    ///
    /// # Errors
    /// When the list is longer than [`limits::PHRASE_BYTES`].
    pub(super) fn new(list: Vec<Vec<u8>>) -> Result<Self, OperatorError> {
        if total(&list) > limits::PHRASE_BYTES {
            return Err(OperatorError::Argument {
                message: format!("the phrases are longer than {} bytes together", limits::PHRASE_BYTES),
                help: Some("split the list over several rules".to_owned()),
                span: None,
            });
        }
        Ok(Self { list, automaton: OnceLock::new() })
    }

    /// The phrases, in the form of [`canonical`].
    pub(super) fn list(&self) -> &[Vec<u8>] {
        &self.list
    }

    /// Whether building the automaton failed when it was first used.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.automaton.get(), Some(None))
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        let build = || {
            // Fast, but it takes about a quarter of a kilobyte for each byte of the phrases.
            let small = total(&self.list) <= limits::PHRASE_BYTES_DFA;
            AhoCorasick::builder()
                .ascii_case_insensitive(true)
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(if small { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA }))
                .build(&self.list)
                .ok()
        };
        self.automaton.get_or_init(build).as_ref()
    }

    /// Whether a phrase is in the value.
    pub(super) fn is_match(&self, value: &[u8]) -> bool {
        self.automaton().is_some_and(|automaton| automaton.is_match(value))
    }

    /// The leftmost phrase in the value, the longest where several begin.
    pub(super) fn find(&self, value: &[u8]) -> Option<Range<usize>> {
        self.automaton()?.find(value).map(|found| found.range())
    }
}

fn total(list: &[Vec<u8>]) -> usize {
    list.iter().map(Vec::len).sum()
}

/// The phrases of an argument of `@pm`, in the form of [`canonical`].
///
/// They are parted by white space. As in ModSecurity, the argument may stand in double quotes, bytes may
/// be written in hex between bars (`|3c 3f|` is not allowed, `|3c3f|` is), and `\` goes before `:`,
/// `;`, `\` and `"` to make them ordinary; where that syntax is broken the argument is taken as it is.
/// Escapes are undone before phrases are parted, so a blank can't be part of a phrase.
pub(super) fn parse_argument(argument: &[u8]) -> Vec<Vec<u8>> {
    let argument = argument.trim_ascii();
    let argument = argument.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(argument);
    let unescaped = unescape(argument);
    let text = unescaped.as_deref().unwrap_or(argument);
    canonical(text.split(|&b| is_blank(b)))
}

/// The phrases of a file, one on each line, in the form of [`canonical`]. Blanks at both ends of a line
/// don't count (as in Coraza), nor do lines that begin with `#`.
pub(super) fn parse_file(text: &[u8]) -> Vec<Vec<u8>> {
    canonical(text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.starts_with(b"#")))
}

/// The list in lower case, sorted, each phrase once, empty ones left out: equal for lists that match
/// the same.
fn canonical<'a>(phrases: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut list: Vec<Vec<u8>> =
        phrases.filter(|phrase| !phrase.is_empty()).map(<[u8]>::to_ascii_lowercase).collect();
    list.sort_unstable();
    list.dedup();
    list
}

/// Undoes hex parts and escapes; `None` when they are malformed.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'|' => loop {
                match bytes.next()? {
                    b'|' => break,
                    high => out.push(hex_digit(high)? << 4 | hex_digit(bytes.next()?)?),
                }
            },
            b'\\' => match bytes.next()? {
                byte @ (b':' | b';' | b'\\' | b'"') => out.push(byte),
                _ => return None,
            },
            byte => out.push(byte),
        }
    }
    Some(out)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(argument: &str) -> Vec<String> {
        parse_argument(argument.as_bytes()).into_iter().map(|p| String::from_utf8(p).unwrap()).collect()
    }

    #[test]
    fn arguments() {
        for (argument, phrases) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("  b  a\tB ", vec!["a", "b"]),
            ("\"b a\"", vec!["a", "b"]),
            ("a\"b", vec!["a\"b"]),
            ("( )", vec!["(", ")"]),
            ("?>", vec!["?>"]),
            ("x|3c3F|y", vec!["x<?y"]),
            ("x|20|y", vec!["x", "y"]),
            (r"a\:b\;c\\d", vec![r"a:b;c\d"]),
            // Broken: taken as it is.
            ("|3c", vec!["|3c"]),
            ("|3|", vec!["|3|"]),
            ("|zz| a", vec!["a", "|zz|"]),
            (r"a\n |41|", vec![r"a\n", "|41|"]),
            ("a\\", vec!["a\\"]),
        ] {
            assert_eq!(list(argument), phrases, "{argument:?}");
        }
    }

    #[test]
    fn files() {
        let phrases = parse_file(b"# comment\r\n  two words \r\n\n#x\nTwo Words\n\\|41|\nlast");
        assert_eq!(phrases, [b"\\|41|".to_vec(), b"last".to_vec(), b"two words".to_vec()]);
    }

    #[test]
    fn the_leftmost_longest_phrase_is_found() {
        let phrases = Phrases::new(parse_argument(b"ab abcd bc")).unwrap();
        assert_eq!(phrases.find(b"xxABCDe"), Some(2..6));
        assert_eq!(phrases.find(b"xxABCe"), Some(2..4));
        assert_eq!(phrases.find(b"xBc"), Some(1..3));
        assert!(phrases.is_match(b"xBc"));
        assert!(!phrases.is_match(b"xB c"));
        assert_eq!(phrases.find(b""), None);
    }

    #[test]
    fn small_and_large_lists_find_the_same() {
        let small: Vec<Vec<u8>> = parse_argument(b"ab abcd bc");
        let filler = (0..limits::PHRASE_BYTES_DFA).map(|n| format!("zz{n}zz").into_bytes());
        let large = Phrases::new(small.iter().cloned().chain(filler).collect()).unwrap();
        let small = Phrases::new(small).unwrap();
        for value in ["", "xxABCDe", "xxABCe", "xBc", "ZZ", "z b c"] {
            assert_eq!(small.find(value.as_bytes()), large.find(value.as_bytes()));
            assert_eq!(small.is_match(value.as_bytes()), large.is_match(value.as_bytes()));
        }
        assert_eq!(large.find(b"aZz12zZ"), Some(1..7));
        assert!(!small.is_broken() && !large.is_broken());
    }

    #[test]
    fn lists_that_are_too_long_are_refused() {
        assert!(Phrases::new(vec![vec![b'a'; limits::PHRASE_BYTES]]).is_ok());
        assert!(Phrases::new(vec![vec![b'a'; limits::PHRASE_BYTES], vec![b'b']]).is_err());
    }

    #[test]
    fn without_phrases_nothing_matches() {
        let phrases = Phrases::new(parse_argument(b"  ")).unwrap();
        assert!(!phrases.is_match(b""));
        assert!(!phrases.is_match(b"a"));
    }

    #[test]
    fn only_ascii_case_is_folded() {
        let phrases = Phrases::new(parse_argument("K\u{c9}".as_bytes())).unwrap();
        assert!(phrases.is_match("k\u{c9}".as_bytes()));
        assert!(!phrases.is_match("k\u{e9}".as_bytes()));
        assert!(!phrases.is_match("\u{212a}\u{c9}".as_bytes()));
    }
}
