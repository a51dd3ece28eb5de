//! Sliding windows: more than N matches in T seconds.

/// More than this many matches within so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Matches that are still fine.
    pub count: u16,
    /// Seconds of the window.
    pub seconds: u32,
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

impl Window {
    /// Counts a match at `now` (milliseconds since 1970). `None` while the limit holds; `Some(true)` when it
    /// is passed and was not scored within the window before.
    pub fn count(&mut self, rate: Rate, now: u64) -> Option<bool> {
        let length = u64::from(rate.seconds.max(1)) * 1_000;
        self.move_to(now / (length / PARTS as u64).max(1));
        if let Some(current) = self.counts.first_mut() {
            *current = current.saturating_add(1);
        }
        let total: u32 = self.counts.iter().map(|&count| u32::from(count)).sum();
        if total <= u32::from(rate.count) {
            return None;
        }
        let due = self.scored == 0 || now.saturating_sub(self.scored) >= length;
        if due {
            self.scored = now.max(1);
        }
        Some(due)
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
