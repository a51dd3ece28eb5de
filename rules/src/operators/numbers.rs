//! Numeric comparisons.

use std::cmp::Ordering;

/// The integer that the text begins with, after blanks: an optional sign and digits; 0 when there is
/// none, the nearest bound when it is too large. As in ModSecurity v3, but 64 bits for all operators;
/// Coraza takes `12abc` for 0.
#[must_use]
pub(crate) fn leading_integer(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, text),
    };
    // Counted downwards, because the negative range is the larger one.
    let value = digits
        .iter()
        .take_while(|b| b.is_ascii_digit())
        .fold(0_i64, |value, &b| value.saturating_mul(10).saturating_sub(i64::from(b & 0x0f)));
    if negative { value } else { value.checked_neg().unwrap_or(i64::MAX) }
}

/// Compares the value with a number, the value on the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Comparison {
    pub(super) fn holds(self, value: &[u8], number: i64) -> bool {
        self.holds_for(leading_integer(value), number)
    }

    fn holds_for(self, value: i64, number: i64) -> bool {
        let ordering = value.cmp(&number);
        match self {
            Self::Eq => ordering == Ordering::Equal,
            Self::Ge => ordering != Ordering::Less,
            Self::Gt => ordering == Ordering::Greater,
            Self::Le => ordering != Ordering::Greater,
            Self::Lt => ordering == Ordering::Less,
        }
    }
}

/// A comparison with a number that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberTest {
    comparison: Comparison,
    number: i64,
}

impl NumberTest {
    pub(super) fn new(comparison: Comparison, number: i64) -> Self {
        Self { comparison, number }
    }

    /// Whether it holds for a value.
    pub(crate) fn holds(self, value: &[u8]) -> bool {
        self.comparison.holds(value, self.number)
    }

    /// Whether it holds for a value that is this number.
    pub(crate) fn holds_for(self, value: i64) -> bool {
        self.comparison.holds_for(value, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_leniently() {
        for (text, value) in [
            ("", 0),
            ("0", 0),
            ("12abc", 12),
            ("  \t7 8", 7),
            ("+5", 5),
            ("-5", -5),
            ("--5", 0),
            ("- 5", 0),
            ("abc", 0),
            ("0x10", 0),
            ("1.9", 1),
            ("007", 7),
            ("9223372036854775807", i64::MAX),
            ("9223372036854775808", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("-99999999999999999999999", i64::MIN),
        ] {
            assert_eq!(leading_integer(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn the_value_is_on_the_left() {
        for (comparison, less, equal, greater) in [
            (Comparison::Eq, false, true, false),
            (Comparison::Ge, false, true, true),
            (Comparison::Gt, false, false, true),
            (Comparison::Le, true, true, false),
            (Comparison::Lt, true, false, false),
        ] {
            assert_eq!(comparison.holds(b"-3", 5), less);
            assert_eq!(comparison.holds(b"5", 5), equal);
            assert_eq!(comparison.holds(b"6", 5), greater);
        }
    }
}
