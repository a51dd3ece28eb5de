use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::Value;

use super::*;

type Found = Vec<(String, String)>;

fn run(body: &[u8], options: &Options) -> (Found, Summary) {
    let mut store = b"earlier".to_vec();
    let mut pairs = Vec::new();
    let summary = flatten(body, options, &mut store, &mut |pair| pairs.push(pair));
    let text = |range: std::ops::Range<usize>| String::from_utf8(store[range].to_vec()).unwrap();
    let found: Found = pairs.into_iter().map(|p: Pair| (text(p.name), text(p.value))).collect();
    assert_eq!(found.len(), summary.arguments);
    (found, summary)
}

fn pairs(expected: &[(&str, &str)]) -> Found {
    expected.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn flattens_leaves() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        (r#"{"a":{"b":1}}"#, &[("json.a.b", "1")]),
        (r#"{"a":[10,20]}"#, &[("json.a.0", "10"), ("json.a.1", "20"), ("json.a", "2")]),
        (r#"[{"x":1}]"#, &[("json.0.x", "1"), ("json", "1")]),
        (r#""str""#, &[("json", "str")]),
        ("5", &[("json", "5")]),
        (" null ", &[("json", "")]),
        ("[[1]]", &[("json.0.0", "1"), ("json.0", "1"), ("json", "1")]),
        (
            r#"{"a":[],"b":{},"c":[{}]}"#,
            &[("json.a", "0"), ("json.b", ""), ("json.c.0", ""), ("json.c", "1")],
        ),
        (r#"{"a":{"b":{}}}"#, &[("json.a.b", "")]),
        (r#"{"":1}"#, &[("json.", "1")]),
        (r#"{"":{"":1}}"#, &[("json..", "1")]),
        (
            r#"{"a":null,"b":true,"c":false,"d":1.50,"e":-0.0E+7}"#,
            &[
                ("json.a", ""),
                ("json.b", "true"),
                ("json.c", "false"),
                ("json.d", "1.50"),
                ("json.e", "-0.0E+7"),
            ],
        ),
        (r#"{"a":1,"a":2,"A":3}"#, &[("json.a", "1"), ("json.a", "2"), ("json.A", "3")]),
        (r#"{"a.b":1,"a":{"b":2}}"#, &[("json.a.b", "1"), ("json.a.b", "2")]),
        ("{}", &[]),
        ("[]", &[]),
        (
            r#"[{},[ ],{"a":[]}, 1 ]"#,
            &[("json.0", ""), ("json.1", "0"), ("json.2.a", "0"), ("json.3", "1"), ("json", "4")],
        ),
        ("\t{ \"a\" :\r\n[ 1 , 2 ] } ", &[("json.a.0", "1"), ("json.a.1", "2"), ("json.a", "2")]),
        (r#""\"\\\/\b\f\n\r\t\u0041\u00e4\u20AC\u0000""#, &[("json", "\"\\/\x08\x0c\n\r\tAä€\0")]),
        (r#""\ud83d\ude00""#, &[("json", "😀")]),
        (r#""\ud83dx""#, &[("json", "\u{fffd}x")]),
        (r#""\ud83d\ud83d\ude00""#, &[("json", "\u{fffd}😀")]),
        (r#""\ude00""#, &[("json", "\u{fffd}")]),
        (r#""\ud83d\u0041""#, &[("json", "\u{fffd}A")]),
        (r#"{"k\u0065y":"ä€😀"}"#, &[("json.key", "ä€😀")]),
        ("\"\u{7f}\"", &[("json", "\u{7f}")]),
    ];
    for (body, expected) in cases {
        let (found, summary) = run(body.as_bytes(), &Options::default());
        assert_eq!(summary.error, None, "{body}");
        assert_eq!(found, pairs(expected), "{body}");
    }
}

#[test]
fn array_names_follow_modsecurity_on_request() {
    let options = Options { array_names: ArrayNames::ArrayIndex, ..Options::default() };
    let (found, _) = run(br#"{"a":[1,[2]]}"#, &options);
    assert_eq!(
        found,
        pairs(&[
            ("json.a.array_0", "1"),
            ("json.a.array_1.array_0", "2"),
            ("json.a.array_1", "1"),
            ("json.a", "2")
        ])
    );
}

#[test]
fn indices_have_all_their_digits() {
    let body = format!("[{}1]", "0,".repeat(1_000));
    let options = Options { arguments: usize::MAX, ..Options::default() };
    let (found, _) = run(body.as_bytes(), &options);
    assert_eq!(found[9].0, "json.9");
    assert_eq!(found[10].0, "json.10");
    assert_eq!(found[1_000], ("json.1000".to_owned(), "1".to_owned()));
}

#[test]
fn errors_say_what_and_where() {
    type Case = (&'static [u8], &'static str, &'static [(&'static str, &'static str)]);
    let cases: &[Case] = &[
        (b"", "unexpected end at offset 0", &[]),
        (b"  ", "unexpected end at offset 2", &[]),
        (b"{\"a\":1", "unexpected end at offset 6", &[("json.a", "1")]),
        (b"{\"a\":1,}", "unexpected '}' at offset 7", &[("json.a", "1")]),
        (b"[1,]", "unexpected ']' at offset 3", &[("json.0", "1"), ("json", "2")]),
        (b"[1 2]", "unexpected '2' at offset 3", &[("json.0", "1"), ("json", "1")]),
        (b"[1}", "unexpected '}' at offset 2", &[("json.0", "1"), ("json", "1")]),
        (b"{\"a\":[{", "unexpected end at offset 7", &[("json.a.0", ""), ("json.a", "1")]),
        (b"{\"a\":1]", "unexpected ']' at offset 6", &[("json.a", "1")]),
        (b"{\"a\" 1}", "unexpected '1' at offset 5", &[]),
        (b"{a:1}", "unexpected 'a' at offset 1", &[]),
        (b"{'a':1}", "unexpected '\\'' at offset 1", &[]),
        (b"{\"a\":<script>}", "unexpected '<' at offset 5", &[]),
        (b"1 2", "unexpected '2' at offset 2", &[("json", "1")]),
        (b"01", "unexpected '1' at offset 1", &[("json", "0")]),
        (b"-x", "unexpected 'x' at offset 1", &[("json", "-")]),
        (b"1.", "unexpected end at offset 2", &[("json", "1.")]),
        (b".5", "unexpected '.' at offset 0", &[]),
        (b"+5", "unexpected '+' at offset 0", &[]),
        (b"1e+", "unexpected end at offset 3", &[("json", "1e+")]),
        (b"NaN", "unexpected 'N' at offset 0", &[]),
        (b"trux", "unexpected 'x' at offset 3", &[("json", "")]),
        (b"\"abc", "unexpected end at offset 4", &[("json", "abc")]),
        (b"\"ab\nc\"", "unescaped control character 0x0a at offset 3", &[("json", "ab")]),
        (b"\"\\x41\"", "invalid escape at offset 1", &[("json", "")]),
        (b"\"\\u00g0\"", "invalid escape at offset 1", &[("json", "")]),
        (b"\"ab\xff\"", "invalid UTF-8 at offset 3", &[("json", "ab")]),
        (b"\"a\" \xff", "invalid UTF-8 at offset 4", &[("json", "a")]),
        (b"\"\xed\xa0\x80\"", "invalid UTF-8 at offset 1", &[("json", "")]),
        (b"\xef\xbb\xbf{}", "unexpected '\\xef' at offset 0", &[]),
        (b"{}\0", "unexpected '\\x00' at offset 2", &[]),
    ];
    for (body, message, expected) in cases {
        let (found, summary) = run(body, &Options::default());
        assert_eq!(
            summary.error.map(|e| e.to_string()).as_deref(),
            Some(*message),
            "{}",
            body.escape_ascii()
        );
        assert_eq!(found, pairs(expected), "{}", body.escape_ascii());
    }
}

#[test]
fn a_cut_body_may_end_anywhere() {
    let whole = "{\"a\":[1,2.5e7,\"x\\u00e4\\n😀\"],\"b\":{\"c\":null,\"d\":true}}";
    let (all, _) = run(whole.as_bytes(), &Options::default());
    let options = Options { truncated: true, ..Options::default() };
    for end in 0..whole.len() {
        let (found, summary) = run(&whole.as_bytes()[..end], &options);
        assert_eq!(summary.error, None, "cut at {end}");
        for (name, value) in &found {
            let full = all.iter().find(|(full, _)| full == name);
            let open = name == "json.a" || name == "json.b";
            assert!(
                full.is_some_and(|(_, full)| full.starts_with(value)) || open,
                "cut at {end}: {name} {value}"
            );
        }
    }
    let (found, _) = run(br#"{"a":{"id__in":[1,{"b":"#, &options);
    assert_eq!(found, pairs(&[("json.a.id__in.0", "1"), ("json.a.id__in", "2")]));
    let (found, _) = run(br#"{"a":"<script>al"#, &options);
    assert_eq!(found, pairs(&[("json.a", "<script>al")]));
    // What is wrong before the cut stays wrong.
    assert!(run(b"[1,,", &options).1.error.is_some());
    assert!(run(b"\"\xff", &options).1.error.is_some());
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(run(nested(512).as_bytes(), &Options::default()).1.error, None);
    let error = run(nested(513).as_bytes(), &Options::default()).1.error.unwrap();
    assert_eq!(error.to_string(), "nested deeper than 512 at offset 512");
    let objects = format!("{}1{}", "{\"a\":".repeat(3), "}".repeat(3));
    let options = Options { depth: 2, ..Options::default() };
    assert_eq!(run(objects.as_bytes(), &options).1.error.unwrap().kind, JsonErrorKind::Depth(2));
}

#[test]
fn arguments_past_the_limit_are_checked_but_dropped() {
    let options = Options { arguments: 2, ..Options::default() };
    let (found, summary) = run(br#"{"a":1,"b":"x","c":"y\n","d":[3]}"#, &options);
    assert_eq!(found, pairs(&[("json.a", "1"), ("json.b", "x")]));
    assert_eq!((summary.arguments, summary.dropped, summary.error), (2, 3, None));
    assert!(run(br#"{"a":1,"b":"x","c":"\y"}"#, &options).1.error.is_some());
}

#[test]
fn long_names_of_many_leaves_are_bounded() {
    let body = format!("{{\"{}\":[{}1]}}", "k".repeat(60_000), "1,".repeat(30_000));
    let mut store = Vec::new();
    let summary = flatten(body.as_bytes(), &Options::default(), &mut store, &mut |_| {});
    assert_eq!(summary.error.unwrap().kind, JsonErrorKind::NameBytes(limits::JSON_NAME_BYTES));
    assert!(store.len() <= limits::JSON_NAME_BYTES + body.len());
}

/// Each would take minutes if it took time with the square of its length.
#[test]
fn adversarial_bodies_take_linear_time() {
    let n = 1 << 20;
    let deep = |open: &str, close: &str| {
        let depth = n / (open.len() + close.len());
        format!("{}1{}", open.repeat(depth), close.repeat(depth))
    };
    let bodies = [
        deep("[", "]"),
        deep("{\"a\":", "}"),
        "[".repeat(n),
        format!("[{}1]", "1,".repeat(n / 2)),
        format!("[{}1]", "[],".repeat(n / 3)),
        format!("\"{}\"", "\\u0041".repeat(n / 6)),
        format!("\"{}\"", "\\ud800".repeat(n / 6)),
        format!("\"{}", "\\\\".repeat(n / 2)),
        format!("{{{}\"a\":1}}", "\"a\":1,".repeat(n / 6)),
        format!("{{\"{}\":{{{}\"a\":1}}}}", "k".repeat(n / 2), "\"a\":1,".repeat(n / 12)),
        " ".repeat(n),
        "1".repeat(n),
    ];
    let options =
        Options { depth: usize::MAX, arguments: usize::MAX, name_bytes: 64 << 20, ..Options::default() };
    let start = Instant::now();
    for body in &bodies {
        let mut store = Vec::new();
        let _ = flatten(body.as_bytes(), &options, &mut store, &mut |_| {});
        let _ = flatten(body.as_bytes(), &Options::default(), &mut store, &mut |_| {});
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// The same by way of serde_json's tree.
fn reference(value: &Value, name: &str, out: &mut Found) {
    match value {
        Value::Null => out.push((name.to_owned(), String::new())),
        Value::Bool(b) => out.push((name.to_owned(), b.to_string())),
        Value::Number(n) => out.push((name.to_owned(), n.to_string())),
        Value::String(s) => out.push((name.to_owned(), s.clone())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                reference(item, &format!("{name}.{index}"), out);
            }
            if !items.is_empty() || name != "json" {
                out.push((name.to_owned(), items.len().to_string()));
            }
        }
        Value::Object(members) if members.is_empty() && name != "json" => {
            out.push((name.to_owned(), String::new()));
        }
        Value::Object(members) => {
            for (key, member) in members {
                reference(member, &format!("{name}.{key}"), out);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![".{0,20}", "[\\x00-\\x7f]{0,20}", Just("\u{10ffff}\u{fffe}".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((text.clone(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_valid_documents(value in any_json(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let mut expected = Vec::new();
        reference(&value, "json", &mut expected);
        let (found, summary) = run(text.unwrap().as_bytes(), &Options::default());
        prop_assert_eq!(summary.error, None);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn agrees_with_serde_json_on_what_is_valid(value in any_json(), at: prop::sample::Index, byte in prop::sample::select(b"\"\\{}[]:,0-.eEu+ \n\x00\xff\xc3tn1d8".to_vec()), cut: bool) {
        let mut text = serde_json::to_string(&value).unwrap().into_bytes();
        let at = at.index(text.len());
        if cut { text.truncate(at); } else { text[at] = byte; }
        let (_, summary) = run_bytes(&text, &Options::default());
        match serde_json::from_slice::<Value>(&text) {
            Ok(_) => prop_assert_eq!(summary.error, None),
            // Unpaired surrogates and numbers that no f64 holds are fine by RFC 8259.
            Err(e) if e.to_string().contains("surrogate") || e.to_string().contains("out of range")
                || e.to_string().contains("hex escape") => {}
            Err(e) => prop_assert!(summary.error.is_some(), "{} {}", text.escape_ascii(), e),
        }
    }

    #[test]
    fn never_panics(body in prop::collection::vec(prop_oneof![prop::sample::select(b"\"\\{}[]:,0-.eEutrflsn ".to_vec()), any::<u8>()], 0..64), truncated: bool, depth in 0..6_usize) {
        let options = Options { truncated, depth, arguments: 5, name_bytes: 60, ..Options::default() };
        run_bytes(&body, &options);
    }
}

fn run_bytes(body: &[u8], options: &Options) -> (usize, Summary) {
    let mut store = Vec::new();
    let mut last = 0;
    let mut count = 0;
    let summary = flatten(body, options, &mut store, &mut |pair| {
        assert!(pair.name.start >= last && pair.name.end == pair.value.start);
        assert!(pair.value.start <= pair.value.end);
        last = pair.value.end;
        count += 1;
    });
    assert!(last <= store.len());
    (count, summary)
}
