//! Random requests with a masked argument: no record or log line holds what it is, however it was written, and all
//! that was sent beside it is in the record as it was.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;

use base64::Engine as _;
use portcullis_rules::eval::{Connection, RequestHead, Transaction, UnixNanos};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use proptest::prelude::*;
use serde_json::Value;

const NOW: UnixNanos = UnixNanos(1_700_000_000_000_000_000);

/// How a body is written.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Form,
    Json,
    Xml,
    Multipart,
}

/// How its argument is masked.
#[derive(Clone, Copy, Debug)]
enum How {
    Named,
    Matched,
    /// By a rule of the last phase.
    Late,
}

/// A text as it is sent, and as a record shows it.
#[derive(Default)]
struct Written {
    sent: Vec<u8>,
    shown: Vec<u8>,
}

impl Written {
    fn plain(&mut self, text: &str) {
        self.sent.extend_from_slice(text.as_bytes());
        self.shown.extend_from_slice(text.as_bytes());
    }

    fn value(&mut self, text: &[u8], hidden: bool) {
        self.sent.extend_from_slice(text);
        self.shown.extend(text.iter().map(|&byte| if hidden { b'*' } else { byte }));
    }
}

/// Draws numbers from a list, again and again.
struct Dice<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Dice<'_> {
    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().map_or(0, |number| number % sides)
    }
}

