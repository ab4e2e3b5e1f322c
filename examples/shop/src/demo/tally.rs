//! The outcomes of all buyers, counted.

use std::cell::Cell;

use super::outcome::Outcome;

/// Counts, shared by the buyers, who all run on one thread.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Requests that were tried.
    pub(super) asked: Cell<u64>,
    /// Purchases confirmed (2xx).
    pub(super) answered: Cell<u64>,
    /// Whole responses with another status.
    pub(super) failed: Cell<u64>,
    /// Nothing sent.
    pub(super) refused: Cell<u64>,
    /// 503 or 429.
    pub(super) turned_away: Cell<u64>,
    /// Sent, no answer.
    pub(super) lost: Cell<u64>,
    /// Half an answer.
    pub(super) cut: Cell<u64>,
    /// No end.
    pub(super) hung: Cell<u64>,
}

impl Tally {
    /// Counts one request's end.
    pub(super) fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Answered { status: 200..300 } => &self.answered,
            Outcome::Answered { .. } => &self.failed,
            Outcome::Refused => &self.refused,
            Outcome::TurnedAway => &self.turned_away,
            Outcome::Lost => &self.lost,
            Outcome::Cut => &self.cut,
            Outcome::Hung => &self.hung,
        };
        counter.set(counter.get() + 1);
    }
}
