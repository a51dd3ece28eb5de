use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// Text nodes and attribute values, namespace declarations left out.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    texts: Vec<String>,
    attributes: Vec<String>,
}

fn run(body: &[u8], options: &Options) -> (Found, Option<XmlError>) {
    let mut store = b"earlier".to_vec();
    let mut texts = Vec::new();
    let mut attributes = Vec::new();
    let mut open = Vec::new();
    let error = scan(body, options, &mut store, &mut |event| match event {
        Event::Start { name } => open.push(name.to_owned()),
        Event::End { name } => assert_eq!(open.pop().as_deref(), Some(name)),
        Event::Text(value) => texts.push(value),
        Event::Attribute { name, value } => {
            if !is_namespace_declaration(name) {
                attributes.push(value);
            }
        }
    });
    let text = |range: Range<usize>| String::from_utf8(store[range].to_vec()).unwrap();
    let found = Found {
        texts: texts.into_iter().map(text).collect(),
        attributes: attributes.into_iter().map(text).collect(),
    };
    (found, error)
}

fn found(texts: &[&str], attributes: &[&str]) -> Found {
    let owned = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
    Found { texts: owned(texts), attributes: owned(attributes) }
}

#[test]
fn white_space_can_be_kept() {
    let options = Options { white_space: true, nodes: 5, ..Options::default() };
    let (found, error) = run(b"<a>\n <b> x </b>\t<b/>\n</a>", &options);
    assert_eq!(found.texts, ["\n ", " x ", "\t", "\n"]);
    assert_eq!(error, None, "white space is no node");
}

#[test]
fn reports_text_and_attributes() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("<a/>", &[], &[]),
        ("<a>x</a>", &["x"], &[]),
        ("\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>x</a>\n", &["x"], &[]),
        ("<a> \n x y\t<b/> z </a>", &["x y", "z"], &[]),
        ("<a><b>1</b><b>2</b></a>", &["1", "2"], &[]),
        ("<a b='1' c = \"2\"><d e=''/></a>", &[], &["1", "2", ""]),
        ("<a b=\"1>2\"/>", &[], &["1>2"]),
        ("<a xmlns='urn:x' xmlns:p='urn:y' p:b='1' xmlnsx='2'/>", &[], &["1", "2"]),
        ("<a>&lt;b&gt;&amp;&apos;&quot;&#65;&#x20AC;</a>", &["<b>&'\"A€"], &[]),
        ("<a b='&lt;&#x41;&amp;lt;'/>", &[], &["<A&lt;"]),
        ("<a>1<![CDATA[<b>&lt;]]>2</a>", &["1<b>&lt;2"], &[]),
        ("<a><![CDATA[]]></a>", &[], &[]),
        ("<a>scr<!-- x > -- y -->ipt<?pi x > y?>s</a>", &["scripts"], &[]),
        ("<!DOCTYPE a><a>x</a>", &["x"], &[]),
        ("<!DOCTYPE a [<!ELEMENT a (#PCDATA)><!-- ]> -->]><a>x</a>", &["x"], &[]),
        ("<a b='1' p:b='2' B='3'/>", &[], &["1", "2", "3"]),
        ("<a>ä😀</a >", &["ä😀"], &[]),
        ("<é:_-.1>x</é:_-.1>", &["x"], &[]),
        ("<!-- c --><?pi?><a/><!-- d -->", &[], &[]),
        ("<a>]]</a>", &["]]"], &[]),
    ];
    for (body, texts, attributes) in cases {
        assert_eq!(run(body.as_bytes(), &Options::default()), (found(texts, attributes), None), "{body}");
    }
}

#[test]
fn single_byte_encodings_are_read() {
    let body = b"<?xml version='1.0' encoding = \"ISO-8859-1\"?><a b='\xe4'>\xff&#x20ac;</a>";
    assert_eq!(run(body, &Options::default()), (found(&["ÿ€"], &["ä"]), None));
    for (name, error) in [
        ("windows-1252", false),
        ("latin1", false),
        ("US-ASCII", false),
        ("UTF-16", true),
        ("utf-7", true),
        ("x", true),
    ] {
        let body = format!("<?xml version='1.0' encoding='{name}'?><a/>");
        let kind = run(body.as_bytes(), &Options::default()).1.map(|e| e.kind);
        assert_eq!(kind, error.then_some(XmlErrorKind::Encoding), "{name}");
    }
}

