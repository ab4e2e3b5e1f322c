//! Telling the service manager how the service is (sd_notify(3)): ready, reloading, stopping, alive, and how much longer
//! it may take.
//!
//! The supervisor thread speaks, without ever waiting. What cannot be told is never an error of the service: the log
//! gets one line.
//!
//! Invariants:
//! 1. A runtime that does not answer is never called alive.
//! 2. No more time is asked for than the start and the stop themselves have.
//! 3. Of a predecessor and its successor one speaks at a time.

mod channel;
mod message;
mod notifier;
mod pulse;
mod schedule;
mod variables;

pub(crate) use self::notifier::Notifier;
