//! When a child counts as ready.

use std::time::Duration;

/// When a child counts as ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// At `READY=1`, or once it has lived for a second. But where the child that serves has said `READY=1`, the one
    /// that is to replace it has to say so too: then it is known that the program does.
    Auto,
    /// At `READY=1` only.
    Said,
    /// When its URL answers with 2xx.
    Answered,
    /// Once it has lived for so long.
    Lived(Duration),
}

/// How long a child has to live where nothing else was asked for.
const ALIVE: Duration = Duration::from_secs(1);

impl Readiness {
    /// How long a child has to live to count as ready; `None` if that does not do. `said`: the child that serves has
    /// said `READY=1`.
    pub(super) fn lives_for(self, said: bool) -> Option<Duration> {
        match self {
            Self::Auto if said => None,
            Self::Auto => Some(ALIVE),
            Self::Lived(time) => Some(time),
            Self::Said | Self::Answered => None,
        }
    }
}
