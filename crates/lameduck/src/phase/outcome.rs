//! How a service ended, and the exit code that says so.

use serde::Serialize;

/// How a service ended. [`Outcome::code`] is the whole table of exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing was lost and everything closed; also after a signal while starting.
    Clean,
    /// It could not start, a task or a listener brought it down, or a resource's close failed.
    Failed,
    /// A deadline passed and something was abandoned or answered 503. Goes before [`Outcome::Failed`].
    Forced,
    /// A second signal, whose number this is, forced the exit.
    Signalled(u8),
}

impl Outcome {
    /// The exit code: 0, 1, 75 (`EX_TEMPFAIL` of sysexits.h) or 128 + signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Failed => 1,
            Outcome::Forced => 75,
            Outcome::Signalled(signal) => 128u8.saturating_add(signal),
        }
    }

    /// The word used in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Failed => "failed",
            Outcome::Forced => "forced",
            Outcome::Signalled(_) => "signalled",
        }
    }
}

impl Serialize for Outcome {
    /// The word alone; the signal follows from the exit code.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
