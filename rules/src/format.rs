//! What a text is that was given in place of another: SecLang in place of a policy, a manifest in place of the policy
//! in it. So that a person is told what it is and what to do, rather than where it stops being JSON.

use crate::diagnostic::Span;
use crate::seclang;

/// A kind of text that is mistaken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Rules in ModSecurity's language.
    SecLang,
    /// Network rules.
    Armr,
    /// Begins as a JSON object.
    Json,
    /// A policy in YAML.
    PolicyYaml,
    /// A resource of Kubernetes in YAML.
    Manifest,
    /// A configuration of Envoy in YAML.
    Envoy,
    /// Other YAML.
    Yaml,
    /// `google.protobuf.Struct` (or a `TypedStruct`) as it goes over the wire.
    Struct,
}

/// The lines that are looked at: what they don't show isn't obvious.
const LINES: usize = 200;

/// What the text is, if it is plain to see, and the part of its first line that shows it.
pub(crate) fn recognise(text: &[u8]) -> Option<(Format, Span)> {
    if is_struct(text) {
        return Some((Format::Struct, Span { start: 0, end: text.len().min(1) }));
    }
    let mut offset = 0;
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(LINES);
    let mut lines = lines.map(|line| {
        let indent = line.len() - line.trim_ascii_start().len();
        let start = offset + indent;
        offset += line.len();
        (start, line.trim_ascii())
    });
    let (start, first) = lines.find(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))?;
    let span = Span { start, end: start + first.len() };
    if first.starts_with(b"{") {
        return Some((Format::Json, Span { start, end: start + 1 }));
    }
    if first.starts_with(b"app(") {
        return Some((Format::Armr, span));
    }
    let word = first.split(|byte| byte.is_ascii_whitespace() || *byte == b'"').next().unwrap_or_default();
    if seclang::is_directive(word) {
        return Some((Format::SecLang, Span { start, end: start + word.len() }));
    }
    let key = |line: &[u8]| key(line).map(<[u8]>::to_vec);
    let first_key = key(first);
    if first != b"---" && first_key.is_none() {
        return None;
    }
    let mut format = Format::Yaml;
    for name in first_key.into_iter().chain(lines.filter_map(|(_, line)| key(line))) {
        format = match name.as_slice() {
            b"apiVersion" => Format::Manifest,
            b"static_resources" | b"dynamic_resources" => Format::Envoy,
            b"rule_sets" | b"enforcement" => Format::PolicyYaml,
            _ => continue,
        };
        break;
    }
    Some((format, span))
}

/// The key of a line of YAML such as `kind: ConfigMap` or `spec:`.
fn key(line: &[u8]) -> Option<&[u8]> {
    let end = line.iter().position(|byte| *byte == b':')?;
    let (name, rest) = line.split_at_checked(end)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.@/$".contains(byte);
    let ends = matches!(rest.get(1), None | Some(b' ' | b'\t'));
    (!name.is_empty() && ends && name.iter().all(plain)).then_some(name)
}

/// Whether the bytes are a message of protobuf that has only the fields of a `Struct`, or of a `TypedStruct`: a map
/// from names to values is a list of entries, each with its key in front.
fn is_struct(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut entries = 0;
    while !rest.is_empty() {
        let Some((entry, after)) = field(rest, 0x0a) else { break };
        let is_entry = field(entry, 0x0a).is_some_and(|(key, value)| {
            std::str::from_utf8(key).is_ok() && (value.is_empty() || value.first() == Some(&0x12))
        });
        if !is_entry {
            break;
        }
        entries += 1;
        rest = after;
    }
    if entries > 0 && rest.is_empty() {
        return true;
    }
    // A TypedStruct: the name of a type, then the Struct.
    let typed = field(bytes, 0x0a).filter(|(name, _)| name.starts_with(b"type.googleapis.com/"));
    typed
        .and_then(|(_, rest)| field(rest, 0x12))
        .is_some_and(|(inner, after)| after.is_empty() && is_struct(inner))
}

/// A field with a length in front: its bytes, and what follows it.
fn field(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes.strip_prefix(&[tag])?;
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        for (text, expected) in [
            ("", None),
            ("hello", None),
            ("nonsense: yes", Some(Format::Yaml)),
            ("# a comment\n\n  secrule ARGS \"@rx a\" \"id:1\"", Some(Format::SecLang)),
            ("SecRuleEngine On\n", Some(Format::SecLang)),
            ("Include\"a\"", Some(Format::SecLang)),
            ("SecNonsense On\n", None),
            ("\n{ \"a\": 1", Some(Format::Json)),
            ("app(\"a\"):\n", Some(Format::Armr)),
            ("apiVersion: v1\nkind: ConfigMap\n", Some(Format::Manifest)),
            (
                "# made\n---\nkind: WasmPlugin\r\nmetadata:\n  name: x\napiVersion: a/v1\r\n",
                Some(Format::Manifest),
            ),
            ("admin: { address: x }\nstatic_resources:\n", Some(Format::Envoy)),
            ("enforcement: strict\nrule_sets: []\n", Some(Format::PolicyYaml)),
            ("---\nrule_sets:\n- name: a\n", Some(Format::PolicyYaml)),
            ("---\n- a\n", Some(Format::Yaml)),
            ("http://example.com/", None),
            ("[1, 2]", None),
        ] {
            assert_eq!(recognise(text.as_bytes()).map(|(format, _)| format), expected, "{text}");
        }
    }

    #[test]
    fn the_place_is_that_of_the_first_line_that_says_something() {
        let (_, span) = recognise(b"# a\n  SecRuleEngine On\n").unwrap();
        assert_eq!(span, Span { start: 6, end: 19 });
        let (_, span) = recognise(b"\r\n  apiVersion: v1 \r\n").unwrap();
        assert_eq!(span, Span { start: 4, end: 18 });
    }

    /// `{"enforcement": "strict", "rule_sets": []}`.
    const STRUCT: &[u8] =
        b"\x0a\x17\x0a\x0benforcement\x12\x08\x1a\x06strict\x0a\x0f\x0a\x09rule_sets\x12\x02\x32\x00";

    #[test]
    fn messages_of_protobuf() {
        let is_struct = |bytes: &[u8]| recognise(bytes).map(|(format, _)| format) == Some(Format::Struct);
        assert!(is_struct(STRUCT));
        let mut typed = b"\x0a\x17type.googleapis.com/a.B\x12".to_vec();
        typed.push(u8::try_from(STRUCT.len()).unwrap());
        typed.extend_from_slice(STRUCT);
        assert!(is_struct(&typed));
        for cut in 1..STRUCT.len() {
            // After its first entry it is a Struct of one.
            assert_eq!(is_struct(&STRUCT[..cut]), cut == 25, "{cut}");
        }
        for other in [&b""[..], b"\x0a", b"\x0a\x00", b"\n{}", b"\n\n\n", b"\x0a\xff\xff\xff\xff\xff\xff\xff"]
        {
            assert!(!is_struct(other), "{other:?}");
        }
    }
}
