//! What a path can mean: its readings, as the servers behind a proxy make them.
//!
//! Servers disagree about a path. Some decode it once, some twice; some join slashes, resolve dots, take a backslash
//! for a slash, or cut parameters (`;a=b`) off its segments; and some do nothing of it. A rule about a path that knows
//! one reading only is passed by with another. So a path is compared in all of them.

use memchr::{memchr, memchr2, memrchr};

use super::percent::{self, Plus};

/// The readings of a path. Most paths have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    /// What servers take the path for: decoded, slashes joined; with dots as they are and with dots resolved; with
    /// and without parameters. Never empty.
    pub meant: Vec<Vec<u8>>,
    /// Further spellings that it has: decoded and otherwise as sent; without slashes, dots and blanks at the end of a
    /// segment, where some servers don't look at them.
    pub also: Vec<Vec<u8>>,
}

impl Readings {
    /// The readings of a path as it was sent, without query. Each takes time linear in its length, and there are 31 at
    /// most.
    #[must_use]
    pub fn new(sent: &[u8]) -> Self {
        if is_plain(sent) {
            return Self { meant: vec![sent.to_vec()], also: Vec::new() };
        }
        let mut readings = Self::default();
        let mut once = Vec::new();
        percent::decode(sent, Plus::Literal, &mut once);
        readings.add(&once);
        let mut twice = Vec::new();
        percent::decode(&once, Plus::Literal, &mut twice);
        readings.add(&twice);
        // Parameters are cut off before a path is decoded, or afterwards.
        let cut = without_parameters(sent);
        let mut decoded = Vec::new();
        percent::decode(&cut, Plus::Literal, &mut decoded);
        readings.add(&decoded);
        readings.add(&without_parameters(&once));
        readings.add(&without_parameters(&twice));
        let meant = readings.meant.clone();
        readings.note(once);
        for path in &meant {
            readings.note(trimmed(path));
            readings.note(without_ends(path));
        }
        readings
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.meant.iter().chain(&self.also).map(Vec::as_slice)
    }

    /// Adds what a decoded path is taken for.
    fn add(&mut self, decoded: &[u8]) {
        let joined = joined(decoded);
        let resolved = resolved(&joined);
        for path in [joined, resolved] {
            if !self.meant.contains(&path) {
                self.meant.push(path);
            }
        }
    }

    fn note(&mut self, path: Vec<u8>) {
        if !self.meant.contains(&path) && !self.also.contains(&path) {
            self.also.push(path);
        }
    }
}

/// One path for all spellings of a decoded one: for counting requests by path.
#[must_use]
pub fn canonical(decoded: &[u8]) -> Vec<u8> {
    let mut again = Vec::new();
    percent::decode(decoded, Plus::Literal, &mut again);
    let mut path = trimmed(&resolved(&joined(&without_parameters(&again))));
    path.make_ascii_lowercase();
    path
}

/// Whether a path has one reading: nothing to decode, to join, to resolve or to cut off.
#[must_use]
pub fn is_plain(path: &[u8]) -> bool {
    let rest = match path {
        [b'/'] => return true,
        [b'/', rest @ ..] => rest,
        _ => return false,
    };
    // A segment that begins or ends with a dot or a blank, or has nothing in it, may have others.
    let edge = |byte: u8| matches!(byte, b'/' | b'.' | b' ');
    let mut last = b'/';
    for &byte in rest {
        let odd = matches!(byte, b'%' | b'\\' | b';')
            || (last == b'/' && edge(byte))
            || (byte == b'/' && edge(last));
        if odd {
            return false;
        }
        last = byte;
    }
    !edge(last)
}

/// A path with slashes for backslashes, and one slash for several.
fn joined(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for &byte in path {
        let byte = if byte == b'\\' { b'/' } else { byte };
        if byte != b'/' || out.last() != Some(&b'/') {
            out.push(byte);
        }
    }
    out
}

/// A joined path without `.` and `..`. Nothing is above its root.
fn resolved(path: &[u8]) -> Vec<u8> {
    let (root, rest) = match path {
        [b'/', rest @ ..] => (&b"/"[..], rest),
        _ => (&b""[..], path),
    };
    let mut out = Vec::with_capacity(path.len());
    out.extend_from_slice(root);
    for segment in rest.split_inclusive(|byte| *byte == b'/') {
        match segment {
            b"." | b"./" => {}
            b".." | b"../" => {
                // What is left of it ends with the slash before the segment that goes.
                let parent = out.get(..out.len().saturating_sub(1)).unwrap_or_default();
                let kept = memrchr(b'/', parent).map_or(root.len(), |at| at + 1);
                out.truncate(kept);
            }
            other => out.extend_from_slice(other),
        }
    }
    out
}

