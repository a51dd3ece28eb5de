use super::*;
use crate::host::{NoFiles, SourceError};

/// Files by name.
struct Files(&'static [(&'static str, &'static str)]);

impl Source for Files {
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
        assert_eq!(relative_to, "rules.conf");
        let found = self.0.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| SourceError { name: name.to_owned(), reason: "no such file".to_owned() })
    }
}

fn operator(name: OperatorName, argument: &str) -> Operator {
    Operator::new(name, argument.as_bytes(), &NoFiles, "rules.conf").unwrap()
}

fn matches(name: OperatorName, argument: &str, value: &str) -> bool {
    let operator = operator(name, argument);
    let text = operator.argument().as_literal().unwrap().to_vec();
    let plain = operator.matches(value.as_bytes(), &text, None);
    let captured = operator.matches(value.as_bytes(), &text, Some(&mut Captures::default()));
    assert_eq!(plain, captured, "capturing changes the outcome of {name:?} {argument:?} {value:?}");
    plain
}

/// The texts captured in slots 0 to 9, empty slots as `None`, up to the last that is there.
fn captured(name: OperatorName, argument: &str, value: &str) -> Vec<Option<String>> {
    let mut captures = Captures::default();
    captures.set(9, Capture::Text(b"stale".to_vec()));
    assert!(operator(name, argument).matches(value.as_bytes(), b"", Some(&mut captures)));
    let last = captures.iter().last().map_or(0, |(n, _)| n + 1);
    (0..last)
        .map(|n| captures.get(n).map(|c| String::from_utf8_lossy(c.bytes(value.as_bytes())).into_owned()))
        .collect()
}

fn error(name: OperatorName, argument: &str) -> OperatorError {
    Operator::new(name, argument.as_bytes(), &NoFiles, "rules.conf").unwrap_err()
}

#[test]
fn operators_can_be_shared_between_threads() {
    fn check<T: Clone + fmt::Debug + Send + Sync + 'static>() {}
    use std::fmt;
    check::<Operator>();
    check::<AddressSet>();
}

#[test]
fn arguments_are_kept_for_reports() {
    let rx = operator(OperatorName::Rx, r"a\/b");
    assert_eq!(rx.raw_argument(), br"a\/b");
    assert_eq!(rx.pattern(), Some("a/b"));
    assert_eq!(rx.argument(), &Template::default());
    assert_eq!(rx.hir(), Some(Hir::literal(*b"a/b")));
    let streq = operator(OperatorName::StrEq, "a%{TX.1}");
    assert_eq!(streq.raw_argument(), b"a%{TX.1}");
    assert_eq!(streq.argument().parts().len(), 2);
    assert_eq!(streq.pattern(), None);
}

#[test]
fn macros_come_in_with_the_argument() {
    for (name, argument, expanded, value, expected) in [
        (OperatorName::StrEq, "%{TX.1}", "abc", "abc", true),
        (OperatorName::StrEq, "%{TX.1}", "abc", "%{TX.1}", false),
        (OperatorName::Within, "%{tx.allowed_methods}", "GET HEAD", "HEAD", true),
        (OperatorName::EndsWith, ".%{request_headers.host}", ".example.com", "www.example.com", true),
        (OperatorName::Contains, "%{TX.1}", "b", "abc", true),
        (OperatorName::ContainsWord, "%{TX.1}", "b", "abc", false),
        (OperatorName::Lt, "%{tx.level}", "3", "2", true),
        (OperatorName::Lt, "%{tx.level}", "", "2", false),
        (OperatorName::Rx, "^%{tx.name}$", "^a+$", "aaa", true),
        (OperatorName::Rx, "^%{tx.name}$", "^b+$", "aaa", false),
        (OperatorName::Rx, "^%{tx.name}$", "^(?=b)$", "(?=b)", false),
        (OperatorName::RxGlobal, "%{tx.name}", "a", "aaa", true),
    ] {
        let operator = operator(name, argument);
        assert!(operator.argument().as_literal().is_none());
        for _ in 0..2 {
            assert_eq!(operator.matches(value.as_bytes(), expanded.as_bytes(), None), expected, "{name:?}");
        }
    }
    assert!(matches!(error(OperatorName::StrEq, "%{no.such}"), OperatorError::Macro(_)));
    assert!(matches!(error(OperatorName::Rx, "%{no.such}"), OperatorError::Macro(_)));
    // Not a macro.
    assert!(matches(OperatorName::Rx, "^%{2}$", "%%"));
    assert!(matches(OperatorName::Pm, "%{no.such}", "%{NO.SUCH}"));
}

#[test]
fn captures_of_regular_expressions() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(captured(OperatorName::Rx, "(a)(b)?(c)", "xac"), [some("ac"), some("a"), None, some("c")]);
    assert_eq!(captured(OperatorName::Rx, "x*", "abc"), [some("")]);
    let many = captured(OperatorName::Rx, "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "abcdefghijk");
    assert_eq!(many.len(), 10);
    assert_eq!(many[9], some("i"));
    assert_eq!(captured(OperatorName::RxGlobal, "(a)|(b)|(c)", "abab"), [some("b"), some("a"), some("b")]);
    assert_eq!(captured(OperatorName::RxGlobal, "x*", "xxa"), [some("")]);
}

