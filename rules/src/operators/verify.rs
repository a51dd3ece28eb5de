//! `@verifyCC`, `@verifyCPF`, `@verifySSN`, `@verifySVNR`, `@validateNid`: a regular expression finds
//! candidates, and arithmetic tells the numbers among them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::pattern::Pattern;
use super::pcre::PatternError;
use super::{Capture, Captures, OperatorError};
use crate::limits;

/// A number's arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    CreditCard,
    Cpf,
    Ssn,
    Svnr,
    Rut,
}

impl Scheme {
    /// Whether the candidate is a number of this kind.
    fn accepts(self, candidate: &[u8]) -> bool {
        match self {
            Self::CreditCard => is_credit_card(candidate),
            Self::Cpf => is_cpf(candidate),
            Self::Ssn => is_ssn(candidate),
            Self::Svnr => is_svnr(candidate),
            Self::Rut => is_rut(candidate),
        }
    }
}

/// A search for numbers.
#[derive(Debug)]
pub(super) struct Search {
    scheme: Scheme,
    pattern: Pattern,
    /// Whether up to ten numbers are captured from matches that don't overlap (`@validateNid`, as in
    /// Coraza), instead of the first from matches that begin at any byte (`@verify…`, as in
    /// ModSecurity).
    many: bool,
    /// Whether the last search ended at a limit.
    gave_up: AtomicBool,
}

impl Search {
    /// The search of a `@verify…` operator.
    ///
    /// # Errors
    /// When the regular expression can't be used.
    pub(super) fn verify(scheme: Scheme, pattern: &[u8]) -> Result<Self, OperatorError> {
        Ok(Self { scheme, pattern: Pattern::new(pattern)?, many: false, gave_up: AtomicBool::new(false) })
    }

    /// A search of `@validateNid`: a country, `cl` or `us`, and a regular expression.
    ///
    /// # Errors
    /// When the country is another, or the expression can't be used.
    pub(super) fn validate_nid(argument: &[u8]) -> Result<Self, OperatorError> {
        let start = argument.len() - argument.trim_ascii_start().len();
        let text = argument.trim_ascii_start();
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let country = text.get(..end).unwrap_or_default();
        let source = text.get(end..).unwrap_or_default().trim_ascii_start();
        let scheme = match country.to_ascii_lowercase().as_slice() {
            b"cl" => Scheme::Rut,
            b"us" => Scheme::Ssn,
            _ => {
                return Err(OperatorError::Argument {
                    message: format!(
                        "`{}` is no country whose ids are known",
                        String::from_utf8_lossy(country)
                    ),
                    help: Some("write `cl` or `us`, a blank and a regular expression".to_owned()),
                    span: Some(start..start + end),
                });
            }
        };
        let offset = argument.len() - source.len();
        let pattern = Pattern::new(source).map_err(|error| PatternError {
            span: error.span.start + offset..error.span.end + offset,
            ..error
        })?;
        Ok(Self { scheme, pattern, many: true, gave_up: AtomicBool::new(false) })
    }

    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Whether a number is in the value. The work is bounded by [`limits::VERIFY_CANDIDATES`] and
    /// [`limits::VERIFY_FACTOR`].
    pub(super) fn is_match(&self, value: &[u8], mut captures: Option<&mut Captures>) -> bool {
        let mut work = value.len().saturating_mul(limits::VERIFY_FACTOR);
        let mut start = 0;
        let mut found = 0;
        let mut tries = 0;
        let mut complete = false;
        while tries < limits::VERIFY_CANDIDATES {
            tries += 1;
            let Some(candidate) = self.pattern.find(value, start) else {
                complete = true;
                break;
            };
            if self.scheme.accepts(value.get(candidate.clone()).unwrap_or_default()) {
                if let Some(captures) = captures.as_deref_mut() {
                    if found == 0 {
                        captures.clear();
                    }
                    captures.set(found, Capture::Part(candidate.clone()));
                }
                found += 1;
                if !self.many || captures.is_none() || found == Captures::SLOTS {
                    break;
                }
            }
            let Some(left) = work.checked_sub(candidate.len()) else { break };
            work = left;
            // A search from any byte up to the candidate's first finds the same candidate.
            start = if self.many { candidate.end.max(candidate.start + 1) } else { candidate.start + 1 };
        }
        self.gave_up.store(found == 0 && !complete, Ordering::Relaxed);
        found > 0
    }

