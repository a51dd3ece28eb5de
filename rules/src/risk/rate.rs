//! Sliding windows: more than N matches in T seconds.

/// More than this many matches within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Matches that are still fine.
    pub count: u16,
    /// Seconds of the window.
    pub seconds: u32,
}

/// What a rule with a rate does about clients once there were more matches, for the rest of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateAction {
    /// Their requests are refused.
    Block,
    /// They have to pass a challenge.
    Interrogate,
}

/// A rule with a rate that acts, counted by client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLimit {
    /// The rule.
    pub rule: u64,
    /// Its rate.
    pub rate: Rate,
    /// What it does.
    pub action: RateAction,
}

/// How many parts a window is counted in.
const PARTS: usize = 8;

/// The matches of one rule by one client.
///
/// The window is counted in eighths, the current one and the eight before it: a match counts for at least the
/// window's length and for at most nine eighths of it. So nothing within the window is missed, and the error is
/// at most the matches of the eighth before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The rule.
    pub rule: u64,
    /// Number of the current part since 1970.
    pub part: u64,
    /// Matches in the current part and those before it, newest first.
    pub counts: [u16; PARTS + 1],
    /// Millisecond since 1970 at which the limit was passed last and scored; 0 for never.
    pub scored: u64,
}

impl Rate {
    /// Milliseconds of a part of the window.
    fn part(self) -> u64 {
        (u64::from(self.seconds.max(1)) * 1_000 / PARTS as u64).max(1)
    }
}

impl Window {
    /// Counts a match at `now` (milliseconds since 1970). `None` while the limit holds; `Some(true)` when it
    /// is passed and was not scored within the window before.
    pub fn count(&mut self, rate: Rate, now: u64) -> Option<bool> {
        let length = u64::from(rate.seconds.max(1)) * 1_000;
        self.move_to(now / rate.part());
        if let Some(current) = self.counts.first_mut() {
            *current = current.saturating_add(1);
        }
        if self.total() <= u32::from(rate.count) {
            return None;
        }
        let due = self.scored == 0 || now.saturating_sub(self.scored) >= length;
        if due {
            self.scored = now.max(1);
        }
        Some(due)
    }

    /// Until when (milliseconds since 1970) there are more matches in the window than the rate allows; `None` when there
    /// are not at `now`.
    #[must_use]
    pub fn over_until(&self, rate: Rate, now: u64) -> Option<u64> {
        let mut window = *self;
        window.move_to(now / rate.part());
        let mut left = window.total();
        let most = u32::from(rate.count);
        if left <= most {
            return None;
        }
        // The oldest part goes first, when the window has moved on by as many parts as there are.
        for (age, &count) in window.counts.iter().enumerate().rev() {
            left = left.saturating_sub(u32::from(count));
            if left <= most {
                let gone = window.part.saturating_add((PARTS + 1).saturating_sub(age) as u64);
                return Some(gone.saturating_mul(rate.part()));
            }
        }
        None
    }

    fn total(&self) -> u32 {
        self.counts.iter().map(|&count| u32::from(count)).sum()
    }

    fn move_to(&mut self, part: u64) {
        // A clock that went back counts into the newest part.
        let passed = part.saturating_sub(self.part);
        if passed > 0 {
            let passed = usize::try_from(passed).unwrap_or(usize::MAX).min(self.counts.len());
            let length = self.counts.len();
            self.counts.rotate_right(passed % length);
            self.counts.iter_mut().take(passed).for_each(|count| *count = 0);
            self.part = part;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_limit_within_the_window() {
        let rate = Rate { count: 3, seconds: 10 };
        let mut window = Window::default();
        let found: Vec<_> = (0..6).map(|n| window.count(rate, 1_000_000 + n * 1_000)).collect();
        assert_eq!(found, [None, None, None, Some(true), Some(false), Some(false)]);
        // Long after, nothing is left.
        assert_eq!(window.count(rate, 1_060_000), None);
    }

    #[test]
    fn the_limit_is_passed_until_enough_matches_are_old() {
        let rate = Rate { count: 2, seconds: 8 };
        let mut window = Window::default();
        for at in [100_000, 101_000, 102_000, 102_500] {
            window.count(rate, at);
        }
        // The first two have to go: the second does nine parts after it came.
        assert_eq!(window.over_until(rate, 103_000), Some(110_000));
        assert_eq!(window.over_until(rate, 109_999), Some(110_000));
        assert_eq!(window.over_until(rate, 110_000), None);
        assert_eq!(Window::default().over_until(rate, 103_000), None);
    }

    #[test]
    fn a_match_counts_for_the_window_and_at_most_an_eighth_more() {
        for offset in (0..10_000).step_by(97) {
            let rate = Rate { count: 1, seconds: 10 };
            let start = 5_000_000 + offset;
            let mut window = Window::default();
            window.count(rate, start);
            assert!(window.clone().count(rate, start + 9_999).is_some(), "{offset}");
            assert!(window.clone().count(rate, start + 11_250).is_none(), "{offset}");
        }
    }
}
