//! What can be wrong with a budget.

use std::time::Duration;

use super::{Budget, EXIT, Span};

/// A budget that cannot be read or does not fit. Its text is one line that names what is wrong and what would
/// be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BudgetError {
    /// An environment variable holds something that is no time.
    #[error(
        "{name} is {value:?}, which cannot be read as a time; write it like {name}=5s or {name}=250ms"
    )]
    Unreadable {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
    },
    /// The phases together take longer than the platform waits.
    #[error("{}", does_not_fit(budget, *grace, *pre_stop))]
    DoesNotFit {
        /// The budget.
        budget: Budget,
        /// What the platform allows.
        grace: Duration,
        /// What its hook uses up of that.
        pre_stop: Duration,
    },
    /// The idle grace reaches beyond the drain.
    #[error(
        "the idle grace of {} is longer than the drain of {} in which it lies; shorten LAMEDUCK_IDLE_GRACE or lengthen LAMEDUCK_DRAIN",
        Span(budget.idle_grace), Span(budget.drain)
    )]
    IdleGrace {
        /// The budget.
        budget: Budget,
    },
    /// The sum is longer than a year.
    #[error("the budget adds up to {}, more than a year; write times like 5s or 250ms", Span(budget.total()))]
    TooLong {
        /// The budget.
        budget: Budget,
    },
}

fn does_not_fit(budget: &Budget, grace: Duration, pre_stop: Duration) -> String {
    let hook = if pre_stop.is_zero() {
        String::new()
    } else {
        format!(" + {} that its preStop hook uses up", Span(pre_stop))
    };
    format!(
        "the budget does not fit: lame duck {} + drain {} + finish {} + close {} = {}, + {} for the exit{hook}, \
         but the platform allows {} (grace); shorten one, or have the platform allow {} s",
        Span(budget.lame_duck),
        Span(budget.drain),
        Span(budget.finish),
        Span(budget.close),
        Span(budget.total()),
        Span(EXIT),
        Span(grace),
        budget.needed_seconds(pre_stop),
    )
}
