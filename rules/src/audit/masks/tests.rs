use proptest::prelude::*;

use super::*;
use crate::body::BodyProcessor;

fn masks(arguments: &[&str]) -> Masks {
    let mut masks = Masks::default();
    arguments.iter().for_each(|name| masks.add_value(Named::Argument, name.as_bytes()));
    masks
}

fn body(masks: &Masks, processor: BodyProcessor, body: &[u8]) -> Vec<u8> {
    let sent = Sent {
        separator: b'&',
        processors: vec![processor],
        request_headers: vec![(b"content-type", b"multipart/form-data; boundary=b")],
        ..Sent::default()
    };
    Masker::new(masks, &sent).within(Holder::RequestBody, body)
}

#[test]
fn places_in_bodies() {
    use BodyProcessor::{Json, Multipart, Raw, Urlencoded, Xml};
    // Masked argument, processor, body, what is shown of it.
    let cases: &[(&str, BodyProcessor, &[u8], &[u8])] = &[
        ("pw", Urlencoded, b"", b""),
        ("pw", Urlencoded, b"pw", b"pw"),
        ("pw", Urlencoded, b"&pw=&a=pw&Pw=%41+b=&p%57=%", b"&pw=&a=pw&Pw=******&p%57=*"),
        ("a b", Urlencoded, b"a+b=1&a%20b=2", b"a+b=*&a%20b=*"),
        ("pw", Raw, b"pw=1", b"pw=1"),
        ("json", Json, b" \"abc\" ", b" \"***\" "),
        ("json.a", Json, b"\xef\xbb\xbf{\"a\" : -1.5e3 ,\"b\":1}", b"\xef\xbb\xbf{\"a\" : ****** ,\"b\":1}"),
        ("json.a", Json, br#"{"a":"x\\","b":"y"}"#, br#"{"a":"***","b":"y"}"#),
        ("json.a", Json, br#"{"a":"x\""#, br#"{"a":"***"#),
        (
            "json.a",
            Json,
            br#"{"a":null,"b":{"a":1},"a":[],"a":2}"#,
            br#"{"a":****,"b":{"a":1},"a":**,"a":*}"#,
        ),
        ("json.a", Json, br#"{"a":["x",{"b":1}],"c":[2]}"#, br#"{"a":*************,"c":[2]}"#),
        ("json.a", Json, br#"{"a":[1,[2,"x"#, br#"{"a":********"#),
        ("json.a.0", Json, b"{\"a\":[\"x\",1]}", b"{\"a\":[\"*\",1]}"),
        ("json.a", Json, b"{\"b\":1} x", b"{\"b\":1} *"),
        ("json.a", Json, b"{\"b\":\"\xff\"}", b"{\"b\":\"***"),
        ("json.a", Json, b"\xff\xfe{\0}\0", b"******"),
        ("json.a", Json, b"{\0}\0", b"****"),
        ("xml.a", Xml, b"<a>x<b>y</b>z</a>", b"<a>*<b>*</b>*</a>"),
        ("xml.a.b", Xml, b"<n:a><q:B k='1'>x</q:B></n:a>", b"<n:a><q:B k='1'>*</q:B></n:a>"),
        ("xml.a.b", Xml, b"<a><b>x", b"<a><b>*"),
        ("xml.a.b", Xml, b"<a><b>x &am", b"<a><b>*****"),
        ("xml.a.b", Xml, b"<a><c k=\"x", b"<a>*******"),
        ("xml.a", Xml, b"<!DOCTYPE a [<!ENTITY b 'x'>]><a/>", b"******************************<a/>"),
        ("xml.a", Xml, b"<a>\xe9\xe9x</a>", b"<a>***</a>"),
        ("a", Multipart, b"--b\r\nX: y\r\n\r\n1\r\n--b--", b"********************"),
        (
            "a",
            Multipart,
            b"--b\r\nContent-Disposition: form-data; name=a; filename=\"\"\r\n\r\n12\r\n--b--",
            b"--b\r\nContent-Disposition: form-data; name=a; filename***\r\n\r\n**\r\n--b--",
        ),
        (
            "a",
            Multipart,
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\n2\r\n--b--",
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n***\r\n--b--",
        ),
    ];
    for (argument, processor, sent, shown) in cases {
        let found = body(&masks(&[argument]), *processor, sent);
        let shown = if *shown == b"********************" { vec![b'*'; sent.len()] } else { shown.to_vec() };
        assert_eq!(
            found.escape_ascii().to_string(),
            shown.escape_ascii().to_string(),
            "{argument}: {}",
            sent.escape_ascii()
        );
    }
}

#[test]
fn places_in_targets() {
    let mut whole = Masks::default();
    whole.add(&Place::Within(Holder::Path), b"");
    let mut named = Masks::default();
    named.add(&Place::Name(Named::Argument, b"pw"[..].into()), b"");
    let pw = masks(&["PW"]);
    let cases: &[(&Masks, Holder, &[u8], &[u8])] = &[
        (&pw, Holder::Target, b"http://h/?pw=1&x=pw=1#pw=2&pw=3", b"http://h/?pw=*&x=pw=1#pw=2&pw=*"),
        (&pw, Holder::Target, b"/pw=1", b"/pw=1"),
        (&pw, Holder::RequestLine, b"GET /?pw=1 HTTP/1.1", b"GET /?pw=* HTTP/1.1"),
        (&pw, Holder::RequestLine, b"GET /?pw=1 2 HTTP/1.1", b"GET /?pw=*** HTTP/1.1"),
        (&pw, Holder::RequestLine, b"GET", b"GET"),
        (&pw, Holder::Query, b"pw=1", b"pw=*"),
        (&whole, Holder::Target, b"/a/b?c=d", b"****?c=d"),
        (&whole, Holder::Path, b"/a", b"**"),
        (&named, Holder::Target, b"/?pw=1&pw&x", b"/?**=*&**&x"),
        (
            &pw,
            Holder::Request,
            b"POST /?pw=1 HTTP/1.1\nCookie: pw=1\nReferer: /?pw=1\n\npw=1&x=1",
            b"POST /?pw=* HTTP/1.1\nCookie: pw=1\nReferer: /?pw=*\n\npw=*&x=1",
        ),
    ];
    for (masks, holder, text, shown) in cases {
        let sent = Sent { separator: b'&', processors: vec![BodyProcessor::Urlencoded], ..Sent::default() };
        let found = Masker::new(masks, &sent).within(*holder, text);
        assert_eq!(found.escape_ascii().to_string(), shown.escape_ascii().to_string());
    }
}

#[test]
fn too_many_names_mask_everything() {
    let mut masks = masks(&[]);
    for number in 0..limits::AUDIT_SECRETS {
        masks.add_value(Named::Argument, number.to_string().as_bytes());
        // Known ones don't count.
        masks.add_value(Named::Argument, b"0");
    }
    let masker = Masker::new(&masks, &Sent::default());
    assert_eq!(masker.target(b"/a"), b"/a");
    masks.add_value(Named::Cookie, b"more");
    assert_eq!(Masker::new(&masks, &Sent::default()).target(b"/a"), b"**");
    let mut long = Masks::default();
    long.add_value(Named::Argument, &vec![b'x'; limits::AUDIT_SECRET_BYTES + 1]);
    assert_eq!(Masker::new(&long, &Sent::default()).target(b"/a"), b"**");
}

#[test]
fn what_xpaths_select_is_bounded() {
    let selected = |length: usize| {
        let mut masks = Masks::default();
        masks.add(&Place::Xml(b"/a/b"[..].into()), &vec![b'x'; length]);
        body(&masks, BodyProcessor::Xml, b"<a c='d'><b>x</b><b>y</b></a>")
    };
    assert_eq!(selected(limits::AUDIT_XML_SECRET_BYTES), b"<a c='d'><b>*</b><b>y</b></a>");
    assert_eq!(selected(limits::AUDIT_XML_SECRET_BYTES + 1), b"<a c='*'><b>*</b><b>*</b></a>");
}

#[test]
fn texts_that_were_made_of_masked_ones_are_hidden() {
    let masks = masks(&["pw"]);
    let sent = Sent { separator: b'&', target: b"/?pw=one&x=two", ..Sent::default() };
    let masker = Masker::new(&masks, &sent);
    let argument = |name: &[u8]| Place::Value(Named::Argument, name.into());
    let shown = |places: Vec<Place>, exact, text: &[u8]| {
        let mut text = text.to_vec();
        let pieces = vec![(0..text.len(), Source { places, exact })];
        masker.mask(&mut text, &pieces);
        String::from_utf8(text).unwrap()
    };
    assert_eq!(shown(vec![argument(b"pw")], true, b"one"), "***");
    assert_eq!(shown(vec![argument(b"x"), argument(b"pw")], false, b"twoone"), "******");
    assert_eq!(shown(vec![argument(b"x")], false, b"one"), "one");
    assert_eq!(shown(vec![Place::Within(Holder::Target)], true, b"/?pw=one&x=two"), "/?pw=***&x=two");
    assert_eq!(shown(vec![Place::Within(Holder::Target)], false, b"ONE"), "***");
    assert_eq!(shown(vec![Place::Within(Holder::Path)], false, b"/one"), "/one");
    assert_eq!(shown(vec![Place::Unknown], false, b"one"), "***");
    assert!(masker.hides_anything());
    let without = Sent { target: b"/?x=two", ..sent };
    let masker = Masker::new(&masks, &without);
    assert!(!masker.hides_anything());
    assert_eq!(masker.piece(b"one", &Source { places: vec![Place::Unknown], exact: false }), b"one");
}

proptest! {
    #[test]
    fn never_changes_a_length(
        text in prop::collection::vec(prop::sample::select(b"<>/ab=\"'{}[]:,\\&;%-\r\n!?#\xe9 ".to_vec()), 0..80),
        cut in 0..4_usize,
    ) {
        let masks = masks(&["a", "json.a", "xml.a", "json"]);
        let text = [&[][..], b"--b\r\n", b"{\"a\":", b"<a>"].get(cut).copied().unwrap_or_default().iter().chain(&text).copied().collect::<Vec<u8>>();
        for processor in BodyProcessor::ALL {
            let shown = body(&masks, processor, &text);
            prop_assert_eq!(shown.len(), text.len());
            prop_assert!(shown.iter().zip(&text).all(|(shown, sent)| shown == sent || *shown == b'*'));
        }
        for holder in [Holder::RequestLine, Holder::Target, Holder::Query, Holder::Request] {
            prop_assert_eq!(Masker::new(&masks, &Sent::default()).within(holder, &text).len(), text.len());
        }
    }
}
