//! What came of the steps of a run.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Result;

/// Tests by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Reads a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`, or the closing line
    /// `3 passed, 0 failed, 1 skipped` of our own runners.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (numbers, skipped) = match line.strip_prefix("test result: ") {
            Some(result) => (result.split_once(". ")?.1, "ignored"),
            None => (line, "skipped"),
        };
        let count = |word: &str| -> Option<u64> {
            let mut parts = numbers.split([';', ',']).filter_map(|part| part.trim().split_once(' '));
            parts.find(|(_, w)| *w == word)?.0.parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, skipped: count(skipped)? })
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// What came of a step.
pub(crate) enum Outcome {
    /// A check that held.
    Passed,
    /// Tests ran, and the command said whether all is well.
    Tests(Counts, bool),
    /// It did not run; the reason.
    Skipped(String),
}

struct Step {
    name: &'static str,
    state: State,
    counts: Counts,
    took: Duration,
    note: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Passed,
    Failed,
    Skipped,
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// Runs a step and takes its outcome down. Returns whether it passed.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<Outcome>) -> bool {
        println!("\n== {name}");
        let started = Instant::now();
        let (state, mut counts, note) = match run() {
            Ok(Outcome::Passed) => (State::Passed, Counts::default(), String::new()),
            Ok(Outcome::Tests(counts, true)) if counts.failed == 0 => (State::Passed, counts, String::new()),
            Ok(Outcome::Tests(counts, _)) => (State::Failed, counts, String::new()),
            Ok(Outcome::Skipped(why)) => {
                println!("SKIPPED: {why}");
                (State::Skipped, Counts { skipped: 1, ..Counts::default() }, why)
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                (State::Failed, Counts::default(), format!("{error:#}"))
            }
        };
        if state == State::Failed && counts.failed == 0 {
            // A failed check that is no test, or tests that could not run.
            counts.failed = 1;
        }
        self.steps.push(Step { name, state, counts, took: started.elapsed(), note });
        state == State::Passed
    }

    /// Prints the table and the closing line. Returns whether nothing failed.
    pub(crate) fn finish(&self) -> bool {
        print!("\n{self}");
        self.total().failed == 0
    }

    fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.steps.iter().for_each(|step| total.add(step.counts));
        total
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.steps.iter().map(|step| step.name.len()).max().unwrap_or(0);
        for step in &self.steps {
            let state = match step.state {
                State::Passed => "ok",
                State::Failed => "FAILED",
                State::Skipped => "skipped",
            };
            write!(f, "{:width$}  {state:7}  {:6.1} s", step.name, step.took.as_secs_f64())?;
            if step.counts != Counts::default() {
                write!(f, "  {}", step.counts)?;
            }
            // The first line says enough here; all of it stands above.
            match step.note.lines().next() {
                Some(note) => writeln!(f, "  {note}")?,
                None => writeln!(f)?,
            }
        }
        writeln!(f, "\n{}", self.total())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_read() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.01s\n";
        assert_eq!(Counts::parse(line), Some(Counts { passed: 12, failed: 0, skipped: 3 }));
        let line = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Counts::parse(line), Some(Counts { passed: 1, failed: 2, skipped: 0 }));
        let line = "12 passed, 0 failed, 3 skipped\n";
        assert_eq!(Counts::parse(line), Some(Counts { passed: 12, failed: 0, skipped: 3 }));
        for other in [
            "test a ... ok",
            "test result: ok.",
            "running 3 tests",
            "",
            "test result: 1 passed",
            "3 failed, 1 skipped",
        ] {
            assert_eq!(Counts::parse(other), None, "{other}");
        }
    }

    #[test]
    fn outcomes_add_up() {
        let mut report = Report::default();
        let counts = |passed, failed, skipped| Counts { passed, failed, skipped };
        assert!(report.step("check", || Ok(Outcome::Passed)));
        assert!(report.step("tests", || Ok(Outcome::Tests(counts(5, 0, 2), true))));
        assert!(!report.step("node", || Ok(Outcome::Skipped("no node".to_owned()))));
        assert_eq!(report.total(), counts(5, 0, 3));
        assert!(report.finish());
        // Tests that did not build fail without a single failed test.
        assert!(!report.step("broken", || Ok(Outcome::Tests(counts(1, 0, 0), false))));
        assert!(!report.step("lint", || anyhow::bail!("warnings")));
        assert!(!report.step("red", || Ok(Outcome::Tests(counts(1, 3, 0), false))));
        assert_eq!(report.total(), counts(7, 5, 3));
        assert!(!report.finish());
        assert!(report.to_string().ends_with("\n7 passed, 5 failed, 3 skipped\n"));
    }
}