#[test]
fn captures_of_other_operators() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(captured(OperatorName::Pm, "bc b", "aBCd"), [some("BC")]);
    assert_eq!(captured(OperatorName::VerifyCc, r"\d+", "a 18 0"), [some("18")]);
    assert_eq!(captured(OperatorName::ValidateNid, r"cl \S+", "12.345.678-5 76.086.428-5").len(), 2);
}

#[test]
fn captures_are_written_on_success_only() {
    let mut captures = Captures::default();
    captures.set(3, Capture::Part(0..1));
    let before = captures.clone();
    for (name, argument) in [
        (OperatorName::Rx, "b"),
        (OperatorName::RxGlobal, "b"),
        (OperatorName::Pm, "b"),
        (OperatorName::VerifyCc, "b"),
        (OperatorName::RestPath, "/{b}"),
    ] {
        assert!(!operator(name, argument).matches(b"a", b"", Some(&mut captures)));
        assert_eq!(captures, before);
    }
    assert!(operator(OperatorName::StrEq, "a").matches(b"a", b"a", Some(&mut captures)));
    assert_eq!(captures, before);
}

#[test]
fn path_parameters_are_captured_by_name() {
    let mut captures = Captures::default();
    let operator = operator(OperatorName::RestPath, "/users/{id}/(posts|notes)/{post_id}");
    let value = b"https://example.com/users/7/posts/42?x=1";
    assert!(operator.matches(value, b"", Some(&mut captures)));
    let named: Vec<_> = captures.named().map(|(name, range)| (name, &value[range])).collect();
    assert_eq!(named, [("id", &b"7"[..]), ("post_id", &b"42"[..])]);
    assert_eq!(captures.iter().count(), 0);
    assert!(!captures.is_empty());
    assert!(!operator.matches(b"/users//posts/42", b"", None));
    captures.clear();
    assert!(captures.is_empty());
}

#[test]
fn files_are_read() {
    let files = Files(&[
        ("a.data", "# phrases\nfoo bar\n"),
        ("b.data", "baz"),
        ("nets", "10.0.0.0/8 # ours\n\n192.0.2.1\n"),
        ("more", "::1"),
        ("bad", "::1\n10.0.0\n"),
    ]);
    let new = |name, argument: &str| Operator::new(name, argument.as_bytes(), &files, "rules.conf");
    let phrases = new(OperatorName::PmFromFile, "a.data b.data").unwrap();
    for (value, expected) in [("FOO BAR", true), ("xBaz", true), ("foo", false), ("# phrases", false)] {
        assert_eq!(phrases.matches(value.as_bytes(), b"", None), expected);
    }
    let addresses = new(OperatorName::IpMatchFromFile, "nets more").unwrap();
    for (value, expected) in [("10.1.2.3", true), ("192.0.2.1", true), ("::1", true), ("192.0.2.2", false)] {
        assert_eq!(addresses.matches(value.as_bytes(), b"", None), expected);
    }
    let error = new(OperatorName::IpMatchFromFile, "nets bad").unwrap_err();
    assert_eq!(error.to_string(), "line 2 of `bad`: `10.0.0` is no address or network");
    assert!(matches!(new(OperatorName::PmFromFile, "c.data"), Err(OperatorError::File(_))));
    assert!(matches!(new(OperatorName::PmFromFile, ""), Err(OperatorError::Argument { .. })));
    assert!(matches!(new(OperatorName::PmFromFile, "https://x/y"), Err(OperatorError::Argument { .. })));
}

#[test]
fn equal_lists_and_patterns_are_compiled_once() {
    let mut cache = OperatorCache::default();
    let mut new = |name, argument: &str| {
        Operator::with_cache(name, argument.as_bytes(), &NoFiles, "rules.conf", &mut cache).unwrap()
    };
    let same = [new(OperatorName::Pm, "b a"), new(OperatorName::Pm, "A  B")];
    let [Test::Phrases(a), Test::Phrases(b)] = same.each_ref().map(|o| &o.inner.test) else { panic!() };
    assert!(Arc::ptr_eq(a, b));
    let same = [new(OperatorName::Rx, "a+"), new(OperatorName::RxGlobal, "a+")];
    let [Test::Pattern(a, _), Test::Pattern(b, _)] = same.each_ref().map(|o| &o.inner.test) else { panic!() };
    assert!(Arc::ptr_eq(a, b));
}

#[test]
fn bad_arguments_are_refused_with_their_place() {
    for (name, argument, part) in [
        (OperatorName::Rx, "a(?!b(c)[)])d", "(?!b(c)[)])"),
        (OperatorName::Rx, "(a", "("),
        (OperatorName::Rx, r"\x{20ac}", r"\x{20ac}"),
        (OperatorName::VerifyCc, r"(\d)\1", r"\1"),
        (OperatorName::RestPath, "/{id}/(?<=a)", "(?<=a)"),
        (OperatorName::IpMatch, "10.0.0.1, x", "x"),
        (OperatorName::ValidateByteRange, "0-255,256", "256"),
        (OperatorName::ValidateNid, "fr a", "fr"),
    ] {
        let OperatorError::Argument { span: Some(span), .. } = error(name, argument) else {
            panic!("no place for {name:?} {argument:?}");
        };
        assert_eq!(&argument[span], part);
    }
}

#[test]
fn constants() {
    assert!(matches(OperatorName::UnconditionalMatch, "", ""));
    assert!(!matches(OperatorName::NoMatch, "", ""));
    assert!(matches(OperatorName::Rx, "", ""));
    assert!(matches(OperatorName::IpMatch, "127.0.0.1,::1", "::1"));
}
