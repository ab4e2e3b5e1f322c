//! What the machine is told.

/// One thing that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The setup returned and everything it declared is in order.
    Started,
    /// The setup failed.
    StartFailed,
    /// One of the signals that stop a service arrived.
    Signal(StopSignal),
    /// SIGHUP arrived.
    Hangup,
    /// A stop was begun from code.
    Stop,
    /// A part failed and brings the service down.
    Failed,
    /// SIGUSR2 arrived, or a restart was begun from code.
    #[cfg(feature = "restart")]
    Restart,
    /// New work is another process's since this time: a successor serves, or this one was a successor and is not
    /// wanted.
    #[cfg(feature = "restart")]
    HandedOver,
    /// Nothing is left that the current phase waits for.
    Empty,
    /// The clock moved; nothing else.
    Time,
}

/// A signal that stops a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    Terminate,
    Interrupt,
    Quit,
    /// SIGHUP, where it is to stop the service.
    Hangup,
}

impl StopSignal {
    /// The signal's number, which is the same on every Unix.
    pub(crate) fn number(self) -> u8 {
        match self {
            StopSignal::Terminate => 15,
            StopSignal::Interrupt => 2,
            StopSignal::Quit => 3,
            StopSignal::Hangup => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            StopSignal::Terminate => "SIGTERM",
            StopSignal::Interrupt => "SIGINT",
            StopSignal::Quit => "SIGQUIT",
            StopSignal::Hangup => "SIGHUP",
        }
    }
}

/// What SIGHUP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hangup {
    /// It is logged and changes nothing.
    Ignore,
    /// It stops the service like SIGTERM.
    Stop,
    /// It runs the callback that the user chose.
    Reload,
    /// It restarts the service like SIGUSR2.
    #[cfg(feature = "restart")]
    Restart,
}
