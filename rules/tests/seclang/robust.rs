//! Whatever the text is, reading it ends with diagnostics whose places are in the text.

use portcullis_rules::diagnostic::{Level, Sources};
use portcullis_rules::host::NoFiles;
use portcullis_rules::model::Item;
use portcullis_rules::seclang::{Document, Options, modsecurity_style, parse};
use proptest::prelude::*;

const PIECES: &[&str] = &[
    "SecRule",
    "SecAction",
    "SecMarker",
    "SecDefaultAction",
    "SecRuleEngine",
    "SecDataset x `",
    "SecRuleRemoveById",
    "SecRuleUpdateTargetById",
    "SecRuleUpdateActionById",
    "SecResponseBodyMimeType",
    "SecAuditLogParts",
    "#",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\\",
    "\\\n",
    "\"",
    "'",
    "`",
    ",",
    ":",
    ";",
    "=",
    "+",
    "-",
    "!",
    "&",
    "|",
    "/",
    "@",
    ".",
    "%{",
    "}",
    "id:",
    "1",
    "2",
    "99999999999999999999",
    "phase:",
    "chain",
    "deny",
    "block",
    "msg:",
    "setvar:",
    "tx.",
    "ctl:",
    "ruleRemoveTargetById=",
    "ARGS",
    "REQUEST_HEADERS",
    "XML:/*",
    "@rx ",
    "x",
    "t:none",
    "skipAfter:",
    "status:",
    "redirect:",
    "logdata:",
    "SecRule ARGS \"@rx x\" \"id:1,chain,",
    "\u{e9}",
    "\u{feff}",
    "\0",
];

fn check(text: &[u8]) {
    let mut sources = Sources::default();
    let documents = [Document { name: "x.conf", text }];
    let parsed = parse(&documents, &NoFiles, &mut sources, Options::default());
    for diagnostic in &parsed.diagnostics {
        assert!(!diagnostic.labels.is_empty(), "{diagnostic:?}");
        for label in &diagnostic.labels {
            assert!(label.span.start <= label.span.end, "{diagnostic:?}");
            assert!(label.span.end <= sources.text(label.source).len(), "{diagnostic:?}");
        }
        let line = modsecurity_style(diagnostic, &sources);
        assert!(line.starts_with("Rules error. File: x.conf. Line: "), "{line}");
    }
    let errors = parsed.diagnostics.iter().any(|d| d.code.level() == Level::Error);
    for item in parsed.rule_set.items {
        if let Item::Rule(rule) = item {
            assert!(!rule.links.is_empty());
            assert!(errors || rule.id > 0 || rule.links[0].condition.is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60)) {
        check(pieces.concat().as_bytes());
    }

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes);
    }
}