/// A path without what stands between a `;` and the next slash.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, parameters)) = memchr(b';', rest).and_then(|at| rest.split_at_checked(at)) {
        out.extend_from_slice(before);
        let end = memchr2(b'/', b'\\', parameters).unwrap_or(parameters.len());
        rest = parameters.get(end..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// A path without slashes at its end.
fn trimmed(path: &[u8]) -> Vec<u8> {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(1, |last| last + 1);
    path.get(..end).unwrap_or(path).to_vec()
}

/// A path whose segments don't end with dots or blanks. Segments that have nothing else stay.
fn without_ends(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    for (number, segment) in path.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            out.push(b'/');
        }
        let end = segment.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map(|last| last + 1);
        out.extend_from_slice(end.and_then(|end| segment.get(..end)).unwrap_or(segment));
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meant(path: &str) -> Vec<String> {
        let readings = Readings::new(path.as_bytes());
        readings.meant.iter().map(|path| path.escape_ascii().to_string()).collect()
    }

    fn also(path: &str) -> Vec<String> {
        let readings = Readings::new(path.as_bytes());
        readings.also.iter().map(|path| path.escape_ascii().to_string()).collect()
    }

    #[test]
    fn plain_paths_have_one_reading() {
        for path in ["/", "/a", "/a/b.html", "/a.b/c-d_e~f", "/a/b+c,d=e@f", "/%zz"] {
            let readings = Readings::new(path.as_bytes());
            assert_eq!(readings.meant, [path.as_bytes()], "{path}");
            assert!(readings.also.is_empty(), "{path}");
        }
    }

    #[test]
    fn what_paths_are_meant_to_be() {
        for (path, expected) in [
            ("//admin/x", &["/admin/x"][..]),
            ("/x/../admin/x", &["/x/../admin/x", "/admin/x"]),
            ("/x/%2e%2E/admin/x", &["/x/../admin/x", "/admin/x"]),
            ("/./admin/./x", &["/./admin/./x", "/admin/x"]),
            ("/%61dmin", &["/admin"]),
            ("/%2561dmin", &["/%61dmin", "/admin"]),
            ("/x%2f..%5Cadmin", &["/x/../admin", "/admin"]),
            ("\\admin", &["/admin"]),
            ("/x/..;/admin", &["/x/..;/admin", "/x/../admin", "/admin"]),
            ("/admin;x=1", &["/admin;x=1", "/admin"]),
            ("/admin%3bx/y", &["/admin;x/y", "/admin/y"]),
            ("/a;x%2f../b", &["/a;x/../b", "/b", "/a/b", "/a/../b"]),
            ("/../../a", &["/../../a", "/a"]),
            ("/a/..", &["/a/..", "/"]),
            ("/a/b/..", &["/a/b/..", "/a/"]),
            ("/a/.", &["/a/.", "/a/"]),
            ("a/../b", &["a/../b", "b"]),
            ("*", &["*"]),
            ("", &[""]),
            ("/a%", &["/a%"]),
            ("/...", &["/..."]),
        ] {
            assert_eq!(meant(path), expected, "{path}");
        }
    }

    #[test]
    fn how_else_paths_can_be_spelt() {
        for (path, expected) in [
            ("//admin/x", &["//admin/x"][..]),
            ("/login/", &["/login"]),
            ("/login//", &["/login//", "/login"]),
            ("/admin./x", &["/admin/x"]),
            ("/admin%20/x.", &["/admin/x"]),
            ("/a/.", &["/a"]),
            ("/.well-known/x", &[]),
        ] {
            assert_eq!(also(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn readings_are_few_and_not_longer(path in prop::collection::vec(prop::sample::select(b"/\\.;%25eEfFaA ".to_vec()), 0..40)) {
            let readings = Readings::new(&path);
            let all: Vec<&[u8]> = readings.all().collect();
            prop_assert!(!readings.meant.is_empty() && all.len() <= 31, "{}", all.len());
            prop_assert!(all.iter().all(|one| one.len() <= path.len().max(1)));
        }

        /// What has one reading is what a server makes of it, however it reads.
        #[test]
        fn resolved_paths_are_plain(path in prop::collection::vec(prop::sample::select(b"/.ab".to_vec()), 0..24)) {
            let again = resolved(&joined(&path));
            prop_assert_eq!(resolved(&joined(&again)), again);
        }
    }
}
