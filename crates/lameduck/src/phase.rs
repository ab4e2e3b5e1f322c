//! The phases of a service's life, and the pure machine that moves through them.
//!
//! [`Machine`] decides what happens now, as a function of its state, an event and the time. It must never
//! do I/O, read a clock or know about tokio: the supervisor thread feeds it and carries out what it says.

mod action;
mod event;
mod machine;
mod outcome;

use std::fmt;

pub(crate) use self::action::Action;
pub(crate) use self::event::{Event, Hangup, StopSignal};
#[cfg(feature = "http1")]
pub(crate) use self::machine::SEVER;
pub(crate) use self::machine::{Machine, Rules, SAME_SIGNAL};
pub use self::outcome::Outcome;
use serde::Serialize;

/// Where a service stands in its life. It only moves forward.
///
/// ```text
/// Starting ──▶ Ready ──▶ LameDuck ──▶ Draining ──▶ Finishing ──▶ Closing ──▶ Stopped
///     │          └──(SIGINT, or no lame duck)──▲                    ▲
///     └─────(failure, signal or deadline while starting)────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// The setup runs; listeners are bound but do not accept.
    Starting = 0,
    /// Requests are served and `/readyz` says 200.
    Ready = 1,
    /// Requests are served as before, but `/readyz` says 503, so that load balancers look elsewhere.
    LameDuck = 2,
    /// Listeners are closed; what is in flight ends; sources take nothing new.
    Draining = 3,
    /// No request is left; workers and shields finish what they hold.
    Finishing = 4,
    /// Resources close, users before what they use.
    Closing = 5,
    /// Everything is over; the report is written and the process exits.
    Stopped = 6,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Phase; 7] = [
        Phase::Starting,
        Phase::Ready,
        Phase::LameDuck,
        Phase::Draining,
        Phase::Finishing,
        Phase::Closing,
        Phase::Stopped,
    ];

    /// The name used in logs, metrics and the report's JSON, such as `lame_duck`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::LameDuck => "lame_duck",
            Phase::Draining => "draining",
            Phase::Finishing => "finishing",
            Phase::Closing => "closing",
            Phase::Stopped => "stopped",
        }
    }

    /// Whether a load balancer should send traffic here: in [`Phase::Ready`] only.
    #[must_use]
    pub fn is_ready(self) -> bool {
        self == Phase::Ready
    }

    /// The inverse of `phase as u8`; a number that is no phase is `Stopped`, the safe end.
    pub(crate) fn from_u8(number: u8) -> Phase {
        Phase::ALL.get(usize::from(number)).copied().unwrap_or(Phase::Stopped)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name().replace('_', " "))
    }
}

#[cfg(test)]
mod tests;
