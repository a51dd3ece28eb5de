//! `@detectSQLi` and `@detectXSS`.

use super::{Capture, Captures};

/// Whether the value is an SQL injection; its fingerprint is captured.
pub(super) fn is_sqli(value: &[u8], captures: Option<&mut Captures>) -> bool {
    let Some(fingerprint) = portcullis_libinjection::sqli(value) else { return false };
    if let Some(captures) = captures {
        captures.set_only(Capture::Text(fingerprint.as_bytes().to_vec()));
    }
    true
}

/// Whether the value is cross-site scripting; all of it is captured, as in ModSecurity.
pub(super) fn is_xss(value: &[u8], captures: Option<&mut Captures>) -> bool {
    let found = portcullis_libinjection::xss(value);
    if let (true, Some(captures)) = (found, captures) {
        captures.set_only(Capture::Part(0..value.len()));
    }
    found
}
