//! What every match of an operator must hold.
//!
//! From a parsed pattern two necessary conditions are read off, both cheap to test and neither ever wrong
//! in the direction that matters (a text without them can't match):
//!
//! - **Literals**: a set of strings of which at least one, without regard to ASCII case, is in every match.
//!   `(?i)union\s+(?:all\s+)?select` gives `{select}` or `{union}`; `\b(?:cat|dog)s?\b` gives `{cat, dog}`.
//! - **Bytes**: sets of bytes of which at least one member is in every match. `['"]\s*or` gives the quotes.
//!
//! The idea is that of RE2's FilteredRE2 and of the atoms of YARA. A pattern is a tree, and each node yields
//! the strings its matches begin with, and the rarest set of strings that they hold anywhere. Concatenations
//! make the former longer as long as there are few enough; alternations need all their branches. How rare a
//! set is, is estimated from how often bytes occur in ordinary requests.

use regex_syntax::hir::Hir;

use super::byte_set::ByteSet;
use super::fold;
use super::known::{Known, Node, Parts, SETS, one_of_each};

/// Sets that are likelier than this in an ordinary value aren't worth testing for.
const TOO_COMMON: f64 = 0.9;
/// Most requirements that a pattern is split into.
const MOST_WAYS: usize = 32;
/// A requirement that lets no more than this through need not be split.
const RARE_ENOUGH: f64 = 0.02;
/// What is left of the chance of a match when splitting is worth it.
const WORTH_SPLITTING: f64 = 0.7;

/// What every match must hold; nothing known means no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// At least one of these, [folded](fold), each at least three bytes long.
    pub(crate) literals: Option<Vec<Vec<u8>>>,
    /// At least one byte of each of these, rarest first; at most [`SETS`].
    pub(crate) bytes: Vec<ByteSet>,
}

impl Requirement {
    /// Several requirements of which each match of a regular expression meets one; just one, unless several let
    /// less through together. `(?:union|[;&]).*\bls\b` has no literal in every match, but its matches have
    /// `union`, or one of two rare bytes.
    pub(crate) fn ways(hir: &Hir) -> Vec<Self> {
        let node = Node::of(hir);
        let common = node.known.chance();
        if common > RARE_ENOUGH {
            let several = split(&node);
            let together: f64 = several.iter().map(Known::chance).sum();
            if together < common * WORTH_SPLITTING {
                return several.iter().map(Self::of).collect();
            }
        }
        vec![Self::of(&node.known)]
    }

    fn of(known: &Known) -> Self {
        let literals = known.literals.as_ref().filter(|literals| literals.likelihood < TOO_COMMON);
        let bytes = known.bytes.iter().copied().filter(|set| set.frequency() < TOO_COMMON);
        Self { literals: literals.map(|literals| literals.texts()), bytes: bytes.take(SETS).collect() }
    }

    /// Of a list of phrases of which one must be there.
    pub(crate) fn of_phrases(phrases: &[Vec<u8>]) -> Self {
        let bytes = one_of_each(phrases.iter().map(Vec::as_slice));
        let folded: Vec<Vec<u8>> = phrases.iter().map(|phrase| fold::text(phrase)).collect();
        let literals =
            (!folded.is_empty() && folded.iter().all(|phrase| phrase.len() >= 3)).then_some(folded);
        Self { literals, bytes: bytes.into_iter().collect() }
    }

