//! The instants that follow from a budget once the stop has begun.

use std::time::Instant;

use super::Budget;

/// The deadlines of one stop: absolute, and fixed when it begins, so that time which one phase did not need
/// is there for the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadlines {
    /// When the stop began.
    pub(crate) begun: Instant,
    /// When the lame duck ends and the drain begins; `begun` where it is skipped.
    pub(crate) lame_duck: Instant,
    /// When the drain must be over.
    pub(crate) drain: Instant,
    /// When workers and shields must be over.
    pub(crate) finish: Instant,
    /// When resources must be closed.
    pub(crate) close: Instant,
}

impl Deadlines {
    /// The deadlines of a stop that begins now.
    pub(crate) fn fix(budget: &Budget, now: Instant, skip_lame_duck: bool) -> Deadlines {
        let lame_duck = if skip_lame_duck { now } else { now + budget.lame_duck };
        let drain = lame_duck + budget.drain;
        let finish = drain + budget.finish;
        Deadlines { begun: now, lame_duck, drain, finish, close: finish + budget.close }
    }

    /// The deadlines of a start that ends now: what was registered closes within the close budget.
    pub(crate) fn of_abandoned_start(budget: &Budget, now: Instant) -> Deadlines {
        let close = now + budget.close;
        Deadlines { begun: now, lame_duck: now, drain: now, finish: now, close }
    }
}
