//! Which connections are told to pass themselves on, and how many at a time: waking thousands at once would hold up
//! those that are busy beside them. Used by the supervisor thread alone; no I/O, and no clock of its own.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::{Directive, Record, state};

/// How many connections at most are on their way at a time.
pub(super) const WAVE: usize = 64;

/// How soon the next ones are told.
pub(super) const PACE: Duration = Duration::from_millis(2);

/// The connections that a restart has found idle and not passed on yet.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// They are still to be told.
    queue: Vec<Arc<Record>>,
    /// They have been told, and may not have heard of it yet.
    told: Vec<Arc<Record>>,
    /// When all connections are to be looked at again.
    look_at: Duration,
    /// All connections have been looked at once.
    looked: bool,
    /// Those that were idle then have been dealt with.
    swept: bool,
}

impl Sweep {
    /// A restart begins.
    pub(super) fn begin(&mut self) {
        *self = Sweep::default();
    }

    /// All connections are to be looked at with the next tick.
    pub(super) fn hurry(&mut self) {
        self.look_at = Duration::ZERO;
    }

    /// Whether those that were idle when it began have been passed on, or have turned out to be busy.
    pub(super) fn is_over(&self) -> bool {
        self.swept
    }

    /// Whether all connections are to be looked at now.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.look_at <= now
    }

    /// They were looked at, and these were found idle. Those that have been idle for the longest go first: what goes last
    /// has the least time in which a successor that fails could do it harm, and the busy ones are those that may ask.
    pub(super) fn found(&mut self, mut idle: Vec<Arc<Record>>, look_at: Duration) {
        // From the end on they are told.
        idle.sort_by_cached_key(|record| Reverse((record.view().since, record.begun())));
        self.queue = idle;
        self.look_at = look_at;
        self.looked = true;
    }

    /// Tells the next ones, as many as have been dealt with of those before; when to be asked again.
    pub(super) fn tell(&mut self, now: Duration) -> Duration {
        // One that was upgraded since then lives on without ever hearing of it.
        self.told.retain(|record| {
            record.is_open()
                && record.directive() == Directive::PassOn
                && !record.state.has(state::UPGRADED)
        });
        let next = self.queue.len().saturating_sub(WAVE.saturating_sub(self.told.len()));
        for record in self.queue.drain(next..) {
            record.direct(Directive::PassOn);
            self.told.push(record);
        }
        self.swept |= self.looked && self.told.is_empty();
        if self.told.is_empty() { self.look_at } else { now + PACE }
    }
}

#[cfg(test)]
mod tests;
