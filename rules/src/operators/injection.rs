//! `@detectSQLi` and `@detectXSS`.

use super::{Capture, Captures};

/// Whether the value is an SQL injection; its fingerprint is captured.
pub(super) fn is_sqli(value: &[u8], captures: Option<&mut Captures>) -> bool {
    let Some(fingerprint) = detect_sqli(value) else { return false };
    if let Some(captures) = captures {
        captures.set_only(Capture::Text(fingerprint));
    }
    true
}

/// Whether the value is cross-site scripting; all of it is captured, as in ModSecurity.
pub(super) fn is_xss(value: &[u8], captures: Option<&mut Captures>) -> bool {
    let found = detect_xss(value);
    if let (true, Some(captures)) = (found, captures) {
        captures.set_only(Capture::Part(0..value.len()));
    }
    found
}

/// The fingerprint of an SQL injection.
///
/// The detectors of `portcullis-libinjection` are called here and in [`detect_xss`], nowhere else.
/// NOT CONNECTED YET: `portcullis_libinjection::sqli(value).map(|found| found.as_ref().to_vec())`.
fn detect_sqli(value: &[u8]) -> Option<Vec<u8>> {
    let _ = value;
    None
}

/// NOT CONNECTED YET: `portcullis_libinjection::xss(value)`.
fn detect_xss(value: &[u8]) -> bool {
    let _ = value;
    false
}
