//! What holds for any input.

use portcullis_libinjection::html5::{self, Start};
use portcullis_libinjection::sqli::{self, Context, Dialect, Kind, MAX_TOKENS, Quote};
use portcullis_libinjection::xss;
use proptest::prelude::*;

/// Pieces of SQL and HTML, so that random input gets deep into both.
const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "\\",
    "--",
    "#",
    "/*",
    "*/",
    "/*!",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ";",
    ".",
    ":",
    "::",
    "@",
    "@@",
    "$",
    "$$",
    "$a$",
    "1",
    "1.",
    "1e",
    "1.e",
    "0x",
    "0b1",
    "q'(",
    "x'",
    "b'",
    "e'",
    "u&'",
    "n'",
    "<=>",
    "!=",
    "||",
    "&&",
    " ",
    "\n",
    "\t",
    "\0",
    "or",
    "and",
    "union",
    "all",
    "select",
    "from",
    "in",
    "not",
    "like",
    "if",
    "user",
    "int",
    "collate",
    "latin1_bin",
    "insert",
    "into",
    "outfile",
    "foo",
    "sp_password",
    "<",
    ">",
    "</",
    "/>",
    "<!",
    "<!--",
    "-->",
    "<%",
    "%>",
    "<?",
    "<![CDATA[",
    "]]>",
    "=",
    "href",
    "onclick",
    "style",
    "script",
    "&#",
    "&#x6a;",
    "java",
    "é",
    "\u{a0}",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn contexts() -> impl Iterator<Item = Context> {
    [Quote::None, Quote::Single, Quote::Double]
        .into_iter()
        .flat_map(|quote| [Dialect::Ansi, Dialect::MySql].map(|dialect| Context::new(quote, dialect)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sql_tokens_end_and_fold_to_few(input in input()) {
        for context in contexts() {
            let tokens: Vec<_> = sqli::tokens(&input, context).collect();
            prop_assert!(tokens.len() <= input.len());
            let folded = sqli::fold(&input, context);
            let evil = folded.tokens().iter().any(|token| token.kind() == Kind::Evil);
            prop_assert!(folded.tokens().len() <= MAX_TOKENS + usize::from(evil));
            prop_assert!(tokens.iter().all(|token| token.value().len() <= 31));
        }
    }

    #[test]
    fn html_tokens_are_parts_of_the_input_in_order(input in input()) {
        for start in [Start::Data, Start::Tag, Start::SingleQuotes, Start::DoubleQuotes, Start::BackQuotes] {
            let mut end = input.as_ptr() as usize;
            for token in html5::tokens(&input, start) {
                let from = token.text.as_ptr() as usize;
                prop_assert!(token.text.is_empty() || from >= end, "{token:?}");
                end = end.max(from + token.text.len());
            }
            prop_assert!(end <= input.as_ptr() as usize + input.len());
        }
    }

    /// The bytes around the input and the place it lies at in memory do not matter, nor does what was read before.
    #[test]
    fn results_depend_on_the_bytes_alone(input in input(), before in input(), after in input()) {
        let all = [&before[..], &input[..], &after[..]].concat();
        let inside = &all[before.len()..before.len() + input.len()];
        let first = (portcullis_libinjection::sqli(&input), xss(&input));
        let _ = (portcullis_libinjection::sqli(&all), xss(&all));
        prop_assert_eq!(first, (portcullis_libinjection::sqli(inside), xss(inside)));
    }

    #[test]
    fn fingerprints_are_letters_of_kinds(input in input()) {
        if let Some(fingerprint) = portcullis_libinjection::sqli(&input) {
            let known = fingerprint.as_bytes().iter().all(|letter| KINDS.contains(letter));
            prop_assert!(known && (1..=MAX_TOKENS).contains(&fingerprint.as_bytes().len()));
            let text = fingerprint.to_string();
            prop_assert_eq!(text.as_bytes(), fingerprint.as_ref());
        }
    }
}

/// The letters that fingerprints are made of.
const KINDS: &[u8] = b"kUBEtfn1vso&cA(){}.,:;T?X\\";
