//! What each transformation does, case by case, and what all of them promise.

use proptest::prelude::*;

use super::Transformation::{self, *};

/// Runs `transformation`; `None` when it leaves the value alone.
fn applied(transformation: Transformation, input: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"left over".to_vec();
    transformation.apply(input, &mut out).then_some(out)
}

#[track_caller]
fn check(transformation: Transformation, cases: &[(&[u8], &[u8])]) {
    for &(input, expected) in cases {
        let got = applied(transformation, input);
        let want = (input != expected).then(|| expected.to_vec());
        assert!(
            got == want,
            "{}: `{}` gave `{}`, not `{}`",
            transformation.name(),
            input.escape_ascii(),
            got.as_deref().unwrap_or(input).escape_ascii(),
            expected.escape_ascii(),
        );
    }
}

#[test]
fn names() {
    for &transformation in Transformation::ALL {
        assert_eq!(Transformation::from_name(&transformation.name().to_uppercase()), Some(transformation));
    }
    assert_eq!(Transformation::from_name("normalisePath"), Some(NormalizePath));
    assert_eq!(Transformation::from_name("normalisePathWin"), Some(NormalizePathWin));
    assert_eq!(Transformation::from_name("none"), None);
}

#[test]
fn base64() {
    check(
        Base64Decode,
        &[
            (b"", b""),
            (b"VGVzdA==", b"Test"),
            (b"VGVzdA", b"Test"),
            (b"VGVz\r\ndA==", b"Test"),
            (b"VGVzd", b"Tes"),
            (b"VGVz dA==", b"Tes"),
            (b"VGVzdA==dGVzdA==", b"Test"),
            (b"VGVz.dA==", b"Tes"),
            (b"+/+/", b"\xFB\xFF\xBF"),
            (b"%", b""),
        ],
    );
    check(
        Base64DecodeExt,
        &[
            (b"", b""),
            (b"V G\tV\nz.d%A==", b"Test"),
            (b"VGVzdA==dGVzdA==", b"Test"),
            (b"-_-_", b"\xFB\xFF\xBF"),
            (b"YQ.Yg", b"a\x06\x20"),
            (b"=VGVz", b""),
        ],
    );
    check(
        Base64Encode,
        &[(b"", b""), (b"\0", b"AA=="), (b"ab", b"YWI="), (b"abc", b"YWJj"), (b"\xFB\xFF\xBF", b"+/+/")],
    );
}

#[test]
fn letters_and_space() {
    check(Lowercase, &[(b"aBc\xC3\x84[", b"abc\xC3\x84["), (b"abc", b"abc")]);
    check(Uppercase, &[(b"aBc\xC3\xA4{", b"ABC\xC3\xA4{"), (b"ABC", b"ABC")]);
    check(
        Trim,
        &[(b" \t\n\x0B\x0C\ra b\r ", b"a b"), (b"   ", b""), (b"\0a\0", b"\0a\0"), (b"\xA0a", b"\xA0a")],
    );
    check(TrimLeft, &[(b" a ", b"a "), (b"a ", b"a "), (b"  ", b"")]);
    check(TrimRight, &[(b" a ", b" a"), (b" a", b" a"), (b"  ", b"")]);
    check(RemoveNulls, &[(b"\0a\0\0b\0", b"ab"), (b"\0", b""), (b"a", b"a")]);
    check(ReplaceNulls, &[(b"\0a\0\0b\0", b" a  b "), (b"a", b"a")]);
    check(
        RemoveWhitespace,
        &[
            (b" a\t\n\x0B\x0C\r b ", b"ab"),
            (b"a\xA0b\xC2\xA0c", b"abc"),
            (b"\xC2\xA0", b""),
            (b"\xC2\xC2\xA0\xA0x", b"\xC2x"),
            (b"\xC2b", b"\xC2b"),
            (b"\xC3\xA9", b"\xC3\xA9"),
        ],
    );
    check(
        CompressWhitespace,
        &[
            (b"a b c", b"a b c"),
            (b" a  b ", b" a b "),
            (b"a \tb", b"a b"),
            (b"a\tb\r\n", b"a b "),
            (b"a\xA0b", b"a b"),
            (b"a \xA0\xC2\xA0 b", b"a b"),
            (b"\xC3\xA0 \xC3\xA9", b"\xC3\xA0 \xC3\xA9"),
            (b"\xC3 \xA0 ", b"\xC3 "),
            (b"\x85", b"\x85"),
        ],
    );
}

