//! Linear time, proved by counting the bytes that are looked at.

use crate::scan::counter::steps_of;
use std::vec::Vec;

/// Input that repeats one of these, or has one of these once before a repetition, is what makes scanners slow.
const PIECES: &[&str] = &[
    "a.",
    "and.",
    "select.",
    "int.",
    "and`",
    "/*",
    "/*!",
    "*/",
    "'",
    "''",
    "\\'",
    "\"",
    "\\\"",
    "`",
    "``",
    "$$",
    "$",
    "$a$",
    "$a",
    "$and.",
    "q'(",
    "nq'(",
    ")'",
    "x'0",
    "b'0",
    "x'",
    "u&'",
    "e'",
    "n'",
    "\\",
    "\\N",
    "0x",
    "0b",
    "1.e",
    "1e",
    "1.",
    ".",
    "1,",
    "(",
    ")",
    "((",
    "{a",
    "{",
    "}",
    "[",
    "]",
    "@",
    "@@",
    "@`",
    "@@'",
    "--",
    "-- ",
    "--a\n",
    "#",
    "#\n",
    "+",
    "-1,",
    "1+",
    ",-1",
    "1;",
    ";",
    "::int",
    "not ",
    "or ",
    "union all ",
    "a ",
    "sp_password",
    "s",
    " ",
    "\0",
    "\u{a0}",
    "é",
    "<",
    "<a ",
    "<a",
    "</",
    "</a",
    "</>",
    "<!",
    "<!--",
    "-",
    "-\0",
    "--!",
    "-->",
    "<%",
    "%",
    "%>",
    "<?",
    "<![CDATA[",
    "]",
    "]]",
    "]]>",
    "<!doctype",
    ">",
    "/>",
    "/",
    "/ ",
    "=",
    "a=",
    "a='",
    "a=\"",
    "a=`",
    "href=",
    "href='",
    "on=",
    "onclick\0",
    "&#",
    "&#x",
    "&#0",
    "&#x0;",
    "&#32;",
    "href=&#0",
    "\0=",
];

fn repeated(start: &str, piece: &str, length: usize) -> Vec<u8> {
    start.bytes().chain(piece.bytes().cycle()).take(length).collect()
}

/// The most often that one byte is looked at, by all readings together. The worst input found takes 11.
const MOST_LOOKS: usize = 12;

fn assert_few_looks(detect: impl Fn(&[u8])) {
    const LENGTH: usize = 1024;
    for start in PIECES.iter().copied().chain([""]) {
        for piece in PIECES {
            let input = repeated(start, piece, LENGTH);
            let steps = steps_of(|| detect(&input));
            assert!(steps <= MOST_LOOKS * LENGTH, "{start:?} and then {piece:?}: {steps} steps");
        }
    }
}

#[test]
fn sql_injection_is_found_in_linear_time() {
    assert_few_looks(|input| {
        let _ = crate::sqli(input);
    });
}

#[test]
fn scripting_is_found_in_linear_time() {
    assert_few_looks(|input| {
        let _ = crate::xss(input);
    });
}

#[test]
fn long_input_takes_no_more_steps_per_byte() {
    for piece in PIECES {
        let steps = |length| {
            let input = repeated("", piece, length);
            steps_of(|| (crate::sqli(&input), crate::xss(&input)))
        };
        let (short, long) = (steps(4096), steps(65536));
        assert!(long <= 17 * short, "{piece:?}: {short} steps on 4 KiB, {long} on 64 KiB");
    }
}
