//! What an audit record must not show (`sanitiseArg` and its like).

use aho_corasick::{AhoCorasick, MatchKind};

use crate::limits;

/// Texts that are masked wherever they stand.
#[derive(Debug, Default)]
pub(crate) enum Secrets {
    /// Nothing is masked.
    #[default]
    None,
    /// These are.
    Some(Box<AhoCorasick>),
    /// There are too many to look for: every text that a client or the upstream sent is masked.
    All,
}

impl Secrets {
    /// Empty texts hide nothing.
    pub(crate) fn new(mut texts: Vec<Vec<u8>>) -> Self {
        texts.retain(|text| !text.is_empty());
        texts.sort();
        texts.dedup();
        if texts.is_empty() {
            return Self::None;
        }
        let bytes: usize = texts.iter().map(Vec::len).sum();
        if texts.len() > limits::AUDIT_SECRETS || bytes > limits::AUDIT_SECRET_BYTES {
            return Self::All;
        }
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&texts);
        finder.map_or(Self::All, |finder| Self::Some(Box::new(finder)))
    }

    /// The text with each secret byte as `*`. Linear.
    pub(crate) fn mask(&self, text: &[u8]) -> Vec<u8> {
        let mut out = text.to_vec();
        match self {
            Self::None => {}
            Self::All => out.fill(b'*'),
            Self::Some(finder) => {
                for found in finder.find_iter(text) {
                    if let Some(secret) = out.get_mut(found.range()) {
                        secret.fill(b'*');
                    }
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let secrets = |texts: &[&[u8]]| Secrets::new(texts.iter().map(|text| text.to_vec()).collect());
        assert_eq!(secrets(&[b""]).mask(b"abc"), b"abc");
        assert_eq!(
            secrets(&[b"pass", b"password", b"\xff"]).mask(b"a=password&b=pass\xff"),
            b"a=********&b=*****"
        );
        let many: Vec<Vec<u8>> = (0..=limits::AUDIT_SECRETS).map(|n| n.to_string().into_bytes()).collect();
        assert_eq!(Secrets::new(many).mask(b"abc"), b"***");
        let long = vec![b'x'; limits::AUDIT_SECRET_BYTES + 1];
        assert_eq!(secrets(&[&long]).mask(b"abc"), b"***");
    }
}
