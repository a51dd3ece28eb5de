//! Vectors put to the engine itself, and examples of their decoding: what the native runner and the one under
//! Node have in common.

use portcullis_rules::host::{Source, SourceError};
use portcullis_rules::operators::{Operator, OperatorError, OperatorName};
use portcullis_rules::transforms::Transformation;

use crate::vectors::{self, Files, Question, Vector};

/// Passes when the vector does, or when it is listed as a deviation and does not.
pub(crate) fn run(vector: &Vector, files: &dyn Files) -> Result<(), String> {
    vector.judge(vector.question().and_then(|question| match question {
        Question::Operator { operator, argument, value, matches } => {
            run_operator(operator, &argument, &value, matches, files)
        }
        Question::Transformation { transformation, value, expected } => {
            run_transformation(transformation, &value, &expected)
        }
    }))
}

fn run_operator(
    operator: OperatorName,
    argument: &[u8],
    value: &[u8],
    matches: bool,
    files: &dyn Files,
) -> Result<(), String> {
    let says = |what: &str| format!("@{} {} {what}", operator.name(), argument.escape_ascii());
    let matched = match Operator::new(operator, argument, &DataFiles(files), "") {
        Ok(compiled) => {
            let literal = compiled.argument().as_literal().unwrap_or(argument).to_vec();
            compiled.matches(value, &literal, None)
        }
        Err(error @ OperatorError::File(_)) => return Err(error.to_string()),
        Err(_) if !matches => false,
        Err(error) => return Err(says(&error.to_string())),
    };
    if matched == matches {
        Ok(())
    } else {
        Err(says(&format!("on `{}` gave {matched}", value.escape_ascii())))
    }
}

fn run_transformation(transformation: Transformation, value: &[u8], expected: &[u8]) -> Result<(), String> {
    let says = |what: &str| format!("{} of `{}` {what}", transformation.name(), value.escape_ascii());
    let mut out = b"left over".to_vec();
    let changed = transformation.apply(value, &mut out);
    if changed && out == value {
        return Err(says("says that the value changed"));
    }
    let got = if changed { &out[..] } else { value };
    if got == expected {
        Ok(())
    } else {
        Err(says(&format!("gave `{}`, not `{}`", got.escape_ascii(), expected.escape_ascii())))
    }
}

/// Data files of operators: `operators/op/`.
struct DataFiles<'a>(&'a dyn Files);

impl Source for DataFiles<'_> {
    fn read(&self, name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        self.0
            .read(&format!("{}/{name}", vectors::DATA_FILES))
            .map_err(|reason| SourceError { name: name.to_owned(), reason })
    }
}

/// The rules for text, on examples of each.
pub(crate) fn check_decoding() -> Result<(), String> {
    let cases: [(&str, &[u8]); 10] = [
        ("plain \\ \\z \u{e4}", b"plain \\ \\z \xC3\xA4"),
        ("a\\u0000b\0", b"a\0b\0"),
        ("\\u0041", b"\\u0041"),
        ("\\xe4", b"\xE4"),
        ("\\xFF\\u0000", b"\xFF\0"),
        ("-Se\\x90)\\t\\n\\r\\\\\\'\\\"", b"-Se\x90)\t\n\r\\'\""),
        ("89\\xb6\\xag\\xga\\x0a3", b"89\xB6xagxga\n3"),
        ("\\xag", b"\\xag"),
        ("\\x41\\", b"A\\"),
        ("\\x", b"\\x"),
    ];
    for (text, expected) in cases {
        let got = vectors::bytes(text);
        if got != expected {
            return Err(format!("{text:?} gave `{}`, not `{}`", got.escape_ascii(), expected.escape_ascii()));
        }
    }
    Ok(())
}