#[test]
fn errors_say_what_and_where() {
    let cases: &[(&[u8], &str, &[&str])] = &[
        (b"", "unexpected end at offset 0", &[]),
        (b" \n", "unexpected end at offset 2", &[]),
        (b"x", "content outside the root element at offset 0", &[]),
        (b"{\"a\":1}", "content outside the root element at offset 0", &[]),
        (b"<a>x", "unexpected end at offset 4", &["x"]),
        (b"<a>x</b>", "end tag without its start tag at offset 4", &["x"]),
        (b"</a>", "end tag without its start tag at offset 0", &[]),
        (b"<a><b></a></b>", "end tag without its start tag at offset 6", &[]),
        (b"<a/>x", "content outside the root element at offset 4", &[]),
        (b"<a/>&#65;", "content outside the root element at offset 4", &[]),
        (b"<a/><![CDATA[x]]>", "content outside the root element at offset 4", &[]),
        (b"<a/><b/>", "content outside the root element at offset 4", &[]),
        (b"<a/></a>", "end tag without its start tag at offset 4", &[]),
        (b"<a>x<>", "invalid name at offset 4", &["x"]),
        (b"<1/>", "invalid name at offset 0", &[]),
        (b"< a/>", "invalid name at offset 0", &[]),
        (b"<a<b/>", "invalid name at offset 0", &[]),
        (b"<a b/>", "malformed attribute at offset 0", &[]),
        (b"<a b=1/>", "malformed attribute at offset 0", &[]),
        (b"<a b='1' c='2' b='3'/>", "duplicate attribute at offset 0", &[]),
        (b"<a xmlns='1' xmlns='2'/>", "duplicate attribute at offset 0", &[]),
        (b"<a b='<'/>", "malformed attribute at offset 0", &[]),
        (b"<a 'b'='1'/>", "invalid name at offset 0", &[]),
        (b"<a>x&y</a>", "invalid or undefined reference at offset 4", &["x"]),
        (b"<a>x&nbsp;</a>", "invalid or undefined reference at offset 4", &["x"]),
        (b"<a>&#0;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a>&#x1F;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a>&#xD800;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a>&#+65;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a>&#99999999999;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a>&;</a>", "invalid or undefined reference at offset 3", &[]),
        (b"<a b='&x;'/>", "invalid or undefined reference at offset 0", &[]),
        (b"<a b='&lt'/>", "invalid or undefined reference at offset 0", &[]),
        (
            b"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "entity declarations are not allowed at offset 0",
            &[],
        ),
        (
            b"<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://e/\">]><a/>",
            "entity declarations are not allowed at offset 0",
            &[],
        ),
        (
            b"<!DOCTYPE a [<!ATTLIST a b CDATA 'y'>]><a/>",
            "default values of attributes are not allowed at offset 0",
            &[],
        ),
        (b"<!DOCTYPE a [%x;]><a/>", "parameter entities are not allowed at offset 0", &[]),
        (
            b"<!DOCTYPE a SYSTEM \"http://example.com/x.dtd\"><a>x</a>",
            "external document type declarations are not allowed at offset 0",
            &[],
        ),
        (b"<!DOCTYPE a><a>&nbsp;</a>", "invalid or undefined reference at offset 15", &[]),
        (b"<!doctype a><a/>", "misplaced or malformed document type declaration at offset 0", &[]),
        (b" <!DOCTYPE a [<b/>]><a/>", "misplaced or malformed document type declaration at offset 1", &[]),
        (b"<!DOCTYPE>", "misplaced or malformed document type declaration at offset 9", &[]),
        (b"<a/><!DOCTYPE a>", "misplaced or malformed document type declaration at offset 4", &[]),
        (
            b"<!DOCTYPE a><!DOCTYPE a><a/>",
            "misplaced or malformed document type declaration at offset 12",
            &[],
        ),
        (b" <?xml version='1.0'?><a/>", "XML declaration not at the start at offset 1", &[]),
        (b"<a>x<!y></a>", "malformed markup at offset 4", &["x"]),
        (b"<a>x<![CDAT[y]]></a>", "malformed markup at offset 4", &["x"]),
        (b"<a>x<?></a>", "malformed markup at offset 4", &["x"]),
        (b"<a>x<![CDATA[<y", "unexpected end at offset 4", &["x<![CDATA[<y"]),
        (b"<a>x<!-- y", "unexpected end at offset 4", &["x<!-- y"]),
        (b"<a>x<b c='y", "unexpected end at offset 4", &["x<b c='y"]),
        (b"<a>x&am", "unexpected end at offset 4", &["x&am"]),
        (b"<a>x\0y</a>", "control character 0x00 at offset 4", &["x"]),
        (b"<a>x\x1b</a>", "control character 0x1b at offset 4", &["x"]),
        (b"<a>x\xff</a>", "invalid UTF-8 at offset 4", &["x"]),
        (b"<a/>\xff", "invalid UTF-8 at offset 4", &[]),
        (b"\xff\xfe<\0a\0", "unsupported encoding at offset 0", &[]),
        (b"<\0a\0/\0>\0", "control character 0x00 at offset 1", &["<"]),
    ];
    for (body, message, texts) in cases {
        let (read, error) = run(body, &Options::default());
        let error = error.map(|e| e.to_string());
        assert_eq!(error.as_deref(), Some(*message), "{}", body.escape_ascii());
        assert_eq!(read.texts, *texts, "{}", body.escape_ascii());
    }
}

