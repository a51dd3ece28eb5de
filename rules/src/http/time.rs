//! The civil date, UTC, for the `TIME` variables.

use crate::model::Variable;

const DAY: u64 = 86_400;

/// A moment as date and time of day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CivilTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub epoch: u64,
    /// The year.
    pub year: u64,
    /// 1 to 12.
    pub month: u8,
    /// Day of the month, 1 to 31.
    pub day: u8,
    /// Day of the week, 0 (Sunday) to 6.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A moment as RFC 3339 text (`2026-03-01T12:00:00Z`, `…T13:00:00.5+01:00`), in nanoseconds since 1970. `None`
/// when it is no such text, or before 1970.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = bytes.get(from..to).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let is = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte));
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if day == 0 || day > length {
        return None;
    }
    // Days from 1970-01-01, with years that begin in March.
    let (shifted, from_march) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days =
        365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + (153 * from_march + 2) / 5 + day - 1;
    let seconds = (days - 719_468) * DAY + hour * 3_600 + minute * 60 + second;
    let mut at = 19;
    let mut fraction = 0;
    if bytes.get(at) == Some(&b'.') {
        let end = bytes.iter().skip(at + 1).take_while(|byte| byte.is_ascii_digit()).count() + at + 1;
        let digits = text.get(at + 1..end.min(at + 10)).filter(|digits| !digits.is_empty())?;
        fraction = format!("{digits:0<9}").parse().ok()?;
        at = end;
    }
    let seconds = match (bytes.get(at)?, bytes.len() - at) {
        (b'Z' | b'z', 1) => seconds,
        (sign @ (b'+' | b'-'), 6) if is(at + 3, b":") => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            let offset = hours * 3_600 + minutes * 60;
            if *sign == b'+' { seconds.checked_sub(offset)? } else { seconds.checked_add(offset)? }
        }
        _ => return None,
    };
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

impl CivilTime {
    /// The date and time `epoch` seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn from_unix(epoch: u64) -> Self {
        let days = epoch / DAY;
        let of_day = epoch % DAY;
        // Years are counted from March, so that the leap day ends one, in eras of 400 years
        // (146,097 days); day 0 of era 0 is 0000-03-01, 719,468 days before 1970.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let of_era = shifted % 146_097;
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Five months from March on have 153 days.
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        Self {
            epoch,
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month: small(month),
            day: small(day),
            weekday: small((days + 4) % 7),
            hour: small(of_day / 3_600),
            minute: small(of_day / 60 % 60),
            second: small(of_day % 60),
        }
    }

    /// The month as `Jan` to `Dec`.
    #[must_use]
    pub fn month_name(&self) -> &'static str {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        MONTHS.get(usize::from(self.month.saturating_sub(1))).copied().unwrap_or_default()
    }

    /// Appends the text of a `TIME` variable to `out`, with the values that ModSecurity 2 documents:
    /// `TIME_MON` counts from 0, `TIME_WDAY` from Sunday. Returns `false` for other variables.
    pub fn write(&self, variable: Variable, out: &mut Vec<u8>) -> bool {
        match variable {
            Variable::Time => {
                two_digits(self.hour, out);
                out.push(b':');
                two_digits(self.minute, out);
                out.push(b':');
                two_digits(self.second, out);
            }
            Variable::TimeDay => out.extend_from_slice(self.day.to_string().as_bytes()),
            Variable::TimeEpoch => out.extend_from_slice(self.epoch.to_string().as_bytes()),
            Variable::TimeHour => two_digits(self.hour, out),
            Variable::TimeMin => two_digits(self.minute, out),
            Variable::TimeMon => {
                out.extend_from_slice(self.month.saturating_sub(1).to_string().as_bytes());
            }
            Variable::TimeSec => two_digits(self.second, out),
            Variable::TimeWday => out.extend_from_slice(self.weekday.to_string().as_bytes()),
            Variable::TimeYear => out.extend_from_slice(format!("{:04}", self.year).as_bytes()),
            _ => return false,
        }
        true
    }
}

/// A number that is known to be below 60 or so.
fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn two_digits(number: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'0' + number / 10 % 10, b'0' + number % 10]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-03-01T12:00:00Z", Some(1_772_366_400_000_000_000)),
            ("2026-03-01T13:00:00.5+01:00", Some(1_772_366_400_500_000_000)),
            ("2024-02-29t13:14:15.123456789z", Some(1_709_212_455_123_456_789)),
            ("2024-02-29 08:14:15-05:00", Some(1_709_212_455_000_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-03-01T24:00:00Z", None),
            ("2026-03-01", None),
            ("2026-03-01T12:00:00", None),
            ("2026-03-01T12:00:00.Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
        ] {
            assert_eq!(super::parse_rfc3339(text), expected, "{text}");
        }
    }

    fn text(epoch: u64, variable: Variable) -> String {
        let mut out = Vec::new();
        assert!(CivilTime::from_unix(epoch).write(variable, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        // epoch, TIME, TIME_DAY, TIME_MON, TIME_WDAY, TIME_YEAR
        let cases = [
            (0, "00:00:00", "1", "0", "4", "1970"),
            (951_827_696, "12:34:56", "29", "1", "2", "2000"),
            (951_868_800, "00:00:00", "1", "2", "3", "2000"),
            (1_704_067_199, "23:59:59", "31", "11", "0", "2023"),
            (1_735_689_600, "00:00:00", "1", "0", "3", "2025"),
            (4_107_542_399, "23:59:59", "28", "1", "0", "2100"),
            (4_107_542_400, "00:00:00", "1", "2", "1", "2100"),
        ];
        for (epoch, time, day, month, weekday, year) in cases {
            assert_eq!(text(epoch, Variable::Time), time, "{epoch}");
            assert_eq!(text(epoch, Variable::TimeDay), day, "{epoch}");
            assert_eq!(text(epoch, Variable::TimeMon), month, "{epoch}");
            assert_eq!(text(epoch, Variable::TimeWday), weekday, "{epoch}");
            assert_eq!(text(epoch, Variable::TimeYear), year, "{epoch}");
            assert_eq!(text(epoch, Variable::TimeEpoch), epoch.to_string());
        }
        let at = 1_700_000_705; // 2023-11-14T22:25:05Z
        assert_eq!(text(at, Variable::TimeHour), "22");
        assert_eq!(text(at, Variable::TimeMin), "25");
        assert_eq!(text(at, Variable::TimeSec), "05");
        assert!(!CivilTime::from_unix(0).write(Variable::Duration, &mut Vec::new()));
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut before = CivilTime::from_unix(0);
        for day in 1..200_000 {
            let now = CivilTime::from_unix(day * DAY);
            let leap = before.year.is_multiple_of(4)
                && (!before.year.is_multiple_of(100) || before.year.is_multiple_of(400));
            let length = match before.month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let expected = if before.day < length {
                (before.year, before.month, before.day + 1)
            } else if before.month < 12 {
                (before.year, before.month + 1, 1)
            } else {
                (before.year + 1, 1, 1)
            };
            assert_eq!((now.year, now.month, now.day), expected);
            assert_eq!(now.weekday, (before.weekday + 1) % 7);
            before = now;
        }
    }

    proptest! {
        #[test]
        fn any_moment_has_a_date(epoch in 0..u64::MAX / 2) {
            let time = CivilTime::from_unix(epoch);
            prop_assert!((1..=12).contains(&time.month) && (1..=31).contains(&time.day));
        }
    }
}
