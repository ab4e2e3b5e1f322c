//! A child that is not ready yet.

use std::time::Instant;

use super::{ChildId, Rules};

/// A child that is not ready yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coming {
    pub(super) child: ChildId,
    /// When it counts as ready for having lived so long.
    pub(super) ready_at: Option<Instant>,
    /// From when on it is too late.
    pub(super) late_at: Instant,
}

impl Coming {
    pub(super) fn new(child: ChildId, rules: &Rules, said: bool, now: Instant) -> Self {
        let ready_at = rules.ready.lives_for(said).map(|time| now + time);
        Self { child, ready_at, late_at: now + rules.ready_within }
    }

    pub(super) fn is_ready(&self, now: Instant) -> bool {
        self.ready_at.is_some_and(|at| at <= now)
    }

    pub(super) fn wake_at(&self) -> Instant {
        self.ready_at.map_or(self.late_at, |at| at.min(self.late_at))
    }
}
