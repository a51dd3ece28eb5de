//! Runs the test files of libinjection and of Coraza's port, and the vectors of the two operators that use it.
//!
//! The files are not part of the project. They are looked for in `$PORTCULLIS_SHARED`, or else in `shared` beside the
//! root of the project: `libinjection/tests/test-*.txt` and `vectors/operators/detect{SQLi,XSS}.json`. Without them
//! one test is reported as ignored, with the reason in its name.

use libtest_mimic::{Arguments, Failed, Trial};
use portcullis_libinjection::html5::{self, Start};
use portcullis_libinjection::sqli::{self, Context, Dialect, Kind, Quote};
use portcullis_libinjection::xss;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Files whose expected result is not ours, with the reason. A file that passes must not be in the list.
const DEVIATIONS: &[(&str, &str)] = &[];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let mut trials = files(&shared.join("libinjection/tests"));
    trials.extend(["detectSQLi", "detectXSS"].iter().flat_map(|name| vectors(&shared, name)));
    if trials.is_empty() {
        let name = format!("SKIPPED: no upstream tests found in {}", shared.display());
        let _ = writeln!(std::io::stderr(), "{name}");
        trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// One test for each file of a folder, and one for the list of deviations.
fn files(folder: &Path) -> Vec<Trial> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths: BTreeSet<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    let names: BTreeSet<String> = paths.iter().map(|path| name_of(path)).collect();
    let mut trials: Vec<Trial> = paths
        .into_iter()
        .map(|path| {
            let name = name_of(&path);
            Trial::test(format!("files/{name}"), move || judge(&name, run_file(&path)))
        })
        .collect();
    trials.push(Trial::test("deviations_exist", move || {
        match DEVIATIONS.iter().find(|(name, _)| !names.contains(*name)) {
            Some((name, _)) => {
                Err(format!("{name} is listed as a deviation, but there is no such file").into())
            }
            None => Ok(()),
        }
    }));
    trials
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Turns a result over for a listed deviation, so that the list can only shrink.
fn judge(name: &str, result: Result<(), Failed>) -> Result<(), Failed> {
    match (DEVIATIONS.iter().find(|(listed, _)| *listed == name), result) {
        (Some(_), Ok(())) => Err("passes: take it off the list of deviations".into()),
        (Some(_), Err(_)) => Ok(()),
        (None, result) => result,
    }
}

fn run_file(path: &Path) -> Result<(), Failed> {
    let case = Case::parse(&fs::read(path)?)?;
    let ansi = Context::new(Quote::None, Dialect::Ansi);
    let mysql = Context::new(Quote::None, Dialect::MySql);
    let name = name_of(path);
    let kind = name.strip_prefix("test-").unwrap_or(&name);
    let input = case.input.as_slice();
    let found = if kind.starts_with("tokens-") {
        print_sql(sqli::tokens(input, ansi))
    } else if kind.starts_with("tokens_mysql-") {
        print_sql(sqli::tokens(input, mysql))
    } else if kind.starts_with("folding-") {
        print_sql(sqli::fold(input, ansi).tokens().iter().copied())
    } else if kind.starts_with("sqli-") {
        portcullis_libinjection::sqli(input).map_or_else(Vec::new, |found| found.as_bytes().to_vec())
    } else if kind.starts_with("html5-") {
        print_html(html5::tokens(input, Start::Data))
    } else if kind.starts_with("xss-") {
        vec![b'0' + u8::from(xss(input))]
    } else {
        return Err(format!("unknown kind of test: {name}").into());
    };
    let found = found.trim_ascii_end();
    if found == case.expected {
        Ok(())
    } else {
        Err(format!(
            "{}\ninput:    {}\nexpected: {}\nfound:    {}",
            case.title.escape_ascii(),
            case.input.escape_ascii(),
            case.expected.escape_ascii(),
            found.escape_ascii()
        )
        .into())
    }
}

/// A test file: a title, an input and an expected result, each after a line that names it. White space at the end of
/// each does not count.
struct Case {
    title: Vec<u8>,
    input: Vec<u8>,
    expected: Vec<u8>,
}

impl Case {
    fn parse(text: &[u8]) -> Result<Self, Failed> {
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            match (parts.len(), line.trim_ascii()) {
                (0, b"--TEST--") | (1, b"--INPUT--") | (2, b"--EXPECTED--") => parts.push(Vec::new()),
                _ => parts.last_mut().ok_or("text before --TEST--")?.extend_from_slice(line),
            }
        }
        let [title, input, expected] =
            <[Vec<u8>; 3]>::try_from(parts).map_err(|_| "a part of the file is missing")?;
        let trimmed = |part: Vec<u8>| part.trim_ascii_end().to_vec();
        Ok(Self { title: trimmed(title), input: trimmed(input), expected: trimmed(expected) })
    }
}

/// One line for each token: its kind, and its text with quotes.
fn print_sql(tokens: impl Iterator<Item = sqli::Token>) -> Vec<u8> {
    let mut out = Vec::new();
    for token in tokens {
        let marks = |mark: Option<u8>| match token.kind() {
            Kind::String | Kind::Variable => mark,
            _ => None,
        };
        out.extend([token.kind().as_byte(), b' ']);
        out.extend(std::iter::repeat_n(b'@', token.at_signs().into()));
        out.extend(marks(token.opened()));
        out.extend_from_slice(token.value());
        out.extend(marks(token.closed()));
        out.push(b'\n');
    }
    out
}

/// One line for each token: its kind, length and text.
fn print_html(tokens: html5::Tokens<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for token in tokens {
        let kind = match token.kind {
            html5::Kind::Text => "DATA_TEXT",
            html5::Kind::TagName => "TAG_NAME_OPEN",
            html5::Kind::TagEnd => "TAG_NAME_CLOSE",
            html5::Kind::SelfClosingTagEnd => "TAG_NAME_SELFCLOSE",
            html5::Kind::ClosingTag => "TAG_CLOSE",
            html5::Kind::AttributeName => "ATTR_NAME",
            html5::Kind::AttributeValue => "ATTR_VALUE",
            html5::Kind::Comment => "TAG_COMMENT",
            html5::Kind::Doctype => "DOCTYPE",
        };
        out.extend_from_slice(format!("{kind},{},", token.text.len()).as_bytes());
        out.extend_from_slice(token.text);
        out.push(b'\n');
    }
    out
}

/// One test for each vector of an operator. Each character of an input is a byte.
fn vectors(shared: &Path, operator: &'static str) -> Vec<Trial> {
    let path = shared.join(format!("vectors/operators/{operator}.json"));
    let Ok(text) = fs::read(&path) else { return Vec::new() };
    let cases = match serde_json::from_slice::<Vec<serde_json::Value>>(&text) {
        Ok(cases) => cases,
        Err(error) => {
            let name = format!("vectors/{operator}");
            return vec![Trial::test(name, move || Err(error.into()))];
        }
    };
    cases
        .into_iter()
        .enumerate()
        .map(|(number, case)| {
            Trial::test(format!("vectors/{operator}/{number}"), move || {
                let input = case.get("input").and_then(serde_json::Value::as_str).ok_or("no input")?;
                let input: Vec<u8> =
                    input.chars().map(u8::try_from).collect::<Result<_, _>>().map_err(|_| "not bytes")?;
                let found = match operator {
                    "detectSQLi" => portcullis_libinjection::sqli(&input).is_some(),
                    _ => xss(&input),
                };
                if case.get("ret").and_then(serde_json::Value::as_u64) == Some(u64::from(found)) {
                    Ok(())
                } else {
                    Err(format!("{case}: found {found}").into())
                }
            })
        })
        .collect()
}
