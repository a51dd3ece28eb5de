//! What the embedder supplies. The engine reads no clock, file or environment.

use std::sync::Arc;

/// Files that a policy refers to: includes, phrase lists, scripts.
pub trait Source {
    /// The contents of `name`, looked up relative to the file that refers to it.
    ///
    /// # Errors
    /// When there is no such file, or it can't be read.
    fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError>;

    /// As [`Source::read`], for what is kept as it is and may be large: not copied where that can be spared.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn read_shared(&self, name: &str, relative_to: &str) -> Result<Arc<Vec<u8>>, SourceError> {
        self.read(name, relative_to).map(Arc::new)
    }

    /// The full names of the files that `pattern` means, in byte order, looked up relative to the file
    /// that refers to them. A full name is read with an empty `relative_to`. A pattern with wildcards
    /// (see [`has_wildcards`]) that matches nothing gives an empty list; a plain name is returned as it
    /// resolves, whether or not there is such a file. Sources that can't list their files keep this
    /// default, which knows plain names only.
    ///
    /// # Errors
    /// When the files can't be listed.
    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        if has_wildcards(pattern) {
            return Err(SourceError {
                name: pattern.to_owned(),
                reason: "the files can't be listed here, name them one by one".to_owned(),
            });
        }
        Ok(vec![resolve(pattern, relative_to)])
    }
}

/// Whether a file name is a pattern: it has `*`, `?` or `[`.
#[must_use]
pub fn has_wildcards(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// The full name of `name` as written in the file `relative_to`: beside that file, unless it is absolute.
#[must_use]
pub fn resolve(name: &str, relative_to: &str) -> String {
    match relative_to.rfind('/').and_then(|end| relative_to.get(..=end)) {
        Some(folder) if !name.starts_with('/') => {
            format!("{folder}{}", name.strip_prefix("./").unwrap_or(name))
        }
        _ => name.to_owned(),
    }
}

/// Whether a full name fits a pattern, as in a shell: `*` and `?` stand for bytes other than `/`,
/// `[a-z]` and `[!a-z]` for one byte in or outside a set. Takes at most the product of the two lengths.
#[must_use]
pub fn fits_pattern(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    // Where to go on when what follows the last `*` does not fit: the `*` takes one byte more.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = name.get(n) {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => (byte != b'/').then_some(1),
            Some(b'[') => byte_set(pattern.get(p + 1..).unwrap_or_default(), byte),
            Some(&literal) => (literal == byte).then_some(1),
            None => None,
        };
        if let Some(step) = step {
            p += step;
            n += 1;
            continue;
        }
        match retry {
            Some((after, taken)) if name.get(taken) != Some(&b'/') => {
                p = after;
                n = taken + 1;
                retry = Some((after, n));
            }
            _ => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&b| b == b'*')
}

/// Whether `byte` is in the set that `rest` begins with, after its `[`: the set's length with both
/// brackets if so. A set that is not closed fits nothing.
fn byte_set(rest: &[u8], byte: u8) -> Option<usize> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    // A `]` at the very start of the set is one of its members.
    let end = start + 1 + memchr::memchr(b']', rest.get(start + 1..)?)?;
    let mut members = rest.get(start..end)?;
    let mut found = false;
    while let Some((&low, others)) = members.split_first() {
        if let [b'-', high, others @ ..] = others {
            found |= (low..=*high).contains(&byte);
            members = others;
        } else {
            found |= low == byte;
            members = others;
        }
    }
    (found != negated && byte != b'/').then_some(end + 2)
}

/// Values by key that all workers of a host share, such as Envoy's shared data.
///
/// There is no deletion and no listing: a key that was ever set stays, so the engine uses a fixed number of
/// keys (see [`collections`](crate::collections)).
pub trait KeyValue: std::fmt::Debug + Send + Sync {
    /// The value of a key with the number that its next [`KeyValue::set`] is compared with; `None` for a key
    /// that was never set.
    ///
    /// # Errors
    /// When the host fails.
    fn get(&self, key: &[u8]) -> Result<Option<Held>, KeyValueError>;

    /// Sets a key if its number is still `expected`, or, with `None`, if it was never set. `false` when
    /// somebody else was faster: nothing was changed then.
    ///
    /// # Errors
    /// When the host fails.
    fn set(&self, key: &[u8], value: &[u8], expected: Option<u32>) -> Result<bool, KeyValueError>;
}

/// A value as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The value.
    pub value: Vec<u8>,
    /// Changes each time the value is set.
    pub number: u32,
}

/// The host failed to read or to set a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the host's shared values are not available (status {status})")]
pub struct KeyValueError {
    /// The host's own number for what happened.
    pub status: u32,
}

/// A file could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("can't read `{name}`: {reason}")]
pub struct SourceError {
    /// The name as written.
    pub name: String,
    /// Why not.
    pub reason: String,
}

/// No files at all: each look-up fails.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Source for NoFiles {
    fn read(&self, name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError {
            name: name.to_owned(),
            reason: "a filter has no files; put the contents into the policy with `portcullis bundle`"
                .to_owned(),
        })
    }

    fn list(&self, pattern: &str, relative_to: &str) -> Result<Vec<String>, SourceError> {
        self.read(pattern, relative_to).map(|_| Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_beside_the_file_that_refers_to_them() {
        for (name, relative_to, expected) in [
            ("a.conf", "", "a.conf"),
            ("a.conf", "main.conf", "a.conf"),
            ("a.conf", "etc/main.conf", "etc/a.conf"),
            ("./a.conf", "etc/main.conf", "etc/a.conf"),
            ("sub/a.conf", "/etc/main.conf", "/etc/sub/a.conf"),
            ("/a.conf", "etc/main.conf", "/a.conf"),
        ] {
            assert_eq!(resolve(name, relative_to), expected, "{name} in {relative_to}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "sub/a.conf", false),
            ("rules/*.conf", "rules/REQUEST-901.conf", true),
            ("rules/*.conf", "rules/a.conf.example", false),
            ("*/*.conf", "sub/a.conf", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("a[0-9]b", "a5b", true),
            ("a[!0-9]b", "a5b", false),
            ("a[!0-9]b", "axb", true),
            ("a[]x]b", "a]b", true),
            ("a[b", "a[b", false),
            ("*", "", true),
            ("**a", "bca", true),
            ("", "", true),
            ("", "a", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
        ] {
            assert_eq!(fits_pattern(pattern, name), expected, "{pattern} on {name}");
        }
    }
}