#[test]
fn url() {
    check(
        UrlDecode,
        &[
            (b"a+b%20c%2B", b"a b c+"),
            (b"%4a%4A", b"JJ"),
            (b"%", b"%"),
            (b"%4", b"%4"),
            (b"%%34", b"%4"),
            (b"%25%", b"%%"),
            (b"%u0041", b"%u0041"),
        ],
    );
    check(
        UrlDecodeUni,
        &[
            (b"a+b%20c", b"a b c"),
            (b"%u0041%U0042", b"AB"),
            (b"%u00e9%u2039%uff1c", b"e<<"),
            (b"%u3002%uFF61%uFF0E", b"..."),
            (b"%u4e2d%u1f600", b"-`0"),
            (b"%u00A3%u0000", b"\xA3\0"),
            (b"%u", b"%u"),
            (b"%u004", b"%u004"),
            (b"%u00g1", b"%u00g1"),
            (b"%U%41", b"%UA"),
            (b"%%u0041", b"%A"),
        ],
    );
    check(
        UrlEncode,
        &[(b"a *Z0", b"a+*Z0"), (b"-_.~/\xFF\0", b"%2d%5f%2e%7e%2f%ff%00"), (b"Az09*", b"Az09*")],
    );
}

#[test]
fn hex() {
    check(HexEncode, &[(b"\0\x7F\xFFa", b"007fff61"), (b"", b"")]);
    check(
        HexDecode,
        &[(b"4a4B", b"JK"), (b"4a4", b"J"), (b"4", b""), (b"4a4x", b"4a4x"), (b"0x41", b"0x41"), (b"", b"")],
    );
    check(
        SqlHexDecode,
        &[
            (b"0x4142", b"AB"),
            (b"a=0X414 00x41", b"a=A4 0A"),
            (b"0x", b"0x"),
            (b"0x4", b"0x4"),
            (b"0xg1", b"0xg1"),
            (b"0x410x42", b"AB"),
            (b"x41", b"x41"),
        ],
    );
}

#[test]
fn parity() {
    check(ParityEven7bit, &[(b"\x01\x03\x81\x83\0", b"\x81\x03\x81\x03\0")]);
    check(ParityOdd7bit, &[(b"\x01\x03\x81\x83\0", b"\x01\x83\x01\x83\x80")]);
    check(ParityZero7bit, &[(b"\x01\x83\xFF", b"\x01\x03\x7F"), (b"abc", b"abc")]);
}

#[test]
fn comments() {
    check(
        RemoveComments,
        &[
            (b"a/* b */c", b"ac"),
            (b"a<!-- b -->c", b"ac"),
            (b"a/* b -->c", b"ac"),
            (b"a/* b */", b"a\0"),
            (b"a/* b", b"a "),
            (b"a/*/b", b"a "),
            (b"a-- b", b"a"),
            (b"a# b", b"a"),
            (b"#", b""),
            (b"a*/b-->", b"a*/b"),
            (b"a/**//*b*/", b"a/*b*/"),
            (b"a/**/#b", b"a#b"),
            (b"a/b<c-d", b"a/b<c-d"),
        ],
    );
    check(
        RemoveCommentsChar,
        &[
            (b"/*a*/<!--b-->c--d#e", b"abcde"),
            (b"--->", b"->"),
            (b"/<*!->", b"/<*!->"),
            (b"/-*--/", b"/-*/"),
            (b"//**//", b"//"),
        ],
    );
    check(
        ReplaceComments,
        &[
            (b"a/* b */c", b"a c"),
            (b"/**//**/", b"  "),
            (b"a/*/b", b"a "),
            (b"a/*", b"a "),
            (b"a*/b", b"a*/b"),
            (b"a/b*c/", b"a/b*c/"),
            (b"a/* /* */ */", b"a  */"),
        ],
    );
}

#[test]
fn command_line() {
    check(
        CmdLine,
        &[
            (b"cmd", b"cmd"),
            (b"C^M\"D'\\", b"cmd"),
            (b"a ,;\t\r\n b", b"a b"),
            (b"a \"\" b", b"a b"),
            (b"a /b (c", b"a/b(c"),
            (b"a '/b", b"a/b"),
            (b" /", b"/"),
            (b"a\x0B\x0Cb", b"a\x0B\x0Cb"),
            (b"\xC3\x84", b"\xC3\x84"),
        ],
    );
}