    /// Whether the last search ended at a limit and found nothing.
    pub(super) fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }
}

fn digits(text: &[u8]) -> impl DoubleEndedIterator<Item = u8> {
    text.iter().filter(|b| b.is_ascii_digit()).map(|b| b & 0x0f)
}

/// The first `N` digits, when there are as many.
fn first_digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let mut rest = digits(text);
    for slot in &mut out {
        *slot = rest.next()?;
    }
    Some(out)
}

/// The sum of digits times weights.
fn weighted(digits: &[u8], weights: impl Iterator<Item = u32>) -> u32 {
    digits.iter().zip(weights).map(|(&digit, weight)| u32::from(digit) * weight).sum()
}

fn all_equal(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// Luhn's check over the digits, of which there is at least one; other bytes are passed over.
fn is_credit_card(text: &[u8]) -> bool {
    let mut count = 0_usize;
    let sum = digits(text).rev().fold(0_u32, |sum, digit| {
        let doubled = u32::from(digit) * (1 + u32::from(count % 2 == 1));
        count += 1;
        // The sum's last digit is all that counts.
        (sum + doubled / 10 + doubled % 10) % 10
    });
    count > 0 && sum == 0
}

/// Brazil: the first eleven digits, not all the same, the last two of which check the others.
fn is_cpf(text: &[u8]) -> bool {
    let Some(number) = first_digits::<11>(text) else { return false };
    let [.., first, second] = number;
    let check = |sum: u32| match sum % 11 {
        rest @ 2.. => 11 - rest,
        _ => 0,
    };
    !all_equal(&number)
        && check(weighted(&number, (2..=10).rev())) == u32::from(first)
        && check(weighted(&number, (2..=11).rev())) == u32::from(second)
}

/// United States: exactly nine digits, neither all the same nor each one more than the one before;
/// area, group and serial number are not 0, and the area is less than 740 and not 666.
fn is_ssn(text: &[u8]) -> bool {
    if digits(text).count() != 9 {
        return false;
    }
    let Some(number) = first_digits::<9>(text) else { return false };
    let part = |digits: &[u8]| digits.iter().fold(0_u32, |value, &digit| value * 10 + u32::from(digit));
    let [a, b, c, d, e, serial @ ..] = number;
    let ascending = number.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
    let area = part(&[a, b, c]);
    !ascending
        && !all_equal(&number)
        && !matches!(area, 0 | 666 | 740..)
        && part(&[d, e]) != 0
        && part(&serial) != 0
}

/// Austria: the first ten digits, not all the same, the fourth of which checks the others.
fn is_svnr(text: &[u8]) -> bool {
    let Some(number) = first_digits::<10>(text) else { return false };
    let [_, _, _, check, ..] = number;
    let rest = match weighted(&number, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6].into_iter()) % 11 {
        10 => 0,
        rest => rest,
    };
    !all_equal(&number) && rest == u32::from(check)
}

