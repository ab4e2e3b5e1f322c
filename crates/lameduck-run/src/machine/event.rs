//! What happens to `lameduck run`.

use super::{ChildId, End};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// SIGHUP or SIGUSR2: replace the child.
    Replace,
    /// A signal that stops everything.
    Stop(StopSignal),
    /// A child's process is there: its time runs from here.
    Started(ChildId),
    /// A child gave a sign that it is ready.
    Ready(ChildId, Sign),
    /// A child has ended.
    Ended(ChildId, End),
    /// Time has passed.
    Time,
}

/// How a child's readiness was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It said `READY=1`.
    Said,
    /// It answered the probe with 2xx.
    Answered,
    /// It lived for as long as was asked for. Only the machine itself says so.
    Lived,
}

/// A signal that stops everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT.
    Interrupt,
    /// SIGQUIT.
    Quit,
}

impl StopSignal {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
        }
    }

    /// Whether a second one means "at once". A second SIGTERM does not: supervisors send it twice.
    pub(super) fn insists(self) -> bool {
        match self {
            Self::Interrupt | Self::Quit => true,
            Self::Terminate => false,
        }
    }
}
