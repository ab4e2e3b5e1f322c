//! A restart: a successor takes over the listening sockets and the idle connections of its predecessor, and nobody
//! outside sees anything of it.
//!
//! It carries sockets and parcels between two processes without knowing HTTP, and tells the supervisor what happens
//! without deciding for it. It must never wait on a runtime thread or on the supervisor's: each side has a thread of
//! its own, which blocks on the link between the processes and on nothing without a deadline. What either side does
//! next is decided by a pure machine ([`giving`], [`taking`]).
//!
//! 1. The predecessor accepts until the commit, the successor from the commit on.
//! 2. What was passed is kept until the hand-over is over, and taken back where nobody can have read from it.
//! 3. A failed restart leaves the predecessor as it was.

mod bell;
mod child;
mod environment;
mod giving;
mod kept;
mod link;
mod listening;
mod message;
mod predecessor;
mod program;
mod successor;
mod taking;

/// So many connections, in words.
fn connections(count: usize) -> String {
    match count {
        1 => "1 connection".to_owned(),
        count => format!("{count} connections"),
    }
}

pub(crate) use self::environment::Handed;
pub(crate) use self::listening::Listening;
pub(crate) use self::predecessor::{Plan, Predecessor};
pub(crate) use self::program::Program;
pub(crate) use self::successor::Successor;
