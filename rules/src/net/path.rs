//! Which paths of requests an API restriction means.

use crate::http::path::Readings;
use crate::http::uri::Target;

/// The requests that a rule is restricted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// Every request.
    Any,
    /// Requests whose path fits one of these.
    Paths(Vec<PathPattern>),
}

/// A path, or a part of one with `*` at its beginning, its end or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    text: Box<str>,
    open_start: bool,
    open_end: bool,
}

/// The path of a request with all its readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestPath {
    /// As it was sent, without the query.
    sent: Vec<u8>,
    readings: Readings,
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// With the reason, when it is empty or has a `*` elsewhere.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("the path is empty");
        }
        let open_start = text.starts_with('*');
        let inner = text.strip_prefix('*').unwrap_or(text);
        let open_end = inner.ends_with('*');
        let inner = inner.strip_suffix('*').unwrap_or(inner);
        if inner.contains('*') {
            return Err("`*` stands in the middle of the path");
        }
        Ok(Self { text: inner.into(), open_start, open_end })
    }

    /// Whether there can be a path that fits: those of requests begin with `/`.
    #[must_use]
    pub fn can_fit(&self) -> bool {
        self.open_start || self.text.is_empty() || self.text.starts_with('/')
    }

    fn fits(&self, path: &[u8]) -> bool {
        let text = self.text.as_bytes();
        match (self.open_start, self.open_end) {
            (false, false) => path == text,
            (true, false) => path.ends_with(text),
            (false, true) => path.starts_with(text),
            (true, true) => memchr::memmem::find(path, text).is_some(),
        }
    }
}

impl std::fmt::Display for PathPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let star = |open: bool| if open { "*" } else { "" };
        write!(f, "{}{}{}", star(self.open_start), self.text, star(self.open_end))
    }
}

impl RequestPath {
    /// The path of a request target.
    #[must_use]
    pub fn new(target: &[u8]) -> Self {
        let sent = Target::parse(target).path;
        Self { sent: sent.to_vec(), readings: Readings::new(sent) }
    }

    /// The path as it was sent.
    #[must_use]
    pub fn as_sent(&self) -> &[u8] {
        &self.sent
    }
}

impl Api {
    /// Whether the rule covers requests for this path. It counts as it was sent and in all its readings
    /// ([`Readings`]), so that another spelling is no way around.
    #[must_use]
    pub fn covers(&self, path: &RequestPath) -> bool {
        match self {
            Self::Any => true,
            Self::Paths(patterns) => patterns.iter().any(|pattern| {
                pattern.fits(&path.sent) || path.readings.all().any(|reading| pattern.fits(reading))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, target: &str) -> bool {
        Api::Paths(vec![PathPattern::parse(pattern).unwrap()]).covers(&RequestPath::new(target.as_bytes()))
    }

    #[test]
    fn patterns() {
        for (pattern, target, expected) in [
            ("/a", "/a", true),
            ("/a", "/a?b=/c", true),
            ("/a", "/a/", true),
            ("/a", "/a/b", false),
            ("/a", "/A", false),
            ("/v2/*", "/v2/", true),
            ("/v2/*", "/v2/users/1", true),
            ("/v2/*", "/v2", false),
            ("*/login", "/admin/login", true),
            ("*/login", "/login?next=/", true),
            ("*/login", "/login/x", false),
            ("*/login", "/login/", true),
            ("*/cars*", "/api/cars/7", true),
            ("*/cars*", "/api/car", false),
            ("*", "/", true),
            // Other spellings of the same path.
            ("/admin/*", "/%61dmin/x", true),
            ("/admin/*", "/x/../admin/x", true),
            ("/admin/*", "//admin/x", true),
            ("/admin/*", "/admin/../public", true),
            ("/public", "/admin/../public", true),
            ("/admin/*", "/public/%2e%2e/admin/", true),
            ("/admin/*", "/public", false),
            ("/admin/*", "/%2561dmin/x", true),
            ("/admin/*", "/x%2f..%2Fadmin/x", true),
            ("/admin/*", "/x\\..\\admin\\x", true),
            ("/admin/*", "/x/..;a=b/admin/x", true),
            ("/admin", "/admin;a=b", true),
            ("/admin", "/admin/.", true),
            ("/admin", "/admin.", true),
            ("/admin/*", "http://h.example/admin/x", true),
            ("/admin/*", "/x?/admin/x", false),
            ("/admin/*", "/x#/admin/x", false),
        ] {
            assert_eq!(covers(pattern, target), expected, "{pattern} {target}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for text in ["", "/a*b", "*/a*/b", "**a*"] {
            assert!(PathPattern::parse(text).is_err(), "{text}");
        }
        assert!(!PathPattern::parse("a").unwrap().can_fit());
        assert_eq!(PathPattern::parse("*/cars*").unwrap().to_string(), "*/cars*");
    }
}
