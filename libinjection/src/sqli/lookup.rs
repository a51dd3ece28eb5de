//! Looks words and fingerprints up in the generated tables, without allocation.
//!
//! **Keywords** are one byte string, sorted by length, then by initial (anything but a letter first), then by their
//! bytes. A length and an initial lead to a handful of words of equal length, which are searched by halves.
//!
//! **Fingerprints** are numbers of five symbols of five bits. The first two symbols lead to a sorted list of the
//! last three.

use super::{Fingerprint, Kind};
use crate::tables::{
    FINGERPRINT_HEAD, FINGERPRINT_SYMBOL, FINGERPRINT_TAIL, KEYWORD_FIRST, KEYWORD_GROUP, KEYWORD_KINDS,
    KEYWORD_OFFSET, KEYWORDS,
};

/// The longest text looked up; longer words are never keywords.
pub(crate) const LONGEST: usize = 31;

/// Initials of one length in `KEYWORD_GROUP`, and one entry for the end.
const GROUPS: usize = 28;

/// The kind of a keyword, whatever its case.
pub(crate) fn keyword(word: &[u8]) -> Option<Kind> {
    let length = word.len();
    let mut buffer = [0; LONGEST];
    let upper = buffer.get_mut(..length)?;
    for (to, from) in upper.iter_mut().zip(word) {
        *to = from.to_ascii_uppercase();
    }
    let group = match upper.first()? {
        letter @ b'A'..=b'Z' => usize::from(letter - b'A') + 1,
        _ => 0,
    };
    let bounds = KEYWORD_GROUP.get(length * GROUPS + group..)?;
    let mut low = usize::from(*bounds.first()?);
    let mut high = usize::from(*bounds.get(1)?);
    let offset = usize::from(*KEYWORD_OFFSET.get(length)?);
    while low < high {
        let middle = usize::midpoint(low, high);
        let start = offset + middle * length;
        let candidate = KEYWORDS.get(start..start + length)?;
        match candidate.cmp(upper) {
            core::cmp::Ordering::Less => low = middle + 1,
            core::cmp::Ordering::Greater => high = middle,
            core::cmp::Ordering::Equal => {
                let number = usize::from(*KEYWORD_FIRST.get(length)?) + middle;
                return KEYWORD_KINDS.get(number).copied().and_then(Kind::from_byte);
            }
        }
    }
    None
}

/// Whether a fingerprint is one of an attack. The case of its letters does not count.
pub(crate) fn is_known(fingerprint: &Fingerprint) -> bool {
    search(fingerprint).unwrap_or(false)
}

fn search(fingerprint: &Fingerprint) -> Option<bool> {
    let mut code = 0_u32;
    for kind in fingerprint.padded() {
        let symbol = match kind {
            0 => 0,
            _ => *FINGERPRINT_SYMBOL.get(usize::from(*kind)).filter(|symbol| **symbol != 0)?,
        };
        code = (code << 5) | u32::from(symbol);
    }
    let head = usize::try_from(code >> 15).ok()?;
    let tail = u16::try_from(code & 0x7fff).ok()?;
    let from = usize::from(*FINGERPRINT_HEAD.get(head)?);
    let to = usize::from(*FINGERPRINT_HEAD.get(head + 1)?);
    Some(FINGERPRINT_TAIL.get(from..to)?.binary_search(&tail).is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, Kind, is_known, keyword};
    use crate::sqli::Token;
    use crate::tables::{FINGERPRINT_TAIL, KEYWORD_KINDS};
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};
    use std::string::String;
    use std::vec::Vec;

    #[derive(Debug)]
    struct Data {
        keywords: BTreeMap<String, String>,
        fingerprints: Vec<String>,
    }

    /// The data that the tables are made from, if they are there.
    fn data() -> Option<Data> {
        let shared = std::env::var_os("PORTCULLIS_SHARED")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
        let Ok(text) = std::fs::read(shared.join("libinjection/sqlparse_data.json")) else {
            std::eprintln!("SKIPPED: no libinjection/sqlparse_data.json in {}", shared.display());
            return None;
        };
        let mut data: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).unwrap();
        let mut part = |name| data.remove(name).unwrap();
        Some(Data {
            keywords: serde_json::from_value(part("keywords")).unwrap(),
            fingerprints: serde_json::from_value(part("fingerprints")).unwrap(),
        })
    }

    fn fingerprint(letters: &str) -> Option<Fingerprint> {
        let tokens: Option<Vec<Token>> =
            letters.bytes().map(|letter| Some(Token::new(Kind::from_byte(letter)?, &[]))).collect();
        Some(Fingerprint::of(&tokens?))
    }

    #[test]
    fn every_keyword_is_found_and_nothing_near_it() {
        let Some(data) = data() else { return };
        assert_eq!(data.keywords.len(), KEYWORD_KINDS.len());
        for (word, kind) in &data.keywords {
            let kind = Kind::from_byte(kind.as_bytes()[0]);
            assert!(kind.is_some());
            assert_eq!(keyword(word.as_bytes()), kind, "{word}");
            assert_eq!(keyword(word.to_ascii_lowercase().as_bytes()), kind, "{word}");
            for end in ["", "\0", " ", "A", "Z", "_"] {
                for near in [word.clone() + end, String::from(&word[1..]) + end, std::format!("{end}{word}")]
                {
                    let known = data.keywords.contains_key(&near.to_ascii_uppercase());
                    assert_eq!(keyword(near.as_bytes()).is_some(), known, "{near:?}");
                }
            }
        }
        assert_eq!(keyword(b""), None);
        assert_eq!(keyword(&[b'A'; 31]), None);
        assert_eq!(keyword(&[b'A'; 32]), None);
    }

    #[test]
    fn exactly_the_fingerprints_of_attacks_are_known() {
        let Some(data) = data() else { return };
        let upper: std::collections::BTreeSet<String> =
            data.fingerprints.iter().map(|letters| letters.to_ascii_uppercase()).collect();
        assert_eq!(upper.len(), FINGERPRINT_TAIL.len());
        let letters: Vec<char> = "kUBEtfn1vso&cA(){}.,:;T?X\\".chars().collect();
        for known in &data.fingerprints {
            assert!(is_known(&fingerprint(known).unwrap()), "{known}");
            // Every fingerprint that differs in its last letter, or has one more or one less.
            let stem = &known[..known.len() - 1];
            let near = letters.iter().flat_map(|letter| {
                [std::format!("{stem}{letter}"), std::format!("{known}{letter}"), String::from(stem)]
            });
            for near in near.filter(|near| (1..=5).contains(&near.len())) {
                let expected = upper.contains(&near.to_ascii_uppercase());
                assert_eq!(is_known(&fingerprint(&near).unwrap()), expected, "{near}");
            }
        }
    }
}