fn percent(text: &str, dice: &mut Dice<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in text.bytes() {
        if byte == b' ' && dice.roll(2) == 0 {
            out.push(b'+');
        } else if !byte.is_ascii_alphanumeric() || dice.roll(3) == 0 {
            out.extend_from_slice(format!("%{byte:02x}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

fn json(text: &str, dice: &mut Dice<'_>) -> Vec<u8> {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '/' if dice.roll(2) == 0 => out.push_str("\\/"),
            _ if dice.roll(3) == 0 => out.push_str(&format!("\\u{:04x}", u32::from(letter))),
            _ => out.push(letter),
        }
    }
    out.into_bytes()
}

/// Text of an element: one piece each for text, references and character data.
fn xml(text: &str, dice: &mut Dice<'_>) -> Vec<Vec<u8>> {
    let references = text.chars().map(|letter| match letter {
        '<' => "&lt;".to_owned(),
        '&' => "&amp;".to_owned(),
        _ if dice.roll(3) == 0 => format!("&#{};", u32::from(letter)),
        _ => letter.to_string(),
    });
    vec![references.collect::<String>().into_bytes()]
}

fn any_case(name: &str, dice: &mut Dice<'_>) -> String {
    let letter = |letter: char| if dice.roll(2) == 0 { letter.to_ascii_uppercase() } else { letter };
    name.chars().map(letter).collect()
}

/// Writes arguments, of which those that are called `pw` are masked.
fn write(kind: Kind, arguments: &[(String, String)], dice: &mut Dice<'_>) -> Written {
    let mut out = Written::default();
    let comma = |out: &mut Written, number: usize, text: &str| out.plain(if number > 0 { text } else { "" });
    if let Kind::Json = kind {
        out.plain("{");
    }
    if let Kind::Xml = kind {
        out.plain("<r>");
    }
    for (number, (name, text)) in arguments.iter().enumerate() {
        let hidden = name == "pw";
        let name = any_case(name, dice);
        match kind {
            Kind::Form => {
                comma(&mut out, number, "&");
                out.plain(&String::from_utf8(percent(&name, dice)).unwrap());
                out.plain("=");
                out.value(&percent(text, dice), hidden);
            }
            Kind::Json => {
                comma(&mut out, number, ", ");
                out.plain(&format!("\"{}\": \"", String::from_utf8(json(&name, dice)).unwrap()));
                out.value(&json(text, dice), hidden);
                out.plain("\"");
            }
            Kind::Xml => {
                out.plain(&format!("<{name}>"));
                xml(text, dice).iter().for_each(|piece| out.value(piece, hidden));
                out.plain(&format!("</{name}>"));
            }
            Kind::Multipart => {
                let file = if hidden { "" } else { "; filename=\"f\"" };
                let file = if dice.roll(2) == 0 { file } else { "" };
                out.plain(&format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"));
                out.value(text.as_bytes(), hidden);
                out.plain("\r\n");
            }
        }
    }
    out.plain(match kind {
        Kind::Form => "",
        Kind::Json => "}",
        Kind::Xml => "</r>",
        Kind::Multipart => "--b--\r\n",
    });
    out
}

fn plan(kind: Kind, how: How, native: bool) -> Arc<Plan> {
    let (prefix, processor) = match kind {
        Kind::Json => ("json.", "JSON"),
        Kind::Xml => ("xml.r.", "XML"),
        Kind::Form => ("", "URLENCODED"),
        Kind::Multipart => ("", "MULTIPART"),
    };
    let name = format!("{prefix}pw");
    let mask = match how {
        How::Named => format!("SecAction \"id:10,phase:1,pass,nolog,sanitiseArg:pw,sanitiseArg:{name}\""),
        How::Late => format!("SecAction \"id:10,phase:5,pass,nolog,sanitiseArg:{name},sanitiseArg:pw\""),
        How::Matched => format!(
            "SecRule ARGS:pw \"@rx ^\" \"id:10,phase:2,pass,nolog,sanitiseMatched\"\n\
             SecRule ARGS:{name} \"@rx ^\" \"id:11,phase:2,pass,nolog,t:lowercase,sanitiseMatched\""
        ),
    };
    let lines = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecParseXmlIntoArgs On\nSecAuditEngine On\n\
         SecAuditLogParts ABCHJKZ\nSecAuditLogFormat {}\n\
         SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor={processor}\"\n\
         SecRule ARGS:pw|ARGS:{name} \"@rx (?s)^(.+)$\" \"id:2,phase:2,pass,log,auditlog,capture,t:none,t:urlDecodeUni,\
         msg:'%{{MATCHED_VAR}}',logdata:'%{{TX.1}} %{{tx.kept}} %{{ARGS.pw}}',tag:'%{{ARGS.{name}}}',\
         setvar:'tx.kept=%{{MATCHED_VAR}}'\"\n\
         SecRule TX:kept \"@rx .\" \"id:3,phase:2,pass,log,auditlog,t:base64Encode,msg:'%{{MATCHED_VAR}}'\"\n\
         SecRule REQUEST_URI|REQUEST_LINE \"@rx .\" \"id:4,phase:1,pass,log,auditlog,t:lowercase,msg:'%{{MATCHED_VAR}}'\"\n{mask}\n",
        if native { "Native" } else { "JSON" },
    );
    let policy = serde_json::json!({ "rule_sets": [{ "name": "s", "seclang": lines }] }).to_string();
    let loaded = policy::load(policy.as_bytes(), "policy.json");
    Arc::new(Plan::new(&loaded.policy.expect("a policy")).expect("a plan"))
}

/// Texts that hold more than words: escapes, markup, blanks.
fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select("abcxyz019\"\\/<>&'%+=;:{}[] -".chars().collect::<Vec<char>>()),
        3..14,
    )
    .prop_map(|letters| format!("q{}9", letters.into_iter().collect::<String>()))
}

fn arguments() -> impl Strategy<Value = Vec<(String, String)>> {
    let name = prop::sample::select(vec!["pw", "a", "b", "pwx"]);
    prop::collection::vec((name.prop_map(str::to_owned), text()), 1..5)
}

fn escaped(text: &[u8]) -> String {
    let mut out = String::new();
    for &byte in text {
        if matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn masks_cover_places(
        kind in prop::sample::select(vec![Kind::Form, Kind::Json, Kind::Xml, Kind::Multipart]),
        how in prop::sample::select(vec![How::Named, How::Matched, How::Late]),
        native: bool,
        query in arguments(),
        body in arguments(),
        numbers in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut dice = Dice(numbers.iter().cycle());
        let mut target = Written::default();
        target.plain("/p?");
        let written = write(Kind::Form, &query, &mut dice);
        target.sent.extend(&written.sent);
        target.shown.extend(&written.shown);
        let sent = write(kind, &body, &mut dice);
        let content_type: &[u8] = match kind {
            Kind::Form => b"application/x-www-form-urlencoded",
            Kind::Json => b"application/json",
            Kind::Xml => b"text/xml",
            Kind::Multipart => b"multipart/form-data; boundary=b",
        };
        let plan = plan(kind, how, native);
        let mut transaction = Transaction::new(plan, &Connection::default(), b"id", NOW);
        let headers: [(&[u8], &[u8]); 2] = [(b"Host", b"h"), (b"Content-Type", content_type)];
        let head = RequestHead { method: b"POST", target: &target.sent, protocol: b"HTTP/1.1", headers: &headers };
        transaction.request_headers(&head, NOW);
        transaction.request_body(&sent.sent);
        transaction.request_complete(NOW);
        transaction.finish(NOW);
        let matches = transaction.take_matches();
        let record = String::from_utf8(transaction.take_audit_record().expect("a record").render()).unwrap();
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();

        // What stands beside the masked values is there, byte by byte.
        if native {
            prop_assert!(record.contains(&escaped(&target.shown)), "{record}");
            prop_assert!(record.contains(&escaped(&sent.shown)), "{record}\n{}", shown(&sent.shown));
        } else {
            let record: Value = serde_json::from_str(&record).expect("JSON");
            let request = &record["transaction"]["request"];
            prop_assert_eq!(request["uri"].as_str(), Some(&*shown(&target.shown)));
            prop_assert_eq!(request["body"].as_str(), Some(&*shown(&sent.shown)));
        }

        // Nothing else shows them.
        let hidden = |arguments: &[(String, String)]| -> Vec<String> {
            arguments.iter().filter(|(name, _)| name == "pw").map(|(_, text)| text.clone()).collect()
        };
        let secrets = [hidden(&query), hidden(&body)].concat();
        let others: Vec<String> = query.iter().chain(&body).filter(|(name, _)| name != "pw").map(|(_, text)| text.clone()).collect();
        for found in &matches {
            let line = shown(found.log_line.as_deref().unwrap_or_default());
            let line = line.replace(&escaped(&target.shown), "").replace(&escaped(&target.shown).to_lowercase(), "");
            for secret in secrets.iter().filter(|secret| !others.contains(secret)) {
                let mut ways = vec![escaped(secret.as_bytes()), escaped(secret.to_lowercase().as_bytes())];
                ways.push(escaped(&percent(secret, &mut Dice([1].iter().cycle()))));
                ways.push(base64::engine::general_purpose::STANDARD.encode(secret));
                ways.push(escaped(&json(secret, &mut Dice([1].iter().cycle()))));
                for way in ways {
                    prop_assert!(!line.contains(&way), "{way} is in {line}");
                }
            }
        }
    }
}
