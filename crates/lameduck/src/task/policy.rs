//! What the failure of a task does.

use std::time::{Duration, Instant};

/// What it does if a task returns an error or panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// It brings the service down in order, exit code 1.
    #[default]
    Stop,
    /// It is logged, counted and reported, and changes nothing else. A timer runs again at its next tick, a consumer
    /// takes the next message; a worker has ended, and its queue takes no more.
    Ignore,
    /// The same, but the task goes on after a pause: a timer runs again, a consumer takes the next message, a worker
    /// begins anew with what is in its queue. What it held when it failed is not tried again.
    Restart(Backoff),
}

impl OnFailure {
    /// Goes on after a pause of 1 s, doubled at each failure in a row up to 60 s.
    #[must_use]
    pub fn restart() -> OnFailure {
        OnFailure::Restart(Backoff::default())
    }
}

/// The pause after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Each failure in a row doubles the pause, up to this. A worker that ran longer than this has recovered.
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Backoff {
        Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) }
    }
}

/// How many failures there were in a row.
#[derive(Debug)]
pub(super) struct Retries {
    last: Option<Duration>,
    began: Instant,
}

impl Retries {
    pub(super) fn new() -> Retries {
        Retries { last: None, began: Instant::now() }
    }

    /// It went well.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// A run failed after this long: the pause before the next one.
    pub(super) fn pause(&mut self, backoff: Backoff) -> Duration {
        self.pause_after(backoff, self.began.elapsed())
    }

    fn pause_after(&mut self, backoff: Backoff, ran: Duration) -> Duration {
        let most = backoff.most.max(backoff.first);
        if ran > most {
            self.last = None;
        }
        let pause = self.last.map_or(backoff.first, |last| last.saturating_mul(2));
        // A pause of nothing would spin.
        let pause = pause.max(Duration::from_millis(1)).min(most.max(Duration::from_millis(1)));
        self.last = Some(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_pause_doubles_up_to_its_limit_and_begins_anew_after_a_long_run() {
        let backoff = Backoff { first: SECOND, most: 5 * SECOND };
        let mut retries = Retries::new();
        let pauses: Vec<Duration> =
            (0..5).map(|_| retries.pause_after(backoff, Duration::ZERO)).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5].map(Duration::from_secs));
        assert_eq!(retries.pause_after(backoff, 6 * SECOND), SECOND);
        retries.reset();
        assert_eq!(retries.pause_after(backoff, Duration::ZERO), SECOND);
    }

    #[test]
    fn a_pause_of_nothing_does_not_spin() {
        let nothing = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        assert!(Retries::new().pause(nothing) > Duration::ZERO);
    }
}
