//! What a run came to, for a person and for a program.

mod compare;
mod escape;
mod html;
mod json;
mod junit;
mod text;
mod timeline;

pub use compare::{Choice, CompareError, Layout, Run, compare};
pub use html::html;
pub use json::json;
pub use junit::junit;
pub use text::{Paint, explain, table};

use std::fmt;

use crate::case::Case;
use crate::cases;
use crate::run::CaseResult;
use crate::verdict::Verdict;

/// How many cases came to what. Only what ran is in the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// Passed.
    pub passed: usize,
    /// Ran and did not pass.
    pub failed: usize,
    /// Not run, for lack of a route or protocol.
    pub skipped: usize,
    /// Not run to their end.
    pub could_not_run: usize,
}

impl Score {
    /// Counts.
    #[must_use]
    pub fn of(results: &[CaseResult]) -> Self {
        let count = |f: fn(Verdict) -> bool| {
            results.iter().filter(|result| f(result.judgement.verdict)).count()
        };
        Self {
            passed: count(|verdict| verdict == Verdict::Pass),
            failed: count(Verdict::is_failure),
            skipped: count(|verdict| verdict == Verdict::Skipped),
            could_not_run: count(|verdict| verdict == Verdict::CouldNotRun),
        }
    }

    /// 0 if all that ran passed, 1 if a case failed, 2 if nothing ran or a case could not be run to its end.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self { failed: 1.., .. } => 1,
            Self { could_not_run: 1.., .. } | Self { passed: 0, .. } => 2,
            Self { .. } => 0,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped, could_not_run } = *self;
        let ran = passed + failed;
        match (ran, failed) {
            (0, _) => write!(f, "Nothing ran, so nothing is proved")?,
            (_, 0) => write!(f, "{passed} of {ran} passed")?,
            (_, _) => write!(f, "{passed} of {ran} passed, {failed} failed")?,
        }
        if skipped > 0 {
            write!(f, "; {skipped} skipped, not counted")?;
        }
        if could_not_run > 0 {
            write!(f, "; {could_not_run} could not run")?;
        }
        f.write_str(".")
    }
}

/// The results with what their cases are.
fn cases_of(results: &[CaseResult]) -> impl Iterator<Item = (&'static Case, &CaseResult)> {
    let all = cases::all();
    results.iter().filter_map(move |result| {
        let case = all.iter().find(|case| case.id == result.id)?;
        Some((*case, result))
    })
}
