use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::model::Variable;

/// A parsed body with its texts looked up.
struct Read {
    fields: Vec<(String, String)>,
    /// Field, file name, extended file name, content.
    files: Vec<(String, String, Option<String>, String)>,
    headers: Vec<(String, String)>,
    raw: Multipart,
    store: Vec<u8>,
}

impl Read {
    fn error(&self) -> String {
        self.raw.error.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn text(&self, range: &Range<usize>) -> String {
        text(&self.store, range)
    }
}

fn text(bytes: &[u8], range: &Range<usize>) -> String {
    bytes[range.clone()].escape_ascii().to_string()
}

fn read(content_type: &str, body: &[u8], options: &Options) -> Read {
    let mut store = b"earlier".to_vec();
    let raw = parse(content_type.as_bytes(), body, options, &mut store);
    assert_eq!(raw.flags.error, raw.error.is_some());
    Read {
        fields: raw.fields.iter().map(|f| (text(&store, &f.name), text(body, &f.value))).collect(),
        files: raw
            .files
            .iter()
            .map(|f| {
                (
                    text(&store, &f.field),
                    text(&store, &f.name),
                    f.extended_name.as_ref().map(|n| text(&store, n)),
                    text(body, &f.content),
                )
            })
            .collect(),
        headers: raw.headers.iter().map(|h| (text(&store, &h.field), text(&store, &h.line))).collect(),
        raw,
        store,
    }
}

const TYPE: &str = "multipart/form-data; boundary=B0";

/// Reads a body that is written here with LF for each CR LF.
fn crlf(body: &str) -> Read {
    read(TYPE, body.replace('\n', "\r\n").as_bytes(), &Options::default())
}

/// A body of one field `a` with this value.
fn with_value(value: &str) -> String {
    format!("--B0\nContent-Disposition: form-data; name=\"a\"\n\n{value}\n--B0--\n")
}

/// A body of one part with these headers.
fn with_headers(headers: &str) -> String {
    format!("--B0\n{headers}\n\nv\n--B0--\n")
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn reads_a_form() {
    let body = "--B0\nContent-Disposition: form-data; name=\"a\"\n\none\ntwo\n--B0\n\
        content-type: text/plain\nContent-Disposition: form-data; name=\"up\"; filename=\"C:\\x\\\"y.txt\"\n\n\
        \nfile\n\n--B0\nContent-Disposition: form-data; name=\"a\"\n\n\n--B0--\n";
    let found = crlf(body);
    assert_eq!(found.raw.error, None);
    assert_eq!(found.raw.flags, Flags { crlf_line: true, ..Flags::default() });
    assert_eq!(found.fields, pairs(&[("a", "one\\r\\ntwo"), ("a", "")]));
    let file = ("up", "C:\\\\x\\\"y.txt", None, "\\r\\nfile\\r\\n");
    assert_eq!(found.files, [(file.0.into(), file.1.into(), file.2, file.3.into())]);
    assert_eq!(
        found.headers,
        pairs(&[
            ("a", "Content-Disposition: form-data; name=\\\"a\\\""),
            ("up", "content-type: text/plain"),
            ("up", "Content-Disposition: form-data; name=\\\"up\\\"; filename=\\\"C:\\\\x\\\\\\\"y.txt\\\""),
            ("a", "Content-Disposition: form-data; name=\\\"a\\\""),
        ])
    );
    assert_eq!(found.text(&found.raw.files[0].raw_name), "C:\\\\x\\\\\\\"y.txt");
    assert_eq!(found.text(&found.raw.files[0].raw_field), "up");
    assert_eq!(found.text(&found.raw.fields[0].raw_name), "a");
    assert!(!found.raw.flags.strict_error());
}

#[test]
fn a_final_boundary_needs_no_line_end() {
    for end in ["--B0--", "--B0--\r\n", "--B0--\n"] {
        let body = format!("--B0\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n{end}");
        let found = read(TYPE, body.as_bytes(), &Options::default());
        assert_eq!((found.raw.error.as_ref(), found.raw.flags.data_after), (None, false), "{end}");
        assert_eq!(found.fields, pairs(&[("a", "v")]));
    }
}

/// Each flag alone: what sets it, with the value of its variable and of `MULTIPART_STRICT_ERROR`.
#[test]
fn each_flag_has_its_case() {
    let lf = with_value("v");
    let mixed = with_value("v").replacen('\n', "\r\n", 1);
    let cases: Vec<(Variable, &str, &str, Vec<u8>, &str)> = vec![
        flag(
            Variable::MultipartBoundaryQuoted,
            "1",
            "multipart/form-data; boundary=\"B0\"",
            &with_value("v"),
            "1",
        ),
        flag(
            Variable::MultipartBoundaryWhitespace,
            "1",
            "multipart/form-data; boundary= B0",
            &with_value("v"),
            "1",
        ),
        flag(
            Variable::MultipartMissingSemicolon,
            "1",
            "multipart/form-data boundary=B0",
            &with_value("v"),
            "1",
        ),
        flag(Variable::MultipartDataBefore, "1", TYPE, &format!("x\n{}", with_value("v")), "1"),
        flag(Variable::MultipartDataBefore, "1", TYPE, &format!("\n{}", with_value("v")), "1"),
        flag(Variable::MultipartDataAfter, "1", TYPE, &format!("{}x", with_value("v")), "1"),
        flag(Variable::MultipartDataAfter, "1", TYPE, &format!("{}\n", with_value("v")), "1"),
        flag(
            Variable::MultipartHeaderFolding,
            "1",
            TYPE,
            &with_headers("Content-Disposition: form-data;\n\t name=\"a\""),
            "1",
        ),
        flag(
            Variable::MultipartInvalidHeaderFolding,
            "1",
            TYPE,
            &with_headers("Content-Disposition: form-data;\n\x0bname=\"a\""),
            "1",
        ),
        flag(
            Variable::MultipartInvalidHeaderFolding,
            "0",
            TYPE,
            &with_headers("Content-Disposition: form-data;\n name=\"a\""),
            "1",
        ),
        (Variable::MultipartLfLine, "1", TYPE, lf.clone().into_bytes(), "1"),
        (Variable::MultipartCrlfLfLines, "0", TYPE, lf.into_bytes(), "1"),
        (Variable::MultipartCrlfLfLines, "1", TYPE, mixed.into_bytes(), "1"),
        flag(
            Variable::MultipartInvalidQuoting,
            "1",
            TYPE,
            &with_headers("Content-Disposition: form-data; name='a'"),
            "1",
        ),
        flag(
            Variable::MultipartInvalidPart,
            "1",
            TYPE,
            "--B0\nContent-Disposition: form-data; name=a\n\n--B0--\n",
            "1",
        ),
        flag(
            Variable::MultipartInvalidPart,
            "1",
            TYPE,
            "--B0\nContent-Disposition: form-data; name=a\n--B0--\n",
            "1",
        ),
        flag(
            Variable::MultipartInvalidPart,
            "1",
            TYPE,
            &with_headers("no colon\nContent-Disposition: form-data; name=a"),
            "1",
        ),
        flag(Variable::MultipartUnmatchedBoundary, "0", TYPE, &with_value("v"), "0"),
        flag(Variable::MultipartUnmatchedBoundary, "2", TYPE, &with_value("--x"), "0"),
        flag(Variable::MultipartUnmatchedBoundary, "2", TYPE, &with_value("x--B0"), "0"),
        flag(Variable::MultipartUnmatchedBoundary, "1", TYPE, &format!("{}--x", with_value("v")), "1"),
        flag(
            Variable::MultipartUnmatchedBoundary,
            "1",
            TYPE,
            "--B0\nContent-Disposition: form-data; name=a\n\n--x",
            "1",
        ),
        flag(Variable::MultipartStrictError, "1", "multipart/form-data; boundary={}", &with_value("v"), "1"),
        flag(Variable::MultipartStrictError, "0", TYPE, &with_value("v"), "0"),
    ];
    for (variable, value, content_type, body, strict) in cases {
        let flags = read(content_type, &body, &Options::default()).raw.flags;
        let shown = format!("{variable} {content_type} {}", body.escape_ascii());
        assert_eq!(flags.value(variable), Some(value), "{shown}");
        assert_eq!(flags.value(Variable::MultipartStrictError), Some(strict), "{shown}");
    }
    assert_eq!(Flags::default().value(Variable::MultipartName), None);
}

fn flag(
    variable: Variable,
    value: &'static str,
    content_type: &'static str,
    body: &str,
    strict: &'static str,
) -> (Variable, &'static str, &'static str, Vec<u8>, &'static str) {
    (variable, value, content_type, body.replace('\n', "\r\n").into_bytes(), strict)
}

#[test]
fn nothing_but_its_own_cause_sets_a_flag() {
    let all = Variable::ALL.iter().filter(|v| v.name().starts_with("MULTIPART_"));
    let flags = crlf(&with_value("v")).raw.flags;
    let values: Vec<_> = all.filter_map(|v| flags.value(*v)).collect();
    assert_eq!(values, ["0"; 14]);
}

#[test]
fn line_ends_inside_data_do_not_count() {
    let body = "--B0\r\nContent-Disposition: form-data; name=a\r\n\r\none\ntwo\n\r\n--B0--\r\n";
    let found = read(TYPE, body.as_bytes(), &Options::default());
    assert_eq!(found.raw.flags, Flags { crlf_line: true, ..Flags::default() });
    assert_eq!(found.fields, pairs(&[("a", "one\\ntwo\\n")]));
    // The line end before a boundary is the boundary's.
    let body = "--B0\r\nContent-Disposition: form-data; name=a\r\n\r\none\n--B0--\r\n";
    let found = read(TYPE, body.as_bytes(), &Options::default());
    assert!(found.raw.flags.lf_line && found.raw.flags.crlf_line);
    assert_eq!(found.fields, pairs(&[("a", "one")]));
}

#[test]
fn errors_are_told_and_the_parts_reported() {
    let disposition = "Content-Disposition: form-data; name=a";
    let long = format!("{disposition}\nX: {}", "x".repeat(5_000));
    let folded = format!("{disposition}\nX: y{}", format!("\n {}", "x".repeat(1_500)).repeat(3));
    let many = format!("{disposition}{}", (0..64).map(|n| format!("\nX{n}: y")).collect::<String>());
    let a: &[(&str, &str)] = &[("a", "v")];
    let unnamed: &[(&str, &str)] = &[("", "v")];
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
    let cases: &[Case<'_>] = &[
        ("x\n", "Multipart: No boundaries found in payload.", &[]),
        (
            "--B0\nContent-Disposition: form-data; name=a\n\nv\n",
            "Multipart: Final boundary missing.",
            &[("a", "v\\r\\n")],
        ),
        (
            "--B0\nContent-Disposition: form-data; name=a\n",
            "Multipart: Final boundary missing.",
            &[("a", "")],
        ),
        ("--B0", "Multipart: Final boundary missing.", &[]),
        (&with_value("--B0x"), "Multipart: Invalid boundary: --B0x", &[("a", "--B0x")]),
        (&with_value("--B0--x"), "Multipart: Invalid boundary: --B0--x", &[("a", "--B0--x")]),
        (&with_value("--B0 "), "Multipart: Invalid boundary: --B0 ", &[("a", "--B0 ")]),
        (
            &with_value("--\"B0\""),
            "Multipart: Invalid boundary (quotes): --\\\"B0\\\"",
            &[("a", "--\\\"B0\\\"")],
        ),
        (&with_value("-- B0"), "Multipart: Invalid boundary (whitespace): -- B0", &[("a", "-- B0")]),
        (&format!("{}--B0--\n", with_value("v")), "Multipart: Invalid boundary (final duplicate).", a),
        (&with_headers(&long), "Multipart: Part header over 4096 bytes long.", a),
        (&with_headers(&folded), "Multipart: Part header over 4096 bytes long.", a),
        (&with_headers(&many), "Multipart: Part with more than 64 headers.", a),
        (&with_headers(&format!("{disposition}\nX: \0")), "Multipart: Nul byte in part headers.", a),
        (&with_headers(&format!("{disposition}\nX: 1\nx: 2")), "Multipart: Duplicate part header: x.", a),
        (&with_headers("X: y"), "Multipart: Part missing Content-Disposition header.", unnamed),
        (&with_headers(""), "Multipart: Part missing Content-Disposition header.", &[("", "\\r\\nv")]),
        (
            &with_headers("Content-Disposition: form-data"),
            "Multipart: Content-Disposition header missing name field.",
            unnamed,
        ),
        (
            &with_headers(&format!("{disposition}; size=3")),
            "Multipart: Invalid Content-Disposition header (unknown parameter): form-data; name=a; size=3.",
            a,
        ),
        (
            &with_headers(&format!("{disposition}; filename*=UTF-8''x")),
            "Multipart: Invalid Content-Disposition header (filename* without filename): \
             form-data; name=a; filename*=UTF-8\\'\\'x.",
            a,
        ),
    ];
    for (body, error, fields) in cases {
        let found = crlf(body);
        assert_eq!(found.error(), *error, "{}", body.escape_debug());
        assert_eq!(found.fields, pairs(fields), "{}", body.escape_debug());
        assert!(found.raw.flags.strict_error());
    }
    let found = read("text/plain", b"x", &Options::default());
    assert_eq!(found.error(), "Multipart: Content-Type is not multipart/form-data.");
    let found = read(TYPE, b"", &Options::default());
    assert_eq!((found.raw.error, found.raw.flags), (None, Flags::default()));
}

#[test]
fn headers_that_are_none_are_recorded_as_they_are() {
    for (line, error) in [
        ("\x0eContent-Type: x", "(character in its name): \\x0eContent-Type."),
        ("Content-Type\x0e: x", "(character in its name): Content-Type\\x0e."),
        ("Content-\x20Type: x", "(character in its name): Content- Type."),
        ("Content-Type : x", "(character in its name): Content-Type ."),
        ("\x7fX: y", "(character in its name): \\x7fX."),
        (": x", "(header name missing): : x."),
        ("no colon", "(colon missing): no colon."),
        ("é: x", "(character in its name): \\xc3\\xa9."),
    ] {
        let found = crlf(&with_headers(&format!("{line}\nContent-Disposition: form-data; name=\"post\"")));
        let line = line.as_bytes().escape_ascii().to_string();
        assert_eq!(found.headers[0], ("post".to_owned(), line.clone()));
        assert_eq!(found.headers.len(), 2, "{line}");
        assert_eq!(found.error(), format!("Multipart: Invalid part header {error}"));
        assert!(found.raw.flags.invalid_part && found.raw.flags.strict_error(), "{line}");
        assert_eq!(found.fields, pairs(&[("post", "v")]), "{line}");
    }
    for line in ["Content-!Type: x", "Content~Type: x"] {
        let found = crlf(&with_headers(&format!("{line}\nContent-Disposition: form-data; name=\"post\"")));
        assert_eq!(found.headers[0], ("post".to_owned(), line.to_owned()));
        assert!(!found.raw.flags.strict_error(), "{line}");
    }
}

#[test]
fn folded_headers_are_joined() {
    let found =
        crlf(&with_headers("Content-Disposition: form-data;\n   name=\"a\";\n\tfilename=\"f\"\nX: y"));
    assert_eq!(
        found.headers,
        pairs(&[("a", "Content-Disposition: form-data; name=\\\"a\\\"; filename=\\\"f\\\""), ("a", "X: y")])
    );
    assert_eq!(found.files, [("a".to_owned(), "f".to_owned(), None, "v".to_owned())]);
    // A first line can't be folded into another.
    let found = crlf(&with_headers(" X: y\nContent-Disposition: form-data; name=a"));
    assert!(found.raw.flags.invalid_part && !found.raw.flags.header_folding);
    assert_eq!(found.headers[0].1, " X: y");
}

#[test]
fn both_file_names_are_reported() {
    let found = crlf(&with_headers(
        "Content-Disposition: form-data; name=\"a\"; filename=\"b.txt\"; filename*=UTF-8''b.%70hp",
    ));
    assert_eq!(found.files, [("a".into(), "b.txt".into(), Some("b.php".into()), "v".into())]);
    assert_eq!(found.raw.error, None);
    assert!(!found.raw.flags.invalid_quoting);
}

#[test]
fn files_whose_name_names_nothing_are_fields_as_well() {
    for (name, is_field) in [
        ("filename=\"\"", true),
        ("filename=\" \"", true),
        ("filename=\"/\"", true),
        ("filename=\"\\\"\\\"\"", true),
        ("filename=\"..\"", true),
        ("filename=\"a\"", false),
        ("filename=\"a\"; filename*=UTF-8''", true),
        ("filename=\"\"; filename*=UTF-8''a", true),
        ("filename=\"a\"; filename*=UTF-8''%20", true),
        ("filename=\"a\"; filename*=UTF-8''b", false),
    ] {
        let found = crlf(&with_headers(&format!("Content-Disposition: form-data; name=\"a\"; {name}")));
        let fields: &[(&str, &str)] = if is_field { &[("a", "v")] } else { &[] };
        assert_eq!(found.fields, pairs(fields), "{name}");
        assert!(found.raw.fields.iter().all(|field| field.is_file), "{name}");
        assert_eq!(found.files.len(), 1, "{name}");
        assert_eq!(found.raw.error, None, "{name}");
    }
}

#[test]
fn a_body_that_can_be_cut_in_two_ways_is_a_field_as_a_whole() {
    let file = "--B0\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\n--C\"\r\nevil\r\n--B0--\r\n";
    for (content_type, ambiguous) in [
        (TYPE, false),
        ("multipart/form-data; x=\"boundary=C\"; boundary=B0", true),
        ("multipart/form-data; boundary=B0; x=\"boundary=C\"", true),
    ] {
        let found = read(content_type, file.as_bytes(), &Options::default());
        let whole = file.as_bytes().escape_ascii().to_string();
        assert_eq!(
            found.fields,
            if ambiguous { vec![(String::new(), whole)] } else { vec![] },
            "{content_type}"
        );
        assert_eq!(found.raw.flags.strict_error(), ambiguous, "{content_type}");
        assert_eq!(found.raw.error, None, "{content_type}");
    }
}

#[test]
fn headers_and_fields_count_as_no_files() {
    let header = "Content-Disposition: form-data; name=\"a\"";
    let length = |body: &str| crlf(body).raw.length_without_files;
    // Each line ends in CR LF, and an empty one ends the headers.
    assert_eq!(length(&with_headers(header)), header.len() + 4 + 1);
    assert_eq!(length(&with_headers(&format!("{header}; filename=\"f\""))), header.len() + 14 + 4);
    assert_eq!(length(&with_headers(&format!("{header}; filename=\"\""))), header.len() + 13 + 4 + 1);
    assert_eq!(length(&with_headers(&format!("{header}\nX: y"))), header.len() + 2 + 4 + 4 + 1);
    assert_eq!(length(&format!("before\n{}after\n", with_headers(header))), header.len() + 4 + 1);
}

#[test]
fn parts_after_the_final_boundary_are_reported() {
    let body = format!("{}{}", with_value("1"), with_value("2").replace("name=\"a\"", "name=\"b\""));
    let found = crlf(&body);
    assert_eq!(found.fields, pairs(&[("a", "1"), ("b", "2")]));
    assert!(found.raw.flags.data_after);
    assert_eq!(found.error(), "Multipart: Invalid boundary (final duplicate).");
}

#[test]
fn files_past_the_limit_set_the_flag_and_fields_are_dropped() {
    let file = "--B0\nContent-Disposition: form-data; name=f; filename=x\n\nv\n";
    let field = "--B0\nContent-Disposition: form-data; name=a\n\nv\n";
    let body = format!("{}{}--B0--\n", file.repeat(3), field.repeat(3)).replace('\n', "\r\n");
    for (limit, exceeded) in [(2, "1"), (3, "0")] {
        let found = read(TYPE, body.as_bytes(), &Options { files: limit, fields: 2, truncated: false });
        assert_eq!(found.raw.flags.value(Variable::MultipartFileLimitExceeded), Some(exceeded));
        assert_eq!(found.raw.flags.value(Variable::MultipartStrictError), Some(exceeded));
        assert_eq!((found.files.len(), found.fields.len(), found.raw.dropped), (3, 2, 1));
        assert_eq!(found.headers.len(), 6);
    }
}

#[test]
fn a_cut_body_may_end_anywhere() {
    let body = "--B0\nContent-Disposition: form-data; name=\"a\"\n\n-----BEGIN\n--B0\nX-Y: z\n\
        Content-Disposition: form-data; name=\"up\"; filename=\"f\"\n\ncontent\n--B0--\n"
        .replace('\n', "\r\n");
    let options = Options { truncated: true, ..Options::default() };
    for end in 0..=body.len() {
        let found = read(TYPE, &body.as_bytes()[..end], &options);
        let begun = end >= "--B0".len() || end == 0;
        assert_eq!(found.raw.error.is_none(), begun, "cut at {end}: {}", found.error());
        let flags = found.raw.flags;
        assert_ne!(flags.value(Variable::MultipartUnmatchedBoundary), Some("1"), "cut at {end}");
        assert!(!begun || !flags.strict_error(), "cut at {end}: {flags:?}");
        assert!(found.fields.is_empty() || found.fields[0].0 == "a", "cut at {end}");
    }
    let found = read(TYPE, &body.as_bytes()[..body.len() - 12], &options);
    assert_eq!(found.files[0].3, "conte");
}

/// Each would take minutes if it took time with the square of its length.
#[test]
fn adversarial_bodies_take_linear_time() {
    let n = 1 << 20;
    let repeat = |text: &str| text.repeat(n / text.len());
    let start = Instant::now();
    let bodies = [
        repeat("\n"),
        repeat("--\n"),
        repeat("--B\n"),
        repeat("--B0\n"),
        repeat("--B0\r\n\r\n"),
        repeat("--B0--\n"),
        repeat("--B0x\n"),
        repeat("xB0"),
        repeat("B0\n"),
        format!("--B0\n{}", repeat("a:b\n")),
        format!("--B0\n{}", repeat("a\n")),
        format!("--B0\nX:y\n{}", repeat(" z\n")),
        format!("--B0\nX:{}", repeat(" ")),
        format!("--B0\nContent-Disposition: form-data; name=\"{}", repeat("\\\\")),
        format!("--B0\nContent-Disposition: form-data; {}", repeat("name=a; ")),
        format!("--B0\nContent-Disposition: form-data; name=a\n\n{}", repeat("--B0 \n")),
        repeat("--B0\nContent-Disposition: form-data; name=a\n\n\n"),
        format!("--B0\nContent-Disposition: form-data; name=a\n\n{}", repeat("\nB0")),
    ];
    for body in &bodies {
        for truncated in [false, true] {
            let options = Options { truncated, ..Options::default() };
            let mut store = Vec::new();
            let _ = parse(TYPE.as_bytes(), body.as_bytes(), &options, &mut store);
            assert!(store.len() <= 2 * body.len());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "--B0\r\n",
            "--B0\n",
            "--B0--\r\n",
            "--B0--",
            "--B0",
            "--",
            "B0",
            "\r\n",
            "\n",
            "\r",
            " ",
            ":",
            "\"",
            "'",
            "\\",
            ";",
            "=",
            "\0",
            "Content-Disposition: form-data; name=\"a\"",
            "Content-Disposition: form-data; name=a; filename=b\r\n\r\n",
            "filename*=UTF-8''%41",
            "X: y\r\n",
            "value",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn never_panics_and_stays_inside(body in fragments(), truncated: bool) {
        let mut store = Vec::new();
        let options = Options { truncated, fields: 3, files: 1 };
        let found = parse(TYPE.as_bytes(), &body, &options, &mut store);
        let in_body = found.fields.iter().map(|f| &f.value).chain(found.files.iter().map(|f| &f.content));
        for range in in_body {
            prop_assert!(body.get(range.clone()).is_some());
        }
        let in_store = found.headers.iter().flat_map(|h| [&h.field, &h.line]);
        let in_store = in_store.chain(found.fields.iter().flat_map(|f| [&f.name, &f.raw_name]));
        let in_store = in_store.chain(found.files.iter().flat_map(|f| [&f.field, &f.raw_field, &f.name, &f.raw_name]));
        for range in in_store {
            prop_assert!(store.get(range.clone()).is_some());
        }
        prop_assert_eq!(found.flags.error, found.error.is_some());
    }

    #[test]
    fn what_is_cut_off_does_not_change_what_came_before(body in fragments(), at: prop::sample::Index) {
        // The parts that are complete before a cut are the same with and without it.
        let whole = read(TYPE, &body, &Options::default());
        let end = at.index(body.len() + 1);
        let cut = read(TYPE, &body[..end], &Options { truncated: true, ..Options::default() });
        let complete = cut.raw.fields.iter().filter(|f| f.value.end + 10 < end).count();
        for (a, b) in cut.fields.iter().zip(&whole.fields).take(complete.saturating_sub(1)) {
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn values_come_back(values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..6)) {
        let mut body = Vec::new();
        for value in &values {
            body.extend_from_slice(b"--B0\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n");
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--B0--\r\n");
        let found = read(TYPE, &body, &Options::default());
        let expected: Vec<_> =
            values.iter().map(|v| ("n".to_owned(), v.escape_ascii().to_string())).collect();
        if !values.is_empty() {
            prop_assert_eq!(found.fields, expected);
            prop_assert_eq!(found.raw.error, None);
        }
    }
}
