//! Why a server did not come up.

use super::ServerCommand;

/// One line each: what happened, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such program.
    #[error("there is no program {program}: check the words behind `--`")]
    NotFound {
        /// What was looked for.
        program: String,
    },
    /// There is one, and it can't be run.
    #[error("{program} cannot be run: {why}")]
    CannotRun {
        /// The program.
        program: String,
        /// What the system said.
        why: String,
    },
    /// It ended before it was ready.
    #[error("the server ended before it was ready, {}{}", ending(*code, *signal), printed(output))]
    Ended {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that killed it.
        signal: Option<i32>,
        /// The end of what it printed.
        output: String,
    },
    /// It runs and does not listen anywhere.
    #[error(
        "the server runs, but nobody listened on port {port} within {limit} s{}",
        printed(output)
    )]
    NeverListened {
        /// The port that it was given.
        port: u16,
        /// The limit in seconds.
        limit: u64,
        /// The end of what it printed.
        output: String,
    },
    /// It listens somewhere else.
    #[error(
        "the server listens on port {port} instead of {asked}: have it take PORT, or put {{port}} into the command"
    )]
    Elsewhere {
        /// Where it listens.
        port: u16,
        /// Where it should.
        asked: u16,
    },
    /// It listens, and its readiness URL never said 200.
    #[error("the server listens, but {url} did not say 200 within {limit} s (last: {}){}",
        status.map_or_else(|| "no answer".to_owned(), |status| status.to_string()), printed(output))]
    NotReady {
        /// The URL.
        url: String,
        /// What it said last.
        status: Option<u16>,
        /// The limit in seconds.
        limit: u64,
        /// The end of what it printed.
        output: String,
    },
    /// The machine has no free port.
    #[error("there is no free port on this machine")]
    NoPort,
}

impl StartError {
    pub(super) fn cannot_run(command: &ServerCommand, error: &std::io::Error) -> Self {
        let program = command.program().to_owned();
        if error.kind() == std::io::ErrorKind::NotFound {
            Self::NotFound { program }
        } else {
            Self::CannotRun { program, why: error.to_string() }
        }
    }
}

fn ending(code: Option<i32>, signal: Option<i32>) -> String {
    match (code, signal) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    }
}

fn printed(output: &str) -> String {
    if output.is_empty() {
        "; it printed nothing".to_owned()
    } else {
        format!("; its last words: {output}")
    }
}
