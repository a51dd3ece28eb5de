//! What a measurement says: a table, goals with what came of them, and all numbers as JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use portcullis_benches::stats::Spread;
use serde::Serialize;
use serde_json::Value;

/// A goal and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    what: String,
    measured: f64,
    goal: String,
    met: bool,
}

impl Check {
    /// A value that should be no larger.
    pub(crate) fn at_most(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        let met = measured <= goal;
        Self { what: what.into(), measured, goal: format!("at most {goal}{unit}"), met }
    }

    /// A value that should be no smaller.
    pub(crate) fn at_least(what: impl Into<String>, measured: f64, goal: f64, unit: &str) -> Self {
        let met = measured >= goal;
        Self { what: what.into(), measured, goal: format!("at least {goal}{unit}"), met }
    }

    fn line(&self) -> String {
        let met = if self.met { "met" } else { "NOT MET" };
        format!("{}: {} ({}): {met}", self.what, number(self.measured), self.goal)
    }
}

/// One measurement.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    /// Its short name, which is the file's as well.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    /// How it was measured.
    pub(crate) notes: Vec<String>,
    #[serde(skip)]
    pub(crate) columns: Vec<&'static str>,
    #[serde(skip)]
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) checks: Vec<Check>,
    /// All numbers.
    pub(crate) data: Value,
}

impl Report {
    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = format!("\n{}\n", self.title);
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        let cells =
            || std::iter::once(self.columns.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
        let lines: Vec<Vec<String>> = cells().chain(self.rows.iter().cloned()).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
            })
            .map(Option::unwrap_or_default)
            .collect();
        for line in &lines {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let _ = if column == 0 {
                    write!(out, "{gap}{cell:<width$}")
                } else {
                    write!(out, "{gap}{cell:>width$}")
                };
            }
            out.push('\n');
        }
        for check in &self.checks {
            let _ = writeln!(out, "{}", check.line());
        }
        out
    }

    /// For `docs/performance.md`.
    pub(crate) fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.title);
        for note in &self.notes {
            let _ = writeln!(out, "{note}");
        }
        if !self.columns.is_empty() {
            let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            out.push('\n');
            out.push_str(&row(self.columns.iter().map(|cell| (*cell).to_owned()).collect()));
            out.push_str(&row(self.columns.iter().map(|_| "---".to_owned()).collect()));
            self.rows.iter().for_each(|cells| out.push_str(&row(cells.clone())));
        }
        out.push('\n');
        for check in &self.checks {
            let _ = writeln!(out, "- {}", check.line());
        }
        out.push('\n');
        out
    }

    /// Writes the JSON file.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let file = folder.join(format!("{}.json", self.name));
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&file, text + "\n").with_context(|| format!("writing {}", file.display()))
    }
}

/// Two or three digits that matter, with thousands apart.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut out = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && out != "-" {
            out.push(',');
        }
        out.push(digit);
    }
    if rest.is_empty() { out } else { format!("{out}.{rest}") }
}

/// `12.3 (11.0-14.2)`: the median and the 10th to 90th percentile.
pub(crate) fn spread(spread: Spread) -> String {
    format!("{} ({}-{})", number(spread.median), number(spread.low), number(spread.high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.123, "0.12"),
            (9.999, "10.00"),
            (12.34, "12.3"),
            (1234.5, "1,234"),
            (1e6, "1,000,000"),
            (-5.0, "-5.00"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn goals_have_two_directions() {
        assert_eq!(Check::at_most("x", 2.0, 1.8, "x").line(), "x: 2.00 (at most 1.8x): NOT MET");
        assert_eq!(Check::at_least("y", 20.0, 20.0, "").line(), "y: 20.0 (at least 20): met");
    }

    #[test]
    fn a_report_is_a_table_in_both_forms() {
        let report = Report {
            title: "T".to_owned(),
            columns: vec!["a", "b"],
            rows: vec![vec!["long".to_owned(), "1".to_owned()]],
            ..Report::default()
        };
        assert_eq!(report.text(), "\nT\na     b\nlong  1\n");
        assert!(report.markdown().contains("| a | b |\n| --- | --- |\n| long | 1 |\n"));
    }
}
