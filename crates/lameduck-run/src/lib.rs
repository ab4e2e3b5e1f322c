//! `lameduck run`: a small parent with a stable process id that holds the listening sockets of a server, in any
//! language, and replaces the server without refusing a connection.
//!
//! 1. It binds the sockets once and passes them to every child by systemd's protocol (`LISTEN_FDS`, `LISTEN_FDNAMES`,
//!    `LISTEN_PID`). Between two children there is always somebody who holds them, so no connection is refused.
//! 2. The old child is told to stop only when the new one is ready. A new one that fails leaves the old one serving.
//! 3. It never reads from a connection and never passes one on: what a child has accepted, that child ends.
//! 4. A pure machine decides; all else carries out what that says, on one thread.
//!
//! Linux only. A program that uses it calls [`step`] before all else if its first argument is [`STEP`].

mod child;
mod clock;
mod error;
mod group;
mod journal;
mod listen;
mod machine;
mod manager;
mod notify;
mod probe;
mod processes;
mod reaped;
mod runner;
mod settings;
mod signals;
mod sockets;
mod step;

pub use lameduck::command_support::read_time;

pub use self::error::RunError;
pub use self::listen::{Listen, ListenError};
pub use self::machine::Readiness;
pub use self::probe::{Url, UrlError};
pub use self::runner::run;
pub use self::settings::{Log, Settings};
pub use self::step::{STEP, step};