#[test]
fn limits_hold() {
    let options = Options { depth: 2, nodes: 6, attributes: 2, value_bytes: 8, ..Options::default() };
    let cases: &[(&str, Option<XmlErrorKind>)] = &[
        ("<a><b/></a>", None),
        ("<a><b><c/></b></a>", Some(XmlErrorKind::Depth(2))),
        ("<a><b/><b/><b/><b/><b/></a>", None),
        ("<a><b/><b/><b/><b/><b/><b/></a>", Some(XmlErrorKind::Nodes(6))),
        ("<a><!----><!----><!----><?x?><?x?><?x?></a>", Some(XmlErrorKind::Nodes(6))),
        ("<a>1<b/>2<b/>3<b/>4</a>", Some(XmlErrorKind::Nodes(6))),
        ("<a b='1'><c d='2'/></a>", None),
        ("<a b='1' xmlns='2'><c d='3'/></a>", Some(XmlErrorKind::Attributes(2))),
        ("<a b='1234'>5678</a>", None),
        ("<a b='1234'>56789</a>", Some(XmlErrorKind::ValueBytes(8))),
        ("<a b='123456789'/>", Some(XmlErrorKind::ValueBytes(8))),
    ];
    for (body, kind) in cases {
        assert_eq!(run(body.as_bytes(), &options).1.map(|e| e.kind), *kind, "{body}");
    }
}

#[test]
fn a_cut_body_may_end_anywhere() {
    let whole = "<?xml version='1.0' encoding='utf-8'?><!DOCTYPE a [<!ELEMENT a ANY>]><a b='1&lt;' c=\"ä\">\
        x<!-- y --><b>&#x41;</b><![CDATA[<z>]]><?pi q?><d/></a> <!-- e -->";
    let options = Options { truncated: true, ..Options::default() };
    for end in 0..=whole.len() {
        assert_eq!(run(&whole.as_bytes()[..end], &options).1, None, "cut at {end}");
    }
    let (read, _) = run(b"<a><![CDATA[<script>al", &options);
    assert_eq!(read.texts, ["<![CDATA[<script>al"]);
    // What is wrong before the cut stays wrong.
    assert!(run(b"<a></b", &options).1.is_none());
    assert!(run(b"<a></b>", &options).1.is_some());
    assert!(run(b"<a>\0", &options).1.is_some());
}

