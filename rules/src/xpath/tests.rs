use super::select::Exhausted;
use super::*;
use crate::body::xml::{Options, scan};

const BUDGET: Budget = Budget { steps: 100_000, value_bytes: 100_000 };

fn select(
    document: &str,
    expression: &str,
    namespaces: &[Namespace],
    mut budget: Budget,
) -> Result<Vec<String>, Exhausted> {
    let xpath = XPath::parse(expression.as_bytes()).unwrap_or_else(|e| panic!("{expression}: {e}"));
    let (mut store, mut tree) = (Vec::new(), Tree::new());
    let options = Options { white_space: true, ..Options::default() };
    scan(document.as_bytes(), &options, &mut store, &mut |event| tree.take(&event));
    tree.finish();
    let mut found = Vec::new();
    xpath
        .resolved(namespaces)
        .select(&tree, &store, &mut budget, &mut |value| {
            found.push(String::from_utf8(value.to_vec()).unwrap());
        })
        .map(|()| found)
}

const SHOP: &str = "<shop open='yes' n='1'>\n\
    <item id='1' kind='a'><name>one</name><price>10</price></item>\
    <item id='2' kind='b'><name>two</name><price>20</price><item id='3'><name>three</name></item></item>\
    <note>x<b>y</b> z</note><note/>\
    </shop>";

#[test]
fn selections() {
    let cases: &[(&str, &[&str])] = &[
        ("/shop/item/name", &["one", "two"]),
        ("//name", &["one", "two", "three"]),
        ("//item/name", &["one", "two", "three"]),
        ("//item//name", &["one", "two", "three"]),
        ("/shop//item/@id", &["1", "2", "3"]),
        ("//@id", &["1", "2", "3"]),
        ("//@*", &["yes", "1", "1", "a", "2", "b", "3"]),
        ("/shop/@*", &["yes", "1"]),
        ("/*/@n", &["1"]),
        ("/name", &[]),
        ("name", &[]),
        ("shop/item/name", &["one", "two"]),
        ("/shop/note", &["xy z", ""]),
        ("/shop/note/text()", &["x", " z"]),
        ("/shop/note//text()", &["x", "y", " z"]),
        ("/shop/note/node()", &["x", "y", " z"]),
        ("//item[1]/@id", &["1", "3"]),
        ("//item[last()]/@id", &["2", "3"]),
        ("/descendant::item[2]/@id", &["2"]),
        ("/shop/item[2]/@id", &["2"]),
        ("/shop/item[position() > 1]/@id", &["2"]),
        ("/shop/item[position()!=last()]/@id", &["1"]),
        ("/shop/item[position()<=2][@kind='b']/@id", &["2"]),
        ("/shop/item[@kind='b'][1]/@id", &["2"]),
        ("//item[@id='3']/name", &["three"]),
        ("//item[@kind]/@id", &["1", "2"]),
        ("//item[@kind!='a']/@id", &["2"]),
        ("//item[not(@kind)]/@id", &["3"]),
        ("//item[not(@kind='a')]/@id", &["2", "3"]),
        ("//item[name='two']/@id", &["2"]),
        ("//item[name/text()=\"one\" or @id='3']/@id", &["1", "3"]),
        ("//item[(name='one' or name='two') and @kind='b']/@id", &["2"]),
        ("//item[.//name='three']/@id", &["2", "3"]),
        ("//item[item]/@id", &["2"]),
        ("//name[contains(., 'o')]", &["one", "two"]),
        ("//name[starts-with(text(), 't')]", &["two", "three"]),
        ("//name[.='three']/../../price", &["20"]),
        ("//price/parent::item/@id", &["1", "2"]),
        ("//name/..[@kind='a']", &[]),
        ("//*[local-name()='price']", &["10", "20"]),
        ("//*[name() = 'price' and ../@id = '1']", &["10"]),
        ("//name/self::name", &["one", "two", "three"]),
        ("//name/self::price", &[]),
        ("//price | //name", &["one", "10", "two", "20", "three"]),
        ("//name|//name", &["one", "two", "three"]),
        ("//item[/shop/@open='yes']/@id", &["1", "2", "3"]),
        ("/child::shop/attribute::n", &["1"]),
        (" / shop / item [ 1 ] / @id ", &["1"]),
        ("//item/descendant-or-self::item/@id", &["1", "2", "3"]),
        ("/shop/item/.", &["one10", "two20three"]),
        ("//b/node()", &["y"]),
        ("/shop/div", &[]),
    ];
    for (expression, expected) in cases {
        // `name/..[…]` is not XPath 1.0: an abbreviated step takes no predicate.
        if *expression == "//name/..[@kind='a']" {
            assert!(XPath::parse(expression.as_bytes()).is_err());
            continue;
        }
        assert_eq!(select(SHOP, expression, &[], BUDGET).unwrap(), *expected, "{expression}");
    }
    let all = SHOP.split(['<', '>']).skip(2).step_by(2).collect::<String>();
    assert_eq!(select(SHOP, "/", &[], BUDGET).unwrap(), [all]);
}

