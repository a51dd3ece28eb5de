//! What a byte string consists of, as far as that tells that a transformation leaves it alone.

use super::ByteSet;
use crate::transforms::Transformation;

/// A set of facts about a byte string, each of the form "holds at least one byte of this class", but for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features(u16);

impl Features {
    /// Holds no byte at all.
    pub(crate) const NONE: Features = Features(0);
    const NUL: u16 = 1 << 0;
    /// Tab, LF, VT, FF, CR or a blank.
    const SPACE: u16 = 1 << 1;
    const UPPER: u16 = 1 << 2;
    const LOWER: u16 = 1 << 3;
    /// A byte from 80 on.
    const HIGH: u16 = 1 << 4;
    const PERCENT_OR_PLUS: u16 = 1 << 5;
    const AMPERSAND: u16 = 1 << 6;
    const BACKSLASH: u16 = 1 << 7;
    /// `"`, `'`, `^`, `,` or `;`.
    const SHELL: u16 = 1 << 8;
    /// A slash; or the text is `.` or `..`, of which resolving a path leaves nothing.
    const PATH: u16 = 1 << 9;
    /// `*`, `-`, `#`, `<` or `>`.
    const COMMENT: u16 = 1 << 10;
    const ZERO: u16 = 1 << 11;
    const STAR: u16 = 1 << 12;
    /// Any byte.
    const ANY: u16 = 1 << 14;
    /// Set for every string, the empty one too: some transformations change that as well.
    const ALWAYS: u16 = 1 << 15;

    /// The bytes that a text holds, and the facts about it.
    pub(crate) fn survey(text: &[u8]) -> (ByteSet, Self) {
        if text.len() >= LONG {
            let bytes = ByteSet::of_long(text);
            return (bytes, Self::of(bytes));
        }
        let mut bytes = ByteSet::default();
        let noted = text.iter().inspect(|&&byte| bytes.insert(byte));
        let found = Self::of_each(noted.copied());
        let dots = matches!(text, b"." | b"..");
        (bytes, if dots { found.or(Self(Self::PATH)) } else { found })
    }

    /// What [`survey`](Self::survey) finds of a long text after a transformation, told from what it found before it; `None`
    /// where the text is short, or has to be looked at.
    pub(crate) fn survey_after(
        step: Transformation,
        text: &[u8],
        before: ByteSet,
    ) -> Option<(ByteSet, Self)> {
        if text.len() < LONG {
            return None;
        }
        let lacks = |set: ByteSet| before.without(set) == before;
        let bytes: ByteSet = match step {
            Transformation::Lowercase => before.iter().map(|byte| byte.to_ascii_lowercase()).collect(),
            Transformation::RemoveWhitespace if lacks(HIGH) => before.without(WHITE),
            Transformation::UrlDecode | Transformation::UrlDecodeUni if lacks(PERCENT) => {
                before.iter().map(|byte| if byte == b'+' { b' ' } else { byte }).collect()
            }
            _ => return None,
        };
        Some((bytes, Self::of(bytes)))
    }

    fn of(bytes: ByteSet) -> Self {
        Self::of_each(bytes.iter())
    }

    fn of_each(bytes: impl Iterator<Item = u8>) -> Self {
        let classes = |byte: u8| CLASSES_OF.get(usize::from(byte)).copied().unwrap_or_default();
        Self(bytes.fold(Self::ALWAYS, |found, byte| found | classes(byte)))
    }

