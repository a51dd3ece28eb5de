//! The Content-Disposition of a part.

use std::ops::Range;

use super::Flags;
use super::error::DispositionError;
use crate::bytes::is_blank;
use crate::http::percent::{self, Plus};

/// A parameter of a Content-Disposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Its value without quotes, as sent: a range of the header's value.
    pub(super) raw: Range<usize>,
    /// Its value, escapes undone.
    pub(super) value: Value,
}

/// Where the text of a parameter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// As sent.
    Raw,
    /// At this range of the store.
    Stored(Range<usize>),
}

/// What a Content-Disposition says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: Option<Parameter>,
    pub(super) file_name: Option<Parameter>,
    pub(super) extended_file_name: Option<Parameter>,
    /// The first error. What could be read all the same has been.
    pub(super) error: Option<DispositionError>,
}

/// Reads the value of a Content-Disposition header.
pub(super) fn parse(header: &[u8], store: &mut Vec<u8>, flags: &mut Flags) -> Disposition {
    let mut disposition = Disposition::default();
    let mut reader = Reader { header, at: 0 };
    reader.skip_blanks();
    if header.get(reader.at..).is_some_and(|h| h.starts_with(b"form-data")) {
        reader.at += b"form-data".len();
    } else {
        disposition.error = Some(DispositionError::Type);
        reader.at = memchr::memchr(b';', header).unwrap_or(header.len());
    }
    if let Err(error) = parameters(&mut reader, &mut disposition, store, flags) {
        disposition.error.get_or_insert(error);
    }
    if disposition.extended_file_name.is_some() && disposition.file_name.is_none() {
        disposition.error.get_or_insert(DispositionError::ExtendedAlone);
    }
    disposition
}

fn parameters(
    reader: &mut Reader<'_>,
    disposition: &mut Disposition,
    store: &mut Vec<u8>,
    flags: &mut Flags,
) -> Result<(), DispositionError> {
    loop {
        reader.skip_blanks();
        match reader.peek() {
            None => return Ok(()),
            Some(b';') => reader.at += 1,
            Some(_) => return Err(DispositionError::Separator),
        }
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Ok(());
        }
        let name = reader.take_while(|b| b != b'=' && b != b';' && !is_blank(b));
        reader.skip_blanks();
        if reader.peek() != Some(b'=') {
            return Err(DispositionError::NoValue);
        }
        reader.at += 1;
        reader.skip_blanks();
        if reader.peek().is_none() {
            return Err(DispositionError::NoValue);
        }
        let extended = name == b"filename*";
        let (raw, quote) = reader.value()?;
        let text = reader.header.get(raw.clone()).unwrap_or_default();
        if quote != Some(b'"') && !extended && (quote.is_some() || text.contains(&b'\'')) {
            flags.invalid_quoting = true;
        }
        let slot = match name {
            b"name" => &mut disposition.name,
            b"filename" => &mut disposition.file_name,
            b"filename*" => &mut disposition.extended_file_name,
            _ => {
                disposition.error.get_or_insert(DispositionError::Unknown);
                continue;
            }
        };
        if slot.is_some() {
            disposition.error.get_or_insert(DispositionError::Duplicate);
            continue;
        }
        let value = if extended {
            decode_extended(text, store).unwrap_or_else(|| {
                disposition.error.get_or_insert(DispositionError::Extended);
                Value::Raw
            })
        } else if quote.is_some() {
            unescape(text, store)
        } else {
            Value::Raw
        };
        *slot = Some(Parameter { raw, value });
    }
}

/// Undoes `\"`, `\'` and `\\`. Other backslashes stay: old browsers sent paths with them.
fn unescape(text: &[u8], store: &mut Vec<u8>) -> Value {
    if memchr::memchr(b'\\', text).is_none() {
        return Value::Raw;
    }
    let start = store.len();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next_if(|b| is_escapable(*b)) } else { None };
        store.push(escaped.unwrap_or(byte));
    }
    Value::Stored(start..store.len())
}

/// The value of `charset'language'percent-encoded` (RFC 8187), whatever the charset.
fn decode_extended(text: &[u8], store: &mut Vec<u8>) -> Option<Value> {
    let mut pieces = text.splitn(3, |&b| b == b'\'');
    let (charset, _language, value) = (pieces.next()?, pieces.next()?, pieces.next()?);
    if charset.is_empty() {
        return None;
    }
    let start = store.len();
    if percent::decode(value, Plus::Literal, store) {
        Some(Value::Stored(start..store.len()))
    } else {
        store.truncate(start);
        None
    }
}

struct Reader<'a> {
    header: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.header.get(self.at).copied()
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.header.get(self.at..).unwrap_or_default();
        let taken = rest.iter().take_while(|b| accept(**b)).count();
        self.at += taken;
        rest.get(..taken).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.take_while(is_blank);
    }

    /// A quoted or token value: the range of its text, and its quote.
    fn value(&mut self) -> Result<(Range<usize>, Option<u8>), DispositionError> {
        let Some(quote @ (b'"' | b'\'')) = self.peek() else {
            let start = self.at;
            self.take_while(is_token);
            return Ok((start..self.at, None));
        };
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                None => return Err(DispositionError::Quote),
                Some(b'\\') if self.header.get(self.at + 1).is_some_and(|b| is_escapable(*b)) => self.at += 2,
                Some(byte) if byte == quote => break,
                Some(_) => self.at += 1,
            }
        }
        let text = start..self.at;
        self.at += 1;
        Ok((text, Some(quote)))
    }
}