    /// Of a test that a text fails only by one of these bytes.
    pub(crate) fn of_bytes(set: ByteSet) -> Self {
        Self { literals: None, bytes: vec![set] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.literals.is_none() && self.bytes.is_empty()
    }
}

/// What is known of each of several parts of a pattern's matches, that are all its matches together.
fn split(node: &Node) -> Vec<Known> {
    match &node.parts {
        Parts::Choice(branches) => {
            let several: Vec<Known> = branches.iter().flat_map(split).collect();
            if several.len() <= MOST_WAYS {
                return several;
            }
            if branches.len() <= MOST_WAYS {
                return branches.iter().map(|branch| branch.known.clone()).collect();
            }
        }
        // Of the parts the one whose splitting lets the least through; what is known of all is needed as well.
        Parts::Row(parts) => {
            let several = parts.iter().map(split).filter(|several| several.len() > 1);
            let options =
                several.map(|several| several.iter().map(|way| way.and(&node.known)).collect::<Vec<_>>());
            let passing = |option: &Vec<Known>| option.iter().map(Known::chance).sum::<f64>();
            if let Some(best) = options.min_by(|a, b| passing(a).total_cmp(&passing(b))) {
                return best;
            }
        }
        Parts::None => {}
    }
    vec![node.known.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hir(pattern: &str) -> Hir {
        let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
        hir.expect("a pattern")
    }

    fn requirement(pattern: &str) -> Requirement {
        Requirement::of(&Node::of(&hir(pattern)).known)
    }

    fn literals(pattern: &str) -> Vec<String> {
        let found = requirement(pattern).literals.unwrap_or_default();
        found.iter().map(|literal| String::from_utf8_lossy(literal).into_owned()).collect()
    }

    #[test]
    fn literals_of_patterns() {
        for (pattern, expected) in [
            ("(?i)union", &["union"][..]),
            (r"\b(?:cat|dog)s?\b", &["cat", "dog"]),
            (r"colou?r", &["color", "colour"]),
            (r"(?i)union\s+(?:all\s+)?select", &["union all select", "union select"]),
            (r"m(?:aster|s(?:db|ys))\b", &["master", "msdb", "msys"]),
            (r"[a-z]+(?:cat|x(?:yz|[01]))q", &["catq", "x0q", "x1q", "xyzq"]),
            (r"a.*select", &["select"]),
            (r"(?:abc)+", &["abc"]),
            (r"(?:abc)*", &[]),
            (r"ab|.", &[]),
            (r"x{3}", &["xxx"]),
            (r"[0-9]+", &[]),
            ("", &[]),
        ] {
            assert_eq!(literals(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn bytes_of_patterns() {
        let quotes = requirement(r#"['"]\s*[a-z]"#).bytes;
        assert_eq!(quotes.first().map(|set| set.iter().collect::<Vec<_>>()), Some(b"\"'".to_vec()));
        assert!(requirement(r".*").bytes.is_empty());
    }

    #[test]
    fn long_lists_of_words_are_cut_to_what_they_begin_with() {
        let words: Vec<String> = (0..2000).map(|n| format!("w{n:04}tail")).collect();
        let found = literals(&format!("(?:{})[;&|]", words.join("|")));
        assert!(!found.is_empty() && found.len() <= 512, "{}", found.len());
        assert!(words.iter().all(|word| found.iter().any(|literal| word.starts_with(literal.as_str()))));
    }

    /// Patterns of pieces that are valid each, and can be joined, chosen and repeated.
    fn any_pattern() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a", "[b-d]", "[^x]", "bc", "", ".", "^", "$", r"\b", "(?i:AbC)", "abcdef", "[;&]", r"\s", " ",
            r"\s+", r"a\s*b", r"[\s;]", "\n",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(5, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 2..5)
                    .prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner.clone(), 0..4_u32, 0..3_u32)
                    .prop_map(|(part, low, more)| format!("(?:{part}){{{low},{}}}", low + more)),
                (inner, 0..3_u32).prop_map(|(part, low)| format!("(?:{part}){{{low},}}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// The one direction that matters.
        #[test]
        fn what_matches_holds_what_is_required(pattern in any_pattern(), text in "[a-fA-Fx;& \n]{0,16}|[a-cA-C \t\n]{0,16}") {
            let regex = regex_automata::meta::Regex::builder()
                .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
                .build(&pattern).unwrap();
            if regex.is_match(text.as_bytes()) {
                let folded = fold::text(text.as_bytes());
                let bytes = ByteSet::of_long(text.as_bytes());
                let held = |literal: &Vec<u8>| memchr::memmem::find(&folded, literal).is_some();
                let met = |requirement: &Requirement| {
                    requirement.literals.as_ref().is_none_or(|literals| literals.iter().any(held))
                        && requirement.bytes.iter().all(|set| set.and(bytes) != ByteSet::default())
                };
                prop_assert!(met(&requirement(&pattern)));
                prop_assert!(split(&Node::of(&hir(&pattern))).iter().any(|way| met(&Requirement::of(way))));
            }
        }
    }
}