    /// Whether the two sets have a fact in common.
    pub(crate) const fn meet(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The union of two sets.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes without which `step` changes nothing. A string that holds none of them stays as it is;
    /// one that does may.
    pub(crate) const fn touched_by(step: Transformation) -> Self {
        use Transformation as T;
        Self(match step {
            T::Md5 | T::Sha1 | T::Length => Self::ALWAYS,
            T::Base64Decode
            | T::Base64DecodeExt
            | T::Base64Encode
            | T::HexDecode
            | T::HexEncode
            | T::ParityEven7bit
            | T::ParityOdd7bit
            | T::UrlEncode => Self::ANY,
            T::CmdLine => Self::SPACE | Self::UPPER | Self::BACKSLASH | Self::SHELL,
            T::CompressWhitespace | T::RemoveWhitespace => Self::SPACE | Self::HIGH,
            T::CssDecode | T::EscapeSeqDecode | T::JsDecode => Self::BACKSLASH,
            T::HtmlEntityDecode => Self::AMPERSAND,
            T::Lowercase => Self::UPPER,
            T::Uppercase => Self::LOWER,
            T::NormalizePath => Self::PATH,
            T::NormalizePathWin => Self::PATH | Self::BACKSLASH,
            T::ParityZero7bit | T::Utf8ToUnicode => Self::HIGH,
            T::RemoveComments | T::RemoveCommentsChar => Self::COMMENT,
            T::ReplaceComments => Self::STAR,
            T::RemoveNulls | T::ReplaceNulls => Self::NUL,
            T::SqlHexDecode => Self::ZERO,
            T::Trim | T::TrimLeft | T::TrimRight => Self::SPACE,
            T::UrlDecode | T::UrlDecodeUni => Self::PERCENT_OR_PLUS,
        })
    }
}

/// Texts from this length on are surveyed by sets.
const LONG: usize = 128;
const HIGH: ByteSet = ByteSet([0, 0, u64::MAX, u64::MAX]);
const PERCENT: ByteSet = members(b"%");
const WHITE: ByteSet = members(b"\t\n\x0b\x0c\r ");

/// Each class with its members.
const CLASSES: [(u16, ByteSet); 14] = [
    (Features::NUL, members(b"\0")),
    (Features::SPACE, WHITE),
    (Features::UPPER, members(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
    (Features::LOWER, members(b"abcdefghijklmnopqrstuvwxyz")),
    (Features::HIGH, HIGH),
    (Features::PERCENT_OR_PLUS, members(b"%+")),
    (Features::AMPERSAND, members(b"&")),
    (Features::BACKSLASH, members(b"\\")),
    (Features::SHELL, members(b"\"'^,;")),
    (Features::PATH, members(b"/")),
    (Features::COMMENT, members(b"*-#<>")),
    (Features::ZERO, members(b"0")),
    (Features::STAR, members(b"*")),
    (Features::ANY, ByteSet([u64::MAX; 4])),
];

/// The classes of each byte.
static CLASSES_OF: [u16; 256] = {
    let mut classes_of = [0; 256];
    let mut class = 0;
    while class < CLASSES.len() {
        let mut byte = 0;
        #[expect(clippy::indexing_slicing, reason = "a constant")]
        while byte < 256 {
            let (bit, members) = &CLASSES[class];
            if members.0[byte / 64] >> (byte % 64) & 1 == 1 {
                classes_of[byte] |= *bit;
            }
            byte += 1;
        }
        class += 1;
    }
    classes_of
};

const fn members(mut bytes: &[u8]) -> ByteSet {
    let mut low = [0u64; 2];
    while let [byte, rest @ ..] = bytes {
        if *byte < 64 {
            low = [low_word(low) | 1 << *byte, high_word(low)];
        } else {
            low = [low_word(low), high_word(low) | 1 << (*byte - 64)];
        }
        bytes = rest;
    }
    ByteSet([low_word(low), high_word(low), 0, 0])
}

const fn low_word([word, _]: [u64; 2]) -> u64 {
    word
}

const fn high_word([_, word]: [u64; 2]) -> u64 {
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The whole point of the classes: without them a transformation is the identity.
        #[test]
        fn untouched_strings_stay_as_they_are(text in proptest::collection::vec(any::<u8>(), 0..24)) {
            let (_, features) = Features::survey(&text);
            for &step in Transformation::ALL {
                let mut out = Vec::new();
                let changed = step.apply(&text, &mut out) && out != text;
                prop_assert!(!changed || features.meet(Features::touched_by(step)), "{step:?} changes {text:?}");
            }
        }
    }

    proptest! {
        /// What is told of the result of a transformation is what it would show.
        #[test]
        fn surveys_are_told_from_those_before(text in "[a-zA-Z \\t\\n./]{200}|[a-z+]{200}|[a-z+%0-9]{200}|[aB\u{a0}ä ]{200}") {
            let (before, _) = Features::survey(text.as_bytes());
            for &step in Transformation::ALL {
                let mut out = Vec::new();
                if step.apply(text.as_bytes(), &mut out)
                    && let Some(told) = Features::survey_after(step, &out, before)
                {
                    prop_assert_eq!(told, Features::survey(&out), "{:?}", step);
                }
            }
        }
    }

    #[test]
    fn long_texts_are_surveyed_like_short_ones() {
        for byte in 0..=u8::MAX {
            assert_eq!(Features::survey(&[byte; 3]), Features::survey(&[byte; 200]));
        }
    }

    #[test]
    fn single_bytes_and_short_escapes() {
        for a in 0..=255u8 {
            for b in [b'/', b'*', b'0', b'x', b'-', b'.', b'a', 0, b' '] {
                let text = [a, b, a];
                for &step in Transformation::ALL {
                    let mut out = Vec::new();
                    let changed = step.apply(&text, &mut out) && out != text;
                    assert!(
                        !changed || Features::survey(&text).1.meet(Features::touched_by(step)),
                        "{step:?} {text:?}"
                    );
                }
            }
        }
    }
}
