//! Compiled regular expressions.
//!
//! A pattern is checked when the policy is loaded and compiled when it is first used: compiling all
//! patterns of the Core Rule Set takes a second or two in Wasm, on every worker, and most requests need
//! few of them. So that a compilation can't fail while a request waits, a pattern whose program could
//! come near the limit is compiled at once and refused if it is over.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, meta};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::pcre::{self, PatternError, Translation};
use super::{Capture, Captures, OperatorError};
use crate::limits;

/// A regular expression on bytes: `.` matches line feeds, `^` and `$` only the ends of the value, case
/// counts, unless the pattern says otherwise. These are ModSecurity v2's settings.
pub(super) struct Pattern {
    /// In the syntax of `regex-syntax`.
    text: Box<str>,
    /// A match takes the whole value, and there are no groups.
    takes_whole: bool,
    /// Names of groups that are path parameters.
    parameters: Box<[(usize, Arc<str>)]>,
    /// The tree that was made to check the pattern, until someone needs it.
    tree: Mutex<Option<Hir>>,
    /// `None` within when compiling failed, which [`Pattern::new`] rules out.
    program: OnceLock<Option<meta::Regex>>,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl Pattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// When it is malformed, needs what linear matching can't do, or is too large.
    pub(super) fn new(source: &[u8]) -> Result<Self, PatternError> {
        Self::from_translation(pcre::translate(source)?, source.len(), limits::REGEX_BYTES)
    }

    /// Checks the path template of `@restpath`.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub(super) fn path_template(source: &[u8]) -> Result<Self, PatternError> {
        Self::from_translation(pcre::translate_path(source)?, source.len(), limits::REGEX_BYTES)
    }

    fn from_translation(
        translation: Translation,
        source_len: usize,
        limit: usize,
    ) -> Result<Self, PatternError> {
        let hir = parse(&translation.text).map_err(|error| syntax_error(&error, &translation))?;
        let program = if program_bound(&hir) <= limit {
            OnceLock::new()
        } else {
            let regex = compile(&hir, limit).ok_or_else(|| PatternError {
                message: format!("the pattern is too large: compiled it takes more than {limit} bytes"),
                help: Some("repeat less in its `{n,m}`, or split it over several rules".to_owned()),
                span: 0..source_len,
            })?;
            OnceLock::from(Some(regex))
        };
        let (anchors, groups) = (hir.properties(), hir.properties().explicit_captures_len());
        let takes_whole = groups == 0
            && anchors.look_set_prefix().contains(Look::Start)
            && anchors.look_set_suffix().contains(Look::End);
        let parameters =
            translation.parameters.into_iter().map(|(group, name)| (group, Arc::from(name))).collect();
        Ok(Self {
            text: translation.text.into_boxed_str(),
            takes_whole,
            parameters,
            tree: Mutex::new(Some(hir)),
            program,
        })
    }

    /// The pattern in the syntax of `regex-syntax`.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether a match takes the whole value, and there are no groups: what it captures is known without a search.
    pub(super) fn takes_whole(&self) -> bool {
        self.takes_whole
    }

    /// The pattern as a tree: the one that is left from checking it for the first caller, parsed anew
    /// for later ones.
    pub(super) fn hir(&self) -> Option<Hir> {
        let kept = self.tree.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.or_else(|| parse(&self.text).ok())
    }

    /// Whether compiling failed when the pattern was first used.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.program.get(), Some(None))
    }

    fn program(&self) -> Option<&meta::Regex> {
        self.program.get_or_init(|| compile(&self.hir()?, limits::REGEX_BYTES)).as_ref()
    }

    /// Whether it matches somewhere.
    pub(super) fn is_match(&self, value: &[u8]) -> bool {
        self.program().is_some_and(|regex| regex.is_match(value))
    }

    /// Whether it matches somewhere; the groups of the first match are captured.
    pub(super) fn capture(&self, value: &[u8], captures: &mut Captures) -> bool {
        let Some(regex) = self.program() else { return false };
        let mut slots = [None; 2 * Captures::SLOTS];
        if !search(regex, &Input::new(value), &mut slots) {
            return false;
        }
        captures.clear();
        store(&slots, captures);
        true
    }

    /// Whether it matches somewhere; of each group the last match it took part in is captured, looking
    /// at no more than [`limits::REGEX_GLOBAL_MATCHES`] matches.
    pub(super) fn capture_all(&self, value: &[u8], captures: &mut Captures) -> bool {
        let Some(regex) = self.program() else { return false };
        let mut slots = [None; 2 * Captures::SLOTS];
        let mut start = 0;
        for n in 0..limits::REGEX_GLOBAL_MATCHES {
            if start > value.len() || !search(regex, &Input::new(value).range(start..), &mut slots) {
                return n > 0;
            }
            if n == 0 {
                captures.clear();
            }
            store(&slots, captures);
            let [from, to, ..] = slots.map(|slot| slot.map_or(start, NonMaxUsize::get));
            // After an empty match the search goes on one byte later.
            start = if to > from { to } else { to + 1 };
        }
        true
    }

    /// Whether the path template fits; its parameters are captured by name.
    pub(super) fn capture_parameters(&self, value: &[u8], captures: &mut Captures) -> bool {
        let Some(regex) = self.program() else { return false };
        let mut groups = regex.create_captures();
        regex.captures(value, &mut groups);
        if !groups.is_match() {
            return false;
        }
        captures.clear();
        for (group, name) in &self.parameters {
            if let Some(span) = groups.get_group(*group) {
                captures.add_named(name.clone(), span.range());
            }
        }
        true
    }

    /// The first match from `start` on. What lies before `start` counts for `^` and `\b`.
    pub(super) fn find(&self, value: &[u8], start: usize) -> Option<Range<usize>> {
        if start > value.len() {
            return None;
        }
        self.program()?.search(&Input::new(value).range(start..)).map(|found| found.range())
    }
}

