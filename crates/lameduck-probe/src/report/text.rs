//! A run as text: the verdict first, a figure, one plain sentence; failures once more at the end.

use std::fmt::Write as _;

use super::{Score, cases_of};
use crate::case::Case;
use crate::run::CaseResult;
use crate::verdict::{Judgement, Verdict};

/// Whether colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// They are.
    Colours,
    /// Plain text.
    Plain,
}

impl Paint {
    /// The verdict's word, filled up to the width of the longest.
    fn word(self, verdict: Verdict) -> String {
        let word = format!("{:<13}", verdict.word());
        let colour = match verdict {
            Verdict::Pass => "32",
            Verdict::Skipped => "2",
            Verdict::CouldNotRun | Verdict::Odd | Verdict::Late { .. } => "33",
            Verdict::Hung | Verdict::Cut | Verdict::Lost { .. } => "31",
        };
        match self {
            Self::Colours => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
            Self::Plain => word,
        }
    }

    /// One case on one line.
    #[must_use]
    pub fn line(self, case: &Case, judgement: &Judgement) -> String {
        let Judgement { verdict, figure, why } = judgement;
        let level = case.level.word();
        let line = format!("{} {level:<6} {:<26} {figure:<18} {why}", self.word(*verdict), case.id);
        line.trim_end().to_owned()
    }
}

/// The whole table, failures repeated with what they mean, and the score.
#[must_use]
pub fn table(results: &[CaseResult], paint: Paint) -> String {
    let mut text = String::new();
    let mut failures = String::new();
    let mut group = "";
    for (case, result) in cases_of(results) {
        if case.group() != group {
            group = case.group();
            let _ = writeln!(text, "\n{group}");
        }
        let _ = writeln!(text, "  {}", paint.line(case, &result.judgement));
        let verdict = result.judgement.verdict;
        if verdict.is_failure() || verdict == Verdict::CouldNotRun {
            let _ = writeln!(failures, "\n  {}", paint.line(case, &result.judgement));
            let _ = writeln!(
                failures,
                "    {}\n    Why it matters: {}\n    Rule: {}",
                case.title, case.why, case.rule
            );
        }
    }
    if !failures.is_empty() {
        let _ = write!(text, "\nNot passed:{failures}");
    }
    let _ = writeln!(text, "\n{}", Score::of(results));
    text
}

/// What a case is, for `--list`.
#[must_use]
pub fn explain(case: &Case) -> String {
    let needs: Vec<_> = case.needs.iter().map(|need| need.lacking()).collect();
    let mut text = format!(
        "{} ({})\n  {}\n  Why: {}\n  Rule: {}\n",
        case.id,
        case.level.word(),
        case.title,
        case.why,
        case.rule
    );
    if case.runs > 1 {
        let _ = writeln!(text, "  Run {} times; the worst counts", case.runs);
    }
    if !needs.is_empty() {
        let _ = writeln!(text, "  Needs: {}", needs.join(", "));
    }
    text
}
