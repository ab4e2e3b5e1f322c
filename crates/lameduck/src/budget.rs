//! The budget: the times allowed to each phase of the stop, where they come from, and whether they fit what
//! the platform allows. It must never read a clock: deadlines are fixed from an instant that is passed in.

mod deadlines;
mod error;
mod span;

use std::ffi::OsString;
use std::time::Duration;

pub(crate) use self::deadlines::Deadlines;
pub use self::error::BudgetError;
pub(crate) use self::span::{Span, parse_span};

/// What the exit itself may take beyond the last deadline: writing the report and ending the process.
pub(crate) const EXIT: Duration = Duration::from_millis(200);

/// A year. Beyond it, sums of instants could overflow, and nobody means it.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The times allowed to each phase of the stop.
///
/// The default adds up to 29 s, which fits the 30 s that Kubernetes gives by default. The sum is what the
/// stop takes *at most*: a phase ends as soon as nothing is left in it, and what it did not need is there for
/// the later ones, because the deadlines are absolute.
///
/// ```
/// use std::time::Duration;
/// let budget = lameduck::Budget { drain: Duration::from_secs(10), ..lameduck::Budget::default() };
/// assert_eq!(budget.total(), Duration::from_secs(22));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How long the service goes on as before while `/readyz` already says 503. Skipped on SIGINT.
    /// Default 5 s. Variable `LAMEDUCK_LAME_DUCK`.
    pub lame_duck: Duration,
    /// How long requests in flight may take to end. Default 17 s. Variable `LAMEDUCK_DRAIN`.
    pub drain: Duration,
    /// How long workers and shields may take to finish. Default 4 s. Variable `LAMEDUCK_FINISH`.
    pub finish: Duration,
    /// How long resources may take to close, together. Default 3 s. Variable `LAMEDUCK_CLOSE`.
    pub close: Duration,
    /// How long a silent connection may still speak after the drain began; it lies within the drain.
    /// Default 250 ms. Variable `LAMEDUCK_IDLE_GRACE`.
    pub idle_grace: Duration,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            lame_duck: Duration::from_secs(5),
            drain: Duration::from_secs(17),
            finish: Duration::from_secs(4),
            close: Duration::from_secs(3),
            idle_grace: Duration::from_millis(250),
        }
    }
}

impl Budget {
    /// Lame duck, drain, finish and close together: the longest that a stop takes, but for 200 ms.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.lame_duck
            .saturating_add(self.drain)
            .saturating_add(self.finish)
            .saturating_add(self.close)
    }

    /// The whole seconds that the platform has to give: what to write as `terminationGracePeriodSeconds`,
    /// `TimeoutStopSec` or `docker stop --time`.
    #[must_use]
    pub fn needed_seconds(&self, pre_stop: Duration) -> u64 {
        let needed = self.total().saturating_add(EXIT).saturating_add(pre_stop);
        needed.as_secs().saturating_add(u64::from(needed.subsec_nanos() > 0))
    }

    /// This budget with the parts that the environment overrides.
    ///
    /// # Errors
    /// A variable that cannot be read as a time.
    pub(crate) fn overridden(
        mut self,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Budget, BudgetError> {
        for (name, part) in [
            ("LAMEDUCK_LAME_DUCK", &mut self.lame_duck),
            ("LAMEDUCK_DRAIN", &mut self.drain),
            ("LAMEDUCK_FINISH", &mut self.finish),
            ("LAMEDUCK_CLOSE", &mut self.close),
            ("LAMEDUCK_IDLE_GRACE", &mut self.idle_grace),
        ] {
            if let Some(time) = span_of(name, &variable)? {
                *part = time;
            }
        }
        Ok(self)
    }

    /// Whether the budget makes sense in itself and fits what the platform allows.
    ///
    /// # Errors
    /// The idle grace is longer than the drain, or the sum is more than `grace` less `pre_stop` allows.
    pub(crate) fn check(
        &self,
        grace: Option<Duration>,
        pre_stop: Duration,
    ) -> Result<(), BudgetError> {
        if self.total() > LONGEST {
            return Err(BudgetError::TooLong { budget: *self });
        }
        if self.idle_grace > self.drain {
            return Err(BudgetError::IdleGrace { budget: *self });
        }
        match grace {
            Some(grace) if self.total().saturating_add(EXIT).saturating_add(pre_stop) > grace => {
                Err(BudgetError::DoesNotFit { budget: *self, grace, pre_stop })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The time that an environment variable holds, if it is set. Empty is unset.
///
/// # Errors
/// It is set to something that cannot be read as a time.
pub(crate) fn span_of(
    name: &'static str,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Duration>, BudgetError> {
    let Some(value) = variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
    let unreadable =
        || BudgetError::Unreadable { name, value: value.to_string_lossy().into_owned() };
    value.to_str().and_then(parse_span).map(Some).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests;