/// Chile: digits and `k`, eight at least, the last of which checks the others; other bytes are passed
/// over.
fn is_rut(text: &[u8]) -> bool {
    let mut characters =
        text.iter().map(u8::to_ascii_lowercase).filter(|b| b.is_ascii_digit() || *b == b'k').rev();
    let Some(check) = characters.next() else { return false };
    let (mut sum, mut count, mut weight) = (0_u32, 1_usize, 2);
    for character in characters {
        if character == b'k' {
            return false;
        }
        sum = (sum + u32::from(character & 0x0f) * weight) % 11;
        weight = if weight == 7 { 2 } else { weight + 1 };
        count += 1;
    }
    let expected = match 11 - sum {
        11 => b'0',
        10 => b'k',
        rest => b"0123456789".get(rest as usize).copied().unwrap_or_default(),
    };
    count >= 8 && check == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scheme: Scheme, cases: &[(&str, bool)]) {
        for (text, valid) in cases {
            assert_eq!(scheme.accepts(text.as_bytes()), *valid, "{scheme:?} {text}");
        }
    }

    #[test]
    fn credit_cards() {
        check(
            Scheme::CreditCard,
            &[
                ("4408041234567893", true),
                ("4408041234567890", false),
                ("5484-6050-8915-8216", true),
                ("0", true),
                ("18", true),
                ("81", false),
                ("", false),
                ("--", false),
            ],
        );
    }

    #[test]
    fn brazilian_numbers() {
        check(
            Scheme::Cpf,
            &[
                ("010.817.514-60", true),
                ("010.817.514-61", false),
                ("010.817.514-70", false),
                ("111.444.777-35", true),
                ("111.111.111-11", false),
                ("010.817.514-6", false),
                ("010.817.514-60 9", true),
            ],
        );
    }

    #[test]
    fn american_numbers() {
        check(
            Scheme::Ssn,
            &[
                ("574-57-8065", true),
                ("219-09-9999", true),
                ("000-09-9999", false),
                ("666-09-9999", false),
                ("740-09-9999", false),
                ("739-09-9999", true),
                ("219-00-9999", false),
                ("219-09-0000", false),
                ("123456789", false),
                ("111111111", false),
                ("574-57-806", false),
                ("574-57-80651", false),
            ],
        );
    }

    #[test]
    fn austrian_numbers() {
        check(
            Scheme::Svnr,
            &[("1237 010180", true), ("1238 010180", false), ("0000000000", false), ("1237 01018", false)],
        );
    }

    #[test]
    fn chilean_numbers() {
        check(
            Scheme::Rut,
            &[
                ("12.345.678-5", true),
                ("12.345.678-6", false),
                ("76.086.428-5", true),
                ("6.265.837-1", true),
                ("11.111.112-K", true),
                ("1k.111.112-K", false),
                ("5.126.663-3", true),
                ("126.663-3", false),
                ("", false),
            ],
        );
    }

    fn cc(pattern: &str) -> Search {
        Search::verify(Scheme::CreditCard, pattern.as_bytes()).unwrap()
    }

    #[test]
    fn a_number_may_begin_within_a_candidate() {
        let mut captures = Captures::default();
        assert!(cc(r"\d{13,16}").is_match(b"x94408041234567893x", Some(&mut captures)));
        assert_eq!(captures.get(0), Some(&Capture::Part(2..18)));
        assert_eq!(captures.get(1), None);
    }

    #[test]
    fn work_on_long_values_is_bounded() {
        // Every byte begins a match that goes on to the end; only one of the last is a number.
        let search = Search::verify(Scheme::Ssn, br"[-\d ]+").unwrap();
        let value = |ones| [&b"1".repeat(ones)[..], b" 574-57-8065"].concat();
        assert!(search.is_match(&value(limits::VERIFY_FACTOR - 2), None));
        assert!(!search.is_match(&value(100_000), None));
        // An empty match at each byte.
        let search = Search::verify(Scheme::Ssn, br"x*|574-57-8065").unwrap();
        assert!(!search.is_match(&value(limits::VERIFY_CANDIDATES), None) && search.gave_up());
        assert!(!search.is_match(b"nothing", None) && !search.gave_up());
    }

    #[test]
    fn national_ids_are_captured_in_order() {
        let search = Search::validate_nid(br"us \d{3}-\d\d-\d{4}").unwrap();
        let mut captures = Captures::default();
        assert!(search.is_match(b"000-09-9999 219-09-9999 574-57-8065", Some(&mut captures)));
        assert_eq!(captures.get(0), Some(&Capture::Part(12..23)));
        assert_eq!(captures.get(1), Some(&Capture::Part(24..35)));
        assert_eq!(captures.get(2), None);
    }

    #[test]
    fn errors_have_their_place() {
        for (argument, part) in [("de x", "de"), ("", ""), ("us  a(?=b)", "(?=b)")] {
            let Err(OperatorError::Argument { span: Some(span), .. }) =
                Search::validate_nid(argument.as_bytes())
            else {
                panic!("{argument} was accepted");
            };
            assert_eq!(&argument[span], part);
        }
    }
}
