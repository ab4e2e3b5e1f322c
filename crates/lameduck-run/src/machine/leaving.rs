//! A child that was told to end.

use std::time::{Duration, Instant};

use super::{Action, ChildId, Fact};

/// How long a child that was killed may take to be gone. One that waits for a disk cannot be killed.
pub(super) const KILLED: Duration = Duration::from_secs(5);

/// A child that was told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    pub(super) child: ChildId,
    pub(super) killed: bool,
    /// When it is killed; once it was, when it is given up.
    pub(super) until: Instant,
}

/// What became of it as time passed.
pub(super) enum Passed {
    /// It still has time.
    Waits,
    /// It has none, and is to be killed.
    Killed([Action; 2]),
    /// It was killed, and is given up.
    GivenUp,
}

impl Leaving {
    pub(super) fn new(child: ChildId, until: Instant) -> Self {
        Self { child, killed: false, until }
    }

    pub(super) fn pass(&mut self, now: Instant) -> Passed {
        if now < self.until {
            Passed::Waits
        } else if self.killed {
            Passed::GivenUp
        } else {
            self.kill(now);
            Passed::Killed([Action::Say(Fact::Overdue(self.child)), Action::Kill(self.child)])
        }
    }

    pub(super) fn kill(&mut self, now: Instant) {
        self.killed = true;
        self.until = now + KILLED;
    }
}
