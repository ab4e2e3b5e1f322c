//! What a case came to.

use serde::{Deserialize, Serialize};

/// The kinds of verdicts, the best first: of several findings the last one here is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Verdict {
    /// All that the case demands was seen.
    Pass,
    /// The case was not run: the server lacks what it needs.
    Skipped,
    /// The case could not be run to its end, so it says nothing about the server's stop.
    CouldNotRun,
    /// Neither loss nor delay, but not what should be.
    Odd,
    /// It came to its end too late.
    Late {
        /// By how many milliseconds.
        by_ms: u64,
    },
    /// The process, or a request, did not come to an end.
    Hung,
    /// A response began and did not end.
    Cut,
    /// Requests were sent and got no byte of an answer.
    Lost {
        /// How many were lost.
        lost: usize,
        /// Of how many.
        of: usize,
    },
}

impl Verdict {
    /// One word, for a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::CouldNotRun => "could not run",
            Self::Odd => "odd",
            Self::Late { .. } => "late",
            Self::Hung => "hung",
            Self::Cut => "cut",
            Self::Lost { .. } => "lost",
        }
    }

    /// Whether it says anything about the server: passed or failed.
    #[must_use]
    pub fn counts(self) -> bool {
        !matches!(self, Self::Skipped | Self::CouldNotRun)
    }

    /// Whether the server did not do what the case demands.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.counts() && self != Self::Pass
    }
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The figure that says most: "41 of 50", "exit after 12 ms".
    pub figure: String,
    /// One plain sentence of why.
    pub why: String,
}
