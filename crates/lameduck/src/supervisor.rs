//! The supervisor thread: one OS thread, outside the async runtime, that owns signals, the state machine, the
//! deadlines and the exit.
//!
//! It must never wait for a runtime thread, for a lock that user code may hold, or for standard error: every
//! one of them may be stuck, and the exit is bounded all the same. So it logs through the [`Journal`] and
//! writes the report from a helper thread.

mod engine;
mod exit;
mod journal;
#[cfg(feature = "restart")]
mod restarts;
mod signals;
mod thread;

pub(crate) use self::exit::{Exit, end_process};
pub(crate) use self::journal::Journal;
#[cfg(feature = "restart")]
pub(crate) use self::restarts::Restarts;
pub(crate) use self::signals::Signals;
pub(crate) use self::thread::{Brief, Supervisor};
