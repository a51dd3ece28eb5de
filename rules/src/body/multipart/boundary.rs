//! The boundary of a multipart Content-Type.
//!
//! Its parameters are parsed as RFC 9110 (5.6.6) writes them, in any order and letter case, and what ModSecurity
//! has flags for sets them. Some servers search the header instead: PHP for the first `boundary`, Rack for the last
//! `boundary=`, quotes or not. A header that they read in another way is told to the caller.

use super::Flags;
use super::disposition::is_token;
use super::error::{BoundaryError, MultipartError};
use crate::bytes::is_blank;
use crate::limits::MULTIPART_CONTENT_TYPE_BYTES;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";

/// What a Content-Type says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boundary<'a> {
    /// The boundary.
    pub(super) text: &'a [u8],
    /// Whether servers that search the header take another one.
    pub(super) ambiguous: bool,
}

/// Finds the boundary and sets the flags of what is odd about it.
pub(super) fn boundary<'a>(header: &'a [u8], flags: &mut Flags) -> Result<Boundary<'a>, MultipartError> {
    if header.len() > MULTIPART_CONTENT_TYPE_BYTES {
        return Err(MultipartError::Boundary(BoundaryError::Length));
    }
    let header = header.trim_ascii();
    let parameters = match header.split_at_checked(MEDIA_TYPE.len()) {
        Some((media_type, parameters)) if media_type.eq_ignore_ascii_case(MEDIA_TYPE) => parameters,
        _ => return Err(MultipartError::MediaType),
    };
    let text = parameter(parameters, flags).map_err(MultipartError::Boundary)?;
    flags.boundary_elsewhere = count_mentions(parameters) > 1;
    let searched = [first_mention(parameters), last_mention(parameters)];
    Ok(Boundary { text, ambiguous: searched.into_iter().flatten().any(|other| other != text) })
}

/// The value of the one parameter `boundary` among those that follow the media type.
fn parameter<'a>(parameters: &'a [u8], flags: &mut Flags) -> Result<&'a [u8], BoundaryError> {
    let mut reader = Reader { rest: parameters };
    let mut found = None;
    let mut separated = false;
    loop {
        let blanks = reader.skip_blanks();
        if reader.rest.is_empty() {
            return found.ok_or(BoundaryError::NotFound);
        }
        if reader.take(b';') {
            separated = true;
            continue;
        }
        let first = reader.rest.len() + blanks == parameters.len();
        if !(separated || first && blanks > 0) {
            return Err(BoundaryError::Malformed);
        }
        let name = reader.name()?;
        let is_boundary = name.eq_ignore_ascii_case(PARAMETER);
        if is_boundary && found.is_some() {
            return Err(BoundaryError::Multiple);
        }
        let value = reader.value()?;
        if is_boundary {
            flags.missing_semicolon |= !separated;
            found = Some(value.boundary(flags)?);
        }
        separated = false;
    }
}

/// The value of a parameter, and how it is written.
struct Value<'a> {
    /// Without quotes, escapes as they are.
    text: &'a [u8],
    quoted: bool,
    /// Whether blanks stand around the `=` or behind the value.
    blanks: bool,
}

impl<'a> Value<'a> {
    fn boundary(&self, flags: &mut Flags) -> Result<&'a [u8], BoundaryError> {
        flags.boundary_quoted |= self.quoted;
        flags.boundary_whitespace |= self.blanks;
        if self.text.is_empty() {
            Err(BoundaryError::Empty)
        } else if !has_boundary_characters(self.text) {
            Err(BoundaryError::Characters)
        } else {
            Ok(self.text)
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn advance(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) -> usize {
        let blanks = self.rest.iter().take_while(|b| is_blank(**b)).count();
        self.advance(blanks).len()
    }

    fn take(&mut self, byte: u8) -> bool {
        let there = self.rest.first() == Some(&byte);
        self.advance(usize::from(there));
        there
    }

    /// The name of a parameter. RFC 2231 would write a boundary in several (`boundary*0=`): some servers put
    /// them together, others take one.
    fn name(&mut self) -> Result<&'a [u8], BoundaryError> {
        let length = self.rest.iter().take_while(|b| is_token(**b)).count();
        let name = self.advance(length);
        let extended = name.split(|b| *b == b'*').next().filter(|plain| plain.len() < name.len());
        if name.is_empty() {
            Err(BoundaryError::Malformed)
        } else if extended.is_some_and(|plain| plain.eq_ignore_ascii_case(PARAMETER)) {
            Err(BoundaryError::ParameterName)
        } else {
            Ok(name)
        }
    }

