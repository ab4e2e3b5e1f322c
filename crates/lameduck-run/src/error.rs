//! Why `lameduck run` cannot begin.

use std::io;

/// Why `lameduck run` cannot begin: one line.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A socket could not be bound: the line says which, why, and what would be right.
    #[error("--listen {name}: {why}")]
    Bind {
        /// The socket's name.
        name: String,
        /// What the bind answered.
        why: String,
    },
    /// Two sockets have the same name.
    #[error(
        "--listen: two sockets are named {0}: the server could not tell them apart; give each its own NAME="
    )]
    SameName(String),
    /// There is nothing to run.
    #[error(
        "no command: write it behind `--`: lameduck run --listen http=127.0.0.1:8080 -- ./server"
    )]
    NoCommand,
    /// There is no such program.
    #[error("there is no program {0}: check the words behind `--`")]
    NotFound(String),
    /// The system refuses what is needed for running children.
    #[error("{what}: {error}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl RunError {
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::System { what, error }
    }
}