/// Patterns that become known when macros are expanded. The last few are kept compiled.
#[derive(Debug, Default)]
pub(super) struct ExpandedPatterns {
    /// Most recently used first.
    recent: Mutex<Vec<Expanded>>,
}

#[derive(Debug)]
struct Expanded {
    source: Box<[u8]>,
    /// `None` when the source can't be used.
    pattern: Option<Arc<Pattern>>,
}

impl ExpandedPatterns {
    /// The compiled form of `source`; `None` when it can't be used or is over
    /// [`limits::EXPANDED_REGEX_BYTES`].
    pub(super) fn get(&self, source: &[u8]) -> Option<Arc<Pattern>> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = recent.iter().position(|known| *known.source == *source) {
            recent.get_mut(..=found)?.rotate_right(1);
        } else {
            let pattern = compile_expanded(source).map(Arc::new);
            recent.truncate(limits::EXPANDED_REGEXES.saturating_sub(1));
            recent.insert(0, Expanded { source: source.into(), pattern });
        }
        recent.first()?.pattern.clone()
    }
}

fn compile_expanded(source: &[u8]) -> Option<Pattern> {
    if source.len() > limits::EXPANDED_REGEX_BYTES {
        return None;
    }
    let translation = pcre::translate(source).ok()?;
    Pattern::from_translation(translation, source.len(), limits::EXPANDED_REGEX_BYTES).ok()
}

/// Searches; fills only the slots that the pattern has.
fn search(regex: &meta::Regex, input: &Input<'_>, slots: &mut [Option<NonMaxUsize>]) -> bool {
    let used = slots.len().min(2 * regex.captures_len());
    slots.get_mut(..used).is_some_and(|slots| regex.search_slots(input, slots).is_some())
}

fn store(slots: &[Option<NonMaxUsize>], captures: &mut Captures) {
    for (n, pair) in slots.chunks_exact(2).enumerate() {
        if let &[Some(start), Some(end)] = pair {
            captures.set(n, Capture::Part(start.get()..end.get()));
        }
    }
}

fn parse(text: &str) -> Result<Hir, Box<regex_syntax::Error>> {
    let mut parser =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).build();
    parser.parse(text).map_err(Box::new)
}

fn syntax_error(error: &regex_syntax::Error, translation: &Translation) -> PatternError {
    let (message, span) = match error {
        regex_syntax::Error::Parse(error) => {
            (error.kind().to_string(), error.span().start.offset..error.span().end.offset)
        }
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), error.span().start.offset..error.span().end.offset)
        }
        _ => (error.to_string(), 0..translation.text.len()),
    };
    PatternError { message, help: None, span: translation.source_span(span) }
}

fn compile(hir: &Hir, limit: usize) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(limit))
        .onepass_size_limit(Some(limits::REGEX_CACHE_BYTES))
        .hybrid_cache_capacity(limits::REGEX_CACHE_BYTES);
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