    /// What follows the name of a parameter: `=` and a value up to the next semicolon.
    fn value(&mut self) -> Result<Value<'a>, BoundaryError> {
        let before = self.skip_blanks();
        if !self.take(b'=') {
            return Err(BoundaryError::Malformed);
        }
        let blanks = before + self.skip_blanks() > 0;
        if self.take(b'"') {
            return self.quoted(blanks);
        }
        let end = memchr::memchr(b';', self.rest).unwrap_or(self.rest.len());
        let written = self.advance(end);
        let text = written.trim_ascii_end();
        if memchr::memchr(b'"', text).is_some() {
            return Err(BoundaryError::Quote);
        }
        Ok(Value { text, quoted: false, blanks: blanks || text.len() < written.len() })
    }

    fn quoted(&mut self, blanks: bool) -> Result<Value<'a>, BoundaryError> {
        let mut end = 0;
        while let Some(byte) = self.rest.get(end).filter(|byte| **byte != b'"') {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        if end >= self.rest.len() {
            return Err(BoundaryError::Quote);
        }
        let text = self.advance(end);
        self.take(b'"');
        let behind = self.skip_blanks() > 0;
        match self.rest.first() {
            None => Ok(Value { text, quoted: true, blanks }),
            Some(b';') => Ok(Value { text, quoted: true, blanks: blanks || behind }),
            Some(_) => Err(BoundaryError::Malformed),
        }
    }
}

/// The boundary for servers that look for the first `boundary`, as it is written here if it is there at all, and
/// the first `=` behind it.
fn first_mention(parameters: &[u8]) -> Option<&[u8]> {
    let at = memchr::memmem::find(parameters, PARAMETER).or_else(|| find_ignoring_case(parameters))?;
    let behind = parameters.get(at + PARAMETER.len()..)?;
    let value = behind.get(memchr::memchr(b'=', behind)? + 1..)?;
    match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|b| *b == b'"').next(),
        None => value.split(|b| matches!(b, b',' | b';')).next(),
    }
}

/// The boundary for servers that look for the last `boundary=` with a value.
fn last_mention(parameters: &[u8]) -> Option<&[u8]> {
    const WRITTEN: &[u8] = b"boundary=";
    let mentions = parameters.windows(WRITTEN.len()).enumerate().rev();
    mentions.filter(|(_, window)| window.eq_ignore_ascii_case(WRITTEN)).find_map(|(at, _)| {
        let value = parameters.get(at + WRITTEN.len()..)?;
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        value.split(|b| matches!(b, b'"' | b',' | b';')).next().filter(|value| !value.is_empty())
    })
}

/// How often `boundary` is followed by `=`, in any letter case. Once is the parameter; browsers have the
/// word without `=` in their boundaries.
fn count_mentions(text: &[u8]) -> usize {
    let mut rest = text;
    let mut count = 0;
    while let Some(at) = find_ignoring_case(rest) {
        rest = rest.get(at + PARAMETER.len()..).unwrap_or_default();
        count += usize::from(rest.iter().find(|b| !is_blank(**b)) == Some(&b'='));
    }
    count
}

fn find_ignoring_case(text: &[u8]) -> Option<usize> {
    text.windows(PARAMETER.len()).position(|window| window.eq_ignore_ascii_case(PARAMETER))
}