#[test]
fn paths() {
    check(
        NormalizePath,
        &[
            (b"", b""),
            (b"/", b"/"),
            (b"//", b"/"),
            (b"/..", b"/"),
            (b"/../a", b"/a"),
            (b"../a", b"../a"),
            (b"a/../../b", b"../b"),
            (b"./a", b"a"),
            (b"./", b""),
            (b"a/..", b""),
            (b"a/../", b""),
            (b"/a/.", b"/a"),
            (b"/a/./", b"/a/"),
            (b"/a/..", b"/"),
            (b"/a/b/../..", b"/"),
            (b"a//b///c", b"a/b/c"),
            (b"/.../..a/.b./", b"/.../..a/.b./"),
            (b"../../a/../..", b"../../.."),
            (b"a\\..\\b", b"a\\..\\b"),
        ],
    );
    check(
        NormalizePathWin,
        &[
            (b"a\\b", b"a/b"),
            (b"\\", b"/"),
            (b"C:\\a\\..\\b", b"C:/b"),
            (b"\\\\host\\share", b"/host/share"),
            (b"..\\/a\\./", b"../a/"),
            (b"a/b", b"a/b"),
        ],
    );
}

#[test]
fn escapes() {
    check(
        CssDecode,
        &[
            (br"\41 B\42\43", b"ABBC".as_slice()),
            (br"\000041B", b"AB"),
            (br"\ff1cx\0ff1c ", b"<x<"),
            (b"\\41\t\tB", b"A\tB"),
            (br"\e9z\1F600 z", "\u{e9}z\u{1F600}z".as_bytes()),
            (br"\0z\d800z\110000", "\u{FFFD}z\u{FFFD}z\u{FFFD}".as_bytes()),
            (b"a\\\nb", b"ab"),
            (br#"\z\\\""#, br#"z\""#),
            (b"a\\", b"a"),
        ],
    );
    check(
        JsDecode,
        &[
            (br"\u0041\u0141\x42", b"AAB".as_slice()),
            (br"\uff1c\uFF5e\uff5f", b"<~\x5F"),
            (br"\101\60\0\377\4001", b"A0\0\xFF\x2001"),
            (br"\8\08", b"8\x008"),
            (br"\a\b\f\n\r\t\v\q\'", b"\x07\x08\x0C\n\r\t\x0Bq'"),
            (br"\u004\xg1\X41", b"u004xg1X41"),
            (br"\u{41}", b"u{41}"),
            (b"a\\", b"a\\"),
        ],
    );
    check(
        EscapeSeqDecode,
        &[
            (br#"\a\b\f\n\r\t\v\\\?\'\""#, b"\x07\x08\x0C\n\r\t\x0B\\?'\"".as_slice()),
            (br"\x41\X4a", b"AJ"),
            (br"\101\60\777\4001", b"A0\xFF\x001"),
            (br"\8\z\xZZ", b"8zxZZ"),
            (b"a\\", b"a\\"),
        ],
    );
}

#[test]
fn html() {
    check(
        HtmlEntityDecode,
        &[
            (b"&lt;&LT&gt;&amp&quot;&nbsp;", b"<<>&\"\xA0".as_slice()),
            (b"&#60;&#x3C&#X3c;&#060", b"<<<<"),
            (b"&#0000000000000000000000000000000000000000000000123;", b"{"),
            (b"&#233;&#8221;&#x1F600;", b"\xE9\xE2\x80\x9D\xF0\x9F\x98\x80"),
            (b"&#xD800;&#x110000;&#99999999999999999999;", "\u{FFFD}\u{FFFD}\u{FFFD}".as_bytes()),
            (b"&Tab;&newline;&lpar;&commat;&lbrace;&LCUB;&DiacriticalGrave;", b"\t\n(@{{`"),
            (b"&lpar &ltfoo; &foo; &lt1", b"&lpar &ltfoo; &foo; &lt1"),
            (b"&amplt;", b"&amplt;"),
            (b"&&lt;", b"&<"),
            (b"&#; &#x; &#xg; & &;", b"&#; &#x; &#xg; & &;"),
            (b"&#0;", b"\0"),
        ],
    );
}

#[test]
fn unicode() {
    check(
        Utf8ToUnicode,
        &[
            (b"abc", b"abc".as_slice()),
            ("aä€😀".as_bytes(), b"a%u00e4%u20ac%u1f600"),
            ("\u{10FFFF}\u{80}".as_bytes(), b"%u10ffff%u0080"),
            // Overlong, surrogate, too great, cut short, stray.
            (b"\xC0\xAF", b"\xC0\xAF"),
            (b"\xE0\x80\xAF", b"\xE0\x80\xAF"),
            (b"\xED\xA0\x80", b"\xED\xA0\x80"),
            (b"\xF4\x90\x80\x80", b"\xF4\x90\x80\x80"),
            (b"\xE2\x82\xC3\xA4", b"\xE2\x82%u00e4"),
            (b"\x80\xFF\xC3", b"\x80\xFF\xC3"),
        ],
    );
}

#[test]
fn digests() {
    check(Length, &[(b"", b"0"), (b"abc", b"3"), (b"1", b"1")]);
    check(Md5, &[(b"", b"\xD4\x1D\x8C\xD9\x8F\x00\xB2\x04\xE9\x80\x09\x98\xEC\xF8\x42\x7E")]);
    check(
        Sha1,
        &[(b"abc", b"\xA9\x99\x3E\x36\x47\x06\x81\x6A\xBA\x3E\x25\x71\x78\x50\xC2\x6C\x9C\xD0\xD8\x9D")],
    );
}

/// `true` means another value, `false` the same one; what `out` held before does not matter; the result
/// is bounded.
fn promises(input: &[u8]) -> Result<(), TestCaseError> {
    for &transformation in Transformation::ALL {
        let mut out = b"left over".to_vec();
        let changed = transformation.apply(input, &mut out);
        let mut fresh = Vec::new();
        prop_assert_eq!(transformation.apply(input, &mut fresh), changed);
        if changed {
            prop_assert!(out != input, "{} says the value changed", transformation.name());
            prop_assert_eq!(&out, &fresh, "{}", transformation.name());
            prop_assert!(out.len() <= 3 * input.len() + 20, "{} grew too much", transformation.name());
        }
    }
    Ok(())
}

/// Undoing what an encoder did gives the value back.
fn round_trips(input: &[u8]) -> Result<(), TestCaseError> {
    for (encode, decode) in [
        (HexEncode, HexDecode),
        (UrlEncode, UrlDecode),
        (UrlEncode, UrlDecodeUni),
        (Base64Encode, Base64Decode),
        (Base64Encode, Base64DecodeExt),
    ] {
        let encoded = applied(encode, input).unwrap_or_else(|| input.to_vec());
        let decoded = applied(decode, &encoded).unwrap_or(encoded);
        prop_assert_eq!(&decoded, input, "{} after {}", decode.name(), encode.name());
    }
    Ok(())
}

/// Applying these once more changes nothing.
fn idempotent(input: &[u8]) -> Result<(), TestCaseError> {
    for transformation in [
        CompressWhitespace,
        Lowercase,
        NormalizePath,
        NormalizePathWin,
        ParityEven7bit,
        ParityOdd7bit,
        ParityZero7bit,
        RemoveNulls,
        ReplaceNulls,
        Trim,
        TrimLeft,
        TrimRight,
        Uppercase,
    ] {
        if let Some(once) = applied(transformation, input) {
            prop_assert_eq!(applied(transformation, &once), None, "{} twice", transformation.name());
        }
    }
    Ok(())
}

#[test]
fn single_bytes_and_pairs() {
    promises(b"").unwrap();
    for first in 0..=u8::MAX {
        promises(&[first]).unwrap();
        round_trips(&[first]).unwrap();
        for second in 0..=u8::MAX {
            promises(&[first, second]).unwrap();
        }
    }
}

/// Pieces of every syntax that some transformation decodes.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"%",
        b"%u",
        b"%41",
        b"%uff1c",
        b"+",
        b"\\",
        b"\\x",
        b"\\u",
        b"\\u0041",
        b"\\ff1c ",
        b"\\0",
        b"\\777",
        b"\n",
        b" ",
        b"\t",
        b"\xA0",
        b"\xC2\xA0",
        b"\xC2",
        b"\xE2\x82\xAC",
        b"\xF0\x9F\x98\x80",
        b"\xED\xA0\x80",
        b"\0",
        b"&",
        b"&#",
        b"&#x",
        b"&lt",
        b"&lpar;",
        b";",
        b"&#60",
        b"0x",
        b"0X41",
        b"/*",
        b"*/",
        b"<!--",
        b"-->",
        b"--",
        b"#",
        b"/",
        b"\\..\\",
        b"/../",
        b"/./",
        b"..",
        b".",
        b"'",
        b"\"",
        b"^",
        b"(",
        b",",
        b"=",
        b"A",
        b"a",
        b"7",
        b"f",
        b"5c",
    ];
    prop_oneof![
        4 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(input in prop::collection::vec(any::<u8>(), 0..200)) {
        promises(&input)?;
        round_trips(&input)?;
        idempotent(&input)?;
    }

    #[test]
    fn escapes_galore(input in prop::collection::vec(fragment(), 0..40).prop_map(|pieces| pieces.concat())) {
        promises(&input)?;
        round_trips(&input)?;
        idempotent(&input)?;
    }
}