/// Each would take minutes if it took time with the square of its length.
#[test]
fn adversarial_bodies_take_linear_time() {
    let n = 1 << 20;
    let repeat = |text: &str| text.repeat(n / text.len());
    let bodies = [
        repeat("<a>"),
        format!("{}{}", "<a>".repeat(n / 8), "</a>".repeat(n / 8)),
        repeat("<"),
        repeat("<a"),
        format!("<a>{}", repeat("<!--")),
        format!("<a>{}", repeat("-->")),
        format!("<a><!--{}", repeat("->")),
        format!("<a>{}", repeat("<![CDATA[]]>")),
        format!("<a><![CDATA[{}", repeat("]>")),
        format!("<a>{}", repeat("&lt;")),
        format!("<a>{}", repeat("& ")),
        format!("<a b='{}'/>", repeat("&")),
        format!("<a b='{}'/>", repeat("&lt;")),
        format!("<a {}/>", repeat("b='' ")),
        format!("<a {}/>", (0..n / 12).map(|i| format!("b{i}='' ")).collect::<String>()),
        format!("<a>{}", repeat("<b/>")),
        format!("<a>{}", repeat(" <?x?> ")),
        format!("<!DOCTYPE a [{}", repeat("<x")),
        format!("<!DOCTYPE a [{}", repeat("<!ELEMENT>")),
        format!("<!DOCTYPE a {}", repeat("'\"")),
        format!("<!DOCTYPE a [{}]><a/>", repeat("<!ELEMENT a ANY>")),
        format!("<!DOCTYPE a [{}]><a/>", repeat("<!ATTLIST a b CDATA #IMPLIED>")),
        format!("<!DOCTYPE a [{}]><a/>", repeat("<!---->")),
        format!("<!DOCTYPE a [<!NOTATION a SYSTEM {}>]><a/>", repeat("''")),
        format!("<a>{}", repeat("x ")),
        format!("<{}/>", repeat("a")),
        repeat(" "),
    ];
    let none = usize::MAX;
    let unlimited = Options {
        depth: none,
        nodes: none,
        attributes: none,
        value_bytes: none,
        white_space: false,
        truncated: true,
    };
    let start = Instant::now();
    for body in &bodies {
        for options in [unlimited, Options::default()] {
            let mut store = Vec::new();
            let _ = scan(body.as_bytes(), &options, &mut store, &mut |_| {});
            assert!(store.len() <= body.len());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// A document as a tree.
#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Data(String),
    Comment,
    Element(String, Vec<String>, Vec<Node>),
}

fn any_node() -> impl Strategy<Value = Node> {
    let text = "[a-z<>&'\" \u{e4}\u{1f600}\\]]{0,8}";
    let leaf = prop_oneof![
        text.prop_map(Node::Text),
        text.prop_filter("no end", |t| !t.contains("]]>")).prop_map(Node::Data),
        Just(Node::Comment),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let attributes = prop::collection::vec(text, 0..3);
        ("[a-z]{1,3}", attributes, prop::collection::vec(inner, 0..6))
            .prop_map(|(name, attributes, children)| Node::Element(name, attributes, children))
    })
}

fn escape(text: &str, quote: char) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '>' => out.push_str("&#62;"),
            c if c == quote => out.push_str(&format!("&#x{:X};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Writes a node and what must be found in it; `text` is the text since the last tag.
fn write(node: &Node, out: &mut String, expected: &mut Found, text: &mut String) {
    let flush = |text: &mut String, expected: &mut Found| {
        let trimmed = text.trim_matches([' ', '\t', '\n']);
        if !trimmed.is_empty() {
            expected.texts.push(trimmed.to_owned());
        }
        text.clear();
    };
    match node {
        Node::Text(value) => {
            out.push_str(&escape(value, '\0'));
            text.push_str(value);
        }
        Node::Data(value) => {
            out.push_str(&format!("<![CDATA[{value}]]>"));
            text.push_str(value);
        }
        Node::Comment => out.push_str("<!-- <x> -->"),
        Node::Element(name, attributes, children) => {
            flush(text, expected);
            out.push_str(&format!("<{name}"));
            for (index, value) in attributes.iter().enumerate() {
                out.push_str(&format!(" k{index}=\"{}\"", escape(value, '"')));
                expected.attributes.push(value.clone());
            }
            out.push('>');
            for child in children {
                write(child, out, expected, text);
            }
            flush(text, expected);
            out.push_str(&format!("</{name}>"));
        }
    }
}

proptest! {
    #[test]
    fn trees_come_back(children in prop::collection::vec(any_node(), 0..6)) {
        let root = Node::Element("root".to_owned(), Vec::new(), children);
        let (mut body, mut expected) = (String::new(), Found::default());
        write(&root, &mut body, &mut expected, &mut String::new());
        prop_assert_eq!(run(body.as_bytes(), &Options::default()), (expected, None), "{}", body);
    }

    #[test]
    fn never_panics(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "<", ">", "/", "!", "?", "<a>", "</a>", "<a", "<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE", "[", "]",
                    "<!ENTITY", "<?xml", "?>", " ", "=", "'", "\"", "&", ";", "#", "x", "b='1'", "-", "<!", "encoding='x'",
                ]).prop_map(|t: &str| t.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..3),
            ],
            0..16,
        ),
        truncated: bool,
    ) {
        let options = Options { depth: 3, nodes: 9, attributes: 3, value_bytes: 60, white_space: false, truncated };
        let body = pieces.concat();
        let mut store = Vec::new();
        let mut end = 0;
        let _ = scan(&body, &options, &mut store, &mut |event| {
            if let Event::Text(range) | Event::Attribute { value: range, .. } = event {
                assert!(end <= range.start && range.start <= range.end);
                end = range.end;
            }
        });
        prop_assert!(end <= store.len());
    }
}