#[test]
fn namespaces_are_those_of_the_rule() {
    let soap = "<s:Envelope xmlns:s='urn:soap' xmlns='urn:shop' plain='0' xml:lang='en'>\
        <s:Body s:id='1'><order>x</order><none xmlns=''>y</none>\
        <z:order z:id='2' xmlns:z='urn:other'>z</z:order></s:Body></s:Envelope>";
    let declare = |prefix: &str, uri: &str| Namespace { prefix: prefix.to_owned(), uri: uri.to_owned() };
    let declared = [declare("env", "urn:soap"), declare("o", "urn:other"), declare("shop", "urn:shop")];
    let cases: &[(&str, &[&str])] = &[
        ("/env:Envelope/env:Body/shop:order", &["x"]),
        ("//shop:order", &["x"]),
        ("//o:order", &["z"]),
        ("//o:*", &["z"]),
        ("//order", &[]),
        ("//none", &["y"]),
        ("//@env:id", &["1"]),
        ("//@o:id", &["2"]),
        ("//@o:*", &["2"]),
        ("/env:*/@plain", &["0"]),
        ("/*/@*", &["0", "en"]),
        ("//*[local-name()='order']", &["x", "z"]),
        ("//*[namespace-uri()='urn:other']", &["z"]),
        ("//*[name()='s:Body']/@*", &["1"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(select(soap, expression, &declared, BUDGET).unwrap(), *expected, "{expression}");
    }
    assert!(select(soap, "//env:Body", &[], BUDGET).unwrap().is_empty(), "an undeclared prefix");
    let undeclared = XPath::parse(b"//env:a[x:b]").unwrap().check_prefixes(&declared).unwrap_err();
    assert_eq!((undeclared.message.as_str(), undeclared.span), ("the prefix `x` is not declared", 8..9));
}

#[test]
fn what_just_ends_is_there() {
    assert_eq!(select("<a><b>x</b><b>y", "//b", &[], BUDGET).unwrap(), ["x", "y"]);
    assert_eq!(select("no document", "//b", &[], BUDGET).unwrap(), [""; 0]);
}

#[test]
fn refusals() {
    let cases = [
        ("", "the name of an element or attribute is missing here", ""),
        ("//", "the name of an element or attribute is missing here", ""),
        ("/a/", "the name of an element or attribute is missing here", ""),
        ("/a[", "the name of an element or attribute is missing here", ""),
        ("/a[]", "the name of an element or attribute is missing here", "]"),
        ("/a[1", "`]` is missing here", ""),
        ("/a]", "this can't follow in an XPath", "]"),
        ("/a b", "this can't follow in an XPath", "b"),
        ("/a|", "the name of an element or attribute is missing here", ""),
        ("/a[@b=1]", "a text in quotes is missing here", "1"),
        ("/a[@b='x]", "the quote opened here is never closed", "'"),
        ("/a[b>'1']", "`]` is missing here", ">"),
        ("/a[position()]", "a comparison is missing here", "]"),
        ("/a[position()=b]", "a number or `last()` is missing here", "b"),
        ("/a[99999999999999999999]", "the number is too large", "99999999999999999999"),
        ("/a[count(b)='1']", "the function `count()` is not known", "count"),
        ("/a[local-name()]", "`=` is missing here", "]"),
        ("count(//a)", "`count()` gives no nodes to look at", "count"),
        ("//a|string(//b)", "`string()` gives no nodes to look at", "string"),
        ("/a/following::b", "the axis `following` is not known", "following"),
        ("/a/comment()", "`comment()` selects no nodes that are kept", "comment"),
        ("/a:", "the name after the prefix is missing here", ""),
        ("$x", "the name of an element or attribute is missing here", "$"),
        ("'a'", "the name of an element or attribute is missing here", "'"),
        ("/a[ä='1'", "`]` is missing here", ""),
    ];
    for (expression, message, place) in cases {
        let error = XPath::parse(expression.as_bytes()).expect_err(expression);
        assert_eq!((error.message.as_str(), &expression[error.span]), (message, place), "{expression}");
    }
    assert!(XPath::parse(b"/a\xff").unwrap_err().message.contains("UTF-8"));
    let nested = |depth: usize| format!("/a{}{}", "[a".repeat(depth), "]".repeat(depth));
    assert!(XPath::parse(nested(crate::limits::XPATH_DEPTH).as_bytes()).is_ok());
    let error = XPath::parse(nested(100_000).as_bytes()).unwrap_err();
    assert_eq!(error.message, "predicates are nested deeper than 16");
}

#[test]
fn evaluation_stays_within_its_budget() {
    let deep = format!("{}x{}", "<a>".repeat(200), "</a>".repeat(200));
    // Polynomial in the depth: each level asks all levels below.
    let hostile = "//a[.//a[.//a[.//a[not(.//b)]]]]";
    assert_eq!(select(&deep, hostile, &[], BUDGET), Err(Exhausted));
    let wide = format!("<r>{}</r>", "<i>x</i>".repeat(2_000));
    assert_eq!(select(&wide, "//i[//i[.='y']]", &[], BUDGET), Err(Exhausted));
    assert_eq!(select(&wide, "//i[.='x']", &[], BUDGET).map(|all| all.len()), Ok(2_000));
    // Elements in elements hold the same text again and again.
    let text = format!("{}{}{}", "<a>".repeat(200), "x".repeat(1_000), "</a>".repeat(200));
    assert_eq!(select(&text, "//a", &[], BUDGET), Err(Exhausted));
    // Each element has to look through all declarations.
    let declared = (0..1_000).map(|n| format!("xmlns:p{n}='urn:{n}' ")).collect::<String>();
    let declarations = format!("<r {declared}>{}</r>", "<i/>".repeat(1_000));
    assert_eq!(select(&declarations, "//i", &[], BUDGET), Err(Exhausted));
}

proptest::proptest! {
    #[test]
    fn parsing_never_fails_otherwise(text in "[/@*.|()\\[\\]a:'=<! 1-2]{0,24}") {
        if let Ok(xpath) = XPath::parse(text.as_bytes()) {
            proptest::prop_assert_eq!(&xpath, &XPath::parse(text.as_bytes()).unwrap());
            let _ = select(SHOP, &text, &[], BUDGET);
        }
    }

    #[test]
    fn any_document_has_a_tree(document in "(<[ab]( x='1')?/?>|</[ab]>|t){0,40}") {
        let _ = select(&document, "//a[b[1]]/@x | //b/.. | //text()", &[], BUDGET);
    }
}
