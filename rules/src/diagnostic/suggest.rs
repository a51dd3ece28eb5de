//! "Did you mean": the known name nearest to a misspelt one.

/// Names longer than this are not compared; no name of ours comes near it.
const LONGEST: usize = 64;

/// The candidate nearest to `name` by edit distance, if it is near enough to be meant: one edit in three
/// letters, case aside. Else the only candidate that has `name` as one of its underscore-separated words.
/// Among equally near ones the first wins.
#[must_use]
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let length = name.chars().count();
    let most = (length / 3).max(1);
    let mut nearest: Option<(usize, &str)> = None;
    let mut with_word = Vec::new();
    for candidate in candidates {
        // Each letter that one has more than the other is an edit.
        if candidate.chars().count().abs_diff(length) <= most {
            let distance = edit_distance(name, candidate);
            if distance <= most && nearest.is_none_or(|(best, _)| distance < best) {
                nearest = Some((distance, candidate));
            }
        }
        if candidate.split('_').any(|word| word.eq_ignore_ascii_case(name)) {
            with_word.push(candidate);
        }
    }
    match (nearest, with_word.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// Most choices that a help names.
const CHOICES: usize = 20;

/// [`suggest`] as the text of a help: "did you mean `x`?", else the choices themselves when they are few.
#[must_use]
pub fn did_you_mean(name: &str, candidates: &[&str]) -> Option<String> {
    if let Some(candidate) = suggest(name, candidates.iter().copied()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<String> = candidates.iter().map(|name| format!("`{name}`")).collect();
    match all.len() {
        0 => None,
        1 => Some(format!("use {}", all.concat())),
        2..=CHOICES => Some(format!("use one of {}", all.join(", "))),
        _ => None,
    }
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one into the other (optimal
/// string alignment), without regard to ASCII case.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let mut two_back: Vec<usize> = Vec::new();
    let mut back: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, left) in a.chars().map(|c| c.to_ascii_lowercase()).enumerate() {
        let mut current = Vec::with_capacity(back.len());
        current.push(row + 1);
        let mut above = None;
        for (column, &right) in b.iter().enumerate() {
            let at = |cells: &[usize], n: usize| cells.get(n).copied().unwrap_or(usize::MAX - 1);
            let mut cost = (at(&back, column) + usize::from(left != right))
                .min(at(&back, column + 1) + 1)
                .min(at(&current, column) + 1);
            if column > 0 && previous == Some(right) && above == Some(left) {
                cost = cost.min(at(&two_back, column - 1) + 1);
            }
            current.push(cost);
            above = Some(right);
        }
        previous = Some(left);
        two_back = std::mem::replace(&mut back, current);
    }
    back.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ARGS", "args", 0),
            ("phsae", "phase", 1),
            ("ab", "ba", 1),
            ("ca", "abc", 3),
            ("deny", "dny", 1),
        ] {
            assert_eq!(edit_distance(a, b), expected, "{a} -> {b}");
            assert_eq!(edit_distance(b, a), expected, "{b} -> {a}");
        }
    }

    #[test]
    fn suggestions() {
        let fields = ["rule_id", "resolution", "phase", "redirect_url", "log"];
        assert_eq!(suggest("pahse", fields), Some("phase"));
        assert_eq!(suggest("Phase", fields), Some("phase"));
        assert_eq!(suggest("id", fields), Some("rule_id"));
        assert_eq!(suggest("url", fields), Some("redirect_url"));
        assert_eq!(suggest("frobnicate", fields), None);
        assert_eq!(suggest("", fields), None);
        assert_eq!(suggest(&"x".repeat(100), fields), None);
        assert_eq!(suggest("limit", ["a_limit", "b_limit"]), None);
    }

    #[test]
    fn help_texts() {
        assert_eq!(did_you_mean("den", &["deny", "drop"]).as_deref(), Some("did you mean `deny`?"));
        assert_eq!(did_you_mean("zzzz", &["deny", "drop"]).as_deref(), Some("use one of `deny`, `drop`"));
        assert_eq!(did_you_mean("zzzz", &[]), None);
        assert_eq!(did_you_mean("zzzz", &["deny"]).as_deref(), Some("use `deny`"));
        assert_eq!(did_you_mean("zzzz", &["a"; CHOICES + 1]), None);
    }
}
