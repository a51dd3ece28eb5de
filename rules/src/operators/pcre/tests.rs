use super::*;

fn text(source: &[u8]) -> String {
    translate(source).unwrap_or_else(|error| panic!("{}: {error:?}", String::from_utf8_lossy(source))).text
}

#[test]
fn what_both_syntaxes_share_stays() {
    for source in [
        "",
        "abc",
        "^a.b$",
        "a|b|",
        "(a)(?:b)",
        r"\d\D\s\S\w\W\b\B\A\z",
        "a*b+?c??d{2}e{2,}f{2,3}?",
        "[a-z0-9_]",
        "[^a]",
        r"[\d\s]",
        "[[:alpha:][:^digit:]]",
        "(?i)a(?s-m:b)(?-i)",
        r"\.\*\\",
        "a b",
        "'\"/<>=!:;,@%_`",
    ] {
        assert_eq!(text(source.as_bytes()), source);
    }
}

#[test]
fn habits_are_rewritten() {
    for (source, expected) in [
        // Bytes
        (r"\x{e2}\x{80}[\x{c2}\x{7f}]", r"\xE2\x80[\xC2\x7F]"),
        (r"\x5c\x2e", r"\\\."),
        (r"\xA\x", r"\x0A\x00"),
        (r"\0\012\101", r"\x00\x0AA"),
        (r"(a)\11\o{101}", r"(a)\x09A"),
        (r"\cA\e\a\f\n\r\t", r"\x01\x1B\x07\x0C\x0A\x0D\x09"),
        ("\u{e9}[\u{e9}]", r"\xC3\xA9[\xC3\xA9]"),
        // Escapes
        (r#"\/\"\'\-\_\ \#"#, r##"/"'\-_ \#"##),
        (r"\<b\>", "<b>"),
        (r"\y\i\m", "yim"),
        (r"a\Z", r"a(?:\n?\z)"),
        (r"\Ga", r"\Aa"),
        (r"\h\H\v\V\R\N", r"[\t \xA0][^\t \xA0][\n-\r\x85][^\n-\r\x85](?:\r\n|[\n-\r\x85])[^\n]"),
        (r"\Qa.b*\E+c", r"a\.b\*+c"),
        (r"\Qa.b", r"a\.b"),
        // Classes
        ("[[a]", r"[\[a]"),
        ("[]a][^]a]", r"[\]a][^\]a]"),
        ("[a&&b][!--b][a~~b]", r"[a\&\&b][!-\-b][a\~\~b]"),
        ("[a-]", r"[a\-]"),
        ("[-a]", r"[\-a]"),
        (r"[\w-.]", r"[\w\-.]"),
        (r"[a-\d]", r"[a\-\d]"),
        (r"[+--]", r"[+-\-]"),
        (r"[\b\h\/\e]", r"[\x08[\t \xA0]/\x1B]"),
        (r"[\Q]-^\Eb]", r"[\]\-\^b]"),
        (r"[a-\E]b]c", r"[a\-]b\]c"),
        (r"[a-\Ec]", "[a-c]"),
        ("[[:a]", r"[\[:a]"),
        ("[$.*(){}|?+# ]", "[$.*(){}|?+# ]"),
        // Quantifiers
        ("a++b*+c?+d{2,3}+", "a+b*c?d{2,3}"),
        ("a{b}{,2}{2,x}{", r"a\{b\}\{,2\}\{2,x\}\{"),
        ("a]b}", r"a\]b\}"),
        // Groups
        ("(?>ab)", "(?:ab)"),
        ("(?<n>a)(?P<m>b)(?'o'c)", "(a)(b)(c)"),
        ("a(?#b(c)+d", "a+d"),
        (r"\N{2}", r"[^\n]{2}"),
        ("(?^)a(?^i:b)", "(?-ims)a(?i-ms:b)"),
        ("(?J)a(?)b(?ii)c(?i-i)d", "ab(?i)c(?-i)d"),
        // Free spacing
        ("(?x) a b # c (\n +[ #]\\ ", r"ab+[ #] "),
        ("(?x: a (?-x) b ) c", "(?:a b ) c"),
        ("((?x) a ) b", "(a) b"),
        ("(?xi)a b", "(?i)ab"),
    ] {
        assert_eq!(text(source.as_bytes()), expected, "{source}");
    }
    assert_eq!(text(b"\xff[\x00-\x80]"), r"\xFF[\x00-\x80]");
}

#[test]
fn what_can_not_be_done_is_refused_with_its_place() {
    for (source, part) in [
        ("a(?=b)c", "(?=b)"),
        ("a(?!b)c", "(?!b)"),
        ("a(?<=b(c))d", "(?<=b(c))"),
        (r"a(?<![)\])]\))d", r"(?<![)\])]\))"),
        ("a(?!b", "(?!b"),
        (r"(a)\1b", r"\1"),
        (r"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10", r"\10"),
        (r"\8", r"\8"),
        (r"(a)\g{1}b", r"\g{1}"),
        (r"(a)\g-1b", r"\g-1"),
        (r"(?<n>a)\k<n>b", r"\k<n>"),
        ("(?P<n>a)(?P=n)", "(?P=n)"),
        ("a(?R)?", "(?R)"),
        ("(a)(?1)", "(?1)"),
        ("(a)(?-1)b", "(?-1)"),
        ("(?&n)", "(?&n)"),
        ("(?P>n)", "(?P>n)"),
        ("(a)(?(1)b|c)d", "(?(1)b|c)"),
        ("(?|(a)|(b))", "(?|(a)|(b))"),
        ("(?C1)a", "(?C1)"),
        ("(*UTF8)a", "(*UTF8)"),
        (r"a\Kb", r"\K"),
        (r"\X", r"\X"),
        (r"\p{L}a", r"\p{L}"),
        (r"\PLa", r"\PL"),
        (r"[\p{L}]", r"\p{L}"),
        (r"a\x{100}b", r"\x{100}"),
        (r"[a\x{20AC}]", r"\x{20AC}"),
        (r"\x{}", r"\x{}"),
        (r"\x{zz}", r"\x{zz}"),
        (r"\o{400}", r"\o{400}"),
        (r"\u0041", r"\u"),
        (r"\N{U+41}", r"\N"),
        (r"\400", r"\400"),
        ("a[b", "[b"),
        ("[z-a]", "z-a"),
        ("[[:alfa:]]", "[:alfa:]"),
        (r"[\R]", r"\R"),
        (r"[a-\Qz\E]", r"a-\Q"),
        (r"[\Qa\E-z]", r"\E"),
        ("a\\", "\\"),
        ("(?#a", "(?#a"),
        ("(?<1>a)", "(?<1>"),
        ("(?<a", "(?<"),
        ("(?y)", "(?y"),
        ("(?u)", "(?u"),
        ("(?i", "(?i"),
    ] {
        let error = translate(source.as_bytes()).expect_err(source);
        assert_eq!(&source[error.span], part, "{source}: {}", error.message);
    }
    let error = translate(br"\x{20ac}").unwrap_err();
    assert_eq!(error.help.unwrap(), r"write the bytes of its UTF-8 form, `\xe2\x82\xac`");
}

#[test]
fn spans_of_the_translation_lead_back() {
    let translation = translate(r"\x{41}\Z+\x{42}(".as_bytes()).unwrap();
    assert_eq!(translation.text, r"A(?:\n?\z)+B(");
    assert_eq!(translation.source_span(0..1), 0..6);
    assert_eq!(translation.source_span(1..10), 6..8);
    assert_eq!(translation.source_span(0..11), 0..9);
    assert_eq!(translation.source_span(12..13), 15..16);
    assert_eq!(translation.source_span(13..13), 16..16);
    assert_eq!(translate(b"").unwrap().source_span(0..0), 0..0);
}

#[test]
fn path_templates() {
    let translation = translate_path(br"/a/{id}/(b){2,3}/{_x9}{4}{9y}").unwrap();
    assert_eq!(translation.text, r"/a/([^?/]+)/(b){2,3}/([^?/]+){4}\{9y\}");
    assert_eq!(translation.parameters, [(1, "id".to_owned()), (3, "_x9".to_owned())]);
}

proptest::proptest! {
    /// Whatever is written, translating ends, and its text is ASCII with an origin for each byte.
    #[test]
    fn anything_is_translated_or_refused(
        source in proptest::collection::vec(
            proptest::prop_oneof![
                proptest::sample::select(br"\()[]{}?*+-^|:<>=!#&~xQEPgko012,aAbdi".to_vec()),
                proptest::num::u8::ANY,
            ],
            0..30,
        ),
    ) {
        match translate(&source) {
            Ok(translation) => {
                assert!(translation.text.is_ascii());
                assert_eq!(translation.origins.len(), translation.text.len());
                assert!(translation.origins.is_sorted());
                assert!(translation.origins.iter().all(|origin| *origin < source.len()));
            }
            Err(error) => assert!(error.span.start <= error.span.end && error.span.end <= source.len()),
        }
    }
}
