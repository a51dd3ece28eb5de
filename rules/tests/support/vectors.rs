//! The SecLang test vectors: reading and decoding them. All runners share this file: the native one, the one
//! under Node and the one that goes through the module (`filter/tests/module`). Each brings its own way to the
//! files and to an answer; `engine.rs` asks the engine itself.
//!
//! # Records
//!
//! `operators/*.json` and `transformations/*.json` hold arrays of records: `type` (`op` or `tfn`), `name`,
//! `param` (operators), `input`, `output` (transformations) and `ret`. Names go without regard to case. A
//! name that is none (`md5-test1`, `invalidCharacter`) labels the case: then what precedes the hyphen
//! counts, else the file's name.
//!
//! For an operator `ret` is the result. For a transformation only `output` is compared: whether `ret`
//! tells of a change depends on the file (it is 1 where `removeComments` leaves its value alone and 0
//! where `uppercase` makes `TESTCASE` of `testcase`). Instead, `apply` must say whether its result is
//! another value than the input.
//!
//! # Text and bytes
//!
//! The files are written for an engine with UTF-8 strings, and escape bytes in several ways:
//!
//! 1. A JSON string stands for its UTF-8: `urlEncode` of `\u00c0` is `%c3%80`.
//! 2. A literal `\u0000`, with the backslash in the string, is a NUL, wherever it is.
//! 3. A string with a literal `\x` and two hex digits is escaped as in a C literal: `\xHH`, `\uHHHH`, `\n`,
//!    `\r`, `\t`, `\\`, quotes; a backslash before anything else means nothing (`\xag` is `xag`). So are all
//!    outputs, and inputs and arguments but those in which the backslash is syntax under test: inputs of
//!    [`READS_BACKSLASHES`], arguments that are regular expressions.
//!
//! # Refusals
//!
//! An empty `output` with `ret` 0 for `hexDecode` is that engine's error, after which the value stays as
//! it was; so `apply` must leave it alone. An operator argument that is refused when the rule is read
//! counts as a result of 0, because no such rule can match; a missing data file does not.

use std::path::Path;
use std::sync::Arc;

use portcullis_rules::operators::OperatorName;
use portcullis_rules::transforms::Transformation;
use serde::Deserialize;

/// Transformations whose input may hold backslashes of its own.
const READS_BACKSLASHES: &[Transformation] = &[
    Transformation::CmdLine,
    Transformation::CssDecode,
    Transformation::EscapeSeqDecode,
    Transformation::JsDecode,
    Transformation::NormalizePathWin,
];

/// Operators whose argument is a regular expression.
const TAKES_REGEX: &[OperatorName] = &[
    OperatorName::Rx,
    OperatorName::RxGlobal,
    OperatorName::ValidateNid,
    OperatorName::VerifyCc,
    OperatorName::VerifyCpf,
    OperatorName::VerifySsn,
    OperatorName::VerifySvnr,
];

/// Vectors that are known not to pass, with the reason for each.
const DEVIATIONS: &str = include_str!("../vectors-deviations.json");

/// Where the data files of operators are.
pub(crate) const DATA_FILES: &str = "operators/op";

/// A way to the files of a folder of vectors. Paths are relative to it and separated by `/`.
pub(crate) trait Files {
    /// The names in a folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, String>;
    /// A file's contents.
    fn read(&self, path: &str) -> Result<Vec<u8>, String>;
}

/// A vector and where it comes from.
#[derive(Clone)]
pub(crate) struct Vector {
    file: Arc<str>,
    index: usize,
    record: Record,
    deviation: Option<Arc<Deviation>>,
}

#[derive(Clone, Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: Kind,
    name: String,
    #[serde(default)]
    param: String,
    input: String,
    #[serde(default)]
    output: String,
    ret: i64,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
enum Kind {
    #[serde(rename = "op")]
    Operator,
    #[serde(rename = "tfn")]
    Transformation,
}

/// Vectors that don't pass. They are told by what they hold, because another folder may hold them in
/// another place; what is left out fits any vector.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    file: String,
    name: Option<String>,
    param: Option<String>,
    input: Option<String>,
    reason: String,
}

/// What a vector asks, in bytes.
pub(crate) enum Question {
    /// Whether an operator finds its argument in a value.
    Operator { operator: OperatorName, argument: Vec<u8>, value: Vec<u8>, matches: bool },
    /// What a transformation makes of a value.
    Transformation { transformation: Transformation, value: Vec<u8>, expected: Vec<u8> },
}

/// All vectors, in the order of files and records.
pub(crate) fn load(files: &dyn Files) -> Result<Vec<Vector>, String> {
    let deviations = deviations()?;
    let mut vectors = Vec::new();
    for folder in ["operators", "transformations"] {
        let mut names = files.list(folder)?;
        names.retain(|name| name.ends_with(".json"));
        names.sort();
        for name in names {
            let file: Arc<str> = format!("{folder}/{name}").into();
            let records: Vec<Record> =
                serde_json::from_slice(&files.read(&file)?).map_err(|error| format!("{file}: {error}"))?;
            vectors.extend(records.into_iter().enumerate().map(|(index, record)| {
                let deviation = deviations.iter().find(|known| known.fits(&file, &record)).cloned();
                Vector { file: file.clone(), index, record, deviation }
            }));
        }
    }
    if vectors.is_empty() { Err("no vectors at all".to_owned()) } else { Ok(vectors) }
}

