//! The boundary of a multipart Content-Type, read as strictly as ModSecurity does.

use super::Flags;
use super::error::{BoundaryError, MultipartError};
use crate::bytes::is_blank;
use crate::limits::MULTIPART_CONTENT_TYPE_BYTES;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";

/// Finds the boundary and sets the flags of what is odd about it.
pub(super) fn boundary<'a>(header: &'a [u8], flags: &mut Flags) -> Result<&'a [u8], MultipartError> {
    if header.len() > MULTIPART_CONTENT_TYPE_BYTES {
        return Err(MultipartError::Boundary(BoundaryError::Length));
    }
    let header = header.trim_ascii_start();
    match header.split_at_checked(MEDIA_TYPE.len()) {
        Some((media_type, parameters)) if media_type.eq_ignore_ascii_case(MEDIA_TYPE) => {
            parameter(parameters, flags).map_err(MultipartError::Boundary)
        }
        _ => Err(MultipartError::MediaType),
    }
}

fn parameter<'a>(parameters: &'a [u8], flags: &mut Flags) -> Result<&'a [u8], BoundaryError> {
    if count_parameters(parameters) > 1 {
        return Err(BoundaryError::Multiple);
    }
    let Some(at) = memchr::memmem::find(parameters, PARAMETER) else {
        return Err(if find_ignoring_case(parameters).is_some() {
            BoundaryError::CaseSensitivity
        } else {
            BoundaryError::NotFound
        });
    };
    let (before, after) = parameters.split_at_checked(at).unwrap_or_default();
    let mut semicolon = false;
    for byte in before {
        if *byte == b';' && !semicolon {
            semicolon = true;
        } else if !is_blank(*byte) {
            return Err(BoundaryError::Malformed);
        }
    }
    flags.missing_semicolon |= !semicolon;

    let after = after.get(PARAMETER.len()..).unwrap_or_default();
    let equals = memchr::memchr(b'=', after).ok_or(BoundaryError::Malformed)?;
    let (between, value) = after.split_at_checked(equals).unwrap_or_default();
    if !between.iter().copied().all(is_blank) {
        return Err(BoundaryError::ParameterName);
    }
    let value = value.get(1..).unwrap_or_default();
    let blanks = value.iter().take_while(|b| is_blank(**b)).count();
    flags.boundary_whitespace |= !between.is_empty() || blanks > 0;
    boundary_value(value.get(blanks..).unwrap_or_default(), flags)
}

fn boundary_value<'a>(value: &'a [u8], flags: &mut Flags) -> Result<&'a [u8], BoundaryError> {
    let quoted = match value {
        [b'"', inner @ .., b'"'] => Some(inner),
        [b'"', ..] | [.., b'"'] => return Err(BoundaryError::Quote),
        _ => None,
    };
    flags.boundary_quoted |= quoted.is_some();
    let mut boundary = quoted.unwrap_or(value);
    if quoted.is_none() && !has_boundary_characters(boundary) {
        // Another parameter may follow.
        boundary = boundary.split(|&b| b == b';').next().unwrap_or_default();
    }
    if boundary.is_empty() {
        Err(BoundaryError::Empty)
    } else if has_boundary_characters(boundary) {
        Ok(boundary)
    } else {
        Err(BoundaryError::Characters)
    }
}

/// How often `boundary` is followed by `=`, in any letter case. Once is the parameter; browsers have the
/// word without `=` in their boundaries.
fn count_parameters(text: &[u8]) -> usize {
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
    use super::*;

    fn run(header: &str) -> (Result<String, String>, Flags) {
        let mut flags = Flags::default();
        let found = boundary(header.as_bytes(), &mut flags);
        (found.map(|b| String::from_utf8(b.to_vec()).unwrap()).map_err(|e| e.to_string()), flags)
    }

    #[test]
    fn reads_boundaries() {
        let none = Flags::default();
        let quoted = Flags { boundary_quoted: true, ..none };
        let whitespace = Flags { boundary_whitespace: true, ..none };
        let semicolon = Flags { missing_semicolon: true, ..none };
        let cases = [
            ("multipart/form-data; boundary=x", "x", none),
            ("Multipart/FORM-data;boundary=x", "x", none),
            ("multipart/form-data ;\tboundary=----WebKit'()+_,-./:=?7", "----WebKit'()+_,-./:=?7", none),
            ("multipart/form-data; boundary=a b", "a b", none),
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
            ("multipart/form-data; boundary=x; charset=utf-8", "x", none),
            ("multipart/form-data; boundary=\"x y\"", "x y", quoted),
            ("multipart/form-data; boundary =x", "x", whitespace),
            ("multipart/form-data; boundary=\tx", "x", whitespace),
            ("multipart/form-data boundary=x", "x", semicolon),
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
            ("multipart/form-data; boundary=x; Boundary =y", "Multiple"),
            ("multipart/form-data", "not found"),
            ("multipart/form-data; charset=utf-8; boundary=x", "malformed"),
            ("multipart/form-data;; boundary=x", "malformed"),
            ("multipart/form-data; boundary", "malformed"),
            ("multipart/form-dataX; boundary=x", "malformed"),
            ("multipart/form-data; boundaryX=x", "parameter name"),
            ("multipart/form-data; boundary=\"x", "(quote)"),
            ("multipart/form-data; boundary=x\"", "(quote)"),
            ("multipart/form-data; boundary=\"", "(quote)"),
            ("multipart/form-data; boundary=x;boundary=y", "Multiple"),
            ("multipart/form-data; boundary=xboundary=y", "Multiple"),
            ("multipart/form-data; boundary=x{y}", "characters"),
            ("multipart/form-data; boundary=x y ", "characters"),
            ("multipart/form-data; boundary=\"x;y\"", "characters"),
            ("multipart/form-data; boundary=é", "characters"),
            ("multipart/form-data; boundary=", "empty"),
            ("multipart/form-data; boundary=\"\"", "empty"),
            ("multipart/form-data; boundary=;x", "empty"),
            ("multipart/form-data; Boundary=x", "case sensitivity"),
        ];
        for (header, part) in cases {
            let error = run(header).0.unwrap_err();
            assert!(error.starts_with("Multipart: ") && error.contains(part), "{header}: {error}");
        }
    }
}