/// RFC 2046, 5.1.1: letters, digits and some marks; blanks anywhere but at the end.
fn has_boundary_characters(boundary: &[u8]) -> bool {
    boundary.last() != Some(&b' ')
        && boundary.iter().all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(header: &str) -> (Result<String, String>, Flags) {
        let mut flags = Flags::default();
        let found = boundary(header.as_bytes(), &mut flags);
        let found = found.map(|found| String::from_utf8(found.text.to_vec()).unwrap());
        (found.map_err(|e| e.to_string()), flags)
    }

    #[test]
    fn reads_boundaries() {
        let none = Flags::default();
        let quoted = Flags { boundary_quoted: true, ..none };
        let whitespace = Flags { boundary_whitespace: true, ..none };
        let semicolon = Flags { missing_semicolon: true, ..none };
        let elsewhere = Flags { boundary_elsewhere: true, ..none };
        let cases = [
            ("multipart/form-data; boundary=x", "x", none),
            ("Multipart/FORM-data;boundary=x", "x", none),
            ("multipart/form-data ;\tboundary=----WebKit'()+_,-./:=?7", "----WebKit'()+_,-./:=?7", none),
            ("multipart/form-data; boundary=a b", "a b", none),
            (" multipart/form-data; boundary=a b ", "a b", none),
            // What Chrome, Firefox and curl send.
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                "----WebKitFormBoundary7MA4YWxkTrZu0gW",
                none,
            ),
            (
                "multipart/form-data; boundary=----geckoformboundary8c79e61efa53dc5d",
                "----geckoformboundary8c79e61efa53dc5d",
                none,
            ),
            (
                "multipart/form-data; boundary=------------------------d74496d66958873e",
                "------------------------d74496d66958873e",
                none,
            ),
            // Parameters in any order, with or without quotes, and empty ones.
            ("multipart/form-data; boundary=x; charset=utf-8", "x", none),
            ("multipart/form-data; charset=utf-8; boundary=x", "x", none),
            ("multipart/form-data; charset=\"utf-8\" ;boundary=x;", "x", none),
            ("multipart/form-data;; boundary=x", "x", none),
            ("multipart/form-data; a=\"b;c\\\"d\"; boundary=x", "x", none),
            ("multipart/form-data; charset*=UTF-8''x; boundary=x", "x", none),
            ("multipart/form-data; BOUNDARY=x", "x", none),
            ("multipart/form-data; Boundary=xX", "xX", none),
            ("multipart/form-data; boundary=\"x y\"", "x y", quoted),
            ("multipart/form-data; boundary=\"a=b\"; charset=utf-8", "a=b", quoted),
            ("multipart/form-data; boundary=\"x\" ; a=b", "x", Flags { boundary_whitespace: true, ..quoted }),
            ("multipart/form-data; boundary =x", "x", whitespace),
            ("multipart/form-data; boundary=\tx", "x", whitespace),
            ("multipart/form-data; boundary=x ; charset=utf-8", "x", whitespace),
            ("multipart/form-data boundary=x", "x", semicolon),
            ("multipart/form-data; a=\"boundary=y\"; boundary=x", "x", elsewhere),
            ("multipart/form-data; boundary=x; a=\"; boundary=y\"", "x", elsewhere),
            ("multipart/form-data; xboundary=y; boundary=x", "x", elsewhere),
            ("multipart/form-data; boundary=xboundary=y", "xboundary=y", elsewhere),
            (
                "multipart/form-data; boundary=\"MyBoundary=1\"",
                "MyBoundary=1",
                Flags { boundary_elsewhere: true, ..quoted },
            ),
        ];
        for (header, expected, flags) in cases {
            assert_eq!(run(header), (Ok(expected.to_owned()), flags), "{header}");
        }
    }

    #[test]
    fn refuses_boundaries() {
        let long = format!("multipart/form-data; boundary={}", "x".repeat(1_000));
        let cases = [
            (long.as_str(), "length"),
            ("multipart/mixed; boundary=x", "not multipart/form-data"),
            ("", "not multipart/form-data"),
            ("multipart/form-data; boundary=x; boundary=y", "Multiple"),
            ("multipart/form-data; boundary=x; boundary=x", "Multiple"),
            ("multipart/form-data; boundary=x; Boundary =y", "Multiple"),
            ("multipart/form-data", "not found"),
            ("multipart/form-data; charset=utf-8", "not found"),
            ("multipart/form-data; a=\"boundary=x\"", "not found"),
            ("multipart/form-data; boundaryX=x", "not found"),
            ("multipart/form-data; boundary", "malformed"),
            ("multipart/form-data; a; boundary=x", "malformed"),
            ("multipart/form-dataX; boundary=x", "malformed"),
            ("multipart/form-data, boundary=x", "malformed"),
            ("multipart/form-data; =y; boundary=x", "malformed"),
            ("multipart/form-data; boundary=\"x\"y", "malformed"),
            ("multipart/form-data; boundary=\"x\" a=b", "malformed"),
            ("multipart/form-data; (a)boundary=x", "malformed"),
            ("multipart/form-data; boundary*=UTF-8''x", "parameter name"),
            ("multipart/form-data; boundary*0=x; boundary*1=y", "parameter name"),
            ("multipart/form-data; boundary=x; Boundary*=UTF-8''y", "parameter name"),
            ("multipart/form-data; boundary=\"x", "(quote)"),
            ("multipart/form-data; boundary=\"x\\\"", "(quote)"),
            ("multipart/form-data; boundary=x\"", "(quote)"),
            ("multipart/form-data; boundary=\"", "(quote)"),
            ("multipart/form-data; a=\"b; boundary=x", "(quote)"),
            ("multipart/form-data; a=b\"; boundary=x\"", "(quote)"),
            ("multipart/form-data; boundary=x;boundary=y", "Multiple"),
            ("multipart/form-data; boundary=x{y}", "characters"),
            ("multipart/form-data; boundary=\"x;y\"", "characters"),
            ("multipart/form-data; boundary=\"x\\y\"", "characters"),
            ("multipart/form-data; boundary=\"x \"", "characters"),
            ("multipart/form-data; boundary=é", "characters"),
            ("multipart/form-data; boundary=", "empty"),
            ("multipart/form-data; boundary=\"\"", "empty"),
            ("multipart/form-data; boundary=;x", "empty"),
        ];
        for (header, part) in cases {
            let error = run(header).0.unwrap_err();
            assert!(error.starts_with("Multipart: ") && error.contains(part), "{header}: {error}");
        }
    }

    #[test]
    fn headers_that_servers_read_in_different_ways_are_told() {
        let cases = [
            ("boundary=x", false),
            ("charset=utf-8; boundary=----WebKitFormBoundaryA", false),
            ("boundary=\"a=b\"", false),
            ("BOUNDARY=x", false),
            ("a=\"boundary\"; boundary=x", false),
            // PHP takes the first, Rack the last.
            ("a=\"boundary=y\"; boundary=x", true),
            ("boundary=x; a=\"boundary=y\"", true),
            ("BOUNDARY=x; a=boundary; b=y", true),
            ("a=boundary; b=y; boundary=x", true),
            ("xboundary=y; boundary=x", true),
            ("boundary=xboundary=y", true),
            // A comma ends it for both.
            ("boundary=x,y", true),
            ("boundary=\"x,y\"", true),
        ];
        for (parameters, ambiguous) in cases {
            let header = format!("multipart/form-data; {parameters}");
            let found = boundary(header.as_bytes(), &mut Flags::default()).unwrap();
            assert_eq!(found.ambiguous, ambiguous, "{parameters}");
        }
    }

    fn any_header() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            ";",
            "=",
            "\"",
            "\\",
            " ",
            "\t",
            "boundary",
            "BOUNDARY",
            "boundary=",
            "charset=utf-8",
            "x",
            "*",
            ",",
            "é",
        ]);
        prop::collection::vec(piece, 0..14)
            .prop_map(|pieces| format!("multipart/form-data{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn what_is_found_is_written_behind_an_equals_sign(header in any_header()) {
            let mut flags = Flags::default();
            if let Ok(found) = boundary(header.as_bytes(), &mut flags) {
                let text = std::str::from_utf8(found.text).unwrap();
                let behind = header.match_indices(text).any(|(at, _)| {
                    header[..at].trim_end_matches([' ', '\t', '"']).ends_with('=')
                });
                prop_assert!(behind && has_boundary_characters(found.text));
            }
        }

        #[test]
        fn other_parameters_change_nothing(
            before in prop::collection::vec(("[a-z]{1,6}", "[ -~]{0,8}"), 0..3),
            after in prop::collection::vec(("[a-z]{1,6}", "[ -~]{0,8}"), 0..3),
            text in "[0-9A-Za-z'()+_,./:=?-]{1,20}",
        ) {
            prop_assume!(before.iter().chain(&after).all(|(name, _)| name != "boundary"));
            let written = |parameters: &[(String, String)]| -> String {
                let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
                parameters.iter().map(|(name, value)| format!("; {name}=\"{}\"", escaped(value))).collect()
            };
            let header = format!("multipart/form-data{}; boundary={text}{}", written(&before), written(&after));
            prop_assert_eq!(run(&header).0, Ok(text), "{}", header);
        }
    }
}