/// A bound on the bytes of a pattern's program, from above and cheap: repetitions are multiplied, not
/// expanded.
fn program_bound(hir: &Hir) -> usize {
    // What every program has: the loop that looks for the start of a match, group 0, the end.
    const FRAME: usize = 1024;
    states_bound(hir).saturating_add(FRAME)
}

/// [`program_bound`] of a part. The figures are about twice what states take on a 64-bit machine.
fn states_bound(hir: &Hir) -> usize {
    const STATE: usize = 64;
    const TRANSITION: usize = 16;
    let inner = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.len().saturating_mul(2 * STATE),
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() * TRANSITION,
        // A range of characters takes a few sequences of up to four bytes. Patterns are of bytes, but
        // where all bytes are ASCII a class may be of this kind.
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() * 16 * (STATE + TRANSITION),
        HirKind::Repetition(repetition) => {
            let copies = repetition.max.unwrap_or(0).max(repetition.min).max(1);
            let copies = usize::try_from(copies).unwrap_or(usize::MAX).saturating_add(1);
            states_bound(&repetition.sub).saturating_add(2 * STATE).saturating_mul(copies)
        }
        HirKind::Capture(capture) => states_bound(&capture.sub).saturating_add(2 * STATE),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(0, |sum: usize, part| sum.saturating_add(states_bound(part)).saturating_add(TRANSITION)),
    };
    inner.saturating_add(2 * STATE)
}