const fn is_escapable(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'\\')
}

/// RFC 2045's token: printable ASCII but blanks and separators.
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The texts of name, filename and filename*, the error, and whether the quoting was invalid.
    type Read = ([Option<Vec<u8>>; 3], Option<DispositionError>, bool);

    fn run(header: &[u8]) -> Read {
        let mut store = b"earlier".to_vec();
        let mut flags = Flags::default();
        let read = parse(header, &mut store, &mut flags);
        let texts = [read.name, read.file_name, read.extended_file_name].map(|parameter| {
            parameter.map(|p| match p.value {
                Value::Raw => header[p.raw].to_vec(),
                Value::Stored(range) => store[range].to_vec(),
            })
        });
        (texts, read.error, flags.invalid_quoting)
    }

    #[test]
    fn reads_parameters() {
        use DispositionError as E;
        type Case = (&'static str, [Option<&'static str>; 3], Option<E>, bool);
        let cases: &[Case] = &[
            ("form-data", [None; 3], None, false),
            (" form-data; name=\"a\"", [Some("a"), None, None], None, false),
            ("form-data;name=a;filename=b.txt", [Some("a"), Some("b.txt"), None], None, false),
            ("form-data; name=\"a\"; filename=\"\"", [Some("a"), Some(""), None], None, false),
            ("form-data; name = \"a\" ; filename = b ", [Some("a"), Some("b"), None], None, false),
            ("form-data; name=\"a\";", [Some("a"), None, None], None, false),
            ("form-data; name=\"a\\\"b\\\\c\\d\"", [Some("a\"b\\c\\d"), None, None], None, false),
            ("form-data; name=\"a;b=c\"", [Some("a;b=c"), None, None], None, false),
            ("form-data; name=\"it's\"", [Some("it's"), None, None], None, false),
            ("form-data; name='a'", [Some("a"), None, None], None, true),
            ("form-data; name='a\\'b'", [Some("a'b"), None, None], None, true),
            ("form-data; name=it's", [Some("it's"), None, None], None, true),
            (
                "form-data; name=a; filename=b; filename*=UTF-8'en'%e2%82%ac+x",
                [Some("a"), Some("b"), Some("€+x")],
                None,
                false,
            ),
            (
                "form-data; filename*=UTF-8''b; name=a; filename=c",
                [Some("a"), Some("c"), Some("b")],
                None,
                false,
            ),
            (
                "form-data; name=a; filename*=UTF-8''b",
                [Some("a"), None, Some("b")],
                Some(E::ExtendedAlone),
                false,
            ),
            (
                "form-data; name=a; filename=b; filename*=UTF-8''%zz",
                [Some("a"), Some("b"), Some("UTF-8''%zz")],
                Some(E::Extended),
                false,
            ),
            (
                "form-data; name=a; filename=b; filename*=x",
                [Some("a"), Some("b"), Some("x")],
                Some(E::Extended),
                false,
            ),
            (
                "form-data; name=a; filename=b; filename*=%41'x",
                [Some("a"), Some("b"), Some("%41'x")],
                Some(E::Extended),
                false,
            ),
            ("attachment; name=a", [Some("a"), None, None], Some(E::Type), false),
            ("Form-Data; name=a", [Some("a"), None, None], Some(E::Type), false),
            ("", [None; 3], Some(E::Type), false),
            ("form-data, name=a", [None; 3], Some(E::Separator), false),
            ("form-data; name=\"a\" filename=b", [Some("a"), None, None], Some(E::Separator), false),
            ("form-data; name=a b", [Some("a"), None, None], Some(E::Separator), false),
            ("form-data; name=a;; filename=b", [Some("a"), None, None], Some(E::NoValue), false),
            ("form-data; name", [None; 3], Some(E::NoValue), false),
            ("form-data; name=", [None; 3], Some(E::NoValue), false),
            ("form-data; name=;filename=", [Some(""), None, None], Some(E::NoValue), false),
            ("form-data; name=\"a", [None; 3], Some(E::Quote), false),
            ("form-data; name=\"a\\\"", [None; 3], Some(E::Quote), false),
            ("form-data; size=1; name=a", [Some("a"), None, None], Some(E::Unknown), false),
            ("form-data; Name=a", [None; 3], Some(E::Unknown), false),
            ("form-data; name=a; name=b", [Some("a"), None, None], Some(E::Duplicate), false),
            (
                "form-data; name=a; filename=b; filename=\"c\"",
                [Some("a"), Some("b"), None],
                Some(E::Duplicate),
                false,
            ),
        ];
        for (header, texts, error, invalid_quoting) in cases {
            let texts = texts.map(|t| t.map(|t| t.as_bytes().to_vec()));
            assert_eq!(run(header.as_bytes()), (texts, *error, *invalid_quoting), "{header}");
        }
    }

    proptest! {
        #[test]
        fn quoted_names_come_back(name: Vec<u8>) {
            let mut header = b"form-data; name=\"".to_vec();
            for byte in &name {
                if matches!(byte, b'"' | b'\\') {
                    header.push(b'\\');
                }
                header.push(*byte);
            }
            header.push(b'"');
            let ([found, ..], error, _) = run(&header);
            prop_assert_eq!((found, error), (Some(name), None));
        }

        #[test]
        fn never_panics(tail in prop::collection::vec(prop::sample::select(b"name=\"';\\ *f%4".to_vec()), 0..40)) {
            run(&[b"form-data;", tail.as_slice()].concat());
            run(&tail);
        }
    }
}
