//! How a child ended.

use std::fmt;

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this code.
    Code(u8),
    /// Killed by this signal.
    Signal(u8),
    /// Its command could not be executed at all.
    NotStarted,
}

impl End {
    /// What `lameduck run` exits with, if this was the child that served: as a shell would.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128_u8.saturating_add(number),
            Self::NotStarted => MISUSE,
        }
    }
}

/// The exit code of a command line that cannot be carried out.
const MISUSE: u8 = 2;

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(number) => write!(f, "was killed by signal {number}"),
            Self::NotStarted => f.write_str("could not be started"),
        }
    }
}
