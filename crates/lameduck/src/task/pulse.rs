//! What a task says of itself while it runs: that it is alive, how far it is, whether it is at work or waits for some.
//!
//! Invariants:
//! 1. A beat is one relaxed store. It reads no clock: whoever looks next takes the beat to have come just then, so it
//!    is noted late by up to a second, never early, and no task is called hung before its time.
//! 2. Times are milliseconds since the pulse was made, and never go back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::judge::{ask_again, is_hung};
use crate::part::Progress;

#[derive(Debug)]
pub(super) struct Pulse {
    epoch: Instant,
    beaten: AtomicBool,
    /// The last beat that was noted.
    last: AtomicU64,
    /// Since when it is at work, plus one; 0 while it waits for work.
    busy: AtomicU64,
    done: AtomicU64,
    /// The total plus one; 0 while it has said nothing of progress.
    of: AtomicU64,
    hung: AtomicBool,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    Same,
    /// It is hung from now on: so long it has not beaten.
    Hung(Duration),
    /// It beats again.
    Beats,
}

impl Pulse {
    pub(super) fn new(epoch: Instant) -> Pulse {
        Pulse {
            epoch,
            beaten: AtomicBool::new(false),
            last: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            done: AtomicU64::new(0),
            of: AtomicU64::new(0),
            hung: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(super) fn beat(&self) {
        self.beaten.store(true, Ordering::Relaxed);
    }

    pub(super) fn progress(&self, done: u64, of: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.of.store(of.saturating_add(1), Ordering::Relaxed);
        self.beat();
    }

    /// It takes up a piece of work.
    pub(super) fn busy(&self, now: Instant) {
        let now = self.millis(now);
        self.last.fetch_max(now, Ordering::Relaxed);
        self.busy.store(now + 1, Ordering::Relaxed);
    }

    /// It waits for work.
    pub(super) fn idle(&self) {
        self.busy.store(0, Ordering::Relaxed);
    }

    /// Takes note of a beat and judges the task. What it found new is said once.
    pub(super) fn look(&self, promise: Duration, now: Instant) -> (Turn, Instant) {
        let last = self.harvest(now);
        let time = Duration::from_millis(self.millis(now));
        let hung = is_hung(Some(promise), last, time);
        let turn = match (self.hung.swap(hung, Ordering::Relaxed), hung) {
            (false, true) => Turn::Hung(time.saturating_sub(last.unwrap_or_default())),
            (true, false) => Turn::Beats,
            (false, false) | (true, true) => Turn::Same,
        };
        (turn, now + ask_again(promise))
    }

    pub(super) fn is_hung(&self) -> bool {
        self.hung.load(Ordering::Relaxed)
    }

    /// It has ended: there is nothing more to judge.
    pub(super) fn end(&self) {
        self.idle();
        self.hung.store(false, Ordering::Relaxed);
    }

    /// Since when it is at what it does.
    pub(super) fn busy_for(&self, now: Instant) -> Option<Duration> {
        let since = self.busy.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.millis(now).saturating_sub(since)))
    }

    /// Since its last beat, or since it took up what it is at. None while it waits for work.
    pub(super) fn beat_ago(&self, now: Instant) -> Option<Duration> {
        let last = self.harvest(now)?;
        Some(Duration::from_millis(self.millis(now)).saturating_sub(last))
    }

    pub(super) fn said_progress(&self) -> Option<Progress> {
        let of = self.of.load(Ordering::Relaxed).checked_sub(1)?;
        let done = self.done.load(Ordering::Relaxed);
        Some(Progress { done, of: (of > 0).then_some(of) })
    }

    /// The last beat, if it is at work.
    fn harvest(&self, now: Instant) -> Option<Duration> {
        if self.beaten.swap(false, Ordering::Relaxed) {
            self.last.fetch_max(self.millis(now), Ordering::Relaxed);
        }
        (self.busy.load(Ordering::Relaxed) > 0)
            .then(|| Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    fn millis(&self, now: Instant) -> u64 {
        let time = now.saturating_duration_since(self.epoch);
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_that_beats_is_alive_and_one_that_stops_is_hung_once_per_episode() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        pulse.busy(start);
        for second in 1..10 {
            pulse.beat();
            assert_eq!(pulse.look(2 * SECOND, start + second * SECOND).0, Turn::Same);
        }
        assert_eq!(pulse.look(2 * SECOND, start + 11 * SECOND).0, Turn::Same);
        assert_eq!(pulse.look(2 * SECOND, start + 12 * SECOND).0, Turn::Hung(3 * SECOND));
        assert!(pulse.is_hung());
        assert_eq!(pulse.look(2 * SECOND, start + 13 * SECOND).0, Turn::Same);
        pulse.beat();
        assert_eq!(pulse.look(2 * SECOND, start + 14 * SECOND).0, Turn::Beats);
        assert_eq!(pulse.look(2 * SECOND, start + 17 * SECOND).0, Turn::Hung(3 * SECOND));
    }

    #[test]
    fn waiting_for_work_breaks_no_promise_and_taking_it_up_is_a_beat() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        pulse.idle();
        assert_eq!(pulse.look(SECOND, start + 3600 * SECOND).0, Turn::Same);
        pulse.busy(start + 3600 * SECOND);
        assert_eq!(pulse.look(SECOND, start + 3601 * SECOND).0, Turn::Same);
        assert_eq!(pulse.busy_for(start + 3601 * SECOND), Some(SECOND));
        assert_eq!(pulse.look(SECOND, start + 3603 * SECOND).0, Turn::Hung(3 * SECOND));
        pulse.idle();
        assert_eq!(pulse.look(SECOND, start + 3604 * SECOND).0, Turn::Beats);
    }

    #[test]
    fn progress_is_a_beat_and_a_total_may_be_unknown() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        assert_eq!(pulse.said_progress(), None);
        pulse.busy(start);
        pulse.progress(3, 0);
        assert_eq!(pulse.said_progress().map(|said| said.to_string()).as_deref(), Some("3 done"));
        pulse.progress(4, 9);
        assert_eq!(pulse.said_progress().map(|said| said.to_string()).as_deref(), Some("4 of 9"));
        assert_eq!(pulse.look(SECOND, start + 5 * SECOND).0, Turn::Same);
    }
}
