//! Why a service stopped.

use std::fmt;

use serde::Serialize;

/// Why a service stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// A signal.
    Signal {
        /// Its name, such as `SIGTERM`.
        name: String,
    },
    /// The program itself asked for it.
    Code {
        /// The reason that it gave.
        reason: String,
    },
    /// A part failed and brought the service down.
    Failure {
        /// The part's name.
        part: String,
        /// Its error or panic message.
        message: String,
    },
    /// A restart: a successor serves in its place.
    Restart {
        /// The successor's process id.
        successor: u32,
    },
    /// The service could not start.
    Start {
        /// Why.
        message: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Signal { name } => f.write_str(name),
            Cause::Code { reason } => write!(f, "stopped by the program: {reason}"),
            Cause::Failure { part, message } => write!(f, "`{part}` failed: {message}"),
            Cause::Restart { successor } => {
                write!(f, "restart: process {successor} serves in its place")
            }
            Cause::Start { message } => write!(f, "could not start: {message}"),
        }
    }
}