/// Fails when an entry of the list of deviations fits no vector.
pub(crate) fn check_deviations(vectors: &[Vector]) -> Result<(), String> {
    let stale: Vec<String> = deviations()?
        .iter()
        .filter(|known| !vectors.iter().any(|vector| known.fits(&vector.file, &vector.record)))
        .map(|known| format!("{} {}", known.file, known.name.as_deref().unwrap_or_default()))
        .collect();
    if stale.is_empty() { Ok(()) } else { Err(format!("listed, but not there: {}", stale.join(", "))) }
}

/// How many vectors there are of each kind.
pub(crate) fn counts(vectors: &[Vector]) -> String {
    let operators = vectors.iter().filter(|vector| vector.record.kind == Kind::Operator).count();
    let deviations = vectors.iter().filter(|vector| vector.deviation.is_some()).count();
    format!(
        "{operators} vectors of operators, {} of transformations, {deviations} of them known not to pass",
        vectors.len() - operators
    )
}

impl Vector {
    /// The name of the test: folder, file and place in it, such as `transformations/cmdLine/3`.
    pub(crate) fn id(&self) -> String {
        format!("{}/{}", self.file.trim_end_matches(".json"), self.index)
    }

    /// What it asks, decoded.
    pub(crate) fn question(&self) -> Result<Question, String> {
        let Record { name, param, input, output, ret, kind } = &self.record;
        match kind {
            Kind::Operator => {
                let operator = self
                    .labels()
                    .find_map(OperatorName::from_name)
                    .ok_or_else(|| format!("no operator `{name}`"))?;
                let argument = if TAKES_REGEX.contains(&operator) { nuls(param) } else { bytes(param) };
                Ok(Question::Operator { operator, argument, value: bytes(input), matches: *ret != 0 })
            }
            Kind::Transformation => {
                let transformation = self
                    .labels()
                    .find_map(Transformation::from_name)
                    .ok_or_else(|| format!("no transformation `{name}`"))?;
                let value =
                    if READS_BACKSLASHES.contains(&transformation) { nuls(input) } else { bytes(input) };
                let refused = transformation == Transformation::HexDecode && *ret == 0 && output.is_empty();
                let expected = if refused { value.clone() } else { bytes(output) };
                Ok(Question::Transformation { transformation, value, expected })
            }
        }
    }

    /// What a result means: a vector that is listed as a deviation must not pass, any other must.
    pub(crate) fn judge(&self, result: Result<(), String>) -> Result<(), String> {
        match (result, &self.deviation) {
            (Ok(()), Some(known)) => {
                Err(format!("passes, but is listed as a deviation; take it off the list: {}", known.reason))
            }
            (Err(_), Some(_)) => Ok(()),
            (result, None) => result,
        }
    }

    /// What may name the function under test, the most likely first.
    fn labels(&self) -> impl Iterator<Item = &str> {
        let name = self.record.name.as_str();
        let before_hyphen = name.split_once('-').map(|(label, _)| label);
        let stem = Path::new(&*self.file).file_stem().and_then(|stem| stem.to_str());
        [Some(name), before_hyphen, stem].into_iter().flatten()
    }
}

impl Deviation {
    fn fits(&self, file: &str, record: &Record) -> bool {
        let same =
            |listed: &Option<String>, actual: &str| listed.as_deref().is_none_or(|text| text == actual);
        self.file == file
            && same(&self.name, &record.name)
            && same(&self.param, &record.param)
            && same(&self.input, &record.input)
    }
}

fn deviations() -> Result<Vec<Arc<Deviation>>, String> {
    serde_json::from_str::<Vec<Deviation>>(DEVIATIONS)
        .map(|list| list.into_iter().map(Arc::new).collect())
        .map_err(|error| format!("vectors-deviations.json: {error}"))
}

/// The bytes that a string of a record stands for: rules 1 to 3.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let hex_escape = |part: &str| matches!(part.as_bytes(), [a, b, ..] if byte(&[*a, *b]).is_some());
    if !text.split("\\x").skip(1).any(hex_escape) {
        return nuls(text);
    }
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'x', a, b, after @ ..]) if let Some(byte) = byte(&[*a, *b]) => {
                out.push(byte);
                after
            }
            (b'\\', [b'u', a, b, c, d, after @ ..])
                if let Some(code) = byte(&[*a, *b]).zip(byte(&[*c, *d])).map(<[u8; 2]>::from) =>
            {
                let character = char::from_u32(u16::from_be_bytes(code).into());
                out.extend(character.unwrap_or_default().to_string().bytes());
                after
            }
            (b'\\', [letter, after @ ..]) => {
                out.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    other => *other,
                });
                after
            }
            _ => {
                out.push(*first);
                tail
            }
        };
    }
    out
}

/// The bytes that a string of a record stands for when only rules 1 and 2 hold.
fn nuls(text: &str) -> Vec<u8> {
    text.replace("\\u0000", "\0").into_bytes()
}

fn byte(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
