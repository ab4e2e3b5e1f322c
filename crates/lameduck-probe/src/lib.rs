//! Proves from outside that a server, in any language, stops without losing a request.
//!
//! A [`Case`] is data: what it demands, why, and a function that drives it. For each case the server under test is
//! started as a process of its own, loaded by clients on raw sockets, and signalled; all that was seen is a
//! [`Record`], and the verdict on it a pure function ([`judge`]). `lameduck probe` is the command around it.
//!
//! What it never does: link against the server under test, trust what it says about itself, or leave a process of it
//! behind.

mod blocked;
mod case;
mod cases;
mod client;
mod demand;
mod discover;
pub mod http1;
mod ignored;
mod judge;
mod look;
mod outcome;
mod port;
mod record;
mod relay;
pub mod report;
mod routes;
mod run;
mod server;
mod stage;
mod stall;
mod tape;
mod verdict;

pub use blocked::Blocked;
pub use case::{Case, Driving, Level};
pub use cases::all as all_cases;
pub use demand::Demand;
pub use ignored::ignored_signals;
pub use judge::{SLACK_MS, judge};
pub use look::Look;
pub use outcome::Outcome;
pub use port::free_port;
pub use record::{Ending, Exchange, Exit, Fact, Micros, Process, Record, Role, Silence};
pub use routes::{MapError, Need, Routes};
pub use run::{CaseResult, Progress, run, run_case};
pub use rustix::process::Signal;
pub use server::{Server, ServerCommand, StartError};
pub use stage::{Setup, Stage};
pub use tape::Tape;
pub use verdict::{Judgement, Verdict};
