//! Of equal mistakes the first ones are enough: the others are counted.

use std::collections::BTreeMap;

use super::{Code, Diagnostic, Level};
use crate::limits;

/// Errors of one code after which further rules are not read.
const FLOOD: usize = 100 * limits::DIAGNOSTICS;

/// How many diagnostics there were of each code.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cap(BTreeMap<Code, usize>);

impl Cap {
    /// Counts a diagnostic. Whether it is among the first of its code, which are kept.
    pub(crate) fn admits(&mut self, diagnostic: &Diagnostic) -> bool {
        let count = self.0.entry(diagnostic.code).or_default();
        *count = count.saturating_add(usize::try_from(diagnostic.left_out).unwrap_or(usize::MAX).max(1));
        diagnostic.left_out == 0 && *count <= limits::DIAGNOSTICS
    }

    /// Counts those from `start` on, and takes out what is not kept.
    pub(crate) fn trim(&mut self, diagnostics: &mut Vec<Diagnostic>, start: usize) {
        let mut place = 0;
        diagnostics.retain(|diagnostic| {
            place += 1;
            place <= start || self.admits(diagnostic)
        });
    }

    /// Whether there are so many errors of some kind that the rest of the text makes no difference.
    pub(crate) fn is_flooded(&self) -> bool {
        self.0.iter().any(|(code, count)| code.level() == Level::Error && *count > FLOOD)
    }

    /// Says of each code how many more there were.
    pub(crate) fn left_out(&self) -> impl Iterator<Item = Diagnostic> {
        self.0.iter().filter_map(|(code, count)| {
            let more = count.checked_sub(limits::DIAGNOSTICS).filter(|more| *more > 0)?;
            let open = if *count > FLOOD { "or still " } else { "" };
            let message = format!("{more} {open}more reports of this kind ({}) are left out", code.title());
            let diagnostic = Diagnostic::new(*code, message);
            let left_out = u32::try_from(more).unwrap_or(u32::MAX);
            Some(Diagnostic { left_out, ..diagnostic.help("mend those above and check again") })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_code_are_kept() {
        let many = |code, count| vec![Diagnostic::new(code, "x"); count];
        let mut all = [many(Code::E0101, limits::DIAGNOSTICS + 7), many(Code::W0108, 3)].concat();
        let mut cap = Cap::default();
        cap.trim(&mut all, 0);
        assert_eq!(all.len(), limits::DIAGNOSTICS + 3);
        let more: Vec<Diagnostic> = cap.left_out().collect();
        assert_eq!(more.iter().map(|one| (one.code, one.left_out)).collect::<Vec<_>>(), [(Code::E0101, 7)]);
        // Those that stand for others count for them when they are counted again.
        all.extend(more);
        let mut again = Cap::default();
        again.trim(&mut all, 0);
        assert_eq!(all.len(), limits::DIAGNOSTICS + 3);
        assert_eq!(again.left_out().map(|one| one.left_out).collect::<Vec<_>>(), [7]);
    }
}
