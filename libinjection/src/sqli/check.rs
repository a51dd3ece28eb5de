//! Decides whether folded tokens are an attack.

use super::fold::Folded;
use super::token::{Fingerprint, Kind, Token};
use super::{Context, Dialect, Quote, lookup};
use crate::scan::Scan;

/// Whether `input`, pasted into a statement of SQL, changes what the statement does.
///
/// The input is read as if no quotes were open, then, if it has quotes of a kind, as if these were; as standard SQL
/// and, where that makes a difference, as MySQL. Returns the fingerprint of the first reading that is an attack.
/// Empty input is none.
///
/// ```
/// let fingerprint = portcullis_libinjection::sqli::detect(b"1' OR '1'='1").unwrap();
/// assert_eq!(fingerprint.as_bytes(), b"s&sos");
/// assert_eq!(portcullis_libinjection::sqli::detect(b"O'Reilly & sons"), None);
/// ```
#[must_use]
pub fn detect(input: &[u8]) -> Option<Fingerprint> {
    if input.is_empty() {
        return None;
    }
    let judge = |quote, dialect| {
        let folded = super::fold(input, Context::new(quote, dialect)).with_back_quote_comment();
        let fingerprint = folded.fingerprint();
        let attack = lookup::is_known(&fingerprint) && !is_harmless(input, &folded, &fingerprint);
        (attack.then_some(fingerprint), folded.reads_differently_in_mysql)
    };
    let judge_both = |quote| match judge(quote, Dialect::Ansi) {
        (None, true) => judge(quote, Dialect::MySql).0,
        (found, _) => found,
    };

    let found = judge_both(Quote::None);
    if found.is_some() {
        return found;
    }
    if contains(input, b'\'') {
        let found = judge_both(Quote::Single);
        if found.is_some() {
            return found;
        }
    }
    // Only MySQL has strings in double quotes.
    if contains(input, b'"') {
        return judge(Quote::Double, Dialect::MySql).0;
    }
    None
}

fn contains(input: &[u8], wanted: u8) -> bool {
    Scan::new(input).find(0, |byte| byte == wanted).is_some()
}

/// Whether tokens with the fingerprint of an attack are found in harmless text too.
fn is_harmless(input: &[u8], folded: &Folded, fingerprint: &Fingerprint) -> bool {
    if *fingerprint == Fingerprint::EVIL {
        return false;
    }
    const SP_PASSWORD: &[u8] = b"sp_password";
    // The logs of SQL Server leave out every statement that has this word, even in a comment.
    if matches!(fingerprint.as_bytes(), [_, .., b'c']) && Scan::new(input).find_text(0, SP_PASSWORD).is_some()
    {
        return false;
    }
    match folded.tokens() {
        [a, b] => is_harmless_pair(input, folded.seen, a, b),
        [a, b, c] => is_harmless_triple(folded.seen, a, b, c),
        _ => false,
    }
}

fn is_harmless_pair(input: &[u8], seen: usize, a: &Token, b: &Token) -> bool {
    let comment = b.value();
    match (a.kind, b.kind) {
        // `1 union` may be text; with something folded away it is part of an attack that spans parameters.
        (_, Kind::Union) => seen == 2,
        _ if comment.first() == Some(&b'#') => true,
        (Kind::Bareword, Kind::Comment) => comment.first() != Some(&b'/'),
        (Kind::Number, Kind::Comment) if comment.first() == Some(&b'/') || seen > 2 => false,
        // `1234-AB--` looks like this, as does `1--`: the number has to end where white space or a comment starts.
        // Bytes outside ASCII count as white space.
        (Kind::Number, Kind::Comment) => {
            let after = a.value().len();
            match (input.get(after), input.get(after + 1)) {
                (Some(b'/'), Some(b'*')) | (Some(b'-'), Some(b'-')) => false,
                (Some(33..=127), _) => true,
                _ => false,
            }
        }
        // `--` at the end is what scanners send; with text behind, it is punctuation.
        _ => comment.len() > 2 && comment.first() == Some(&b'-'),
    }
}

fn is_harmless_triple(seen: usize, a: &Token, b: &Token, c: &Token) -> bool {
    use Kind::{Bareword, Keyword, LogicOperator, Number, Operator, String, Variable};
    match (a.kind, b.kind, c.kind) {
        // `…' + '…`: an attack if the strings start and end outside of the input, in the same quotes.
        (String, Operator | LogicOperator, String) => {
            !(a.opened.is_none() && c.closed.is_none() && a.closed == c.opened)
        }
        // `sexy and 17` is text, `sexy and 17<18` is not.
        (String, LogicOperator, Bareword)
        | (Bareword, LogicOperator, Number)
        | (Number, LogicOperator, Number | Variable | String) => seen == 3,
        // Of the keywords, only `INTO OUTFILE` and `INTO DUMPFILE` make an attack so short.
        (_, Keyword, _) => b.value().len() < 5 || !b.starts_with("INTO"),
        _ => false,
    }
}
