//! What the service manager is to be told, and when. Pure: no I/O and no clock of its own.

use std::time::{Duration, Instant};

use super::message::Message;
use crate::phase::Phase;

/// How often more time is asked for while a start or a stop goes on.
const REPEAT: Duration = Duration::from_secs(5);
/// How much: twice as much, so that one that is late costs nothing.
const ASK: Duration = Duration::from_secs(10);
/// How long a start may take before it asks: most never do.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the supervisor sees of the service.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) phase: Phase,
    /// When the start or the stop that is under way must be over; none while the service is ready.
    pub(crate) over_by: Option<Instant>,
    /// The count of the runtime: it moves for as long as the runtime answers.
    pub(crate) pulse: u64,
}

/// What has been told so far, and what is due.
#[derive(Debug)]
pub(super) struct Schedule {
    /// How long the manager waits for a sign of life.
    watchdog: Option<Duration>,
    /// The last phase that was told.
    told: Phase,
    /// When more time is asked for next.
    extend_at: Instant,
    /// When the runtime is looked at next.
    watchdog_at: Instant,
    /// The runtime's count at the last sign of life.
    pulse: u64,
    /// How many reloads are under way.
    reloads: usize,
    /// Another process speaks for the service.
    muted: bool,
}

impl Schedule {
    pub(super) fn new(watchdog: Option<Duration>, now: Instant) -> Schedule {
        Schedule {
            watchdog,
            told: Phase::Starting,
            extend_at: now + PATIENCE,
            watchdog_at: now,
            pulse: 0,
            reloads: 0,
            muted: false,
        }
    }

    /// What is due now, as one datagram; empty if nothing is.
    pub(super) fn due(&mut self, now: Instant, seen: &Seen) -> Vec<Message> {
        let mut due = Vec::new();
        if self.muted {
            return due;
        }
        if seen.phase > self.told {
            if seen.phase == Phase::Ready {
                // A reload that is under way is over when its end says so.
                if self.reloads == 0 {
                    due.push(Message::Ready);
                }
            } else if self.told <= Phase::Ready {
                // The first phase of a stop, whichever it is.
                due.push(Message::Stopping);
                self.extend_at = now;
            }
            due.push(Message::Status(status(seen.phase)));
            self.told = seen.phase;
        }
        if let Some(over_by) = seen.over_by.filter(|_| seen.phase != Phase::Ready)
            && self.extend_at <= now
        {
            let left = over_by.saturating_duration_since(now).min(ASK);
            if !left.is_zero() {
                due.push(Message::Extend(left));
            }
            self.extend_at = now + REPEAT;
        }
        if let Some(limit) = self.watchdog
            && self.watchdog_at <= now
        {
            if seen.pulse == self.pulse {
                // As soon as it answers again: the manager may just still be waiting.
                self.watchdog_at = now + limit / 8;
            } else {
                due.push(Message::Watchdog);
                self.pulse = seen.pulse;
                self.watchdog_at = now + limit / 2;
            }
        }
        due
    }

    /// When [`Schedule::due`] is to be asked next, if not before because something happened.
    pub(super) fn next(&self, seen: &Seen) -> Option<Instant> {
        if self.muted {
            return None;
        }
        let asks = seen.phase != Phase::Ready && seen.over_by.is_some();
        let extend = asks.then_some(self.extend_at);
        let watchdog = self.watchdog.map(|_| self.watchdog_at);
        [extend, watchdog].into_iter().flatten().min()
    }

    /// A reload or a restart begins, at this time of the monotonic clock.
    pub(super) fn reloading(&mut self, at: Duration) -> Vec<Message> {
        self.reloads += 1;
        if self.muted || self.told > Phase::Ready {
            return Vec::new();
        }
        vec![Message::Reloading(at), Message::Status("reloading")]
    }

    /// A reload is over, or a restart came to nothing.
    pub(super) fn reloaded(&mut self) -> Vec<Message> {
        self.reloads = self.reloads.saturating_sub(1);
        if self.reloads > 0 || self.muted || self.told != Phase::Ready {
            return Vec::new();
        }
        vec![Message::Ready, Message::Status(status(Phase::Ready))]
    }

    /// Another process is the service from now on: this one speaks no more.
    pub(super) fn handed_over(&mut self, successor: u32) -> Vec<Message> {
        self.reloads = 0;
        if std::mem::replace(&mut self.muted, true) {
            return Vec::new();
        }
        // In one datagram: from the first line on the manager may take none from this process any more.
        vec![Message::Ready, Message::Status(status(Phase::Ready)), Message::MainPid(successor)]
    }

    /// Another process speaks for the service until [`Schedule::take_over`].
    pub(super) fn hold_back(&mut self) {
        self.muted = true;
    }

    /// This process is the service from now on.
    pub(super) fn take_over(&mut self, pid: u32) -> Vec<Message> {
        self.muted = false;
        self.told = Phase::Starting;
        vec![Message::MainPid(pid)]
    }
}

/// The words for `systemctl status`.
fn status(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::LameDuck => "lame duck: still serving, new work should go elsewhere",
        Phase::Draining => "draining: requests in flight end",
        Phase::Finishing => "finishing: shields and workers end",
        Phase::Closing => "closing resources",
        Phase::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests;