impl From<PatternError> for OperatorError {
    fn from(error: PatternError) -> Self {
        Self::Argument { message: error.message, help: error.help, span: Some(error.span) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(source: &str) -> Pattern {
        Pattern::new(source.as_bytes()).unwrap_or_else(|error| panic!("{source}: {error:?}"))
    }

    #[test]
    fn settings_are_those_of_modsecurity_2() {
        for (source, value, expected) in [
            ("", &b""[..], true),
            ("^a.b$", b"a\nb", true),
            ("^b", b"a\nb", false),
            ("a$", b"a\n", false),
            ("(?m)^b", b"a\nb", true),
            ("(?-s)a.b", b"a\nb", false),
            ("A", b"a", false),
            ("(?i)\u{c9}", "\u{e9}".as_bytes(), false),
            ("(?i)k", "\u{212a}".as_bytes(), false),
            (r"^\w$", b"\xe9", false),
            ("^.$", b"\xff", true),
            (r"^[^\x{e2}]\x{e2}$", b"\xff\xe2", true),
            (r"[\s\x0b]", b"\x0b", true),
            (r"a\Z", b"a\n", true),
            (r"a\Z", b"a\n\n", false),
            (r"\Aa\z", b"a\n", false),
            ("a++b", b"aab", true),
            ("[[a]", b"[", true),
            ("^[a&&b]+$", b"a&b", true),
        ] {
            assert_eq!(pattern(source).is_match(value), expected, "{source} {value:?}");
        }
    }

    #[test]
    fn errors_of_the_parser_have_their_place() {
        for (source, part) in
            [("a(b", "("), (r"\x{41}b)", ")"), ("a{3,2}", "{3,2}"), (r"\e*a|*", "*"), ("(?i-)a)", ")")]
        {
            let error = Pattern::new(source.as_bytes()).unwrap_err();
            let start = source.rfind(part).unwrap();
            assert_eq!(error.span, start..start + part.len(), "{source}: {}", error.message);
        }
        // Nesting is bounded.
        let deep = format!("{}{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(Pattern::new(deep.as_bytes()).is_err());
    }

    #[test]
    fn patterns_are_compiled_when_first_used() {
        let pattern = pattern("a+");
        assert!(pattern.program.get().is_none());
        assert!(pattern.is_match(b"a"));
        assert!(pattern.program.get().is_some());
        assert!(!pattern.is_broken());
    }

    #[test]
    fn patterns_that_are_too_large_are_refused_at_once() {
        for source in ["(?:[a-z]{1000}){1000}", "((a{1000}){1000}){1000}", "(?i)(?:abc|def){4294967295}"] {
            let error = Pattern::new(source.as_bytes()).unwrap_err();
            assert_eq!(error.span, 0..source.len());
            assert!(error.message.contains("too large"), "{}", error.message);
        }
        // Large, and compiled at once to be sure, but below the limit.
        let large = pattern("(?:[a-cx-z]|1){20000}");
        assert!(large.program.get().is_some());
        assert!(!large.is_match(b"a"));
    }

    #[test]
    fn a_program_that_can_not_be_built_matches_nothing() {
        let pattern = pattern("a");
        pattern.program.set(None).unwrap();
        assert!(!pattern.is_match(b"a"));
        assert!(!pattern.capture(b"a", &mut Captures::default()));
        assert_eq!(pattern.find(b"a", 0), None);
        assert!(pattern.is_broken());
    }

    #[test]
    fn expanded_patterns_are_kept() {
        let patterns = ExpandedPatterns::default();
        let first = patterns.get(b"a").unwrap();
        for n in 1..limits::EXPANDED_REGEXES {
            patterns.get(format!("b{n}").as_bytes()).unwrap();
            assert!(Arc::ptr_eq(&first, &patterns.get(b"a").unwrap()));
        }
        for n in 0..limits::EXPANDED_REGEXES {
            patterns.get(format!("c{n}").as_bytes()).unwrap();
        }
        assert!(!Arc::ptr_eq(&first, &patterns.get(b"a").unwrap()));
        assert_eq!(patterns.recent.lock().unwrap().len(), limits::EXPANDED_REGEXES);
        for bad in ["(", "(?=a)", "a{100000}"] {
            assert!(patterns.get(bad.as_bytes()).is_none());
            assert!(patterns.get(bad.as_bytes()).is_none());
        }
        assert!(patterns.get(&vec![b'a'; limits::EXPANDED_REGEX_BYTES + 1]).is_none());
    }

    #[test]
    fn captures_from_all_matches_are_bounded() {
        let pattern = pattern("(a)|(b)");
        let value = [&b"a".repeat(limits::REGEX_GLOBAL_MATCHES)[..], b"b"].concat();
        let mut captures = Captures::default();
        assert!(pattern.capture_all(&value, &mut captures));
        assert_eq!(captures.get(0), Some(&Capture::Part(value.len() - 2..value.len() - 1)));
        assert_eq!(captures.get(2), None);
    }

    /// The bound holds when the program can be compiled within it.
    fn check_bound(source: &str) {
        let Ok(translation) = pcre::translate(source.as_bytes()) else { return };
        let Ok(hir) = parse(&translation.text) else { return };
        let bound = program_bound(&hir);
        if bound <= limits::REGEX_BYTES {
            assert!(compile(&hir, bound).is_some(), "{source}: takes more than {bound} bytes");
        }
    }

    #[test]
    fn the_bound_on_programs_holds() {
        for source in [
            "",
            "a",
            "[^a]",
            "[acegikmoqsuwy02468]",
            "(?i)abcdefghijklmnopqrstuvwxyz",
            "(?:a|b|c|dd|ee|ff|abc|abd|abe|xyz)*",
            "((a)|(b)){0,100}",
            "(?:(?:a?){10}){50,}",
            r"\b\w+\b.*?[^\s]{3,7}$",
            "(?:|a|)(?:|b){3}",
            "(?m:^a$){5}",
            "(?:ab?c*d+){100}",
        ] {
            check_bound(source);
        }
    }

    /// Patterns made of pieces that are valid each, and can be joined, chosen and repeated.
    fn any_pattern() -> impl Strategy<Value = String> {
        let leaf =
            prop::sample::select(vec!["a", "[b-d]", "[^x]", r"\d", "bc", "", ".", "^", "$", r"\b", "[aceg]"])
                .prop_map(str::to_owned);
        leaf.prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 2..5)
                    .prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner.clone(), 0..6_u32, 0..8_u32)
                    .prop_map(|(p, low, more)| format!("({p}){{{low},{}}}", low + more)),
                (inner.clone(), 0..6_u32).prop_map(|(p, low)| format!("(?:{p}){{{low},}}")),
                inner.prop_map(|p| format!("(?i:{p})")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_bound_on_programs_holds_for_any_pattern(source in any_pattern()) {
            check_bound(&source);
        }

        #[test]
        fn capturing_does_not_change_the_outcome(source in any_pattern(), value in "[a-dx0\n ]{0,12}") {
            let pattern = pattern(&source);
            let mut captures = Captures::default();
            let found = pattern.is_match(value.as_bytes());
            prop_assert_eq!(pattern.capture(value.as_bytes(), &mut captures), found);
            prop_assert_eq!(captures.get(0).is_some(), found);
            let first = captures.get(0).cloned();
            prop_assert_eq!(pattern.find(value.as_bytes(), 0).map(Capture::Part), first);
            prop_assert_eq!(pattern.capture_all(value.as_bytes(), &mut captures), found);
        }
    }
}
